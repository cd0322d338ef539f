package social

import (
	"net/url"

	"mangrove/internal/profile"
)

// Untappd calls redirect_uri redirect_url, redeems codes by GET, and wraps what it
// answers. It does not say whether addresses are proven.
var _ = register(&Provider{
	Strategy:    "untappd",
	Authorize:   "https://untappd.com/oauth/authenticate/",
	Token:       "https://untappd.com/oauth/authorize/",
	RedirectAs:  "redirect_url",
	TokenByGET:  true,
	TokenParams: url.Values{"response_type": {"code"}},
	TokenIn:     "response",
	Requests: []Request{{
		Name: "profile", URL: "https://api.untappd.com/v4/user/info", Bearer: InQuery,
		Query: url.Values{"compact": {"true"}}, // without the last check-ins
	}},
	Fix: func(a *Answers) error {
		a.Profile = canonical(a.Profile.Object("response")["user"])
		return nil
	},
	Map: Mapping{
		ID: "uid | id",
		Fields: []Field{
			{profile.Name, "first_name + last_name"},
			{profile.GivenName, "first_name"},
			{profile.FamilyName, "last_name"},
			{profile.Nickname, "user_name"},
			{profile.Picture, "user_avatar_hd | user_avatar"},
			{profile.Email, "settings.email_address"},
		},
		Drop: []string{"settings"},
	},
})
