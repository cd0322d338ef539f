package social

import "mangrove/internal/profile"

// Box. The login is an address, of which nothing says that it is proven.
var _ = register(&Provider{
	Strategy:  "box",
	Authorize: "https://account.box.com/api/oauth2/authorize",
	Token:     "https://api.box.com/oauth2/token",
	Requests:  []Request{{Name: "profile", URL: "https://api.box.com/2.0/users/me"}},
	Map: Mapping{
		ID: "id",
		Fields: []Field{
			{profile.Name, "name"},
			{profile.Email, "login"},
			{profile.Picture, "avatar_url"},
			{"locale", "language"},
		},
	},
})
