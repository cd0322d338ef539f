package social

import (
	"net/http"
	"net/url"

	"mangrove/internal/profile"
)

// Shopify. Who signs in is a shop; options.shop is the first label of its name
// below myshopify.com. Nothing says whether the address of a shop is proven.
var _ = register(&Provider{
	Strategy:  "shopify",
	Authorize: "https://{shop}.myshopify.com/admin/oauth/authorize",
	Token:     "https://{shop}.myshopify.com/admin/oauth/access_token",
	Scope:     Scope{Separator: ","},
	Requests: []Request{{
		Name: "profile", URL: "https://{shop}.myshopify.com/admin/shop.json", Bearer: NoBearer,
		Edit: func(a *Answers, _ url.Values, h http.Header) { h.Set("X-Shopify-Access-Token", a.AccessToken) },
	}},
	Fix: func(a *Answers) error {
		a.Profile = canonical(a.Profile["shop"])
		return nil
	},
	Map: Mapping{
		ID: "id",
		Fields: []Field{
			{profile.Name, "shop_owner | name"},
			{profile.Nickname, "name"},
			{profile.Email, "email"},
		},
	},
})
