package user

import (
	"context"
	"errors"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/letter"
	"mangrove/internal/passwd"
	"mangrove/internal/profile"
)

// ResetPassword gives the identity of the proof a new password, ends the user's
// sessions, forgives wrong passwords, and tells the owner by mail. verifies: the
// address that the ticket went to counts as verified, too. Errors: ErrTicketUsed,
// ErrTicketOver, *passwd.Weak; the ticket is used up by success alone, so that a
// weak password can be followed by a better one. So it can where an external store
// refuses: the errors of ask and tell.
//
// As in Patch, whatever can be refused is refused before the password is hashed.
// Other tickets end with the password that they were made for. Somebody who is not here
// yet comes with the new password out of the custom database (see Newcomer).
func (s *Service) ResetPassword(ctx context.Context, id ID, proof Proof, password string, verifies bool, a Actor) (*User, error) {
	now := s.Now()
	c, err := s.connectionOf(ctx, proof)
	fail := func(err error) (*User, error) {
		return nil, s.notReset(ctx, s.event(audit.PasswordNotChanged, a, c, id, now), err)
	}
	if err != nil {
		return fail(err)
	}
	r := reset{c: c, id: id, proof: proof, verifies: verifies, actor: a, at: now.UnixMicro()}
	u, err := s.resetPassword(ctx, &r, password)
	for _, inTheWay := range []error{errHere, errDeletedHere, ErrExists, ErrUsernameTaken} {
		if errors.Is(err, inTheWay) { // when the ticket was made, nobody was
			err = ErrTicketOver.Because(err)
		}
	}
	if err != nil {
		return fail(err)
	}
	return u, nil
}

// reset is the redemption of a ticket for a new password.
type reset struct {
	c        *connection.Connection
	id       ID
	proof    Proof
	verifies bool
	actor    Actor
	at       int64
	taken    bool // the ticket was used up already
}

// redeems is the ticket, where it is still to be used up.
func (r *reset) redeems() Redemption {
	if r.taken {
		return Redemption{}
	}
	return Redemption{r.proof.Ticket, r.at}
}

func (s *Service) resetPassword(ctx context.Context, r *reset, password string) (*User, error) {
	known, err := s.Users.User(ctx, r.id)
	if isNotFound(err) && finds(r.c) {
		return s.resetNewcomer(ctx, r, password)
	}
	if err != nil {
		return nil, err
	}
	held := r.proof.identity
	var next Password
	if r.c.Class() == profile.ExternalDatabase {
		if finds(r.c) {
			held = r.proof.elsewhere
		}
		i, err := held(known)
		if err != nil {
			return nil, err
		}
		if _, next, err = s.resetElsewhere(ctx, r, known.profileAt(i), password); err != nil {
			return nil, err
		}
		ctx = context.WithoutCancel(ctx) // it has been done there
	} else {
		i, err := held(known)
		if err != nil {
			return nil, err
		}
		if next, err = s.nextPassword(ctx, r.c, known, i, password); err != nil {
			return nil, err
		}
		next.SetAt = r.at
	}
	return s.Users.UpdateUser(ctx, r.id, func(u *User) (Effect, error) {
		i, err := held(u)
		if err != nil {
			return Effect{}, err
		}
		return s.afterReset(r, u, i, next), nil
	})
}

// afterReset gives identity i the password, and is what else belongs to that.
func (s *Service) afterReset(r *reset, u *User, i int, next Password) Effect {
	src := profile.Source{Origin: profile.FromManagement, Connection: r.c.ID, Actor: string(r.id), At: r.at}
	e := Effect{
		Redeems: r.redeems(), EndSessions: true, Events: s.resetEvents(r),
		Retires: u.retired(i, r.c), Forgives: u.forgiven(), Letters: s.resetLetters(r),
	}
	if r.verifies && verify(u, i, r.proof.Email, src) {
		e.Events = append(e.Events, s.event(audit.EmailVerified, r.actor, r.c, r.id, time.UnixMicro(r.at)))
	}
	u.setPassword(i, next, r.c.Class())
	u.UpdatedAt = r.at
	return e
}

func (s *Service) resetEvents(r *reset) []audit.Event {
	e := s.event(audit.PasswordChangedAPI, r.actor, r.c, r.id, time.UnixMicro(r.at))
	e.Description = "Password changed by a ticket"
	return []audit.Event{e}
}

// resetLetters tell the owner, where mails can be sent.
func (s *Service) resetLetters(r *reset) []letter.Letter {
	if !s.mails() {
		return nil
	}
	return []letter.Letter{{
		Template: letter.PasswordChanged, To: r.proof.Email, UserID: string(r.id), ConnectionID: r.c.ID, ClientID: r.actor.ClientID,
	}}
}

// notReset is notRedeemed for errors of the password's policy, too.
func (s *Service) notReset(ctx context.Context, e audit.Event, err error) error {
	var weak *passwd.Weak
	if !errors.As(err, &weak) {
		return s.notRedeemed(ctx, e, err)
	}
	told := s.notRedeemed(ctx, e, &errs.Error{Kind: errs.Invalid, Text: weak.Message})
	if errs.KindOf(told) == errs.Invalid {
		return err
	}
	return told
}
