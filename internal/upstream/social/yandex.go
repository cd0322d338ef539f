package social

import (
	"net/url"
	"regexp"

	"mangrove/internal/profile"
)

// Yandex names the picture by an id.
var _ = register(&Provider{
	Strategy:  "yandex",
	Authorize: "https://oauth.yandex.com/authorize",
	Token:     "https://oauth.yandex.com/token",
	PKCE:      true,
	Requests: []Request{{
		Name: "profile", URL: "https://login.yandex.ru/info", Bearer: OAuthHeader, Query: url.Values{"format": {"json"}},
	}},
	Fix: func(a *Answers) error {
		delete(a.Profile, "picture")
		if id := a.Profile.Text("default_avatar_id"); avatarID.MatchString(id) && !a.Profile.Flag("is_avatar_empty") {
			a.Profile["picture"] = profile.Text("https://avatars.yandex.net/get-yapic/" + id + "/islands-200")
		}
		return nil
	},
	Map: Mapping{
		ID: "id",
		Fields: []Field{
			{profile.Name, "real_name | display_name"},
			{profile.GivenName, "first_name"},
			{profile.FamilyName, "last_name"},
			{profile.Nickname, "login"},
			{profile.Picture, "picture"},
			{profile.Email, "default_email"},
		},
		Drop: []string{"default_avatar_id", "is_avatar_empty"},
	},
})

// avatarID is what may stand in the address of a picture.
var avatarID = regexp.MustCompile(`^[0-9A-Za-z_-]{1,64}(/[0-9A-Za-z_-]{1,64})?$`)
