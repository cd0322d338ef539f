package social

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
	"mangrove/internal/upstream"
)

func doc(s string) strictjson.Document {
	if s == "" {
		return nil
	}
	members, err := strictjson.Object([]byte(s))
	if err != nil {
		panic(err)
	}
	return strictjson.NewDocument(members)
}

// shown is the attributes as one object, sorted.
func shown(cl profile.Claims) string {
	d := strictjson.Document{}
	for _, ch := range cl.Attributes {
		d[ch.Name] = ch.Value
	}
	return string(d.Encode())
}

func TestMapping(t *testing.T) {
	id := func(m Mapping) Mapping { m.ID = "id"; return m }
	rows := []struct {
		name    string
		m       Mapping
		raw     string
		token   string
		subject string // empty: refused
		want    string
	}{
		{"number", id(Mapping{}), `{"id":17}`, "", "17", `{}`},
		{"text", id(Mapping{}), `{"id":"a b"}`, "", "a b", `{}`},
		{"zero", id(Mapping{}), `{"id":0}`, "", "0", `{}`},
		{"a long number", id(Mapping{}), `{"id":123456789012345678901234567890}`, "", "123456789012345678901234567890", `{}`},
		{"no integer", id(Mapping{}), `{"id":1.5}`, "", "", ``},
		{"an exponent", id(Mapping{}), `{"id":1e3}`, "", "", ``},
		{"empty", id(Mapping{}), `{"id":""}`, "", "", ``},
		{"null", id(Mapping{}), `{"id":null}`, "", "", ``},
		{"missing", id(Mapping{}), `{"uid":"1"}`, "", "", ``},
		{"boolean", id(Mapping{}), `{"id":true}`, "", "", ``},
		{"object", id(Mapping{}), `{"id":{"a":1}}`, "", "", ``},
		{"spaces around", id(Mapping{}), `{"id":" 1"}`, "", "", ``},
		{"control character", id(Mapping{}), `{"id":"a\tb"}`, "", "", ``},
		{"too long", id(Mapping{}), `{"id":"` + strings.Repeat("a", 256) + `"}`, "", "", ``},
		{"first of", Mapping{ID: "sub | id"}, `{"id":"1"}`, "", "1", `{}`},
		{"id in the token answer", Mapping{ID: "token:user_id"}, `{"user_id":"other"}`, `{"user_id":7}`, "7", `{}`},
		{"id inside", Mapping{ID: "data.0.id"}, `{"data":[{"id":"9"}]}`, "", "9", `{"data":[{"id":"9"}]}`},
		{"consumed", id(Mapping{Fields: []Field{{"nickname", "login"}}}), `{"id":1,"login":"m","plan":{"name":"free"}}`, "", "1", `{"nickname":"m","plan":{"name":"free"}}`},
		{"both alternatives consumed", id(Mapping{Fields: []Field{{"name", "real | shown"}}}), `{"id":1,"real":"","shown":"S"}`, "", "1", `{"name":"S"}`},
		{"joined", id(Mapping{Fields: []Field{{"name", "full | first + last"}}}), `{"id":1,"first":"A","last":"B"}`, "", "1", `{"name":"A B"}`},
		{"joined, one missing", id(Mapping{Fields: []Field{{"name", "first + last"}}}), `{"id":1,"last":"B","first":null}`, "", "1", `{"name":"B"}`},
		{"joined, nothing there", id(Mapping{Fields: []Field{{"name", "first + last"}}}), `{"id":1,"first":""}`, "", "1", `{}`},
		{"inside stays", id(Mapping{Fields: []Field{{"picture", "links.avatar.href"}}}), `{"id":1,"links":{"avatar":{"href":"u"}}}`, "", "1", `{"links":{"avatar":{"href":"u"}},"picture":"u"}`},
		{"inside dropped", id(Mapping{Fields: []Field{{"picture", "links.href"}}, Drop: []string{"links"}}), `{"id":1,"links":{"href":"u"}}`, "", "1", `{"picture":"u"}`},
		{"inside of its own name", id(Mapping{Fields: []Field{{"picture", "picture.url"}}}), `{"id":1,"picture":{"url":"u","w":5}}`, "", "1", `{"picture":"u"}`},
		{"raw of a mapped name", id(Mapping{Fields: []Field{{"name", "shown"}}}), `{"id":1,"name":{"x":1}}`, "", "1", `{}`},
		{"reserved", id(Mapping{}), `{"id":1,"app_metadata":{"a":1},"user_metadata":{},"blocked":true,"identities":[],"user_id":"x","created_at":"1","roles":["admin"],"last_ip":"1","multifactor":["x"],"__tenant":"t","access_token":"t","ok":1}`, "", "1", `{"ok":1}`},
		{"restricted", id(Mapping{}), `{"id":1,"sub":"2","groups":["admin"],"org_id":"o","active":true,"iss":"x"}`, "", "1", `{}`},
		{"restricted, kept", id(Mapping{Keep: []string{"active", "blocked"}}), `{"id":1,"active":true,"blocked":false}`, "", "1", `{"active":true}`},
		{"proof of nobody's word", id(Mapping{Fields: []Field{{"email", "email"}}}), `{"id":1,"email":"a@x.example","email_verified":true}`, "", "1", `{"email":"a@x.example"}`},
		{"proof", id(Mapping{Fields: []Field{{"email", "email"}}, Verified: "ok"}), `{"id":1,"email":"a@x.example","ok":true}`, "", "1", `{"email":"a@x.example","email_verified":true}`},
		{"no proof", id(Mapping{Fields: []Field{{"email", "email"}}, Verified: "ok"}), `{"id":1,"email":"a@x.example","ok":false}`, "", "1", `{"email":"a@x.example","email_verified":false}`},
		{"proof as text", id(Mapping{Fields: []Field{{"email", "email"}}, Verified: "ok"}), `{"id":1,"email":"a@x.example","ok":"true"}`, "", "1", `{"email":"a@x.example"}`},
		{"proof as number", id(Mapping{Fields: []Field{{"email", "email"}}, Verified: "ok"}), `{"id":1,"email":"a@x.example","ok":1}`, "", "1", `{"email":"a@x.example"}`},
		{"proof as documented text", id(Mapping{Fields: []Field{{"email", "email"}}, Verified: "ok", TextProof: true}), `{"id":1,"email":"a@x.example","ok":"true"}`, "", "1", `{"email":"a@x.example","email_verified":true}`},
		{"documented text, false", id(Mapping{Fields: []Field{{"email", "email"}}, Verified: "ok", TextProof: true}), `{"id":1,"email":"a@x.example","ok":"false"}`, "", "1", `{"email":"a@x.example","email_verified":false}`},
		{"documented text, another", id(Mapping{Fields: []Field{{"email", "email"}}, Verified: "ok", TextProof: true}), `{"id":1,"email":"a@x.example","ok":"yes"}`, "", "1", `{"email":"a@x.example"}`},
		{"proof without address", id(Mapping{Fields: []Field{{"email", "email"}}, Verified: "ok"}), `{"id":1,"email":null,"ok":true}`, "", "1", `{}`},
		{"always proven", id(Mapping{Fields: []Field{{"email", "email"}}, Proven: true}), `{"id":1,"email":"a@x.example"}`, "", "1", `{"email":"a@x.example","email_verified":true}`},
		{"always proven, no address", id(Mapping{Fields: []Field{{"email", "email"}}, Proven: true}), `{"id":1}`, "", "1", `{}`},
		{"proof in the fields, as text", id(Mapping{Fields: []Field{{"email_verified", "ok"}}}), `{"id":1,"ok":"true"}`, "", "1", `{}`},
		{"scripts", id(Mapping{Unrestricted: true}), `{"id":1,"acr":"a","amr":["b"],"blocked":true}`, "", "1", `{"acr":"a","amr":["b"]}`},
	}
	for _, row := range rows {
		p := (&Provider{Map: row.m}).ready()
		cl, ok := p.Map.claims(&Answers{Profile: doc(row.raw), Token: doc(row.token)})
		if cl.Subject != row.subject || ok != (row.subject != "") {
			t.Errorf("%s: subject %q, %v", row.name, cl.Subject, ok)
		}
		if ok && shown(cl) != row.want {
			t.Errorf("%s: %s, want %s", row.name, shown(cl), row.want)
		}
	}
}

// The law: whatever a provider answers, nobody panics; a login that is not
// refused names somebody, and brings no name that is ours, none that means power
// but what the provider's file keeps, and no proof that is no boolean.
func FuzzMapping(f *testing.F) {
	names := Strategies()
	f.Add(uint8(0), []byte(`{"id":1,"email":"a@x.example","email_verified":true,"app_metadata":{},"groups":[]}`), []byte(`{"user_id":1}`), []byte(`{"sub":"x","email_verified":"true"}`))
	f.Add(uint8(5), []byte(`{"user":{"encodedId":"a"},"data":{"id":"1","attributes":{}},"emails":{"values":[{"is_primary":true,"email":"x"}]}}`), []byte(`{}`), []byte(`{}`))
	f.Add(uint8(9), []byte(`{"d":{"results":[{"UserID":"1"}]},"Response":{"Id":"1"},"response":{"user":{"id":1}}}`), []byte(`[]`), []byte(`{"name":{"firstName":["x"]}}`))
	f.Fuzz(func(t *testing.T, which uint8, profileRaw, token, id []byte) {
		strategy := names[int(which)%len(names)]
		p := Find(strategy, nil)
		a := &Answers{Options: strictjson.Document{}, Profile: canonical(profileRaw), Token: canonical(token), IDToken: canonical(id), Form: formOf(string(id))}
		if a.Profile == nil {
			a.Profile = strictjson.Document{}
		}
		if p.Fix != nil && p.Fix(a) != nil {
			return
		}
		cl, ok := p.Map.claims(a)
		if !ok {
			return
		}
		if cl.Subject == "" || len(cl.Subject) > maxSubject {
			t.Fatalf("%s names %q", strategy, cl.Subject)
		}
		for _, ch := range cl.Attributes {
			if upstream.Reserved(ch.Name) || upstream.Restricted(ch.Name) && !p.Map.Unrestricted && !slices.Contains(p.Map.Keep, ch.Name) {
				t.Fatalf("%s brings %q", strategy, ch.Name)
			}
			if isProof(ch.Name) && !isBool(ch.Value) {
				t.Fatalf("%s proves by %s", strategy, ch.Value)
			}
			if !json.Valid(ch.Value) {
				t.Fatalf("%s: %s is %q", strategy, ch.Name, ch.Value)
			}
		}
	})
}

// No provider of the table maps to a name that nobody may bring.
func TestNoProviderMapsToReservedNames(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(providers)) {
		for _, f := range providers[name].Map.Fields {
			if upstream.Reserved(f.Name) || upstream.Restricted(f.Name) {
				t.Errorf("%s maps to %s", name, f.Name)
			}
		}
	}
}
