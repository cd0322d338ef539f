package factor

import (
	"context"
	"slices"
	"strings"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
	"mangrove/internal/profile"
	"mangrove/internal/user"
)

// EnrollTOTP takes the seed that a page showed, once its first code is right. It
// returns a recovery code if this is the first factor and the tenant has recovery
// codes; it is told nowhere else. Errors: ErrWrong, ErrLimited, ErrMany.
func (s *Service) EnrollTOTP(ctx context.Context, u *user.User, seed, code string, a Actor) (recovery string, err error) {
	if err := s.guess(ctx, u, a, Guessing); err != nil {
		return "", err
	}
	typed, ok := typedCode(code)
	step, match := matchingStep(seed, typed, s.Now().Unix())
	if !ok || !match {
		return "", s.wrong(ctx, u, a, audit.FactorFailed, TOTP)
	}
	f := Factor{Kind: TOTP, Detail: Detail{Secret: seed}}
	return s.enroll(ctx, u, f, step, a)
}

// enroll adds a factor that was proven.
func (s *Service) enroll(ctx context.Context, u *user.User, f Factor, step int64, a Actor) (recovery string, err error) {
	all, err := s.All(ctx, u)
	if err != nil {
		return "", err
	}
	if len(all) >= MaxFactors {
		return "", ErrMany
	}
	now := s.Now().UnixMicro()
	f.UserID, f.Device, f.Confirmed, f.CreatedAt, f.LastAuth = string(u.ID), NewDevice(), true, now, now
	c := Change{
		UserID: string(u.ID), Add: []Factor{f}, Forgive: true,
		Events: []audit.Event{s.event(audit.EnrollCompleted, u, a, f.Kind)}, Letters: told(u, a, f.Kind),
	}
	if step != 0 {
		c.Device, c.Step = f.Device, step
	}
	if f.Kind.Second() {
		var code Factor
		if recovery, code, err = s.firstRecovery(ctx, u, all, now); err != nil {
			return "", err
		}
		if recovery != "" {
			c.Add = append(c.Add, code)
		}
	}
	return recovery, s.Store.ChangeFactors(ctx, c)
}

// firstRecovery makes a recovery code for somebody who has none.
func (s *Service) firstRecovery(ctx context.Context, u *user.User, all []Factor, now int64) (string, Factor, error) {
	t, err := s.Tenant.Settings(ctx)
	if err != nil || !t.MFA.RecoveryCode || slices.ContainsFunc(all, func(f Factor) bool { return f.Kind == Recovery && f.Confirmed }) {
		return "", Factor{}, err
	}
	code, f := newRecovery(string(u.ID), now)
	return code, f, nil
}

// Association is what POST /mfa/associate hands out.
type Association struct {
	Factor   Factor
	Recovery string // empty: none
	// Secret is the oob_code of a factor whose codes are sent.
	Secret string
}

// enrollmentLifetime is how long an enrollment waits for its first code.
const enrollmentLifetime = 10 * 60 * 1_000_000

// ErrEnrolled says that an mfa_token alone enrolls the first factor, no further one
// (reference/authentication.md §3.10).
var ErrEnrolled = errs.New(errs.Forbidden, "access_denied", "User is already enrolled.")

// Associate begins an enrollment that the first right code confirms. proven: a
// second factor was shown; without, only the first one can be enrolled. Errors:
// ErrUnservable, ErrEnrolled, ErrMany, ErrLimited, ErrNotSent.
func (s *Service) Associate(ctx context.Context, u *user.User, k Kind, address string, proven bool, a Actor) (Association, error) {
	kinds, err := s.Enrollable(ctx)
	if err != nil {
		return Association{}, err
	}
	if !slices.Contains(kinds, k) || k.Key() {
		return Association{}, ErrUnservable
	}
	all, err := s.All(ctx, u)
	if err != nil {
		return Association{}, err
	}
	if len(Seconds(all)) > 0 && !proven {
		return Association{}, ErrEnrolled
	}
	if len(all) >= MaxFactors {
		return Association{}, ErrMany
	}
	now := s.Now().UnixMicro()
	f := Factor{UserID: string(u.ID), Device: NewDevice(), Kind: k, CreatedAt: now, ExpiresAt: now + enrollmentLifetime}
	if k == TOTP {
		f.Detail.Secret = NewSeed()
	} else {
		f.Detail.Address = address
	}
	out := Association{Factor: f}
	add := []Factor{f}
	var code Factor
	if out.Recovery, code, err = s.firstRecovery(ctx, u, all, now); err != nil {
		return Association{}, err
	}
	if out.Recovery != "" {
		code.Confirmed, code.ExpiresAt = false, f.ExpiresAt
		add = append(add, code)
	}
	err = s.Store.ChangeFactors(ctx, Change{UserID: string(u.ID), Add: add, Events: []audit.Event{s.event(audit.EnrollStarted, u, a, k)}})
	if err == nil && k.OutOfBand() {
		out.Secret, err = s.SendCode(ctx, u, f, a)
	}
	return out, err
}

// Issuer is whose code it is, as an authenticator application shows it: the
// tenant's name, or else the host.
func (s *Service) Issuer(ctx context.Context) (string, error) {
	t, err := s.Tenant.Settings(ctx)
	if err != nil {
		return "", err
	}
	if t.FriendlyName != "" {
		return t.FriendlyName, nil
	}
	_, host, _ := strings.Cut(s.PublicURL, "://")
	return host, nil
}

// AccountOf is what an authenticator shows of the user.
func AccountOf(u *user.User) string {
	for _, attribute := range []string{profile.Email, profile.Username, profile.PhoneNumber, profile.Name} {
		if v := u.Profile.Text(attribute); v != "" {
			return v
		}
	}
	return string(u.ID)
}
