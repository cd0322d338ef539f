package social

import (
	"errors"

	"mangrove/internal/profile"
)

// LINE. The profile has no address: it is in the ID token, which has to be of the
// same person. LINE does not say whether the address is proven.
var _ = register(&Provider{
	Strategy:  "line",
	Authorize: "https://access.line.me/oauth2/v2.1/authorize",
	Token:     "https://api.line.me/oauth2/v2.1/token",
	PKCE:      true,
	Scope: Scope{
		Always:  []string{"openid"},
		Default: []string{"profile"},
		Flags:   []Flag{{"email", "email"}, {"profile", "profile"}},
		Filled:  []string{"profile"},
		Stored:  Array,
	},
	IDToken:  &IDToken{Issuers: []string{"https://access.line.me"}, Nonce: true},
	Requests: []Request{{Name: "profile", URL: "https://api.line.me/v2/profile"}},
	Fix: func(a *Answers) error {
		if a.IDToken != nil && a.IDToken.Text("sub") != a.Profile.Text("userId") {
			return errors.New("the ID token and the profile are of two people")
		}
		return nil
	},
	Map: Mapping{
		ID: "userId",
		Fields: []Field{
			{profile.Name, "displayName"},
			{profile.Nickname, "displayName"},
			{profile.Picture, "pictureUrl"},
			{profile.Email, "id_token:email"},
		},
	},
})
