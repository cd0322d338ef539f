package social

import (
	"errors"
	"net/url"

	"mangrove/internal/profile"
)

const (
	salesforceLogin   = "https://login.salesforce.com"
	salesforceSandbox = "https://test.salesforce.com"
)

var (
	_ = register(salesforce("salesforce", salesforceLogin))
	_ = register(salesforce("salesforce-sandbox", salesforceSandbox))
	_ = register(salesforce("salesforce-community", "{community_base_url}"))
)

// salesforce is Salesforce, its sandbox or a community. Where the profile is, the
// token answer says.
func salesforce(strategy, base string) *Provider {
	return &Provider{
		Strategy:  strategy,
		Authorize: base + "/services/oauth2/authorize",
		Token:     base + "/services/oauth2/token",
		PKCE:      true,
		Scope:     Scope{Flags: []Flag{{"profile", ""}}, Stored: Array},
		Requests: []Request{{Name: "profile", Address: func(a *Answers) (string, error) {
			return salesforceIdentity(a.TokenEndpoint, a.Token.Text("id"))
		}}},
		Map: Mapping{
			ID: "user_id",
			Fields: []Field{
				{profile.Name, "display_name"},
				{profile.GivenName, "first_name"},
				{profile.FamilyName, "last_name"},
				{profile.Nickname, "nick_name"},
				{profile.Picture, "photos.picture"},
				{"locale", "locale | language"},
				{profile.Email, "email"},
			},
			Verified: "email_verified",
			Drop:     []string{"id"},
			Keep:     []string{"active"},
		},
	}
}

// salesforceIdentity accepts the address of the profile that came with a token.
// The token is going to be sent there, so it has to be where the token came from,
// or one of Salesforce's two doors, which own domains of organizations lead to.
func salesforceIdentity(tokenEndpoint, id string) (string, error) {
	from, err := webURL(tokenEndpoint)
	if err != nil {
		return "", err
	}
	to, err := webURL(id)
	if err != nil {
		return "", errors.New("the identity URL is no URL")
	}
	door := url.URL{Scheme: to.Scheme, Host: to.Host}
	same := to.Host == from.Host && (to.Scheme == "https" || to.Scheme == from.Scheme)
	if !same && door.String() != salesforceLogin && door.String() != salesforceSandbox {
		return "", errors.New("the identity URL is not where the token came from")
	}
	return to.String(), nil
}
