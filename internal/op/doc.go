// Package op is the OAuth 2.0 and OpenID Connect endpoints
// (reference/authentication.md §1–§4): discovery and keys, /authorize,
// /oauth/token, /oauth/revoke, /oauth/device/code, /bc-authorize, /oidc/register, /userinfo, /v2/logout, /mfa, public sign-up, and
// one-time codes (/passwordless/start, /passwordless/verify).
//
//	/authorize ─ validate (request.go) ─ decide (decide.go) ─┬─ StartLogin ─ … login … ─ Respond
//	                                                          └─ Respond: code, back to the client (respond.go)
//	/oauth/token ─ grant type ─ client (clientauth.go) ─ one of the grants (machine.go, password.go, code.go, refresh.go, device.go, approval.go)
//
// Owns: the parameters, decisions and error bodies of these endpoints, what a
// grant may have (scope.go, audience.go), CORS of the Authentication API (cors.go).
// Does not own: login pages, sessions' cookies and upstreams (login hands in
// StartLogin, Interact, Session, EndSession), when a person is asked (consent), tokens (token), matching rules (oauth), SQL
// (store), client and API documents (client, resourceserver).
//
// Not offered, and answered with an error of the protocol: organizations, request
// objects (JAR). The claims parameter is ignored.
//
// May import: rings 0 and 1, web, chi; never login, mgmt or store.
package op
