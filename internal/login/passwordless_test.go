package login_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/oauth"
	codes "mangrove/internal/passwordless"
	"mangrove/internal/profile"
	"mangrove/internal/store/storetest"
	"mangrove/internal/tenant"
	"mangrove/internal/token"
	"mangrove/internal/user"
)

// mailbox is what one-time codes send.
type mailbox struct{ storetest.Mailbox }

// last is the code or link that was sent last.
func (m *mailbox) last() string {
	if texts := m.Texts(); len(texts) > 0 {
		return texts[len(texts)-1].Code
	}
	letters := m.Letters()
	if len(letters) == 0 {
		return "nothing was sent"
	}
	l := letters[len(letters)-1]
	return l.Code + l.URL
}

func (r *rig) passwordless() *codes.Service {
	return &codes.Service{
		Store: r.mail, Users: r.users, Identities: r.store, Texts: r.mail, Key: []byte("key of the hashes"), PublicURL: r.url, Now: r.now,
		Wait: func(context.Context, time.Duration) {},
	}
}

// validate is what op does with the parameters of a request, as far as pages
// depend on it.
func validate(_ *http.Request, v url.Values) (oauth.AuthorizeRequest, error) {
	req := oauth.AuthorizeRequest{
		ClientID: v.Get("client_id"), RedirectURI: v.Get("redirect_uri"), ResponseType: v.Get("response_type"), ResponseMode: "query",
		State: v.Get("state"), Scope: strings.Fields(v.Get("scope")), Connection: v.Get("connection"),
	}
	switch {
	case req.ClientID != appID || req.RedirectURI != redirect:
		return req, errs.New(errs.Forbidden, "Callback URL mismatch.", "mismatch")
	case req.ResponseType != "code":
		return req, &oauth.AuthorizeError{Code: "unsupported_response_type", Description: "no"}
	}
	return req, nil
}

const emailID, smsID = "con_email00000000001", "con_sms0000000000001"

func (r *rig) codeByMail(options map[string]any) { r.connect(emailID, "email", "email", options, `{}`) }
func (r *rig) codeBySMS()                        { r.connect(smsID, "sms", "sms", map[string]any{}, `{}`) }

// toCode opens the page that asks for a code.
func (b *browser) toCode(identifier, path string) answer {
	b.r.t.Helper()
	p := b.get("/authorize")
	p = b.post(action(b.r.t, p.body), url.Values{"username": {identifier}})
	if p.status != 200 || p.at.Path != path {
		b.r.t.Fatalf("%d %s %v %s", p.status, p.at, p.app, p.body)
	}
	return p
}

// codeForm is where both forms of a page for a code go.
func codeForm(t *testing.T, p answer) string {
	t.Helper()
	list := attributes(t, p.body, "form", "action")
	if len(list) != 2 || list[0] != list[1] {
		t.Fatalf("%d %s: forms %v", p.status, p.at, list)
	}
	return list[0]
}

const (
	mailPage = "/u/login/passwordless-email-challenge"
	smsPage  = "/u/login/passwordless-sms-challenge"
)

func TestSignInByCode(t *testing.T) {
	r := newRig(t)
	r.codeByMail(map[string]any{})
	b := r.browser()
	p := b.toCode(" Lea@X.example ", mailPage)
	if !strings.Contains(p.body, "lea@x.example") || strings.Contains(p.body, r.mail.last()) {
		t.Errorf("%s", p.body)
	}
	if p = b.post(codeForm(t, p), url.Values{"code": {""}}); p.status != 400 {
		t.Errorf("no code: %d", p.status)
	}
	wrong := b.post(codeForm(t, p), url.Values{"code": {"nonsense"}})
	if wrong.status != 400 || wrong.at.Path != mailPage {
		t.Errorf("wrong: %d %s", wrong.status, wrong.at)
	}
	a := b.post(codeForm(t, wrong), url.Values{"code": {r.mail.last()}})
	id := user.ID(a.app.Get("user"))
	u, err := r.store.User(t.Context(), id)
	if err != nil || !strings.HasPrefix(string(id), "email|") || u.Profile.Text("email") != "lea@x.example" || !u.Profile.True("email_verified") || u.Logins.Count != 1 {
		t.Fatalf("%v %+v %v", a.app, u, err)
	}
	if b.whoami() != string(id) || a.app.Get("connection") != emailID || a.app.Get("state") != "app-state" {
		t.Errorf("%v", a.app)
	}
	if !slices.Equal(r.refusals(), []string{"Wrong email or verification code."}) {
		t.Errorf("%q", r.refusals())
	}
	// The page of before is over, and so is the code.
	if p = b.post(codeForm(t, wrong), url.Values{"code": {r.mail.last()}}); p.status != 400 || p.app != nil {
		t.Errorf("again: %d %v", p.status, p.app)
	}
}

func TestSignInBySMS(t *testing.T) {
	r := newRig(t)
	r.codeBySMS()
	b := r.browser()
	p := b.get("/authorize")
	bad := b.post(action(t, p.body), url.Values{"username": {"+47 abc"}})
	if bad.status != 400 || bad.at.Path != "/u/login/identifier" {
		t.Errorf("%d %s", bad.status, bad.at)
	}
	p = b.toCode("+47 900-00 000", smsPage)
	first := r.mail.last()
	p = b.post(codeForm(t, p), url.Values{"resend": {"1"}})
	if p.status != 200 || p.at.Path != smsPage || r.mail.last() == first {
		t.Errorf("resent: %d %s", p.status, p.at)
	}
	if p = b.post(codeForm(t, p), url.Values{"code": {first}}); p.status != 400 {
		t.Errorf("the code before: %d", p.status)
	}
	a := b.post(codeForm(t, p), url.Values{"code": {r.mail.last()}})
	u, err := r.store.User(t.Context(), user.ID(a.app.Get("user")))
	if err != nil || u.Profile.Text("phone_number") != "+4790000000" || !u.Profile.True("phone_verified") {
		t.Errorf("%v %+v %v", a.app, u, err)
	}
	r.mail.Broken = errs.New(errs.Invalid, "sms_provider_error", "down")
	b = r.browser()
	p = b.get("/authorize")
	if p = b.post(action(t, p.body), url.Values{"username": {"+4790000000"}}); p.status != 400 || p.at.Path != "/u/login/identifier" {
		t.Errorf("gateway down: %d %s", p.status, p.at)
	}
}

// TestCodePageRefuses: expired, too many, no code at all, throttled, disabled,
// foreign forms and browsers; nobody is signed in by any of it.
func TestCodePageRefuses(t *testing.T) {
	r := newRig(t)
	r.codeByMail(map[string]any{"disable_signup": true})
	if _, err := r.users.Create(t.Context(), user.CreateRequest{Connection: "email", Changes: []profile.Change{
		{Name: "email", Value: profile.Text("lea@x.example")},
	}}, user.Actor{}); err != nil {
		t.Fatal(err)
	}
	b := r.browser()
	p := b.toCode("lea@x.example", mailPage)
	form := func(code string) url.Values { return url.Values{"code": {code}} }
	if q := b.postWith(codeForm(t, p), "application/x-www-form-urlencoded", form(r.mail.last()).Encode(), map[string]string{"Origin": "https://evil.test", "Sec-Fetch-Site": "cross-site"}); q.status != 403 {
		t.Errorf("another site: %d", q.status)
	}
	if q := r.browser().post(codeForm(t, p), form(r.mail.last())); q.status != 400 || q.app != nil {
		t.Errorf("another browser: %d %v", q.status, q.app)
	}
	for range 3 {
		p = b.post(codeForm(t, p), form("1"))
	}
	if p = b.post(codeForm(t, p), form(r.mail.last())); p.status != 400 || p.app != nil {
		t.Errorf("the fourth guess: %d", p.status)
	}
	p = b.post(codeForm(t, p), url.Values{"resend": {"1"}})
	r.pass(181 * time.Second)
	if p = b.post(codeForm(t, p), form(r.mail.last())); p.status != 400 || p.app != nil {
		t.Errorf("expired: %d", p.status)
	}
	// Somebody unknown, where nobody may sign up, sees the same page.
	sent := r.mail.last()
	q := r.browser().toCode("nobody@x.example", mailPage)
	if r.mail.last() != sent || q.status != 200 {
		t.Error("a code went to nobody")
	}
	for i := range 12 {
		if p = b.post(codeForm(t, p), url.Values{"resend": {"1"}}); p.status != 200 {
			if p.status != 429 || i < 7 {
				t.Errorf("after %d: %d", i, p.status)
			}
			break
		}
	}
	if p.status != 429 || p.header.Get("Retry-After") == "" {
		t.Errorf("never throttled: %d", p.status)
	}
	r.block(r.only("lea@x.example"))
	r.change(emailID, func(c *connection.Connection) { c.EnabledClients = nil })
	if p = b.post(codeForm(t, p), form(r.mail.last())); p.app.Get("error_description") != "the connection was disabled" {
		t.Errorf("disabled: %d %v", p.status, p.app)
	}
	if got := b.whoami(); got != "" {
		t.Errorf("signed in as %s", got)
	}
}

// only is the user of the mail connection with the address.
func (r *rig) only(email string) user.ID {
	r.t.Helper()
	u, err := r.store.UserByIdentifier(r.t.Context(), emailID, user.ByEmail, email)
	if err != nil {
		r.t.Fatal(err)
	}
	return u.ID
}

func TestBlockedBetweenCodeAndAnswer(t *testing.T) {
	r := newRig(t)
	r.codeByMail(map[string]any{})
	b := r.browser()
	b.post(codeForm(t, b.toCode("lea@x.example", mailPage)), url.Values{"code": {r.mail.last()}})
	b = r.browser()
	p := b.toCode("lea@x.example", mailPage)
	r.block(r.only("lea@x.example"))
	p = b.post(codeForm(t, p), url.Values{"code": {r.mail.last()}})
	if p.app.Get("error") != "unauthorized" || p.app.Get("error_description") != "user is blocked" || b.whoami() != "" {
		t.Errorf("%d %v", p.status, p.app)
	}
}

// sendLink asks for a link as op does.
func (r *rig) sendLink(browser string, params map[string]string) string {
	r.t.Helper()
	c, err := r.store.ConnectionByName(r.t.Context(), "email")
	if err != nil {
		r.t.Fatal(err)
	}
	all := map[string]string{"client_id": appID, "redirect_uri": redirect, "response_type": "code", "state": "linked", "scope": "openid offline_access"}
	for k, v := range params {
		all[k] = v
	}
	_, err = r.passwordless().Start(r.t.Context(), codes.Request{
		Connection: c, Recipient: "lea@x.example", ClientID: appID, Application: "App", Link: true, Params: all, Browser: browser,
	}, user.Actor{ClientID: appID, IP: "192.0.2.1"})
	if err != nil {
		r.t.Fatal(err)
	}
	return r.mail.last()
}

// TestMagicLink is security.md 84: a link that is looked at stays; a press uses it.
func TestMagicLink(t *testing.T) {
	r := newRig(t)
	r.codeByMail(map[string]any{})
	link := r.sendLink("", nil)
	b := r.browser()
	b.get(link) // by a scanner
	p := b.get(link)
	if p.status != 200 || p.app != nil || b.whoami() != "" {
		t.Fatalf("%d %v", p.status, p.app)
	}
	if csp := p.header.Get("Content-Security-Policy"); !strings.Contains(csp, "form-action 'self' https:") || p.header.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("%v", p.header)
	}
	form := fields(t, p.body)
	form.Set("redirect_uri", "https://evil.test") // the request is the one that was kept
	form.Set("state", "forged")
	if q := b.postWith(action(t, p.body), "application/x-www-form-urlencoded", form.Encode(), map[string]string{"Origin": "https://evil.test", "Sec-Fetch-Site": "cross-site"}); q.status != 403 {
		t.Errorf("another site: %d", q.status)
	}
	a := b.post(action(t, p.body), form)
	if !strings.HasPrefix(a.app.Get("user"), "email|") || a.app.Get("state") != "linked" || b.whoami() != a.app.Get("user") {
		t.Fatalf("%d %v %s", a.status, a.app, a.body)
	}
	for _, again := range []answer{b.post(action(t, p.body), form), b.get(link)} {
		if again.status != 400 || again.app != nil {
			t.Errorf("used again: %d %v", again.status, again.app)
		}
	}
}

func TestMagicLinkNeedsItsBrowser(t *testing.T) {
	r := newRig(t)
	r.codeByMail(map[string]any{})
	b := r.browser()
	b.get("/authorize") // gives it the cookie
	var cookie string
	at, _ := url.Parse(r.url)
	for _, c := range b.jar.Cookies(at) {
		if !strings.Contains(c.Name, "auth0") {
			cookie = c.Value
		}
	}
	link := r.sendLink(token.HashOf(cookie), nil)
	other := r.browser()
	if p := other.get(link); p.status != 400 || !strings.Contains(p.body, "browser") {
		t.Errorf("another browser: %d %s", p.status, p.body)
	}
	v, _ := url.Parse(link)
	if p := other.post("/passwordless/verify_redirect", v.Query()); p.status != 400 || p.app != nil {
		t.Errorf("another browser's form: %d %v", p.status, p.app)
	}
	r.tenant = func(s *tenant.Settings) { s.MagicLinkWithoutSession = true }
	if p := other.get(link); p.status != 200 || p.app != nil {
		t.Errorf("where the tenant allows it, a button: %d %v", p.status, p.app)
	}
	r.tenant = nil
	if a := b.get(link); !strings.HasPrefix(a.app.Get("user"), "email|") {
		t.Errorf("its own: %d %v %s", a.status, a.app, a.body)
	}
}

func TestMagicLinkRefusals(t *testing.T) {
	r := newRig(t)
	r.codeByMail(map[string]any{})
	link := r.sendLink("", nil)
	edit := func(name, value string) string {
		u, _ := url.Parse(link)
		q := u.Query()
		q.Set(name, value)
		u.RawQuery = q.Encode()
		return u.String()
	}
	b := r.browser()
	for _, to := range []string{
		edit("verification_code", "abc"), edit("email", "leb@x.example"), edit("connection", "nobody"), edit("client_id", "other"), edit("connection", ""),
		r.url + "/passwordless/verify_redirect",
	} {
		if p := b.get(to); p.status != 400 || p.app != nil {
			t.Errorf("%s: %d %v", to, p.status, p.app)
		}
	}
	r.pass(181 * time.Second)
	if p := b.get(link); p.status != 400 || p.app != nil {
		t.Errorf("expired: %d %v", p.status, p.app)
	}
	if p := b.get(r.sendLink("", map[string]string{"redirect_uri": "https://evil.test"})); p.status != 403 || p.app != nil {
		t.Errorf("callback: %d %v", p.status, p.app)
	}
	if p := b.get(r.sendLink("", map[string]string{"response_type": "x"})); p.app.Get("error") != "unsupported_response_type" {
		t.Errorf("response type: %d %v", p.status, p.app)
	}
	link = r.sendLink("", nil)
	p := b.get(link)
	r.change(emailID, func(c *connection.Connection) { c.EnabledClients = nil })
	if p = b.post(action(t, p.body), fields(t, p.body)); p.status != 400 || p.app != nil || b.whoami() != "" {
		t.Errorf("disabled: %d %v", p.status, p.app)
	}
}

// TestVerifyRedirectWithDigits: an application that took the code itself sends the
// browser here. The guess is counted, and nothing is told before the press.
func TestVerifyRedirectWithDigits(t *testing.T) {
	r := newRig(t)
	r.codeByMail(map[string]any{})
	c, err := r.store.ConnectionByName(t.Context(), "email")
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.passwordless().Start(t.Context(), codes.Request{Connection: c, Recipient: "lea@x.example", ClientID: appID}, user.Actor{IP: "192.0.2.1"})
	if err != nil {
		t.Fatal(err)
	}
	to := func(code string) string {
		return "/passwordless/verify_redirect?" + url.Values{
			"connection": {"email"}, "email": {"lea@x.example"}, "verification_code": {code}, "client_id": {appID}, "redirect_uri": {redirect},
			"response_type": {"code"}, "state": {"s"}, "protocol": {"oauth2"},
		}.Encode()
	}
	b := r.browser()
	p := b.get(to("000000x"))
	if p.status != 400 {
		t.Errorf("%d", p.status)
	}
	p = b.get(to("12"))
	if p.status != 200 || p.app != nil {
		t.Fatalf("%d %v", p.status, p.app)
	}
	if p = b.post(action(t, p.body), fields(t, p.body)); p.status != 400 || p.app != nil {
		t.Errorf("wrong: %d %v", p.status, p.app)
	}
	p = b.get(to(r.mail.last()))
	if a := b.post(action(t, p.body), fields(t, p.body)); !strings.HasPrefix(a.app.Get("user"), "email|") || a.app.Get("state") != "s" {
		t.Errorf("%d %v %s", a.status, a.app, a.body)
	}
}

func TestCodesOfManyGuesses(t *testing.T) {
	r := newRig(t)
	r.codeByMail(map[string]any{})
	c, err := r.store.ConnectionByName(t.Context(), "email")
	if err != nil {
		t.Fatal(err)
	}
	s := r.passwordless()
	if _, err := s.Start(t.Context(), codes.Request{Connection: c, Recipient: "lea@x.example", ClientID: appID}, user.Actor{}); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	judged := 0
	for range 100 {
		wg.Go(func() {
			_, err := s.Redeem(t.Context(), codes.Attempt{Connection: c, Recipient: "lea@x.example", Code: "x", ClientID: appID}, user.Actor{})
			mu.Lock()
			defer mu.Unlock()
			if codes.IsWrong(err) {
				judged++
			} else if !errors.Is(err, codes.ErrTries) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if judged != codes.MaxTries {
		t.Errorf("%d guesses were judged", judged)
	}
}
