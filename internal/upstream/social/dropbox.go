package social

import (
	"net/http"
	"net/url"

	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
)

// Dropbox. Its API is remote calls: a POST with null as argument.
var _ = register(&Provider{
	Strategy:  "dropbox",
	Authorize: "https://www.dropbox.com/oauth2/authorize",
	Token:     "https://api.dropboxapi.com/oauth2/token",
	PKCE:      true,
	Ask: func(o strictjson.Document, q url.Values) {
		if o.Flag("offline_access") {
			q.Set("token_access_type", "offline")
		}
	},
	Requests: []Request{{
		Name: "profile", URL: "https://api.dropboxapi.com/2/users/get_current_account", Method: http.MethodPost, Body: "null",
	}},
	Map: Mapping{
		ID: "account_id",
		Fields: []Field{
			{profile.Name, "name.display_name"},
			{profile.GivenName, "name.given_name"},
			{profile.FamilyName, "name.surname"},
			{profile.Nickname, "name.familiar_name"},
			{profile.Picture, "profile_photo_url"},
			{profile.Email, "email"},
		},
		Verified: "email_verified",
	},
})
