package social

import (
	"context"

	"mangrove/internal/strictjson"
)

// The custom connection of OAuth 1.0a.
var _ = register(&Provider{Strategy: "oauth1", Variant: customOAuth1})

func customOAuth1(o strictjson.Document) *Provider {
	p := &Provider{
		Strategy:  "oauth1",
		Authorize: o.Text("userAuthorizationURL"), Token: o.Text("accessTokenURL"), Logout: o.Text("logoutUrl"),
		OAuth1: &OAuth1{Request: o.Text("requestTokenURL")},
		Map:    plainMap,
	}
	if o.Object("scripts").Text(profileScript) != "" {
		p.Map = customMap
	}
	p.Fetch = func(ctx context.Context, k *Connector, a *Answers) error {
		if a.Options.Object("scripts").Text(profileScript) == "" {
			if err := k.fetchSigned(ctx, p, a); err != nil {
				return err
			}
			a.rename()
			return nil
		}
		// The script signs its requests itself, so it gets what that needs.
		further := map[string]any{
			"client_id": a.ClientID, "client_secret": a.ClientSecret, "requestTokenURL": a.Options.Text("requestTokenURL"),
			"accessTokenURL": a.Options.Text("accessTokenURL"), "userAuthorizationURL": a.Options.Text("userAuthorizationURL"),
		}
		if err := k.scripted(ctx, a, []any{a.AccessToken, a.TokenSecret, scriptContext(a, further)}); err != nil {
			return err
		}
		a.rename()
		return nil
	}
	return p
}
