package user

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/customdb"
	"mangrove/internal/errs"
	"mangrove/internal/passwd"
	"mangrove/internal/profile"
)

// PullLimit is how many people one Pull asks for at most.
const PullLimit = 100

// pullTime ends a Pull that asks for people one by one. With the limit of an action
// behind it the answer still comes in time (web.WriteTimeout).
const pullTime = 30 * time.Second

// Refusals of Pull.
var (
	errNotMigrating = errs.New(errs.Invalid, "operation_not_supported", "Users can be pulled through custom database connections with options.import_mode only.")
	errMigrationOff = errs.New(errs.Invalid, "operation_not_supported", "options.migration.mode of the connection is off: its custom database is not asked.")
	errNoList       = errs.New(errs.Invalid, "operation_not_supported", "The connection has no action list. Add one, or name the users by identifiers.")
	errNoGetUser    = errs.New(errs.Invalid, "operation_not_supported", "The connection has no action get_user.")
	errSameCursor   = &customdb.Failure{Kind: customdb.Broken, Message: "next is the cursor that list was given: there would be no end"}
)

// PullNameLimit is how many characters an identifier can have by which a Pull asks.
const PullNameLimit = 255

// PullTimeOver is the reason of those whom a Pull did not come to.
const PullTimeOver = "The time of the batch was over; ask again."

// Why somebody was not pulled.
const (
	noHash     = "The custom database gives no password hash."
	noPassword = noHash + " The person can be taken without a password, and then has to set a new one."
	nobody     = "Nobody is known by this identifier."
)

// PullRequest names people in the old store: a page of the action list, or those who
// have the identifiers.
type PullRequest struct {
	After       string // cursor; empty: from the start
	Limit       int    // of the page, up to PullLimit
	Identifiers []string
	// WithoutPassword takes also people of whose password nothing is known. They have
	// to set a new one: the old store is not asked about them any more.
	WithoutPassword bool
}

// PullResult is what came of a Pull.
type PullResult struct {
	// Migrated are new here, Present were here and stay as they are, Deleted were
	// deleted here and may not come again.
	Migrated, Present, Deleted, Failed int
	Failures                           []PullFailure
	Next                               string // cursor of the next page; empty: there is none
}

// PullFailure is somebody who was not taken. Reason may be in the words of the old store.
type PullFailure struct {
	Name, Reason string
}

// Pull takes people out of the old store of an import-mode connection who have not come
// by themselves, with the password hashes that it brings, in the forms of an import.
// Whoever is here already stays untouched, so it may be repeated. Errors, without any
// change: errNotMigrating and its neighbours; 503 when there is no page, with the words
// of the store.
func (s *Service) Pull(ctx context.Context, c *connection.Connection, req PullRequest, a Actor) (PullResult, error) {
	options := customdb.OptionsOf(c)
	switch {
	case c.Class() != profile.ImportDatabase:
		return PullResult{}, errNotMigrating
	case options.Mode == customdb.Off:
		return PullResult{}, errMigrationOff
	case len(req.Identifiers) > 0 && !options.Has(customdb.GetUser):
		return PullResult{}, errNoGetUser
	case len(req.Identifiers) == 0 && !options.Has(customdb.List):
		return PullResult{}, errNoList
	}
	p := pull{Service: s, c: c, actor: a, withoutPassword: req.WithoutPassword}
	run := p.page
	if len(req.Identifiers) > 0 {
		run = p.named
	}
	if err := run(ctx, req); err != nil {
		return PullResult{}, err
	}
	e := s.operation("Pull users from a custom database", a, c, "", s.Now())
	e.Details, _ = json.Marshal(map[string]int{ // of numbers: cannot fail
		"migrated": p.result.Migrated, "present": p.result.Present, "deleted": p.result.Deleted, "failed": p.result.Failed,
	})
	return p.result, s.Audit.AppendEvents(ctx, e)
}

// pull is one Pull under way.
type pull struct {
	*Service
	c               *connection.Connection
	actor           Actor
	withoutPassword bool
	result          PullResult
}

// page takes a page of people. One that holds more than was asked for is taken whole:
// nobody would ask for the rest.
func (p *pull) page(ctx context.Context, req PullRequest) error {
	answer, err := p.ask(ctx, p.c, customdb.Page(req.After, min(max(req.Limit, 1), PullLimit)))
	if err != nil {
		return listFailed(err)
	}
	page, err := customdb.ReadList(answer.Value)
	if err == nil && page.Next != "" && page.Next == req.After {
		err = errSameCursor
	}
	if err != nil {
		return listFailed(err)
	}
	for _, raw := range page.People {
		person, err := customdb.ReadPerson(raw)
		if err != nil {
			err = p.failed(ctx, "", reasonOf(err))
		} else {
			err = p.take(ctx, person)
		}
		if err != nil {
			return err
		}
	}
	p.result.Next = page.Next
	return nil
}

// listFailed words the failure of a page for the operator who asked for it.
func listFailed(err error) error {
	var f *customdb.Failure
	if !errors.As(err, &f) {
		return err
	}
	return errs.New(errs.Unavailable, "custom_database_failed", "The action list failed: %s", reasonOf(f)).Because(f)
}

// named takes those who have the identifiers, one after the other.
func (p *pull) named(ctx context.Context, req PullRequest) error {
	end := p.Now().Add(pullTime)
	for i, identifier := range req.Identifiers {
		if i >= PullLimit || p.Now().After(end) {
			p.refuse(identifier, PullTimeOver)
			continue
		}
		person, err := p.found(ctx, p.c, identifier)
		var f *customdb.Failure
		switch {
		case err == nil:
			failed := p.result.Failed
			if err = p.take(ctx, person); err == nil && p.result.Failed == failed {
				err = p.needless(ctx, identifier)
			}
		case errors.Is(err, customdb.ErrNobody):
			p.refuse(identifier, nobody)
			err = p.needless(ctx, identifier)
		case errors.As(err, &f):
			err = p.failed(ctx, identifier, reasonOf(err))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// needless ends what is noted of somebody who need not come any more, by a name that may
// be the old store's alone. Shadow mode notes people who are here: that stays.
func (p *pull) needless(ctx context.Context, identifier string) error {
	if customdb.OptionsOf(p.c).Mode == customdb.Shadow {
		return nil
	}
	return p.settled(ctx, p.c, Called(p.c.SignInKinds(), identifier))
}

// take makes a user of somebody who is not here. Its errors end the whole: those of the
// person are counted.
func (p *pull) take(ctx context.Context, person customdb.Person) error {
	password, problem := hashOf(person)
	name, present, err := p.present(ctx, person, password.Hash != "")
	switch {
	case err != nil:
		return p.fault(ctx, name, err)
	case present:
		p.result.Present++
		return nil
	case problem != "":
		return p.failed(ctx, name, problem)
	case password.Hash == "" && !p.withoutPassword:
		p.refuse(name, noPassword)
		return p.noted(ctx, name, customdb.Known, noHash) // who signs in with it migrates still
	}
	e := p.event(audit.UserImported, p.actor, p.c, "", p.Now())
	e.Description = "Pulled from the custom database"
	_, err = p.adopt(ctx, p.c, person, password, adoption{actor: p.actor, name: name, events: []audit.Event{e}})
	if err != nil {
		return p.fault(ctx, name, err)
	}
	p.result.Migrated++
	return nil
}

// present reports whether the person is here: by the id, or somebody by a sign-in name.
// A user whose password an external store had so far may still get one. name is by what
// the person is called.
func (p *pull) present(ctx context.Context, person customdb.Person, hash bool) (name string, present bool, err error) {
	subject := person.Claims.Subject
	name = Fold(ByUsername, subject)
	u, i, err := p.identified(ctx, p.c, subject)
	if err == nil {
		return name, !hash || !u.Identities[i].External, nil
	}
	if !isNotFound(err) {
		return name, false, err
	}
	src := profile.Source{Origin: profile.FromScript, Connection: p.c.ID, At: p.Now().UnixMicro()}
	out := profile.AdoptBare(p.c.Facts(), person.Claims, src, p.Defaults)
	if out.Action == profile.Refused {
		return name, false, out.Refusal
	}
	u = &User{Profile: out.Profile}
	u.SetPrimary(p.c, subject)
	names := u.SignInNames(0)
	if len(names) > 0 {
		name = names[0].Value
	}
	_, _, err = p.Identified(ctx, p.c, names)
	if isNotFound(err) {
		return name, false, nil
	}
	return name, err == nil, err
}

// fault counts what is wrong with a person; faults of ours end the whole.
func (p *pull) fault(ctx context.Context, name string, err error) error {
	switch {
	case errors.Is(err, errDeletedHere):
		p.result.Deleted++
		return nil
	case errors.Is(err, errHere): // somebody signed in meanwhile
		p.result.Present++
		return nil
	}
	switch errs.KindOf(err) {
	case errs.Internal, errs.Unavailable, errs.TooMany:
		return err
	}
	return p.failed(ctx, name, reasonOf(err))
}

// failed counts somebody who could not be taken, and notes them.
func (p *pull) failed(ctx context.Context, name, reason string) error {
	p.refuse(name, reason)
	if name == "" {
		return nil
	}
	return p.noted(ctx, name, customdb.Failing, reason)
}

func (p *pull) noted(ctx context.Context, name string, state customdb.State, reason string) error {
	return p.note(ctx, customdb.Note{ConnectionID: p.c.ID, Name: Called(p.c.SignInKinds(), name), State: state, Reason: reason, At: p.Now().UnixMicro()})
}

func (p *pull) refuse(name, reason string) {
	p.result.Failed++
	p.result.Failures = append(p.result.Failures, PullFailure{name, reason})
}

// reasonOf is a failure in the words of the old store, if it has any.
func reasonOf(err error) string {
	var f *customdb.Failure
	if errors.As(err, &f) {
		if f.Message != "" {
			return f.Message
		}
		return "The custom database gave no answer: " + string(f.Kind) + "."
	}
	return errs.From(err).Text
}

// hashOf is the password that a row of the old store brings: a password_hash in any form
// that says what it is (passwd.ParseText), or a custom_password_hash as an import has it
// (reference/users.md §6.3); problem is what is wrong with it.
func hashOf(person customdb.Person) (_ Password, problem string) {
	var r rowReader
	switch {
	case person.CustomPasswordHash != nil && person.PasswordHash != nil:
		return Password{}, "password_hash and custom_password_hash exclude each other"
	case person.CustomPasswordHash != nil:
		r.custom(person.CustomPasswordHash)
	case person.PasswordHash != nil:
		stored, err := passwd.ParseText(profile.TextOf(person.PasswordHash))
		r.hash = stored
		r.refuse(err)
	}
	if len(r.problems) > 0 {
		return Password{}, r.problems[0].Message
	}
	return Password{Hash: r.hash, Imported: r.hash != ""}, ""
}
