package op

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"mangrove/internal/audit"
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

// originKey is where a request carries the id of the client that refused its origin.
type originKey struct{}

// withCORS adds the answer's CORS headers, and keeps a record of a page whose
// origin the client does not list.
func (e *Endpoints) withCORS(rule corsRule, h web.Handler) web.Handler {
	if rule == corsNone {
		return h
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Add("Vary", "Origin")
		o := r.Header.Get("Origin")
		if rule == corsAnyone && isOrigin(o) {
			w.Header().Set("Access-Control-Allow-Origin", o)
		}
		if rule != corsClient || !isOrigin(o) || o == strings.TrimSuffix(e.issuer, "/") {
			return h(w, r)
		}
		var refusedBy string
		err := h(w, r.WithContext(context.WithValue(r.Context(), originKey{}, &refusedBy)))
		if refusedBy != "" {
			e.recordFailure(r.Context(), audit.OriginRefused, actorOf(r, refusedBy), "Origin "+clip(o)+" is not allowed.")
		}
		return err
	}
}

// allowOrigin lets the page read the answer when its origin is the client's:
// allowed_origins, web_origins, or that of a callback (reference/authentication.md §0.5).
func allowOrigin(w http.ResponseWriter, r *http.Request, c *client.Client) {
	s, o := c.Settings(), r.Header.Get("Origin")
	if o != "" && oauth.MatchOrigin(slices.Concat(s.AllowedOrigins, s.WebOrigins, s.Callbacks), o) {
		w.Header().Set("Access-Control-Allow-Origin", o)
	} else if refusedBy, ok := r.Context().Value(originKey{}).(*string); ok {
		*refusedBy = c.ID
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
		h.Set("Access-Control-Allow-Methods", "GET, POST, DELETE")
		h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Auth0-Client, X-Request-Language")
		h.Set("Access-Control-Max-Age", "600")
	}
	w.WriteHeader(http.StatusNoContent)
}
