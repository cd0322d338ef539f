package user

import (
	"context"
	"errors"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/errs"
)

// AuthenticateDirectory has a directory elsewhere check a password, by check, and
// then does what Federate does. Guesses are counted as those of Authenticate are. Whom
// the name means, only the directory knows: check calls count with it, before anybody
// looks at the password, and returns what count returns. Every outcome is recorded.
//
// A custom database with an external store is such a directory, too.
//
// check returns ErrWrongPassword for a wrong pair, because of ErrNobody where the name
// means nobody, which the record alone tells; every other *errs.Error means that
// nothing was guessed: the password was right, or nobody looked at it. Errors:
// *Locked, check's, and Federate's.
func (s *Service) AuthenticateDirectory(ctx context.Context, c *connection.Connection, name string, check func(ctx context.Context, count func(who string) error) (Arrival, error), a Actor) (*User, error) {
	now := s.Now()
	try := Attempt{Connection: c, By: a}
	var admitted Admission
	count := func(who string) error {
		if try.Identifier != "" {
			return nil // another server of the directory is asked about the same password
		}
		try.Identifier = Fold(ByUsername, who)
		var err error
		if admitted, err = s.guard().Admit(ctx, try); err == nil {
			// The directory has limits of its own, which a guess beyond ours would fill.
			admitted, err = admitted.settled()
		}
		return err
	}
	arrival, err := check(ctx, count)
	if errors.Is(err, ErrWrongPassword) { // what is refused without a question is a guess, too
		if refused := count(name); refused != nil {
			err = refused
		}
	}
	var locked *Locked
	if errors.As(err, &locked) {
		return nil, err
	}
	if errors.Is(err, ErrWrongPassword) {
		e := s.wrongGuess(a, c, err, errs.From(err).Text, now)
		if failed := s.guard().Wrong(context.WithoutCancel(ctx), try, admitted, e); failed != nil {
			return nil, errors.Join(err, failed)
		}
		return nil, err
	}
	var u *User
	if err == nil {
		u, err = s.federate(ctx, c, arrival, admitted.Forgives, a)
	}
	if err == nil || errors.Is(err, ErrBlocked) {
		return u, err
	}
	ctx = context.WithoutCancel(ctx)
	e := s.event(audit.LoginFailed, a, c, "", now)
	e.Description = errs.From(err).Text
	e = told(e, err)
	return nil, errors.Join(err, s.guard().Return(ctx, admitted), s.Audit.AppendEvents(ctx, e))
}

// wrongGuess is the record of a password that somebody else says is wrong: err is how, and
// text what it says where they have no words of their own.
func (s *Service) wrongGuess(a Actor, c *connection.Connection, err error, text string, now time.Time) audit.Event {
	kind := audit.WrongPassword
	if errors.Is(err, ErrNobody) {
		kind = audit.UnknownUser
	}
	e := s.event(kind, a, c, accused(err), now)
	e.Description = text
	return told(e, err)
}
