package upstream

import (
	"strings"

	"mangrove/internal/profile"
)

// reserved names are ours, or secrets (reference/connections.md §4.0).
var reserved = nameSet(`_id created_at updated_at user_id identities user_metadata app_metadata
	logins_count blocked blocked_for guardian_authenticators mfa_factors password password_hash
	custom_password_hash roles permissions access_token refresh_token id_token access_token_secret`)

// restricted names are claims of protocols, and names that mean power in what
// reads a profile (reference/connections.md §3.10).
var restricted = nameSet(`acr act active amr at_hash ath attest aud auth_time authorization_details azp c_hash
	client_id cnf cty dest entitlements events exp groups gty htm htu iat internalService iss jcard jku jti
	jwe jwk kid may_act mky nbf nonce object_id org_id org_name orig origid permissions roles rph s_hash sid
	sub sub_jwk toe txn typ uuid vot vtm x5t#S256`)

func nameSet(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}

// Reserved reports a name at the root of a profile that no provider may bring.
func Reserved(name string) bool {
	return name == "" || reserved[name] || name == profile.Blocked ||
		strings.HasPrefix(name, "last_") || strings.HasPrefix(name, "multifactor") || strings.HasPrefix(name, "__")
}

// Restricted reports a name that is not copied of what a provider says.
func Restricted(name string) bool { return restricted[name] || strings.HasPrefix(name, "sip_") }
