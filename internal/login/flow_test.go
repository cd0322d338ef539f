package login_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/oauth"
	"mangrove/internal/user"
)

func TestPassword(t *testing.T) {
	r := newRig(t)
	r.database()
	id := r.person("ada@example.test")
	b := r.browser()
	p := b.get("/authorize")
	if !strings.Contains(p.body, "Tide &lt;Tables&gt;") || p.header.Get("Cache-Control") != "no-store" {
		t.Errorf("page %v %s", p.header, p.body)
	}
	if csp := p.header.Get("Content-Security-Policy"); !strings.Contains(csp, "form-action 'self' https:") {
		t.Errorf("policy %s", csp)
	}
	a := b.post(action(t, p.body), url.Values{"username": {"Ada@Example.test"}, "password": {password}})
	a.wantUser(t, string(id))
	if a.status != http.StatusFound || a.app.Get("connection") != databaseID {
		t.Errorf("%d %v", a.status, a.app)
	}
	if got := b.whoami(); got != string(id) {
		t.Errorf("session of %q", got)
	}
}

var volatile = regexp.MustCompile(`nonce="[^"]*"|'nonce-[^']*'|state=[A-Za-z0-9_-]*`)

// Nobody and a wrong password look the same, byte for byte; so does a blocked
// user with a wrong one.
func TestWrongPassword(t *testing.T) {
	r := newRig(t)
	r.database()
	r.person("ada@example.test")
	r.block(r.person("bad@example.test"))
	var first string
	for _, email := range []string{"ada@example.test", "bad@example.test", "nob@example.test"} {
		b := r.browser()
		a := b.signIn(email, "wrong password 1")
		a.wantPage(t, http.StatusBadRequest, "Wrong email, username or password.")
		shape := volatile.ReplaceAllString(strings.ReplaceAll(a.body, email, "X"), "")
		for _, h := range []string{"Content-Type", "Content-Security-Policy", "Set-Cookie", "Cache-Control", "Retry-After"} {
			shape += h + volatile.ReplaceAllString(strings.Join(a.header.Values(h), ","), "")
		}
		if first == "" {
			first = shape
		}
		if shape != first {
			t.Errorf("%s differs:\n%s\n%s", email, shape, first)
		}
		if b.whoami() != "" {
			t.Error("a session came of it")
		}
	}
	// The page can be used again.
	b := r.browser()
	a := b.signIn("ada@example.test", "wrong password 1")
	b.post(action(t, a.body), url.Values{"username": {"ada@example.test"}, "password": {password}}).wantUser(t, r.idOf("ada@example.test"))
}

func (r *rig) idOf(email string) string {
	r.t.Helper()
	u, err := r.store.UserByIdentifier(r.t.Context(), databaseID, user.ByEmail, email)
	if err != nil {
		r.t.Fatal(err)
	}
	return string(u.ID)
}

func TestEmptyFields(t *testing.T) {
	r := newRig(t)
	r.database()
	r.person("ada@example.test")
	for _, pair := range [][2]string{{"", ""}, {"ada@example.test", ""}, {"", password}} {
		r.browser().signIn(pair[0], pair[1]).wantPage(t, http.StatusBadRequest, "Please fill in every field.")
	}
	if n := len(r.events); n != 0 {
		t.Errorf("%d events", n)
	}
}

func TestBlockedUser(t *testing.T) {
	r := newRig(t)
	r.database()
	r.acme(nil)
	id := r.person("ada@example.test")
	b := r.browser()
	b.signIn("ada@example.test", password).wantUser(t, string(id))
	r.block(id)
	if b.whoami() != "" {
		t.Error("the session of a blocked user lives")
	}
	r.browser().signIn("ada@example.test", password).wantError(t, "unauthorized", "user is blocked")

	a := r.browser().get("/authorize?connection=acme")
	a.wantUser(t, "oidc|acme|u-77")
	r.block("oidc|acme|u-77")
	r.browser().get("/authorize?connection=acme").wantError(t, "unauthorized", "user is blocked")
	u, err := r.store.User(t.Context(), "oidc|acme|u-77")
	if err != nil || u.Logins.Count != 2 {
		t.Errorf("logins %+v, %v", u.Logins, err)
	}
}

func TestUpstreamOnly(t *testing.T) {
	r := newRig(t)
	r.acme(nil)
	b := r.browser()
	a := b.get("/authorize")
	a.wantUser(t, "oidc|acme|u-77")
	if a.app.Get("connection") != acmeID || b.whoami() != "oidc|acme|u-77" {
		t.Errorf("%v, session of %q", a.app, b.whoami())
	}
	u, err := r.store.User(t.Context(), "oidc|acme|u-77")
	if err != nil || u.Profile.Text("name") != "Pia" || !u.Profile.True("email_verified") {
		t.Errorf("%+v, %v", u, err)
	}
}

func TestFrontChannel(t *testing.T) {
	r := newRig(t)
	r.acme(map[string]any{"type": "front_channel", "client_secret": ""})
	b := r.browser()
	p := b.get("/authorize")
	if to := action(t, p.body); to != r.url+"/login/callback" {
		t.Fatalf("the form goes to %s", to)
	}
	a := b.post("/login/callback", fields(t, p.body))
	a.wantUser(t, "oidc|acme|u-77")
	if n := r.idp.Count("token"); n != 0 {
		t.Errorf("%d token requests", n)
	}
	b.post("/login/callback", fields(t, p.body)).wantPage(t, http.StatusBadRequest, "expired")
}

func TestChoice(t *testing.T) {
	r := newRig(t)
	r.database()
	r.acme(nil)
	r.connect("con_second0000000001", "second", "auth0", map[string]any{}, `{}`)
	r.connect("con_hidden0000000001", "hidden", "oidc", map[string]any{}, `{"show_as_button":false}`)
	r.connect("con_saml000000000001", "saml", "sharepoint", map[string]any{}, `{}`)
	b := r.browser()
	p := b.get("/authorize")
	if !strings.Contains(p.body, "Acme &amp; Sons") || strings.Contains(p.body, "connection=hidden") || strings.Contains(p.body, "connection=saml") {
		t.Errorf("page %s", p.body)
	}
	var second, acme string
	for _, l := range ways(t, p.body) {
		if strings.Contains(l, "connection=second") {
			second = l
		}
		if strings.Contains(l, "connection=acme") {
			acme = l
		}
	}
	p = b.get(second)
	if p.status != 200 || !strings.Contains(p.body, "<bdi>db</bdi>") || strings.Contains(p.body, "<bdi>second</bdi>") {
		t.Errorf("the other database: %s", p.body)
	}
	b.get(acme).wantUser(t, "oidc|acme|u-77")

	p = b.get("/authorize?connection=db")
	if len(ways(t, p.body)) != 0 {
		t.Errorf("a request that names its connection offers %v", ways(t, p.body))
	}
	state := strings.TrimPrefix(action(t, p.body), "/u/login?")
	b.get("/u/login/connection?connection=acme&"+state).wantError(t, "invalid_request", "the connection was disabled")
}

func TestNowhereToSignIn(t *testing.T) {
	r := newRig(t)
	r.browser().get("/authorize").wantError(t, "invalid_request", "no connections enabled for the client")
	r.browser().get("/authorize?connection=none").wantError(t, "invalid_request", "the connection was not found")
	r.database()
	r.change(databaseID, func(c *connection.Connection) { c.EnabledClients = nil })
	r.browser().get("/authorize?connection=db").wantError(t, "invalid_request", "the connection was disabled")
	if len(r.refusals()) != 3 {
		t.Errorf("audit %q", r.refusals())
	}
}

// A state is good for one browser, one hour, one login.
func TestStateOfAPage(t *testing.T) {
	r := newRig(t)
	r.database()
	id := string(r.person("ada@example.test"))
	form := url.Values{"username": {"ada@example.test"}, "password": {password}}
	b := r.browser()
	to := action(t, b.get("/authorize").body)

	stranger := r.browser()
	stranger.get("/authorize") // has a cookie of its own
	stranger.get(to).wantPage(t, 400, "another browser")
	stranger.post(to, form).wantPage(t, 400, "another browser")
	r.browser().post(to, form).wantPage(t, 400, "another browser") // none at all
	if got := r.refusals(); len(got) != 2 {
		t.Errorf("audit %q", got)
	}
	for _, bad := range []string{"/u/login", "/u/login?state=", "/u/login?state=x", "/u/login?state=" + strings.Repeat("A", 43), to + "&state=x", to + "%00", "/u/login?state=%ff"} {
		if a := b.get(bad); a.status != 400 || a.app != nil {
			t.Errorf("%s: %d %v", bad, a.status, a.app)
		}
		if a := b.post(bad, form); a.status != 400 || a.app != nil {
			t.Errorf("POST %s: %d %v", bad, a.status, a.app)
		}
	}
	b.post(to, form).wantUser(t, id)
	b.post(to, form).wantPage(t, 400, "already used")
	b.get(to).wantPage(t, 400, "already used")

	to = action(t, b.get("/authorize").body)
	r.pass(time.Hour + time.Second)
	b.post(to, form).wantPage(t, 400, "expired")
}

func TestOneWinnerOfMany(t *testing.T) {
	r := newRig(t)
	r.database()
	id := string(r.person("ada@example.test"))
	b := r.browser()
	to := action(t, b.get("/authorize").body)
	answers := make([]answer, 6)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() {
			answers[i] = b.post(to, url.Values{"username": {"ada@example.test"}, "password": {password}})
		})
	}
	wg.Wait()
	won := 0
	for _, a := range answers {
		if a.app.Get("user") == id {
			won++
		} else {
			a.wantPage(t, 400, "already used")
		}
	}
	if won != 1 {
		t.Errorf("%d logins of one transaction", won)
	}
}

// What the form says beside the two fields has no effect.
func TestFormCannotChangeTheLogin(t *testing.T) {
	r := newRig(t)
	r.database()
	r.connect("con_second0000000001", "second", "auth0", map[string]any{}, `{}`)
	id := string(r.person("ada@example.test"))
	b := r.browser()
	other := action(t, r.browser().get("/authorize").body)
	form := url.Values{"username": {"ada@example.test"}, "password": {password}, "state": {other}}
	for _, name := range []string{
		"connection", "connection_id", "client_id", "redirect_uri", "email", "user_id", "sub", "scope", "response_mode", "nonce", "audience",
	} {
		form.Set(name, "con_second0000000001")
	}
	a := b.post(action(t, b.get("/authorize?connection=db").body), form)
	a.wantUser(t, id)
	if a.app.Get("connection") != databaseID {
		t.Error("the form changed the connection")
	}
}

func TestForeignForms(t *testing.T) {
	r := newRig(t)
	r.database()
	id := string(r.person("ada@example.test"))
	b := r.browser()
	to := action(t, b.get("/authorize").body)
	form := url.Values{"username": {"ada@example.test"}, "password": {password}}.Encode()
	const kind = "application/x-www-form-urlencoded"
	rows := []struct {
		name, kind, body string
		header           map[string]string
		status           int
	}{
		{"another site", kind, form, map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.test"}, 403},
		{"a neighbour", kind, form, map[string]string{"Sec-Fetch-Site": "same-site"}, 403},
		{"a sandbox", kind, form, map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "null"}, 403},
		{"an old browser on another site", kind, form, map[string]string{"Origin": "https://evil.test"}, 403},
		{"a prefix of ours", kind, form, map[string]string{"Origin": r.url + ".evil.test"}, 403},
		{"text", "text/plain", form, nil, 415},
		{"JSON", "application/json", `{"username":"ada@example.test","password":"` + password + `"}`, nil, 415},
		{"JSON as text", "text/plain", `{"username":"a"}`, nil, 415},
		{"no type", "", form, nil, 415},
		{"a field twice", kind, form + "&username=b", nil, 400},
		{"NUL", kind, "username=a%00&password=b", nil, 400},
		{"not UTF-8", kind, "username=%c3%28&password=b", nil, 400},
		{"bad escape", kind, "username=%zz&password=b", nil, 400},
		{"large", kind, "username=" + strings.Repeat("a", 1<<20) + "&password=b", nil, 413},
	}
	for _, row := range rows {
		a := b.postWith(to, row.kind, row.body, row.header)
		if a.status != row.status || a.app != nil || b.whoami() != "" {
			t.Errorf("%s: %d %v", row.name, a.status, a.app)
		}
	}
	b.postWith(to, kind, form, map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "null"}).wantUser(t, id)
	to = action(t, b.get("/authorize").body)
	b.postWith(to, kind, form, map[string]string{"Origin": "null"}).wantUser(t, id) // our own page over plain http
	to = action(t, b.get("/authorize").body)
	b.postWith(to, kind+"; charset=utf-8", form, map[string]string{"Origin": r.url}).wantUser(t, id)
}

func TestHintAndPrompt(t *testing.T) {
	r := newRig(t)
	r.database()
	r.acme(nil)
	r.request = func(q *oauth.AuthorizeRequest) {
		q.LoginHint, q.Prompt = `ada"<b>@example.test`, "select_account"
	}
	p := r.browser().get("/authorize?connection=db")
	if got := fields(t, p.body).Get("username"); got != `ada"<b>@example.test` {
		t.Errorf("filled in %q", got)
	}
	b := r.browser()
	defer b.stopAt("/authorize")()
	b.get("/login/callback") // no redirect: the stop below is for the provider's /authorize
	a := b.get("/authorize?connection=acme")
	to, err := url.Parse(a.header.Get("Location"))
	if err != nil || to.Query().Get("login_hint") != `ada"<b>@example.test` || to.Query().Get("prompt") != "select_account" {
		t.Errorf("sent to %s, %v", to, err)
	}
}

func TestClientDeletedMeanwhile(t *testing.T) {
	r := newRig(t)
	r.database()
	r.person("ada@example.test")
	b := r.browser()
	to := action(t, b.get("/authorize").body)
	if err := r.store.DeleteClient(t.Context(), appID, audit.Event{}); err != nil {
		t.Fatal(err)
	}
	b.post(to, url.Values{"username": {"ada@example.test"}, "password": {password}}).wantPage(t, 400, "expired")
}
