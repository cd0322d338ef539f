package factor

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"image/png"
	"net/url"
	"strings"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"mangrove/internal/audit"
	"mangrove/internal/user"
)

// What every authenticator application understands (RFC 6238 §4, reference §3.10).
const (
	period = 30 // seconds
	// window is how many steps a clock may be off, either way.
	window = 1
	digits = 6
)

// NewSeed is the secret of a new authenticator application: 160 bits in base32.
func NewSeed() string {
	b := make([]byte, 20)
	_, _ = rand.Read(b) // never fails
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b)
}

// SeedURI is the otpauth:// address of a seed, members in the order of the reference.
func SeedURI(seed, issuer, account string) string {
	return "otpauth://totp/" + url.PathEscape(issuer) + ":" + url.PathEscape(account) +
		"?secret=" + seed + "&issuer=" + url.QueryEscape(issuer) + "&algorithm=SHA1&digits=6&period=30"
}

// QRCode draws an otpauth:// address as a PNG.
func QRCode(uri string) ([]byte, error) {
	key, err := otp.NewKeyFromURL(uri)
	if err != nil {
		return nil, err
	}
	const side = 240
	image, err := key.Image(side, side)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := png.Encode(&out, image); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// matchingStep finds the time step of a code; false: it is of no step that is
// near enough. Each step is compared, so that time tells nothing.
func matchingStep(seed, code string, seconds int64) (step int64, ok bool) {
	now := seconds / period
	for s := now - window; s <= now+window; s++ {
		if s < 0 {
			continue
		}
		want, err := hotp.GenerateCode(seed, uint64(s))
		if err != nil {
			return 0, false
		}
		if subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 && !ok {
			step, ok = s, true
		}
	}
	return step, ok
}

// typedCode is a code as people type it: 123 456.
func typedCode(s string) (string, bool) {
	s = strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' || r == '\u00a0' {
			return -1
		}
		return r
	}, s)
	if len(s) != digits {
		return "", false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return "", false
		}
	}
	return s, true
}

// ValidSeed reports whether s can be the secret of an authenticator application:
// base32 of at least 80 bits, without padding (users.md §6.2).
func ValidSeed(s string) bool {
	if len(s) < 16 || len(s) > 256 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !('A' <= c && c <= 'Z' || '2' <= c && c <= '7') {
			return false
		}
	}
	return true
}

// CheckOTP checks the code of an authenticator application. Each time step is
// good for one sign-in. Errors: ErrWrong, ErrLimited.
func (s *Service) CheckOTP(ctx context.Context, u *user.User, code string, a Actor) error {
	return s.otp(ctx, u, code, asked, a)
}

// ConfirmOTP takes the first code of an application that Associate began to
// enroll. proven: a second factor was shown. Errors: ErrWrong, ErrLimited.
func (s *Service) ConfirmOTP(ctx context.Context, u *user.User, code string, proven bool, a Actor) error {
	return s.otp(ctx, u, code, confirming(proven), a)
}

func (s *Service) otp(ctx context.Context, u *user.User, code string, may choice, a Actor) error {
	if err := s.guess(ctx, u, a, Guessing); err != nil {
		return err
	}
	all, err := s.All(ctx, u)
	if err != nil {
		return err
	}
	typed, ok := typedCode(code)
	for _, f := range may(all, func(k Kind) bool { return k == TOTP }) {
		step, match := matchingStep(f.Detail.Secret, typed, s.Now().Unix())
		if !ok || !match {
			continue
		}
		c := s.proven(u, a, &f)
		c.Step = step
		return s.tried(ctx, u, a, audit.FactorFailed, TOTP, s.Store.ChangeFactors(ctx, c))
	}
	return s.wrong(ctx, u, a, audit.FactorFailed, TOTP)
}
