package social

import (
	"net/url"

	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
)

// LinkedIn: OpenID Connect (strategy_version 3), or the API of before (1 and 2).
var _ = register(&Provider{
	Strategy: "linkedin",
	Variant: func(o strictjson.Document) *Provider {
		if v, ok := o.Number("strategy_version"); ok && v < 3 {
			return linkedinV2
		}
		return nil
	},
	Authorize: linkedinAuthorize,
	Token:     linkedinToken,
	Scope: Scope{
		Default: []string{"openid", "profile", "email"},
		Flags: []Flag{
			{"openid", "openid"}, {"profile", "profile"}, {"email", "email"},
			{"basic_profile", "r_basicprofile"}, {"full_profile", "r_fullprofile"}, {"network", "r_network"},
		},
		Stored: Array,
	},
	Requests: []Request{{Name: "profile", URL: "https://api.linkedin.com/v2/userinfo"}},
	Map: Mapping{
		ID: "sub",
		Fields: []Field{
			{profile.Name, "name"},
			{profile.GivenName, "given_name"},
			{profile.FamilyName, "family_name"},
			{profile.Picture, "picture"},
			{profile.Email, "email"},
		},
		Verified: "email_verified",
	},
})

const (
	linkedinAuthorize = "https://www.linkedin.com/oauth/v2/authorization"
	linkedinToken     = "https://www.linkedin.com/oauth/v2/accessToken"
)

var linkedinV2 = (&Provider{
	Strategy:  "linkedin",
	Authorize: linkedinAuthorize,
	Token:     linkedinToken,
	Scope: Scope{
		Default: []string{"r_emailaddress", "r_liteprofile"},
		Flags: []Flag{
			{"email", "r_emailaddress"}, {"profile", "r_liteprofile"}, {"basic_profile", "r_basicprofile"},
			{"full_profile", "r_fullprofile"}, {"network", "r_network"},
		},
		Filled: []string{"profile"},
		Stored: Array,
	},
	Requests: []Request{
		// Pictures are answered only where they are asked for by a projection.
		{Name: "profile", URL: "https://api.linkedin.com/v2/me", Query: url.Values{"projection": {
			"(id,localizedFirstName,localizedLastName,firstName,lastName,profilePicture(displayImage~:playableStreams))",
		}}},
		{Name: "emails", URL: "https://api.linkedin.com/v2/emailAddress", Under: "emailAddress", Optional: true, Query: url.Values{
			"q": {"members"}, "projection": {"(elements*(handle~))"},
		}},
	},
	Fix: func(a *Answers) error {
		if picture := largestPicture(a.Profile["profilePicture"]); picture != "" {
			a.Profile["picture"] = profile.Text(picture)
		}
		return nil
	},
	Map: Mapping{
		ID: "id",
		Fields: []Field{
			{profile.Name, "localizedFirstName + localizedLastName"},
			{profile.GivenName, "localizedFirstName"},
			{profile.FamilyName, "localizedLastName"},
			{profile.Picture, "picture"},
			{"locale", "firstName.preferredLocale"},
			{profile.Email, "emailAddress.elements.0.handle~.emailAddress"},
		},
		Drop: []string{"emailAddress"},
	},
}).ready()

// largestPicture is the address of the widest of the pictures of a member; empty:
// there is none.
func largestPicture(v profile.Value) string {
	var picture string
	widest := -1.0
	for _, item := range Items(strictjson.ParseDocument(v).Object("displayImage~")["elements"]) {
		e := strictjson.ParseDocument(item)
		size := e.Object("data").Object("com.linkedin.digitalmedia.mediaartifact.StillImage").Object("displaySize")
		sources := Items(e["identifiers"])
		if len(sources) == 0 {
			continue
		}
		address := strictjson.ParseDocument(sources[0]).Text("identifier")
		if width := number(size["width"]); address != "" && width > widest {
			picture, widest = address, width
		}
	}
	return picture
}
