package social

import "mangrove/internal/profile"

// Bitbucket. Addresses are a list of their own, one of them primary.
var _ = register(&Provider{
	Strategy:  "bitbucket",
	Authorize: "https://bitbucket.org/site/oauth2/authorize",
	Token:     "https://bitbucket.org/site/oauth2/access_token",
	Auth:      Basic,
	Scope: Scope{
		Default: []string{"account", "email"},
		// profile is the flag of the basic profile: what is read of everybody.
		Always: []string{"account", "email"},
		Flags:  []Flag{{"profile", ""}},
		Filled: []string{"profile"},
		Stored: Array,
	},
	Requests: []Request{
		{Name: "profile", URL: "https://api.bitbucket.org/2.0/user"},
		{Name: "emails", URL: "https://api.bitbucket.org/2.0/user/emails", Under: "emails", Optional: true},
	},
	Fix: func(a *Answers) error {
		a.Profile["emails"] = canonical(a.Profile["emails"])["values"] // one page of a paged list
		if len(a.Profile["emails"]) == 0 {
			delete(a.Profile, "emails")
		}
		if chosen := a.chooseEmail("emails", "email", "is_primary"); chosen != nil {
			a.Profile["email"], a.Profile["is_confirmed"] = chosen["email"], chosen["is_confirmed"]
		}
		return nil
	},
	Map: Mapping{
		ID: "uuid",
		Fields: []Field{
			{profile.Name, "display_name"},
			{profile.Nickname, "username | nickname"},
			{profile.Picture, "links.avatar.href"},
			{profile.Email, "email"},
		},
		Verified: "is_confirmed",
	},
})
