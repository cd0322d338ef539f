package social

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"

	"mangrove/internal/connection"
	"mangrove/internal/upstream"
)

// Depart builds the authorization request (RFC 6749 §4.1.1).
func (k *Connector) Depart(ctx context.Context, c *connection.Connection, s upstream.Start) (upstream.Departure, error) {
	o := c.Document()
	p, err := provider(c, o)
	if err != nil {
		return upstream.Departure{}, err
	}
	if p.OAuth1 != nil {
		return k.departOAuth1(ctx, p, c, o, s)
	}
	common := c.Upstream()
	if common.ClientID == "" {
		return upstream.Departure{}, errConfig.Because(errors.New("no client_id"))
	}
	to, err := p.address(o, authorizeEndpoint, p.Authorize)
	if err != nil {
		return upstream.Departure{}, errConfig.Because(err)
	}
	var pending upstream.Pending
	q := to.Query()
	upstream.Forward(q, common.Params, s)
	maps.Copy(q, p.Params)
	if p.Ask != nil {
		p.Ask(o, q)
	}
	q.Set("response_type", "code")
	q.Set("client_id", common.ClientID)
	q.Set("redirect_uri", s.CallbackURL)
	if p.RedirectAs != "" {
		q.Set(p.RedirectAs, s.CallbackURL)
	}
	q.Set("state", s.State)
	if words := p.Scope.asked(o, s.Scopes); len(words) > 0 {
		q.Set("scope", strings.Join(words, cmp.Or(p.Scope.Separator, " ")))
	}
	if p.IDToken != nil && p.IDToken.Nonce {
		pending.Nonce = s.Nonce
		q.Set("nonce", s.Nonce)
	}
	if p.PKCE {
		if pending.Verifier, err = k.verifier(); err != nil {
			return upstream.Departure{}, err
		}
		sum := sha256.Sum256([]byte(pending.Verifier))
		q.Set("code_challenge", base64.RawURLEncoding.EncodeToString(sum[:]))
		q.Set("code_challenge_method", "S256")
	}
	if p.Finish != nil {
		p.Finish(o, s, q)
	}
	to.RawQuery = q.Encode()
	return upstream.Departure{URL: to.String(), Pending: pending}, nil
}

func (k *Connector) verifier() (string, error) {
	b := make([]byte, 32)
	if _, err := io.ReadFull(k.rand, b); err != nil {
		return "", fmt.Errorf("random verifier: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b), nil
}
