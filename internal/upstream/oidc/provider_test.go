package oidc

import (
	"net/http/httptest"
	"testing"

	"mangrove/internal/connection"
	"mangrove/internal/fakeidp"
	"mangrove/internal/upstream"
)

func TestWhereMetadataComesFrom(t *testing.T) {
	idp := fakeidp.New(fakeidp.Options{})
	server := httptest.NewServer(idp)
	defer server.Close()
	idp.SetIssuer(server.URL)
	iss := server.URL
	full := map[string]any{
		"issuer": iss, "authorization_endpoint": iss + "/authorize", "token_endpoint": iss + "/token", "jwks_uri": iss + "/jwks",
	}
	with := func(name string, v any) map[string]any {
		m := map[string]any{}
		for k, x := range full {
			m[k] = x
		}
		m[name] = v
		return m
	}
	rows := []struct {
		name    string
		options map[string]any
		ok      bool
		asked   int
	}{
		{"issuer", map[string]any{"issuer": iss}, true, 1},
		{"discovery_url", map[string]any{"discovery_url": iss + wellKnown}, true, 1},
		{"both", map[string]any{"issuer": iss, "discovery_url": iss + wellKnown}, true, 1},
		{"issuer with a slash", map[string]any{"issuer": iss + "/", "discovery_url": iss + wellKnown}, false, 1},
		{"another issuer", map[string]any{"issuer": "https://other.example", "discovery_url": iss + wellKnown}, false, 1},
		{"metadata", map[string]any{"oidc_metadata": full}, true, 0},
		{"metadata of another issuer", map[string]any{"oidc_metadata": full, "issuer": "https://other.example"}, false, 0},
		{"metadata, not whole", map[string]any{"oidc_metadata": map[string]any{"issuer": iss}, "discovery_url": iss + wellKnown}, true, 1},
		{"endpoints", full, true, 0},
		{"endpoint beside the issuer", map[string]any{"issuer": iss, "token_endpoint": iss + "/token"}, true, 1},
		{"nothing", map[string]any{}, false, 0},
		{"script endpoint", with("authorization_endpoint", "javascript:alert(1)"), false, 0},
		{"endpoint without scheme", with("jwks_uri", "//x.example/jwks"), false, 0},
		{"endpoint with user", with("token_endpoint", "http://u:p@x.example/"), false, 0},
		{"file endpoint", with("jwks_uri", "file:///etc/passwd"), false, 0},
	}
	for _, row := range rows {
		r := newRig(t, fakeidp.Options{})
		row.options["client_id"], row.options["client_secret"], row.options["type"] = "mangrove", "x", "back_channel"
		r.options = row.options
		before := idp.Count(fakeidp.Discovery)
		_, err := r.connector.Depart(t.Context(), r.connection(), upstream.Start{State: "s", Nonce: "n", CallbackURL: callbackURL})
		if (err == nil) != row.ok {
			t.Errorf("%s: %v", row.name, err)
		}
		if n := idp.Count(fakeidp.Discovery) - before; n != row.asked {
			t.Errorf("%s: the document was asked for %d times", row.name, n)
		}
	}
}

func TestRightIssuer(t *testing.T) {
	rows := []struct {
		issuer, discovery, found string
		ok                       bool
	}{
		{"https://a.example", "https://a.example" + wellKnown, "https://a.example", true},
		{"https://a.example/", "https://a.example" + wellKnown, "https://a.example/", true},
		{"https://a.example", "https://a.example" + wellKnown, "https://a.example/", false},
		{"https://A.example", "https://a.example" + wellKnown, "https://a.example", false},
		{"https://a.example", "https://cdn.example/doc", "https://a.example", true},
		{"", "https://a.example" + wellKnown, "https://a.example", true},
		{"", "https://a.example" + wellKnown, "https://a.example/", true},
		{"", "https://a.example" + wellKnown, "https://b.example", false},
		{"", "https://a.example/t" + wellKnown, "https://a.example", false},
		{"", "https://a.example/dXJuOmdybjphdXRobjpubzpiYW5raWQ=" + wellKnown, "https://a.example/", true}, // the acr of an eID
		{"", "https://a.example/dXJuOmdybjphdXRobjpubzpiYW5raWQ=" + wellKnown, "https://b.example", false},
		{"", "https://a.example/doc.json", "https://b.example", true},
	}
	for _, row := range rows {
		err := rightIssuer(&connection.OIDCOptions{Issuer: row.issuer, DiscoveryURL: row.discovery}, row.found)
		if (err == nil) != row.ok {
			t.Errorf("%v: %v", row, err)
		}
	}
}

// TLS endpoints may not lead out of TLS.
func TestNoEndpointLeavesTLS(t *testing.T) {
	p := provider{
		Issuer: "https://a.example", AuthorizationEndpoint: "https://a.example/a",
		TokenEndpoint: "https://b.example/t", JWKSURI: "https://c.example/j",
	}
	o := &connection.OIDCOptions{ClientID: "x"}
	if err := p.check(o, true); err != nil {
		t.Fatal(err)
	}
	p.TokenEndpoint = "http://b.example/t"
	if p.check(o, true) == nil {
		t.Error("accepted")
	}
}
