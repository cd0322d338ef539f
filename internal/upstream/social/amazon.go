package social

import "mangrove/internal/profile"

// Login with Amazon.
var _ = register(&Provider{
	Strategy:  "amazon",
	Authorize: "https://www.amazon.com/ap/oa",
	Token:     "https://api.amazon.com/auth/o2/token",
	PKCE:      true,
	Scope: Scope{
		Default: []string{"profile"},
		Flags:   flagsNamedLikeScopes("profile postal_code"),
		Filled:  []string{"profile"},
		Stored:  Array,
	},
	Requests: []Request{{Name: "profile", URL: "https://api.amazon.com/user/profile"}},
	Map: Mapping{
		ID: "user_id",
		Fields: []Field{
			{profile.Name, "name"},
			{profile.Email, "email"},
		},
	},
})
