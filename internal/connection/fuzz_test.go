package connection

import (
	"testing"

	"mangrove/internal/strictjson"
)

// Law: a client that reads options and writes back what it read changes
// nothing, whatever the options are.
func FuzzReadModifyWrite(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"configuration":{"A":"x"},"passwordPolicy":null}`, `{"attributes":{"email":{"identifier":{"active":true}}}}`,
		`{"set_user_root_attributes":"on_first_login","enabledDatabaseCustomization":true}`, `{"password_options":{"complexity":{"min_length":9.0}}}`,
		`{"authentication_methods":null,"passkey_options":{}}`, `{"upstream_params":{"a":{"alias":"prompt"}},"attribute_map":null}`, `{"a":[1.50,{"b":null}]}`,
	} {
		for i := range fuzzStrategies {
			f.Add(s, byte(i))
		}
	}
	f.Fuzz(func(t *testing.T, text string, n byte) {
		strategy := fuzzStrategies[int(n)%len(fuzzStrategies)]
		sent, err := strictjson.Compact([]byte(text))
		if err != nil || sent[0] != '{' {
			return
		}
		first, err := newOptions(strategy, strictjson.ParseDocument(sent), counter())
		if err != nil {
			return
		}
		c := &Connection{ID: "con_1", Name: "n", Strategy: strategy, Options: first.Encode()}
		shown := c.ShownOptions()
		again, err := replacedOptions(strategy, strictjson.ParseDocument(c.Options), strictjson.ParseDocument(shown), counter())
		if err != nil {
			t.Fatalf("%s refuses its own %s: %s", strategy, shown, err)
		}
		if got := string(again.Encode()); got != string(c.Options) {
			t.Fatalf("%s: %s became %s", strategy, c.Options, got)
		}
		if facts := c.Facts(); facts.Class == 0 || facts.Class.Own() && facts.Sync != "" {
			t.Fatalf("%s: %+v", c.Options, facts)
		}
		_, _, _ = c.OIDC(), c.PasswordPolicy(), c.Signup()
	})
}

var fuzzStrategies = []string{"auth0", "email", "sms", "oidc", "okta", "samlp", "github", "google-apps"}
