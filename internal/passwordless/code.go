package passwordless

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"io"
	"math/big"
	"strings"
	"unicode"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
	"mangrove/internal/letter"
	"mangrove/internal/profile"
)

// MaxTries is how many wrong guesses a code survives (security.md 79).
const MaxTries = 3

// Remembered is how long it is known which id a recipient who never signed in
// would get, microseconds.
const Remembered = 30 * 24 * 3600 * 1_000_000

// Code is what is kept of the last code or link for one recipient of a
// connection: a newer one replaces it. Times in microseconds.
type Code struct {
	ConnectionID string
	Recipient    string // keyed hash of the address
	// LocalID is the id that the answer shows: of the user, or of the user to be.
	LocalID string
	// Hash is the keyed hash of the code; empty: nothing was sent, and no guess is right.
	Hash     string
	ClientID string
	Tries    int64
	// Link: it was sent as a link, with the authorization request in Params.
	Link   bool
	Params map[string]string
	// Browser is the hash of the cookie of the browser that asked for the link;
	// empty: it is not known.
	Browser              string
	ExpiresAt, KeptUntil int64
}

// Store keeps codes and budgets. Every method is one transaction.
type Store interface {
	// IssueCode spends the budgets, replaces the recipient's code, and sends the
	// letters. *Limited when a budget is used up; then nothing was written.
	IssueCode(ctx context.Context, c *Code, now int64, budgets []Budget, letters []letter.Letter, e audit.Event) error
	// SpendBudgets spends them alone. *Limited as above.
	SpendBudgets(ctx context.Context, budgets []Budget, now int64) error
	// Code finds the last one, whatever became of it; ErrNone.
	Code(ctx context.Context, connectionID, recipient string) (Code, error)
	// TryCode counts a guess and then shows the code: ErrNone when there is none,
	// it expired by now, or had limit guesses already.
	TryCode(ctx context.Context, connectionID, recipient string, now, limit int64) (Code, error)
	// ForgiveTry takes back the guess that was right, and only looked.
	ForgiveTry(ctx context.Context, connectionID, recipient, hash string) error
	// TakeCode ends the code; of any number of calls one finds it. ErrNone.
	TakeCode(ctx context.Context, connectionID, recipient, hash string) error
}

// ErrNone says that the store has no such code.
var ErrNone = errs.New(errs.NotFound, "", "There is no such code.")

// Refusals of a code (reference/authentication.md §3.9).
var (
	ErrWrongEmail = errs.New(errs.Forbidden, "invalid_grant", "Wrong email or verification code.")
	ErrWrongPhone = errs.New(errs.Forbidden, "invalid_grant", "Wrong phone number or verification code.")
	ErrExpired    = errs.New(errs.Forbidden, "invalid_grant", "The verification code has expired. Please try to login again.")
	ErrTries      = errs.New(errs.Forbidden, "invalid_grant", "You've reached the maximum number of attempts. Please try to login again.")
)

// Wrong is the refusal of a wrong code at connections of the class.
func Wrong(class profile.Class) *errs.Error {
	if class == profile.PasswordlessSMS {
		return ErrWrongPhone
	}
	return ErrWrongEmail
}

// IsWrong reports a wrong code, whatever the class.
func IsWrong(err error) bool {
	f := errs.From(err)
	return f.Is(ErrWrongEmail) || f.Is(ErrWrongPhone)
}

// whyNot says why a code that cannot be tried is refused: nil stands for a wrong
// one. A code that was never sent is judged like one that was.
func whyNot(c Code, now int64) *errs.Error {
	switch {
	case c.ExpiresAt <= now:
		return ErrExpired
	case c.Tries >= MaxTries:
		return ErrTries
	}
	return nil
}

// newDigits makes a code of n digits, each as likely as the others.
func newDigits(n int) string {
	b := make([]byte, n)
	for i := range b {
		d, err := rand.Int(rand.Reader, big.NewInt(10))
		if err != nil {
			panic(err) // crypto/rand never fails
		}
		b[i] = '0' + byte(d.Int64())
	}
	return string(b)
}

// newLinkCode makes the secret of a link: 256 random bits.
func newLinkCode() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// guess is what a person typed, without the blanks that mails and people put
// into numbers.
func guess(typed string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, typed)
}

// hasher keys the hashes. Six digits, and addresses, can be found by trying all of
// them; with a key that is not in the database they cannot.
type hasher []byte

func (k hasher) sum(parts ...string) string {
	m := hmac.New(sha256.New, k)
	for _, p := range parts {
		_, _ = io.WriteString(m, p)
		_, _ = m.Write([]byte{0})
	}
	return hex.EncodeToString(m.Sum(nil))
}

// recipient is as what an address of a connection is stored.
func (k hasher) recipient(connectionID, recipient string) string {
	return k.sum("recipient", connectionID, recipient)
}

// code is as what a code is stored. The hash holds for its recipient and for
// codes or for links alone.
func (k hasher) code(c *Code, code string) string {
	kind := "code"
	if c.Link {
		kind = "link"
	}
	return k.sum(kind, c.ConnectionID, c.Recipient, code)
}

// right compares in a time that tells nothing; nothing equals a code that was
// never sent.
func (k hasher) right(c *Code, code string) bool {
	return subtle.ConstantTimeCompare([]byte(k.code(c, code)), []byte(c.Hash)) == 1
}
