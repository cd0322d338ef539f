package op

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"unicode/utf8"

	"mangrove/internal/client"
	"mangrove/internal/user"
)

// caller is a client that may speak at the token endpoint. proven: it showed
// its secret; otherwise it is a public one that has none.
type caller struct {
	*client.Client
	proven bool
}

// credentials are what a request says about its client.
type credentials struct {
	id, secret string
	basic      bool // from the Authorization header
}

// credentialsOf reads them from the header or the body, never from both
// (RFC 6749 §2.3). Blank in the header is a public client's empty secret.
func credentialsOf(authorization string, p map[string]string) (credentials, bool) {
	scheme, encoded, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return credentials{id: p["client_id"], secret: p["client_secret"]}, p["client_id"] != ""
	}
	c := credentials{basic: true}
	text, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	id, secret, ok := strings.Cut(string(text), ":")
	if err != nil || !ok {
		return c, false
	}
	if c.id, err = url.QueryUnescape(id); err != nil {
		return c, false
	}
	if c.secret, err = url.QueryUnescape(secret); err != nil {
		return c, false
	}
	if body := p["client_id"]; body != "" && body != c.id {
		return c, false
	}
	// No client has an id of anything but text, and no store looks for one.
	return c, c.id != "" && utf8.ValidString(c.id) && strings.IndexByte(c.id, 0) < 0 && p["client_secret"] == ""
}

// authenticate finds the client and checks what it showed. Every failure is
// errClient, or of an assertion invalid_client; the id is returned for the record
// in any case.
func (e *Endpoints) authenticate(ctx context.Context, w http.ResponseWriter, r *http.Request, p map[string]string) (caller, string, error) {
	if p["client_assertion"] != "" || p["client_assertion_type"] != "" {
		return e.authenticateByKey(ctx, w, r, p)
	}
	cred, ok := credentialsOf(r.Header.Get("Authorization"), p)
	refuse := func() (caller, string, error) {
		if cred.basic {
			w.Header().Set("WWW-Authenticate", `Basic realm="Users"`)
		}
		return caller{}, cred.id, errClient
	}
	if !ok {
		return refuse()
	}
	c, err := e.d.Clients.Client(ctx, cred.id)
	switch {
	case errors.Is(err, client.ErrNotFound):
		matches("", cred.secret) // costs what a known client's check costs
		return refuse()
	case err != nil:
		return caller{}, cred.id, err
	}
	proven, ok := admit(c, cred.secret)
	if !ok {
		return refuse()
	}
	allowOrigin(w, r, c)
	return caller{c, proven}, c.ID, nil
}

// admit decides whether a client with this secret (empty: none) may speak.
func admit(c *client.Client, secret string) (proven, ok bool) {
	s := c.Settings()
	match := matches(c.Secret, secret)
	switch {
	case c.Global, s.AuthMethod == client.AuthPrivateKeyJWT:
		return false, false
	case s.Public():
		// A secret where none belongs is a mistake that must not pass as a proof.
		return false, secret == ""
	default:
		return match, match
	}
}

// matches compares in a time that tells neither length nor common prefix. An
// empty stored secret matches nothing.
func matches(stored, shown string) bool {
	a, b := sha256.Sum256([]byte(stored)), sha256.Sum256([]byte(shown))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1 && stored != ""
}

// actor is who acts in a request of the client: auth0-forwarded-for is believed
// from clients that proved themselves and are trusted with it.
func (e *Endpoints) actor(r *http.Request, c caller) user.Actor {
	a := actorOf(r, c.ID)
	a.Language = requestLanguage(r)
	if forwarded := r.Header.Get("Auth0-Forwarded-For"); forwarded != "" && c.proven && c.Settings().IPHeaderTrusted {
		if ip, err := netip.ParseAddr(forwarded); err == nil {
			a.IP = ip.Unmap().WithZone("").String()
		}
	}
	return a
}
