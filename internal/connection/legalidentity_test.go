package connection

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"mangrove/internal/errs"
	"mangrove/internal/legal"
	"mangrove/internal/strictjson"
)

func document(text string) strictjson.Document {
	return strictjson.ParseDocument(json.RawMessage(text))
}

func TestLegalIdentityPreset(t *testing.T) {
	const se, segment = "urn:grn:authn:se:bankid", "dXJuOmdybjphdXRobjpzZTpiYW5raWQ="
	for _, row := range []struct {
		name, strategy, stored, options string
		want                            map[string]string // "": absent
	}{
		{"not asked for", "oidc", ``, `{"client_id":"c"}`, map[string]string{
			"scope": "", "discovery_url": "", "non_persistent_attrs": "", "upstream_params": "",
		}},
		{"oidc", "oidc", ``, `{"legal_identity":{"eid":"se-bankid","domain":"acme.example"},"attribute_map":{"mapping_mode":"bind_all"}}`, map[string]string{
			"discovery_url":   `"https://acme.example/` + segment + `/.well-known/openid-configuration"`,
			"scope":           `"openid profile"`,
			"upstream_params": `{"acr_values":{"value":"` + se + `"}}`,
			"attribute_map":   `{"mapping_mode":"bind_all"}`,
		}},
		{"chosen things stay", "oidc", ``, `{"legal_identity":{"eid":"se-bankid","acr":"urn:grn:authn:se:bankid:same-device"},"scope":"openid ssn","non_persistent_attrs":[],
			"discovery_url":"https://b.example/d","upstream_params":{"ui_locales":{"value":"sv"},"acr_values":{"value":"else"}},"attribute_map":{"mapping_mode":"use_map","attributes":{"a":"b"}}}`, map[string]string{
			"discovery_url": `"https://b.example/d"`, "scope": `"openid ssn"`, "non_persistent_attrs": `[]`,
			"upstream_params": `{"acr_values":{"value":"urn:grn:authn:se:bankid:same-device"},"ui_locales":{"value":"sv"}}`,
			"attribute_map":   `{"mapping_mode":"use_map","attributes":{"a":"b"}}`,
		}},
		{"the application chooses the acr", "oidc", ``, `{"legal_identity":{"eid":"se-bankid"},"upstream_params":{"acr_values":{"alias":"acr_values"}}}`, map[string]string{
			"upstream_params": `{"acr_values":{"alias":"acr_values"}}`, "discovery_url": "",
		}},
		{"an address that follows is not chosen", "oidc", ``, `{"legal_identity":{"eid":"se-bankid","domain":"acme.example:8443"},"discovery_url":"https://b.example/d"}`, map[string]string{
			"discovery_url": `"https://acme.example:8443/` + segment + `/.well-known/openid-configuration"`,
		}},
		{"another eID: what followed from the one before goes", "oidc",
			`{"legal_identity":{"eid":"no-bankid","domain":"acme.example"},"oidc_metadata":{"issuer":"x"},"discovery_url":"https://acme.example/x","attribute_map":{"mapping_mode":"bind_all"}}`,
			`{"legal_identity":{"eid":"se-bankid","domain":"acme.example"},"oidc_metadata":{"issuer":"x"},"attribute_map":{"mapping_mode":"bind_all"}}`, map[string]string{
				"oidc_metadata": "", "attribute_map": `{"mapping_mode":"bind_all"}`,
			}},
		{"oauth2", "oauth2", ``, `{"legal_identity":{"eid":"se-bankid","domain":"acme.example"}}`, map[string]string{
			"authorizationURL": `"https://acme.example/` + segment + `/oauth2/authorize"`,
			"tokenURL":         `"https://acme.example/` + segment + `/oauth2/token"`,
			"endpoints":        `{"profile":"https://acme.example/` + segment + `/oauth2/userinfo"}`,
			"upstream_params":  `{"acr_values":{"value":"` + se + `"}}`,
			"attribute_map":    "", "discovery_url": "",
		}},
		{"oauth2 with a script", "oauth2", ``, `{"legal_identity":{"eid":"se-bankid","domain":"acme.example"},"scripts":{"fetchUserProfile":"function(){}"}}`, map[string]string{"endpoints": ""}},
		{"adfs", "adfs", ``, `{"legal_identity":{"eid":"se-bankid","domain":"acme.example"}}`, map[string]string{
			"adfs_server":     `"https://acme.example/` + segment + `/FederationMetadata/2007-06/FederationMetadata.xml"`,
			"upstream_params": "", "scope": "", "attribute_map": "",
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			sent := document(row.options)
			before := string(sent.Encode())
			got, err := withLegalIdentity(row.strategy, document(row.stored), sent)
			if err != nil {
				t.Fatal(err)
			}
			for name, want := range row.want {
				if string(document(`{"x":`+orText(string(got[name]), "null")+`}`).Encode()) != string(document(`{"x":`+orText(want, "null")+`}`).Encode()) {
					t.Errorf("%s is %s, want %s", name, got[name], want)
				}
			}
			if string(sent.Encode()) != before {
				t.Error("what was sent was changed")
			}
			again, err := withLegalIdentity(row.strategy, got, got)
			if err != nil || string(again.Encode()) != string(got.Encode()) {
				t.Errorf("sent back as it was read: %s, %v", again.Encode(), err)
			}
		})
	}
}

func TestLegalIdentityOfMitID(t *testing.T) {
	o, err := withLegalIdentity("oidc", nil, document(`{"legal_identity":{"eid":"dk-mitid","domain":"acme.example"},"attribute_map":{"mapping_mode":"bind_all"}}`))
	if err != nil {
		t.Fatal(err)
	}
	m := o.Object("attribute_map")
	attrs := m.Object("attributes")
	if m.Text("mapping_mode") != UseMap || attrs.Text("mitid_uuid") != "${context.tokenset.uuid}" || attrs.Text("name") != "${context.tokenset.name}" ||
		attrs.Text("cprNumberIdentifier") != "${context.tokenset.cprNumberIdentifier}" || attrs.Has("uuid") {
		t.Errorf("%s", o["attribute_map"])
	}
	// And back: a map that a preset made is not somebody's choice.
	o["legal_identity"] = json.RawMessage(`{"eid":"se-bankid","domain":"acme.example"}`)
	stored, err := withLegalIdentity("oidc", nil, document(`{"legal_identity":{"eid":"dk-mitid","domain":"acme.example"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if o, err = withLegalIdentity("oidc", stored, o); err != nil || o.Object("attribute_map").Text("mapping_mode") != BindAll {
		t.Errorf("%s, %v", o["attribute_map"], err)
	}
}

func TestLegalIdentityRefused(t *testing.T) {
	for options, want := range map[string]string{
		`{"legal_identity":"se-bankid"}`:                                         "must be an object",
		`{"legal_identity":{}}`:                                                  "eid is not known",
		`{"legal_identity":{"eid":"xx-none"}}`:                                   "eid is not known",
		`{"legal_identity":{"eid":"se-bankid","acr":""}}`:                        "acr is none of se-bankid",
		`{"legal_identity":{"eid":"se-bankid","acr":"urn:grn:authn:no:bankid"}}`: "acr is none of se-bankid",
		`{"legal_identity":{"eid":"se-bankid","domain":"https://acme.example"}}`: "domain must be the host",
		`{"legal_identity":{"eid":"se-bankid","domain":"acme.example/x"}}`:       "domain must be the host",
		`{"legal_identity":{"eid":"se-bankid","domain":"a@acme.example"}}`:       "domain must be the host",
		`{"legal_identity":{"eid":"se-bankid","domain":":80"}}`:                  "domain must be the host",
		`{"legal_identity":{"eid":"se-bankid","level":"high"}}`:                  "has no member level",
	} {
		_, err := withLegalIdentity("oidc", nil, document(options))
		var e *errs.Error
		if !errors.As(err, &e) || e.Kind != errs.Invalid || e.Code != "invalid_body" || !strings.Contains(e.Text, want) {
			t.Errorf("%s: %v", options, err)
		}
	}
	if _, err := withLegalIdentity("okta", nil, document(`{"legal_identity":{"eid":"se-bankid"}}`)); err == nil || !strings.Contains(err.Error(), "strategies oidc, oauth2 and adfs") {
		t.Errorf("okta: %v", err)
	}
}

func TestLegalIdentityRecognized(t *testing.T) {
	const no, segment = "urn:grn:authn:no:bankid", "dXJuOmdybjphdXRobjpubzpiYW5raWQ="
	for _, row := range []struct {
		strategy, options string
		want              LegalIdentity
		stores            string // of "ssn name" what may be stored
	}{
		{"oidc", `{}`, LegalIdentity{}, "ssn name"},
		{"oidc", `{"discovery_url":"https://a.example/` + segment + `/.well-known/openid-configuration"}`, LegalIdentity{ACR: no}, "name"},
		{"oauth2", `{"authorizationURL":"https://a.example/` + segment + `/oauth2/authorize"}`, LegalIdentity{ACR: no}, "name"},
		{"adfs", `{"adfs_server":"https://a.example/` + segment + `/FederationMetadata/2007-06/FederationMetadata.xml"}`, LegalIdentity{ACR: no}, "name"},
		{"oidc", `{"upstream_params":{"acr_values":{"value":"` + no + `"}}}`, LegalIdentity{ACR: no}, "name"},
		{"oauth2", `{"authParams":{"acr_values":"` + no + `"}}`, LegalIdentity{ACR: no}, "name"},
		{"oidc", `{"legal_identity":{"eid":"no-bankid"}}`, LegalIdentity{no, true}, "name"},
		{"oidc", `{"legal_identity":{"eid":"no-bankid"},"non_persistent_attrs":["name"]}`, LegalIdentity{no, true}, "ssn"},
		{"oidc", `{"legal_identity":{"eid":"no-bankid"},"non_persistent_attrs":[]}`, LegalIdentity{no, true}, "ssn name"},
		{"oidc", `{"legal_identity":{"eid":"no-bankid"},"non_persistent_attrs":null}`, LegalIdentity{no, true}, "name"},
		{"oidc", `{"upstream_params":{"acr_values":{"value":"loa3"}}}`, LegalIdentity{}, "ssn name"},
		{"oidc", `{"non_persistent_attrs":["ssn"]}`, LegalIdentity{}, "name"},
		{"auth0", `{"legal_identity":{"eid":"no-bankid"}}`, LegalIdentity{}, "ssn name"},
	} {
		c := &Connection{Strategy: row.strategy, Options: json.RawMessage(row.options)}
		if got := c.LegalIdentity(); got != row.want {
			t.Errorf("%s: %+v", row.options, got)
		}
		var stores []string
		for _, name := range []string{"ssn", "name"} {
			if !slices.Contains(c.Facts().NonPersistent, name) {
				stores = append(stores, name)
			}
		}
		if got := strings.Join(stores, " "); got != row.stores {
			t.Errorf("%s: stores %q, want %q", row.options, got, row.stores)
		}
	}
}

func TestCheckAssurance(t *testing.T) {
	const no = "urn:grn:authn:no:bankid"
	preset, url, none := `{"legal_identity":{"eid":"no-bankid"}}`, `{"upstream_params":{"acr_values":{"value":"`+no+`"}}}`, `{}`
	for _, row := range []struct {
		options, payload string
		want             error
	}{
		{none, `{"acr":"urn:grn:authn:se:bankid"}`, nil},
		{preset, `{"acr":"` + no + `"}`, nil},
		{preset, `{"acr":"urn:grn:authn:no:vipps"}`, legal.ErrOther},
		{preset, `{}`, legal.ErrSilent},
		{url, `{}`, nil},
		{url, `{"acr":"urn:grn:authn:no:vipps"}`, legal.ErrOther},
	} {
		err := (&Connection{Strategy: "oidc", Options: json.RawMessage(row.options)}).CheckAssurance(json.RawMessage(row.payload))
		if !errors.Is(err, row.want) {
			t.Errorf("%s, %s: %v", row.options, row.payload, err)
		}
		if err != nil && (errs.From(err).Code != "access_denied" || errs.From(err).Kind != errs.Forbidden) {
			t.Errorf("%v", errs.From(err))
		}
	}
}

// FuzzLegalIdentity: whatever options are, a preset is refused or fills the same
// again when it is sent back.
func FuzzLegalIdentity(f *testing.F) {
	f.Add(`{"legal_identity":{"eid":"dk-mitid","domain":"acme.example"},"upstream_params":[]}`)
	f.Add(`{"legal_identity":{"eid":"se-bankid"},"attribute_map":{"mapping_mode":"use_map"},"scope":null}`)
	f.Fuzz(func(t *testing.T, text string) {
		for _, strategy := range legalCarriers {
			got, err := withLegalIdentity(strategy, nil, document(text))
			if err != nil {
				continue
			}
			once := string(got.Encode())
			again, err := withLegalIdentity(strategy, document(once), document(once))
			if err != nil || string(again.Encode()) != once {
				t.Fatalf("%s: %s, then %s, %v", strategy, once, again.Encode(), err)
			}
			c := &Connection{Strategy: strategy, Options: json.RawMessage(once)}
			if got.Has(legalIdentity) != c.LegalIdentity().Preset {
				t.Fatalf("%s: %+v", once, c.LegalIdentity())
			}
		}
	})
}
