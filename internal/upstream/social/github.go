package social

import (
	"mangrove/internal/profile"
)

// GitHub. The addresses are a list of their own, and the only proof; accounts of
// applications that may not read it have at most a public address, unproven.
var _ = register(&Provider{
	Strategy:  "github",
	Authorize: "https://github.com/login/oauth/authorize",
	Token:     "https://github.com/login/oauth/access_token",
	PKCE:      true,
	Scope: Scope{
		Flags: []Flag{
			{"admin_org", "admin:org"}, {"admin_public_key", "admin:public_key"}, {"admin_repo_hook", "admin:repo_hook"},
			{"delete_repo", "delete_repo"}, {"email", "user:email"}, {"follow", "user:follow"}, {"gist", "gist"},
			{"notifications", "notifications"}, {"profile", ""}, {"public_repo", "public_repo"}, {"read_org", "read:org"},
			{"read_public_key", "read:public_key"}, {"read_repo_hook", "read:repo_hook"}, {"read_user", "read:user"},
			{"repo", "repo"}, {"repo_deployment", "repo_deployment"}, {"repo_status", "repo:status"},
			{"write_org", "write:org"}, {"write_public_key", "write:public_key"}, {"write_repo_hook", "write:repo_hook"},
		},
		Stored: Array,
	},
	Requests: []Request{
		{Name: "profile", URL: "https://api.github.com/user"},
		{Name: "emails", URL: "https://api.github.com/user/emails", Under: "emails", Optional: true},
	},
	Fix: func(a *Answers) error {
		if chosen := a.chooseEmail("emails", "email", "primary"); chosen != nil {
			a.Profile["email"], a.Profile["email_verified"] = chosen["email"], chosen["verified"]
		} else {
			delete(a.Profile, "email_verified")
		}
		return nil
	},
	Map: Mapping{
		ID: "id",
		Fields: []Field{
			{profile.Name, "name"},
			{profile.Nickname, "login"},
			{profile.Picture, "avatar_url"},
			{profile.Email, "email"},
		},
		Verified: "email_verified",
	},
})
