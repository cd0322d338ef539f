package op

import (
	"strings"
	"testing"

	"mangrove/internal/errs"
	"mangrove/internal/token"
)

func TestRedeemable(t *testing.T) {
	confidential, public := caller{doc(codeGrant), true}, caller{doc(codeGrant + `,"token_endpoint_auth_method":"none"`), false}
	other := caller{doc(codeGrant), true}
	other.ID = "c2"
	bare := token.Code{ClientID: "c1"}
	sent := token.Code{ClientID: "c1", RedirectURI: cb}
	pkce := token.Code{ClientID: "c1", Challenge: s256, Method: "S256"}
	plain := token.Code{ClientID: "c1", Challenge: verifier, Method: "plain"}
	for _, row := range []struct {
		name               string
		code               token.Code
		c                  caller
		redirect, verifier string
		want               string // start of the text; empty: redeemable
	}{
		{"bare", bare, confidential, "", "", ""},
		{"other client", bare, other, "", "", "Invalid authorization code"},
		{"redirect repeated", sent, confidential, cb, "", ""},
		{"redirect missing", sent, confidential, "", "", "The redirect URI is wrong. You sent , and we expected " + cb},
		{"redirect differs", sent, confidential, cb + "/", "", "The redirect URI is wrong. You sent " + cb + "/, and we expected " + cb},
		{"redirect out of nowhere", bare, confidential, cb, "", "The redirect URI is wrong."},
		{"S256", pkce, confidential, "", verifier, ""},
		{"S256, public", pkce, public, "", verifier, ""},
		{"S256, no verifier", pkce, confidential, "", "", "Parameter 'code_verifier' is required"},
		{"S256, wrong", pkce, public, "", strings.Repeat("a", 43), "Failed to verify code verifier"},
		{"S256, answered as plain", pkce, public, "", s256, "Failed to verify code verifier"},
		{"S256, short", pkce, public, "", verifier[:42], "Failed to verify code verifier"},
		{"plain", plain, confidential, "", verifier, ""},
		{"plain, public", plain, public, "", verifier, "Failed to verify code verifier"},
		{"downgrade", bare, confidential, "", verifier, "Failed to verify code verifier"},
		{"public without PKCE", bare, public, "", "", "Failed to verify code verifier"},
	} {
		err := redeemable(row.code, row.c, row.redirect, row.verifier, row.c.Settings().Public())
		if (err == nil) != (row.want == "") {
			t.Errorf("%s: %v", row.name, err)
			continue
		}
		if f := errs.From(err); err != nil && (!strings.HasPrefix(f.Text, row.want) || f.Code != "invalid_grant" || f.Kind != errs.Forbidden) {
			t.Errorf("%s: %v", row.name, err)
		}
	}
}
