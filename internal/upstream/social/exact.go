package social

import (
	"mangrove/internal/profile"
)

// Exact Online. Each country has a host of its own (options.baseUrl); the answer
// is OData, one row.
var _ = register(&Provider{
	Strategy:     "exact",
	Authorize:    "{baseUrl}/api/oauth2/auth",
	Token:        "{baseUrl}/api/oauth2/token",
	Placeholders: map[string]string{"baseUrl": "https://start.exactonline.nl"},
	Requests: []Request{{
		Name: "profile", URL: "{baseUrl}/api/v1/current/Me",
	}},
	Fix: func(a *Answers) error {
		rows := Items(canonical(a.Profile["d"])["results"])
		if len(rows) > 0 {
			a.Profile = canonical(rows[0])
		}
		return nil
	},
	Map: Mapping{
		ID: "UserID",
		Fields: []Field{
			{profile.Name, "FullName"},
			{profile.GivenName, "FirstName"},
			{profile.FamilyName, "LastName"},
			{profile.Nickname, "UserName"},
			{profile.Picture, "PictureUrl"},
			{profile.Email, "Email"},
			{"locale", "LanguageCode"},
		},
		Drop: []string{"__metadata"},
	},
})
