package social

import "mangrove/internal/profile"

// WordPress.com.
var _ = register(&Provider{
	Strategy:  "wordpress",
	Authorize: "https://public-api.wordpress.com/oauth2/authorize",
	Token:     "https://public-api.wordpress.com/oauth2/token",
	Scope:     Scope{Default: []string{"auth"}},
	Requests:  []Request{{Name: "profile", URL: "https://public-api.wordpress.com/rest/v1/me"}},
	Map: Mapping{
		ID: "ID",
		Fields: []Field{
			{profile.Name, "display_name"},
			{profile.Nickname, "username"},
			{profile.Picture, "avatar_URL"},
			{profile.Email, "email"},
		},
		Verified: "email_verified",
	},
})
