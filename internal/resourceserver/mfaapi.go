package resourceserver

import "encoding/json"

// MFALifetime of a token for the MFA endpoints in seconds; it cannot be changed
// (reference/authentication.md §3.10).
const MFALifetime = 600

// MFAAPI is the API behind the MFA endpoints, for the address of the server
// (without a slash at its end). It is in no store: it is listed nowhere, and
// nobody may change it. Machines get no tokens for it: its scopes are about the
// factors of the one person who signed in.
func MFAAPI(publicURL string) *ResourceServer {
	return &ResourceServer{
		ID: "mfa", Identifier: publicURL + "/mfa/", Version: 1, Doc: json.RawMessage(`{
			"name":"MFA","allow_offline_access":false,"skip_consent_for_verifiable_first_party_clients":true,"signing_alg":"RS256",
			"token_lifetime":600,"token_lifetime_for_web":600,
			"scopes":[
				{"value":"enroll","description":"Enroll authenticators"},
				{"value":"read:authenticators","description":"See your authenticators"},
				{"value":"remove:authenticators","description":"Remove authenticators"}],
			"subject_type_authorization":{"user":{"policy":"allow_all"},"client":{"policy":"deny_all"}}}`),
	}
}
