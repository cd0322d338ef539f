package user

import (
	"context"

	"mangrove/internal/audit"
	"mangrove/internal/customdb"
	"mangrove/internal/letter"
	"mangrove/internal/profile"
)

// ID is the user_id: provider, a vertical bar, and the id at the provider
// (reference/users.md §1.4).
type ID string

// Identity is one way in which the user can sign in. The first of a user is
// the primary: ID = Provider + "|" + UserID.
type Identity struct {
	Provider     string // strategy
	Connection   string // connection name, as shown
	ConnectionID string
	UserID       string // everything after the first bar
	Subject      string // what the provider calls the person; equals UserID for connections of ours
	IsSocial     bool
	// External: a custom database with an external store knows the password, and by whom
	// an identifier is meant. Its identifiers are no names that have to be unique here.
	External bool
	// Kept: of somebody of ours an external or old store has told Claims or Tokens, which
	// are still there.
	Kept bool
	// ProfileData is the profile of a secondary identity. On the primary of a user
	// who has, or once had, several it is what Settle makes of the user's profile.
	ProfileData profile.Profile
	// Password is that of a secondary identity; the primary's is User.Password.
	Password Password
	// Claims are the last upstream claims as received, those of an external store
	// included; nil for people of ours.
	Claims profile.Value
	// ClaimsAt is when they came, microseconds.
	ClaimsAt int64
	// Tokens are the upstream's tokens as a JSON object (access_token,
	// refresh_token, expires_in, …). The store seals them; shown with
	// read:user_idp_tokens only.
	Tokens profile.Value
}

// Password is the stored hash of a user of ours.
type Password struct {
	// Hash is in a form that passwd.Verify knows; empty: no password, nothing verifies.
	Hash string
	// SetAt is last_password_reset in microseconds; zero: never changed since creation.
	SetAt int64
	// Imported: the hash came from an import and was not yet used for a login.
	Imported bool
}

// Logins is the login record. It lives in a row of its own, so that a login
// that changes nothing in the profile writes nothing to the profile.
type Logins struct {
	Last  int64 // microseconds; zero: never
	IP    string
	Count int64
}

// User is the whole aggregate. Times are microseconds since 1970, UTC.
type User struct {
	ID         ID
	Version    int64 // grows by one with each write; the ETag
	Profile    profile.Profile
	Identities []Identity
	Password   Password
	// MFAFactors are the imported factors, as they came; nil when none.
	MFAFactors profile.Value
	Logins     Logins
	CreatedAt  int64
	UpdatedAt  int64 // of the profile; what is shown is the later of this and Logins.Last
}

// Primary is the first identity.
func (u *User) Primary() *Identity { return &u.Identities[0] }

// View is what a read needs, as stored bytes: one copy to the wire.
type View struct {
	ID      ID
	Version int64
	// Attributes is a compact JSON object of the profile, names sorted.
	Attributes []byte
	// Identities is the compact JSON array of the wire form, without tokens.
	Identities []byte
	// LastPasswordReset, CreatedAt, UpdatedAt as in User; zero: absent.
	LastPasswordReset, CreatedAt, UpdatedAt int64
	Logins                                  Logins
	// Position orders users, about as they came; never zero for a stored user.
	Position int64
}

// Identifier kinds, for sign-in and uniqueness.
const (
	ByEmail    = "email"
	ByUsername = "username"
	ByPhone    = "phone_number"
)

// Identifiers are email, username and phone_number of the identity's profile: kind
// to value, as Fold has it.
func (u *User) Identifiers(identity int) map[string]string {
	m := map[string]string{}
	p := u.profileAt(identity)
	for _, k := range []string{ByEmail, ByUsername, ByPhone} {
		if v := p.Text(k); v != "" {
			m[k] = Fold(k, v)
		}
	}
	return m
}

// Effect tells the store what else belongs into the transaction of a change.
type Effect struct {
	Events      []audit.Event
	EndSessions bool // the user's browser sessions end
	// Redeems names a ticket that this change uses up: ErrTicketUsed when somebody
	// was faster, ErrTicketOver when it ended.
	Redeems Redemption
	// Unenrolls are devices of enrolled factors that go; nil: none do, and nobody
	// looks whether there are any left.
	Unenrolls []string
	// Verification, when not nil, becomes a job.
	Verification *VerificationMail
	// Letters are sent once the change is stored.
	Letters []letter.Letter
	// Retires is a password that the change replaces.
	Retires Retirement
	// Forgives is counted failures that end with the change.
	Forgives Forgiveness
	// Migration is what the change means to the migration of a custom database; nil: nothing.
	Migration *customdb.Note
	// Graves are those of a user who is deleted (customdb.Grave), by connection id.
	Graves map[string][]string
	// Unchanged: nothing to write, not even the version.
	Unchanged bool
}

// Store is what the use cases need. Every method is one transaction.
//
// Errors: ErrNotFound; ErrExists when the id or an e-mail or phone number is
// taken, ErrUsernameTaken for a username; the fn's own error otherwise, and
// then nothing was written.
type Store interface {
	View(ctx context.Context, id ID) (View, error)
	// Views are those of up to 1,000 users, in no order; who is not there is missing.
	Views(ctx context.Context, ids []ID) ([]View, error)
	// ViewsByEmail finds primaries' profiles with exactly this e-mail, oldest first.
	ViewsByEmail(ctx context.Context, email string) ([]View, error)
	// Users is the page of up to limit users after the id (empty: from the start), by id.
	Users(ctx context.Context, after ID, limit int) ([]View, error)
	User(ctx context.Context, id ID) (*User, error)
	// Search finds the users of a plan. ErrSearchTimeout when that takes too long.
	Search(ctx context.Context, q Search) (Found, error)
	// UserByIdentifier finds a user of a connection of ours by a folded identifier.
	UserByIdentifier(ctx context.Context, connectionID, kind, value string) (*User, error)

	CreateUser(ctx context.Context, u *User, e Effect) error
	// UpdateUser runs fn on the user as it is now, locked, and saves what fn made of it.
	// fn may run more than once and must not do I/O.
	UpdateUser(ctx context.Context, id ID, fn func(*User) (Effect, error)) (*User, error)
	// DeleteUser also ends sessions and frees identifiers. ErrNotFound when there is
	// none; ErrStale when ifVersion is not zero and not the user's version.
	DeleteUser(ctx context.Context, id ID, ifVersion int64, e Effect) error

	// LinkUsers runs fn on two users as they are now, both locked; other is nil when
	// that one is not there. The second is deleted, the first saved as fn left it.
	LinkUsers(ctx context.Context, id, other ID, fn func(u, other *User) (Effect, error)) (*User, error)
	// UnlinkUser runs fn as UpdateUser does, and creates the user that it returns
	// beside the other (nil: none). Sessions that came by an identity which fn took
	// away end.
	UnlinkUser(ctx context.Context, id ID, fn func(*User) (*User, Effect, error)) (*User, error)
	// UserByIdentity finds whoever has the identity, primary or linked.
	UserByIdentity(ctx context.Context, connectionID, subject string) (*User, error)
	// HasIdentity reports whether somebody has the identity, primary or linked.
	HasIdentity(ctx context.Context, connectionID, subject string) (bool, error)

	// Federate finds the user who has the identity (connection id, subject), among
	// all identities, locks it, and runs fn on it; nil when there is none, and then
	// the user that fn returns is created. fn returns the user to keep (nil: keep
	// nothing), and what is to be written: when the Effect says Unchanged, only the
	// identity's Claims/Tokens (where they differ), the login record and the events are.
	// login is added to the login record in the same transaction; the zero one is none.
	Federate(ctx context.Context, connectionID, subject string, login Logins,
		fn func(*User) (*User, Effect, error)) (*User, error)
	// TakeTicket uses up a ticket before a change that is made elsewhere, and ReturnTicket
	// gives it back where that change was refused. Errors: ErrTicketUsed, ErrTicketOver.
	TakeTicket(ctx context.Context, r Redemption) error
	ReturnTicket(ctx context.Context, r Redemption) error
	// OldPasswords are up to limit passwords that the user had at the connection
	// before, the newest first.
	OldPasswords(ctx context.Context, id ID, connectionID string, limit int) ([]OldPassword, error)
	// RecordLogin adds a login to the record, and saves a rehashed password if rehash
	// is not empty and the stored hash is still old.
	RecordLogin(ctx context.Context, id ID, login Logins, old, rehash string, e Effect) error
}
