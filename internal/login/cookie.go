package login

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"net/http"
	"time"

	"mangrove/internal/session"
)

// SessionCookie holds the session (reference/authentication.md §0.4).
const SessionCookie = "auth0"

const (
	secretBytes = 32 // 256 bit; 43 characters
	tagBytes    = 16 // 22 characters
)

// secret makes a value that only its holder knows.
func (f *Flow) secret() (string, error) { return f.random(secretBytes) }

// tag makes the second part of the state of a trip. The whole has to fit into a
// RelayState, which is at most 80 bytes long (SAML bindings §3.4.3).
func (f *Flow) tag() (string, error) { return f.random(tagBytes) }

func (f *Flow) random(size int) (string, error) {
	b := make([]byte, size)
	if _, err := io.ReadFull(f.d.Rand, b); err != nil {
		return "", fmt.Errorf("random secret: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b), nil
}

// hash is what is stored of a secret. A fast hash will do: the secret cannot be guessed.
func hash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// wellFormed reports whether s can be a secret of ours; anything else is not
// worth a look-up.
func wellFormed(s string) bool { return encodes(s, secretBytes) }

func encodes(s string, size int) bool {
	if len(s) != base64.RawURLEncoding.EncodedLen(size) {
		return false
	}
	_, err := base64.RawURLEncoding.DecodeString(s)
	return err == nil
}

// ownCookie is the name of a cookie of this package. Over https its prefix keeps
// neighbours on the same domain from planting one.
func (f *Flow) ownCookie(name string) string {
	if f.secure {
		return "__Host-" + name
	}
	return name
}

// browserCookie binds a transaction to the browser that began it.
func (f *Flow) browserCookie() string { return f.ownCookie("mangrove_login") }

// ticketCookie binds a login ticket to the browser that got it.
func (f *Flow) ticketCookie() string { return f.ownCookie("mangrove_co") }

// trustCookie says that the browser showed a second factor not long ago.
func (f *Flow) trustCookie() string { return f.ownCookie("mangrove_mf") }

// cookieValue is the well-formed value of a cookie, or empty.
func cookieValue(r *http.Request, name string) string {
	c, err := r.Cookie(name)
	if err != nil || !wellFormed(c.Value) {
		return ""
	}
	return c.Value
}

// untilBrowserCloses is the life of a cookie without an end of its own.
const untilBrowserCloses = time.Duration(math.MaxInt64)

// setCookie sets a host-only cookie; a life of zero or less removes it.
//
// Over https it is SameSite=None: providers come back with a cross-site POST
// (form_post), and silent authentication runs in a frame of another site.
func (f *Flow) setCookie(w http.ResponseWriter, name, value string, life time.Duration) {
	c := &http.Cookie{
		Name: name, Value: value, Path: "/", HttpOnly: true,
		Secure: f.secure, SameSite: http.SameSiteLaxMode, MaxAge: int(life / time.Second),
	}
	if f.secure {
		c.SameSite = http.SameSiteNoneMode
	}
	switch {
	case life <= 0:
		c.MaxAge = -1
	case life == untilBrowserCloses:
		c.MaxAge = 0
	}
	http.SetCookie(w, c)
}

// browser is the secret of this browser; a new one is set where there is none.
// It is kept across transactions so that two tabs do not disturb each other.
func (f *Flow) browser(w http.ResponseWriter, r *http.Request) (string, error) {
	v := cookieValue(r, f.browserCookie())
	if v == "" {
		var err error
		if v, err = f.secret(); err != nil {
			return "", err
		}
	}
	f.setCookie(w, f.browserCookie(), v, session.TransactionLifetime*time.Microsecond)
	return v, nil
}
