package social

import "mangrove/internal/profile"

// Shop, the consumer accounts of Shopify: OpenID Connect.
var _ = register(&Provider{
	Strategy:  "shop",
	Authorize: "https://accounts.shop.app/oauth/authorize",
	Token:     "https://accounts.shop.app/oauth/token",
	PKCE:      true,
	Scope:     Scope{Default: []string{"openid", "profile", "email"}},
	Requests:  []Request{{Name: "profile", URL: "https://accounts.shop.app/oauth/userinfo"}},
	Map: Mapping{
		ID: "sub",
		Fields: []Field{
			{profile.Name, "name | given_name + family_name"},
			{profile.GivenName, "given_name"},
			{profile.FamilyName, "family_name"},
			{profile.Picture, "picture"},
			{profile.Email, "email"},
		},
		Verified: "email_verified",
	},
})
