package social

import "mangrove/internal/profile"

// Yahoo: OpenID Connect.
var _ = register(&Provider{
	Strategy:  "yahoo",
	Authorize: "https://api.login.yahoo.com/oauth2/request_auth",
	Token:     "https://api.login.yahoo.com/oauth2/get_token",
	Auth:      Basic,
	Scope:     Scope{Default: []string{"openid", "profile", "email"}},
	Requests:  []Request{{Name: "profile", URL: "https://api.login.yahoo.com/openid/v1/userinfo"}},
	Map: Mapping{
		ID: "sub",
		Fields: []Field{
			{profile.Name, "name"},
			{profile.GivenName, "given_name"},
			{profile.FamilyName, "family_name"},
			{profile.Nickname, "nickname"},
			{profile.Picture, "picture"},
			{profile.Email, "email"},
		},
		Verified: "email_verified",
	},
})
