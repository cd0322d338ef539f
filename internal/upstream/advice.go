package upstream

import "net/http"

// KeyAdvice is TokenAdvice for a connection that proves itself by a key of its own.
func KeyAdvice(status int, code string) string {
	if code == "invalid_client" || code == "" && status == http.StatusUnauthorized {
		return ": invalid_client: compare client_id, and see that the provider has the connection's current key: /oauth/connection/<name>/.well-known/jwks.json"
	}
	return TokenAdvice(status, code)
}

// TokenAdvice continues the cause of a refusal by a token endpoint with what the
// operator should look at; empty: nothing is known. Of the provider's words only codes
// that are known are repeated (RFC 6749 §5.2, and GitHub's own).
func TokenAdvice(status int, code string) string {
	switch code {
	case "invalid_client", "unauthorized_client", "incorrect_client_credentials":
		return ": " + code + ": compare client_id and client_secret with the provider's, where a secret may have expired"
	case "invalid_grant", "redirect_uri_mismatch", "bad_verification_code":
		return ": " + code + ": the code was spent or is too old, or the provider knows another redirect address"
	case "invalid_request", "unsupported_grant_type", "invalid_scope":
		return ": " + code
	}
	if status == http.StatusUnauthorized {
		return ": compare client_id and client_secret with the provider's, where a secret may have expired"
	}
	return ""
}
