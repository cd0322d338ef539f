package social

import (
	"net/url"
	"strings"

	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
)

// Planning Center answers in the form of JSON:API: the person is data, addresses
// are included beside it. It does not say whether they are proven.
var _ = register(&Provider{
	Strategy:  "planningcenter",
	Authorize: "https://api.planningcenteronline.com/oauth/authorize",
	Token:     "https://api.planningcenteronline.com/oauth/token",
	Scope:     Scope{Default: []string{"people"}},
	Requests: []Request{{
		Name: "profile", URL: "https://api.planningcenteronline.com/people/v2/me", Query: url.Values{"include": {"emails"}},
	}},
	Fix: func(a *Answers) error {
		data, included := a.Profile.Object("data"), a.Profile["included"]
		a.Profile = canonical(data["attributes"])
		if a.Profile == nil {
			a.Profile = strictjson.Document{}
		}
		a.Profile["id"] = data["id"]
		delete(a.Profile, "email")
		if email := includedEmail(included); email != "" {
			a.Profile["email"] = profile.Text(email)
		} else if login := a.Profile.Text("login_identifier"); strings.Contains(login, "@") {
			a.Profile["email"] = profile.Text(login)
		}
		return nil
	},
	Map: Mapping{
		ID: "id",
		Fields: []Field{
			{profile.Name, "name | first_name + last_name"},
			{profile.GivenName, "first_name"},
			{profile.FamilyName, "last_name"},
			{profile.Nickname, "nickname"},
			{profile.Picture, "avatar"},
			{profile.Email, "email"},
		},
	},
})

// includedEmail is the primary address among the resources that were included.
func includedEmail(included profile.Value) string {
	for _, item := range Items(included) {
		d := strictjson.ParseDocument(item)
		if e := d.Object("attributes"); d.Text("type") == "Email" && e.Flag("primary") && e.Text("address") != "" {
			return e.Text("address")
		}
	}
	return ""
}
