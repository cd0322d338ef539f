package login_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/consent"
	"mangrove/internal/oauth"
	"mangrove/internal/profile"
	"mangrove/internal/session"
	"mangrove/internal/tenant"
)

// Who it is comes first; the second page is the same for somebody and nobody.
func TestIdentifierFirst(t *testing.T) {
	r := newRig(t)
	r.tenant = identifierFirst
	r.database()
	id := r.person("ada@example.test")
	var shapes []string
	for _, email := range []string{"ada@example.test", "nob@example.test"} {
		b := r.browser()
		p := b.get("/authorize")
		if p.at.Path != "/u/login/identifier" || strings.Contains(p.body, `type="password"`) {
			t.Fatalf("%s: %s", p.at, p.body)
		}
		p = b.post(action(t, p.body), url.Values{"username": {email}})
		if p.at.Path != "/u/login/password" || !strings.Contains(p.body, email) {
			t.Fatalf("%s: %s", p.at, p.body)
		}
		shapes = append(shapes, volatile.ReplaceAllString(strings.ReplaceAll(p.body, email, "X"), ""))
	}
	if shapes[0] != shapes[1] {
		t.Errorf("the page tells who exists:\n%s\n%s", shapes[0], shapes[1])
	}
	b := r.browser()
	b.signIn("ada@example.test", password).wantUser(t, string(id))
	s, err := r.store.SessionsOf(t.Context(), string(id), session.Mark{}, 1)
	if err != nil || len(s) != 1 || !slices.Equal(s[0].Methods, []string{session.Password}) || s[0].Device.InitialIP == "" || !s[0].Persistent {
		t.Errorf("%+v, %v", s, err)
	}
	// The identifier of the first page counts, whatever a form says at the second.
	b = r.browser()
	p := b.post(action(t, b.get("/authorize").body), url.Values{"username": {"nob@example.test"}})
	b.post(action(t, p.body), url.Values{"username": {"ada@example.test"}, "password": {password}}).
		wantPage(t, http.StatusBadRequest, "Wrong email, username or password.")
	// The second page without the first leads to it.
	b = r.browser()
	to := strings.Replace(action(t, b.get("/authorize").body), "identifier", "password", 1)
	if a := b.get(to); a.at.Path != "/u/login/identifier" {
		t.Errorf("%s", a.at)
	}
}

func TestMalformedIdentifier(t *testing.T) {
	r := newRig(t)
	r.tenant = identifierFirst
	r.database()
	for typed, want := range map[string]string{"": "Please fill in every field.", "ada": "That is not an email address."} {
		b := r.browser()
		b.post(action(t, b.get("/authorize").body), url.Values{"username": {typed}}).wantPage(t, http.StatusBadRequest, want)
	}
}

func TestSignUpPage(t *testing.T) {
	r := newRig(t)
	r.tenant = identifierFirst
	r.connect(databaseID, "db", "auth0", map[string]any{"requires_username": true, "passwordPolicy": "good"}, `{}`)
	r.request = func(q *oauth.AuthorizeRequest) { q.ScreenHint, q.LoginHint = "signup", "new@example.test" }
	b := r.browser()
	p := b.get("/authorize")
	if p.at.Path != "/u/signup" || !strings.Contains(p.body, `value="new@example.test"`) || !strings.Contains(p.body, `name="username"`) {
		t.Fatalf("%s: %s", p.at, p.body)
	}
	to := action(t, p.body)
	form := url.Values{"email": {"New@Example.test"}, "username": {"newbie"}, "password": {password}}
	with := func(name, value string) url.Values {
		v := url.Values{}
		for k := range form {
			v.Set(k, form.Get(k))
		}
		v.Set(name, value)
		return v
	}
	for _, row := range []struct {
		form url.Values
		want string
	}{
		{with("username", ""), "Please fill in every field."},
		{with("password", "short"), "That password is too weak."},
		{with("email", "nobody"), "That is not an email address."},
	} {
		a := b.post(to, row.form)
		a.wantPage(t, http.StatusBadRequest, row.want)
		if strings.Contains(a.body, password) {
			t.Error("the password is in the page")
		}
	}
	// What is not asked for cannot be set.
	form.Set("email_verified", "true")
	form.Set("name", "Root")
	form.Set("app_metadata", `{"admin":true}`)
	a := b.post(to, form)
	if a.app.Get("user") == "" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	u, err := r.store.UserByIdentifier(t.Context(), databaseID, "username", "newbie")
	if err != nil || string(u.ID) != a.app.Get("user") || u.Logins.Count != 1 {
		t.Fatalf("%+v, %v", u, err)
	}
	if u.Profile.Text("email") != "new@example.test" || u.Profile.True("email_verified") || u.Profile.Text("name") == "Root" || u.Profile.Value("app_metadata") != nil {
		t.Errorf("%+v", u.Profile)
	}
	if b.whoami() != string(u.ID) {
		t.Error("not signed in")
	}
	// Taken: the answer names nothing, unless the tenant wants that.
	other := r.browser()
	to = action(t, other.get("/authorize").body)
	for _, taken := range []url.Values{with("username", "other"), with("email", "other@example.test")} {
		other.post(to, taken).wantPage(t, http.StatusBadRequest, "We could not create this account.")
	}
	r.tenant = func(s *tenant.Settings) { s.SignupTellsUserExists, s.IdentifierFirst = true, true }
	other.post(to, with("username", "other")).wantPage(t, http.StatusBadRequest, "already")
	if n := r.count(audit.SignupFailed); n != 5 {
		t.Errorf("%d failures on record", n)
	}
}

// Where sign-up is off, neither link nor page nor form is there.
func TestSignUpDisabled(t *testing.T) {
	r := newRig(t)
	r.tenant = identifierFirst
	r.connect(databaseID, "db", "auth0", map[string]any{"disable_signup": true}, `{}`)
	b := r.browser()
	p := b.get("/authorize")
	if strings.Contains(p.body, "/u/signup") {
		t.Error("the page offers it")
	}
	to := strings.Replace(action(t, p.body), "/u/login/identifier", "/u/signup", 1)
	if a := b.get(to); a.at.Path != "/u/login/identifier" {
		t.Errorf("shown at %s", a.at)
	}
	b.post(to, url.Values{"email": {"new@example.test"}, "password": {password}}).wantPage(t, http.StatusBadRequest, "")
	if _, err := r.store.UserByIdentifier(t.Context(), databaseID, "email", "new@example.test"); err == nil {
		t.Error("somebody was created")
	}
}

func TestForgotPasswordPage(t *testing.T) {
	r := newRig(t)
	r.tenant = identifierFirst
	r.database()
	r.person("ada@example.test")
	var shapes []string
	for _, email := range []string{"ada@example.test", "nob@example.test"} {
		b := r.browser()
		p := b.post(action(t, b.get("/authorize").body), url.Values{"username": {email}})
		var forgot string
		for _, l := range attributes(t, p.body, "a", "href") {
			if strings.HasPrefix(l, "/u/reset-password/request?") {
				forgot = l
			}
		}
		p = b.get(forgot)
		if !strings.Contains(p.body, `value="`+email+`"`) {
			t.Fatalf("%s: %s", forgot, p.body)
		}
		a := b.post(action(t, p.body), url.Values{"username": {email}})
		if a.at.Path != "/u/reset-password/sent" || a.app != nil {
			t.Fatalf("%s: %s", a.at, a.body)
		}
		shapes = append(shapes, volatile.ReplaceAllString(strings.ReplaceAll(a.body, email, "X"), ""))
	}
	if shapes[0] != shapes[1] {
		t.Errorf("the page tells who exists:\n%s\n%s", shapes[0], shapes[1])
	}
	r.change(databaseID, func(c *connection.Connection) { c.Options = []byte(`{"disable_self_service_change_password":true}`) })
	b := r.browser()
	p := b.post(action(t, b.get("/authorize").body), url.Values{"username": {"ada@example.test"}})
	if strings.Contains(p.body, "/u/reset-password/") {
		t.Error("the page offers what is switched off")
	}
	to := strings.Replace(action(t, p.body), "/u/login/password", "/u/reset-password/request", 1)
	if a := b.post(to, url.Values{"username": {"ada@example.test"}}); a.at.Path == "/u/reset-password/sent" {
		t.Error("a reset was accepted")
	}
}

// After a proof the old state is worth nothing, and what was proven stays.
func TestStatesChangeAtTheProof(t *testing.T) {
	r := newRig(t)
	r.database()
	id := r.person("ada@example.test")
	r.question = consent.Question{Needed: true, ClientID: appID, UserID: string(id), Scope: []consent.Scope{{Name: "read:tides"}}}
	b := r.browser()
	before := action(t, b.get("/authorize").body)
	p := b.post(before, url.Values{"username": {"ada@example.test"}, "password": {password}})
	if p.at.Path != "/u/consent" {
		t.Fatalf("asked at %s", p.at)
	}
	b.get(before).wantPage(t, http.StatusBadRequest, "already used")
	state := p.at.Query().Get("state")
	b.get("/u/login?state="+state).wantPage(t, http.StatusBadRequest, "expired")
	b.post("/u/login?state="+state, url.Values{"username": {"ada@example.test"}, "password": {password}}).wantPage(t, http.StatusBadRequest, "expired")
	if b.whoami() != string(id) {
		t.Error("the session should have begun")
	}
	// A block between the proof and the answer ends it.
	r.block(id)
	a := b.post("/u/consent?state="+state, url.Values{"decision": {"accept"}})
	if a.app.Has("user") {
		t.Error("a blocked user was answered")
	}
}

func TestSessionLifetimes(t *testing.T) {
	r := newRig(t)
	r.tenant = func(s *tenant.Settings) {
		s.IdentifierFirst, s.PersistentSession, s.EphemeralSessionLifetime, s.IdleEphemeralLifetime = false, false, 7200, 3600
	}
	r.database()
	id := r.person("ada@example.test")
	b := r.browser()
	a := b.signIn("ada@example.test", password)
	a.wantUser(t, string(id))
	for _, line := range a.header.Values("Set-Cookie") {
		if strings.HasPrefix(line, "auth0=") && (strings.Contains(line, "Max-Age") || strings.Contains(line, "Expires")) {
			t.Errorf("a cookie that outlives the browser: %s", line)
		}
	}
	s, err := r.store.SessionsOf(t.Context(), string(id), session.Mark{}, 1)
	if err != nil || len(s) != 1 || s[0].Persistent || s[0].ExpiresAt-s[0].CreatedAt != 7200e6 || s[0].IdleUntil-s[0].CreatedAt != 3600e6 {
		t.Errorf("%+v, %v", s, err)
	}
}

func (r *rig) count(kind string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if e.Type == kind {
			n++
		}
	}
	return n
}

// Fields that a sign-up page shows are those that the connection wants.
func TestSignUpFieldsOfFlexibleIdentifiers(t *testing.T) {
	r := newRig(t)
	r.tenant = identifierFirst
	r.connect(databaseID, "db", "auth0", map[string]any{"attributes": map[string]any{
		"phone_number": map[string]any{"identifier": map[string]any{"active": true}, "signup": map[string]any{"status": "required"}},
		"email":        map[string]any{"identifier": map[string]any{"active": false}, "signup": map[string]any{"status": "inactive"}},
	}}, `{}`)
	r.request = func(q *oauth.AuthorizeRequest) { q.ScreenHint = "signup" }
	b := r.browser()
	p := b.get("/authorize")
	if got := fields(t, p.body); got.Has("email") || !got.Has("phone_number") || got.Has("username") {
		t.Errorf("fields %v", got)
	}
	a := b.post(action(t, p.body), url.Values{"phone_number": {"+4790000000"}, "email": {"x@example.test"}, "password": {password}})
	u, err := r.store.UserByIdentifier(t.Context(), databaseID, "phone_number", "+4790000000")
	if err != nil || a.app.Get("user") != string(u.ID) || u.Profile.Text(profile.Email) != "" {
		t.Errorf("%+v, %v; %d %s", u, err, a.status, a.body)
	}
}

// Without a password nobody signs up by a page, even where the API may create such
// users: nothing would have been shown.
func TestSignUpPageWantsAPassword(t *testing.T) {
	r := newRig(t)
	r.tenant = identifierFirst
	r.connect(databaseID, "db", "auth0", map[string]any{
		"authentication_methods": map[string]any{"password": map[string]any{"enabled": true, "api_behavior": "optional"}},
	}, `{}`)
	r.request = func(q *oauth.AuthorizeRequest) { q.ScreenHint = "signup" }
	b := r.browser()
	to := action(t, b.get("/authorize").body)
	b.post(to, url.Values{"email": {"new@example.test"}}).wantPage(t, http.StatusBadRequest, "Please fill in every field.")
	if _, err := r.store.UserByIdentifier(t.Context(), databaseID, "email", "new@example.test"); err == nil {
		t.Error("somebody was created")
	}
	if a := b.post(to, url.Values{"email": {"new@example.test"}, "password": {password}}); a.app.Get("user") == "" {
		t.Errorf("%d %s", a.status, a.body)
	}
}
