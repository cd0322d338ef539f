package social

import (
	"net/url"

	"mangrove/internal/profile"
)

// 37signals (Basecamp), by a draft of OAuth 2.0 that named the flow by type. It does
// not say whether addresses are proven. When the token expires is no attribute of
// the person: every login would change it.
var _ = register(&Provider{
	Strategy:    "thirtysevensignals",
	Authorize:   "https://launchpad.37signals.com/authorization/new",
	Token:       "https://launchpad.37signals.com/authorization/token",
	Params:      url.Values{"type": {"web_server"}},
	TokenParams: url.Values{"type": {"web_server"}},
	Requests:    []Request{{Name: "profile", URL: "https://launchpad.37signals.com/authorization.json"}},
	Map: Mapping{
		ID: "identity.id",
		Fields: []Field{
			{profile.Name, "identity.first_name + identity.last_name"},
			{profile.GivenName, "identity.first_name"},
			{profile.FamilyName, "identity.last_name"},
			{profile.Email, "identity.email_address"},
		},
		Drop: []string{"identity", "expires_at"},
	},
})
