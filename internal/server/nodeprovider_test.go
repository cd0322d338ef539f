package server_test

import (
	"path/filepath"
	"testing"
)

// The official Node.js SDK, its AuthenticationClient and the settings around
// signing in. The steps are those of test/node-sdk/provider.mjs.

var providerSteps = []string{
	"keys.signing.next", "database.signUp", "database.changePassword", "oauth.passwordGrant", "userinfo", "oauth.refreshTokenGrant", "refreshTokens",
	"oauth.revokeRefreshToken", "oauth.clientCredentialsGrant", "oauth.pushedAuthorization", "oauth.authorizationCodeGrant",
	"passwordless.email", "passwordless.sms", "guardian", "mfa", "users.authenticationMethods", "guardian.enrollments",
	"tenants", "attackProtection", "userBlocks", "anomaly", "emails", "emailTemplates", "branding", "prompts", "keys.signing",
	"grants", "sessions", "deviceCredentials", "logs",
}

func TestNodeProvider(t *testing.T) {
	dir := nodeSDK(t)
	onBothEngines(t, func(t *testing.T, w *world) {
		e := newEmbedded(t, w)
		driveNode(t, w, filepath.Join(dir, "provider.mjs"), providerSteps, func(what string) string {
			if what == "sms" {
				return sixDigits.FindString(<-e.texts)
			}
			return e.mailed("kim@example.com")
		}, "APP_ID="+e.client.GetClientID(), "APP_SECRET="+e.client.GetClientSecret())
	})
}
