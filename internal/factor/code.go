package factor

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"math/big"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
	"mangrove/internal/letter"
	"mangrove/internal/token"
	"mangrove/internal/user"
)

// CodeLifetime of a code that was sent, and the tries that it has (security.md 79).
const (
	CodeLifetime = 5 * 60 * 1_000_000
	CodeTries    = 3
)

// Challenge is a code on its way. The secret (oob_code) stays with who asked for
// it, so that neither it nor the code can be had from the database: the code's
// hash cannot be searched without the secret.
type Challenge struct {
	Hash     string // of the secret
	UserID   string
	Device   string
	CodeHash string // of secret and code
	// ExpiresAt in microseconds.
	ExpiresAt int64
}

func codeHash(secret, code string) string { return token.HashOf(secret + "\x00" + code) }

// newCode is six digits, evenly drawn.
func newCode() string {
	n, _ := rand.Int(rand.Reader, big.NewInt(1_000_000)) // never fails
	text := n.String()
	return "000000"[len(text):] + text
}

// SendCode sends a code to a factor and returns the secret by which it is checked.
// An earlier code of the factor is dead. Errors: ErrLimited, ErrNotSent,
// ErrUnservable.
func (s *Service) SendCode(ctx context.Context, u *user.User, f Factor, a Actor) (string, error) {
	if f.Kind == Phone && s.SMS == nil || !f.Kind.OutOfBand() {
		return "", ErrUnservable
	}
	if err := s.guess(ctx, u, a, Sending); err != nil {
		return "", err
	}
	if err := s.countSMS(ctx, u, f, a); err != nil {
		return "", err
	}
	secret, code := token.NewSecret(), newCode()
	err := s.Store.SaveChallenge(ctx, Challenge{
		Hash: token.HashOf(secret), UserID: string(u.ID), Device: f.Device, CodeHash: codeHash(secret, code),
		ExpiresAt: s.Now().UnixMicro() + CodeLifetime,
	})
	if err != nil {
		return "", err
	}
	if f.Kind == Email {
		return secret, s.Letters.SendLetters(ctx, []letter.Letter{{
			Template: letter.MFACode, To: f.Detail.Address, UserID: string(u.ID), ConnectionID: u.Primary().ConnectionID,
			ClientID: a.ClientID, Language: a.Language, Code: code, Lifetime: CodeLifetime / 1_000_000,
			ExpiresAt: s.Now().UnixMicro() + CodeLifetime,
		}}, s.event(audit.FactorEmailSent, u, a, Email))
	}
	if err := s.SMS(ctx, f.Detail.Address, code, a.Language); err != nil {
		if err := s.Audit.AppendEvents(ctx, s.event(audit.FactorSMSFailed, u, a, Phone)); err != nil {
			return "", err
		}
		return "", ErrNotSent.Because(err)
	}
	return secret, s.Audit.AppendEvents(ctx, s.event(audit.FactorSMSSent, u, a, Phone))
}

// countSMS keeps within the ceilings of text messages.
func (s *Service) countSMS(ctx context.Context, u *user.User, f Factor, a Actor) error {
	if f.Kind != Phone || s.CountSMS == nil {
		return nil
	}
	ip := a.IP
	if f.Confirmed {
		ip = ""
	}
	err := s.CountSMS(ctx, ip, f.Detail.Address)
	if errs.KindOf(err) == errs.TooMany {
		return s.limited(ctx, u, a)
	}
	return err
}

// CheckCode checks a code that was sent. Errors: ErrWrong, ErrLimited.
func (s *Service) CheckCode(ctx context.Context, u *user.User, secret, code string, a Actor) (Kind, error) {
	return s.code(ctx, u, secret, code, asked, a)
}

// ConfirmCode takes the first code that was sent to a factor which Associate began
// to enroll. proven: a second factor was shown. Errors: ErrWrong, ErrLimited.
func (s *Service) ConfirmCode(ctx context.Context, u *user.User, secret, code string, proven bool, a Actor) (Kind, error) {
	return s.code(ctx, u, secret, code, confirming(proven), a)
}

func (s *Service) code(ctx context.Context, u *user.User, secret, code string, may choice, a Actor) (Kind, error) {
	if err := s.guess(ctx, u, a, Guessing); err != nil {
		return "", err
	}
	hash := token.HashOf(secret)
	c, err := s.Store.TryChallenge(ctx, hash, s.Now().UnixMicro())
	if errors.Is(err, ErrNone) {
		return "", s.wrong(ctx, u, a, audit.FactorFailed, "")
	}
	if err != nil {
		return "", err
	}
	all, err := s.All(ctx, u)
	if err != nil {
		return "", err
	}
	typed, ok := typedCode(code)
	match := subtle.ConstantTimeCompare([]byte(c.CodeHash), []byte(codeHash(secret, typed))) == 1
	for _, f := range may(all, Kind.OutOfBand) {
		if f.Device != c.Device || c.UserID != string(u.ID) || !ok || !match {
			continue
		}
		taken, err := s.Store.TakeChallenge(ctx, hash)
		if err != nil {
			return "", err
		}
		if !taken {
			break
		}
		return f.Kind, s.tried(ctx, u, a, audit.FactorFailed, f.Kind, s.Store.ChangeFactors(ctx, s.proven(u, a, &f)))
	}
	return "", s.wrong(ctx, u, a, audit.FactorFailed, "")
}

// EnrollCode takes an address or a number as a factor, once a code that was sent
// there is right; to is the factor to which the code with the secret was sent.
// Errors: ErrWrong, ErrLimited, ErrMany.
func (s *Service) EnrollCode(ctx context.Context, u *user.User, to Factor, secret, code string, a Actor) (recovery string, err error) {
	if err := s.rightCode(ctx, u, to, secret, code, a); err != nil {
		return "", err
	}
	return s.enroll(ctx, u, Factor{Kind: to.Kind, Detail: Detail{Address: to.Detail.Address}}, 0, a)
}

// rightCode uses up the code of a factor that is being enrolled.
func (s *Service) rightCode(ctx context.Context, u *user.User, to Factor, secret, code string, a Actor) error {
	if err := s.guess(ctx, u, a, Guessing); err != nil {
		return err
	}
	hash := token.HashOf(secret)
	c, err := s.Store.TryChallenge(ctx, hash, s.Now().UnixMicro())
	if err != nil && !errors.Is(err, ErrNone) {
		return err
	}
	typed, ok := typedCode(code)
	match := subtle.ConstantTimeCompare([]byte(c.CodeHash), []byte(codeHash(secret, typed))) == 1
	if err != nil || !ok || !match || c.UserID != string(u.ID) || c.Device != to.Device {
		return s.wrong(ctx, u, a, audit.FactorFailed, to.Kind)
	}
	taken, err := s.Store.TakeChallenge(ctx, hash)
	if err == nil && !taken {
		return s.wrong(ctx, u, a, audit.FactorFailed, to.Kind)
	}
	return err
}

// Enrolling is the factor to which SendCode sends the code of EnrollCode. Its
// device stands for the address: the code for one proves no other.
func Enrolling(k Kind, address string) Factor {
	return Factor{Device: "dev_" + token.HashOf(string(k) + "\x00" + address)[:16], Kind: k, Detail: Detail{Address: address}}
}
