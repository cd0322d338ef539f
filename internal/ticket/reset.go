package ticket

import (
	"context"
	"errors"
	"slices"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/customdb"
	"mangrove/internal/errs"
	"mangrove/internal/letter"
	"mangrove/internal/user"
)

// Lifetimes of links that nobody asked for with a lifetime of their own
// (security.md, target figures).
const (
	resetLifetime   = time.Hour
	unblockLifetime = 24 * time.Hour
)

// ErrNoSelfService is of a connection whose users cannot ask for a new password
// (options.disable_self_service_change_password). The text is ours.
var ErrNoSelfService = errs.New(errs.Invalid, "invalid_request", "changing the password is not possible for this connection")

// Throttler bounds how often somebody is asked for.
type Throttler interface {
	// ResetRequest counts a request from an address for a name; *user.Locked when
	// there were too many.
	ResetRequest(ctx context.Context, address, connectionID, identifier string) error
}

// ResetRequest asks for a link that sets a new password.
type ResetRequest struct {
	Connection *connection.Connection // a database
	Identifier string                 // as typed
	Actor      user.Actor             // ClientID: the application that the mail names
	Language   string                 // as letter.Letter has it
}

// RequestReset mails a link to whoever is known by the identifier, if there is
// somebody who has an address. Neither its answer nor its time tells: each way
// ends in one write. A custom database, which takes its own time, is asked only after
// the answer, and so is everybody by a connection that has one. Errors:
// ErrNoSelfService, *user.Locked.
func (s *Service) RequestReset(ctx context.Context, r ResetRequest) error {
	now := s.Now()
	lifetime := s.resetLifetime(ctx, r.Actor.ClientID) // asked for anybody, so that it tells nothing
	e := audit.Event{
		Type: audit.ResetNotRequested, At: now.UnixMicro(), ClientID: r.Actor.ClientID, IP: r.Actor.IP, UserAgent: r.Actor.UserAgent,
		Connection: r.Connection.Name, ConnectionID: r.Connection.ID,
	}
	no := func(why string) error {
		e.Description = why
		return s.Store.SendTicket(ctx, nil, nil, e)
	}
	names := user.Names(r.Connection.SignInKinds(), r.Identifier)
	if s.Throttle != nil {
		name := user.Called(r.Connection.SignInKinds(), r.Identifier)
		if err := s.Throttle.ResetRequest(ctx, r.Actor.IP, r.Connection.ID, name); err != nil {
			if errs.KindOf(err) == errs.TooMany {
				return errors.Join(err, no(errs.From(err).Text))
			}
			return err
		}
	}
	if r.Connection.Signup().NoResetLink {
		return errors.Join(ErrNoSelfService, no(ErrNoSelfService.Text))
	}
	if s.Later == nil || !customdb.OptionsOf(r.Connection).Has(customdb.GetUser) {
		return s.mailReset(ctx, r, names, lifetime, e)
	}
	s.Later(ctx, func(ctx context.Context) {
		_ = s.mailReset(ctx, r, names, lifetime, e) // nobody waits for it; they ask again
	})
	return nil
}

// mailReset finds who is meant, and sends the link, or records in e why not.
func (s *Service) mailReset(ctx context.Context, r ResetRequest, names []user.Name, lifetime time.Duration, e audit.Event) error {
	no := func(why string) error {
		e.Description = why
		return s.Store.SendTicket(ctx, nil, nil, e)
	}
	t, err := s.named(ctx, r.Connection, names)
	if errors.Is(err, user.ErrNotFound) {
		t, err = s.newcomer(ctx, r.Connection, r.Identifier)
	}
	var there *customdb.Failure
	switch {
	case errors.Is(err, user.ErrNotFound):
		return no(user.ErrNotFound.Text)
	case errors.As(err, &there):
		e.Description = errs.From(err).Text
		return s.Store.SendTicket(ctx, nil, nil, user.Told(e, err))
	case err != nil:
		return err
	}
	e.UserID = string(t.user.ID)
	if refused := t.forTicket(ChangePassword); refused != nil {
		return no(errs.From(refused).Text)
	}
	e.Type = audit.ResetRequested
	// The link comes by mail alone, hence proves the address.
	return s.send(ctx, ChangePassword, t, Request{Lifetime: lifetime, MarksVerified: true}, letter.Letter{
		Template: letter.ResetEmail, ClientID: r.Actor.ClientID, Language: r.Language,
	}, e)
}

// newcomer is the identity that a custom database means by an identifier.
func (s *Service) newcomer(ctx context.Context, c *connection.Connection, identifier string) (*target, error) {
	u, i, err := s.Redeemer.Newcomer(ctx, c, identifier)
	if err != nil {
		return nil, err
	}
	return &target{user: u, at: i, connection: c}, nil
}

// resetLifetime is how long a link lives that is mailed: as the tenant's template
// says, or as we do.
func (s *Service) resetLifetime(ctx context.Context, clientID string) time.Duration {
	if s.Terms == nil {
		return resetLifetime
	}
	terms, err := s.Terms(ctx, letter.ResetEmail, clientID)
	if err != nil || terms.Lifetime <= 0 {
		return resetLifetime
	}
	return terms.Lifetime
}

// named is the identity that one of the names means. user.ErrNotFound: nobody's.
func (s *Service) named(ctx context.Context, c *connection.Connection, names []user.Name) (*target, error) {
	for _, n := range names {
		u, err := s.Users.UserByIdentifier(ctx, c.ID, n.Kind, n.Value)
		if errors.Is(err, user.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for i := range u.Identities {
			if u.Identities[i].ConnectionID == c.ID && slices.Contains(u.SignInNames(i), n) {
				return &target{user: u, at: i, connection: c}, nil
			}
		}
	}
	return nil, user.ErrNotFound
}

// SendUnblock mails the owner of an identity a link that releases the account; e is
// the record of why, in the same transaction. What it forgives is not the
// password's owner's alone to say: the address must be that of the account.
func (s *Service) SendUnblock(ctx context.Context, u *user.User, identity int, by user.Actor, e audit.Event) error {
	t := &target{user: u, at: identity}
	return s.send(ctx, Unblock, t, Request{Lifetime: unblockLifetime}, letter.Letter{
		Template: letter.BlockedAccount, ClientID: by.ClientID, Vars: map[string]string{"source_ip": by.IP},
	}, e)
}

// send makes a ticket and brings it on its way, in one transaction.
func (s *Service) send(ctx context.Context, p Purpose, t *target, r Request, l letter.Letter, e audit.Event) error {
	k, url := s.make(p, t, r)
	l.To, l.UserID, l.ConnectionID = t.email(), string(t.user.ID), t.identity().ConnectionID
	l.URL, l.Lifetime, l.ExpiresAt = url, int64(r.Lifetime/time.Second), k.ExpiresAt
	return s.Store.SendTicket(ctx, k, []letter.Letter{l}, e)
}

// Release redeems a ticket of Unblock.
func (s *Service) Release(ctx context.Context, secret string, a user.Actor) (Result, error) {
	t, r, err := s.open(ctx, Unblock, secret)
	if err != nil || r.Err != nil {
		return r, err
	}
	if s.Unblocker == nil {
		return Result{Purpose: Unblock, Err: user.ErrTicketOver}, nil
	}
	return r.after(s.Unblocker.Unblock(ctx, t.UserID, t.proof(), a))
}
