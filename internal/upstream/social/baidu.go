package social

import (
	"mangrove/internal/profile"
)

// Baidu. It gives no address; the picture is named by a key.
var _ = register(&Provider{
	Strategy:  "baidu",
	Authorize: "https://openapi.baidu.com/oauth/2.0/authorize",
	Token:     "https://openapi.baidu.com/oauth/2.0/token",
	Requests: []Request{{
		Name: "profile", URL: "https://openapi.baidu.com/rest/2.0/passport/users/getLoggedInUser", Bearer: InQuery,
	}},
	Fix: func(a *Answers) error {
		if key := a.Profile.Text("portrait"); key != "" {
			a.Profile["picture"] = profile.Text("http://tb.himg.baidu.com/sys/portrait/item/" + key)
		}
		return nil
	},
	Map: Mapping{
		ID: "uid",
		Fields: []Field{
			{profile.Name, "uname"},
			{profile.Nickname, "uname"},
			{profile.Picture, "picture"},
		},
		Drop: []string{"portrait"},
	},
})
