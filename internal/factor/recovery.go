package factor

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"

	"mangrove/internal/audit"
	"mangrove/internal/token"
	"mangrove/internal/user"
)

// recoveryLength is the recorded one: 24 upper-case letters and digits, 124 bits.
const recoveryLength = 24

const recoveryAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// NewRecoveryCode draws each character evenly.
func NewRecoveryCode() string {
	const even = 256 - 256%len(recoveryAlphabet)
	out := make([]byte, 0, recoveryLength)
	for {
		var random [64]byte
		_, _ = rand.Read(random[:]) // never fails
		for _, b := range random {
			if int(b) < even {
				if out = append(out, recoveryAlphabet[int(b)%len(recoveryAlphabet)]); len(out) == recoveryLength {
					return string(out)
				}
			}
		}
	}
}

// typedRecovery is a recovery code as people type it, in upper case and without
// blanks and hyphens; false for what can be none of ours.
func typedRecovery(s string) (string, bool) {
	if len(s) > 4*recoveryLength {
		return "", false
	}
	out := make([]byte, 0, recoveryLength)
	for i := range len(s) {
		switch c := s[i]; {
		case c == ' ' || c == '-':
		case 'a' <= c && c <= 'z':
			out = append(out, c-'a'+'A')
		case strings.IndexByte(recoveryAlphabet, c) >= 0:
			out = append(out, c)
		default:
			return "", false
		}
	}
	return string(out), len(out) == recoveryLength
}

// newRecovery is a recovery code and the factor that it becomes. Of the code only
// a hash is kept; a fast one will do, since it cannot be guessed.
func newRecovery(userID string, now int64) (string, Factor) {
	code := NewRecoveryCode()
	return code, Factor{
		UserID: userID, Device: NewDevice(), Kind: Recovery, Fingerprint: token.HashOf(code), Confirmed: true, CreatedAt: now,
	}
}

// HasRecovery reports whether a recovery code can be asked for.
func HasRecovery(all []Factor) bool {
	return slices.ContainsFunc(all, func(f Factor) bool { return f.Kind == Recovery && f.Confirmed })
}

// CheckRecovery redeems a recovery code and returns the one that takes its place.
// Errors: ErrWrong, ErrLimited.
func (s *Service) CheckRecovery(ctx context.Context, u *user.User, code string, a Actor) (next string, err error) {
	if err := s.guess(ctx, u, a, Guessing); err != nil {
		return "", err
	}
	typed, ok := typedRecovery(code)
	if !ok {
		return "", s.wrong(ctx, u, a, audit.RecoveryFailed, Recovery)
	}
	next, f := newRecovery(string(u.ID), s.Now().UnixMicro())
	err = s.Store.ChangeFactors(ctx, Change{
		UserID: string(u.ID), Redeem: token.HashOf(typed), Add: []Factor{f}, Forgive: true,
		Events: []audit.Event{s.event(audit.RecoveryOK, u, a, Recovery)},
	})
	if err = s.tried(ctx, u, a, audit.RecoveryFailed, Recovery, err); err != nil {
		return "", err
	}
	return next, nil
}

// Regenerate makes a new recovery code in place of the one that is there. Errors:
// ErrNone when there is none to replace.
func (s *Service) Regenerate(ctx context.Context, u *user.User, e audit.Event) (string, error) {
	all, err := s.All(ctx, u)
	if err != nil {
		return "", err
	}
	if !HasRecovery(all) {
		return "", ErrNone
	}
	code, f := newRecovery(string(u.ID), s.Now().UnixMicro())
	return code, s.Store.ChangeFactors(ctx, Change{UserID: string(u.ID), Add: []Factor{f}, Events: []audit.Event{e}})
}
