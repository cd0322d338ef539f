package factor_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"mangrove/internal/audit"
	"mangrove/internal/factor"
	"mangrove/internal/factor/factortest"
	"mangrove/internal/letter"
	"mangrove/internal/profile"
	"mangrove/internal/store"
	"mangrove/internal/store/storetest"
	"mangrove/internal/tenant"
	"mangrove/internal/user"
)

const publicURL = "https://id.example.test"

// rig is the use cases over a real store.
type rig struct {
	*factor.Service
	store    *store.Store
	ann, ben *user.User

	mu       sync.Mutex
	clock    time.Time
	settings tenant.Settings
	letters  []letter.Letter
	texts    []string // codes by SMS
	gateway  error
}

func (r *rig) now() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.clock
}

func (r *rig) pass(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clock = r.clock.Add(d)
}

func (r *rig) Settings(context.Context) (*tenant.Settings, error) { return &r.settings, nil }

func (r *rig) Texts(context.Context, string, string) (map[string]map[string]string, error) {
	return nil, nil
}

func (r *rig) SendLetters(ctx context.Context, letters []letter.Letter, events ...audit.Event) error {
	r.letters = append(r.letters, letters...)
	return r.store.AppendEvents(ctx, events...)
}

func (r *rig) code() string { return r.letters[len(r.letters)-1].Code }

var by = factor.Actor{Actor: user.Actor{ClientID: "app", IP: "203.0.113.7", UserAgent: "test"}}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{clock: time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)}
	r.settings.MFA = tenant.MFA{OTP: true, SMS: true, Email: true, RecoveryCode: true, WebAuthnRoaming: true, WebAuthnPlatform: true}
	r.store = storetest.OpenURL(t, storetest.URL(t, storetest.SQLite), func(o *store.Options) { o.Now = r.now })
	keys, err := factor.NewKeys(publicURL)
	if err != nil {
		t.Fatal(err)
	}
	r.Service = &factor.Service{
		Store: r.store, Users: r.store, Tenant: r, Letters: r, Audit: r.store, Now: r.now, DeviceKey: []byte("k"), PublicURL: publicURL, Keys: keys,
		SMS: func(_ context.Context, _, code, _ string) error {
			if r.gateway == nil {
				r.texts = append(r.texts, code)
			}
			return r.gateway
		},
	}
	for _, name := range []string{"ann", "ben"} {
		u := &user.User{
			ID:         user.ID("auth0|" + name),
			Identities: []user.Identity{{Provider: "auth0", Connection: "users", ConnectionID: "con_0000000000000001", UserID: name, Subject: name}},
			Profile:    profile.Of(profile.Attribute{Name: profile.Email, Value: profile.Text(name + "@example.com")}),
		}
		if err := r.store.CreateUser(t.Context(), u, user.Effect{}); err != nil {
			t.Fatal(err)
		}
	}
	r.ann, r.ben = r.user(t, "auth0|ann"), r.user(t, "auth0|ben")
	return r
}

func (r *rig) user(t *testing.T, id user.ID) *user.User {
	t.Helper()
	u, err := r.store.User(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// kinds are the kinds of the factors of u, unconfirmed ones with a question mark.
func (r *rig) kinds(t *testing.T, u *user.User) string {
	t.Helper()
	all, err := r.All(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range all {
		name := string(f.Kind)
		if !f.Confirmed {
			name += "?"
		}
		out = append(out, name)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func (r *rig) otp(t *testing.T, seed string) string {
	t.Helper()
	code, err := totp.GenerateCode(seed, r.now())
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// records are the types of what was recorded about u, oldest first.
func (r *rig) records(t *testing.T, u *user.User) string {
	t.Helper()
	page, err := r.store.Events(t.Context(), audit.Span{UserID: string(u.ID), Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range page {
		out = append(out, e.Type)
	}
	return strings.Join(out, " ")
}

func is(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) || (want == nil && err != nil) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestAuthenticatorApplication(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	seed := factor.NewSeed()
	_, err := r.EnrollTOTP(ctx, r.ann, seed, "000000", by)
	is(t, "a wrong first code", err, factor.ErrWrong)
	if got := r.kinds(t, r.ann); got != "" {
		t.Fatalf("it enrolled %s", got)
	}
	recovery, err := r.EnrollTOTP(ctx, r.ann, seed, r.otp(t, seed), by)
	must(t, err)
	if len(recovery) != 24 || r.kinds(t, r.ann) != "recovery-code totp" {
		t.Fatalf("%q, %s", recovery, r.kinds(t, r.ann))
	}
	is(t, "the code of the enrollment again", r.CheckOTP(ctx, r.ann, r.otp(t, seed), by), factor.ErrWrong)
	r.pass(30 * time.Second)
	is(t, "the next one", r.CheckOTP(ctx, r.ann, r.otp(t, seed), by), nil)
	is(t, "that again", r.CheckOTP(ctx, r.ann, r.otp(t, seed), by), factor.ErrWrong)
	r.pass(30 * time.Second)
	is(t, "somebody else's", r.CheckOTP(ctx, r.ben, r.otp(t, seed), by), factor.ErrWrong)
	next, err := r.EnrollTOTP(ctx, r.ann, seed, r.otp(t, seed), by)
	must(t, err)
	if next != "" {
		t.Error("a second factor brings another recovery code")
	}
	if got := r.records(t, r.ann); !strings.HasPrefix(got, "gd_auth_failed gd_enrollment_complete gd_auth_failed gd_auth_succeed gd_auth_failed") {
		t.Errorf("recorded: %s", got)
	}
}

func TestImportedFactorsCount(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	const seed = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
	_, err := r.store.UpdateUser(ctx, r.ann.ID, func(u *user.User) (user.Effect, error) {
		u.MFAFactors = profile.Value(`[{"totp":{"secret":"` + seed + `"}},{"email":{"value":"ann@example.com"}}]`)
		return user.Effect{}, nil
	})
	must(t, err)
	r.ann = r.user(t, r.ann.ID)
	due, err := r.Due(ctx, r.ann, factor.Question{CanEnroll: factor.Kind.Second})
	must(t, err)
	if due.Step != factor.ChallengeStep {
		t.Error("an imported factor is not asked for")
	}
	is(t, "its code", r.CheckOTP(ctx, r.ann, r.otp(t, seed), by), nil)
	is(t, "the same again", r.CheckOTP(ctx, r.ann, r.otp(t, seed), by), factor.ErrWrong)
	secret, err := r.SendCode(ctx, r.ann, due.All[1], by)
	must(t, err)
	kind, err := r.CheckCode(ctx, r.ann, secret, r.code(), by)
	if kind != factor.Email || err != nil {
		t.Errorf("%s %v", kind, err)
	}
	must(t, r.Unenroll(ctx, r.ann, due.All, by))
	r.ann = r.user(t, r.ann.ID)
	if got := r.kinds(t, r.ann); got != "" {
		t.Errorf("left: %s", got)
	}
}

func TestGuessesAreCounted(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	seed := factor.NewSeed()
	recovery, err := r.EnrollTOTP(ctx, r.ann, seed, r.otp(t, seed), by)
	must(t, err)
	r.pass(time.Minute)
	for i := range 10 {
		if i%2 == 0 {
			is(t, "a guess", r.CheckOTP(ctx, r.ann, "000000", by), factor.ErrWrong)
			continue
		}
		_, err := r.CheckRecovery(ctx, r.ann, "AAAABBBBCCCCDDDDEEEEFFFF", by)
		is(t, "a guess at the recovery code", err, factor.ErrWrong)
	}
	is(t, "the right code then", r.CheckOTP(ctx, r.ann, r.otp(t, seed), by), factor.ErrLimited)
	_, err = r.CheckRecovery(ctx, r.ann, recovery, by)
	is(t, "the right recovery code then", err, factor.ErrLimited)
	if !strings.HasSuffix(r.records(t, r.ann), "gd_otp_rate_limit_exceed gd_otp_rate_limit_exceed") {
		t.Errorf("recorded: %s", r.records(t, r.ann))
	}
	r.pass(6 * time.Minute)
	is(t, "six minutes later", r.CheckOTP(ctx, r.ann, r.otp(t, seed), by), nil)
	r.pass(time.Minute)
	for range 10 {
		is(t, "the count is empty again", r.CheckOTP(ctx, r.ann, "000000", by), factor.ErrWrong)
	}
}

// The owner is told of factors that come and go, in one letter for all that go.
func TestOwnerIsTold(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	told := func() (list []string) {
		for {
			q, err := r.store.ClaimLetter(ctx, r.now().UnixMicro(), r.now().Add(time.Hour).UnixMicro())
			must(t, err)
			if q == nil {
				return list
			}
			list = append(list, q.Template+" to "+q.To+" in "+q.Language+": "+q.Vars["factor"])
		}
	}
	want := func(step string, lines ...string) {
		t.Helper()
		if got := told(); !slices.Equal(got, lines) {
			t.Errorf("%s: %q", step, got)
		}
	}
	german := by
	german.Language = "de"
	seed := factor.NewSeed()
	_, err := r.EnrollTOTP(ctx, r.ann, seed, r.otp(t, seed), german)
	must(t, err)
	want("enrolled", "factor_added to ann@example.com in de: totp")
	phone := factor.Factor{Kind: factor.Phone, Detail: factor.Detail{Address: "+14155550100"}}
	_, err = r.Add(ctx, r.ann, []factor.Factor{phone, {Kind: factor.Phone, Detail: factor.Detail{Address: "+14155550101"}}}, audit.Event{})
	must(t, err)
	_, err = r.Replace(ctx, r.ann, []factor.Factor{phone}, audit.Event{})
	must(t, err)
	want("replaced", "factor_removed to ann@example.com in : totp")
	all, err := r.All(ctx, r.ann)
	must(t, err)
	must(t, r.Unenroll(ctx, r.ann, all, german))
	want("removed", "factor_removed to ann@example.com in de: phone recovery-code")
	must(t, r.Unenroll(ctx, r.ann, all, german))
	want("removed once more")
}

func TestRecoveryCodes(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	seed := factor.NewSeed()
	first, err := r.EnrollTOTP(ctx, r.ann, seed, r.otp(t, seed), by)
	must(t, err)
	_, err = r.CheckRecovery(ctx, r.ben, first, by)
	is(t, "of somebody else", err, factor.ErrWrong)
	second, err := r.CheckRecovery(ctx, r.ann, strings.ToLower(first), by)
	must(t, err)
	_, err = r.CheckRecovery(ctx, r.ann, first, by)
	is(t, "a second time", err, factor.ErrWrong)
	third, err := r.Regenerate(ctx, r.ann, audit.Event{Type: audit.APIOperation, UserID: string(r.ann.ID)})
	must(t, err)
	_, err = r.CheckRecovery(ctx, r.ann, second, by)
	is(t, "one that was replaced", err, factor.ErrWrong)
	_, err = r.CheckRecovery(ctx, r.ann, third, by)
	is(t, "the newest", err, nil)
	_, err = r.Regenerate(ctx, r.ben, audit.Event{})
	is(t, "for somebody without one", err, factor.ErrNone)
	all, err := r.All(ctx, r.ann)
	must(t, err)
	must(t, r.Unenroll(ctx, r.ann, factor.Seconds(all), by))
	if got := r.kinds(t, r.ann); got != "" {
		t.Errorf("left without a factor: %s", got)
	}

	r.settings.MFA.RecoveryCode = false
	none, err := r.EnrollTOTP(ctx, r.ben, seed, r.otp(t, seed), by)
	if none != "" || err != nil {
		t.Errorf("switched off: %q %v", none, err)
	}
}

func TestAssociate(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	made, err := r.Associate(ctx, r.ann, factor.TOTP, "", false, by)
	must(t, err)
	if r.kinds(t, r.ann) != "recovery-code? totp?" || len(made.Recovery) != 24 {
		t.Fatalf("%s", r.kinds(t, r.ann))
	}
	due, err := r.Due(ctx, r.ann, factor.Question{CanEnroll: factor.Kind.Second})
	must(t, err)
	if due.Step != factor.NoStep {
		t.Error("what nobody confirmed is asked for")
	}
	_, err = r.CheckRecovery(ctx, r.ann, made.Recovery, by)
	is(t, "its recovery code before", err, factor.ErrWrong)
	must(t, r.CheckOTP(ctx, r.ann, r.otp(t, made.Factor.Detail.Secret), by))
	if r.kinds(t, r.ann) != "recovery-code totp" {
		t.Errorf("%s", r.kinds(t, r.ann))
	}
	_, err = r.CheckRecovery(ctx, r.ann, made.Recovery, by)
	is(t, "its recovery code afterwards", err, nil)
	_, err = r.Associate(ctx, r.ann, factor.TOTP, "", false, by)
	is(t, "another one", err, factor.ErrEnrolled)

	stale, err := r.Associate(ctx, r.ben, factor.Email, "ben@example.com", false, by)
	must(t, err)
	made, err = r.Associate(ctx, r.ben, factor.Phone, "+15551239167", false, by)
	must(t, err)
	_, err = r.CheckCode(ctx, r.ben, stale.Secret, r.code(), by)
	is(t, "an enrollment that was replaced", err, factor.ErrWrong)
	_, err = r.CheckCode(ctx, r.ben, made.Secret, r.texts[0], by)
	is(t, "the one that stands", err, nil)
	if r.kinds(t, r.ben) != "phone recovery-code" {
		t.Errorf("%s", r.kinds(t, r.ben))
	}

	r.settings.MFA = tenant.MFA{}
	for _, k := range []factor.Kind{factor.TOTP, factor.Phone, factor.Email, factor.Roaming, factor.Passkey, "other"} {
		_, err = r.Associate(ctx, r.ann, k, "", false, by)
		is(t, string(k), err, factor.ErrUnservable)
	}
	r.settings.MFA.WebAuthnRoaming = true
	_, err = r.Associate(ctx, r.ann, factor.Roaming, "", false, by)
	is(t, "a key without a browser", err, factor.ErrUnservable)
}

func TestEnrollmentsEnd(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	made, err := r.Associate(ctx, r.ann, factor.TOTP, "", false, by)
	must(t, err)
	r.pass(11 * time.Minute)
	is(t, "after ten minutes", r.CheckOTP(ctx, r.ann, r.otp(t, made.Factor.Detail.Secret), by), factor.ErrWrong)
	if got := r.kinds(t, r.ann); got != "" {
		t.Errorf("left: %s", got)
	}
}

func TestCodesThatAreSent(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	fs, err := r.Add(ctx, r.ann, []factor.Factor{{Kind: factor.Email, Detail: factor.Detail{Address: "ann@example.com"}}}, audit.Event{})
	must(t, err)
	send := func() string {
		t.Helper()
		secret, err := r.SendCode(ctx, r.ann, fs[0], by)
		must(t, err)
		return secret
	}
	check := func(secret, code string) error {
		_, err := r.CheckCode(ctx, r.ann, secret, code, by)
		return err
	}
	old := send()
	oldCode := r.code()
	secret := send()
	is(t, "an old code after a new one", check(old, oldCode), factor.ErrWrong)
	_, err = r.CheckCode(ctx, r.ben, secret, r.code(), by)
	is(t, "for somebody else", err, factor.ErrWrong)
	is(t, "the right one", check(secret, r.code()[:3]+" "+r.code()[3:]), nil)
	is(t, "twice", check(secret, r.code()), factor.ErrWrong)

	secret = send()
	wrong := "000000"
	if r.code() == wrong {
		wrong = "000001"
	}
	for range factor.CodeTries {
		is(t, "a wrong one", check(secret, wrong), factor.ErrWrong)
	}
	is(t, "the right one after three wrong ones", check(secret, r.code()), factor.ErrWrong)
	secret = send()
	r.pass(5 * time.Minute)
	is(t, "too late", check(secret, r.code()), factor.ErrWrong)

	l := r.letters[0]
	if l.Template != letter.MFACode || l.To != "ann@example.com" || l.UserID != "auth0|ann" || l.Lifetime != 300 || len(l.Code) != 6 {
		t.Errorf("%+v", l)
	}
}

func TestSendingIsLimited(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	fs, err := r.Add(ctx, r.ann, []factor.Factor{
		{Kind: factor.Email, Detail: factor.Detail{Address: "ann@example.com"}}, {Kind: factor.Phone, Detail: factor.Detail{Address: "+15551239167"}},
	}, audit.Event{})
	must(t, err)
	for i := range 10 {
		_, err := r.SendCode(ctx, r.ann, fs[i%2], by)
		must(t, err)
	}
	_, err = r.SendCode(ctx, r.ann, fs[0], by)
	is(t, "the eleventh", err, factor.ErrLimited)
	if len(r.letters) != 5 || len(r.texts) != 5 {
		t.Errorf("%d mails, %d messages", len(r.letters), len(r.texts))
	}
	r.gateway = errors.New("down")
	r.pass(6 * time.Minute)
	_, err = r.SendCode(ctx, r.ann, fs[1], by)
	if !errors.Is(err, factor.ErrNotSent) || strings.Contains(r.records(t, r.ann), "+1555") {
		t.Errorf("a gateway that is down: %v", err)
	}
	if !strings.HasSuffix(r.records(t, r.ann), audit.FactorSMSFailed) {
		t.Errorf("recorded: %s", r.records(t, r.ann))
	}
	r.SMS = nil
	_, err = r.SendCode(ctx, r.ann, fs[1], by)
	is(t, "no gateway", err, factor.ErrUnservable)
}

func TestAddingIsBounded(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	add := func(address string) error {
		_, err := r.Add(ctx, r.ann, []factor.Factor{{Kind: factor.Email, Detail: factor.Detail{Address: address}}}, audit.Event{})
		return err
	}
	must(t, add("x@example.com"))
	is(t, "twice", add("x@example.com"), factor.ErrExists)
	for i := range factor.MaxFactors - 1 {
		must(t, add(strings.Repeat("a", i+1)+"@example.com"))
	}
	is(t, "one too many", add("y@example.com"), factor.ErrMany)
	seed := factor.NewSeed()
	_, err := r.EnrollTOTP(ctx, r.ann, seed, r.otp(t, seed), by)
	is(t, "by its owner", err, factor.ErrMany)
}

func TestTrustedBrowsers(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	seed := factor.NewSeed()
	_, err := r.EnrollTOTP(ctx, r.ann, seed, r.otp(t, seed), by)
	must(t, err)
	secret, err := r.Trust(ctx, string(r.ann.ID))
	must(t, err)
	step := func(u *user.User, browser, acr string) factor.Step {
		t.Helper()
		a, err := r.Due(ctx, u, factor.Question{Browser: browser, ACRValues: acr, CanEnroll: factor.Kind.Second})
		must(t, err)
		return a.Step
	}
	if step(r.ann, secret, "") != factor.NoStep || step(r.ann, "", "") != factor.ChallengeStep || step(r.ann, "other", "") != factor.ChallengeStep {
		t.Error("trust is not the browser's")
	}
	if step(r.ann, secret, factor.ACR) != factor.ChallengeStep {
		t.Error("trust answers a step-up")
	}
	r.pass(30 * 24 * time.Hour)
	if step(r.ann, secret, "") != factor.ChallengeStep {
		t.Error("trust does not end")
	}
	secret, err = r.Trust(ctx, string(r.ann.ID))
	must(t, err)
	must(t, r.Forget(ctx, string(r.ann.ID)))
	if step(r.ann, secret, "") != factor.ChallengeStep {
		t.Error("trust outlives its end")
	}
}

func TestMFATokens(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	secret, err := r.Begin(ctx, string(r.ann.ID), "app", factor.Grant{Type: "password", Scope: "openid"})
	must(t, err)
	m, err := r.Token(ctx, secret)
	if err != nil || m.UserID != "auth0|ann" || m.ClientID != "app" || m.Grant.Scope != "openid" {
		t.Fatalf("%+v %v", m, err)
	}
	_, err = r.Token(ctx, "garbage")
	is(t, "garbage", err, factor.ErrMalformed)
	must(t, r.Spend(ctx, m))
	is(t, "twice", r.Spend(ctx, m), factor.ErrMalformed)
	secret, err = r.Begin(ctx, string(r.ann.ID), "app", factor.Grant{})
	must(t, err)
	m, err = r.Token(ctx, secret)
	must(t, err)
	r.pass(10 * time.Minute)
	_, err = r.Token(ctx, secret)
	is(t, "after ten minutes", err, factor.ErrTokenExpired)
	is(t, "spent after ten minutes", r.Spend(ctx, m), factor.ErrMalformed)
}

func device() *factortest.Authenticator {
	return &factortest.Authenticator{Origin: publicURL, RPID: "id.example.test", Count: 1}
}

// enrolls lets a new authenticator enroll a key.
func (r *rig) enrolls(t *testing.T, u *user.User, k factor.Kind, a *factortest.Authenticator) error {
	t.Helper()
	c, err := r.BeginEnrollKey(t.Context(), u, k)
	must(t, err)
	answer, err := a.Create(c.Options)
	must(t, err)
	_, err = r.EnrollKey(t.Context(), u, k, c.Session, answer, by)
	return err
}

func TestPasskeys(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	a := device()
	must(t, r.enrolls(t, r.ann, factor.Passkey, a))
	if r.kinds(t, r.ann) != "passkey" {
		t.Fatalf("%s", r.kinds(t, r.ann))
	}
	if l := r.letters; len(l) > 0 {
		t.Logf("letters: %d", len(l))
	}
	signIn := func(a *factortest.Authenticator, change func(string) string) (*user.User, error) {
		t.Helper()
		c, err := r.BeginPasskey()
		must(t, err)
		answer, err := a.Get(c.Options)
		must(t, err)
		if change != nil {
			answer = change(answer)
		}
		return r.CheckPasskey(ctx, c.Session, answer, by)
	}
	u, err := signIn(a, nil)
	if err != nil || u.ID != r.ann.ID {
		t.Fatalf("%v %v", u, err)
	}
	refused := func(name string, a *factortest.Authenticator, change func(string) string) {
		t.Helper()
		_, err := signIn(a, change)
		is(t, name, err, factor.ErrWrong)
	}
	copied := *a
	copied.Count--
	refused("a copy whose count stood still", &copied, nil)
	other := *a
	other.Origin = "https://evil.example"
	refused("a page of another origin", &other, nil)
	other = *a
	other.RPID = "evil.example"
	refused("another relying party", &other, nil)
	other = *a
	other.Unverified = true
	refused("its user was not verified", &other, nil)
	refused("no JSON", a, func(string) string { return "{" })
	refused("empty", a, func(string) string { return "" })
	refused("not signed", a, func(s string) string { return strings.Replace(s, `"signature":"M`, `"signature":"N`, 1) })
	stranger := device()
	c, err := r.BeginEnrollKey(ctx, r.ben, factor.Passkey)
	must(t, err)
	_, err = stranger.Create(c.Options)
	must(t, err)
	refused("a key that was never enrolled", stranger, nil)

	began, err := r.BeginPasskey()
	must(t, err)
	answer, err := a.Get(began.Options)
	must(t, err)
	again, err := r.BeginPasskey()
	must(t, err)
	_, err = r.CheckPasskey(ctx, again.Session, answer, by)
	is(t, "the answer to another challenge", err, factor.ErrWrong)
	_, err = r.CheckPasskey(ctx, nil, answer, by)
	is(t, "no challenge", err, factor.ErrWrong)

	// A passkey is not asked for as a second factor.
	_, err = r.BeginKey(ctx, r.ann)
	is(t, "as a second factor", err, factor.ErrNone)
}

func TestEnrollingKeys(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	a := device()
	must(t, r.enrolls(t, r.ann, factor.Passkey, a))
	c, err := r.BeginEnrollKey(ctx, r.ann, factor.Passkey)
	must(t, err)
	var o struct {
		Exclude []struct {
			ID string `json:"id"`
		} `json:"excludeCredentials"`
		User struct {
			ID string `json:"id"`
		} `json:"user"`
		Selection struct {
			ResidentKey      string `json:"residentKey"`
			UserVerification string `json:"userVerification"`
		} `json:"authenticatorSelection"`
	}
	must(t, json.Unmarshal([]byte(c.Options), &o))
	if len(o.Exclude) != 1 || o.Selection.ResidentKey != "required" || o.Selection.UserVerification != "required" ||
		strings.Contains(o.User.ID, "ann") || len(o.User.ID) < 43 {
		t.Errorf("%s", c.Options)
	}
	weak := device()
	weak.Unverified = true
	is(t, "a passkey without its user", r.enrolls(t, r.ann, factor.Passkey, weak), factor.ErrWrong)
	foreign := device()
	foreign.Origin = "https://evil.example"
	is(t, "of another origin", r.enrolls(t, r.ann, factor.Passkey, foreign), factor.ErrWrong)

	// The answer of one user's ceremony enrolls nothing for another.
	c, err = r.BeginEnrollKey(ctx, r.ben, factor.Passkey)
	must(t, err)
	answer, err := device().Create(c.Options)
	must(t, err)
	_, err = r.EnrollKey(ctx, r.ann, factor.Passkey, c.Session, answer, by)
	is(t, "of another user's ceremony", err, factor.ErrWrong)
	_, err = r.EnrollKey(ctx, r.ben, factor.Passkey, c.Session, answer, by)
	must(t, err)
	_, err = r.EnrollKey(ctx, r.ben, factor.Passkey, c.Session, answer, by)
	is(t, "twice", err, factor.ErrExists)
	if r.kinds(t, r.ann) != "passkey" || r.kinds(t, r.ben) != "passkey" {
		t.Errorf("%s, %s", r.kinds(t, r.ann), r.kinds(t, r.ben))
	}
	if _, err := r.BeginEnrollKey(ctx, r.ann, factor.TOTP); !errors.Is(err, factor.ErrUnservable) {
		t.Errorf("a code as a key: %v", err)
	}
}

func TestSecurityKeys(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	_, err := r.BeginKey(ctx, r.ann)
	is(t, "nobody has one", err, factor.ErrNone)
	a := device()
	a.Unverified = true
	must(t, r.enrolls(t, r.ann, factor.Roaming, a))
	if r.kinds(t, r.ann) != "recovery-code webauthn-roaming" {
		t.Fatalf("%s", r.kinds(t, r.ann))
	}
	show := func(u *user.User, a *factortest.Authenticator) error {
		t.Helper()
		c, err := r.BeginKey(ctx, r.ann)
		must(t, err)
		answer, err := a.Get(c.Options)
		must(t, err)
		return r.CheckKey(ctx, u, c.Session, answer, by)
	}
	is(t, "the key", show(r.ann, a), nil)
	is(t, "for somebody else", show(r.ben, a), factor.ErrWrong)
	copied := *a
	copied.Count -= 2
	is(t, "a copy", show(r.ann, &copied), factor.ErrWrong)
	is(t, "the key again", show(r.ann, a), nil)
}

func TestOfferingPasskeys(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	offered := func(want bool, name string) {
		t.Helper()
		if got, err := r.OfferPasskey(ctx, r.ann); got != want || err != nil {
			t.Errorf("%s: %t %v", name, got, err)
		}
	}
	offered(true, "at first")
	must(t, r.Declined(ctx, r.ann))
	offered(false, "after a no")
	r.pass(30 * 24 * time.Hour)
	offered(true, "a month later")
	must(t, r.enrolls(t, r.ann, factor.Passkey, device()))
	offered(false, "with one")
	r.Keys = nil
	offered(false, "without WebAuthn")
}

func TestEnrollCode(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	secret, err := r.SendCode(ctx, r.ann, factor.Enrolling(factor.Email, "ann@example.com"), by)
	must(t, err)
	_, err = r.CheckCode(ctx, r.ann, secret, r.code(), by)
	is(t, "as a factor that is there", err, factor.ErrWrong)
	_, err = r.EnrollCode(ctx, r.ben, factor.Enrolling(factor.Email, "ann@example.com"), secret, r.code(), by)
	is(t, "by somebody else", err, factor.ErrWrong)
	recovery, err := r.EnrollCode(ctx, r.ann, factor.Enrolling(factor.Email, "ann@example.com"), secret, r.code(), by)
	if err != nil || recovery == "" || r.kinds(t, r.ann) != "email recovery-code" {
		t.Errorf("%q %v %s", recovery, err, r.kinds(t, r.ann))
	}
}

func TestEnrollmentTickets(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	id, link, err := r.NewTicket(ctx, r.ann, factor.TicketRequest{SendMail: true}, audit.Event{Type: audit.APIOperation})
	must(t, err)
	if !strings.HasPrefix(link, publicURL+factor.TicketPath+"?ticket=") || !strings.HasSuffix(link, id) {
		t.Errorf("%s", link)
	}
	k, u, err := r.Ticket(ctx, id)
	if err != nil || u.ID != r.ann.ID || k.Seed == "" {
		t.Fatalf("%+v %v", k, err)
	}
	must(t, r.SpendTicket(ctx, k))
	is(t, "twice", r.SpendTicket(ctx, k), factor.ErrTicket)
	_, _, err = r.Ticket(ctx, id)
	is(t, "looked at again", err, factor.ErrTicket)
	id, _, err = r.NewTicket(ctx, r.ann, factor.TicketRequest{}, audit.Event{Type: audit.APIOperation})
	must(t, err)
	r.pass(5 * 24 * time.Hour)
	_, _, err = r.Ticket(ctx, id)
	is(t, "five days later", err, factor.ErrTicket)
}

// FuzzKeys: whatever a browser sends enrolls nothing and signs nobody in, and the
// failure is the caller's.
func FuzzKeys(f *testing.F) {
	for _, s := range []string{``, `{}`, `null`, `{"id":"AA","rawId":"AA","type":"public-key","response":{"clientDataJSON":"e30","authenticatorData":"","signature":"","userHandle":"AA"}}`,
		`{"id":"AA","rawId":"AA","type":"public-key","response":{"clientDataJSON":"e30","attestationObject":"o2NmbXRkbm9uZQ"}}`} {
		f.Add(s)
	}
	keys, err := factor.NewKeys(publicURL)
	if err != nil {
		f.Fatal(err)
	}
	s := &factor.Service{Keys: keys, Store: nobody{}, Users: nil}
	f.Fuzz(func(t *testing.T, response string) {
		c, err := s.BeginPasskey()
		must(t, err)
		u, err := s.CheckPasskey(t.Context(), c.Session, response, by)
		if u != nil || !errors.Is(err, factor.ErrWrong) {
			t.Fatalf("%v %v", u, err)
		}
	})
}

// nobody is a store that knows no handle.
type nobody struct{ factor.Store }

func (nobody) UserOfHandle(context.Context, string) (string, error) { return "", factor.ErrNone }
