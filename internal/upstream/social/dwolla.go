package social

import (
	"net/http"
	"net/url"

	"mangrove/internal/profile"
)

// Dwolla closed its sign-in to the public in 2016.
var _ = register(&Provider{
	Strategy:  "dwolla",
	Authorize: "https://www.dwolla.com/oauth/v2/authenticate",
	Token:     "https://www.dwolla.com/oauth/v2/token",
	Scope:     Scope{Default: []string{"AccountInfoFull"}, Separator: "|"},
	Requests: []Request{{
		Name: "profile", URL: "https://www.dwolla.com/oauth/rest/users", Bearer: NoBearer,
		Edit: func(a *Answers, q url.Values, _ http.Header) { q.Set("oauth_token", a.AccessToken) },
	}},
	Fix: func(a *Answers) error {
		if inner := canonical(a.Profile["Response"]); inner != nil {
			a.Profile = inner
		}
		return nil
	},
	Map: Mapping{
		ID: "Id",
		Fields: []Field{
			{profile.Name, "Name"},
		},
	},
})
