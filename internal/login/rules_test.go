package login

import (
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/page"
	"mangrove/internal/user"
)

func made(name, strategy, extra string, clients ...string) *connection.Connection {
	return &connection.Connection{
		ID: "con_" + name, Name: name, Strategy: strategy, EnabledClients: clients,
		Options: json.RawMessage(`{}`), Extra: json.RawMessage(extra),
	}
}

func TestWays(t *testing.T) {
	spoken := func(s string) (kind, bool) { return provider, s == "oidc" }
	rows := []struct {
		c    *connection.Connection
		want string // label, with d for a database, p for passwordless, h for hidden; empty: no way
	}{
		{made("db", "auth0", `{}`, "app"), "db d"},
		{made("db", "auth0", ``, "app"), "db d"},
		{made("db", "auth0", `{"display_name":"Staff"}`, "other", "app"), "Staff d"},
		{made("db", "auth0", `{}`, "other"), ""},
		{made("db", "auth0", `{}`), ""},
		{made("db", "auth0", `{"authentication":{"active":false}}`, "app"), ""},
		{made("db", "auth0", `{"authentication":{"active":true}}`, "app"), "db d"},
		{made("up", "oidc", `{}`, "app"), "up"},
		{made("up", "oidc", `{"show_as_button":true}`, "app"), "up"},
		{made("up", "oidc", `{"show_as_button":false}`, "app"), "up h"},
		{made("up", "samlp", `{}`, "app"), ""},
		{made("email", "email", `{}`, "app"), "email p"},
		{made("sms", "sms", `{}`, "app"), "sms p"},
	}
	for _, row := range rows {
		got := ""
		if w, ok := wayOf(row.c, "app", spoken); ok {
			got = w.label
			got += map[kind]string{database: " d", passwordless: " p"}[w.kind]
			if w.hidden {
				got += " h"
			}
		}
		if got != row.want {
			t.Errorf("%s %s %v: %q, want %q", row.c.Strategy, row.c.Extra, row.c.EnabledClients, got, row.want)
		}
	}
}

func TestOffered(t *testing.T) {
	some := func(name, strategy string, k kind, hidden bool) way {
		return way{c: &connection.Connection{ID: name, Name: name, Strategy: strategy, Options: json.RawMessage(`{}`)}, label: name, kind: k, hidden: hidden}
	}
	d1, d2 := some("d1", "auth0", database, false), some("d2", "auth0", database, false)
	e, m := some("e", "email", passwordless, false), some("m", "sms", passwordless, false)
	dir, hiddenDir := some("dir", "ad", directory, false), some("hdir", "ad", directory, true)
	home := some("home", "samlp", provider, true)
	home.c.Options = json.RawMessage(`{"domain_aliases":["Corp.example"]}`)
	u1, u2, h := some("u1", "oidc", provider, false), some("u2", "oidc", provider, false), some("h", "oidc", provider, true)
	rows := []struct {
		name    string
		ways    []way
		chosen  string
		field   string // database, email, sms
		buttons []string
	}{
		{"one database", []way{d1}, "", "d1", nil},
		{"two databases", []way{d1, d2}, "", "d1", []string{"d2"}},
		{"the second chosen", []way{d1, d2}, "d2", "d2", []string{"d1"}},
		{"both kinds", []way{d1, u1, u2}, "", "d1", []string{"u1", "u2"}},
		{"a provider chosen before", []way{d1, u1}, "u1", "d1", []string{"u1"}},
		{"hidden stays hidden", []way{d1, u1, h}, "", "d1", []string{"u1"}},
		{"hidden beside a field", []way{d1, h}, "", "d1", nil},
		{"hidden beside a button", []way{u1, h}, "", "", []string{"u1"}},
		{"nothing but hidden", []way{h}, "", "", []string{"h"}},
		{"codes alone", []way{e, m}, "", "e m", nil},
		{"codes beside a database", []way{d1, e, m, u1}, "", "d1 e m", []string{"u1"}},
		{"a code chosen", []way{d1, d2, e, m, u1}, "e", "e", []string{"u1"}},
		{"hidden beside a code", []way{m, h}, "", "m", nil},
		{"a directory alone", []way{dir, u1}, "", "dir", []string{"u1"}},
		{"a directory beside a database", []way{d1, dir}, "", "d1", []string{"dir"}},
		{"a directory chosen", []way{d1, dir}, "dir", "dir", []string{"d1"}},
		{"a hidden directory", []way{d1, hiddenDir}, "", "d1", nil},
		{"a hidden directory chosen", []way{hiddenDir, u1}, "hdir", "hdir", []string{"u1"}},
		{"a home stays hidden", []way{home, u1}, "", "", []string{"u1"}},
		{"nothing but a home", []way{home}, "", "", nil},
		{"a code chosen beside a directory", []way{dir, e}, "e", "e", []string{"dir"}},
	}
	for _, row := range rows {
		o := offered(row.ways, row.chosen)
		var field, buttons []string
		for _, w := range []*way{o.database, o.directory, o.email, o.sms} {
			if w != nil {
				field = append(field, w.c.ID)
			}
		}
		for _, b := range o.buttons {
			buttons = append(buttons, b.c.ID)
		}
		if strings.Join(field, " ") != row.field || !slices.Equal(buttons, row.buttons) {
			t.Errorf("%s: field %v, buttons %v", row.name, field, buttons)
		}
	}
}

func TestHome(t *testing.T) {
	at := func(name, options string) way {
		return way{c: &connection.Connection{ID: name, Name: name, Strategy: "samlp", Options: json.RawMessage(options)}, label: name, kind: provider}
	}
	ws := []way{at("a", `{"domain_aliases":["Corp.example"]}`), at("b", `{"tenant_domain":"other.example","domain_aliases":["corp.example"]}`), at("c", `{}`)}
	for identifier, want := range map[string]string{
		"pia@corp.example": "a", " Pia@CORP.example ": "a", "x@other.example": "b", "x@sub.corp.example": "", "corp.example": "", "x@c": "", "": "",
		"a@corp.example@evil.example": "", "@corp.example": "a",
	} {
		got := ""
		if w := offered(ws, "").home(identifier); w != nil {
			got = w.c.ID
		}
		if got != want {
			t.Errorf("%q leads to %q, want %q", identifier, got, want)
		}
	}
}

// What follows is decided by what is lacking, in one order; nothing is answered
// before the session, and no session begins before the second factor.
func TestFollowing(t *testing.T) {
	for _, row := range []struct {
		is   facts
		want step
	}{
		{facts{}, beginSession},
		{facts{session: true}, answerRequest},
		{facts{secondFactor: true}, askSecondFactor},
		{facts{secondFactor: true, session: true, consent: true, passkey: true, device: true}, askSecondFactor},
		{facts{passkey: true, consent: true}, offerKey},
		{facts{consent: true, device: true}, beginSession},
		{facts{session: true, consent: true, device: true}, askConsent},
		{facts{session: true, device: true}, confirmDevice},
		{facts{session: true, approval: true}, askApproval},
		{facts{approval: true}, beginSession},
		{facts{secondFactor: true, session: true, approval: true}, askSecondFactor},
	} {
		if got := following(row.is); got != row.want {
			t.Errorf("%+v: %d, want %d", row.is, got, row.want)
		}
	}
}

func TestMalformed(t *testing.T) {
	email, phone, username := page.Identifiers{Email: true}, page.Identifiers{Phone: true}, page.Identifiers{Email: true, Username: true}
	either := page.Identifiers{Email: true, Phone: true}
	for _, row := range []struct {
		identifier string
		ids        page.Identifiers
		want       page.Problem
	}{
		{"", username, page.MissingInput},
		{"  ", email, page.MissingInput},
		{"ada", email, page.InvalidEmail},
		{" ada@example.test ", email, ""},
		{"ada", username, ""},
		{"ada@example.test", phone, page.InvalidPhone},
		{"+4790000000", phone, ""},
		{"+4790000000", either, ""},
		{"ada@example.test", either, ""},
		{"ada", either, page.InvalidEmail},
	} {
		if got := malformed(row.identifier, row.ids); got != row.want {
			t.Errorf("%q %+v: %q, want %q", row.identifier, row.ids, got, row.want)
		}
	}
}

// Over plain http a Secure cookie would never come back.
func TestCookies(t *testing.T) {
	rows := []struct {
		publicURL, browser string
		want               string
	}{
		{"https://id.example", "__Host-mangrove_login", "auth0=v; Path=/; Max-Age=60; HttpOnly; Secure; SameSite=None"},
		{"https://id.example/", "__Host-mangrove_login", "auth0=v; Path=/; Max-Age=60; HttpOnly; Secure; SameSite=None"},
		{"http://localhost:8080", "mangrove_login", "auth0=v; Path=/; Max-Age=60; HttpOnly; SameSite=Lax"},
	}
	for _, row := range rows {
		f := New(Deps{PublicURL: row.publicURL})
		w := httptest.NewRecorder()
		f.setCookie(w, SessionCookie, "v", time.Minute)
		if got := w.Header().Get("Set-Cookie"); got != row.want {
			t.Errorf("%s: %s", row.publicURL, got)
		}
		if f.browserCookie() != row.browser || strings.Contains(f.callback[len("https://"):], "//") {
			t.Errorf("%s: %s, %s", row.publicURL, f.browserCookie(), f.callback)
		}
		w = httptest.NewRecorder()
		f.setCookie(w, SessionCookie, "", 0)
		if got := w.Header().Get("Set-Cookie"); !strings.Contains(got, "Max-Age=0") {
			t.Errorf("removal: %s", got)
		}
	}
}

func TestIdentifiers(t *testing.T) {
	for _, row := range []struct {
		strategy, options string
		want              page.Identifiers
	}{
		{"auth0", `{}`, page.Identifiers{Email: true}},
		{"auth0", `{"requires_username":true}`, page.Identifiers{Email: true, Username: true}},
		{"auth0", `{"attributes":{"phone_number":{"identifier":{"active":true}}}}`, page.Identifiers{Phone: true}},
		{"sms", `{}`, page.Identifiers{Phone: true}},
		{"email", `{}`, page.Identifiers{Email: true}},
	} {
		c := &connection.Connection{Strategy: row.strategy, Options: json.RawMessage(row.options)}
		if got := identifiersOf(c); got != row.want {
			t.Errorf("%s %s: %+v", row.strategy, row.options, got)
		}
	}
}

func TestRefusal(t *testing.T) {
	rows := []struct {
		err  error
		code string
		text string
	}{
		{errs.New(errs.Forbidden, "access_denied", "No."), "access_denied", "No."},
		{errs.New(errs.Unavailable, "access_denied", "Unreachable."), "access_denied", "Unreachable."},
		{errs.New(errs.Invalid, "invalid_request", "Set up wrong."), "invalid_request", "Set up wrong."},
		{user.ErrBlocked, "unauthorized", "user is blocked"},
		{errs.New(errs.Internal, "access_denied", "secret"), "", ""},
		{errs.New(errs.Unavailable, "", "database gone"), "", ""},
		{user.ErrExists, "", ""},
	}
	for _, row := range rows {
		why, ok := refusal(row.err)
		if ok != (row.code != "") || ok && (why.Code != row.code || why.Description != row.text) {
			t.Errorf("%v: %v %v", row.err, why, ok)
		}
	}
}

// The law: what is accepted means one thing: every name once, and encoded anew
// it decodes to the same.
func FuzzStrict(f *testing.F) {
	for _, s := range []string{"a=b&c=d", "a=b&a=c", "a=%00", "a=%ff", "a;b", "%zz", "a", "=", "state=x+y"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, encoded string) {
		v, err := strict(encoded)
		if err != nil {
			return
		}
		for name, values := range v {
			if len(values) != 1 || strings.ContainsRune(name+values[0], 0) || !utf8.ValidString(name+values[0]) {
				t.Fatalf("%q gives %q=%q", encoded, name, values)
			}
		}
		again, err := strict(v.Encode())
		if err != nil || again.Encode() != v.Encode() {
			t.Fatalf("%q is not stable", encoded)
		}
	})
}

// The law: a state that is taken apart, joined again, is the state; and no
// cookie or state that is not of our making counts as one.
func FuzzState(f *testing.F) {
	good := strings.Repeat("A", 43)
	for _, s := range []string{good + "." + good, good, good + ".", "." + good, good + "." + good + ".x", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, state string) {
		if id, tag, ok := splitState(state); ok && (joinState(id, tag) != state || !wellFormed(id) || !wellFormed(tag) || url.QueryEscape(state) != state) {
			t.Fatalf("%q", state)
		}
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["Cookie"] = []string{"auth0=" + state}
		if v := cookieValue(r, "auth0"); v != "" && !wellFormed(v) {
			t.Fatalf("cookie %q gives %q", state, v)
		}
	})
}
