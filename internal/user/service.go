package user

import (
	"context"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/customdb"
	"mangrove/internal/opt"
	"mangrove/internal/profile"
)

// Service is the use cases. All fields are required but those
// that say so.
type Service struct {
	Users       Store
	Connections connection.Store
	Defaults    profile.Defaults
	Hashing     *Hashing
	// Audit takes the records of failed sign-ins, which change nothing else.
	Audit audit.Sink
	Now   func() time.Time
	// Guard bounds guesses; nil: nothing does.
	Guard Guard
	// External runs the actions of custom databases; nil: they have none.
	External customdb.Runner
	// Migrations keeps what is learnt of migrations; nil: nobody does.
	Migrations customdb.MigrationStore
	// GraveKey is the key of customdb.Grave.
	GraveKey []byte
	// Shadow runs the comparisons of shadow mode; nil: there are none.
	Shadow *Shadow
	// Tenant is what custom databases are told of the tenant.
	Tenant string
	// MailsReady reports whether there is a mail server now, so that mails can be
	// asked for; nil: there is none.
	MailsReady func() bool
}

// Actor is who asks.
type Actor struct {
	ClientID  string
	UserID    string // of a user's own token; empty for machines
	IP        string
	UserAgent string
	// LoginEvent is the type of the record of a successful sign-in; empty: audit.LoginOK.
	LoginEvent string
	// Language is the request's, as letter.Letter has it; empty: not known.
	Language string
}

// CreateRequest is POST /users or a public sign-up. Changes hold the profile
// attributes only, in the order of the body.
type CreateRequest struct {
	Connection string // name
	Changes    []profile.Change
	UserID     string // without prefix; empty: generated
	Password   string
	// VerifyEmail is verify_email; absent: whether the address is unverified decides.
	VerifyEmail opt.Value[bool]
	// Signup: public sign-up, with its rules and its errors (reference/users.md §7).
	Signup bool
	// Save stores the user in the place of Store.CreateUser, with a proof of another
	// kind: there is no password then. Nil: CreateUser.
	Save func(ctx context.Context, u *User, e Effect) error
}

// PatchRequest is PATCH /users/{id}.
type PatchRequest struct {
	Changes    []profile.Change
	Password   opt.Value[string]
	Connection string // name; empty: the primary identity's
	// VerifyEmail is verify_email: the owner is sent a verification mail, which
	// names the application ClientID, if there is one.
	VerifyEmail opt.Value[bool]
	ClientID    string
	// IfVersion, when not zero, must be the user's version.
	IfVersion int64
}

// event fills in what every record of a use case has.
func (s *Service) event(kind string, a Actor, c *connection.Connection, id ID, now time.Time) audit.Event {
	e := audit.Event{
		Type: kind, At: now.UnixMicro(), ClientID: a.ClientID, UserID: string(id),
		IP: a.IP, UserAgent: a.UserAgent,
	}
	if c != nil {
		e.Connection, e.ConnectionID = c.Name, c.ID
	}
	return e
}

// operation is the record of a Management API write.
func (s *Service) operation(description string, a Actor, c *connection.Connection, id ID, now time.Time) audit.Event {
	e := s.event(audit.APIOperation, a, c, id, now)
	e.Description = description
	return e
}

func (a Actor) actor() string {
	if a.UserID != "" {
		return a.UserID
	}
	return a.ClientID
}
