package server_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/coreos/go-oidc/v3/oidc"

	"mangrove/internal/store/storetest"
	"mangrove/internal/upstream/ldaptest"
)

// signInByDirectory signs in on the page of the application's login; a refusal that stays on
// the page comes as its text.
func (a *application) signInByDirectory(connection, name, password string) (*signedIn, url.Values, string) {
	a.w.t.Helper()
	b, verifier := a.w.newBrowser(), oauth2.GenerateVerifier()
	_, _, at := b.follow(a.oauth.AuthCodeURL("the state", oauth2.S256ChallengeOption(verifier), oidc.Nonce("the nonce"),
		oauth2.SetAuthURLParam("connection", connection)))
	query, page, at := b.submit(at.String(), url.Values{"username": {name}, "password": {password}})
	if strings.HasPrefix(at.Path, "/u/login/password") && query == nil && !strings.Contains(page, `role="alert"`) {
		query, page, _ = b.submit(at.String(), url.Values{"password": {password}})
	}
	if query == nil {
		_, page, _ = strings.Cut(page, "<main")
		return nil, nil, page
	}
	in, refused := a.exchange(query, verifier)
	return in, refused, ""
}

// grant is the password grant with a realm.
func (a *application) grant(realm, name, password string) (int, string) {
	a.w.t.Helper()
	res, err := a.w.client.PostForm(a.w.url+"/oauth/token", url.Values{
		"grant_type": {"http://auth0.com/oauth/grant-type/password-realm"}, "client_id": {a.oauth.ClientID}, "client_secret": {a.oauth.ClientSecret},
		"realm": {realm}, "username": {name}, "password": {password}, "scope": {"openid"},
	})
	if err != nil {
		a.w.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		a.w.t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// connectDirectory makes an ad connection to it.
func (w *world) connectDirectory(name, sync string, ldap map[string]any) (id string) {
	w.t.Helper()
	options := map[string]any{"ldap": ldap}
	if sync != "" {
		options["set_user_root_attributes"] = sync
	}
	b, err := json.Marshal(map[string]any{"name": name, "strategy": "ad", "options": options})
	if err != nil {
		w.t.Fatal(err)
	}
	status, body := w.call("POST", "/api/v2/connections", string(b))
	var made struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal([]byte(body), &made); err != nil || status != http.StatusCreated {
		w.t.Fatalf("creating the connection: %d %s", status, body)
	}
	return made.ID
}

// inDirectory is somebody in a directory, whose name can be changed.
type inDirectory struct {
	directory      *ldaptest.Directory
	dn             string
	name, password string
}

// What people and applications are told of a directory's refusals.
func TestDirectoryRefusals(t *testing.T) {
	d := ldaptest.Slapd(t, ldaptest.Person("ann", "Ann Ash", "ann@corp.example")+ldaptest.Person("old", "Old One", "old@corp.example", "pwdChangedTime: 20000101000000Z"))
	w := newWorld(t, storetest.SQLite)
	id := w.connectDirectory("corp", "", d.Options())
	never := w.connectDirectory("never", "never_on_login", d.Options())
	a := w.newApplication("corp", "never")
	for _, row := range []struct{ name, password, says string }{
		{"ann", "wrong", "Wrong email, username or password."},
		{"nobody", "annpw", "Wrong email, username or password."},
		{"*", "annpw", "Wrong email, username or password."},
		{"old", "oldpw", "Your password has expired."},
		{"old", "wrong", "Wrong email, username or password."},
	} {
		if in, refused, page := a.signInByDirectory("corp", row.name, row.password); in != nil || refused != nil || !strings.Contains(page, row.says) {
			t.Errorf("%s, %s: %v, %.3000s", row.name, row.password, refused, page)
		}
	}
	if in, refused, page := a.signInByDirectory("never", "ann", "annpw"); in != nil || refused.Get("error") != "access_denied" {
		t.Errorf("never_on_login: %v, %v, %.300s", in, refused, page)
	}
	for _, row := range []struct {
		realm, name, password string
		status                int
		says                  string
	}{
		{"corp", "ann", "wrong", 403, `{"error":"invalid_grant","error_description":"Wrong email or password."}`},
		{"corp", "nobody", "annpw", 403, `{"error":"invalid_grant","error_description":"Wrong email or password."}`},
		{"corp", "old", "oldpw", 403, `{"error":"password_expired","error_description":"The password has expired."}`},
		{"never", "ann", "annpw", 403, `{"error":"access_denied","error_description":"The connection (never) creates no users at login."}`},
		{"corp", "ann", "annpw", 200, `access_token`},
	} {
		if status, body := a.grant(row.realm, row.name, row.password); status != row.status || !strings.Contains(body, row.says) {
			t.Errorf("%v: %d %s", row, status, body)
		}
	}

	// Guesses are bounded, for those who are there and those who are not.
	for _, name := range []string{"ann", "nobody"} {
		for range 10 {
			_, _ = a.grant("corp", name, "guess")
		}
		if status, body := a.grant("corp", name, "annpw"); status != http.StatusTooManyRequests {
			t.Errorf("%s after ten guesses: %d %s", name, status, body)
		}
	}
	if status, body := a.grant("corp", "ann@corp.example", "annpw"); status != http.StatusTooManyRequests {
		t.Errorf("the same person by another name: %d %s", status, body)
	}

	// Options: checked, and kept by a PATCH that does not know of them.
	if status, body := w.call("PATCH", "/api/v2/connections/"+id, `{"options":{"ldap":{"urls":["http://x"],"base":"dc=x"}}}`); status != 400 || !strings.Contains(body, "options.ldap.urls") {
		t.Errorf("bad options: %d %s", status, body)
	}
	if status, body := w.call("PATCH", "/api/v2/connections/"+id, `{"options":{"domain_aliases":["corp.example"]}}`); status != 200 || !strings.Contains(body, `"bind_dn"`) {
		t.Errorf("other options: %d %s", status, body)
	}
	if in, _, page := a.signInByDirectory("corp", "old", "wrong"); in != nil || !strings.Contains(page, "Wrong email") {
		t.Errorf("after the PATCH: %.300s", page)
	}

	d.Stop()
	if _, _, page := a.signInByDirectory("never", "ann", "annpw"); !strings.Contains(page, "does not answer") {
		t.Errorf("no server: %.3000s", page)
	}
	for path, want := range map[string]int{id: 404, never: 404} {
		if status, body := w.call("GET", "/api/v2/connections/"+path+"/status", ""); status != want || !strings.Contains(body, "not connected to any node") {
			t.Errorf("status: %d %s", status, body)
		}
	}
	w.stop()
	for _, secret := range []string{"annpw", "readerpw", "oldpw", "ann@corp.example"} {
		if strings.Contains(w.logs.String(), secret) {
			t.Errorf("the log has %s", secret)
		}
	}
}
