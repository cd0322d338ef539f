package user

import (
	"context"
	"errors"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/customdb"
	"mangrove/internal/errs"
	"mangrove/internal/letter"
	"mangrove/internal/profile"
)

// VerifyEmail marks the address of the proof's identity as verified. Errors:
// ErrTicketUsed, ErrTicketOver, ErrAlreadyVerified; whoever gets one finds the
// user as before, and the refusal in the tenant log. So it is with the errors of ask and
// tell, of an external store that is told first (verify).
func (s *Service) VerifyEmail(ctx context.Context, id ID, proof Proof, a Actor) (*User, error) {
	now := s.Now()
	c, err := s.connectionOf(ctx, proof)
	if err == nil && c.Class() == profile.ExternalDatabase {
		err = s.verifyElsewhere(ctx, c, id, proof)
	}
	if err == nil {
		done := s.event(audit.EmailVerified, a, c, id, now)
		src := profile.Source{Origin: profile.FromManagement, Connection: c.ID, Actor: string(id), At: now.UnixMicro()}
		var u *User
		u, err = s.Users.UpdateUser(ctx, id, func(u *User) (Effect, error) {
			i, err := proof.identity(u)
			if err != nil {
				return Effect{}, err
			}
			if !verify(u, i, proof.Email, src) {
				return Effect{}, ErrAlreadyVerified
			}
			u.UpdatedAt = src.At
			e := Effect{Redeems: Redemption{proof.Ticket, src.At}, Events: []audit.Event{done}}
			if s.mails() && c.Class().HasPasswords() {
				e.Letters = []letter.Letter{{Template: letter.WelcomeEmail, To: proof.Email, UserID: string(id), ConnectionID: c.ID, ClientID: a.ClientID, Language: a.Language}}
			}
			return e, nil
		})
		if err == nil {
			return u, nil
		}
	}
	return nil, s.notRedeemed(ctx, s.event(audit.EmailNotVerified, a, c, id, now), err)
}

// verifyElsewhere tells an external store that the address of the proof is verified.
// Without such an action the store says so at some later login, or never does.
func (s *Service) verifyElsewhere(ctx context.Context, c *connection.Connection, id ID, proof Proof) error {
	u, err := s.Users.User(ctx, id)
	if err != nil {
		return err
	}
	i, err := proof.identity(u)
	switch {
	case err != nil:
		return err
	case u.EmailProved(i):
		return ErrAlreadyVerified
	case !customdb.OptionsOf(c).Has(customdb.Verify):
		return nil
	}
	_, err = s.tell(ctx, c, customdb.Proved(proof.Email))
	return err
}

// verify marks the address of identity i as proved and reports whether it was not.
func verify(u *User, i int, sent string, src profile.Source) bool {
	p, changed := profile.Verify(*u.profileOf(i), profile.Email, sent, src)
	*u.profileOf(i) = p
	return changed
}

// connectionOf is the connection that the proof is of. Without it nobody signs
// in, and there is nothing to prove.
func (s *Service) connectionOf(ctx context.Context, p Proof) (*connection.Connection, error) {
	c, err := s.Connections.Connection(ctx, p.ConnectionID)
	if errors.Is(err, connection.ErrNotFound) {
		return nil, ErrTicketOver
	}
	return c, err
}

// notRedeemed records the refusal of a ticket; of a failure of ours there is
// nothing to record. A user who is gone is a ticket that is over.
func (s *Service) notRedeemed(ctx context.Context, e audit.Event, err error) error {
	if isNotFound(err) {
		err = ErrTicketOver
	}
	var f *customdb.Failure
	if errors.As(err, &f) {
		return errors.Join(err, s.Audit.AppendEvents(ctx, told(refused(e, err), err)))
	}
	if kind := errs.KindOf(err); kind == errs.Internal || kind == errs.Unavailable || kind == errs.TooMany {
		return err
	}
	if failed := s.Audit.AppendEvents(ctx, refused(e, err)); failed != nil {
		return failed
	}
	return err
}
