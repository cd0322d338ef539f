package social

import (
	"net/url"
	"strings"

	"mangrove/internal/profile"
)

var (
	_ = register(paypal("paypal", "https://www.paypal.com", "https://api.paypal.com"))
	_ = register(paypal("paypal-sandbox", "https://www.sandbox.paypal.com", "https://api.sandbox.paypal.com"))
)

// paypal is PayPal or its sandbox. That an account is verified (verified_account)
// says something about its bank, nothing about the address.
func paypal(strategy, www, api string) *Provider {
	return &Provider{
		Strategy:  strategy,
		Authorize: www + "/signin/authorize",
		Token:     api + "/v1/oauth2/token",
		Auth:      Basic,
		Scope: Scope{
			Always:  []string{"openid"},
			Default: []string{"profile"},
			Flags:   []Flag{{"profile", "profile"}, {"email", "email"}, {"address", "address"}, {"phone", "phone"}},
			Filled:  []string{"profile"},
			Stored:  Array,
		},
		Requests: []Request{{
			Name: "profile", URL: api + "/v1/oauth2/token/userinfo", Query: url.Values{"schema": {"openid"}},
		}},
		Fix: func(a *Answers) error {
			// https://www.paypal.com/webapps/auth/identity/user/<id>
			if id := a.Profile.Text("user_id"); id != "" {
				a.Profile["user_id"] = profile.Text(id[strings.LastIndexByte(id, '/')+1:])
			}
			return nil
		},
		Map: Mapping{
			ID: "user_id",
			Fields: []Field{
				{profile.Name, "name"},
				{profile.GivenName, "given_name"},
				{profile.FamilyName, "family_name"},
				{profile.Picture, "picture"},
				{"locale", "locale"},
				{profile.Email, "email"},
			},
			Verified:  "email_verified",
			TextProof: true,
		},
	}
}
