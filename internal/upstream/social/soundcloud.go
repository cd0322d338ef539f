package social

import (
	"encoding/json"
	"strings"

	"mangrove/internal/profile"
)

// SoundCloud. The number in the URN is the id, which its provider wants to leave out
// one day: nobody must become somebody else by that.
var _ = register(&Provider{
	Strategy:   "soundcloud",
	Authorize:  "https://secure.soundcloud.com/authorize",
	Token:      "https://secure.soundcloud.com/oauth/token",
	PKCE:       true,
	Scope:      Scope{Default: []string{"non-expiring"}},
	TokenTypes: []string{"OAuth"},
	Requests:   []Request{{Name: "profile", URL: "https://api.soundcloud.com/me", Bearer: OAuthHeader}},
	Fix: func(a *Answers) error {
		if number, ok := strings.CutPrefix(a.Profile.Text("urn"), "soundcloud:users:"); ok && !a.Profile.Has("id") && isDigits(number) {
			a.Profile["id"] = json.RawMessage(number)
		}
		return nil
	},
	Map: Mapping{
		ID: "id",
		Fields: []Field{
			{profile.Name, "full_name | username"},
			{profile.GivenName, "first_name"},
			{profile.FamilyName, "last_name"},
			{profile.Nickname, "username"},
			{profile.Picture, "avatar_url"},
		},
	},
})
