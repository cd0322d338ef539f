package social

import "context"

// Evernote says with the token who somebody is, and no more: names and addresses
// are behind its binary API.
var (
	_ = register(evernote("evernote", "https://www.evernote.com"))
	_ = register(evernote("evernote-sandbox", "https://sandbox.evernote.com"))
)

func evernote(strategy, origin string) *Provider {
	return &Provider{
		Strategy:  strategy,
		Authorize: origin + "/OAuth.action",
		Token:     origin + "/oauth",
		OAuth1:    &OAuth1{Request: origin + "/oauth"},
		Fetch:     func(context.Context, *Connector, *Answers) error { return nil },
		Map: Mapping{
			ID:     "token:edam_userId",
			Copied: "token",
			Drop:   []string{"edam_expires"}, // other at every login
		},
	}
}
