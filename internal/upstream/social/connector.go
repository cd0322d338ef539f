package social

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"mangrove/internal/connection"
	"mangrove/internal/script"
	"mangrove/internal/session"
	"mangrove/internal/strictjson"
	"mangrove/internal/upstream"
	"mangrove/internal/upstream/fetched"
)

// Refusals under the names of this package.
var (
	errUnreachable = upstream.ErrUnreachable
	errRefused     = upstream.ErrRefused
	errConfig      = upstream.ErrConfig
)

var errNotWeb = errors.New("not an http or https URL")

// callTime bounds all requests of one login together.
const callTime = 20 * time.Second

// maxForm is the length of the callback's parameter user, in bytes.
const maxForm = 64 << 10

// Connector speaks all strategies of the table.
type Connector struct {
	client  *http.Client
	now     func() time.Time
	rand    io.Reader
	scripts *script.Engine
	keySets fetched.KeySets
	secrets secrets
}

var (
	_ upstream.Redirect = (*Connector)(nil)
	_ upstream.Leaver   = (*Connector)(nil)
)

// New makes a connector whose requests all go through client (package outbound); scripts
// runs those of its connections.
func New(client *http.Client, scripts *script.Engine, now func() time.Time, rand io.Reader) *Connector {
	return &Connector{client: client, now: now, rand: rand, scripts: scripts}
}

// Connectors has the connector once for each strategy of the table.
func (k *Connector) Connectors() map[string]upstream.Connector {
	m := map[string]upstream.Connector{}
	for name := range providers {
		m[name] = k
	}
	return m
}

// Callback redeems the code, asks for the profile and maps it. Login has already
// matched state with browser and trip, and handled an error parameter.
func (k *Connector) Callback(ctx context.Context, c *connection.Connection, s upstream.Start, p upstream.Pending, got url.Values) (upstream.Result, error) {
	o := c.Document()
	prov, err := provider(c, o)
	if err != nil {
		return upstream.Result{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	a := &Answers{
		Options: o, ClientID: c.Upstream().ClientID, ClientSecret: c.Upstream().ClientSecret,
		Scopes: prov.Scope.asked(o, s.Scopes), Form: formOf(got.Get("user")),
	}
	var tokens tokenSet
	if prov.OAuth1 != nil {
		tokens, err = k.exchangeOAuth1(ctx, prov, a, p, got)
	} else {
		tokens, err = k.exchange(ctx, prov, a, s, p, got.Get("code"))
	}
	if err != nil {
		return upstream.Result{}, err
	}
	if err := k.readIDToken(ctx, prov, a, p.Nonce); err != nil {
		return upstream.Result{}, err
	}
	if err := k.fetch(ctx, prov, a); err != nil {
		return upstream.Result{}, err
	}
	received := a.document(prov.Map.Copied).Encode()
	if prov.Fix != nil {
		if err := prov.Fix(a); err != nil {
			return upstream.Result{}, errRefused.Because(err)
		}
	}
	claims, ok := prov.Map.claims(a)
	if !ok {
		return upstream.Result{}, errRefused.Because(errors.New("the profile names nobody: it has no id; a script has to return user_id"))
	}
	claims.Raw = received
	r := upstream.Result{Claims: claims, Tokens: tokens.stored()}
	if prov.Logout != "" || prov.LogoutAt != nil {
		r.Foreign = session.Foreign{Name: claims.Subject, IDToken: a.Token.Text("id_token")}
	}
	return r, nil
}

// provider is that of the connection.
func provider(c *connection.Connection, o strictjson.Document) (*Provider, error) {
	if p := Find(c.Strategy, o); p != nil {
		return p, nil
	}
	return nil, errConfig.Because(fmt.Errorf("no provider for the strategy %s", c.Strategy))
}

// formOf reads the parameter that Apple posts with the code; what is no object
// was not sent.
func formOf(s string) strictjson.Document {
	if s == "" || len(s) > maxForm {
		return nil
	}
	members, err := strictjson.Object([]byte(s))
	if err != nil {
		return nil
	}
	return strictjson.NewDocument(members)
}

// Leave sends the browser to where the provider ends its session.
func (k *Connector) Leave(ctx context.Context, c *connection.Connection, f session.Foreign, s upstream.Start) (upstream.Departure, bool, error) {
	o := c.Document()
	p, err := provider(c, o)
	if err != nil || p.Logout == "" && p.LogoutAt == nil || f == (session.Foreign{}) {
		return upstream.Departure{}, false, err
	}
	at := p.Logout
	if p.LogoutAt != nil {
		at, err = p.LogoutAt(ctx, k, o, map[string]string{"returnTo": s.CallbackURL, "state": s.State, "id_token_hint": f.IDToken})
		if err != nil || at == "" {
			return upstream.Departure{}, false, err
		}
	}
	to, err := p.address(o, logoutEndpoint, at)
	if err != nil {
		return upstream.Departure{}, false, errConfig.Because(err)
	}
	q := to.Query()
	if p.LogoutReturn != "" {
		q.Set(p.LogoutReturn, s.CallbackURL)
	}
	to.RawQuery = q.Encode()
	return upstream.Departure{URL: to.String()}, true, nil
}
