package oidc

import (
	"strings"

	"mangrove/internal/connection"
	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
	"mangrove/internal/upstream"
)

// entraNames lead from what Entra ID says to attributes. Optional claims of the
// token are not looked at (reference/connections.md §4.5). flag is the ext_…
// switch that hides the attribute; empty: nothing does.
var entraNames = []struct{ graph, token, attribute, flag string }{
	{"displayName", "name", "name", "name"},
	{"givenName", "given_name", "given_name", "given_name"},
	{"surname", "family_name", "family_name", "family_name"},
	{"mailNickname", "", "nickname", "nickname"},
	{"userPrincipalName", "upn", "upn", "upn"},
	{"", "tid", "tenantid", "tenantid"},
	{"", "oid", "oid", "oid"},
	{"id", "", "azure_id", "azure_id"},
	{"businessPhones", "", "phone", "phone"},
	{"mobilePhone", "", "mobile", "mobile"},
	{"jobTitle", "", "job_title", "job_title"},
	{"preferredLanguage", "", "preferred_language", "preferred_language"},
	{"accountEnabled", "", "account_enabled", "account_enabled"},
	{"city", "", "city", "city"},
	{"country", "", "country", "country"},
	{"department", "", "department", "department"},
	{"onPremisesSyncEnabled", "", "dir_sync_enabled", "dir_sync_enabled"},
	{"faxNumber", "", "fax", "fax"},
	{"officeLocation", "", "physical_delivery_office_name", "physical_delivery_office_name"},
	{"postalCode", "", "postal_code", "postal_code"},
	{"proxyAddresses", "", "proxy_addresses", "proxy_addresses"},
	{"state", "", "state", "state"},
	{"streetAddress", "", "street", "street"},
	{"usageLocation", "", "usage_location", "usage_location"},
}

// attributes makes the profile of token and Graph, which goes before.
func (o entraOptions) attributes(token []strictjson.Member, info graphInfo, u *connection.UpstreamOptions) []profile.Change {
	var list []profile.Change
	add := func(name, flag string, v profile.Value) {
		if v != nil && !profile.IsNull(v) && !o.hidden[flag] {
			list = append(list, profile.Change{Name: name, Value: v})
		}
	}
	for _, n := range entraNames {
		v := member(info.me, n.graph)
		if (v == nil || profile.IsNull(v)) && n.token != "" {
			v = member(token, n.token)
		}
		if n.attribute == "upn" && v == nil {
			v = member(token, "preferred_username")
		}
		add(n.attribute, n.flag, v)
	}
	if info.asked {
		add("groups", "groups", textsValue(info.groups))
		add("group_ids", "group_ids", textsValue(info.groupIDs))
	}
	email, made := entraEmail(token, info.me)
	if email != "" {
		add(profile.Email, "email", profile.Text(email))
	}
	return upstream.Vouch(list, o.trust(u, made))
}

// entraEmail is mail of Graph, or the token's e-mail, or the name by which people
// sign in where that has the form of an address; made: it is the last.
func entraEmail(token, me []strictjson.Member) (email string, made bool) {
	for _, v := range []profile.Value{member(me, "mail"), member(token, "email")} {
		if s, ok := text(v); ok && s != "" {
			return s, false
		}
	}
	for _, v := range []profile.Value{member(me, "userPrincipalName"), member(token, "upn"), member(token, "preferred_username")} {
		if s, ok := text(v); ok && strings.Contains(s, "@") && !strings.Contains(s, "#EXT#") {
			return s, true
		}
	}
	return "", false
}

// trust is how far addresses count as proven: never, unless the connection says
// so; never of the common endpoint, where any tenant's administrator can write
// any address (the nOAuth attack); never of an address that was made up of a name.
func (o entraOptions) trust(u *connection.UpstreamOptions, made bool) *connection.UpstreamOptions {
	own := *u
	if own.EmailTrust == "" || o.common || made {
		own.EmailTrust = connection.NeverTrustEmail
	}
	return &own
}
