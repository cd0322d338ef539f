package factor

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/letter"
	"mangrove/internal/profile"
	"mangrove/internal/session"
	"mangrove/internal/tenant"
	"mangrove/internal/token"
	"mangrove/internal/user"
)

// Service is the use cases. All fields are required but those that say so.
type Service struct {
	Store   Store
	Users   user.Store
	Tenant  tenant.Reader
	Letters letter.Queue
	Audit   audit.Sink
	Now     func() time.Time
	// DeviceKey is what user.Factors makes devices with, the same on every node.
	DeviceKey []byte
	// PublicURL is the server's address without a slash at its end.
	PublicURL string
	// SMS hands a code to the gateway; nil: there is none, and no phone can be asked.
	SMS func(ctx context.Context, phone, code, language string) error
	// CountSMS counts a text message to a phone against the ceilings of all messages;
	// ip is the address from which somebody named the number, empty for one that is
	// enrolled. Errors of kind errs.TooMany. Nil: nothing is counted.
	CountSMS func(ctx context.Context, ip, phone string) error
	// Keys speaks WebAuthn; nil: no keys and no passkeys.
	Keys *Keys
}

// Actor is who shows a factor: the client, the browser, and its languages.
type Actor struct {
	user.Actor
	Language string // of letters; empty: the tenant's
}

// All are the factors of a user: what an import brought first, then the enrolled
// ones, oldest first. Unconfirmed ones are among them.
func (s *Service) All(ctx context.Context, u *user.User) ([]Factor, error) {
	enrolled, err := s.Store.Factors(ctx, string(u.ID), s.Now().UnixMicro())
	if err != nil {
		return nil, err
	}
	return append(imported(u, s.DeviceKey), enrolled...), nil
}

// imported are the factors in the user's own row.
func imported(u *user.User, key []byte) []Factor {
	var out []Factor
	for _, v := range user.Factors(u, key) {
		f := Factor{UserID: string(u.ID), Device: v.Device, Kind: Kind(v.Kind), Imported: true, Confirmed: true, CreatedAt: u.CreatedAt}
		if f.Kind == TOTP {
			f.Detail.Secret = v.Value
		} else {
			f.Detail.Address = v.Value
		}
		out = append(out, f)
	}
	return out
}

func masked(k Kind, address string) string {
	if !k.OutOfBand() {
		return ""
	}
	return user.MaskedAddress(string(k), address)
}

// Enrollable are the kinds of second factors that may be enrolled now, in the
// order in which they are offered.
func (s *Service) Enrollable(ctx context.Context) ([]Kind, error) {
	t, err := s.Tenant.Settings(ctx)
	if err != nil {
		return nil, err
	}
	var out []Kind
	for _, row := range []struct {
		kind Kind
		on   bool
	}{
		{TOTP, t.MFA.OTP},
		{Phone, t.MFA.SMS && s.SMS != nil},
		{Email, t.MFA.Email},
		{Roaming, t.MFA.WebAuthnRoaming && s.Keys != nil},
		{Platform, t.MFA.WebAuthnPlatform && s.Keys != nil},
	} {
		if row.on {
			out = append(out, row.kind)
		}
	}
	return out, nil
}

// event starts a record.
func (s *Service) event(kind string, u *user.User, a Actor, k Kind) audit.Event {
	e := audit.Event{Type: kind, At: s.Now().UnixMicro(), ClientID: a.ClientID, UserID: string(u.ID), IP: a.IP, UserAgent: a.UserAgent}
	if len(u.Identities) > 0 {
		e.Connection, e.ConnectionID = u.Primary().Connection, u.Primary().ConnectionID
	}
	if k != "" {
		e.Details, _ = json.Marshal(map[string]string{"factor": string(k)}) // of strings: cannot fail
	}
	return e
}

// guess counts a try before anything is compared.
func (s *Service) guess(ctx context.Context, u *user.User, a Actor, kind GuessKind) error {
	ok, err := s.Store.TakeGuess(ctx, string(u.ID), kind, s.Now().UnixMicro())
	if err != nil || ok {
		return err
	}
	return s.limited(ctx, u, a)
}

// limited records that somebody did something too often.
func (s *Service) limited(ctx context.Context, u *user.User, a Actor) error {
	if err := s.Audit.AppendEvents(ctx, s.event(audit.FactorLimited, u, a, "")); err != nil {
		return err
	}
	return ErrLimited
}

// wrong records a failure.
func (s *Service) wrong(ctx context.Context, u *user.User, a Actor, event string, k Kind) error {
	if err := s.Audit.AppendEvents(ctx, s.event(event, u, a, k)); err != nil {
		return err
	}
	return ErrWrong
}

// tried is the outcome of a change that depends on something being there still.
func (s *Service) tried(ctx context.Context, u *user.User, a Actor, event string, k Kind, err error) error {
	if errors.Is(err, ErrNone) || errors.Is(err, ErrReplayed) {
		return s.wrong(ctx, u, a, event, k)
	}
	return err
}

// proven is the change that follows a factor that was shown: it is confirmed if
// it was not, and its owner is told then.
func (s *Service) proven(ctx context.Context, u *user.User, a Actor, f *Factor) Change {
	c := Change{UserID: string(u.ID), Device: f.Device, Forgive: true, Events: []audit.Event{s.event(audit.FactorOK, u, a, f.Kind)}}
	if !f.Confirmed {
		c.Confirm = f.Device
		c.Events = append(c.Events, s.event(audit.EnrollCompleted, u, a, f.Kind))
		c.Letters = s.told(u, a, f.Kind)
	}
	return c
}

// told is the letter to the owner of an account that has a new factor.
func (s *Service) told(u *user.User, a Actor, k Kind) []letter.Letter {
	to := u.Profile.Text(profile.Email)
	if to == "" {
		return nil
	}
	return []letter.Letter{{
		Template: letter.FactorAdded, To: to, UserID: string(u.ID), ConnectionID: u.Primary().ConnectionID,
		ClientID: a.ClientID, Language: a.Language, Vars: map[string]string{"factor": string(k)},
	}}
}

// asked are the factors of a kind that can be shown now: confirmed ones, or, for
// somebody who has none at all, what waits to be confirmed.
func asked(all []Factor, match func(Kind) bool) []Factor {
	return of(all, match, len(Seconds(all)) == 0)
}

// of are the factors of a kind: those that wait to be confirmed, or the others.
func of(all []Factor, match func(Kind) bool, waiting bool) []Factor {
	return slices.DeleteFunc(slices.Clone(all), func(f Factor) bool {
		return !match(f.Kind) || f.Confirmed == waiting
	})
}

// choice is which factors a code may belong to.
type choice func(all []Factor, match func(Kind) bool) []Factor

// confirming is the choice of who confirms an enrollment. Whoever has a factor
// has shown it before (proven).
func confirming(proven bool) choice {
	return func(all []Factor, match func(Kind) bool) []Factor {
		if len(Seconds(all)) > 0 && !proven {
			return nil
		}
		return of(all, match, true)
	}
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
		c := s.proven(ctx, u, a, &f)
		c.Step = step
		return s.tried(ctx, u, a, audit.FactorFailed, TOTP, s.Store.ChangeFactors(ctx, c))
	}
	return s.wrong(ctx, u, a, audit.FactorFailed, TOTP)
}

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
		Events: []audit.Event{s.event(audit.EnrollCompleted, u, a, f.Kind)}, Letters: s.told(u, a, f.Kind),
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

// Add enrolls factors on an administrator's word. Errors: ErrExists, ErrMany.
func (s *Service) Add(ctx context.Context, u *user.User, fs []Factor, e audit.Event) ([]Factor, error) {
	all, err := s.All(ctx, u)
	if err != nil {
		return nil, err
	}
	if err := s.fit(u, all, fs); err != nil {
		return nil, err
	}
	return fs, s.Store.ChangeFactors(ctx, Change{UserID: string(u.ID), Add: fs, Events: []audit.Event{e}})
}

// Replace puts factors in the place of all phones, addresses and authenticator
// applications of a user. Errors: ErrExists, ErrMany.
func (s *Service) Replace(ctx context.Context, u *user.User, fs []Factor, e audit.Event) ([]Factor, error) {
	all, err := s.All(ctx, u)
	if err != nil {
		return nil, err
	}
	var kept, old []Factor
	var remove []string
	for _, f := range all {
		switch {
		case f.Kind != TOTP && !f.Kind.OutOfBand():
			kept = append(kept, f)
		case f.Imported:
			old = append(old, f)
		default:
			remove = append(remove, f.Device)
		}
	}
	if err := s.fit(u, kept, fs); err != nil {
		return nil, err
	}
	// The new ones first: at no time is the user without a factor.
	err = s.Store.ChangeFactors(ctx, Change{UserID: string(u.ID), Remove: remove, Imported: len(old) > 0, Add: fs, Events: []audit.Event{e}})
	if err == nil && len(old) > 0 {
		err = s.Unenroll(ctx, u, old)
	}
	return fs, err
}

// fit completes factors that are to be added beside those that are there.
func (s *Service) fit(u *user.User, all, fs []Factor) error {
	now := s.Now().UnixMicro()
	for i := range fs {
		f := &fs[i]
		f.UserID, f.Device, f.Confirmed, f.CreatedAt = string(u.ID), NewDevice(), true, now
		if slices.ContainsFunc(all, f.same) {
			return ErrExists
		}
		if all = append(all, *f); len(all) > MaxFactors {
			return ErrMany
		}
	}
	return nil
}

// same reports a factor that stands for the same thing.
func (f *Factor) same(o Factor) bool {
	return f.Kind == o.Kind && f.Detail.Address == o.Detail.Address && f.Detail.Secret == o.Detail.Secret && f.Fingerprint == o.Fingerprint
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

// ErrEnrolled says that an mfa_token alone enrolls the first factor, no further one
// (reference/authentication.md §3.10).
var ErrEnrolled = errs.New(errs.Forbidden, "access_denied", "User is already enrolled.")

// Question is what a sign-in brings when it is asked whether a second factor is due.
type Question struct {
	// Connection that the person came by; nil: it is not known.
	Connection *connection.Connection
	// Methods are the proofs so far.
	Methods   []string
	ACRValues string
	// Browser is the secret of the cookie of a trusted browser; empty: none.
	Browser string
	// Insist: the request is about the factors themselves.
	Insist bool
	// CanEnroll says which kinds can be enrolled where the question comes from.
	CanEnroll func(Kind) bool
}

// Answer is what is due.
type Answer struct {
	Step Step
	// All are the factors of the user.
	All []Factor
	// Kinds may be enrolled now.
	Kinds []Kind
}

// Due gathers the facts and judges them.
func (s *Service) Due(ctx context.Context, u *user.User, q Question) (a Answer, err error) {
	t, err := s.Tenant.Settings(ctx)
	if err != nil {
		return Answer{}, err
	}
	if a.All, err = s.All(ctx, u); err != nil {
		return Answer{}, err
	}
	if a.Kinds, err = s.Enrollable(ctx); err != nil {
		return Answer{}, err
	}
	a.Kinds = slices.DeleteFunc(a.Kinds, func(k Kind) bool { return !q.CanEnroll(k) })
	f := Facts{
		Off: q.Connection != nil && Off(q.Connection), Shown: slices.Contains(q.Methods, session.MFA), Asked: Asked(q.ACRValues),
		Always: t.MFA.Always, Enrolled: len(Seconds(a.All)) > 0, Enrollable: len(a.Kinds) > 0, Insist: q.Insist,
	}
	if f.Enrolled && q.Browser != "" {
		if f.Trusted, err = s.Trusted(ctx, q.Browser, string(u.ID)); err != nil {
			return Answer{}, err
		}
	}
	a.Step = Due(f)
	return a, nil
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

// Unenroll removes factors of a user, imported or not, in one transaction.
func (s *Service) Unenroll(ctx context.Context, u *user.User, fs []Factor, e ...audit.Event) error {
	devices, fromImport := []string{}, false
	for i := range fs {
		devices = append(devices, fs[i].Device)
		fromImport = fromImport || fs[i].Imported
	}
	if !fromImport {
		_, err := s.Store.RemoveFactors(ctx, string(u.ID), devices, len(imported(u, s.DeviceKey)) > 0, e...)
		return err
	}
	_, err := s.Users.UpdateUser(ctx, u.ID, func(u *user.User) (user.Effect, error) {
		u.DropFactors(s.DeviceKey, devices)
		return user.Effect{Events: e, Unenrolls: devices}, nil
	})
	return err
}

// Rename changes what is shown of an enrolled factor. Errors: ErrNone.
func (s *Service) Rename(ctx context.Context, f Factor, d Detail, e audit.Event) (Factor, error) {
	f.Detail.Name, f.Detail.Preferred = d.Name, d.Preferred
	return f, s.Store.ChangeFactors(ctx, Change{UserID: f.UserID, Update: &f, Events: []audit.Event{e}})
}
