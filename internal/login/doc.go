// Package login is the browser's way from /authorize to an answer: the pages of a
// login, the trip to an upstream identity provider and back, the session.
//
//	Start ──▶ identifier, password, sign-up, one-time code, passkey ──▶ proven
//	  ├─────▶ upstream ──▶ /login/callback ──────────────────────────▶ proven
//	  └─────▶ login ticket of another page ──────────────────────────▶ proven
//	a magic link ────────────────────────────────────────────────────▶ proven
//
//	proven, or Interact with a session that is there ──▶ goOn ──▶ Respond
//	                                                     │  ▲
//	                                                     ▼  │
//	   second factor, offer of a passkey, consent, device, approval
//
// Past the first factor steps never lead to one another: each ends in next.go, the
// one place that decides what follows a proven identity, or in RespondError. Every
// page is a line of routes.go.
//
// Owns: the routes above and the pages behind them, transactions and sessions as
// they travel in cookies and state, which connections a person may choose
// (choice.go), the pages behind mailed links (ticketpages.go, magiclink.go,
// enrollticket.go), sign-in from pages of another origin (crossorigin.go, classic.go).
// Does not own: the authorization request and its answer (op), how pages look
// (page), what a provider says (upstream), who the user is (user), which second
// factor is due (factor).
// May import: errs, schema, strictjson, oauth, passwd, profile, audit, client,
// connection, consent, session, tenant, ticket, token, factor, passwordless, guard,
// device, approval, user, upstream, page, web, chi.
package login
