package user

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/customdb"
	"mangrove/internal/errs"
)

// ErrStoreDown is of a custom database that gave no answer, or one that means nothing.
// What it said is for the operator alone: the record has it.
var ErrStoreDown = errs.New(errs.Unavailable, "access_denied", "The database of this connection gave no answer. Please try again later.")

// ask runs an action of a custom database. Errors: *errs.Error whose cause is the
// *customdb.Failure, and that of ctx:
//
//	WrongUsernameOrPasswordError  ErrWrongPassword
//	ValidationError               400 with its code and its text; user_exists: ErrExists
//	UnauthorizedError             403 unauthorized, with its text
//	any other, limits, no answer  ErrStoreDown
func (s *Service) ask(ctx context.Context, c *connection.Connection, call customdb.Call) (customdb.Answer, error) {
	if s.External == nil {
		return customdb.Answer{}, ErrStoreDown.Because(&customdb.Failure{Kind: customdb.NoAction})
	}
	answer, err := s.External.Run(ctx, c, call)
	return answer, storeError(err)
}

// storeError words a failure of a custom database for whoever asked.
func storeError(err error) error {
	var f *customdb.Failure
	if !errors.As(err, &f) {
		return err
	}
	switch f.Kind {
	case customdb.Wrong:
		if f.UserID == "" {
			return ErrWrongPassword.Because(fmt.Errorf("%w: %w", ErrNobody, f))
		}
		return ErrWrongPassword.Because(f)
	case customdb.Invalid:
		if f.Code == "user_exists" {
			return ErrExists.Because(f)
		}
		return errs.New(errs.Invalid, f.Code, "%s", f.Message).Because(f)
	case customdb.Unauthorized:
		return errs.New(errs.Forbidden, "unauthorized", "%s", cmp.Or(f.Message, "Unauthorized")).Because(f)
	}
	return ErrStoreDown.Because(f)
}

// found is whom the custom database knows by an identifier (get_user). Errors:
// customdb.ErrNobody; those of ask.
func (s *Service) found(ctx context.Context, c *connection.Connection, identifier string) (customdb.Person, error) {
	answer, err := s.ask(ctx, c, customdb.Find(identifier))
	var p customdb.Person
	if err == nil {
		p, err = readPerson(answer)
	}
	if customdb.IsWrong(err) { // some scripts say so of somebody who is not there
		return customdb.Person{}, customdb.ErrNobody
	}
	return p, err
}

// signsIn is who signs in at the custom database by an identifier, as typed, and a
// password (login). Errors: those of ask, but never ErrExists, which is of names; that
// nobody is there is ErrWrongPassword.
func (s *Service) signsIn(ctx context.Context, c *connection.Connection, identifier, password string) (customdb.Person, error) {
	answer, err := s.ask(ctx, c, customdb.SignIn(identifier, password))
	var f *customdb.Failure
	if errors.Is(err, ErrExists) && errors.As(err, &f) {
		err = errs.New(errs.Invalid, f.Code, "%s", cmp.Or(f.Message, f.Code)).Because(f)
	}
	if err != nil {
		return customdb.Person{}, err
	}
	return readPerson(answer)
}

// readPerson is customdb.ReadPerson with the errors of ask.
func readPerson(answer customdb.Answer) (customdb.Person, error) {
	p, err := customdb.ReadPerson(answer.Value)
	var f *customdb.Failure
	if errors.As(err, &f) {
		said := *f
		said.Console = answer.Console
		return customdb.Person{}, storeError(&said)
	}
	return p, nil
}

// arrival is somebody as a custom database describes them.
func arrival(p customdb.Person) Arrival {
	return Arrival{Claims: p.Claims, Tokens: p.Tokens, Factors: validFactors(p.Factors)}
}

// accused is whose password was wrong, where the custom database says so; empty: it
// does not, or nobody's.
func accused(err error) ID {
	var f *customdb.Failure
	if errors.As(err, &f) && f.Kind == customdb.Wrong && f.UserID != "" {
		return ID("auth0|" + f.UserID)
	}
	return ""
}

// told puts what a custom database said into the record of a failure: its own text
// where there is one, and beside it the console. Passwords and configuration are masked
// in both.
func told(e audit.Event, err error) audit.Event {
	var f *customdb.Failure
	if !errors.As(err, &f) {
		return e
	}
	if f.Message != "" {
		e.Description = f.Message
	}
	details := map[string]any{"custom_database": map[string]any{"kind": f.Kind, "code": f.Code, "detail": f.Detail, "console": f.Console}}
	e.Details, _ = json.Marshal(details) // of texts: cannot fail
	return e
}
