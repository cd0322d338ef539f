package server_test

import (
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"mangrove/internal/fakeidp"
	"mangrove/internal/store/storetest"
)

// A provider that knows a connection by its keys fetches them from the server
// itself, before and after a rotation.
func TestConnectionsProveThemselvesByKeys(t *testing.T) {
	onBothEngines(t, func(t *testing.T, w *world) {
		h := newHouse(t, w)
		fetched := func() []byte {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+"/oauth/connection/by-key/.well-known/jwks.json", nil)
			if err != nil {
				t.Error(err)
				return nil
			}
			resp, err := w.client.Do(req)
			if err != nil {
				t.Error(err)
				return nil
			}
			defer resp.Body.Close()
			b, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Error(err)
			}
			return b
		}
		h.Register(fakeidp.Client{ID: "keyed", Keys: fetched, RedirectURIs: []string{w.url + "/login/callback"}})
		made := w.made("/api/v2/connections", map[string]any{"name": "by-key", "strategy": "okta", "options": map[string]any{
			"issuer": h.Issuer(), "discovery_url": h.DiscoveryURL(), "client_id": "keyed",
			"token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "ES256",
		}})
		metadata, ok := made["options"].(map[string]any)["oidc_metadata"].(map[string]any)
		if !ok || metadata["issuer"] != h.Issuer() {
			t.Errorf("metadata %v", made["options"])
		}
		path := "/api/v2/connections/" + made["id"].(string) + "/keys"
		status, before := w.call("GET", path, "")
		if status != 200 || strings.Count(before, `"kid"`) != 2 {
			t.Fatalf("%d %s", status, before)
		}
		a := w.newApplication("by-key")
		claims := map[string]any{"name": "Pia", "email": "pia@x.example"}
		if in := h.as(a, "by-key", "u-1", claims); in.subject != "okta|by-key|u-1" {
			t.Errorf("signed in as %s", in.subject)
		}
		if status, body := w.call("POST", path+"/rotate", `{}`); status != 201 {
			t.Fatalf("%d %s", status, body)
		}
		h.as(a, "by-key", "u-1", claims)
	})
}

// People of a hosted domain who come by Google's button are the connection's of
// that domain (reference/connections.md §4.6).
func TestHostedDomainIsServedByItsConnection(t *testing.T) {
	w := newWorld(t, storetest.SQLite)
	h := newHouse(t, w)
	at := h.Issuer()
	w.made("/api/v2/connections", map[string]any{"name": "google", "strategy": "google-oauth2", "options": map[string]any{
		"client_id": "mangrove", "client_secret": "s", "scope": []string{"openid", "email", "profile"},
		"endpoints": map[string]any{"authorize": at + "/authorize", "token": at + "/token", "profile": at + "/userinfo"},
	}})
	w.made("/api/v2/connections", map[string]any{"name": "corp", "strategy": "google-apps", "options": map[string]any{
		"client_id": "mangrove", "client_secret": "s", "domain": "corp.example",
		"endpoints": map[string]any{"issuer": at, "authorize": at + "/authorize", "token": at + "/token", "jwks": at + "/jwks"},
	}})
	a, without := w.newApplication("google", "corp"), w.newApplication("google")
	private := map[string]any{"name": "Lu", "email": "lu@mail.example", "email_verified": true}
	corporate := map[string]any{"name": "Lu", "email": "lu@corp.example", "email_verified": true, "hd": "corp.example"}
	if in := h.as(a, "google", "1156", private); in.subject != "google-oauth2|1156" {
		t.Errorf("private: %s", in.subject)
	}
	if in := h.as(a, "google", "1157", corporate); in.subject != "google-apps|lu@corp.example" {
		t.Errorf("corporate: %s", in.subject)
	}
	if in := h.as(without, "google", "1157", corporate); in.subject != "google-oauth2|1157" {
		t.Errorf("in an application without it: %s", in.subject)
	}
	if in := h.as(a, "corp", "1157", corporate); in.subject != "google-apps|lu@corp.example" {
		t.Errorf("by its own connection: %s", in.subject)
	}
}

// Somebody who comes again as they were changes nothing, with whatever their
// provider says of each token anew.
func TestUnchangedPeopleWriteNothing(t *testing.T) {
	w := newWorld(t, storetest.SQLite)
	h := newHouse(t, w)
	h.connect("acme", "oidc", nil)
	a := w.newApplication("acme")
	n := 0
	h.Issue(func(claims map[string]any) {
		n++
		claims["auth_time"] = n
		for _, name := range []string{"jti", "sid", "uti"} {
			claims[name] = fmt.Sprint("it is ", n)
		}
	})
	claims := map[string]any{"name": "Pia", "email": "pia@x.example", "email_verified": true, "dept": []string{"Law"}}
	first := w.profileOf(h.as(a, "acme", "u-1", claims).subject)
	second := w.profileOf(h.as(a, "acme", "u-1", claims).subject)
	if second["logins_count"] != 2.0 {
		t.Errorf("%v", second)
	}
	for _, name := range []string{"updated_at", "last_login", "logins_count", "last_ip", "identities"} { // a login's record, and tokens
		delete(first, name)
		delete(second, name)
	}
	if !reflect.DeepEqual(first, second) {
		t.Errorf("first %v\nthen  %v", first, second)
	}
	for _, name := range []string{"jti", "sid", "auth_time", "uti"} {
		if _, ok := second[name]; ok {
			t.Errorf("%s is in the profile", name)
		}
	}
}
