package social

import "mangrove/internal/profile"

// Bitly. It knows people by their login; addresses are a list with their proofs.
var _ = register(&Provider{
	Strategy:  "bitly",
	Authorize: "https://bitly.com/oauth/authorize",
	Token:     "https://api-ssl.bitly.com/oauth/access_token",
	Requests:  []Request{{Name: "profile", URL: "https://api-ssl.bitly.com/v4/user"}},
	Fix: func(a *Answers) error {
		if chosen := a.chooseEmail("emails", "email", "is_primary"); chosen != nil {
			a.Profile["email"], a.Profile["is_verified"] = chosen["email"], chosen["is_verified"]
		}
		return nil
	},
	Map: Mapping{
		ID: "login",
		Fields: []Field{
			{profile.Name, "name"},
			{profile.Nickname, "login"},
			{profile.Email, "email"},
		},
		Verified: "is_verified",
	},
})
