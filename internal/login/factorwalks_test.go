package login_test

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
	"mangrove/internal/factor"
	"mangrove/internal/factor/factortest"
	"mangrove/internal/oauth"
	"mangrove/internal/profile"
	"mangrove/internal/tenant"
	"mangrove/internal/user"
)

// last is the code that was sent last.
func (p *factorPost) last() string { return p.codes[len(p.codes)-1] }

const aNumber = "+15551239167"

// kinds of the confirmed factors of a user.
func (r *rig) kinds(id user.ID) string {
	r.t.Helper()
	list, err := r.store.Factors(r.t.Context(), string(id), r.now().UnixMicro())
	if err != nil {
		r.t.Fatal(err)
	}
	var out []string
	for _, f := range list {
		out = append(out, string(f.Kind)+" "+f.Detail.Address)
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

func TestEnrollingAPhone(t *testing.T) {
	r := newRig(t)
	r.database()
	r.tenant = func(s *tenant.Settings) { s.MFA = tenant.MFA{SMS: true, RecoveryCode: true, Always: true} }
	id := r.person("ada@example.test")
	b := r.browser()
	a := b.signIn("ada@example.test", password)
	a.wantAt(t, "/u/mfa-sms-enrollment")
	here := a.at.String()
	for _, typed := range []string{"", "12", "hello", "+1555123916799999999"} {
		p := b.post(here, url.Values{"phone_number": {typed}})
		p.wantPage(t, http.StatusBadRequest, "")
		p.wantAt(t, "/u/mfa-sms-enrollment")
	}
	b.post(here, url.Values{"code": {"123456"}}).wantAt(t, "/u/mfa-sms-enrollment")
	if len(r.post.codes) != 0 {
		t.Fatalf("%d codes were sent", len(r.post.codes))
	}
	a = b.post(here, url.Values{"phone_number": {"+1 555 123-9167"}})
	a.wantAt(t, "/u/mfa-sms-enrollment")
	if !strings.Contains(a.body, "9167") || strings.Contains(a.body, aNumber) || len(r.post.codes) != 1 {
		t.Errorf("%d codes; %s", len(r.post.codes), a.body)
	}
	b.get(here)
	if len(r.post.codes) != 1 {
		t.Error("looking sends another code")
	}
	first := r.post.last()
	b.post(here, url.Values{"resend": {"1"}}).wantAt(t, "/u/mfa-sms-enrollment")
	if first != r.post.last() {
		b.post(here, url.Values{"code": {first}}).wantPage(t, http.StatusBadRequest, "")
	}
	b.post(here, url.Values{"code": {""}}).wantPage(t, http.StatusBadRequest, "")

	// Another number: the code of the first proves nothing of it, and fields of a
	// form neither.
	a = b.get(here + "&edit=1")
	if !strings.Contains(a.body, `name="phone_number"`) {
		t.Errorf("no field: %s", a.body)
	}
	old := r.post.last()
	b.post(here, url.Values{"phone_number": {"+15550001111"}}).wantAt(t, "/u/mfa-sms-enrollment")
	if old != r.post.last() {
		b.post(here, url.Values{"code": {old}, "phone": {aNumber}, "to": {aNumber}}).wantPage(t, http.StatusBadRequest, "")
	}
	if b.whoami() != "" || r.kinds(id) != "" {
		t.Fatalf("%q, factors %q", b.whoami(), r.kinds(id))
	}
	a = b.post(here, url.Values{"code": {r.post.last()}})
	a.wantAt(t, "/u/mfa-recovery-code-enrollment")
	b.post(action(t, a.body), url.Values{"saved": {"1"}}).wantUser(t, string(id))
	if got := r.kinds(id); got != "phone +15550001111, recovery-code " {
		t.Errorf("factors %q", got)
	}
	b.get("/end")
	a = b.signIn("ada@example.test", password)
	a.wantAt(t, "/u/mfa-sms-challenge")
	b.post(a.at.String(), url.Values{"code": {r.post.last()}}).wantUser(t, string(id))
}

// TestTheCodeForAnAddressEnrollsNoPhone: what was proven is what is enrolled.
func TestTheCodeForAnAddressEnrollsNoPhone(t *testing.T) {
	r := newRig(t)
	r.database()
	r.tenant = func(s *tenant.Settings) { s.MFA = tenant.MFA{SMS: true, Email: true, Always: true} }
	id := r.person("ada@example.test")
	if _, err := r.store.UpdateUser(t.Context(), id, func(u *user.User) (user.Effect, error) {
		u.Profile.Set(profile.EmailVerified, profile.Bool(true), profile.Source{Origin: profile.FromManagement})
		return user.Effect{}, nil
	}); err != nil {
		t.Fatal(err)
	}
	b := r.browser()
	a := b.signIn("ada@example.test", password)
	a.wantAt(t, "/u/mfa-begin-enroll-options")
	phone, mail := "/u/mfa-sms-enrollment?state="+state(a), "/u/mfa-email-enrollment?state="+state(a)
	b.post(phone, url.Values{"phone_number": {aNumber}}).wantAt(t, "/u/mfa-sms-enrollment")
	b.get(mail).wantAt(t, "/u/mfa-email-enrollment")
	if len(r.post.codes) != 2 {
		t.Fatalf("%d codes", len(r.post.codes))
	}
	b.post(phone, url.Values{"code": {r.post.last()}}).wantPage(t, http.StatusBadRequest, "")
	if got := r.kinds(id); got != "" {
		t.Fatalf("factors %q", got)
	}
	b.get(mail)
	b.post(mail, url.Values{"code": {r.post.last()}}).wantUser(t, string(id))
	if got := r.kinds(id); got != "email ada@example.test" {
		t.Errorf("factors %q", got)
	}
}

// TestTooManyTexts: a person is sent ten codes at once, whatever the numbers.
func TestTooManyTexts(t *testing.T) {
	r := newRig(t)
	r.database()
	r.tenant = func(s *tenant.Settings) { s.MFA = tenant.MFA{SMS: true, Always: true} }
	r.person("ada@example.test")
	b := r.browser()
	a := b.signIn("ada@example.test", password)
	for range 10 {
		b.post(a.at.String(), url.Values{"phone_number": {aNumber}}).wantAt(t, "/u/mfa-sms-enrollment")
	}
	b.post(a.at.String(), url.Values{"phone_number": {aNumber}}).wantPage(t, http.StatusTooManyRequests, "")
	if len(r.post.codes) != 10 {
		t.Errorf("%d codes", len(r.post.codes))
	}
}

func TestEnrollmentOfAPhoneByLink(t *testing.T) {
	r := newRig(t)
	r.database()
	r.tenant = func(s *tenant.Settings) { s.MFA = tenant.MFA{SMS: true, RecoveryCode: true} }
	id := r.person("ada@example.test")
	u, err := r.store.User(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	_, link, err := r.factors.NewTicket(t.Context(), u, factor.TicketRequest{Kind: factor.Phone}, audit.Event{Type: audit.APIOperation})
	if err != nil {
		t.Fatal(err)
	}
	b := r.browser()
	b.get(link).wantPage(t, http.StatusOK, `name="phone_number"`)
	b.post(link, url.Values{"phone_number": {"12"}}).wantPage(t, http.StatusBadRequest, `name="phone_number"`)
	b.post(link, url.Values{"resend": {"1"}}).wantPage(t, http.StatusBadRequest, `name="phone_number"`)
	b.post(link, url.Values{"code": {"123456"}}).wantPage(t, http.StatusBadRequest, "")
	if len(r.post.codes) != 0 {
		t.Fatalf("%d codes", len(r.post.codes))
	}
	a := b.post(link, url.Values{"phone_number": {aNumber}})
	a.wantPage(t, http.StatusOK, `name="code"`)
	b.post(link, url.Values{"resend": {"1"}}).wantPage(t, http.StatusOK, `name="code"`)
	b.get(link+"&edit=1").wantPage(t, http.StatusOK, `name="phone_number"`)
	b.post(link, url.Values{"code": {"x"}}).wantPage(t, http.StatusBadRequest, `name="code"`)
	foreign := b.postWith(link, "application/x-www-form-urlencoded", "phone_number=%2B15550000000", map[string]string{"Sec-Fetch-Site": "cross-site"})
	foreign.wantPage(t, http.StatusForbidden, "")
	a = b.post(link, url.Values{"code": {r.post.last()}})
	recoveryIn(t, a.body)
	b.post(action(t, a.body), url.Values{"saved": {"1"}}).wantPage(t, http.StatusOK, "All set")
	if got := r.kinds(id); got != "phone "+aNumber+", recovery-code " {
		t.Errorf("factors %q", got)
	}
	b.get(link).wantPage(t, http.StatusBadRequest, "")
}

// TestFactorsAfterOtherFirstFactors: a one-time code is one factor, a passkey both.
func TestFactorsAfterOtherFirstFactors(t *testing.T) {
	r := newRig(t)
	r.connect("con_mails00000000001", "email", "email", map[string]any{}, `{}`)
	r.tenant = func(s *tenant.Settings) { s.MFA = tenant.MFA{OTP: true, Always: true} }
	b := r.browser()
	a := b.get("/authorize")
	a = b.post(a.at.String(), url.Values{"username": {"eve@example.test"}})
	a.wantAt(t, "/u/login/passwordless-email-challenge")
	a = b.post(a.at.String(), url.Values{"code": {r.mail.last()}})
	a.wantAt(t, "/u/mfa-otp-enrollment")
	if b.whoami() != "" {
		t.Fatal("a session before the second factor")
	}
	secret := shownSeed(t, a.body)
	done := b.post(a.at.String(), url.Values{"code": {r.otp(secret)}})
	if done.app == nil || b.whoami() == "" {
		t.Fatalf("%d at %s: %s", done.status, done.at, done.body)
	}
	r.pass(time.Minute)
	other := r.browser()
	a = other.get("/authorize")
	a = other.post(a.at.String(), url.Values{"username": {"eve@example.test"}})
	a = other.post(a.at.String(), url.Values{"code": {r.mail.last()}})
	a.wantAt(t, "/u/mfa-otp-challenge")
	if done = other.post(a.at.String(), url.Values{"code": {r.otp(secret)}}); done.app == nil {
		t.Errorf("%d at %s", done.status, done.at)
	}
}

// TestAboutFactors: for a token by which factors can be changed neither a trusted
// browser nor a connection without second factors will do.
func TestAboutFactors(t *testing.T) {
	r := newRig(t)
	r.connect(databaseID, "db", "auth0", map[string]any{"mfa": map[string]any{"active": false}}, `{}`)
	id := r.guardedPerson("ada@example.test", anApplication)
	b := r.browser()
	b.signIn("ada@example.test", password).wantUser(t, string(id))
	b.get("/end")
	r.request = func(q *oauth.AuthorizeRequest) { q.Audience = r.url + "/mfa/" }
	a := b.signIn("ada@example.test", password)
	a.wantAt(t, "/u/mfa-otp-challenge")
	b.post(a.at.String(), url.Values{"code": {r.otp(seed)}, "trust": {"1"}}).wantUser(t, string(id))
	b.get("/end")
	b.signIn("ada@example.test", password).wantAt(t, "/u/mfa-otp-challenge")
}

// TestKeyPages: the page that adds a key speaks of a key, not of a passkey.
func TestKeyPages(t *testing.T) {
	r := newRig(t)
	r.database()
	r.tenant = func(s *tenant.Settings) {
		s.MFA = tenant.MFA{WebAuthnRoaming: true, WebAuthnPlatform: true, RecoveryCode: true, Always: true}
	}
	id := r.person("ada@example.test")
	b := r.browser()
	a := b.signIn("ada@example.test", password)
	a.wantAt(t, "/u/mfa-begin-enroll-options")
	b.get("/u/mfa-webauthn-roaming-enrollment?state="+state(a)).wantPage(t, http.StatusOK, "Set up a security key")
	p := b.get("/u/mfa-webauthn-platform-enrollment?state=" + state(a))
	p.wantPage(t, http.StatusOK, "Set up this device")
	b.post(p.at.String(), url.Values{"skip": {"1"}}).wantAt(t, "/u/mfa-begin-enroll-options")
	p = b.get(p.at.String())
	key := &factortest.Authenticator{Origin: keyOrigin, RPID: "id.example", Count: 1}
	made, err := key.Create(options(t, p.body))
	if err != nil {
		t.Fatal(err)
	}
	a = b.post(p.at.String(), url.Values{"passkey": {made}})
	a.wantAt(t, "/u/mfa-recovery-code-enrollment")
	b.post(action(t, a.body), url.Values{"saved": {"1"}}).wantUser(t, string(id))
}

// TestCeilingOfTexts: when no more text messages may be sent, the page says so and
// the number that was typed stays.
func TestCeilingOfTexts(t *testing.T) {
	r := newRig(t)
	r.database()
	r.tenant = func(s *tenant.Settings) { s.MFA = tenant.MFA{SMS: true, Always: true} }
	r.person("ada@example.test")
	service := r.passwordless()
	service.SMSPerHour = 2
	r.factors.CountSMS = service.SpendText
	b := r.browser()
	a := b.signIn("ada@example.test", password)
	for range 2 {
		b.post(a.at.String(), url.Values{"phone_number": {aNumber}}).wantAt(t, "/u/mfa-sms-enrollment")
	}
	p := b.post(a.at.String(), url.Values{"phone_number": {"+15550001111"}})
	p.wantPage(t, http.StatusTooManyRequests, `value="&#43;15550001111"`)
	if len(r.post.codes) != 2 {
		t.Errorf("%d codes", len(r.post.codes))
	}
	if err := service.SpendText(t.Context(), "", aNumber); errs.KindOf(err) != errs.TooMany || errors.Is(err, factor.ErrLimited) {
		t.Errorf("%v", err)
	}
}
