// Package op is the OAuth 2.0 and OpenID Connect provider and the rest of the
// Authentication API (reference/authentication.md §1–§4).
//
//	/authorize ─ parameters (request.go) ─ decide (decide.go) ─┬─ StartLogin, Interact ─ … login … ─ Respond
//	                                                            └─ Respond (respond.go): consent (agreement.go),
//	                                                               code and tokens (answer.go), back to the client (deliver.go)
//	/oauth/token ─ grant type (token.go) ─ client (clientrequest.go, clientauth.go, assertion.go) ─ one of the grants ─ tokens (issue.go)
//
// The grants: machine.go, code.go, refresh.go, password.go, otp.go, passkey.go,
// device.go, approval.go, and mfagrants.go, which go on after a second factor.
//
// Owns: the parameters, decisions and error bodies of these endpoints, with
// pushed requests (par.go), device codes (device.go), requests for approval
// (approval.go), registration (register.go), revocation (revoke.go), /userinfo,
// discovery and keys (discovery.go, certificate.go), both logouts (logout.go,
// oidclogout.go) and what clients are told of them (backchannel.go), sign-up
// (signup.go), forgotten passwords (changepassword.go), one-time codes
// (passwordless.go, passwordlessverify.go), passkeys (passkey.go) and second
// factors (mfa*.go) of applications; what a grant may have (scope.go,
// audience.go); how often the endpoints may be called (ratelimit.go), and from
// pages of which origins (cors.go).
// Does not own: pages, sessions' cookies and upstreams (login and page, whose
// functions the server hands in), when a person is asked (consent, factor), what
// is in a token (token), matching rules (oauth), SQL (store), client and API
// documents (client, resourceserver).
//
// Not offered, and answered with an error of the protocol: organizations, request
// objects (JAR). The claims parameter is ignored.
//
// May import: rings 0 and 1, web, chi, x/text/language; never login, mgmt or store.
package op
