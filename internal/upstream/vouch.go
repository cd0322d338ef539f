package upstream

import (
	"slices"
	"strings"

	"mangrove/internal/connection"
	"mangrove/internal/profile"
)

// Vouch settles email_verified of an enterprise connection (reference/connections.md
// §4.8): the constant of should_trust_email_verified_connection where it is set;
// and whatever was said, an enterprise with domains vouches for addresses of its
// own domains only. Nothing is added about an address that is not there.
func Vouch(list []profile.Change, o *connection.UpstreamOptions) []profile.Change {
	email := ""
	for _, ch := range list {
		if ch.Name == profile.Email {
			email = profile.TextOf(ch.Value)
		}
	}
	if email == "" {
		return list
	}
	set := func(v bool) {
		list = slices.DeleteFunc(list, func(ch profile.Change) bool { return ch.Name == profile.EmailVerified })
		list = append(list, profile.Change{Name: profile.EmailVerified, Value: profile.Bool(v)})
	}
	switch o.EmailTrust {
	case connection.NeverTrustEmail:
		set(false)
	case connection.AlwaysTrustEmail:
		set(true)
	}
	said := slices.ContainsFunc(list, func(ch profile.Change) bool { return ch.Name == profile.EmailVerified })
	if said && len(o.Domains) > 0 && !o.HasDomain(email) {
		set(false)
	}
	return list
}

// ProofText makes of a text "true" or "false" the boolean, for providers that
// document to send texts (security.md 88). Everything else stays what it is.
func ProofText(v profile.Value) profile.Value {
	switch strings.ToLower(profile.TextOf(v)) {
	case "true":
		return profile.Bool(true)
	case "false":
		return profile.Bool(false)
	}
	return v
}
