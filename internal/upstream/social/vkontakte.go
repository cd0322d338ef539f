package social

import (
	"net/url"

	"mangrove/internal/profile"
)

// VK. The address comes with the token; nothing says whether it is proven.
var _ = register(&Provider{
	Strategy:  "vkontakte",
	Authorize: "https://oauth.vk.com/authorize",
	Token:     "https://oauth.vk.com/access_token",
	Scope:     Scope{Default: []string{"email"}, Separator: ","},
	Requests: []Request{{
		Name: "profile", URL: "https://api.vk.com/method/users.get", Bearer: InQuery,
		Query: url.Values{"v": {"5.131"}, "fields": {"photo_200,screen_name,sex,bdate,city"}},
	}},
	Fix: func(a *Answers) error {
		list := Items(a.Profile["response"])
		a.Profile = nil
		if len(list) > 0 {
			a.Profile = canonical(list[0])
		}
		return nil
	},
	Map: Mapping{
		ID: "id | uid",
		Fields: []Field{
			{profile.Name, "first_name + last_name"},
			{profile.GivenName, "first_name"},
			{profile.FamilyName, "last_name"},
			{profile.Nickname, "screen_name"},
			{profile.Picture, "photo_200"},
			{profile.Email, "token:email"},
		},
	},
})
