package oidc

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"mangrove/internal/connection"
	"mangrove/internal/fakeidp"
	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
)

var (
	_ connection.Preparer = (*Connector)(nil)
	_ connection.Preparer = EntraPreparer{}
	_ connection.Preparer = WorkspacePreparer{}
)

func document(t *testing.T, v any) strictjson.Document {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return strictjson.ParseDocument(b)
}

func TestPrepareMetadata(t *testing.T) {
	r := newRig(t, plainOptions())
	r.options = map[string]any{"client_id": "mangrove", "client_secret": "s3cr:et%", "type": "back_channel"}
	url, issuer := r.idp.DiscoveryURL(), r.idp.Issuer()
	own := map[string]any{"issuer": "https://own.example", "x": 1}
	old := map[string]any{"issuer": "https://old.example"}
	rows := []struct {
		name    string
		stored  map[string]any
		next    map[string]any
		rude    fakeidp.Mode
		want    string // issuer of oidc_metadata; empty: none
		fetches int
	}{
		{"first write", nil, map[string]any{"discovery_url": url}, fakeidp.Polite, issuer, 1},
		{"empty metadata", nil, map[string]any{"discovery_url": url, "oidc_metadata": map[string]any{}}, fakeidp.Polite, issuer, 1},
		{"sent by hand", nil, map[string]any{"discovery_url": url, "oidc_metadata": own}, fakeidp.Polite, "https://own.example", 0},
		{"carried over", map[string]any{"oidc_metadata": old}, map[string]any{"discovery_url": url, "oidc_metadata": old}, fakeidp.Polite, issuer, 1},
		{"carried over, and nobody answers", map[string]any{"discovery_url": url, "oidc_metadata": old}, map[string]any{"discovery_url": url, "oidc_metadata": old}, fakeidp.ServerFailure, "https://old.example", 1},
		{"carried over, without an address", map[string]any{"oidc_metadata": old}, map[string]any{"oidc_metadata": old}, fakeidp.Polite, "https://old.example", 0},
		{"moved", map[string]any{"discovery_url": "https://old.example", "oidc_metadata": old}, map[string]any{"discovery_url": url, "oidc_metadata": old}, fakeidp.Polite, issuer, 1},
		{"moved, and nobody answers", map[string]any{"discovery_url": "https://old.example", "oidc_metadata": old}, map[string]any{"discovery_url": url, "oidc_metadata": old}, fakeidp.ServerFailure, "", 1},
		{"domain as it was", map[string]any{"domain": "okta.invalid", "oidc_metadata": old}, map[string]any{"domain": "okta.invalid", "oidc_metadata": old}, fakeidp.Polite, "https://old.example", 0},
		{"another domain, and nobody answers", map[string]any{"domain": "old.invalid", "oidc_metadata": old}, map[string]any{"domain": "okta.invalid", "oidc_metadata": old}, fakeidp.Polite, "", 0},
		{"nobody answers", nil, map[string]any{"discovery_url": url}, fakeidp.ServerFailure, "", 1},
		{"garbage", nil, map[string]any{"discovery_url": url}, fakeidp.Garbage, "", 1},
		{"members twice", nil, map[string]any{"discovery_url": url}, fakeidp.Doubled, "", 1},
		{"without end", nil, map[string]any{"discovery_url": url}, fakeidp.Huge, "", 1},
		{"of another issuer", nil, map[string]any{"discovery_url": url}, fakeidp.WrongDiscoveryIssuer, "", 1},
		{"of another issuer, as both are kept", nil, map[string]any{"discovery_url": url, "issuer": "https://said.example"}, fakeidp.Polite, issuer, 1},
		{"issuer alone", nil, map[string]any{"issuer": issuer}, fakeidp.Polite, "", 0},
		{"a domain that nobody has", nil, map[string]any{"domain": "okta.invalid"}, fakeidp.Polite, "", 0},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			r.idp.Rude(row.rude)
			defer r.idp.Rude(fakeidp.Polite)
			before := r.idp.Count(fakeidp.Discovery)
			var stored strictjson.Document
			if row.stored != nil {
				stored = document(t, row.stored)
			}
			got, err := r.connector.Prepare(t.Context(), "acme", stored, document(t, row.next))
			if err != nil {
				t.Fatal(err)
			}
			if iss := got.Object("oidc_metadata").Text("issuer"); iss != row.want {
				t.Errorf("issuer %q", iss)
			}
			if n := r.idp.Count(fakeidp.Discovery) - before; n != row.fetches {
				t.Errorf("%d requests", n)
			}
		})
	}
	// What was stored is enough to sign in by.
	next, err := r.connector.Prepare(t.Context(), "acme", nil, document(t, map[string]any{"discovery_url": url}))
	if err != nil {
		t.Fatal(err)
	}
	r.fresh()
	maps.Copy(r.options, map[string]any{"discovery_url": url, "oidc_metadata": next["oidc_metadata"]})
	before := r.idp.Count(fakeidp.Discovery)
	r.mustLogin()
	if r.idp.Count(fakeidp.Discovery) != before {
		t.Error("the login asked again")
	}
}

// Endpoints follow the provider where nobody has set them by hand.
func TestPrepareEndpoints(t *testing.T) {
	r := newRig(t, plainOptions())
	url := r.idp.DiscoveryURL()
	old := `{"discovery_url":"https://old.example/x","token_endpoint":"https://old.example/token","oidc_metadata":{"token_endpoint":"https://old.example/token"}}`
	for _, row := range []struct{ name, stored, next, token, userinfo string }{
		{"null is filled", "", `{"token_endpoint":null,"userinfo_endpoint":null}`, r.idp.Issuer() + "/token", r.idp.Issuer() + "/userinfo"},
		{"absent stays absent", "", `{}`, "", ""},
		{"set by hand", "", `{"token_endpoint":"https://own.example/token"}`, "https://own.example/token", ""},
		{"sent back as it was read, of the provider that was", old, `{"token_endpoint":"https://old.example/token","oidc_metadata":{"token_endpoint":"https://old.example/token"}}`, r.idp.Issuer() + "/token", ""},
		{"set by hand, and moved", old, `{"token_endpoint":"https://own.example/token"}`, "https://own.example/token", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			next := strictjson.ParseDocument([]byte(row.next))
			next["discovery_url"] = profile.Text(url)
			got, err := r.connector.Prepare(t.Context(), "acme", strictjson.ParseDocument([]byte(row.stored)), next)
			if err != nil {
				t.Fatal(err)
			}
			if got.Text("token_endpoint") != row.token || got.Text("userinfo_endpoint") != row.userinfo {
				t.Errorf("%s", got.Encode())
			}
		})
	}
}

func TestPrepareEntra(t *testing.T) {
	e := newEntra(t)
	p := EntraPreparer{Connector: e.connector, Host: "id.example"}
	got, err := p.Prepare(t.Context(), "corp", nil, document(t, e.options))
	if err != nil || got.Text("app_domain") != "id.example" || got.Has("thumbprints") {
		t.Errorf("%s, %v", got.Encode(), err)
	}
	got, err = p.Prepare(t.Context(), "corp", got, document(t, map[string]any{"app_domain": "own.example", "thumbprints": []string{"AA"}, "user_id_attribute": "sub"}))
	if err != nil || got.Text("userid_attribute") != "sub" || got.Text("app_domain") != "own.example" || len(got.Texts("thumbprints")) != 1 {
		t.Errorf("%s, %v", got.Encode(), err)
	}
	keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, wellKnown) {
			base := "http://" + r.Host
			fmt.Fprintf(w, `{"issuer":"%[1]s/x","authorization_endpoint":"%[1]s/a","token_endpoint":"%[1]s/t","jwks_uri":"%[1]s/k"}`, base)
			return
		}
		fmt.Fprintf(w, `{"keys":[{"x5c":["%s"]},{"x5c":["%[1]s"]},{"x5c":["!"]},{}]}`, base64.StdEncoding.EncodeToString([]byte("a certificate")))
	}))
	defer keys.Close()
	e.options["endpoints"] = map[string]any{"authority": keys.URL}
	got, err = p.Prepare(t.Context(), "corp", nil, document(t, e.options))
	if err != nil || len(got.Texts("thumbprints")) != 1 || len(got.Texts("thumbprints")[0]) != 40 {
		t.Errorf("%s, %v", got.Encode(), err)
	}
}

func TestPrepareWorkspace(t *testing.T) {
	for _, row := range []struct{ stored, next, want string }{
		{"", `{"email":true,"profile":true,"scope":["email","profile"]}`, `{"email":true,"profile":true,"scope":["email","profile"]}`},
		{"", `{"email":true,"profile":false,"scope":["email","profile","x"]}`, `{"email":true,"profile":false,"scope":["email","x"]}`},
		{"", `{"map_user_id_to_id":true}`, `{"map_user_id_to_id":true,"scope":[]}`},
		{`{"map_user_id_to_id":true}`, `{"map_user_id_to_id":false}`, `{"map_user_id_to_id":true,"scope":[]}`},
		{`{}`, `{"map_user_id_to_id":true}`, `{"scope":[]}`},
	} {
		var stored strictjson.Document
		if row.stored != "" {
			if stored = strictjson.ParseDocument([]byte(row.stored)); stored == nil {
				stored = strictjson.Document{}
			}
		}
		got, err := WorkspacePreparer{}.Prepare(t.Context(), "g", stored, strictjson.ParseDocument([]byte(row.next)))
		if err != nil || string(got.Encode()) != row.want {
			t.Errorf("%s, %s: %s, %v", row.stored, row.next, got.Encode(), err)
		}
	}
}
