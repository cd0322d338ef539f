package wsfed

import (
	"encoding/json"
	"errors"
	"testing"

	"mangrove/internal/connection"
	"mangrove/internal/strictjson"
)

func TestMetadataAddress(t *testing.T) {
	for _, row := range []struct{ server, want string }{
		{"adfs.corp.example", "https://adfs.corp.example/FederationMetadata/2007-06/FederationMetadata.xml"},
		{"adfs.corp.example:8443", "https://adfs.corp.example:8443/FederationMetadata/2007-06/FederationMetadata.xml"},
		{"https://adfs.corp.example", "https://adfs.corp.example/FederationMetadata/2007-06/FederationMetadata.xml"},
		{"https://adfs.corp.example/", "https://adfs.corp.example/FederationMetadata/2007-06/FederationMetadata.xml"},
		{"https://broker.example/dXJu/FederationMetadata/2007-06/FederationMetadata.xml", "https://broker.example/dXJu/FederationMetadata/2007-06/FederationMetadata.xml"},
		{"https://idp.example/md?tenant=1", "https://idp.example/md?tenant=1"},
		{"http://127.0.0.1:99/md", "http://127.0.0.1:99/md"},
		{"http://localhost/md", "http://localhost/md"},
		{"http://adfs.corp.example", ""},
		{"ftp://adfs.corp.example", ""},
		{"https://user:pw@adfs.corp.example", ""},
		{"https://", ""},
		{"file:///etc/passwd", ""},
		{"adfs corp", ""},
	} {
		got, err := metadataAddress(row.server)
		if got != row.want || (err == nil) != (row.want != "") {
			t.Errorf("%s: %q %v", row.server, got, err)
		}
	}
}

func TestOptionsOfEntra(t *testing.T) {
	for _, row := range []struct{ options, address, realm, subject string }{
		{`{"client_id":"c","tenantId":"t-1"}`, "https://login.microsoftonline.com/t-1/federationmetadata/2007-06/federationmetadata.xml", "spn:c", objectID},
		{`{"client_id":"c","app_id":"a","tenant_domain":"corp.example","userid_attribute":"sub"}`, "https://login.microsoftonline.com/corp.example/federationmetadata/2007-06/federationmetadata.xml", "spn:a", ""},
		{`{"client_id":"c","tenant_domain":["corp.example"],"entityId":"urn:us"}`, "https://login.microsoftonline.com/corp.example/federationmetadata/2007-06/federationmetadata.xml", "urn:us", objectID},
		{`{"client_id":"c","domain":"corp.example","endpoints":{"authority":"https://login.microsoftonline.us/"}}`, "https://login.microsoftonline.us/corp.example/federationmetadata/2007-06/federationmetadata.xml", "spn:c", objectID},
		{`{"client_id":"c","tenant_domain":"../x"}`, "https://login.microsoftonline.com/..%2Fx/federationmetadata/2007-06/federationmetadata.xml", "spn:c", objectID},
		{`{"client_id":"c"}`, "", "spn:c", objectID},
	} {
		o, err := optionsOf("waad", strictjson.ParseDocument(json.RawMessage(row.options)))
		if err != nil || o.metadataURL != row.address || o.realm != row.realm || o.subject != row.subject {
			t.Errorf("%s: %+v %v", row.options, o, err)
		}
	}
	for _, flag := range []string{"useCommonEndpoint", "waad_common_endpoint"} {
		if o, err := optionsOf("waad", strictjson.ParseDocument(json.RawMessage(`{"tenantId":"t","`+flag+`":true}`))); !errors.Is(err, errCommon) {
			t.Errorf("%s: %+v %v", flag, o, err)
		}
	}
}

func TestRealm(t *testing.T) {
	if got := (options{}).realmAt("https://login.corp.example/login/callback"); got != "urn:auth0:login" {
		t.Error(got)
	}
	if got := (options{realm: "urn:us"}).realmAt("https://login.corp.example/login/callback"); got != "urn:us" {
		t.Error(got)
	}
}

// These strategies vouch for nobody's e-mail unless told to (reference/connections.md §4.8).
func TestTrustInEmail(t *testing.T) {
	for options, want := range map[string]string{
		`{}`: connection.NeverTrustEmail,
		`{"should_trust_email_verified_connection":"always_set_emails_as_verified"}`: connection.AlwaysTrustEmail,
		`{"should_trust_email_verified_connection":"never_set_emails_as_verified"}`:  connection.NeverTrustEmail,
	} {
		c := &connection.Connection{Strategy: "adfs", Options: []byte(options)}
		if got := trustOf(c).EmailTrust; got != want {
			t.Errorf("%s: %s", options, got)
		}
	}
}
