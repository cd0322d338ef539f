package user

import (
	"cmp"
	"context"
	"errors"

	"mangrove/internal/audit"
	"mangrove/internal/customdb"
	"mangrove/internal/profile"
)

// resetNewcomer redeems a ticket of somebody who is not here: the custom database still
// has to know, by the address, whom the ticket was made for. An external store is told
// the new password; out of an old one, in import mode, they come with it, in the
// transaction that uses the ticket up (reference/connections.md §5.5).
func (s *Service) resetNewcomer(ctx context.Context, r *reset, password string) (*User, error) {
	if r.proof.PasswordSetAt != 0 {
		return nil, ErrTicketOver // they were here, and are no more
	}
	if r.c.Class() == profile.ExternalDatabase {
		who, next, err := s.resetElsewhere(ctx, r, profile.Profile{}, password)
		if err != nil {
			return nil, err
		}
		return s.keep(context.WithoutCancel(ctx), r.c, who, func(u *User) Effect {
			return s.afterReset(r, u, u.identityAt(r.c.ID, r.proof.Subject), next)
		})
	}
	who, err := s.provedThere(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := checkPassword(r.c, password, stated(who)); err != nil {
		return nil, err
	}
	next, err := s.hashed(ctx, password)
	if err != nil {
		return nil, err
	}
	next.SetAt = r.at
	o := adoption{actor: r.actor, redeems: r.redeems(), events: s.resetEvents(r), letters: s.resetLetters(r)}
	if r.verifies {
		o.proved = r.proof.Email
	}
	return s.adopt(ctx, r.c, who, next, o)
}

// resetElsewhere has an external store replace a password, after the policy of the
// connection and get_user; p is the profile where the store does not tell it. The ticket
// is used up before: of two who redeem it at once, one is heard there.
func (s *Service) resetElsewhere(ctx context.Context, r *reset, p profile.Profile, password string) (customdb.Person, Password, error) {
	var who customdb.Person
	if finds(r.c) {
		var err error
		if who, err = s.provedThere(ctx, r); err != nil {
			return who, Password{}, err
		}
		p = stated(who)
	}
	if err := checkPassword(r.c, password, p); err != nil {
		return who, Password{}, err
	}
	ticket := r.redeems()
	if err := s.Users.TakeTicket(ctx, ticket); err != nil {
		return who, Password{}, err
	}
	answer, err := s.tell(ctx, r.c, customdb.NewPassword(cmp.Or(identifierOf(p), r.proof.Email), password))
	if err != nil {
		return who, Password{}, errors.Join(err, s.Users.ReturnTicket(context.WithoutCancel(ctx), ticket))
	}
	r.taken = true
	return who, Password{SetAt: cmp.Or(customdb.PasswordResetAt(answer.Value), r.at)}, nil
}

// provedThere is whom the custom database knows by the address of the proof.
// ErrTicketOver: nobody, somebody else, or the person has another address by now.
func (s *Service) provedThere(ctx context.Context, r *reset) (customdb.Person, error) {
	who, err := s.found(ctx, r.c, r.proof.Email)
	switch {
	case errors.Is(err, customdb.ErrNobody):
		return who, ErrTicketOver
	case err != nil:
		return who, err
	case who.Claims.Subject != r.proof.Subject,
		Fold(ByEmail, stated(who).Text(profile.Email)) != Fold(ByEmail, r.proof.Email):
		return who, ErrTicketOver
	}
	return who, nil
}

// Told puts what a custom database said, where err is of one, into a record that
// another package keeps. The text is the store's own, for the tenant log alone.
func Told(e audit.Event, err error) audit.Event { return told(e, err) }
