package user

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"mangrove/internal/connection"
	"mangrove/internal/customdb"
	"mangrove/internal/errs"
	"mangrove/internal/profile"
)

// ErrNoCustomDatabase is of a connection that has no actions.
var ErrNoCustomDatabase = errs.New(errs.Invalid, "operation_not_supported", "The connection is no custom database: options.enabledDatabaseCustomization is not set.")

// Trial is what came of a try of an action.
type Trial struct {
	// Result is what the action answered, passwords and configuration hidden.
	Result json.RawMessage
	// Failure is why there is no answer, or none that means anything; nil: there is.
	Failure *customdb.Failure
	// Attributes is the profile that whoever was found would have here, as an object;
	// nil: nobody was found, or Refusal says why there would be none.
	Attributes json.RawMessage
	Dropped    []profile.Dropped
	Refusal    error
	Console    []customdb.Line
	Took       time.Duration
}

// TryAction runs an action, and says what its answer would mean. Nothing changes here;
// the action itself may change what is in the custom database. c may have options that
// nobody has stored (connection.Service.Tried); changed are their names, for the record.
// Errors: ErrNoCustomDatabase, and what is no failure of the action.
func (s *Service) TryAction(ctx context.Context, c *connection.Connection, call customdb.Call, changed []string, a Actor) (*Trial, error) {
	if !isCustom(c) {
		return nil, ErrNoCustomDatabase
	}
	start := s.Now()
	e := s.operation("Try an action of a custom database", a, c, "", start)
	e.Details, _ = json.Marshal(map[string]any{"action": call.Action, "options": changed}) // of texts: cannot fail
	// Before it is run: whatever it does then has a record.
	if err := s.Audit.AppendEvents(ctx, e); err != nil {
		return nil, err
	}
	answer, err := s.ask(ctx, c, call)
	t := &Trial{Took: s.Now().Sub(start), Console: answer.Console}
	if err == nil {
		src := profile.Source{Origin: profile.FromScript, Connection: c.ID, At: start.UnixMicro()}
		err = t.read(c, call, answer, src, s.Defaults)
	}
	if err != nil && !errors.As(err, &t.Failure) {
		return nil, err
	}
	if t.Failure != nil && len(t.Console) == 0 {
		t.Console = t.Failure.Console
	}
	return t, nil
}

func isCustom(c *connection.Connection) bool {
	return c.Class() == profile.ImportDatabase || c.Class() == profile.ExternalDatabase
}

// read says what an answer means.
func (t *Trial) read(c *connection.Connection, call customdb.Call, answer customdb.Answer, src profile.Source, d profile.Defaults) error {
	secrets := append(customdb.OptionsOf(c).Secrets(), call.Secrets()...)
	t.Result = customdb.Shown(answer.Value, secrets)
	switch call.Action {
	case customdb.Login, customdb.GetUser:
		return t.person(c, call, answer, secrets, src, d)
	case customdb.List:
		_, err := customdb.ReadList(answer.Value)
		return err
	}
	return customdb.Done(call.Action, answer.Value)
}

// person says what would become of somebody who is new here.
func (t *Trial) person(c *connection.Connection, call customdb.Call, answer customdb.Answer, secrets []string, src profile.Source, d profile.Defaults) error {
	p, err := customdb.ReadPerson(answer.Value)
	if call.Action == customdb.GetUser && errors.Is(err, customdb.ErrNobody) {
		return nil
	}
	if err != nil {
		return err
	}
	decide := profile.Adopt
	if c.Class() == profile.ExternalDatabase {
		decide = newcomer
	}
	out := decide(c.Facts(), p.Claims, src, d)
	if t.Dropped = out.Dropped; out.Action == profile.Refused {
		t.Refusal = out.Refusal
		return nil
	}
	t.Attributes = customdb.Shown(EncodeAttributes(out.Profile), secrets)
	return nil
}

func newcomer(c profile.Connection, cl profile.Claims, src profile.Source, d profile.Defaults) profile.Outcome {
	return profile.Login(c, nil, cl, src, d)
}
