package connection

import (
	"encoding/json"
	"reflect"
	"testing"
)

func TestOIDCOptions(t *testing.T) {
	none := OIDCOptions{Type: FrontChannel, Scope: "openid profile email", TokenEndpointAuthMethod: "client_secret_post", PKCE: "auto", AttributeMap: AttributeMap{Mode: BindAll}}
	with := func(fn func(*OIDCOptions)) OIDCOptions {
		o := none
		fn(&o)
		return o
	}
	for _, row := range []struct {
		name, strategy, options string
		want                    OIDCOptions
	}{
		{"nothing set", "oidc", `{}`, none},
		{"everything null", "oidc", `{"type":null,"scope":null,"token_endpoint_auth_method":null,"upstream_params":null,"oidc_metadata":null,"id_token_signed_response_algs":null}`, none},
		{"back channel", "oidc", `{"type":"back_channel","client_id":"c","client_secret":"s","discovery_url":"https://i/x"}`, with(func(o *OIDCOptions) {
			o.Type, o.ClientID, o.ClientSecret, o.DiscoveryURL = BackChannel, "c", "s", "https://i/x"
		})},
		{"discovery below the issuer", "oidc", `{"issuer":"https://i/realm/"}`, with(func(o *OIDCOptions) {
			o.Issuer, o.DiscoveryURL = "https://i/realm/", "https://i/realm/.well-known/openid-configuration"
		})},
		{"scope without openid", "oidc", `{"scope":"email  profile"}`, with(func(o *OIDCOptions) { o.Scope = "openid email profile" })},
		{"scope with openid", "oidc", `{"scope":"email openid"}`, with(func(o *OIDCOptions) { o.Scope = "email openid" })},
		{"map and parameters", "oidc", `{"attribute_map":{"mapping_mode":"use_map","attributes":{"b":"${context.tokenset.b}","a":"x"},"userinfo_scope":"email"},
			"upstream_params":{"z":{"alias":"login_hint"},"a":{"value":"1"},"n":null},"oidc_metadata":{"issuer":"i"},"connection_settings":{"pkce":"disabled"},
			"id_token_signed_response_algs":["RS256"],"non_persistent_attrs":["x"],"domain_aliases":["a.test"]}`, with(func(o *OIDCOptions) {
			o.AttributeMap = AttributeMap{Mode: UseMap, UserinfoScope: "email", Attributes: []AttributeTemplate{
				{"a", json.RawMessage(`"x"`)}, {"b", json.RawMessage(`"${context.tokenset.b}"`)}}}
			o.UpstreamParams = []UpstreamParam{{Name: "a", Value: "1"}, {Name: "z", Alias: "login_hint"}}
			o.Metadata, o.PKCE, o.IDTokenAlgs = json.RawMessage(`{"issuer":"i"}`), "disabled", []string{"RS256"}
			o.NonPersistent, o.DomainAliases = []string{"x"}, []string{"a.test"}
		})},
		{"okta", "okta", `{"domain":"acme.okta.test","type":"front_channel"}`, with(func(o *OIDCOptions) {
			o.Type, o.DiscoveryURL, o.AttributeMap.Mode = BackChannel, "https://acme.okta.test/.well-known/openid-configuration", BasicProfile
		})},
		{"another strategy", "samlp", `{"client_id":"c"}`, none},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := &Connection{Strategy: row.strategy, Options: json.RawMessage(row.options)}
			if got := *c.OIDC(); !reflect.DeepEqual(got, row.want) {
				t.Errorf("got  %+v\nwant %+v", got, row.want)
			}
		})
	}
}
