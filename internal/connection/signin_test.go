package connection

import (
	"encoding/json"
	"slices"
	"testing"
)

func TestSignInKinds(t *testing.T) {
	for _, row := range []struct {
		strategy, options string
		want              []string
	}{
		{"auth0", `{}`, []string{"email"}},
		{"auth0", `{"requires_username":true}`, []string{"email", "username"}},
		{"auth0", `{"attributes":{"email":{"identifier":{"active":true}},"username":{"identifier":{"active":true}}}}`, []string{"email", "username"}},
		{"auth0", `{"attributes":{"email":{"identifier":{"active":true}},"username":{"identifier":{"active":true}}},"precedence":["username","phone_number","email"]}`, []string{"username", "email"}},
		{"auth0", `{"attributes":{"email":{"identifier":{"active":false}},"phone_number":{"identifier":{"active":true}}}}`, []string{"phone_number"}},
		{"auth0", `{"attributes":{"email":{}}}`, nil},
		{"auth0", `{"attributes":{"email":{"identifier":{"active":true}}},"precedence":["email","email","nickname"]}`, []string{"email"}},
		{"auth0", `{"attributes":7,"precedence":7}`, nil},
		{"email", `{}`, []string{"email"}},
		{"sms", `{"attributes":{"email":{"identifier":{"active":true}}}}`, []string{"phone_number"}},
	} {
		c := &Connection{Strategy: row.strategy, Options: json.RawMessage(row.options)}
		if got := c.SignInKinds(); !slices.Equal(got, row.want) {
			t.Errorf("%s %s: %v", row.strategy, row.options, got)
		}
	}
}

func TestPasskeyOptions(t *testing.T) {
	for options, want := range map[string][3]bool{
		`{}`: {false, true, true},
		`{"authentication_methods":{"passkey":{"enabled":true}}}`: {true, true, true},
		`{"passkey_options":{"challenge_ui":"button"}}`:           {false, true, false},
		`{"passkey_options":{"challenge_ui":"autofill"}}`:         {false, false, true},
	} {
		c := &Connection{Strategy: "auth0", Options: json.RawMessage(options)}
		button, autofill := c.PasskeyUI()
		if got := [3]bool{c.PasskeysEnabled(), button, autofill}; got != want {
			t.Errorf("%s: %v", options, got)
		}
	}
	if c := (&Connection{Strategy: "email", Options: json.RawMessage(`{"authentication_methods":{"passkey":{"enabled":true}}}`)}); c.PasskeysEnabled() {
		t.Error("passkeys belong to databases")
	}
}

func TestHiddenButton(t *testing.T) {
	for extra, want := range map[string]bool{`{}`: false, `{"show_as_button":true}`: false, `{"show_as_button":false}`: true} {
		if got := (&Connection{Extra: json.RawMessage(extra)}).HiddenButton(); got != want {
			t.Errorf("%s: %v", extra, got)
		}
	}
}
