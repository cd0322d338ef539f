package social

import "mangrove/internal/profile"

// NTT DOCOMO's d ACCOUNT: OpenID Connect for contract partners, who are told their
// addresses; options.endpoints may name them.
var _ = register(&Provider{
	Strategy:  "daccount",
	Authorize: "https://id.smt.docomo.ne.jp/cgi8/oidc/authorize",
	Token:     "https://conf.uw.docomo.ne.jp/token",
	Auth:      Basic,
	Scope:     Scope{Always: []string{"openid"}},
	IDToken: &IDToken{
		Issuers: []string{"https://conf.uw.docomo.ne.jp/"}, Nonce: true,
	},
	Requests: []Request{{Name: "profile", URL: "https://conf.uw.docomo.ne.jp/userinfo"}},
	Fix:      sameSubject,
	Map: Mapping{
		ID: "sub",
		Fields: []Field{
			{profile.Name, "name"},
			{profile.GivenName, "given_name"},
			{profile.FamilyName, "family_name"},
			{profile.Nickname, "nickname"},
			{profile.Picture, "picture"},
			{profile.Email, "email"},
			{"locale", "locale"},
		},
		Verified: "email_verified",
	},
})
