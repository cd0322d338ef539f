package connection

import (
	"encoding/json"
	"reflect"
	"sync"
	"testing"

	"mangrove/internal/passwd"
	"mangrove/internal/profile"
)

func TestFacts(t *testing.T) {
	type facts = profile.Connection
	for _, row := range []struct {
		name, strategy, options string
		clients                 []string
		want                    facts
	}{
		{"regular database", "auth0", `{}`, []string{"a"}, facts{Class: profile.Database, EmailRequired: true}},
		{"disabled", "auth0", `{}`, nil, facts{Class: profile.Database, EmailRequired: true, Disabled: true}},
		{"username", "auth0", `{"requires_username":true,"validation":{"username":{"min":3,"max":20.0}}}`, []string{"a"},
			facts{Class: profile.Database, EmailRequired: true, Username: profile.UsernameRule{Allowed: true, Required: true, Min: 3, Max: 20}}},
		{"attributes", "auth0", `{"attributes":{"email":{"identifier":{"active":true},"profile_required":true},
			"username":{"profile_required":true,"validation":{"min_length":2,"max_length":9,"allowed_types":{"email":true,"phone_number":true}}},
			"phone_number":{"profile_required":true}}}`, []string{"a"},
			facts{Class: profile.Database, EmailRequired: true, PhoneRequired: true, PhoneAllowed: true,
				Username: profile.UsernameRule{Allowed: true, Required: true, Min: 2, Max: 9, EmailShaped: true, PhoneShaped: true}}},
		{"attributes without e-mail", "auth0", `{"attributes":{"username":{"identifier":{"active":true}}}}`, []string{"a"},
			facts{Class: profile.Database, Username: profile.UsernameRule{Allowed: true}}},
		{"a sync mode on a database means nothing", "auth0", `{"set_user_root_attributes":"never_on_login"}`, []string{"a"},
			facts{Class: profile.Database, EmailRequired: true}},
		{"import mode", "auth0", `{"enabledDatabaseCustomization":true,"import_mode":true}`, []string{"a"},
			facts{Class: profile.ImportDatabase, EmailRequired: true}},
		{"external database", "auth0", `{"enabledDatabaseCustomization":true,"set_user_root_attributes":"on_first_login","customScripts":{"change_email":"x"}}`, []string{"a"},
			facts{Class: profile.ExternalDatabase, EmailRequired: true, Sync: profile.FirstLogin, ScriptChangesEmail: true}},
		{"external database by statements and a webhook", "auth0", `{"enabledDatabaseCustomization":true,
			"sql":{"url":"postgres://db.example/x","change_username":"UPDATE"},
			"webhook":{"url":"https://hooks.example/","actions":["change_phone_number"]}}`, []string{"a"},
			facts{Class: profile.ExternalDatabase, EmailRequired: true, ScriptChangesUsername: true, ScriptChangesPhone: true}},
		{"import mode: nothing is changed elsewhere", "auth0", `{"enabledDatabaseCustomization":true,"import_mode":true,"customScripts":{"change_email":"x"}}`, []string{"a"},
			facts{Class: profile.ImportDatabase, EmailRequired: true}},
		{"email", "email", `{}`, []string{"a"}, facts{Class: profile.PasswordlessEmail, EmailRequired: true}},
		{"sms", "sms", `{}`, []string{"a"}, facts{Class: profile.PasswordlessSMS, PhoneRequired: true, PhoneAllowed: true}},
		{"social", "github", `{"non_persistent_attrs":["gender"]}`, []string{"a"}, facts{Class: profile.Social, NonPersistent: []string{"gender"}}},
		{"custom social", "oauth2", `{"set_user_root_attributes":"never_on_login"}`, []string{"a"}, facts{Class: profile.Social, Sync: profile.NeverLogin}},
		{"enterprise", "samlp", `{"set_user_root_attributes":"on_each_login"}`, []string{"a"}, facts{Class: profile.Enterprise, Sync: profile.EachLogin}},
		{"a mode that does not exist", "samlp", `{"set_user_root_attributes":"x"}`, []string{"a"}, facts{Class: profile.Enterprise}},
		{"unknown strategy: nothing may be edited", "carrier-pigeon", `{}`, []string{"a"}, facts{Class: profile.Enterprise}},
		{"options that cannot be read", "samlp", `[`, []string{"a"}, facts{Class: profile.Enterprise}},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := &Connection{ID: "con_1", Name: "n", Strategy: row.strategy, Options: json.RawMessage(row.options), EnabledClients: row.clients}
			row.want.ID, row.want.Name = "con_1", "n"
			if got := c.Facts(); !reflect.DeepEqual(got, row.want) {
				t.Errorf("got  %+v\nwant %+v", got, row.want)
			}
		})
	}
}

func TestFactsFollowTheOptions(t *testing.T) {
	c := &Connection{Strategy: "samlp", Options: json.RawMessage(`{"set_user_root_attributes":"on_first_login"}`)}
	if c.Facts().Sync != profile.FirstLogin {
		t.Fatal("not read")
	}
	d := c.Clone()
	d.Options = json.RawMessage(`{"set_user_root_attributes":"never_on_login"}`)
	if got := d.Facts().Sync; got != profile.NeverLogin {
		t.Errorf("the copy has %s", got)
	}
	c.Options = json.RawMessage(`{"set_user_root_attributes":"never_on_login"}`)
	if got := c.Facts().Sync; got != profile.NeverLogin {
		t.Errorf("after a change: %s", got)
	}
	c.EnabledClients = []string{"x"}
	if c.Facts().Disabled {
		t.Error("still disabled")
	}
}

func TestFactsFromManySides(t *testing.T) {
	c := &Connection{Strategy: "oidc", Options: json.RawMessage(`{"client_id":"x"}`), EnabledClients: []string{"a"}}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if c.Class() != profile.Enterprise || c.OIDC().ClientID != "x" {
				t.Error("misread")
			}
		})
	}
	wg.Wait()
}

func TestPasswordPolicy(t *testing.T) {
	for _, row := range []struct {
		name, options string
		want          passwd.Policy
	}{
		{"nothing", `{}`, passwd.Policy{}},
		{"classic", `{"passwordPolicy":"fair","password_complexity_options":{"min_length":10},"password_dictionary":{"enable":true,"dictionary":["acme"]},"password_no_personal_info":{"enable":true}}`,
			passwd.Policy{Level: "fair", MinLength: 10, Dictionary: true, Custom: []string{"acme"}, Personal: true}},
		{"words without the switch", `{"password_dictionary":{"enable":false,"dictionary":["acme"]}}`, passwd.Policy{}},
		{"none", `{"passwordPolicy":"None"}`, passwd.Policy{Level: "none"}},
		{"null", `{"passwordPolicy":null}`, passwd.Policy{Level: "none"}},
		{"flexible", `{"password_options":{"complexity":{"min_length":12,"character_types":["number"],"character_type_rule":"all","identical_characters":"block","sequential_characters":"block","max_length_exceeded":"truncate"},
			"dictionary":{"active":true,"custom":["acme"]},"profile_data":{"active":true}}}`,
			passwd.Policy{Options: &passwd.Complexity{MinLength: 12, Types: []string{"number"}, Identical: true, Sequential: true, Truncate: true},
				Dictionary: true, Custom: []string{"acme"}, Personal: true}},
		{"flexible, nothing said", `{"password_options":{}}`, passwd.Policy{Options: &passwd.Complexity{MinLength: 15}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := &Connection{Strategy: "auth0", Options: json.RawMessage(row.options)}
			if got := c.PasswordPolicy(); !reflect.DeepEqual(got, row.want) {
				t.Errorf("got %+v, want %+v", got, row.want)
			}
		})
	}
}

func TestDefaultDatabase(t *testing.T) {
	c := Default(7)
	p := c.PasswordPolicy()
	if c.Name != "Username-Password-Authentication" || p.Options == nil || p.Options.MinLength != 15 || len(p.Options.Types) != 0 || !p.Dictionary {
		t.Errorf("%+v %+v", c, p)
	}
	if c.Class() != profile.Database {
		t.Error("not a database of ours")
	}
}

func TestSignup(t *testing.T) {
	for _, row := range []struct {
		name, options string
		want          Signup
	}{
		{"classic", `{}`, Signup{EmailRequired: true}},
		{"username", `{"requires_username":true}`, Signup{EmailRequired: true, UsernameRequired: true}},
		{"closed", `{"disable_signup":true}`, Signup{Disabled: true, EmailRequired: true}},
		{"passwords blocked", `{"authentication_methods":{"password":{"signup_behavior":"block"}}}`, Signup{Disabled: true, EmailRequired: true}},
		{"attributes", `{"attributes":{"email":{"signup":{"status":"optional"}},"username":{"signup":{"status":"required"}},"phone_number":{"signup":{"status":"inactive"}}}}`,
			Signup{UsernameRequired: true, PhoneInactive: true}},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := &Connection{Strategy: "auth0", Options: json.RawMessage(row.options)}
			if got := c.Signup(); got != row.want {
				t.Errorf("got %+v, want %+v", got, row.want)
			}
		})
	}
}

func TestIdentityUserID(t *testing.T) {
	for _, row := range []struct{ strategy, want string }{
		{"google-oauth2", "s"}, {"github", "s"}, {"auth0", "s"}, {"sms", "s"}, {"google-apps", "s"},
		{"oauth2", "n|s"}, {"samlp", "n|s"}, {"adfs", "n|s"}, {"ad", "n|s"}, {"oidc", "n|s"}, {"okta", "n|s"}, {"pingfederate", "n|s"}, {"waad", "n|s"},
	} {
		if got := IdentityUserID(row.strategy, "n", "s"); got != row.want {
			t.Errorf("%s: %s", row.strategy, got)
		}
	}
}

func TestStrategies(t *testing.T) {
	if n := len(Strategies()); n != 55 {
		t.Errorf("%d strategies, the contract has 55", n)
	}
	if n := len(FilterStrategies()); n != 56 {
		t.Errorf("%d strategies in filters, the contract has 56", n)
	}
	for _, name := range FilterStrategies() {
		s, ok := StrategyOf(name)
		if !ok || s.Name != name || s.Group == 0 {
			t.Errorf("%s: %+v", name, s)
		}
		if s.IsSocial() == s.ShowsButton() && s.Group >= SocialGroup {
			t.Errorf("%s is social and enterprise, or neither", name)
		}
	}
}

func BenchmarkFacts(b *testing.B) {
	c := Default(1)
	b.ReportAllocs()
	for b.Loop() {
		_ = c.Facts()
	}
}

func TestSignupIdentifier(t *testing.T) {
	for _, row := range []struct {
		rules              Signup
		facts              profile.Connection
		name               string
		required, inactive bool
	}{
		{Signup{}, profile.Connection{}, profile.Email, false, false},
		{Signup{}, profile.Connection{EmailRequired: true}, profile.Email, true, false},
		{Signup{EmailRequired: true}, profile.Connection{}, profile.Email, true, false},
		{Signup{EmailRequired: true}, profile.Connection{}, profile.PhoneNumber, false, false},
		{Signup{EmailInactive: true}, profile.Connection{}, profile.Email, false, true},
		{Signup{PhoneRequired: true}, profile.Connection{}, profile.PhoneNumber, true, false},
		{Signup{PhoneInactive: true}, profile.Connection{}, profile.PhoneNumber, false, true},
		{Signup{}, profile.Connection{Username: profile.UsernameRule{Required: true}}, profile.Username, true, false},
		{Signup{UsernameInactive: true}, profile.Connection{}, profile.Username, false, true},
		{Signup{EmailRequired: true}, profile.Connection{}, profile.Name, false, false},
	} {
		if required, inactive := row.rules.Identifier(row.facts, row.name); required != row.required || inactive != row.inactive {
			t.Errorf("%+v %s: required %v, inactive %v", row.rules, row.name, required, inactive)
		}
	}
}
