package upstream

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"mangrove/internal/connection"
)

func TestStatementClaims(t *testing.T) {
	const soap, ms = soapClaims, microsoftClaims
	transient := map[string]string{"Format": transientFormat}
	one := func(name string, values ...string) StatementAttribute { return StatementAttribute{name, values} }
	rows := []struct {
		name    string
		options string
		id      string // user_id_attribute
		in      Statement
		subject string // empty: refused
		want    string // attributes as one object
	}{
		{"the documented ADFS rules", `{}`, "", Statement{NameID: "pia@corp.example", Issuer: "http://adfs", Attributes: []StatementAttribute{
			one(soap+"emailaddress", "pia@corp.example"), one(soap+"name", "Pia Lind"), one(soap+"givenname", "Pia"), one(soap+"surname", "Lind"),
		}}, "pia@corp.example", `{"email":"pia@corp.example","family_name":"Lind","given_name":"Pia","issuer":"http://adfs","name":"Pia Lind"}`},
		{"attributes of one name are joined", `{}`, "", Statement{NameID: "p", Attributes: []StatementAttribute{
			one("groups", "a"), one("groups", "b"), one(soap+"role", "x", "y"), one("empty", ""),
		}}, "p", `{"groups":["a","b"],"role":["x","y"]}`},
		{"groups of ADFS", `{}`, "", Statement{NameID: "p", Attributes: []StatementAttribute{one("http://schemas.xmlsoap.org/claims/Group", "a")}}, "p", `{"groups":"a"}`},
		{"groups of Entra ID", `{}`, "", Statement{NameID: "p", Attributes: []StatementAttribute{one(ms+"groups", "a")}}, "p", `{"groups":"a"}`},
		{"the last segment names it", `{}`, "", Statement{NameID: "p", Attributes: []StatementAttribute{one("http://x.example/claims/department", "R&D"), one("urn:oid:1.2.3", "z")}}, "p", `{"department":"R\u0026D","urn:oid:1.2.3":"z"}`},
		{"what is mapped is not overwritten", `{}`, "", Statement{NameID: "p", Attributes: []StatementAttribute{one(soap+"name", "Pia"), one("http://evil.example/name", "Eve"), one("http://a.example/email", "eve@x.example"), one(soap+"emailaddress", "pia@x.example")}}, "p", `{"email":"pia@x.example","name":"Pia"}`},
		{"email from upn", `{}`, "", Statement{NameID: "p", Attributes: []StatementAttribute{one(soap+"upn", "pia@x.example")}}, "p", `{"email":"pia@x.example","upn":"pia@x.example"}`},
		{"email from the name identifier", `{}`, "", Statement{NameID: "pia@x.example"}, "pia@x.example", `{"email":"pia@x.example"}`},
		{"no address", `{}`, "", Statement{NameID: "pia"}, "pia", `{}`},
		{"upn is who, without a name identifier", `{}`, "", Statement{Attributes: []StatementAttribute{one(soap+"upn", "u"), one(soap+"name", "n")}}, "u", `{"name":"n","upn":"u"}`},
		{"name is who, at last", `{}`, "", Statement{Attributes: []StatementAttribute{one(soap+"name", "n")}}, "n", `{"name":"n"}`},
		{"nobody", `{}`, "", Statement{Attributes: []StatementAttribute{one("email", "a@x.example")}}, "", ``},
		{"two people", `{}`, "", Statement{Attributes: []StatementAttribute{one(soap+"upn", "a", "b")}}, "", ``},
		{"user_id_attribute", `{}`, "employee", Statement{NameID: "p", Attributes: []StatementAttribute{one("http://x.example/employee", "77")}}, "77", `{"employee":"77"}`},
		{"user_id_attribute that is not sent", `{}`, "employee", Statement{NameID: "p"}, "p", `{}`},
		{"user_id_attribute before fieldsMap", `{"fieldsMap":{"user_id":"b"}}`, "a", Statement{NameID: "p", Attributes: []StatementAttribute{one("a", "1"), one("b", "2")}}, "1", `{"a":"1","b":"2"}`},
		{"fieldsMap.user_id", `{"fieldsMap":{"user_id":["none","b"]}}`, "", Statement{NameID: "p", Attributes: []StatementAttribute{one("b", "2")}}, "2", `{"b":"2"}`},
		{"fieldsMap with short names", `{"fieldsMap":{"email":"EmailAddress","given_name":["FirstName","givenname"]}}`, "", Statement{NameID: "p", Attributes: []StatementAttribute{one("EmailAddress", "p@x.example"), one(soap+"givenname", "Pia")}}, "p", `{"email":"p@x.example","given_name":"Pia"}`},
		{"fieldsMap from the name identifier", `{"fieldsMap":{"email":"nameidentifier"}}`, "", Statement{NameID: "NOBODY"}, "NOBODY", `{"email":"NOBODY"}`},
		{"names that are ours", `{"fieldsMap":{"blocked":"x"}}`, "", Statement{NameID: "p", Attributes: []StatementAttribute{
			one("x", "true"), one("app_metadata", "y"), one("http://e/user_id", "y"), one("http://e/identities", "y"), one("http://e/last_login", "y"), one("user_id", "z"),
		}}, "p", `{}`},
		{"proof is text", `{}`, "", Statement{NameID: "p", Attributes: []StatementAttribute{one("email", "p@x.example"), one("email_verified", "true")}}, "p", `{"email":"p@x.example","email_verified":true}`},
		{"of a foreign domain it is none", `{"domain_aliases":["y.example"]}`, "", Statement{NameID: "p", Attributes: []StatementAttribute{one("email", "p@x.example"), one("email_verified", "true")}}, "p", `{"email":"p@x.example","email_verified":false}`},
		{"what SAML 2 adds", `{}`, "", Statement{NameID: "p", Method: "urn:m", NameIDAttributes: map[string]string{"Format": "f", "value": "x"}}, "p",
			`{"authenticationmethod":"urn:m","nameIdAttributes":{"Format":"f","value":"p"}}`},
		{"a transient name", `{}`, "", Statement{NameID: "_1", NameIDAttributes: transient, Attributes: []StatementAttribute{one(soap+"upn", "u")}}, "", ``},
		{"a transient name and an attribute that stays", `{}`, "employee", Statement{NameID: "_1", NameIDAttributes: transient, Attributes: []StatementAttribute{one("employee", "77")}}, "77", `{"employee":"77"}`},
		{"a transient name and fieldsMap.user_id", `{"fieldsMap":{"user_id":"employee"}}`, "", Statement{NameID: "_1", NameIDAttributes: transient, Attributes: []StatementAttribute{one("employee", "77")}}, "77", `{"employee":"77"}`},
		{"a transient name, and the attribute is not sent", `{}`, "employee", Statement{NameID: "_1", NameIDAttributes: transient}, "", ``},
		{"denied by the provider's name", `{"non_persistent_attrs":["http://x.example/claims/ssn","` + soap + `emailaddress"]}`, "", Statement{NameID: "p", Attributes: []StatementAttribute{
			one("http://x.example/claims/ssn", "1"), one(soap+"emailaddress", "p@x.example"), one("dept", "a"),
		}}, "p", `{"dept":"a"}`},
		{"denied by the last segment", `{"non_persistent_attrs":["ssn"]}`, "", Statement{NameID: "p", Attributes: []StatementAttribute{one("http://x.example/claims/ssn", "1")}}, "p", `{}`},
		{"denied, though fieldsMap wants it", `{"fieldsMap":{"number":"ssn"},"non_persistent_attrs":["http://x.example/claims/ssn"]}`, "", Statement{NameID: "p", Attributes: []StatementAttribute{one("http://x.example/claims/ssn", "1")}}, "p", `{}`},
		{"when is no attribute", `{}`, "", Statement{NameID: "p", Attributes: []StatementAttribute{one(ms+"authenticationinstant", "2026")}}, "p", `{}`},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c := &connection.Connection{Strategy: "samlp", Options: []byte(row.options)}
			got, err := row.in.Claims(c.Upstream(), row.id)
			if row.subject == "" {
				if !errors.Is(err, ErrRefused) {
					t.Fatalf("got %v, %v", got, err)
				}
				return
			}
			if err != nil || got.Subject != row.subject || !json.Valid(got.Raw) {
				t.Fatalf("%q %s %v", got.Subject, got.Raw, err)
			}
			m := map[string]json.RawMessage{}
			for _, ch := range got.Attributes {
				m[ch.Name] = ch.Value
			}
			list, err := json.Marshal(m)
			if err != nil || string(list) != row.want {
				t.Errorf("got  %s\nwant %s (%v)", list, row.want, err)
			}
			if strings.Contains(string(got.Raw), "authenticationinstant") {
				t.Error(string(got.Raw))
			}
		})
	}
}
