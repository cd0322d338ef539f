package server_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"mangrove/internal/store/storetest"
	"mangrove/internal/upstream/ldaptest"
)

// record is what a log tells of a sign-in.
type record struct {
	Type, Connection, Strategy, Description string
	UserID                                  string `json:"user_id"`
	UserName                                string `json:"user_name"`
	StrategyType                            string `json:"strategy_type"`
	Details                                 struct{ Error struct{ Message string } }
}

// last is the newest record of the types.
func (w *world) last(types ...string) record {
	w.t.Helper()
	status, body := w.call("GET", "/api/v2/logs?per_page=20&sort=date:-1", "")
	var list []record
	if err := json.Unmarshal([]byte(body), &list); err != nil || status != http.StatusOK {
		w.t.Fatalf("%d %v", status, err)
	}
	i := slices.IndexFunc(list, func(r record) bool { return slices.Contains(types, r.Type) })
	if i < 0 {
		w.t.Fatalf("no record of %v", types)
	}
	return list[i]
}

// What a custom claim of a provider is worth to applications: nothing, whatever they
// ask for; and what the log says of each end of a login (reference/authentication.md
// §3.13, §7.7).
func TestUpstreamPeopleOnTheWire(t *testing.T) {
	w := newWorld(t, storetest.SQLite)
	h := newHouse(t, w)
	h.connect("acme", "oidc", nil)
	h.connect("shy", "oidc", nil)
	w.made("/api/v2/connections", map[string]any{"name": "site", "strategy": "sharepoint", "realms": []string{"site.example"}})
	a := w.newApplication("acme", "site")
	claims := map[string]any{"name": "Pia", "email": "pia@x.example", "email_verified": true, "department": "tides", "groups": []string{"staff"}, "app_metadata": map[string]any{"admin": true}}
	for scopes, expect := range map[string][]string{
		"openid":               nil,
		"openid email":         {"email", "email_verified"},
		"openid profile":       {"name", "nickname", "picture", "updated_at"},
		"openid profile email": {"email", "email_verified", "name", "nickname", "picture", "updated_at"},
	} {
		a.oauth.Scopes = strings.Fields(scopes)
		in := h.as(a, "acme", "pia", claims)
		delete(in.info, "sub")
		if got := slices.Sorted(maps.Keys(in.info)); !slices.Equal(got, expect) {
			t.Errorf("%s: userinfo has %v", scopes, got)
		}
		for _, protocol := range []string{"iss", "sub", "aud", "exp", "iat", "nonce", "sid", "at_hash"} {
			delete(in.claims, protocol)
		}
		if got := slices.Sorted(maps.Keys(in.claims)); !slices.Equal(got, expect) {
			t.Errorf("%s: the ID token has %v", scopes, got)
		}
	}
	ok := record{Type: "s", Connection: "acme", Strategy: "oidc", StrategyType: "enterprise", UserID: "oidc|acme|pia", UserName: "pia@x.example"}
	if got := w.last("s", "f"); got != ok {
		t.Errorf("a login is recorded as %+v", got)
	}
	for _, row := range []struct{ connection, says, recorded, strategy string }{
		{"shy", "the connection was disabled", "shy", "oidc"},
		{"nowhere", "the connection was not found", "", ""},
		{"site", "nobody can sign in by connections of this strategy here", "site", "sharepoint"},
		{"site.example", "the connection was not found", "", ""}, // a realm is not a name
	} {
		_, q := a.signIn(w.newBrowser(), row.connection, "")
		if q.Get("error") != "invalid_request" || q.Get("error_description") != row.says {
			t.Errorf("%s: %v", row.connection, q)
		}
		got := w.last("s", "f")
		if got.Type != "f" || got.Description != row.says || got.Details.Error.Message != row.says || got.Connection != row.recorded || got.Strategy != row.strategy {
			t.Errorf("%s is recorded as %+v", row.connection, got)
		}
	}
	b := w.newBrowser()
	h.Next("pia")
	if in, q := a.signIn(b, "acme", ""); in == nil {
		t.Fatal(q)
	}
	b.follow(w.url + "/v2/logout?client_id=" + a.oauth.ClientID)
	ok.Type = "slo"
	if got := w.last("slo", "flo"); got != ok {
		t.Errorf("the end is recorded as %+v", got)
	}
}

// A directory signs in by each of its realms, and the log tells a wrong password from a
// name that nobody has; the answer does not.
func TestDirectoryByRealm(t *testing.T) {
	d := ldaptest.Slapd(t, ldaptest.Person("ann", "Ann Ash", "ann@corp.example"))
	w := newWorld(t, storetest.SQLite)
	id := w.connectDirectory("corp", "", d.Options())
	if status, body := w.call("PATCH", "/api/v2/connections/"+id, `{"realms":["people.example","staff"]}`); status != http.StatusOK {
		t.Fatal(body)
	}
	a := w.newApplication("corp")
	for _, row := range []struct {
		realm, name, password string
		status                int
		says, kind            string
	}{
		{"people.example", "ann", "annpw", 200, "", "sepft"},
		{"staff", "ann", "annpw", 200, "", "sepft"},
		{"corp", "ann", "annpw", 400, "unknown or invalid realm", "fepft"}, // a name that is no realm
		{"elsewhere", "ann", "annpw", 400, "unknown or invalid realm", "fepft"},
		{"staff", "ann", "wrong", 403, "Wrong email or password.", "fp"},
		{"staff", "nobody", "annpw", 403, "Wrong email or password.", "fu"},
	} {
		status, body := a.grant(row.realm, row.name, row.password)
		if status != row.status || !strings.Contains(body, row.says) {
			t.Errorf("%s at %s: %d %s", row.name, row.realm, status, body)
		}
		if got := w.last("sepft", "fepft", "fp", "fu"); got.Type != row.kind || got.Description != row.says || got.Details.Error.Message != row.says {
			t.Errorf("%s at %s is recorded as %+v", row.name, row.realm, got)
		}
	}
	for password, kind := range map[string]string{"wrong": "fp", "annpw": "s"} {
		_, _, _ = a.signInByDirectory("corp", "ann", password)
		if got := w.last("s", "f", "fp", "fu"); got.Type != kind || got.Connection != "corp" || got.Strategy != "ad" || got.StrategyType != "enterprise" {
			t.Errorf("%s on the page is recorded as %+v", password, got)
		}
	}
}
