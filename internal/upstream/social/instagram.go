package social

import (
	"context"

	"mangrove/internal/profile"
)

// Instagram, the basic API: the person comes with the token. Closed by its provider.
var _ = register(&Provider{
	Strategy:  "instagram",
	Authorize: "https://api.instagram.com/oauth/authorize",
	Token:     "https://api.instagram.com/oauth/access_token",
	Scope:     Scope{Default: []string{"basic"}},
	Fetch: func(_ context.Context, _ *Connector, a *Answers) error {
		a.Profile = canonical(a.Token["user"])
		return nil
	},
	Map: Mapping{
		ID: "id",
		Fields: []Field{
			{profile.Name, "full_name"},
			{profile.Nickname, "username"},
			{profile.Picture, "profile_picture"},
		},
	},
})
