package social

import (
	"net/http"
	"net/url"

	"mangrove/internal/profile"
)

// Weibo has to be asked by the uid that came with the token. The last post is
// no attribute of the person.
var _ = register(&Provider{
	Strategy:  "weibo",
	Authorize: "https://api.weibo.com/oauth2/authorize",
	Token:     "https://api.weibo.com/oauth2/access_token",
	Scope:     Scope{Separator: ","},
	Requests: []Request{{
		Name: "profile", URL: "https://api.weibo.com/2/users/show.json", Bearer: InQuery,
		Edit: func(a *Answers, q url.Values, _ http.Header) { q.Set("uid", a.Token.Text("uid")) },
	}},
	Map: Mapping{
		ID: "idstr",
		Fields: []Field{
			{profile.Name, "name | screen_name"},
			{profile.Nickname, "screen_name"},
			{profile.Picture, "avatar_large"},
			{"locale", "lang"},
		},
		Drop: []string{"id", "status"},
	},
})
