package server_test

import (
	"bytes"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mangrove/internal/store/storetest"
	"mangrove/internal/upstream/idptest"
)

// connectEID makes a connection to the provider as to a broker of an eID. more are
// further options.
func (u *upstream) connectEID(w *world, name, eid, mode string, more map[string]any) {
	u.t.Helper()
	options := map[string]any{
		"type": "back_channel", "discovery_url": u.issuer + "/.well-known/openid-configuration", "client_id": u.clientID, "client_secret": u.pass,
		"scope": "openid profile eid", "legal_identity": map[string]any{"eid": eid}, "set_user_root_attributes": mode,
	}
	for k, v := range more {
		options[k] = v
	}
	b, err := json.Marshal(map[string]any{"name": name, "strategy": "oidc", "options": options})
	if err != nil {
		u.t.Fatal(err)
	}
	if status, body := w.call("POST", "/api/v2/connections", string(b)); status != 201 {
		u.t.Fatalf("creating the connection: %d %s", status, body)
	}
}

// TestLegalIdentityWithACertifiedProvider: people of four countries sign in twice,
// under each mode of sync. The numbers that their states gave them are stored
// where that was asked for, and nowhere else.
func TestLegalIdentityWithACertifiedProvider(t *testing.T) {
	file := filepath.Join(t.TempDir(), "stolen.db")
	w := newWorldIn(t, t.TempDir(), file)
	idp := startUpstream(t, w.url+"/login/callback")
	for _, eid := range []struct {
		id, acr, level, number string
		claims                 map[string]any
		name                   string // shown
		more                   map[string]any
	}{
		{"se-bankid", "urn:grn:authn:se:bankid", "substantial", "196802020575", map[string]any{
			"ssn": "196802020575", "name": "Terne Tolv", "given_name": "Terne", "family_name": "Tolv", "identityscheme": "sebankid", "country": "SE",
		}, "Terne Tolv", map[string]any{"country": "SE", "family_name": "Tolv"}},
		{"no-bankid", "urn:grn:authn:no:bankid", "substantial", "26129012345", map[string]any{
			"socialno": "26129012345", "uniqueuserid": "9578-6000-4-351726", "name": "Kari Nord", "given_name": "Kari", "family_name": "Nord", "birthdate": "1990-12-26",
		}, "Kari Nord", map[string]any{"uniqueuserid": "9578-6000-4-351726", "birthdate": "1990-12-26"}},
		{"dk-mitid", "urn:grn:authn:dk:mitid:substantial", "high", "2601901234", map[string]any{
			"cprNumberIdentifier": "2601901234", "uuid": "5c1a1e42-mitid", "name": "Per Sund Hansen", "loA": "HIGH", "ial": "SUBSTANTIAL",
		}, "Per Sund Hansen", map[string]any{"mitid_uuid": "5c1a1e42-mitid", "uuid": nil, "given_name": nil, "family_name": nil}},
		{"fi-ftn", "urn:grn:authn:fi:all", "substantial", "210281-9988", map[string]any{
			"hetu": "210281-9988", "satu": "100056789C", "name": "Nordea Demo", "given_name": "Nordea", "family_name": "Demo",
		}, "Nordea Demo", map[string]any{"given_name": "Nordea", "satu": nil}},
	} {
		for _, mode := range []string{"on_each_login", "on_first_login", "never_on_login"} {
			name := eid.id + "-" + strings.ReplaceAll(mode, "_", "-")
			sub := "{" + name + "}"
			begin := mode
			if mode == "never_on_login" {
				begin = "on_first_login" // somebody has to be known to be left alone
			}
			idp.connectEID(w, name, eid.id, begin, nil)
			a := w.newApplication(name)
			claims := map[string]any{"authenticationtype": eid.acr, "nameidentifier": strings.Repeat("a", 32)}
			for k, v := range eid.claims {
				claims[k] = v
			}
			idp.set(sub, claims)
			if in, q := a.signIn(w.newBrowser(), name, sub); in == nil {
				t.Fatalf("%s: first login: %v", name, q)
			}
			id := "oidc|" + name + "|" + sub
			expect := map[string]any{"name": eid.name, "logins_count": 1.0}
			for k, v := range eid.more {
				expect[k] = v
			}
			for _, national := range []string{"ssn", "socialno", "cprNumberIdentifier", "hetu"} {
				expect[national] = nil
			}
			first := w.profileOf(id)
			want(t, name+" created", first, expect)
			assured(t, name, first, eid.acr, eid.level)

			if mode == "never_on_login" {
				w.setSync(name, mode)
			}
			claims["name"] = "Another Name"
			idp.set(sub, claims)
			if in, q := a.signIn(w.newBrowser(), name, sub); in == nil {
				t.Fatalf("%s: second login: %v", name, q)
			}
			expect["logins_count"] = 2.0
			if mode == "on_each_login" {
				expect["name"] = "Another Name"
			}
			second := w.profileOf(id)
			want(t, name+" after the second login", second, expect)
			assured(t, name+" after the second login", second, eid.acr, eid.level)
		}
	}

	// Asked for, it is stored.
	idp.connectEID(w, "asked", "se-bankid", "on_each_login", map[string]any{"non_persistent_attrs": []string{}})
	idp.set("asked", map[string]any{"ssn": "191212121212", "name": "Tolvan Tolvansson", "authenticationtype": "urn:grn:authn:se:bankid"})
	if in, q := w.newApplication("asked").signIn(w.newBrowser(), "asked", "asked"); in == nil {
		t.Fatal(q)
	}
	want(t, "asked for", w.profileOf("oidc|asked|asked"), map[string]any{"ssn": "191212121212"})

	w.stop()
	var stolen []byte
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(file + suffix)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		stolen = append(stolen, b...)
	}
	if !bytes.Contains(stolen, []byte("Kari Nord")) || !bytes.Contains(stolen, []byte("191212121212")) {
		t.Fatal("the scan does not even find what is stored")
	}
	for _, number := range []string{"196802020575", "26129012345", "2601901234", "210281-9988", "100056789C"} {
		if bytes.Contains(stolen, []byte(number)) || bytes.Contains(w.logs.Bytes(), []byte(number)) {
			t.Errorf("%s can be read in the file, or in the logs", number)
		}
	}
}

// assured looks for what identities[] says of the last login.
func assured(t *testing.T, what string, profile map[string]any, acr, level string) {
	t.Helper()
	identities, _ := profile["identities"].([]any)
	if len(identities) != 1 {
		t.Fatalf("%s: %v", what, identities)
	}
	got, _ := identities[0].(map[string]any)["assurance"].(map[string]any)
	if got["acr"] != acr || got["level"] != level {
		t.Errorf("%s: assurance %v, want %s %s", what, got, acr, level)
	}
}

// TestLegalIdentityIsNotDowngraded: who signs in by less than was asked for, or by
// something else, or by nobody knows what, does not sign in.
func TestLegalIdentityIsNotDowngraded(t *testing.T) {
	w := newWorld(t, storetest.SQLite)
	idp := startUpstream(t, w.url+"/login/callback")
	idp.connectEID(w, "mitid", "dk-mitid", "on_each_login", nil)
	a := w.newApplication("mitid")
	const asked = "urn:grn:authn:dk:mitid:substantial"
	for _, row := range []struct {
		name   string
		claims map[string]any
		in     bool
	}{
		{"higher", map[string]any{"acr": "urn:grn:authn:dk:mitid:high", "authenticationtype": "urn:grn:authn:dk:mitid:high"}, true},
		{"as asked", map[string]any{"authenticationtype": asked}, true},
		{"lower", map[string]any{"acr": "urn:grn:authn:dk:mitid:low"}, false},
		{"lower, in the broker's words", map[string]any{"authenticationtype": "urn:grn:authn:dk:mitid:low"}, false},
		{"lower, by the level", map[string]any{"authenticationtype": asked, "loA": "LOW"}, false},
		{"another eID", map[string]any{"acr": "urn:grn:authn:se:bankid"}, false},
		{"nothing", map[string]any{"acr": "1"}, false},
	} {
		sub := strings.ReplaceAll(row.name, " ", "-")
		row.claims["name"] = "Per"
		idp.set(sub, row.claims)
		in, q := a.signIn(w.newBrowser(), "mitid", sub)
		if (in != nil) != row.in {
			t.Errorf("%s: %v %v", row.name, in, q)
		}
		if in == nil && (q.Get("error") != "access_denied" || !strings.Contains(q.Get("error_description"), "level of assurance")) {
			t.Errorf("%s: %v", row.name, q)
		}
		status, _ := w.call("GET", "/api/v2/users/"+url.PathEscape("oidc|mitid|"+sub), "")
		if (status == 200) != row.in {
			t.Errorf("%s: the user: %d", row.name, status)
		}
	}
	if status, body := w.call("GET", "/api/v2/logs?per_page=100", ""); status != 200 || strings.Count(body, `level of assurance that was asked for.","connection":"mitid"`) != 5 {
		t.Errorf("on record: %d %.2000s", status, body)
	}
	status, body := w.call("GET", "/api/v2/mangrove/legal-identities", "")
	if status != 200 || !strings.Contains(body, `{"claim":"cprNumberIdentifier","attribute":"cprNumberIdentifier","national_identifier":true}`) ||
		!strings.Contains(body, `{"acr":"urn:grn:authn:no:bankid:high","name":"high","level":"high"}`) {
		t.Errorf("%d %.400s", status, body)
	}
}

// TestLegalIdentityByOtherCarriers: what holds by OpenID Connect holds by OAuth 2.0
// and by WS-Federation, where claims are called by addresses.
func TestLegalIdentityByOtherCarriers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "stolen.db")
	w := newWorldIn(t, t.TempDir(), file)
	const number, acr = "197802020575", "urn:grn:authn:se:bankid"
	connect := func(name, strategy string, options map[string]any) *application {
		t.Helper()
		options["legal_identity"] = map[string]any{"eid": "se-bankid"}
		b, err := json.Marshal(map[string]any{"name": name, "strategy": strategy, "options": options})
		if err != nil {
			t.Fatal(err)
		}
		if status, body := w.call("POST", "/api/v2/connections", string(b)); status != 201 {
			t.Fatalf("%s: %d %s", name, status, body)
		}
		return w.newApplication(name)
	}

	broker := startUpstream(t, w.url+"/login/callback")
	broker.set("terne", map[string]any{"ssn": number, "name": "Terne Tolv", "authenticationtype": acr})
	broker.set("weak", map[string]any{"name": "Weak", "authenticationtype": "urn:grn:authn:dk:mitid:low"})
	oauth := connect("oauth", "oauth2", map[string]any{
		"authorizationURL": broker.issuer + "/auth", "tokenURL": broker.issuer + "/token", "endpoints": map[string]any{"profile": broker.issuer + "/me"},
		"client_id": broker.clientID, "client_secret": broker.pass, "scope": "openid profile eid", "pkce_enabled": true,
	})
	for range 2 {
		if in, q := oauth.signIn(w.newBrowser(), "oauth", "terne"); in == nil {
			t.Fatal(q)
		}
	}
	if in, q := oauth.signIn(w.newBrowser(), "oauth", "weak"); in != nil || !strings.Contains(q.Get("error_description"), "level of assurance") {
		t.Errorf("another eID by OAuth 2.0: %v %v", in, q)
	}

	idp := idptest.StartSimpleSAML(t)
	idp.TrustRealm("urn:auth0:localhost", w.url+"/login/callback")
	person := map[string][]string{"ssn": {number}, "name": {"Carol Tolv"}, "authenticationtype": {acr}}
	idp.SetPerson("carol", person)
	adfs := connect("adfs", "adfs", map[string]any{"fedMetadataXml": idp.WSFedMetadata()})
	for range 2 {
		adfs.throughIDP("adfs", w.newBrowser(), idptest.NewBrowser(t))
	}

	for connection, name := range map[string]string{"oauth": "Terne Tolv", "adfs": "Carol Tolv"} {
		status, body := w.call("GET", "/api/v2/users?q="+url.QueryEscape(`identities.connection:"`+connection+`"`), "")
		var list []map[string]any
		if err := json.Unmarshal([]byte(body), &list); err != nil || status != 200 || len(list) != 1 {
			t.Fatalf("%s: %d %s", connection, status, body)
		}
		want(t, connection, list[0], map[string]any{"name": name, "ssn": nil, "logins_count": 2.0})
		assured(t, connection, list[0], acr, "substantial")
	}
	w.stop()
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(file + suffix)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte(number)) || bytes.Contains(w.logs.Bytes(), []byte(number)) {
			t.Error("the number can be read in the file, or in the logs")
		}
	}
}
