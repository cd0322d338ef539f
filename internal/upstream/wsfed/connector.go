package wsfed

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/beevik/etree"

	"mangrove/internal/connection"
	"mangrove/internal/replay"
	"mangrove/internal/session"
	"mangrove/internal/upstream"
	"mangrove/internal/upstream/safexml"
)

// Connector speaks WS-Federation (passive requestor profile, WS-Federation §13).
// Metadata is kept in memory; it can be read again at any time.
type Connector struct {
	client *http.Client
	memory replay.Memory
	now    func() time.Time
	trusts trusts
}

var (
	_ upstream.Redirect = (*Connector)(nil)
	_ upstream.Leaver   = (*Connector)(nil)
	_ upstream.Ender    = (*Connector)(nil)
)

// New makes a connector whose requests all go through client (package outbound).
func New(client *http.Client, memory replay.Memory, now func() time.Time) *Connector {
	return &Connector{client: client, memory: memory, now: now}
}

const (
	signIn         = "wsignin1.0"
	signOut        = "wsignout1.0"
	signOutCleanup = "wsignoutcleanup1.0"
)

// Depart sends the browser to sign in (WS-Federation §13.2.2).
func (k *Connector) Depart(ctx context.Context, c *connection.Connection, s upstream.Start) (upstream.Departure, error) {
	o, t, err := k.known(ctx, c, false)
	if err != nil {
		return upstream.Departure{}, err
	}
	to, err := endpointOf(t)
	if err != nil {
		return upstream.Departure{}, err
	}
	q := to.Query()
	upstream.Forward(q, c.Upstream().Params, s)
	q.Del("prompt") // here it is called wfresh
	if s.Params.Get("prompt") == "login" {
		q.Set("wfresh", "0")
	}
	q.Set("wa", signIn)
	q.Set("wtrealm", o.realmAt(s.CallbackURL))
	q.Set("wreply", s.CallbackURL)
	q.Set("wctx", s.State)
	to.RawQuery = q.Encode()
	return upstream.Departure{URL: to.String()}, nil
}

func (k *Connector) known(ctx context.Context, c *connection.Connection, unknownKey bool) (options, trust, error) {
	o, err := read(c)
	if err != nil {
		return options{}, trust{}, upstream.ErrConfig.Because(err)
	}
	t, err := k.trust(ctx, c, o, unknownKey)
	if err == nil && c.Strategy == "waad" && t.issuer == "" {
		err = upstream.ErrConfig.Because(errNoIssuer)
	}
	return o, t, err
}

// errNoIssuer: the keys of Entra ID sign for every tenant.
var errNoIssuer = errors.New("nothing says who issues the tokens")

func endpointOf(t trust) (*url.URL, error) {
	u, err := url.Parse(t.endpoint)
	if err != nil || !safeAddress(u) {
		return nil, upstream.ErrConfig.Because(errors.New("signInEndpoint is not an https address"))
	}
	return u, nil
}

// Callback verifies the token that came back and makes claims of it. That wctx is
// of this browser and this trip has been checked.
func (k *Connector) Callback(ctx context.Context, c *connection.Connection, s upstream.Start, _ upstream.Pending, got url.Values) (upstream.Result, error) {
	if got.Get("wa") != signIn {
		return upstream.Result{}, upstream.ErrRefused.Because(errors.New("wa is not " + signIn))
	}
	assertion, err := assertionOf([]byte(got.Get("wresult")))
	if err != nil {
		return upstream.Result{}, upstream.ErrRefused.Because(err)
	}
	o, by, err := k.known(ctx, c, false)
	if err != nil {
		return upstream.Result{}, err
	}
	signed, err := verify(assertion, &by)
	if errors.Is(err, safexml.ErrSignature) && o.metadataURL != "" { // the keys may have changed since
		if o, by, err = k.known(ctx, c, true); err != nil {
			return upstream.Result{}, err
		}
		signed, err = verify(assertion, &by)
	}
	if err != nil {
		return upstream.Result{}, upstream.ErrRefused.Because(err)
	}
	t := readToken(signed)
	if err := check(t, facts{now: k.now(), realm: o.realmAt(s.CallbackURL), issuer: by.issuer, callback: s.CallbackURL}); err != nil {
		return upstream.Result{}, upstream.ErrRefused.Because(err)
	}
	claims, err := t.Claims(trustOf(c), o.subject)
	if err != nil {
		return upstream.Result{}, err
	}
	first, err := k.memory.Seen(ctx, replay.Key(c.ID, t.id), t.expires().Add(skew).UnixMicro())
	if err != nil {
		return upstream.Result{}, err
	}
	if !first {
		return upstream.Result{}, upstream.ErrRefused.Because(errors.New("the token came before"))
	}
	return upstream.Result{Claims: claims, Foreign: session.Foreign{Name: t.NameID, Index: t.session}}, nil
}

func verify(assertion *etree.Element, t *trust) (*etree.Element, error) {
	return safexml.Verify(assertion, idAttribute(assertion), t.keysFor(assertion))
}

// Leave sends the browser to sign out (WS-Federation §13.2.4). The provider sends it
// on to wreply, if it likes to.
func (k *Connector) Leave(ctx context.Context, c *connection.Connection, _ session.Foreign, s upstream.Start) (upstream.Departure, bool, error) {
	o, t, err := k.known(ctx, c, false)
	if err != nil {
		return upstream.Departure{}, false, err
	}
	to, err := endpointOf(t)
	if err != nil {
		return upstream.Departure{}, false, err
	}
	q := to.Query()
	q.Set("wa", signOut)
	q.Set("wtrealm", o.realmAt(s.CallbackURL))
	q.Set("wreply", s.CallbackURL)
	if s.State != "" {
		q.Set("wctx", s.State)
	}
	to.RawQuery = q.Encode()
	return upstream.Departure{URL: to.String()}, true, nil
}

// Speaks reads the one message of providers, which names nobody (WS-Federation
// §13.2.4). It can be of every connection, but for those that wreply is not of.
func (k *Connector) Speaks(m upstream.SignOutMessage) func(*connection.Connection) bool {
	if m.Params.Get("wa") != signOutCleanup {
		return nil
	}
	wreply := m.Params.Get("wreply")
	return func(c *connection.Connection) bool {
		o, err := read(c)
		return err == nil && (wreply == "" || o.endpoint == "" || sameOrigin(o.endpoint, wreply))
	}
}

// sameOrigin reports whether both are safe addresses at one place.
func sameOrigin(a, b string) bool {
	x, err := url.Parse(a)
	y, err2 := url.Parse(b)
	return err == nil && err2 == nil && safeAddress(x) && safeAddress(y) && x.Scheme == y.Scheme && x.Host == y.Host
}

// ReadSignOut ends the session of the browser that brings the message, which has no
// signature, and no other's.
func (k *Connector) ReadSignOut(_ context.Context, _ *connection.Connection, m upstream.SignOutMessage) (upstream.SignOut, error) {
	return upstream.SignOut{Here: k.Speaks(m) != nil}, nil
}

// AnswerSignOut sends the browser on to wreply, if that is at the provider: it is
// no one's word.
func (k *Connector) AnswerSignOut(ctx context.Context, c *connection.Connection, m upstream.SignOutMessage, _ upstream.SignOut) (upstream.Departure, bool, error) {
	_, t, err := k.known(ctx, c, false)
	wreply := m.Params.Get("wreply")
	if err != nil || !sameOrigin(t.endpoint, wreply) {
		return upstream.Departure{}, false, err
	}
	return upstream.Departure{URL: wreply}, true, nil
}
