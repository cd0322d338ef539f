package oidc

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/fakeidp"
	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
	"mangrove/internal/upstream"
)

// workspace is a double of Google and its Admin Directory.
type workspace struct {
	*rig
	server *httptest.Server
	user   map[string]any
	groups []any
	status int      // of the directory; zero: 200
	tokens []string // that the directory was asked with
	renews int
}

func newWorkspace(t *testing.T) *workspace {
	t.Helper()
	w := &workspace{rig: newRig(t, fakeidp.Options{Issue: func(claims map[string]any) {}})}
	w.server = httptest.NewServer(http.HandlerFunc(w.serve))
	t.Cleanup(w.server.Close)
	w.idp.SetIssuer(w.server.URL)
	w.strategy = "google-apps"
	w.speaks = func(k *Connector) upstream.Redirect { return NewWorkspace(k) }
	w.options = map[string]any{
		"client_id": "mangrove", "client_secret": "s3cr:et%", "domain": "Corp.example", "email": true, "profile": true,
		"endpoints": map[string]any{
			"issuer": w.server.URL, "authorize": w.server.URL + "/authorize", "token": w.server.URL + "/token",
			"jwks": w.server.URL + "/jwks", "directory": w.server.URL,
		},
	}
	w.idp.SetPerson("1156", map[string]any{
		"hd": "corp.example", "email": "lu@corp.example", "email_verified": true, "name": "Lu Chen", "given_name": "Lu", "family_name": "Chen",
		"picture": "https://lh3.example/p.png", "locale": "en", "at_hash": "changes",
	})
	w.idp.Next("1156")
	w.user = map[string]any{"isAdmin": true, "suspended": false, "agreedToTerms": true}
	w.groups = []any{
		map[string]any{"id": "2", "email": "b@corp.example", "name": "B", "etag": "x"},
		map[string]any{"id": "1", "email": "a@corp.example", "name": "A"},
	}
	return w
}

func (w *workspace) serve(rw http.ResponseWriter, r *http.Request) {
	path, directory := strings.CutPrefix(r.URL.Path, "/admin/directory/v1/")
	switch {
	case directory:
		w.tokens = append(w.tokens, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		if w.status != 0 {
			rw.WriteHeader(w.status)
			return
		}
		var doc any = w.user
		if path == "groups" {
			doc = map[string]any{"groups": w.groups}
		} else if path != "users/lu@corp.example" {
			rw.WriteHeader(http.StatusNotFound)
			return
		}
		_ = json.NewEncoder(rw).Encode(doc)
	case r.URL.Path == "/token" && r.FormValue("grant_type") == "refresh_token":
		w.renews++
		rw.Header().Set("Content-Type", "application/json")
		if r.FormValue("refresh_token") != "admin-refresh" {
			rw.WriteHeader(http.StatusBadRequest)
			return
		}
		_ = json.NewEncoder(rw).Encode(map[string]any{"access_token": "renewed", "token_type": "Bearer", "expires_in": 3600})
	default:
		w.idp.ServeHTTP(rw, r)
	}
}

func TestWorkspaceThreeModes(t *testing.T) {
	for name, more := range map[string]map[string]any{
		"google-apps":        {},
		"google-apps-number": {"map_user_id_to_id": true, "domain_aliases": []string{"other.example"}},
		"google-apps-directory": {
			"ext_groups": true, "ext_is_admin": true, "ext_is_suspended": true, "ext_agreed_terms": true, "admin_access_token": "admin",
		},
		"google-apps-names": {"ext_groups": true, "ext_groups_extended": false, "admin_access_token": "admin"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorkspace(t)
			maps.Copy(w.options, more)
			person := func(name, picture string) {
				claims := map[string]any{"hd": "corp.example", "email": "lu@corp.example", "email_verified": true, "name": name, "given_name": "Lu", "locale": "en"}
				if picture != "" {
					claims["picture"] = picture
				}
				w.idp.SetPerson("1156", claims)
			}
			groups := w.groups
			person("Lu Chen", "https://lh3.example/p.png")
			threeModes(t, name, w.options, func() (*connection.Connection, upstream.Result) {
				return w.connection(), w.mustLogin()
			}, func() {
				person("Lu Wang", "")
				w.groups = groups[:1]
			}, func() {
				person("Lu Chen", "https://lh3.example/p.png")
				w.groups = groups
			})
		})
	}
}

func TestWorkspaceRequest(t *testing.T) {
	w := newWorkspace(t)
	for _, row := range []struct {
		more  map[string]any
		scope string
	}{
		{nil, "openid email profile"},
		{map[string]any{"scope": []string{"profile", "https://x/auth"}, "profile": false}, "openid email https://x/auth"},
		{map[string]any{"email": false}, "openid email https://x/auth"},
		{map[string]any{"map_user_id_to_id": true}, "openid https://x/auth"},
		{map[string]any{"allow_setting_login_scopes": true}, "openid https://x/auth asked"},
	} {
		maps.Copy(w.options, row.more)
		tr, err := w.leave(upstream.Start{Scopes: []string{"asked"}})
		if err != nil {
			t.Fatal(err)
		}
		if tr.sent.Get("scope") != row.scope || tr.sent.Get("hd") != "corp.example" || tr.sent.Get("code_challenge_method") != "S256" {
			t.Errorf("%v: sent %v", row.more, tr.sent)
		}
	}
	delete(w.options, "domain")
	if _, err := w.leave(upstream.Start{}); errs.KindOf(err) != errs.Invalid {
		t.Errorf("without a domain: %v", err)
	}
}

// hd in the request is only a wish: what counts is what the token says.
func TestWorkspaceDomain(t *testing.T) {
	good := map[string]any{"hd": "corp.example", "email": "lu@corp.example", "email_verified": true}
	for _, row := range []struct {
		name string
		more map[string]any
		ok   bool
	}{
		{"of the domain", nil, true},
		{"another spelling", map[string]any{"hd": "CORP.Example"}, true},
		{"of an alias", map[string]any{"hd": "alias.example"}, true},
		{"of another", map[string]any{"hd": "evil.example"}, false},
		{"of a subdomain", map[string]any{"hd": "x.corp.example"}, false},
		{"of none", map[string]any{"hd": nil}, false},
		{"of none, with the address", map[string]any{"hd": ""}, false},
		{"hd a list", map[string]any{"hd": []string{"corp.example"}}, false},
		{"address not proven", map[string]any{"email_verified": false}, false},
		{"no word about a proof", map[string]any{"email_verified": nil}, false},
		{"no address", map[string]any{"email": nil}, false},
	} {
		w := newWorkspace(t)
		w.options["domain_aliases"] = []string{"alias.example"}
		claims := maps.Clone(good)
		maps.Copy(claims, row.more)
		w.idp.SetPerson("1156", claims)
		result, err := w.login()
		if row.ok {
			if err != nil || result.Claims.Subject != "lu@corp.example" {
				t.Errorf("%s: %q, %v", row.name, result.Claims.Subject, err)
			}
			continue
		}
		checkRefusal(t, w.rig, result, err)
	}
}

func TestWorkspaceDirectory(t *testing.T) {
	w := newWorkspace(t)
	w.options["ext_groups"], w.options["ext_is_admin"] = true, true
	result := w.mustLogin() // no administrator has agreed yet
	if len(w.tokens) != 0 || len(result.Claims.Once) != 4 {
		t.Errorf("asked with %v; once %v", w.tokens, result.Claims.Once)
	}
	w.options["admin_access_token"] = "admin"
	w.mustLogin()
	w.options["admin_refresh_token"], w.options["admin_access_token_expiresin"] = "admin-refresh", w.now().Add(time.Hour).Format(time.RFC3339)
	w.mustLogin()
	w.pass(time.Hour)
	w.mustLogin()
	w.mustLogin()
	if got := strings.Join(w.tokens, " "); got != "admin admin admin admin renewed renewed renewed renewed" || w.renews != 1 {
		t.Errorf("asked with %s, renewed %d times", got, w.renews)
	}
	w.pass(2 * time.Hour)
	w.mustLogin()
	if w.renews != 2 {
		t.Errorf("renewed %d times", w.renews)
	}
	w.options["admin_refresh_token"] = "another"
	if _, err := w.login(); errs.KindOf(err) != errs.Invalid {
		t.Errorf("a refresh token that is over: %v", err)
	}
	w.options["admin_refresh_token"] = "admin-refresh"
	w.status = http.StatusServiceUnavailable
	result, err := w.login()
	checkRefusal(t, w.rig, result, err)
}

func TestInherit(t *testing.T) {
	w := newWorkspace(t)
	heir := NewWorkspace(w.connector)
	said := `{"sub":"1156","hd":"corp.example","email":"lu@corp.example","email_verified":true,"name":"Lu Chen"}`
	for _, row := range []struct {
		name, said string
		more       map[string]any
		subject    string // empty: none of its business
	}{
		{"of the domain", said, nil, "lu@corp.example"},
		{"by number", said, map[string]any{"map_user_id_to_id": true}, "1156"},
		{"switched off", said, map[string]any{"handle_login_from_social": false}, ""},
		{"of another", strings.Replace(said, `"corp.example"`, `"evil.example"`, 1), nil, ""},
		{"a consumer with such an address", strings.Replace(said, `"hd":"corp.example",`, "", 1), nil, ""},
		{"not proven", strings.Replace(said, `true`, `false`, 1), nil, ""},
		{"garbage", `[]`, nil, ""},
	} {
		w.options["map_user_id_to_id"], w.options["handle_login_from_social"] = false, true
		maps.Copy(w.options, row.more)
		cl, ok, err := heir.Inherit(t.Context(), w.connection(), profile.Claims{Subject: "1156", Raw: profile.Value(row.said)})
		if err != nil || ok != (row.subject != "") || cl.Subject != row.subject {
			t.Errorf("%s: %q %v %v", row.name, cl.Subject, ok, err)
		}
	}
}

// The law: whatever is said, nobody is known without hd being a domain of the
// connection, and nobody by an address that is not proven.
func FuzzWorkspacePerson(f *testing.F) {
	f.Add(`{"hd":"corp.example","email":"a@corp.example","email_verified":true}`, false)
	f.Add(`{"hd":"corp.example","sub":"1"}`, true)
	f.Add(`{"hd":null,"email":[],"email_verified":"TRUE"}`, false)
	f.Fuzz(func(t *testing.T, doc string, byNumber bool) {
		said, err := strictjson.Object([]byte(doc))
		if err != nil {
			return
		}
		o := workspaceOptions{domains: []string{"corp.example"}, byNumber: byNumber}
		who, err := o.person(said)
		if err != nil {
			return
		}
		d := strictjson.NewDocument(said)
		if !strings.EqualFold(d.Text("hd"), "corp.example") || who == "" {
			t.Fatalf("%q of %s", who, doc)
		}
		if !byNumber && !d.Flag("email_verified") && !strings.EqualFold(d.Text("email_verified"), "true") {
			t.Fatalf("%q is not proven: %s", who, doc)
		}
	})
}
