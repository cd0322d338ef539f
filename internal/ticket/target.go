package ticket

import (
	"context"
	"errors"

	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/profile"
	"mangrove/internal/user"
)

// Refusals (reference/users.md §3.10, §3.11). Ticket and mail say the same in
// different words.
var (
	errNoEmail      = errs.New(errs.Invalid, "operation_not_supported", "The user does not have an email address.")
	errUnsupported  = errs.New(errs.Invalid, "operation_not_supported", "The user's main connection does not support this operation.")
	errNoIdentityAt = errs.New(errs.Invalid, "inexistent_connection", "Identity connection does not exist.")
	errNoIdentity   = errs.New(errs.Invalid, "inexistent_identity", "The user exists, but does not contain the given identity.")
	errNoClient     = errs.New(errs.Invalid, "inexistent_client", "The client does not exist")
	errNoOrg        = errs.New(errs.Invalid, "inexistent_organization", "The organization does not exist")

	errMailNoEmail      = errs.New(errs.Invalid, "operation_not_supported", "User does not have an email address.")
	errMailNotDatabase  = errs.New(errs.Invalid, "operation_not_supported", "Connection must be a database connection.")
	errMailNoConnection = errs.New(errs.Invalid, "inexistent_connection", "connection does not exist.")
	errMailDisabled     = errs.New(errs.Invalid, "connection_disabled", "Connection must be enabled.")
)

func errNoConnection(id string) error {
	return errs.New(errs.Invalid, "inexistent_connection", "The connection with id %s does not exist.", id)
}

// target is the identity that a ticket is for.
type target struct {
	user       *user.User
	at         int // of the identity
	connection *connection.Connection
	named      bool // by the body
}

func (t *target) identity() *user.Identity { return &t.user.Identities[t.at] }

func (t *target) email() string { return t.user.EmailOf(t.at) }

// allows decides whether a purpose can be had for an identity of that class.
//
//	                  verify_email             change_password
//	primary           database; others by name database
//	secondary         by name                  never: its password is not kept
func (p Purpose) allows(c profile.Class, primary, named bool) bool {
	if p == ChangePassword {
		return primary && c.HasPasswords()
	}
	return named || primary && c.HasPasswords()
}

// find is the index of the identity that is asked for; -1: the user has none such.
func (id *Identity) find(u *user.User) int {
	if id == nil {
		return 0
	}
	for i := range u.Identities {
		x := &u.Identities[i]
		if x.Provider == id.Provider && x.UserID == id.UserID && (id.ConnectionID == "" || x.ConnectionID == id.ConnectionID) {
			return i
		}
	}
	return -1
}

// target finds who is meant. Errors: user.ErrNotFound, those above and of Newcomer.
func (s *Service) target(ctx context.Context, p Purpose, r Request) (*target, error) {
	if r.ConnectionID != "" {
		return s.addressed(ctx, p, r)
	}
	u, err := s.Users.User(ctx, r.UserID)
	if err != nil {
		return nil, err
	}
	if r.Identity != nil && r.Identity.ConnectionID != "" {
		if _, err := s.Connections.Connection(ctx, r.Identity.ConnectionID); err != nil {
			return nil, orNoConnection(err, errNoIdentityAt)
		}
	}
	t := &target{user: u, at: r.Identity.find(u), named: r.Identity != nil}
	if t.at < 0 {
		return nil, errNoIdentity
	}
	t.connection, err = s.Connections.Connection(ctx, t.identity().ConnectionID)
	if errors.Is(err, connection.ErrNotFound) {
		return t, nil
	}
	return t, err
}

// addressed is the identity that has the address at the connection, which need not be
// the primary of its user (security.md 10): a new password is also for somebody whom
// only a custom database knows.
func (s *Service) addressed(ctx context.Context, p Purpose, r Request) (*target, error) {
	c, err := s.Connections.Connection(ctx, r.ConnectionID)
	if err != nil {
		return nil, orNoConnection(err, errNoConnection(r.ConnectionID))
	}
	t, err := s.named(ctx, c, []user.Name{{Kind: user.ByEmail, Value: user.Fold(user.ByEmail, r.Email)}})
	if errors.Is(err, user.ErrNotFound) && p == ChangePassword {
		return s.newcomer(ctx, c, r.Email)
	}
	return t, err
}

func orNoConnection(err, instead error) error {
	if errors.Is(err, connection.ErrNotFound) {
		return instead
	}
	return err
}

// forTicket refuses what no ticket can be had for.
func (t *target) forTicket(p Purpose) error {
	switch {
	case t.email() == "":
		return errNoEmail
	case t.connection == nil, !p.allows(t.connection.Class(), t.at == 0, t.named):
		return errUnsupported
	}
	return nil
}

// forMail refuses whom no verification mail can be sent.
func (t *target) forMail() error {
	switch {
	case t.connection == nil:
		return errMailNoConnection
	case !VerifyEmail.allows(t.connection.Class(), t.at == 0, t.named):
		return errMailNotDatabase
	case t.email() == "":
		return errMailNoEmail
	case t.connection.Facts().Disabled:
		return errMailDisabled
	}
	return nil
}

// around checks what stands beside the user in a body.
func (s *Service) around(ctx context.Context, r Request) error {
	if r.ClientID != "" {
		switch ok, err := s.HasClient(ctx, r.ClientID); {
		case err != nil:
			return err
		case !ok:
			return errNoClient
		}
	}
	if r.OrganizationID != "" {
		return errNoOrg // there are no organizations
	}
	return nil
}
