package guard

import (
	"context"
	"errors"
	"slices"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/tenant"
	"mangrove/internal/user"
)

// Listed is a block as the Management API lists it.
type Listed struct {
	Identifier string
	Address    string // empty: whatever the address
	Connection string // name; empty: it is gone
}

// UserBlocks are the blocks of a user. enabled: none while nothing would be
// refused. Errors: user.ErrNotFound.
func (s *Service) UserBlocks(ctx context.Context, id user.ID, enabled bool) ([]Listed, error) {
	u, err := s.Users.User(ctx, id)
	if err != nil {
		return nil, err
	}
	var all []Listed
	for subject, name := range u.Subjects() {
		list, err := s.blocks(ctx, []string{subject}, name, enabled)
		if err != nil {
			return nil, err
		}
		for _, l := range list {
			if !slices.Contains(all, l) {
				all = append(all, l)
			}
		}
	}
	return all, nil
}

// IdentifierBlocks are the blocks of whoever, or of nobody, signs in by a name.
func (s *Service) IdentifierBlocks(ctx context.Context, identifier string, enabled bool) ([]Listed, error) {
	subjects, err := s.subjects(ctx, identifier)
	if err != nil {
		return nil, err
	}
	return s.blocks(ctx, subjects, user.Fold(user.ByEmail, identifier), enabled)
}

// blocks lists those of the subjects; name is that of nobody's, which is not kept.
func (s *Service) blocks(ctx context.Context, subjects []string, name string, enabled bool) ([]Listed, error) {
	settings, err := s.Settings.Settings(ctx)
	if err != nil {
		return nil, err
	}
	b := settings.BruteForce
	if enabled && !(b.Enabled && b.Block) {
		return nil, nil
	}
	var list []Listed
	for _, subject := range subjects {
		found, err := s.Store.Blocks(ctx, subject, max(b.MaxAttempts, 1), s.Now().Add(-Memory).UnixMicro())
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			l := Listed{Identifier: f.Identifier, Address: f.Address}
			if l.Identifier == "" {
				l.Identifier = name
			}
			c, err := s.Connections.Connection(ctx, f.ConnectionID)
			if err == nil {
				l.Connection = c.Name
			} else if !errors.Is(err, connection.ErrNotFound) {
				return nil, err
			}
			// A name may have been guessed before its account existed, and after.
			if !slices.Contains(list, l) {
				list = append(list, l)
			}
		}
	}
	return list, nil
}

// databases bounds how many connections a name is looked up at.
const databases = 1000

// subjects are under whom failures with a name are counted, at every database.
func (s *Service) subjects(ctx context.Context, identifier string) ([]string, error) {
	list, _, err := s.Connections.Connections(ctx, connection.Filter{Strategies: []string{"auth0"}}, connection.Page{Limit: databases})
	if err != nil {
		return nil, err
	}
	var subjects []string
	for _, c := range list {
		for _, n := range user.Names(c.SignInKinds(), identifier) {
			u, err := s.Users.UserByIdentifier(ctx, c.ID, n.Kind, n.Value)
			if err == nil {
				subjects = append(subjects, string(u.ID))
			} else if !errors.Is(err, user.ErrNotFound) {
				return nil, err
			}
		}
		subjects = append(subjects, nobody(c.ID, user.Called(c.SignInKinds(), identifier)))
	}
	return subjects, nil
}

// ReleaseUser ends the blocks of a user. Errors: user.ErrNotFound.
func (s *Service) ReleaseUser(ctx context.Context, id user.ID, by audit.Event) error {
	u, err := s.Users.User(ctx, id)
	if err != nil {
		return err
	}
	var subjects []string
	for subject := range u.Subjects() {
		subjects = append(subjects, subject)
	}
	by.Description, by.UserID = "Unblock a user", string(id)
	return s.release(ctx, subjects, by)
}

// ReleaseIdentifier ends the blocks of a name; none is no error.
func (s *Service) ReleaseIdentifier(ctx context.Context, identifier string, by audit.Event) error {
	subjects, err := s.subjects(ctx, identifier)
	if err != nil {
		return err
	}
	by.Description = "Unblock a user by identifier"
	return s.release(ctx, subjects, by)
}

func (s *Service) release(ctx context.Context, subjects []string, by audit.Event) error {
	by.Type, by.At = audit.APIOperation, s.Now().UnixMicro()
	return s.Store.ReleaseLogins(ctx, subjects, user.Redemption{}, by)
}

// Unblock redeems a mailed link: the account is released, and the link used up.
// Errors: user.ErrTicketUsed, user.ErrTicketOver.
func (s *Service) Unblock(ctx context.Context, id user.ID, p user.Proof, by user.Actor) error {
	u, err := s.Users.User(ctx, id)
	if errors.Is(err, user.ErrNotFound) {
		return user.ErrTicketOver
	}
	if err != nil {
		return err
	}
	if err := p.Holds(u); err != nil {
		return err
	}
	at := s.Now().UnixMicro()
	return s.Store.ReleaseLogins(ctx, []string{string(id)}, user.Redemption{Ticket: p.Ticket, At: at}, audit.Event{
		Type: audit.Unblocked, At: at, UserID: string(id), ConnectionID: p.ConnectionID, IP: by.IP, UserAgent: by.UserAgent,
	})
}

// AddressBlocked reports whether an address is refused now, by one bucket or
// another.
func (s *Service) AddressBlocked(ctx context.Context, address string) (bool, error) {
	settings, err := s.Settings.Settings(ctx)
	if err != nil {
		return false, err
	}
	a := settings.SuspiciousIP
	if !a.Enabled || !a.Block || allowed(a.Allowlist, address) {
		return false, nil
	}
	now := s.Now().UnixMicro()
	for bucket, stage := range map[string]tenant.Stage{loginBucket: a.Login, signupBucket: a.Signup} {
		fullAt, err := s.Store.Bucket(ctx, bucket, Network(address))
		if err != nil {
			return false, err
		}
		if limitOf(stage).wait(fullAt, now) > 0 {
			return true, nil
		}
	}
	return false, nil
}

// ReleaseAddress fills the address's buckets again.
func (s *Service) ReleaseAddress(ctx context.Context, address string, by audit.Event) error {
	by.Type, by.At, by.Description = audit.APIOperation, s.Now().UnixMicro(), "Remove the blocked IP address"
	return s.Store.Refill(ctx, []string{loginBucket, signupBucket}, Network(address), by)
}
