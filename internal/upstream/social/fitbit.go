package social

import "mangrove/internal/profile"

// Fitbit. The profile is inside the member user.
var _ = register(&Provider{
	Strategy:  "fitbit",
	Authorize: "https://www.fitbit.com/oauth2/authorize",
	Token:     "https://api.fitbit.com/oauth2/token",
	Auth:      Basic,
	PKCE:      true,
	Scope:     Scope{Always: []string{"profile"}},
	Requests:  []Request{{Name: "profile", URL: "https://api.fitbit.com/1/user/-/profile.json"}},
	Fix: func(a *Answers) error {
		a.Profile = canonical(a.Profile["user"])
		return nil
	},
	Map: Mapping{
		ID: "encodedId",
		Fields: []Field{
			{profile.Name, "fullName | displayName"},
			{profile.GivenName, "firstName"},
			{profile.FamilyName, "lastName"},
			{profile.Nickname, "displayName"},
			{profile.Picture, "avatar"},
			{"locale", "locale"},
		},
	},
})
