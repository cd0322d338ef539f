package factor

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"slices"
	"strings"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
	"mangrove/internal/letter"
	"mangrove/internal/user"
)

// Kind of a factor, which is also the prefix of its id
// (reference/authentication.md §0.3).
type Kind string

// The kinds.
const (
	TOTP     Kind = "totp"
	Phone    Kind = "phone" // sms|dev_… where it is challenged
	Email    Kind = "email"
	Roaming  Kind = "webauthn-roaming"
	Platform Kind = "webauthn-platform"
	Passkey  Kind = "passkey" // a first factor: it is never asked for as a second one
	Recovery Kind = "recovery-code"
)

// Second reports a kind that a person can be asked for after the first factor.
// A recovery code stands in for one, and is worth nothing alone.
func (k Kind) Second() bool {
	return k == TOTP || k == Phone || k == Email || k == Roaming || k == Platform
}

// Key reports a kind of WebAuthn credential.
func (k Kind) Key() bool { return k == Roaming || k == Platform || k == Passkey }

// OutOfBand reports a kind whose codes are sent.
func (k Kind) OutOfBand() bool { return k == Phone || k == Email }

// Factor is one of a user. Times are microseconds since 1970.
type Factor struct {
	UserID string
	Device string // dev_ and 16 characters
	Kind   Kind
	// Fingerprint is the SHA-256 of what must be unique: of a credential's id, of a
	// recovery code, of which nothing else is stored. Empty for other kinds.
	Fingerprint string
	// Imported: it came with the user, whose row holds it.
	Imported  bool
	Confirmed bool
	CreatedAt int64
	LastAuth  int64 // zero: never
	// ExpiresAt ends an enrollment that nobody confirmed; zero: it is confirmed.
	ExpiresAt int64
	Detail    Detail
}

// Detail is what no query asks for. It is stored sealed.
type Detail struct {
	Name    string `json:"name,omitzero"`
	Secret  string `json:"secret,omitzero"`  // base32, of TOTP
	Address string `json:"address,omitzero"` // a phone number in E.164, or an e-mail address
	// Preferred is sms or voice, of a phone.
	Preferred string `json:"preferred,omitzero"`
	// Credential is that of a key; nil for other kinds.
	Credential *Credential `json:"credential,omitzero"`
}

// ID is the id of the authentication method, totp|dev_….
func (f *Factor) ID() string { return string(f.Kind) + "|" + f.Device }

// Shown is the masked address.
func (f *Factor) Shown() string { return masked(f.Kind, f.Detail.Address) }

// Errors of the use cases.
var (
	// ErrNone: there is no such factor, challenge or trusted browser.
	ErrNone = errs.New(errs.NotFound, "", "The authentication method could not be found.")
	// ErrExists: somebody has enrolled that key already.
	ErrExists = errs.New(errs.Conflict, "", "The authentication method already exists.")
	// ErrMany: a user has MaxFactors.
	ErrMany = errs.New(errs.Forbidden, "", "You reached the limit of entities of this type for this user.")
	// ErrWrong: the code, the recovery code or the answer of a key is not right.
	ErrWrong = errs.New(errs.Forbidden, "invalid_grant", "MFA Authorization rejected.")
	// ErrLimited: too many guesses, or too many codes were sent (reference/authentication.md §7.7).
	ErrLimited = errs.New(errs.TooMany, "too_many_attempts", "Too many attempts. Please try again in a few minutes.")
	// ErrNotSent: the message could not be handed over.
	ErrNotSent = errs.New(errs.Invalid, "sms_provider_error", "The message could not be sent. Please try again later.")
	// ErrUnservable: nothing here can serve that kind of factor.
	ErrUnservable = errs.New(errs.Invalid, "invalid_request", "This factor is not available.")
)

// MaxFactors of one user, all kinds together. The contract has a 403 for more,
// and no number.
const MaxFactors = 30

// Change is what one transaction does to the factors of a user; the zero value
// of each member does nothing.
type Change struct {
	UserID string
	// Remove are devices that go first. When no second factor is left in the end,
	// recovery codes and trusted browsers go with them, unless Imported.
	Remove []string
	// Imported: the user has factors of an import.
	Imported bool
	// Add are inserted. A recovery code replaces the one that was there, and an
	// unconfirmed enrollment those that nobody confirmed. ErrExists for a
	// fingerprint that is taken.
	Add []Factor
	// Confirm is the device of an enrollment that was proven; ErrNone when it is
	// gone. Recovery codes that wait are confirmed with it.
	Confirm string
	// Update is stored over the factor of its device; ErrNone when it is gone.
	Update *Factor
	// Step of Device has not been used, nor has any after it; ErrReplayed.
	Device string
	Step   int64
	// Redeem is the fingerprint of a recovery code that goes; ErrNone when it is gone.
	Redeem string
	// Forgive clears the count of guesses.
	Forgive bool
	Letters []letter.Letter
	Events  []audit.Event
}

// ErrReplayed says that a time step was used before.
var ErrReplayed = errs.New(errs.Forbidden, "invalid_grant", "MFA Authorization rejected.")

// Store keeps factors and what belongs to them. Each method is one transaction.
type Store interface {
	// Factors of a user, oldest first, those of no import; unconfirmed ones that
	// have not ended are among them.
	Factors(ctx context.Context, userID string, now int64) ([]Factor, error)
	// FactorByFingerprint finds a confirmed one; ErrNone.
	FactorByFingerprint(ctx context.Context, fingerprint string) (Factor, error)
	// FactorByDevice finds a confirmed one; ErrNone.
	FactorByDevice(ctx context.Context, device string) (Factor, error)
	ChangeFactors(ctx context.Context, c Change) error
	// RemoveFactors removes these devices; when no second factor is left, recovery
	// codes and trusted browsers go with them. last: an imported factor remains, so
	// that there is one. It reports how many of the devices were there; the letters
	// are queued and the events written if any was.
	RemoveFactors(ctx context.Context, userID string, devices []string, imported bool, letters []letter.Letter, events ...audit.Event) (int, error)

	// TakeGuess counts before anything is compared: no when the bucket of that kind
	// is empty.
	TakeGuess(ctx context.Context, userID string, kind GuessKind, now int64) (bool, error)

	// SaveChallenge replaces the challenge of the same user and device.
	SaveChallenge(ctx context.Context, c Challenge) error
	// TryChallenge counts a try at a challenge and returns it; ErrNone when there is
	// none, it ended, or its tries are used up.
	TryChallenge(ctx context.Context, hash string, now int64) (Challenge, error)
	// TakeChallenge deletes it: of any number of calls one is true.
	TakeChallenge(ctx context.Context, hash string) (bool, error)

	// UserHandle is the WebAuthn user handle of a user; fresh becomes it if there is none.
	UserHandle(ctx context.Context, userID, fresh string) (string, error)
	// UserOfHandle finds the user; ErrNone.
	UserOfHandle(ctx context.Context, handle string) (string, error)

	// OfferedAt is when the user was last offered a passkey; zero: never.
	OfferedAt(ctx context.Context, userID string) (int64, error)
	SetOfferedAt(ctx context.Context, userID string, at int64) error

	// CreateUserWithKey creates a user whose only proof is a passkey, with the handle
	// by which authenticators know the user. Errors: those of user.Store.CreateUser,
	// ErrExists for a key that somebody has.
	CreateUserWithKey(ctx context.Context, u *user.User, e user.Effect, f Factor, handle string) error
	SavePasskeySession(ctx context.Context, p PasskeySession) error
	// TakePasskeySession gives one that has not ended to one caller; ErrNone.
	TakePasskeySession(ctx context.Context, hash, clientID string, now int64) (PasskeySession, error)

	TrustBrowser(ctx context.Context, hash, userID string, expiresAt int64) error
	// BrowserTrusted reports whether the browser is trusted for that user.
	BrowserTrusted(ctx context.Context, hash, userID string, now int64) (bool, error)
	// ForgetBrowsers ends the trust in all browsers of a user.
	ForgetBrowsers(ctx context.Context, userID string, events ...audit.Event) error

	SaveMFAToken(ctx context.Context, t Token, events ...audit.Event) error
	// MFAToken finds one that is still kept, expired ones included; ErrMalformed.
	MFAToken(ctx context.Context, hash string) (Token, error)
	// TakeMFAToken deletes it: of any number of calls one is true.
	TakeMFAToken(ctx context.Context, hash string, now int64) (bool, error)

	SaveEnrollmentTicket(ctx context.Context, t Ticket, letters []letter.Letter, e audit.Event) error
	// EnrollmentTicket finds one that has not ended; ErrTicket.
	EnrollmentTicket(ctx context.Context, hash string, now int64) (Ticket, error)
	// UpdateEnrollmentTicket stores Phone and Secret of one that has not ended; ErrTicket.
	UpdateEnrollmentTicket(ctx context.Context, t Ticket, now int64) error
	// TakeEnrollmentTicket deletes it: of any number of calls one is true.
	TakeEnrollmentTicket(ctx context.Context, hash string, now int64) (bool, error)
}

// NewDevice is the name of a factor: dev_ and 16 characters, 80 random bits.
func NewDevice() string {
	var b [10]byte
	_, _ = rand.Read(b[:]) // never fails
	return "dev_" + strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))
}

// Seconds are the confirmed factors that a person can be asked for.
func Seconds(all []Factor) []Factor {
	return slices.DeleteFunc(slices.Clone(all), func(f Factor) bool { return !f.Confirmed || !f.Kind.Second() })
}
