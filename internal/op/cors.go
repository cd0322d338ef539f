package op

import (
	"net/http"
	"slices"

	"mangrove/internal/client"
	"mangrove/internal/oauth"
	"mangrove/internal/web"
)

// corsRule says which pages of other origins may read an endpoint's answers.
// Never with credentials: cookies play no part in any of these endpoints.
type corsRule uint8

const (
	corsNone   corsRule = iota
	corsAnyone          // public documents, or answers to a bearer token: any origin is reflected
	corsClient          // the client's origins; allowOrigin says so once the client is known
)

// withCORS adds the answer's CORS headers.
func withCORS(rule corsRule, h web.Handler) web.Handler {
	if rule == corsNone {
		return h
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Add("Vary", "Origin")
		if o := r.Header.Get("Origin"); rule == corsAnyone && isOrigin(o) {
			w.Header().Set("Access-Control-Allow-Origin", o)
		}
		return h(w, r)
	}
}

// allowOrigin lets the page read the answer when its origin is the client's:
// allowed_origins, web_origins, or that of a callback (reference/authentication.md §0.5).
func allowOrigin(w http.ResponseWriter, r *http.Request, s *client.Settings) {
	if o := r.Header.Get("Origin"); o != "" && oauth.MatchOrigin(slices.Concat(s.AllowedOrigins, s.WebOrigins, s.Callbacks), o) {
		w.Header().Set("Access-Control-Allow-Origin", o)
	}
}

// isOrigin reports a web origin: "null" is none, it stands for any sandboxed page.
func isOrigin(o string) bool {
	own, ok := oauth.OriginOf(o)
	return ok && own == o
}

// preflight lets the question pass: it does not name the client. Whether the
// page may read the answer is decided with the answer.
func preflight(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Add("Vary", "Origin")
	if o := r.Header.Get("Origin"); isOrigin(o) {
		h.Set("Access-Control-Allow-Origin", o)
		h.Set("Access-Control-Allow-Methods", "GET, POST")
		h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Auth0-Client, X-Request-Language")
		h.Set("Access-Control-Max-Age", "600")
	}
	w.WriteHeader(http.StatusNoContent)
}
