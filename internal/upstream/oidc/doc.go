// Package oidc is the connectors of the OpenID Connect family: oidc, okta,
// auth0-oidc and office365 (connector.go), waad (waad.go), google-apps
// (googleapps.go); reference/connections.md §2.4, §2.5, §2.8, §2.10, §4.4–4.6.
//
// Owns: discovery (provider.go), whose keys verify a token (keys.go), what an ID token must
// fulfil (idtoken.go), the token and userinfo requests (exchange.go), how a
// connection proves itself (proof.go), the authorization request (authorize.go),
// how claims become attributes (map.go, waadmap.go), Microsoft Graph (graph.go),
// Google's Admin Directory (googleapps.go, admintoken.go), logging out there
// (leave.go), options that are completed at a write (prepare.go).
// Does not own: what the common options mean (connection), the keys of connections
// (connection), what a login does to a profile (profile), browser state (login).
// May import: errs, profile, connection, session, strictjson, upstream, upstream/fetched,
// go-oidc, x/oauth2, go-jose, json.
package oidc
