package user

import (
	"context"
	"errors"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
	"mangrove/internal/letter"
	"mangrove/internal/passwd"
	"mangrove/internal/profile"
)

// ResetPassword gives the identity of the proof a new password, ends the user's
// sessions, forgives wrong passwords, and tells the owner by mail. verifies: the
// address that the ticket went to counts as verified, too. Errors: ErrTicketUsed,
// ErrTicketOver, *passwd.Weak; the ticket is used up by success alone, so that a
// weak password can be followed by a better one.
//
// As in Patch, whatever can be refused is refused before the password is hashed.
// Other tickets end with the password that they were made for.
func (s *Service) ResetPassword(ctx context.Context, id ID, proof Proof, password string, verifies bool, a Actor) (*User, error) {
	now := s.Now()
	c, err := s.connectionOf(ctx, proof)
	fail := func(err error) (*User, error) {
		return nil, s.notReset(ctx, s.event(audit.PasswordNotChanged, a, c, id, now), err)
	}
	if err != nil {
		return fail(err)
	}
	known, err := s.Users.User(ctx, id)
	if err != nil {
		return fail(err)
	}
	i, err := proof.identity(known)
	if err != nil {
		return fail(err)
	}
	next, err := s.nextPassword(ctx, c, known, i, password)
	if err != nil {
		return fail(err)
	}
	next.SetAt = now.UnixMicro()
	events := []audit.Event{s.event(audit.PasswordChangedAPI, a, c, id, now)}
	events[0].Description = "Password changed by a ticket"
	src := profile.Source{Origin: profile.FromManagement, Connection: c.ID, Actor: string(id), At: next.SetAt}
	u, err := s.Users.UpdateUser(ctx, id, func(u *User) (Effect, error) {
		i, err := proof.identity(u)
		if err != nil {
			return Effect{}, err
		}
		e := Effect{
			Redeems: Redemption{proof.Ticket, src.At}, EndSessions: true, Events: events,
			Retires: u.retired(i, c), Forgives: forgiven(id),
		}
		if verifies && verify(u, i, proof.Email, src) {
			e.Events = append(events[:1:1], s.event(audit.EmailVerified, a, c, id, now))
		}
		if s.mails() {
			e.Letters = []letter.Letter{{
				Template: letter.PasswordChanged, To: proof.Email, UserID: string(id), ConnectionID: c.ID, ClientID: a.ClientID,
			}}
		}
		*u.passwordAt(i), u.UpdatedAt = next, next.SetAt
		return e, nil
	})
	if err != nil {
		return fail(err)
	}
	return u, nil
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
