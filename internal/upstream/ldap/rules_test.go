package ldap

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	ldapv3 "github.com/go-ldap/ldap/v3"

	"mangrove/internal/connection"
	"mangrove/internal/strictjson"
	"mangrove/internal/upstream"
)

func TestOptions(t *testing.T) {
	const good = `"urls":["ldaps://dc1.corp.example"],"base":"dc=corp,dc=example"`
	for _, row := range []struct{ options, wrong string }{
		{`{` + good + `}`, ""},
		{`{` + good + `,"bind_dn":"cn=r","bind_password":"p","timeout":30,"group_filter":"(member={0})","user_filter":"(&(objectClass=user)(mail={0}))","attributes":{"a":"b","name":["x","y"],"emails":null}}`, ""},
		{`{"urls":["ldap://dc1:3268","ldaps://[::1]:636/"],"base":"dc=x"}`, ""},
		{`[]`, "options.ldap is"}, {`"x"`, "options.ldap is"}, {`{}`, "urls"},
		{`{"urls":[],"base":"dc=x"}`, "urls"}, {`{"urls":"ldaps://x","base":"dc=x"}`, "urls"}, {`{"urls":["ldaps://x",1],"base":"dc=x"}`, "urls"},
		{`{"urls":["http://x"],"base":"dc=x"}`, "urls"}, {`{"urls":["ldapi://x"],"base":"dc=x"}`, "urls"}, {`{"urls":["ldaps://u:p@x"],"base":"dc=x"}`, "urls"},
		{`{"urls":["ldaps://x/dc=x"],"base":"dc=x"}`, "urls"}, {`{"urls":["ldaps://x?x"],"base":"dc=x"}`, "urls"}, {`{"urls":["ldaps://"],"base":"dc=x"}`, "urls"},
		{`{"urls":["ldaps://1","ldaps://2","ldaps://3","ldaps://4","ldaps://5","ldaps://6","ldaps://7","ldaps://8","ldaps://9"],"base":"dc=x"}`, "urls"},
		{`{"urls":["ldaps://x"]}`, "base"}, {`{"urls":["ldaps://x"],"base":"nonsense"}`, "base"}, {`{` + good + `,"group_base":"x"}`, "group_base"},
		{`{` + good + `,"bind_dn":"cn=r"}`, "bind_dn"}, {`{` + good + `,"bind_password":"p"}`, "bind_dn"}, {`{` + good + `,"bind_password":1}`, "bind_password"},
		{`{` + good + `,"user_filter":"(uid=x)"}`, "user_filter"}, {`{` + good + `,"user_filter":"(uid={0}"}`, "user_filter"},
		{`{` + good + `,"user_filter":"(uid=*{0}*)"}`, "user_filter"}, {`{` + good + `,"user_filter":"(uid~={0})"}`, "user_filter"}, {`{` + good + `,"user_filter":"(uid>={0})"}`, "user_filter"},
		{`{` + good + `,"user_filter":"(uid:1.2.840.113556.1.4.1941:={0})"}`, "user_filter"}, {`{` + good + `,"user_filter":"({0}=x)"}`, "user_filter"},
		{`{` + good + `,"group_filter":"(member=x)"}`, "group_filter"}, {`{` + good + `,"group_attribute":"c n"}`, "group_attribute"}, {`{` + good + `,"id_attribute":"(x)"}`, "id_attribute"},
		{`{` + good + `,"ca":"nonsense"}`, "ca"}, {`{` + good + `,"timeout":0}`, "timeout"}, {`{` + good + `,"timeout":31}`, "timeout"}, {`{` + good + `,"timeout":"5"}`, "timeout"},
		{`{` + good + `,"attributes":[]}`, "attributes"}, {`{` + good + `,"attributes":{"a.b":"c"}}`, "attributes"}, {`{` + good + `,"attributes":{"a":"b;binary"}}`, "attributes"},
		{`{` + good + `,"allow_plain":true}`, "no member of that name"},
	} {
		_, err := parseOptions(json.RawMessage(row.options))
		if (row.wrong == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), row.wrong) {
			t.Errorf("%s: %v, want %q", row.options, err, row.wrong)
		}
	}
}

func TestPrepare(t *testing.T) {
	const had, other = `{"ldap":{"urls":["ldaps://a"],"base":"dc=x"}}`, `{"ldap":{"urls":["ldaps://b"],"base":"dc=x"}}`
	for _, row := range []struct{ stored, next, want string }{
		{``, `{"a":1}`, `{"a":1}`},
		{``, other, other},
		{had, other, other},
		{had, `{}`, had},
		{had, `{"ldap":null}`, `{}`},
		{``, `{"ldap":{}}`, ``},
		{had, `{"ldap":"x"}`, ``},
	} {
		got, err := (&Connector{}).Prepare(t.Context(), "corp", strictjson.ParseDocument([]byte(row.stored)), strictjson.ParseDocument([]byte(row.next)))
		if (row.want == "") != (err != nil) || err == nil && string(got.Encode()) != row.want {
			t.Errorf("%s over %s: %s, %v", row.next, row.stored, got.Encode(), err)
		}
	}
}

func TestQuery(t *testing.T) {
	ad := kind{Active: true, NetBIOS: "CORP", DNS: "corp.example"}
	own, err := parseTemplate("(&(objectClass=user)(|(cn={0})(alias=smtp:{0})))")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		kind   kind
		filter *template
		name   string
		want   string
	}{
		{ad, nil, "bob", "(sAMAccountName=bob)"},
		{ad, nil, `corp\bob`, "(sAMAccountName=bob)"},
		{ad, nil, `other\bob`, ""}, {ad, nil, `corp\`, ""}, {ad, nil, `\bob`, ""},
		{kind{Active: true}, nil, `\bob`, ""},
		{ad, nil, `corp\b*`, `(sAMAccountName=b\2a)`},
		{ad, nil, "bob@elsewhere.example", "(|(userPrincipalName=bob@elsewhere.example)(mail=bob@elsewhere.example))"},
		{ad, nil, "bob@CORP.example", "(|(userPrincipalName=bob@CORP.example)(mail=bob@CORP.example)(sAMAccountName=bob))"},
		{ad, own, `corp\bob`, "(&(objectClass=user)(|(cn=bob)(alias=smtp:bob)))"},
		{kind{}, nil, `corp\bob`, `(|(uid=corp\5cbob)(mail=corp\5cbob))`},
		{kind{}, own, "a)(b", `(&(objectClass=user)(|(cn=a\29\28b)(alias=smtp:a\29\28b)))`},
	} {
		f, ok := (&options{UserFilter: row.filter}).query(row.kind, row.name)
		if ok != (row.want != "") || f.Text != row.want {
			t.Errorf("%+v %s: %s, %v; want %s", row.kind, row.name, f.Text, ok, row.want)
		}
	}
}

func TestVerdict(t *testing.T) {
	bind := func(code uint16, text string) error {
		return &ldapv3.Error{ResultCode: code, Err: errors.New(text)}
	}
	policy := func(code int8) []ldapv3.Control {
		return []ldapv3.Control{&ldapv3.ControlBeheraPasswordPolicy{Expire: -1, Grace: -1, Error: code}}
	}
	const ad = "80090308: LdapErr: DSID-0C09042A, comment: AcceptSecurityContext error, data "
	for _, row := range []struct {
		err      error
		controls []ldapv3.Control
		want     error
	}{
		{nil, nil, nil}, {nil, policy(-1), nil}, {nil, policy(2), upstream.ErrPasswordChange},
		{bind(49, ad+"52e, v4563"), nil, upstream.ErrWrongCredentials}, {bind(49, ad+"525, v4563"), nil, upstream.ErrWrongCredentials},
		{bind(49, ad+"530, v4563"), nil, upstream.ErrWrongCredentials}, {bind(49, ad+"775, v4563"), nil, upstream.ErrWrongCredentials},
		{bind(49, ad+"532, v4563"), nil, upstream.ErrPasswordExpired}, {bind(49, ad+"773, v4563"), nil, upstream.ErrPasswordChange},
		{bind(49, ad+"533, v4563"), nil, upstream.ErrAccountDisabled}, {bind(49, ad+"534, v4563"), nil, upstream.ErrAccountDisabled},
		{bind(49, ad+"701, v4563"), nil, upstream.ErrAccountExpired},
		{bind(49, ""), policy(0), upstream.ErrPasswordExpired}, {bind(49, ""), policy(1), upstream.ErrWrongCredentials}, {bind(49, ""), nil, upstream.ErrWrongCredentials},
		{bind(53, ad+"533"), nil, upstream.ErrWrongCredentials}, {bind(32, ""), nil, upstream.ErrWrongCredentials}, {bind(10, ""), nil, upstream.ErrWrongCredentials},
	} {
		if got := verdict(row.err, row.controls); !errors.Is(got, row.want) {
			t.Errorf("%v: %v, want %v", row.err, got, row.want)
		}
	}
	for _, err := range []error{bind(51, ""), bind(52, ""), bind(200, ""), errors.New("cut off")} {
		var quiet *silence
		if !errors.As(verdict(err, nil), &quiet) {
			t.Errorf("%v is an answer", err)
		}
	}
}

func TestUsable(t *testing.T) {
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	for _, row := range []struct {
		name, value string
		want        error
	}{
		{"userAccountControl", "512", nil}, {"USERACCOUNTCONTROL", "514", upstream.ErrAccountDisabled}, {"userAccountControl", "x", nil},
		{"nsAccountLock", "TRUE", upstream.ErrAccountDisabled}, {"nsAccountLock", "false", nil},
		{"accountExpires", "0", nil}, {"accountExpires", "9223372036854775807", nil}, {"accountExpires", "-5", nil},
		{"accountExpires", "134246592000000000", upstream.ErrAccountExpired}, // 2026-05-31
		{"accountExpires", "134260000000000000", nil},                        // 2026-06-15
	} {
		e := ldapv3.NewEntry("cn=x", map[string][]string{row.name: {row.value}})
		if got := usable(e, now); !errors.Is(got, row.want) {
			t.Errorf("%s %s: %v, want %v", row.name, row.value, got, row.want)
		}
	}
}

func TestGUIDText(t *testing.T) {
	b := []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	if got, ok := guidText(b); !ok || got != "03020100-0504-0706-0809-0a0b0c0d0e0f" {
		t.Errorf("%s, %v", got, ok)
	}
	if got, ok := guidText(nil, b[:15]); ok {
		t.Errorf("of 15 bytes: %s", got)
	}
}

// The law: the filter of a name is one that asks for exactly that name, however it
// is spelled (RFC 4515 §3).
func FuzzFilter(f *testing.F) {
	for _, name := range []string{"bob", "*", "a)(uid=*", `\`, "\x00", "\xff", "é", "{0}", `\2a`, "(|(a=b))"} {
		f.Add(name)
	}
	own, err := parseTemplate("(&(objectClass=person)(cn={0}))")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, name string) {
		compiled, err := ldapv3.CompileFilter(own.of(name).Text)
		if err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		if len(compiled.Children) != 2 || len(compiled.Children[1].Children) != 2 || compiled.Children[1].Tag != ldapv3.FilterEqualityMatch {
			t.Fatalf("%q: the filter has another form", name)
		}
		if got := compiled.Children[1].Children[1].Data.String(); got != name && name != "" {
			t.Fatalf("%q: asks for %q", name, got)
		}
		for _, k := range []kind{{}, {Active: true, NetBIOS: "CORP", DNS: "corp.example"}} {
			q, ok := (&options{}).query(k, name)
			if !ok {
				continue
			}
			compiled, err := ldapv3.CompileFilter(q.Text)
			if err != nil {
				t.Fatalf("%q: %s: %v", name, q.Text, err)
			}
			parts := compiled.Children
			if len(q.Any) == 1 {
				parts = append(parts[:0:0], compiled)
			}
			if len(parts) != len(q.Any) {
				t.Fatalf("%q: %s has %d parts", name, q.Text, len(parts))
			}
			for i, a := range q.Any {
				if parts[i].Tag != ldapv3.FilterEqualityMatch || a.Value != "" && parts[i].Children[1].Data.String() != a.Value {
					t.Fatalf("%q: part %d of %s is not the literal", name, i, q.Text)
				}
			}
		}
	})
}

// The law: an entry becomes valid claims, whatever is in it.
func FuzzClaims(f *testing.F) {
	f.Add("mail", "a@x", "b\xff", "uid=a,dc=x")
	f.Add("objectGUID", "0123456789abcdef", "", "\x00")
	o, err := parseOptions(json.RawMessage(`{"urls":["ldaps://x"],"base":"dc=x","attributes":{"email_verified":"flag"}}`))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, name, one, two, dn string) {
		e := ldapv3.NewEntry(dn, map[string][]string{name: {one, two}, "uid": {"bob"}})
		e.Attributes = append(e.Attributes, ldapv3.NewEntryAttribute("flag", []string{one}))
		cl, err := o.claims(connectionOf(), e, []string{"staff"})
		if err != nil {
			return
		}
		if cl.Subject == "" || !json.Valid(cl.Raw) {
			t.Fatalf("subject %q, raw %q", cl.Subject, cl.Raw)
		}
		for _, ch := range cl.Attributes {
			if !json.Valid(ch.Value) {
				t.Fatalf("%s: %q", ch.Name, ch.Value)
			}
		}
	})
}

func connectionOf() *connection.Connection {
	return &connection.Connection{ID: "con_1", Name: "corp", Strategy: "ad", Options: json.RawMessage(`{}`)}
}
