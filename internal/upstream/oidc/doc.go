// Package oidc is the connector for the strategies oidc and okta
// (reference/connections.md §2.4, §4.4): OpenID Connect by authorization code
// (back_channel) or by ID token in a posted form (front_channel).
//
// Owns: discovery (provider.go), key sets (keys.go), what an ID token must
// fulfil (idtoken.go), the token and userinfo requests (exchange.go), the
// authorization request (authorize.go), how claims become attributes (map.go).
// Does not own: what the options mean (connection/oidcoptions.go), what a login
// does to a profile (profile), browser state (login).
// May import: errs, profile, connection, session, strictjson, upstream,
// go-oidc, x/oauth2, go-jose, json.
package oidc
