package profile

import (
	"reflect"
	"testing"
)

var scriptSource = Source{Origin: FromScript, Connection: "con_1", At: 7}

func claimsOf(pairs ...string) Claims {
	cl := Claims{Subject: "legacy|42"}
	for i := 0; i < len(pairs); i += 2 {
		ch := Change{pairs[i], Value(pairs[i+1])}
		if local(ch.Name) {
			cl.Local = append(cl.Local, ch)
		} else {
			cl.Attributes = append(cl.Attributes, ch)
		}
	}
	return cl
}

func valuesIn(p Profile) map[string]string {
	m := map[string]string{}
	for _, a := range p.All() {
		m[a.Name] = string(a.Value)
	}
	return m
}

func TestAdopt(t *testing.T) {
	plain := Connection{ID: "con_1", Name: "legacy", Class: ImportDatabase, EmailRequired: true}
	named := plain
	named.Username.Allowed, named.PhoneAllowed = true, true
	picture := `"https://cdn.shop.example/42.png"`
	rows := []struct {
		name    string
		c       Connection
		claims  Claims
		want    map[string]string // nil: refused
		dropped []Dropped
		keep    bool
	}{
		{"everything that the old store has", plain, claimsOf(
			"email", `"Kai@Shop.example"`, "email_verified", "true", "name", `"Kai Aho"`, "given_name", `"Kai"`, "family_name", `"Aho"`,
			"nickname", `"kai"`, "picture", picture, "loyalty_tier", `"gold"`, "user_metadata", `{"lang":"fi"}`, "app_metadata", `{"plan":"full"}`, "blocked", "false"),
			map[string]string{
				"email": `"kai@shop.example"`, "email_verified": "true", "name": `"Kai Aho"`, "given_name": `"Kai"`, "family_name": `"Aho"`,
				"nickname": `"kai"`, "picture": picture, "loyalty_tier": `"gold"`, "user_metadata": `{"lang":"fi"}`, "app_metadata": `{"plan":"full"}`,
			}, nil, true},
		{"what is missing is made up, once", plain, claimsOf("email", `"kai@shop.example"`, "picture", picture),
			map[string]string{
				"email": `"kai@shop.example"`, "email_verified": "false", "name": `"kai@shop.example"`, "nickname": `"kai"`, "picture": picture,
			}, nil, true},
		{"identifiers that the connection does not have", plain, claimsOf("email", `"kai@shop.example"`, "username", `"kai"`, "phone_number", `"+358401234567"`, "phone_verified", "true", "name", `"K"`, "nickname", `"k"`, "picture", picture),
			map[string]string{"email": `"kai@shop.example"`, "email_verified": "false", "name": `"K"`, "nickname": `"k"`, "picture": picture},
			[]Dropped{{"phone_number", NotAllowed}, {"phone_verified", NotAllowed}, {"username", NotAllowed}}, false},
		{"the same, kept", plain, claimsOf("email", `"kai@shop.example"`, "username", `"Kai"`, "phone_number", `"+358401234567"`, "phone_verified", "true", "name", `"K"`, "nickname", `"k"`, "picture", picture),
			map[string]string{"email": `"kai@shop.example"`, "email_verified": "false", "username": `"kai"`, "phone_number": `"+358401234567"`, "phone_verified": "true", "name": `"K"`, "nickname": `"k"`, "picture": picture}, nil, true},
		{"a username that looks like an address", plain, claimsOf("email", `"kai@shop.example"`, "username", `"kim@shop.example"`, "name", `"K"`, "nickname", `"k"`, "picture", picture),
			map[string]string{"email": `"kai@shop.example"`, "email_verified": "false", "name": `"K"`, "nickname": `"k"`, "picture": picture}, []Dropped{{"username", NotAllowed}}, true},
		{"a username that looks like a phone number", plain, claimsOf("email", `"kai@shop.example"`, "username", `"+358401234567"`, "name", `"K"`, "nickname", `"k"`, "picture", picture),
			map[string]string{"email": `"kai@shop.example"`, "email_verified": "false", "name": `"K"`, "nickname": `"k"`, "picture": picture}, []Dropped{{"username", NotAllowed}}, true},
		{"a username that looks like neither", plain, claimsOf("email", `"kai@shop.example"`, "username", `"C++"`, "name", `"K"`, "nickname", `"k"`, "picture", picture),
			map[string]string{"email": `"kai@shop.example"`, "email_verified": "false", "username": `"c++"`, "name": `"K"`, "nickname": `"k"`, "picture": picture}, nil, true},
		{"nothing but a username that nobody signs in by", plain, claimsOf("username", `"kai"`), nil, nil, true},
		{"identifiers that it has, whatever their length", named, claimsOf("username", `"Kai-Who-Has-Been-Here-For-Ever"`, "phone_number", `"+358401234567"`, "name", `"K"`, "nickname", `"k"`, "picture", picture),
			map[string]string{
				"username": `"kai-who-has-been-here-for-ever"`, "phone_number": `"+358401234567"`, "phone_verified": "false", "name": `"K"`, "nickname": `"k"`, "picture": picture,
			}, nil, true},
		{"no identifier", plain, claimsOf("name", `"K"`), nil, nil, true},
		{"values of the wrong type are not said", plain, claimsOf("email", `"kai@shop.example"`, "email_verified", `"yes"`, "name", "7", "nickname", `"k"`, "picture", picture, "blocked", `"no"`, "user_metadata", `"x"`, "app_metadata", `{"a.b":1}`),
			map[string]string{"email": `"kai@shop.example"`, "email_verified": "false", "name": `"kai@shop.example"`, "nickname": `"k"`, "picture": picture},
			[]Dropped{{"app_metadata", "NOT_PASSED"}, {"blocked", "INVALID_TYPE"}, {"email_verified", "INVALID_TYPE"}, {"name", "INVALID_TYPE"}, {"user_metadata", "INVALID_TYPE"}}, true},
		{"the server's own members", plain, claimsOf("email", `"kai@shop.example"`, "roles", `["admin"]`, "identities", "[]", "password", `"x"`, "name", `"K"`, "nickname", `"k"`, "picture", picture, "blocked", "true"),
			map[string]string{"email": `"kai@shop.example"`, "email_verified": "false", "name": `"K"`, "nickname": `"k"`, "picture": picture, "blocked": "true"}, nil, true},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			decide := AdoptBare
			if row.keep {
				decide = Adopt
			}
			out := decide(row.c, row.claims, scriptSource, Defaults{})
			if row.want == nil {
				if out.Action != Refused || out.Refusal == nil {
					t.Fatalf("not refused: %+v", out)
				}
				return
			}
			if out.Action != Created || out.Refusal != nil {
				t.Fatalf("refused: %v", out.Refusal)
			}
			if got := valuesIn(out.Profile); !reflect.DeepEqual(got, row.want) {
				t.Errorf("profile\n got %v\nwant %v", got, row.want)
			}
			if !reflect.DeepEqual(out.Dropped, row.dropped) {
				t.Errorf("dropped %v, want %v", out.Dropped, row.dropped)
			}
			for _, a := range out.Profile.All() {
				if a.Source.Origin != FromScript && a.Source.Origin != FromDefault {
					t.Errorf("%s is from %s", a.Name, a.Source.Origin)
				}
			}
		})
	}
}

func TestAdoptIsForImportModeAlone(t *testing.T) {
	for _, class := range []Class{Database, ExternalDatabase, Social, Enterprise, PasswordlessEmail} {
		if out := Adopt(Connection{Class: class}, claimsOf("email", `"a@b.example"`), scriptSource, Defaults{}); out.Action != Refused {
			t.Errorf("class %d: %v", class, out.Action)
		}
	}
}

// What a custom database says of metadata and blocked at a later login.
func TestBring(t *testing.T) {
	admin := Source{Origin: FromManagement, At: 1}
	before := func(pairs ...string) *Profile {
		p := Of(Attribute{"name", Value(`"K"`), scriptSource}, Attribute{"nickname", Value(`"k"`), scriptSource}, Attribute{"picture", Value(`"https://p.example/p"`), scriptSource})
		for i := 0; i < len(pairs); i += 3 {
			src := scriptSource
			if pairs[i+2] == "admin" {
				src = admin
			}
			p.Set(pairs[i], Value(pairs[i+1]), src)
		}
		return &p
	}
	said := []string{"name", `"K"`, "nickname", `"k"`, "picture", `"https://p.example/p"`}
	rows := []struct {
		name   string
		sync   Sync
		before *Profile
		claims []string
		member string
		want   string
		action Action
	}{
		{"keys that are not there are added", EachLogin, before("user_metadata", `{"lang":"sv","mine":1}`, "admin"), []string{"user_metadata", `{"lang":"fi","city":"Oulu"}`}, "user_metadata", `{"lang":"sv","mine":1,"city":"Oulu"}`, Updated},
		{"nothing new", EachLogin, before("user_metadata", `{"lang":"sv"}`, "admin"), []string{"user_metadata", `{"lang":"fi"}`}, "user_metadata", `{"lang":"sv"}`, Unchanged},
		{"not there yet", EachLogin, before(), []string{"app_metadata", `{"plan":"full"}`}, "app_metadata", `{"plan":"full"}`, Updated},
		{"an empty object empties nothing", EachLogin, before("app_metadata", `{"plan":"full"}`, "admin"), []string{"app_metadata", `{}`}, "app_metadata", `{"plan":"full"}`, Unchanged},
		{"after the first login only", FirstLogin, before("user_metadata", `{"lang":"sv"}`, "admin"), []string{"user_metadata", `{"city":"Oulu"}`}, "user_metadata", `{"lang":"sv"}`, Unchanged},
		{"blocked there", EachLogin, before(), []string{"blocked", "true"}, "blocked", "true", Updated},
		{"blocked and released there", EachLogin, before("blocked", "true", "script"), []string{"blocked", "false"}, "blocked", "false", Updated},
		{"blocked here", EachLogin, before("blocked", "true", "admin"), []string{"blocked", "false"}, "blocked", "true", Unchanged},
		{"released here", EachLogin, before("blocked", "false", "admin"), []string{"blocked", "true"}, "blocked", "false", Unchanged},
		{"never blocked", EachLogin, before(), []string{"blocked", "false"}, "blocked", "", Unchanged},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c := Connection{Class: ExternalDatabase, Sync: row.sync}
			out := Login(c, row.before, claimsOf(append(row.claims, said...)...), scriptSource, Defaults{})
			if out.Action != row.action {
				t.Errorf("action %d, want %d (%v)", out.Action, row.action, out.Changed)
			}
			if got := string(out.Profile.Value(row.member)); got != row.want {
				t.Errorf("%s is %s, want %s", row.member, got, row.want)
			}
		})
	}
}

// Nobody but a custom database brings metadata or blocked, whatever a connector sends.
func TestBringIsForCustomDatabasesAlone(t *testing.T) {
	cl := claimsOf("user_metadata", `{"a":1}`, "app_metadata", `{"a":1}`, "blocked", "true")
	out := Login(Connection{Class: Social}, nil, cl, Source{Origin: FromUpstream}, Defaults{})
	for _, name := range []string{UserMetadata, AppMetadata, Blocked} {
		if out.Profile.Has(name) {
			t.Errorf("%s came from a social login", name)
		}
	}
}
