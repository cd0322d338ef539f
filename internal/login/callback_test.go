package login_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/fakeidp"
	"mangrove/internal/user"
)

// Nothing is asked of the provider and nobody is redirected until the state is
// this browser's, this trip's, and unused.
func TestStateOfACallback(t *testing.T) {
	r := newRig(t)
	r.database()
	r.acme(nil)
	r.connect("con_twin000000000001", "twin", "oidc", map[string]any{
		"type": "back_channel", "issuer": r.idp.Issuer(), "client_id": "mangrove", "client_secret": "s",
	}, `{}`)
	b := r.browser()
	back := b.toCallback("/authorize?connection=acme")
	u, err := url.Parse(back)
	if err != nil {
		t.Fatal(err)
	}
	with := func(name, value string) string {
		q := u.Query()
		q.Set(name, value)
		return "/login/callback?" + q.Encode()
	}
	state := u.Query().Get("state")
	id, tag, _ := strings.Cut(state, ".")
	other, err := url.Parse(b.toCallback("/authorize?connection=twin"))
	if err != nil {
		t.Fatal(err)
	}
	otherID, otherTag, _ := strings.Cut(other.Query().Get("state"), ".")
	refused := []string{
		"/login/callback", with("state", ""), with("state", id), with("state", "x"), with("state", id+"."),
		with("state", id+"."+id), with("state", id+"."+otherTag), with("state", otherID+"."+tag),
		with("state", strings.Repeat("A", 43)+"."+tag), with("state", state+"."), with("state", state+"\x00"),
		with("state", state) + "&state=x", with("code", "a") + "&code=b",
	}
	for _, to := range refused {
		b.get(to).wantPage(t, 400, "")
	}
	stranger := r.browser()
	stranger.get("/authorize")
	stranger.get(back).wantPage(t, 400, "another browser")
	r.browser().get(back).wantPage(t, 400, "another browser")
	if n := r.idp.Count(fakeidp.Token); n != 0 {
		t.Fatalf("%d token requests", n)
	}
	b.get(back).wantUser(t, "oidc|acme|u-77")
	b.get(back).wantPage(t, 400, "already used")
	if n := r.idp.Count(fakeidp.Token); n != 1 {
		t.Errorf("%d token requests", n)
	}
	back = b.toCallback("/authorize?connection=acme")
	r.pass(time.Hour + time.Second)
	b.get(back).wantPage(t, 400, "expired")
}

// The answer to an earlier trip is not taken for the later one's, even though
// both belong to one transaction.
func TestAnswerOfAnEarlierTrip(t *testing.T) {
	r := newRig(t)
	r.database()
	r.acme(nil)
	b := r.browser()
	p := b.get("/authorize")
	link := ways(t, p.body)[0]
	first := b.toCallback(link)
	second := b.toCallback(link)
	b.get(first).wantPage(t, 400, "")
	if n := r.idp.Count(fakeidp.Token); n != 0 {
		t.Errorf("%d token requests", n)
	}
	b.get(second).wantUser(t, "oidc|acme|u-77")
	if got := r.refusals(); len(got) != 1 {
		t.Errorf("audit %q", got)
	}
}

// A page's state is not a callback's, and a callback's is not a page's.
func TestStatesDoNotMix(t *testing.T) {
	r := newRig(t)
	r.database()
	r.acme(nil)
	b := r.browser()
	state := strings.TrimPrefix(action(t, b.get("/authorize").body), "/u/login?state=")
	b.get("/login/callback?code=x&state="+state).wantPage(t, 400, "")
	b.get("/login/callback?code=x&state="+state+"."+state).wantPage(t, 400, "")
	back, err := url.Parse(b.toCallback("/authorize?connection=acme"))
	if err != nil {
		t.Fatal(err)
	}
	b.get("/u/login?state="+back.Query().Get("state")).wantPage(t, 400, "")
}

func TestWhatChangesBetween(t *testing.T) {
	rows := []struct {
		name        string
		change      func(r *rig)
		code, text  string
		page        bool
		tokenCalled bool
	}{
		{"connection deleted", func(r *rig) {
			if err := r.store.DeleteConnection(r.t.Context(), acmeID, 0, r.now().UnixMicro(), audit.Event{}); err != nil {
				r.t.Fatal(err)
			}
		}, "invalid_request", "the connection was not found", false, false},
		{"disabled for the client", func(r *rig) {
			r.change(acmeID, func(c *connection.Connection) { c.EnabledClients = nil })
		}, "invalid_request", "the connection was disabled", false, false},
		{"not for login", func(r *rig) {
			r.change(acmeID, func(c *connection.Connection) { c.Extra = []byte(`{"authentication":{"active":false}}`) })
		}, "invalid_request", "the connection was disabled", false, false},
		{"client deleted", func(r *rig) {
			if err := r.store.DeleteClient(r.t.Context(), appID, audit.Event{}); err != nil {
				r.t.Fatal(err)
			}
		}, "", "", true, false},
		{"user blocked", func(r *rig) { r.block("oidc|acme|u-77") }, "unauthorized", "user is blocked", false, true},
		{"sync forbids new people", func(r *rig) {
			r.idp.SetPerson("u-new", map[string]any{"name": "New"})
			r.change(acmeID, func(c *connection.Connection) {
				c.Options = []byte(strings.TrimSuffix(string(c.Options), "}") + `,"set_user_root_attributes":"never_on_login"}`)
			})
		}, "access_denied", "", false, true},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			r := newRig(t)
			r.acme(nil)
			r.browser().get("/authorize").wantUser(t, "oidc|acme|u-77") // the person is known
			r.idp.SetPerson("u-new", map[string]any{"name": "New"})
			if row.code == "access_denied" {
				r.idp.Next("u-new")
			}
			b := r.browser()
			back := b.toCallback("/authorize")
			before := r.idp.Count(fakeidp.Token)
			row.change(r)
			a := b.get(back)
			if row.page {
				a.wantPage(t, 400, "expired")
			} else {
				a.wantError(t, row.code, row.text)
			}
			if b.whoami() != "" {
				t.Error("a session came of it")
			}
			if called := r.idp.Count(fakeidp.Token) != before; called != row.tokenCalled {
				t.Errorf("token request: %v", called)
			}
		})
	}
}

func TestNeverOnLogin(t *testing.T) {
	r := newRig(t)
	r.acme(map[string]any{"set_user_root_attributes": "never_on_login"})
	b := r.browser()
	a := b.get("/authorize")
	a.wantError(t, "access_denied", "")
	if a.app.Get("error_description") == "" || a.app.Get("state") != "app-state" {
		t.Errorf("told %v", a.app)
	}
	if list, err := r.store.Users(t.Context(), "", 10); err != nil || len(list) != 0 {
		t.Errorf("users %v, %v", list, err)
	}
	if b.whoami() != "" {
		t.Error("a session came of it")
	}
	if got := r.refusals(); !slices.Equal(got, []string{a.app.Get("error_description")}) {
		t.Errorf("audit %q", got)
	}
}

func TestProviderRefuses(t *testing.T) {
	r := newRig(t)
	r.acme(nil)
	rows := []struct{ sent, want string }{
		{"error=access_denied&error_description=The+person+said+no.", "The person said no."},
		{"error=access_denied", "access_denied"},
		{"error=", "The identity provider refused."},
		{"error=x&error_description=a%0d%0ab%1b%5b31m%e2%80%aec", "ab[31mc"},
		{"error=x&error_description=" + strings.Repeat("y", 5000), strings.Repeat("y", 200)},
		{"error=x&code=abc&error_description=z", "z"},
	}
	for _, row := range rows {
		b := r.browser()
		back, err := url.Parse(b.toCallback("/authorize"))
		if err != nil {
			t.Fatal(err)
		}
		a := b.get("/login/callback?" + row.sent + "&state=" + url.QueryEscape(back.Query().Get("state")))
		a.wantError(t, "access_denied", "")
		if got := a.app.Get("error_description"); got != row.want {
			t.Errorf("%s: %q", row.sent, got)
		}
		b.get(back.String()).wantPage(t, 400, "already used")
	}
	if n := r.idp.Count(fakeidp.Token); n != 0 {
		t.Errorf("%d token requests", n)
	}
}

// A rude provider ends in access_denied, without its words, and without a user.
func TestRudeProvider(t *testing.T) {
	for _, mode := range []fakeidp.Mode{
		fakeidp.WrongNonce, fakeidp.WrongIssuer, fakeidp.Unsigned, fakeidp.ForgedKey, fakeidp.NoSubject,
		fakeidp.WrongIssParameter, fakeidp.ServerFailure, fakeidp.Huge, fakeidp.RedirectLoop,
	} {
		r := newRig(t)
		r.acme(nil)
		r.idp.Rude(mode)
		b := r.browser()
		a := b.get("/authorize")
		a.wantError(t, "access_denied", "identity provider")
		if list, err := r.store.Users(t.Context(), "", 10); err != nil || len(list) != 0 {
			t.Errorf("mode %d: users %v, %v", mode, list, err)
		}
		if b.whoami() != "" || len(r.refusals()) != 1 {
			t.Errorf("mode %d: session %q, audit %q", mode, b.whoami(), r.refusals())
		}
	}
}

// One e-mail at two subjects and at two connections is several people.
func TestIdentityIsConnectionAndSubject(t *testing.T) {
	r := newRig(t)
	r.acme(nil)
	r.connect("con_twin000000000001", "twin", "oidc", map[string]any{
		"type": "back_channel", "issuer": r.idp.Issuer(), "client_id": "mangrove", "client_secret": "s",
	}, `{}`)
	seen := map[string]bool{}
	for _, sub := range []string{"1", "1 ", "01", "a|b", "u-77"} {
		r.idp.SetPerson(sub, map[string]any{"email": "pia@x.example", "email_verified": true})
		r.idp.Next(sub)
		for _, c := range []string{"acme", "twin"} {
			a := r.browser().get("/authorize?connection=" + c)
			a.wantUser(t, "oidc|"+c+"|"+sub)
			seen[a.app.Get("user")] = true
		}
	}
	if len(seen) != 10 {
		t.Errorf("%d people", len(seen))
	}
	if list, err := r.store.ViewsByEmail(t.Context(), "pia@x.example"); err != nil || len(list) != 10 {
		t.Errorf("%d users with the address, %v", len(list), err)
	}
}

func TestUserGone(t *testing.T) {
	r := newRig(t)
	r.acme(nil)
	b := r.browser()
	b.get("/authorize").wantUser(t, "oidc|acme|u-77")
	if err := r.store.DeleteUser(t.Context(), "oidc|acme|u-77", 0, user.Effect{}); err != nil {
		t.Fatal(err)
	}
	if b.whoami() != "" {
		t.Error("the session of a deleted user lives")
	}
}
