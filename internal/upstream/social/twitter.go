package social

import (
	"context"
	"errors"
	"net/url"
	"slices"

	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
)

// X, with its API v2. options.protocol oauth1 has the API of old (twitterOld).
var _ = register(&Provider{
	Strategy: "twitter",
	Variant: func(o strictjson.Document) *Provider {
		if o.Text("protocol") == "oauth1" {
			return twitterOld
		}
		return nil
	},
	Authorize: "https://twitter.com/i/oauth2/authorize",
	Token:     "https://api.twitter.com/2/oauth2/token",
	PKCE:      true,
	Auth:      Basic,
	Scope: Scope{
		Always: []string{"tweet.read", "users.read"},
		Flags:  []Flag{{"profile", ""}, {"tweet_read", "tweet.read"}, {"users_read", "users.read"}, {"offline_access", "offline.access"}},
		Stored: Array,
	},
	Requests: []Request{{
		Name: "profile", URL: "https://api.twitter.com/2/users/me",
		Query: url.Values{"user.fields": {"confirmed_email,description,location,profile_image_url,url,verified"}},
	}},
	Fix: func(a *Answers) error {
		if a.Profile = canonical(a.Profile["data"]); a.Profile == nil {
			return errors.New("profile: no data")
		}
		a.Profile[profile.Nickname] = a.Profile["name"]
		return nil
	},
	Map: Mapping{
		ID: "id",
		Fields: []Field{
			{profile.Name, "name"}, {profile.Nickname, "nickname"}, {profile.Picture, "profile_image_url"},
			{profile.Email, "confirmed_email"}, {"screen_name", "username"},
		},
		Proven: true, // confirmed_email is what its name says
	},
})

// ofTwitter are the members of the old API's profile that are kept; the rest
// counts tweets and followers and would change at every login.
var ofTwitter = []string{
	"id_str", "name", "email", "profile_image_url_https", "screen_name", "description", "lang", "location", "url", "time_zone", "utc_offset",
}

var twitterOld = func() *Provider {
	p := (&Provider{
		Strategy:  "twitter",
		Authorize: "https://api.twitter.com/oauth/authenticate",
		Token:     "https://api.twitter.com/oauth/access_token",
		OAuth1: &OAuth1{
			Request: "https://api.twitter.com/oauth/request_token",
			Profile: "https://api.twitter.com/1.1/account/verify_credentials.json",
			Query:   url.Values{"include_email": {"true"}, "include_entities": {"false"}, "skip_status": {"true"}},
		},
		Fix: func(a *Answers) error {
			for name := range a.Profile {
				if !slices.Contains(ofTwitter, name) {
					delete(a.Profile, name)
				}
			}
			a.Profile[profile.Nickname] = a.Profile["name"]
			return nil
		},
		Map: Mapping{
			ID: "id_str",
			Fields: []Field{
				{profile.Name, "name"}, {profile.Nickname, "nickname"}, {profile.Picture, "profile_image_url_https"}, {profile.Email, "email"},
			},
			Proven: true,
		},
	}).ready()
	p.Fetch = func(ctx context.Context, k *Connector, a *Answers) error { return k.fetchSigned(ctx, p, a) }
	return p
}()
