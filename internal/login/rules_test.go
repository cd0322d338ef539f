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
	"mangrove/internal/profile"
	"mangrove/internal/user"
)

func made(name, strategy, extra string, clients ...string) *connection.Connection {
	return &connection.Connection{
		ID: "con_" + name, Name: name, Strategy: strategy, EnabledClients: clients,
		Options: json.RawMessage(`{}`), Extra: json.RawMessage(extra),
	}
}

func TestWays(t *testing.T) {
	spoken := func(s string) bool { return s == "oidc" }
	rows := []struct {
		c    *connection.Connection
		want string // label, with d for a database and h for hidden; empty: no way
	}{
		{made("db", "auth0", `{}`, "app"), "db d"},
		{made("db", "auth0", ``, "app"), "db d"},
		{made("db", "auth0", `{"display_name":"Staff"}`, "other", "app"), "Staff d"},
		{made("db", "auth0", `{}`, "other"), ""},
		{made("db", "auth0", `{}`), ""},
		{made("db", "auth0", `{"authentication":{"active":false}}`, "app"), ""},
		{made("db", "auth0", `{"authentication":{"active":true}}`, "app"), "db d"},
		{made("db", "auth0", `not json`, "app"), ""},
		{made("up", "oidc", `{}`, "app"), "up"},
		{made("up", "oidc", `{"show_as_button":true}`, "app"), "up"},
		{made("up", "oidc", `{"show_as_button":false}`, "app"), "up h"},
		{made("up", "samlp", `{}`, "app"), ""},
		{made("email", "email", `{}`, "app"), ""},
	}
	for _, row := range rows {
		got := ""
		if w, ok := wayOf(row.c, "app", spoken); ok {
			got = w.label
			if w.database {
				got += " d"
			}
			if w.hidden {
				got += " h"
			}
		}
		if got != row.want {
			t.Errorf("%s %s %v: %q, want %q", row.c.Strategy, row.c.Extra, row.c.EnabledClients, got, row.want)
		}
	}
}

func TestShown(t *testing.T) {
	some := func(name string, database, hidden bool) way {
		return way{c: &connection.Connection{ID: name, Name: name}, label: name, database: database, hidden: hidden}
	}
	d1, d2 := some("d1", true, false), some("d2", true, false)
	u1, u2, h := some("u1", false, false), some("u2", false, false), some("h", false, true)
	rows := []struct {
		name   string
		ways   []way
		chosen string
		form   string
		want   []string
	}{
		{"one database", []way{d1}, "", "d1", nil},
		{"two databases", []way{d1, d2}, "", "d1", []string{"d2"}},
		{"the second chosen", []way{d1, d2}, "d2", "d2", []string{"d1"}},
		{"both kinds", []way{d1, u1, u2}, "", "d1", []string{"u1", "u2"}},
		{"an upstream chosen before", []way{d1, u1}, "u1", "d1", []string{"u1"}},
		{"hidden stays hidden", []way{d1, u1, h}, "", "d1", []string{"u1"}},
		{"hidden beside a form", []way{d1, h}, "", "d1", nil},
		{"hidden beside a button", []way{u1, h}, "", "", []string{"u1"}},
		{"nothing but hidden", []way{h}, "", "", []string{"h"}},
	}
	for _, row := range rows {
		form, buttons := shown(row.ways, row.chosen)
		name := ""
		if form != nil {
			name = form.c.ID
		}
		var got []string
		for _, b := range buttons {
			got = append(got, b.c.ID)
		}
		if name != row.form || !slices.Equal(got, row.want) {
			t.Errorf("%s: form %q, buttons %v", row.name, name, got)
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

func TestIdentifierLabel(t *testing.T) {
	rows := []struct {
		username, phone bool
		want            string
		emailOnly       bool
	}{
		{false, false, "Email address", true},
		{true, false, "Username or email address", false},
		{false, true, "Email address or phone number", false},
		{true, true, "Email address, username or phone number", false},
	}
	for _, row := range rows {
		label, only := identifierLabel(profile.Connection{Username: profile.UsernameRule{Allowed: row.username}, PhoneAllowed: row.phone})
		if label != row.want || only != row.emailOnly {
			t.Errorf("%v: %q %v", row, label, only)
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
