package login

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/session"
	"mangrove/internal/upstream"
	"mangrove/internal/web"
)

// signOutPath is where providers send their sign-out messages, and browsers back
// (reference/authentication.md §2.9).
const signOutPath = "/logout"

// maxIndexes bounds the sessions that one message names.
const maxIndexes = 1000

var errStranger = errs.New(errs.Invalid, "invalid_request", "This sign-out is of no identity provider that is known here.")

// leaving is what is kept while the browser is at the provider.
type leaving struct {
	To string `json:"to,omitzero"` // checked by op; empty: a page of ours
}

// LeaveUpstream sends the browser to end the session at the provider that s came
// from; it comes back and goes on to the address, which is checked, or stays with
// us when that is empty. false: there is no such session, or the provider cannot
// be asked now, and nothing was answered. The session here has ended before.
func (f *Flow) LeaveUpstream(w http.ResponseWriter, r *http.Request, s session.Session, to string) (bool, error) {
	ctx := r.Context()
	c, err := f.connection(ctx, s.ConnectionID)
	if c == nil || err != nil {
		return false, err
	}
	k, ok := f.d.Connectors[c.Strategy].(upstream.Leaver)
	if !ok {
		return false, nil
	}
	id, err := f.secret()
	if err != nil {
		return false, err
	}
	d, ok, err := k.Leave(ctx, c, s.Foreign, upstream.Start{State: id, CallbackURL: f.base + signOutPath})
	if err != nil {
		noteCause(r, c, err)
		f.note(r, audit.LogoutFailed, "", c, "The identity provider cannot be asked to end its session: "+errs.From(err).Text)
		return false, nil
	}
	if !ok {
		return false, nil
	}
	progress, err := json.Marshal(leaving{To: to})
	if err != nil {
		return false, fmt.Errorf("where a sign-out leads: %w", err)
	}
	browser, err := f.browser(w, r)
	if err != nil {
		return false, err
	}
	now := f.now()
	if err := f.d.Sessions.SaveTransaction(ctx, session.Transaction{
		Hash: leaveHash(id), Browser: hash(browser), Request: json.RawMessage("{}"), Progress: progress,
		CreatedAt: now, ExpiresAt: now + session.TransactionLifetime,
	}); err != nil {
		return false, err
	}
	// Not every provider brings the state back.
	f.setCookie(w, f.leaveCookie(), id, session.TransactionLifetime*time.Microsecond)
	return true, f.depart(w, r, d)
}

func (f *Flow) leaveCookie() string { return f.ownCookie("mangrove_leave") }

// leaveHash keeps the states of sign-outs apart from those of logins: neither is
// ever found as the other.
func leaveHash(id string) string { return hash("sign-out " + id) }

// signOut is GET and POST /logout.
func (f *Flow) signOut(w http.ResponseWriter, r *http.Request) error {
	got, err := answer(w, r)
	if err != nil {
		return err
	}
	web.NoStore(w)
	if asksToEnd(got) {
		return f.endedByProvider(w, r, got)
	}
	return f.left(w, r, got)
}

// asksToEnd reports whether the message asks us to end sessions. Everything else
// is a browser that comes back.
func asksToEnd(got url.Values) bool {
	return got.Get("SAMLRequest") != "" || got.Get("wa") == "wsignoutcleanup1.0"
}

// left goes on where the browser was going. What a provider says about its own
// session changes nothing: ours had ended before. Without a state of ours, of this
// browser and unused, there is nowhere to go.
func (f *Flow) left(w http.ResponseWriter, r *http.Request, got url.Values) error {
	id := stateOf(got)
	if !wellFormed(id) {
		id = cookieValue(r, f.leaveCookie())
	}
	browser := cookieValue(r, f.browserCookie())
	if id == "" || browser == "" {
		return f.SignedOut(w, r)
	}
	ctx, now := r.Context(), f.now()
	t, err := f.d.Sessions.Transaction(ctx, leaveHash(id), now)
	if err == nil && subtle.ConstantTimeCompare([]byte(t.Browser), []byte(hash(browser))) != 1 {
		err = session.ErrNone
	}
	if err == nil {
		t, err = f.d.Sessions.TakeTransaction(ctx, t.Hash, now)
	}
	if errors.Is(err, session.ErrNone) {
		return f.SignedOut(w, r)
	}
	if err != nil {
		return err
	}
	var l leaving
	if err := json.Unmarshal(t.Progress, &l); err != nil {
		return fmt.Errorf("where a sign-out leads: %w", err)
	}
	f.setCookie(w, f.leaveCookie(), "", 0)
	if l.To == "" {
		return f.SignedOut(w, r)
	}
	redirect(w, r, l.To)
	return nil
}

// endedByProvider ends the sessions that a provider names, once its message is
// proven to be its own. Refusals leave every session as it was.
func (f *Flow) endedByProvider(w http.ResponseWriter, r *http.Request, got url.Values) error {
	ctx := r.Context()
	m := upstream.SignOutMessage{Params: got, Address: f.base + signOutPath}
	if r.Method == http.MethodGet {
		m.RawQuery = r.URL.RawQuery
	}
	c, asked, err := f.sender(r, m)
	var whose session.Whose
	if err == nil {
		whose, err = f.whose(r, c, asked)
	}
	if err != nil {
		if c != nil {
			noteCause(r, c, err)
		}
		f.note(r, audit.LogoutFailed, "", c, errs.From(err).Text)
		return err
	}
	if _, err := f.d.Sessions.EndByProvider(ctx, whose, audit.Event{
		Type: audit.LogoutOK, At: f.now(), Description: "The identity provider ended the session.",
		Connection: c.Name, ConnectionID: c.ID, IP: web.ClientIP(r), UserAgent: web.UserAgent(r),
	}); err != nil {
		return err
	}
	if err := f.dropDeadCookie(w, r); err != nil {
		return err
	}
	d, ok, err := f.ender(c).AnswerSignOut(ctx, c, m, asked)
	if err != nil {
		noteCause(r, c, err) // the sessions have ended all the same
	}
	if err != nil || !ok {
		return f.SignedOut(w, r)
	}
	return f.depart(w, r, d)
}

// whose are the sessions that a proven message means.
func (f *Flow) whose(r *http.Request, c *connection.Connection, asked upstream.SignOut) (session.Whose, error) {
	switch {
	case asked.Here:
		secret := cookieValue(r, SessionCookie)
		if secret == "" {
			return session.Whose{ConnectionID: c.ID}, nil // nobody's
		}
		return session.Whose{ConnectionID: c.ID, Hash: hash(secret)}, nil
	case asked.Name == "", len(asked.Indexes) > maxIndexes:
		return session.Whose{}, upstream.ErrRefused.Because(errors.New("the sign-out names nobody, or too many sessions"))
	}
	return session.Whose{ConnectionID: c.ID, Name: asked.Name, Indexes: asked.Indexes}, nil
}

func (f *Flow) ender(c *connection.Connection) upstream.Ender {
	k, _ := f.d.Connectors[c.Strategy].(upstream.Ender)
	return k
}

// sender is the connection whose provider sent the message, and what it asks for,
// proven. Of an error the connection is the one that the message was most likely of.
func (f *Flow) sender(r *http.Request, m upstream.SignOutMessage) (*connection.Connection, upstream.SignOut, error) {
	list, err := f.senders(r, m)
	if err != nil {
		return nil, upstream.SignOut{}, err
	}
	if len(list) == 0 {
		return nil, upstream.SignOut{}, errStranger
	}
	var first error
	for _, c := range list {
		asked, err := f.ender(c).ReadSignOut(r.Context(), c, m)
		if err == nil {
			return c, asked, nil
		}
		if first == nil {
			first = err
		}
	}
	return list[0], upstream.SignOut{}, first
}

// maxSenders bounds the connections whose keys a message is tried with.
const maxSenders = 10

// senders are the connections that a message may be of: the one that the address
// names; else the one that this browser signed in by, and those that the message
// speaks of. Nothing is proven by that.
func (f *Flow) senders(r *http.Request, m upstream.SignOutMessage) ([]*connection.Connection, error) {
	ctx := r.Context()
	q, err := query(r)
	if err != nil {
		return nil, err
	}
	speaks := map[string]func(*connection.Connection) bool{}
	for strategy, k := range f.d.Connectors {
		if ender, ok := k.(upstream.Ender); ok {
			if of := ender.Speaks(m); of != nil {
				speaks[strategy] = of
			}
		}
	}
	fits := func(c *connection.Connection) bool {
		return c != nil && speaks[c.Strategy] != nil && speaks[c.Strategy](c)
	}
	if len(speaks) == 0 {
		return nil, nil
	}
	if name := q.Get("connection"); name != "" {
		c, err := f.d.Connections.ConnectionByName(ctx, name)
		if errs.KindOf(err) == errs.NotFound || err == nil && !fits(c) {
			return nil, nil
		}
		return []*connection.Connection{c}, err
	}
	var list []*connection.Connection
	s, err := f.Session(r)
	if err == nil {
		c, err := f.connection(ctx, s.ConnectionID)
		if err != nil {
			return nil, err
		}
		if fits(c) {
			list = append(list, c)
		}
	} else if !errors.Is(err, session.ErrNone) {
		return nil, err
	}
	filter, next := connection.Filter{Strategies: slices.Sorted(maps.Keys(speaks))}, connection.Page{Limit: 100}
	for {
		part, _, err := f.d.Connections.Connections(ctx, filter, next)
		if err != nil {
			return nil, err
		}
		for _, c := range part {
			if len(list) < maxSenders && fits(c) && (len(list) == 0 || list[0].ID != c.ID) {
				list = append(list, c)
			}
		}
		if len(part) < next.Limit || len(list) == maxSenders {
			return list, nil
		}
		next.After = part[len(part)-1].ID
	}
}

// dropDeadCookie takes the session's cookie back when its session has ended.
func (f *Flow) dropDeadCookie(w http.ResponseWriter, r *http.Request) error {
	secret := cookieValue(r, SessionCookie)
	if secret == "" {
		return nil
	}
	_, err := f.d.Sessions.Session(r.Context(), hash(secret), f.now())
	if errors.Is(err, session.ErrNone) {
		f.setCookie(w, SessionCookie, "", 0)
		return nil
	}
	return err
}
