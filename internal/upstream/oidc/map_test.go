package oidc

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"mangrove/internal/connection"
	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
	"mangrove/internal/upstream"
)

func members(t testing.TB, doc string) []strictjson.Member {
	t.Helper()
	list, err := strictjson.Object([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func templates(t testing.TB, doc string) []connection.AttributeTemplate {
	t.Helper()
	var list []connection.AttributeTemplate
	for _, m := range members(t, doc) {
		list = append(list, connection.AttributeTemplate{Name: m.Name, Value: m.Value})
	}
	return list
}

func shown(list []profile.Change) string {
	var parts []string
	for _, c := range list {
		parts = append(parts, string(profile.Text(c.Name))+":"+string(c.Value))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func TestAttributes(t *testing.T) {
	const pia = `{"iss":"x","sub":"u-77","aud":"y","email":"p@x.example","email_verified":true,"name":"Pia","groups":["a"],"dept":"R&D","n":1.50,"https://ns.example/team.a":["x","y"],"address":{"country":"DK","geo":{"lat":55}},"nothing":null}`
	rows := []struct {
		name, mode, attributes, claims, userinfo, want string
	}{
		{"bind_all", connection.BindAll, "", pia, "",
			`{"email":"p@x.example","email_verified":true,"name":"Pia","dept":"R&D","n":1.50,"https://ns.example/team.a":["x","y"],"address":{"country":"DK","geo":{"lat":55}}}`},
		{"basic_profile", connection.BasicProfile, "", pia, "", `{"email":"p@x.example","email_verified":true,"name":"Pia"}`},
		{"restricted and reserved", connection.BindAll, "",
			`{"sub":"1","roles":["admin"],"permissions":["x"],"app_metadata":{"admin":true},"user_metadata":{},"blocked":false,"identities":[],"user_id":"auth0|1","last_login":"x","logins_count":9,"created_at":"x","updated_at":"x","multifactor":["x"],"sip_x":1,"x5t#S256":"x","password_hash":"x","last_ip":"::1","__proto__":{"a":1},"nick":"ok"}`, "",
			`{"nick":"ok"}`},
		{"email_verified absent", connection.BindAll, "", `{"email":"a@x.example"}`, "", `{"email":"a@x.example"}`},
		{"email_verified false", connection.BindAll, "", `{"email_verified":false}`, "", `{"email_verified":false}`},
		{"email_verified text", connection.BindAll, "", `{"email_verified":"true"}`, "", `{}`},
		{"email_verified text false", connection.BindAll, "", `{"email_verified":"false"}`, "", `{}`},
		{"email_verified 1", connection.BindAll, "", `{"email_verified":1}`, "", `{}`},
		{"email_verified null", connection.BindAll, "", `{"email_verified":null}`, "", `{}`},
		{"email_verified list", connection.BasicProfile, "", `{"email_verified":[true]}`, "", `{}`},
		{"email no text", connection.BindAll, "", `{"email":["a@x.example"]}`, "", `{}`},

		{"reference", connection.UseMap, `{"name":"${context.tokenset.name}"}`, pia, "", `{"name":"Pia"}`},
		{"nothing else", connection.UseMap, `{}`, pia, "", `{}`},
		{"type is kept", connection.UseMap, `{"a":"${context.tokenset.groups}","b":"${context.tokenset.n}","c":"${context.tokenset.address}","email_verified":"${context.tokenset.email_verified}"}`, pia, "",
			`{"a":["a"],"b":1.50,"c":{"country":"DK","geo":{"lat":55}},"email_verified":true}`},
		{"name with dots", connection.UseMap, `{"team":"${context.tokenset.https://ns.example/team.a}"}`, pia, "", `{"team":["x","y"]}`},
		{"into objects", connection.UseMap, `{"a":"${context.tokenset.address.country}","b":"${context.tokenset.address.geo.lat}","c":"${context.tokenset.address.none}","d":"${context.tokenset.name.x}"}`, pia, "", `{"a":"DK","b":55}`},
		{"literal", connection.UseMap, `{"a":"fixed","b":7,"c":["x"],"d":true}`, pia, "", `{"a":"fixed","b":7,"c":["x"],"d":true}`},
		{"mixture", connection.UseMap, `{"a":"user_email|${context.tokenset.email}","b":"${context.tokenset.name}-${context.tokenset.n}","c":"<${context.tokenset.groups}>"}`, pia, "",
			`{"a":"user_email|p@x.example","b":"Pia-1.50","c":"<[\"a\"]>"}`},
		{"mixture with an absent part", connection.UseMap, `{"a":"user|${context.tokenset.none}","b":"x${context.tokenset.nothing}"}`, pia, "", `{}`},
		{"absent", connection.UseMap, `{"a":"${context.tokenset.none}","b":"${context.tokenset.nothing}","c":"${context.other.x}","d":"${context.tokenset}"}`, pia, "", `{}`},
		{"not evaluated twice", connection.UseMap, `{"a":"${context.tokenset.name}","b":"x ${context.tokenset.name}"}`, `{"name":"${context.tokenset.sub}","sub":"s"}`, "",
			`{"a":"${context.tokenset.sub}","b":"x ${context.tokenset.sub}"}`},
		{"no end", connection.UseMap, `{"a":"${context.tokenset.name","b":"$ {x} $"}`, pia, "", `{"a":"${context.tokenset.name","b":"$ {x} $"}`},
		{"empty literal", connection.UseMap, `{"a":""}`, pia, "", `{"a":""}`},
		{"userinfo", connection.UseMap, `{"a":"${context.userinfo.x}"}`, pia, `{"sub":"u-77","x":[1]}`, `{"a":[1]}`},
		{"userinfo not asked", connection.UseMap, `{"a":"${context.userinfo.x}"}`, pia, "", `{}`},
		{"token and connection", connection.UseMap, `{"a":"${context.tokenset.access_token}","b":"${context.connection.id}/${context.connection.strategy}"}`, pia, "", `{"a":"at","b":"con_1/oidc"}`},
		{"map onto restricted names", connection.UseMap, `{"roles":"${context.tokenset.groups}","app_metadata":{"x":1},"blocked":false,"user_id":"auth0|1","federated_groups":"${context.tokenset.groups}"}`, pia, "", `{"federated_groups":["a"]}`},
		{"text is no proof", connection.UseMap, `{"email_verified":"true","phone_verified":"${context.tokenset.name}"}`, pia, "", `{}`},
	}
	for _, row := range rows {
		s := source{tokenset: members(t, row.claims), accessToken: "at", connectionID: "con_1", strategy: "oidc"}
		if row.userinfo != "" {
			s.userinfo = members(t, row.userinfo)
		}
		m := connection.AttributeMap{Mode: row.mode}
		if row.attributes != "" {
			m.Attributes = templates(t, row.attributes)
		}
		if got := shown(attributes(m, s)); got != row.want {
			t.Errorf("%s:\n got %s\nwant %s", row.name, got, row.want)
		}
	}
}

func TestNeedsUserinfo(t *testing.T) {
	rows := []struct {
		mode, attributes string
		want             bool
	}{
		{connection.UseMap, `{"a":"${context.userinfo.x}"}`, true},
		{connection.UseMap, `{"a":"x-${ context.userinfo.x }"}`, true},
		{connection.UseMap, `{"a":"context.userinfo.x"}`, false},
		{connection.UseMap, `{"a":"${context.tokenset.x}","b":1}`, false},
		{connection.BindAll, `{"a":"${context.userinfo.x}"}`, false},
		{connection.BasicProfile, `{"a":"${context.userinfo.x}"}`, false},
	}
	for _, row := range rows {
		m := connection.AttributeMap{Mode: row.mode, Attributes: templates(t, row.attributes)}
		if got := needsUserinfo(m); got != row.want {
			t.Errorf("%v: %v", row, got)
		}
	}
}

// The law: whatever the claims and the map, no restricted or reserved name
// comes out, none twice, no null, proofs are booleans, values are JSON as it
// was or text; and bind_all changes no value.
func FuzzAttributes(f *testing.F) {
	f.Add(`{"email":"a@x.example","email_verified":true,"roles":[1]}`, `{"a":"${context.tokenset.email}|x","roles":"y"}`)
	f.Add(`{"a":null,"b":{"c":"d"}}`, `{"x":"${context.tokenset.b.c}${","email_verified":"true"}`)
	f.Add(`{"a":"${context.tokenset.a}"}`, `{"a":"${context.tokenset.a}"}`)
	f.Fuzz(func(t *testing.T, claims, mapping string) {
		c, err := strictjson.Object([]byte(claims))
		if err != nil {
			return
		}
		list, err := strictjson.Object([]byte(mapping))
		if err != nil {
			return
		}
		var m connection.AttributeMap
		for _, e := range list {
			m.Attributes = append(m.Attributes, connection.AttributeTemplate{Name: e.Name, Value: e.Value})
		}
		s := source{tokenset: c, userinfo: c, connectionID: "con_1", strategy: "oidc"}
		for _, m.Mode = range []string{connection.BindAll, connection.BasicProfile, connection.UseMap} {
			seen := map[string]bool{}
			for _, a := range attributes(m, s) {
				if seen[a.Name] || upstream.Restricted(a.Name) || upstream.Reserved(a.Name) {
					t.Fatalf("%s came out", a.Name)
				}
				seen[a.Name] = true
				if !json.Valid(a.Value) || profile.IsNull(a.Value) {
					t.Fatalf("%s is %s", a.Name, a.Value)
				}
				if v := string(a.Value); a.Name == "email_verified" && v != "true" && v != "false" {
					t.Fatalf("proof %s", v)
				}
				if m.Mode != connection.UseMap && !bytes.Equal(a.Value, member(c, a.Name)) {
					t.Fatalf("%s changed from %s to %s", a.Name, member(c, a.Name), a.Value)
				}
			}
		}
	})
}

// The law: the parts of a template, put together again, are the template.
func FuzzSplit(f *testing.F) {
	for _, s := range []string{"", "a", "${x}", "a${x}b${y}", "${", "${}", "}${a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, template string) {
		var b strings.Builder
		for _, p := range split(template) {
			if p.reference {
				if strings.ContainsRune(p.text, '}') {
					t.Fatalf("reference %q", p.text)
				}
				b.WriteString("${" + p.text + "}")
			} else {
				b.WriteString(p.text)
			}
		}
		got, want := strings.Fields(b.String()), strings.Fields(template)
		if strings.Join(got, "") != strings.Join(want, "") {
			t.Fatalf("%q became %q", template, b.String())
		}
	})
}
