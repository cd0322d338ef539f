package mgmt

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"mangrove/internal/audit"
	"mangrove/internal/client"
	"mangrove/internal/profile"
	"mangrove/internal/token"
	"mangrove/internal/user"
	"mangrove/internal/web"
)

// caller is who asks, by a verified token of a client that exists.
type caller struct {
	*token.Bearer
	// own: the token is a user's, and is good for that user alone.
	own bool
}

// has reports whether the caller has the scope. A user's own token has none but
// those of the current user, whatever it says.
func (c *caller) has(scope string) bool {
	if c.own && !strings.Contains(scope, ":current_user") {
		return false
	}
	return c.Has(scope)
}

func (c *caller) hasAny(scopes []string) bool { return slices.ContainsFunc(scopes, c.has) }

// actsOn decides whether the caller may touch the user: everybody with one of
// the scopes, itself otherwise.
func (c *caller) actsOn(id user.ID, scopes ...string) error {
	if c.hasAny(scopes) || (c.own && c.Subject == string(id)) {
		return nil
	}
	return errSubject
}

// actor is the caller for the records of the use cases.
func (c *caller) actor(r *http.Request) user.Actor {
	a := user.Actor{ClientID: c.ClientID, IP: web.ClientIP(r), UserAgent: web.UserAgent(r)}
	if c.own {
		a.UserID = c.Subject
	}
	return a
}

// event is the caller for the use cases that take a record to fill in.
func (c *caller) event(r *http.Request) audit.Event {
	a := c.actor(r)
	return audit.Event{ClientID: a.ClientID, UserID: a.UserID, IP: a.IP, UserAgent: a.UserAgent}
}

// authenticate finds the caller of a request.
func (a *api) authenticate(r *http.Request) (caller, error) {
	raw, err := bearer(r.Header["Authorization"])
	if err != nil {
		return caller{}, err
	}
	b, err := a.Tokens.VerifyFor(r.Context(), raw, a.audiences...)
	if err != nil {
		return caller{}, err
	}
	// The token outlives what it was issued for: a deleted client and a deleted or
	// blocked user are refused at once.
	if _, err := a.ClientStore.Client(r.Context(), b.ClientID); err != nil {
		if errors.Is(err, client.ErrNotFound) {
			return caller{}, errToken
		}
		return caller{}, err
	}
	c := caller{Bearer: b, own: !b.Machine()}
	if !c.own {
		return c, nil
	}
	return c, a.alive(r.Context(), user.ID(b.Subject))
}

// alive refuses a user who is gone or blocked.
func (a *api) alive(ctx context.Context, id user.ID) error {
	u, err := a.UserStore.User(ctx, id)
	if errors.Is(err, user.ErrNotFound) {
		return errToken
	}
	if err != nil {
		return err
	}
	if u.Profile.True(profile.Blocked) {
		return errToken
	}
	return nil
}

// bearer takes the token out of the Authorization header (RFC 6750 §2.1). It is
// the only place where a token is looked for.
func bearer(headers []string) (string, error) {
	switch len(headers) {
	case 0:
		return "", errNoToken
	case 1:
	default:
		return "", errHeaderForm
	}
	scheme, raw, ok := strings.Cut(headers[0], " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") || raw == "" || strings.ContainsAny(raw, " \t,") {
		return "", errHeaderForm
	}
	return raw, nil
}
