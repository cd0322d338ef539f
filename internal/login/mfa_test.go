package login_test

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"mangrove/internal/audit"
	"mangrove/internal/factor"
	"mangrove/internal/factor/factortest"
	"mangrove/internal/letter"
	"mangrove/internal/oauth"
	"mangrove/internal/profile"
	"mangrove/internal/store"
	"mangrove/internal/tenant"
	"mangrove/internal/user"
)

// keyOrigin is the public URL of the rig as WebAuthn knows it: the rig's own
// address is no domain name.
const keyOrigin = "https://id.example"

// factorPost keeps the codes of second factors.
type factorPost struct {
	*store.Store
	codes, languages []string
}

func (p *factorPost) SendLetters(ctx context.Context, letters []letter.Letter, events ...audit.Event) error {
	for _, l := range letters {
		p.codes, p.languages = append(p.codes, l.Code), append(p.languages, l.Language)
	}
	return p.AppendEvents(ctx, events...)
}

func (r *rig) factored() *factor.Service {
	keys, err := factor.NewKeys(keyOrigin)
	if err != nil {
		r.t.Fatal(err)
	}
	r.post = &factorPost{Store: r.store}
	r.factors = &factor.Service{
		Store: r.store, Users: r.store, Tenant: r, Letters: r.post, Audit: r, Now: r.now, DeviceKey: []byte("k"), PublicURL: r.url, Keys: keys,
		SMS: func(_ context.Context, _, code, _ string) error {
			r.post.codes = append(r.post.codes, code)
			return nil
		},
	}
	return r.factors
}

const seed = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"

func (r *rig) otp(seed string) string {
	r.t.Helper()
	code, err := totp.GenerateCode(seed, r.now())
	if err != nil {
		r.t.Fatal(err)
	}
	return code
}

// guardedPerson has the factors of an import.
func (r *rig) guardedPerson(email, factors string) user.ID {
	r.t.Helper()
	id := r.person(email)
	_, err := r.store.UpdateUser(r.t.Context(), id, func(u *user.User) (user.Effect, error) {
		u.MFAFactors = profile.Value(factors)
		return user.Effect{}, nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return id
}

const anApplication = `[{"totp":{"secret":"` + seed + `"}}]`

func (a answer) wantAt(t *testing.T, path string) {
	t.Helper()
	if a.at.Path != path || a.app != nil {
		t.Fatalf("at %s with %d, application %v: %s; want %s", a.at, a.status, a.app, a.body, path)
	}
}

func state(a answer) string { return a.at.Query().Get("state") }

func TestSecondFactor(t *testing.T) {
	r := newRig(t)
	r.database()
	id := r.guardedPerson("ada@example.test", anApplication)
	b := r.browser()
	a := b.signIn("ada@example.test", password)
	a.wantAt(t, "/u/mfa-otp-challenge")
	if got := b.whoami(); got != "" {
		t.Fatalf("a session of %s before the second factor", got)
	}
	p := b.post(action(t, a.body), url.Values{"code": {"000000"}})
	p.wantPage(t, http.StatusBadRequest, "")
	p.wantAt(t, "/u/mfa-otp-challenge")
	p = b.post(action(t, p.body), url.Values{"code": {""}})
	p.wantPage(t, http.StatusBadRequest, "")
	code := r.otp(seed)
	done := b.post(action(t, p.body), url.Values{"code": {code}})
	done.wantUser(t, string(id))
	b.get("/u/mfa-otp-challenge?state="+state(p)).wantPage(t, http.StatusBadRequest, "")

	// The same code again, in another sign-in.
	other := r.browser()
	a = other.signIn("ada@example.test", password)
	other.post(action(t, a.body), url.Values{"code": {code}}).wantPage(t, http.StatusBadRequest, "")
}

// TestNoWayAroundTheSecondFactor: whoever has the password alone gets no session,
// whatever they ask for (security.md 51, 55).
func TestNoWayAroundTheSecondFactor(t *testing.T) {
	r := newRig(t)
	r.database()
	id := r.guardedPerson("ada@example.test", anApplication)
	other := r.person("bob@example.test")
	r.tenant = func(s *tenant.Settings) {
		s.MFA = tenant.MFA{OTP: true, Email: true, SMS: true, WebAuthnRoaming: true, RecoveryCode: true}
	}
	b := r.browser()
	first := b.get("/authorize")
	a := b.enter(first, "ada@example.test", password)
	a.wantAt(t, "/u/mfa-otp-challenge")
	s := state(a)

	// The state from before the password is dead.
	b.get("/u/mfa-otp-challenge?state="+state(first)).wantPage(t, http.StatusBadRequest, "")
	// Pages that lie behind, pages that enroll, pages that skip.
	for _, path := range []string{
		"/u/consent", "/u/passkey-enrollment", "/u/mfa-otp-enrollment", "/u/mfa-recovery-code-enrollment", "/u/mfa-email-enrollment",
		"/u/mfa-begin-enroll-options", "/u/mfa-webauthn-roaming-enrollment", "/u/mfa-webauthn-platform-enrollment", "/u/mfa-email-challenge",
		"/u/mfa-sms-challenge", "/u/mfa-webauthn-roaming-challenge", "/u/mfa-recovery-code-challenge",
	} {
		for _, form := range []url.Values{
			nil, {}, {"skip": {"1"}}, {"saved": {"1"}}, {"decision": {"accept"}}, {"code": {"123456"}}, {"passkey": {"{}"}}, {"resend": {"1"}, "trust": {"1"}},
			{"user_id": {string(other)}, "code": {r.otp(seed)}},
		} {
			var got answer
			if form == nil {
				got = b.get(path + "?state=" + s)
			} else {
				got = b.post(path+"?state="+s, form)
			}
			if got.app != nil || b.whoami() != "" {
				t.Fatalf("%s %v leads to %v, %q", path, form, got.app, b.whoami())
			}
		}
	}
	// Another browser that knows the state.
	stranger := r.browser()
	stranger.get("/authorize")
	stranger.post("/u/mfa-otp-challenge?state="+s, url.Values{"code": {r.otp(seed)}}).wantPage(t, http.StatusBadRequest, "")
	// Another site that posts.
	foreign := b.postWith("/u/mfa-otp-challenge?state="+s, "application/x-www-form-urlencoded", "code="+r.otp(seed), map[string]string{"Sec-Fetch-Site": "cross-site"})
	foreign.wantPage(t, http.StatusForbidden, "")

	// Another tab signs somebody else in: each login has its own progress.
	tab := b.get("/authorize")
	b.enter(tab, "bob@example.test", password).wantUser(t, string(other))
	r.pass(30 * time.Minute)
	b.get("/u/mfa-otp-challenge?state="+s).wantAt(t, "/u/mfa-otp-challenge")
	b.post("/u/mfa-otp-challenge?state="+s, url.Values{"code": {r.otp(seed)}}).wantUser(t, string(id))
}

func TestGuessingSecondFactors(t *testing.T) {
	r := newRig(t)
	r.database()
	id := r.guardedPerson("ada@example.test", anApplication)
	b := r.browser()
	a := b.signIn("ada@example.test", password)
	for range 10 {
		a = b.post(action(t, a.body), url.Values{"code": {"000000"}})
		a.wantPage(t, http.StatusBadRequest, "")
	}
	a = b.post(action(t, a.body), url.Values{"code": {r.otp(seed)}})
	a.wantPage(t, http.StatusTooManyRequests, "")
	r.pass(6 * time.Minute)
	b.post(action(t, a.body), url.Values{"code": {r.otp(seed)}}).wantUser(t, string(id))
}

func TestEnrollingWhenTheTenantWantsIt(t *testing.T) {
	r := newRig(t)
	r.database()
	r.tenant = func(s *tenant.Settings) { s.MFA = tenant.MFA{OTP: true, RecoveryCode: true, Always: true} }
	id := r.person("ada@example.test")
	b := r.browser()
	a := b.signIn("ada@example.test", password)
	a.wantAt(t, "/u/mfa-otp-enrollment")
	shown := shownSeed(t, a.body)
	if again := b.get("/u/mfa-otp-enrollment?state=" + state(a)); shownSeed(t, again.body) != shown {
		t.Error("the secret changes under the person's eyes")
	}
	p := b.post(action(t, a.body), url.Values{"code": {"000000"}})
	p.wantPage(t, http.StatusBadRequest, "")
	p = b.post(action(t, p.body), url.Values{"code": {r.otp(shown)}})
	p.wantAt(t, "/u/mfa-recovery-code-enrollment")
	if b.whoami() != "" {
		t.Error("a session before the recovery code was seen")
	}
	recovery := recoveryIn(t, p.body)
	p = b.post(action(t, p.body), url.Values{})
	p.wantPage(t, http.StatusBadRequest, "")
	b.post(action(t, p.body), url.Values{"saved": {"1"}}).wantUser(t, string(id))

	// The next time it is asked for; a recovery code stands in, once.
	next := r.browser()
	a = next.signIn("ada@example.test", password)
	a.wantAt(t, "/u/mfa-otp-challenge")
	a = next.get("/u/mfa-recovery-code-challenge?state=" + state(a))
	a.wantAt(t, "/u/mfa-recovery-code-challenge")
	a = next.post(action(t, a.body), url.Values{"code": {"AAAABBBBCCCCDDDDEEEEFFFF"}})
	a.wantPage(t, http.StatusBadRequest, "")
	a = next.post(action(t, a.body), url.Values{"code": {recovery}})
	a.wantAt(t, "/u/mfa-recovery-code-enrollment")
	if recoveryIn(t, a.body) == recovery {
		t.Error("the recovery code stays the same")
	}
	next.post(action(t, a.body), url.Values{"saved": {"1"}}).wantUser(t, string(id))
}

var secretOnPage = regexp.MustCompile(`class="secret"[^>]*>([^<]*)<`)

// secretIn is the secret that a page shows in groups.
func secretIn(t *testing.T, html string, length int) string {
	t.Helper()
	m := secretOnPage.FindStringSubmatch(html)
	if m == nil {
		t.Fatalf("no secret in %s", html)
	}
	text := strings.Join(strings.FieldsFunc(m[1], func(c rune) bool { return c == ' ' || c == '-' || c == '\n' }), "")
	if len(text) != length {
		t.Fatalf("a secret of %d characters: %q", len(text), text)
	}
	return text
}

func shownSeed(t *testing.T, html string) string { t.Helper(); return secretIn(t, html, 32) }

func recoveryIn(t *testing.T, html string) string { t.Helper(); return secretIn(t, html, 24) }

// passwordOn signs in by identifier and password where passkeys are offered, too.
func (b *browser) passwordOn(email string) answer {
	b.r.t.Helper()
	a := b.get("/authorize")
	a.wantAt(b.r.t, "/u/login/identifier")
	a = b.post(a.at.String(), url.Values{"username": {email}})
	a.wantAt(b.r.t, "/u/login/password")
	return b.post(a.at.String(), url.Values{"password": {password}})
}

func TestCodesOfSecondFactors(t *testing.T) {
	r := newRig(t)
	r.database()
	id := r.guardedPerson("ada@example.test", `[{"email":{"value":"ada@example.test"}},{"phone":{"value":"+15551239167"}}]`)
	b := r.browser()
	a := b.signIn("ada@example.test", password)
	a.wantAt(t, "/u/mfa-email-challenge")
	if strings.Contains(a.body, "ada@example.test") || len(r.post.codes) != 1 {
		t.Errorf("%d codes; %s", len(r.post.codes), a.body)
	}
	b.get("/u/mfa-email-challenge?state=" + state(a))
	if len(r.post.codes) != 1 {
		t.Error("looking at the page sends another code")
	}
	a = b.post(a.at.String(), url.Values{"resend": {"1"}})
	a.wantAt(t, "/u/mfa-email-challenge")
	if len(r.post.codes) != 2 {
		t.Errorf("%d codes", len(r.post.codes))
	}
	if r.post.codes[0] != r.post.codes[1] {
		b.post(a.at.String(), url.Values{"code": {r.post.codes[0]}}).wantPage(t, http.StatusBadRequest, "")
	}
	a = b.get("/u/mfa-sms-challenge?state=" + state(a))
	a.wantAt(t, "/u/mfa-sms-challenge")
	b.post(a.at.String(), url.Values{"code": {r.post.codes[2]}}).wantUser(t, string(id))
}

// A code is written in the language of the browser where the request names none.
func TestLanguageOfACode(t *testing.T) {
	r := newRig(t)
	r.database()
	r.guardedPerson("ada@example.test", `[{"email":{"value":"ada@example.test"}}]`)
	b := r.browser()
	a := b.signIn("ada@example.test", password)
	a = b.postWith(a.at.String(), "application/x-www-form-urlencoded", "resend=1", map[string]string{"Accept-Language": "de"})
	a.wantAt(t, "/u/mfa-email-challenge")
	if got := r.post.languages; len(got) != 2 || got[1] != "de" {
		t.Errorf("%q", got)
	}
}

func TestTrustedBrowser(t *testing.T) {
	r := newRig(t)
	r.database()
	id := r.guardedPerson("ada@example.test", anApplication)
	b := r.browser()
	a := b.signIn("ada@example.test", password)
	b.post(action(t, a.body), url.Values{"code": {r.otp(seed)}, "trust": {"1"}}).wantUser(t, string(id))
	b.get("/end")
	b.signIn("ada@example.test", password).wantUser(t, string(id))
	b.get("/end")
	r.request = func(q *oauth.AuthorizeRequest) { q.ACRValues = factor.ACR }
	b.signIn("ada@example.test", password).wantAt(t, "/u/mfa-otp-challenge")
	r.request = nil
	r.browser().signIn("ada@example.test", password).wantAt(t, "/u/mfa-otp-challenge")
	if err := r.factors.Forget(t.Context(), string(id)); err != nil {
		t.Fatal(err)
	}
	b.signIn("ada@example.test", password).wantAt(t, "/u/mfa-otp-challenge")
}

// withPasskeys is a database that has them.
func (r *rig) withPasskeys() {
	r.connect(databaseID, "db", "auth0", map[string]any{
		"authentication_methods": map[string]any{"password": map[string]any{"enabled": true}, "passkey": map[string]any{"enabled": true}},
	}, `{}`)
	r.tenant = func(s *tenant.Settings) { s.IdentifierFirst = true }
}

// options are those of the ceremony on a page.
func options(t *testing.T, html string) string {
	t.Helper()
	list := slices.DeleteFunc(attributes(t, html, "form", "data-options"), func(s string) bool { return s == "" })
	if len(list) != 1 {
		t.Fatalf("%d ceremonies in %s", len(list), html)
	}
	return list[0]
}

func TestPasskey(t *testing.T) {
	r := newRig(t)
	r.withPasskeys()
	id := r.person("ada@example.test")
	key := &factortest.Authenticator{Origin: keyOrigin, RPID: "id.example", Count: 1}
	b := r.browser()
	a := b.passwordOn("ada@example.test")
	a.wantAt(t, "/u/passkey-enrollment")
	b.post(a.at.String(), url.Values{"passkey": {"{}"}}).wantPage(t, http.StatusBadRequest, "")
	a = b.get(a.at.String())
	made, err := key.Create(options(t, a.body))
	if err != nil {
		t.Fatal(err)
	}
	b.post(a.at.String(), url.Values{"passkey": {made}}).wantUser(t, string(id))

	// It signs in, without a password and without a second factor.
	r.tenant = func(s *tenant.Settings) { s.IdentifierFirst, s.MFA = true, tenant.MFA{OTP: true, Always: true} }
	other := r.browser()
	a = other.get("/authorize")
	shown, err := key.Get(options(t, a.body))
	if err != nil {
		t.Fatal(err)
	}
	wrong := other.post("/u/login/passkey?state="+state(a), url.Values{"passkey": {strings.Replace(shown, `"signature":"M`, `"signature":"N`, 1)}})
	wrong.wantPage(t, http.StatusBadRequest, "")
	// The challenge is used up by the wrong answer.
	other.post("/u/login/passkey?state="+state(a), url.Values{"passkey": {shown}}).wantPage(t, http.StatusBadRequest, "")
	a = other.get("/u/login/identifier?state=" + state(a))
	if shown, err = key.Get(options(t, a.body)); err != nil {
		t.Fatal(err)
	}
	done := other.post(a.at.String(), url.Values{"passkey": {shown}})
	done.wantUser(t, string(id))

	// A blocked user is told, and gets nothing.
	r.block(id)
	third := r.browser()
	a = third.get("/authorize")
	if shown, err = key.Get(options(t, a.body)); err != nil {
		t.Fatal(err)
	}
	third.post(a.at.String(), url.Values{"passkey": {shown}}).wantError(t, "unauthorized", "blocked")
}

func TestDecliningAPasskey(t *testing.T) {
	r := newRig(t)
	r.withPasskeys()
	id := r.person("ada@example.test")
	b := r.browser()
	a := b.passwordOn("ada@example.test")
	a.wantAt(t, "/u/passkey-enrollment")
	b.post(a.at.String(), url.Values{"skip": {"1"}}).wantUser(t, string(id))
	r.browser().passwordOn("ada@example.test").wantUser(t, string(id))
	r.pass(30 * 24 * time.Hour)
	r.browser().passwordOn("ada@example.test").wantAt(t, "/u/passkey-enrollment")
}

func TestSecurityKey(t *testing.T) {
	r := newRig(t)
	r.database()
	r.tenant = func(s *tenant.Settings) { s.MFA = tenant.MFA{OTP: true, WebAuthnRoaming: true, Always: true} }
	id := r.person("ada@example.test")
	key := &factortest.Authenticator{Origin: keyOrigin, RPID: "id.example", Count: 1, Unverified: true}
	b := r.browser()
	a := b.signIn("ada@example.test", password)
	a.wantAt(t, "/u/mfa-begin-enroll-options")
	a = b.get("/u/mfa-webauthn-roaming-enrollment?state=" + state(a))
	made, err := key.Create(options(t, a.body))
	if err != nil {
		t.Fatal(err)
	}
	b.post(a.at.String(), url.Values{"passkey": {made}}).wantUser(t, string(id))

	other := r.browser()
	a = other.signIn("ada@example.test", password)
	a.wantAt(t, "/u/mfa-webauthn-roaming-challenge")
	other.post(a.at.String(), url.Values{"passkey": {made}}).wantPage(t, http.StatusBadRequest, "")
	a = other.get(a.at.String())
	shown, err := key.Get(options(t, a.body))
	if err != nil {
		t.Fatal(err)
	}
	other.post(a.at.String(), url.Values{"passkey": {shown}}).wantUser(t, string(id))
}

// A key that cannot be asked leads to another factor, or ends on a page; never in
// a circle.
func TestUnusableKey(t *testing.T) {
	r := newRig(t)
	r.database()
	r.tenant = func(s *tenant.Settings) { s.MFA = tenant.MFA{WebAuthnRoaming: true, Always: true} }
	r.person("ada@example.test")
	key := &factortest.Authenticator{Origin: keyOrigin, RPID: "id.example", Count: 1, Unverified: true}
	b := r.browser()
	a := b.signIn("ada@example.test", password)
	made, err := key.Create(options(t, a.body))
	if err != nil {
		t.Fatal(err)
	}
	b.post(a.at.String(), url.Values{"passkey": {made}})
	r.factors.Keys = nil
	a = r.browser().signIn("ada@example.test", password)
	a.wantPage(t, http.StatusBadRequest, "Your security key cannot be used here.")

	r.guardedPerson("bob@example.test", `[{"totp":{"secret":"`+seed+`"}}]`)
	r.factors.Keys, err = factor.NewKeys(keyOrigin)
	if err != nil {
		t.Fatal(err)
	}
	b = r.browser()
	a = b.signIn("bob@example.test", password)
	a = b.get("/u/mfa-webauthn-roaming-challenge?state=" + state(a))
	a.wantAt(t, "/u/mfa-otp-challenge")
}

func TestEnrollmentByLink(t *testing.T) {
	r := newRig(t)
	r.database()
	r.tenant = func(s *tenant.Settings) { s.MFA = tenant.MFA{OTP: true, RecoveryCode: true} }
	id := r.person("ada@example.test")
	u, err := r.store.User(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	_, link, err := r.factors.NewTicket(t.Context(), u, factor.TicketRequest{}, audit.Event{Type: audit.APIOperation})
	if err != nil {
		t.Fatal(err)
	}
	b := r.browser()
	b.get(factor.TicketPath+"?ticket=nobody's").wantPage(t, http.StatusBadRequest, "")
	a := b.get(link)
	shown := shownSeed(t, a.body)
	b.post(link, url.Values{"code": {"000000"}}).wantPage(t, http.StatusBadRequest, "")
	if again := b.get(link); shownSeed(t, again.body) != shown {
		t.Error("the secret changes")
	}
	a = b.post(link, url.Values{"code": {r.otp(shown)}})
	recoveryIn(t, a.body)
	b.post(action(t, a.body), url.Values{"saved": {"1"}}).wantPage(t, http.StatusOK, "")
	b.get(link).wantPage(t, http.StatusBadRequest, "")
	b.post(link, url.Values{"code": {r.otp(shown)}}).wantPage(t, http.StatusBadRequest, "")
	b.signIn("ada@example.test", password).wantAt(t, "/u/mfa-otp-challenge")
}
