package oidc

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"

	"mangrove/internal/connection"
	"mangrove/internal/profile"
	"mangrove/internal/upstream"
	"mangrove/internal/upstream/fetched"
)

// Refusals under the names of this package.
var (
	errUnreachable = upstream.ErrUnreachable
	errRefused     = upstream.ErrRefused
	errConfig      = upstream.ErrConfig
)

// Connector speaks OpenID Connect. Discovery documents and key sets are cached
// in memory; they can be fetched again at any time.
type Connector struct {
	// Keys are for connections that prove themselves by private_key_jwt. Nil: such
	// connections are refused. Set it before the first use.
	Keys      Signer
	client    *http.Client
	now       func() time.Time
	rand      io.Reader
	providers fetched.Cache[provider]
	keySets   fetched.KeySets
	// adminTokens are of Google's Admin Directory (admintoken.go).
	adminTokens fetched.Cache[oauth2.Token]
}

var (
	_ upstream.Redirect = (*Connector)(nil)
	_ upstream.Leaver   = (*Connector)(nil)
)

// New makes a connector whose requests all go through client (package outbound).
func New(client *http.Client, now func() time.Time, rand io.Reader) *Connector {
	return &Connector{client: client, now: now, rand: rand}
}

// Callback verifies what came back and makes claims of it. Login has already
// matched state with browser and trip, and handled an error parameter.
func (k *Connector) Callback(ctx context.Context, c *connection.Connection, s upstream.Start, p upstream.Pending, got url.Values) (upstream.Result, error) {
	o := c.OIDC()
	back := backChannel(c)
	prov, err := k.provider(ctx, o, back)
	if err != nil {
		return upstream.Result{}, err
	}
	if err := prov.answered(got); err != nil {
		return upstream.Result{}, err
	}
	own := optionsOf(c)
	var tokens tokenSet
	if back {
		prove, err := k.proof(ctx, c, o, prov)
		if err != nil {
			return upstream.Result{}, err
		}
		if tokens, err = k.exchange(ctx, o, prov, prove, s, p, got.Get("code")); err != nil {
			return upstream.Result{}, err
		}
	} else {
		tokens.ID = got.Get("id_token")
	}
	id, err := k.verify(ctx, o, prov, tokens.ID, p.Nonce)
	if err != nil {
		return upstream.Result{}, err
	}
	src := source{
		tokenset: id.claims, accessToken: tokens.Access,
		connectionID: c.ID, strategy: c.Strategy,
	}
	if needsUserinfo(o.AttributeMap) && tokens.Access != "" {
		if src.userinfo, err = k.userinfo(ctx, prov, tokens.Access, id.subject); err != nil {
			return upstream.Result{}, err
		}
	}
	foreign := id.foreign(tokens.ID)
	if own.sessionExpiry {
		if foreign.Until, err = id.expiry(k.now()); err != nil {
			return upstream.Result{}, errRefused.Because(err)
		}
	}
	return upstream.Result{
		Claims: profile.Claims{
			Subject:    id.subject,
			Attributes: upstream.Vouch(attributes(o.AttributeMap, src), c.Upstream()),
			Raw:        lasting(id.claims),
		},
		Tokens:  tokens.stored(),
		Foreign: foreign,
	}, nil
}

// answered checks, by RFC 9207, whose answer it is: that has to be known before
// the code goes anywhere.
func (p provider) answered(got url.Values) error {
	if iss, sent := got.Get("iss"), got.Has("iss"); sent && iss != p.Issuer || !sent && p.IssParameter {
		return errRefused.Because(errIssParameter)
	}
	return nil
}

// backChannel reports whether the connection uses the authorization code. The
// documented default of type is front_channel; a connection that has a secret
// and no type means the flow that needs the secret.
func backChannel(c *connection.Connection) bool {
	o := c.OIDC()
	if o.Type == connection.BackChannel {
		return true
	}
	return !optionsOf(c).typed && o.ClientSecret != ""
}
