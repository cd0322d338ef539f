package oidc

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/oauth2"

	"mangrove/internal/connection"
	"mangrove/internal/upstream"
)

// Depart builds the authorization request (reference/connections.md §3.9, §4.4).
func (k *Connector) Depart(ctx context.Context, c *connection.Connection, s upstream.Start) (upstream.Departure, error) {
	o := c.OIDC()
	back := backChannel(c)
	p, err := k.provider(ctx, o, back)
	if err != nil {
		return upstream.Departure{}, err
	}
	to, err := url.Parse(p.AuthorizationEndpoint)
	if err != nil {
		return upstream.Departure{}, errConfig.Because(errors.New("authorization_endpoint is not a URL"))
	}
	pending := upstream.Pending{Nonce: s.Nonce}
	q := to.Query()
	upstream.Forward(q, o.UpstreamParams, s)
	q.Set("client_id", o.ClientID)
	q.Set("redirect_uri", s.CallbackURL)
	q.Set("scope", scope(o, s.Scopes))
	q.Set("state", s.State)
	q.Set("nonce", s.Nonce)
	if !back {
		q.Set("response_type", "id_token")
		q.Set("response_mode", "form_post")
	} else {
		if _, err := k.proof(ctx, c, o, p); err != nil { // before a person has typed a password there
			return upstream.Departure{}, err
		}
		q.Set("response_type", "code")
		if pending.Verifier, err = k.challenge(q, o.PKCE, p.PKCEMethods); err != nil {
			return upstream.Departure{}, err
		}
	}
	to.RawQuery = q.Encode()
	return upstream.Departure{URL: to.String(), Pending: pending}, nil
}

// scope is the connection's scope, the mapping's and the application's
// (connection_scope), without doubles.
func scope(o *connection.OIDCOptions, asked []string) string {
	return words(strings.Fields(o.Scope), strings.Fields(o.AttributeMap.UserinfoScope), asked)
}

// words joins lists, each word once.
func words(lists ...[]string) string {
	var out []string
	for _, w := range slices.Concat(lists...) {
		if !slices.Contains(out, w) {
			out = append(out, w)
		}
	}
	return strings.Join(out, " ")
}

// challenge adds PKCE and returns the verifier; empty: without PKCE. auto uses
// S256 where the provider lists it or lists nothing: a server that does not
// know the parameter ignores it (RFC 6749 §3.1).
func (k *Connector) challenge(q url.Values, setting string, supported []string) (string, error) {
	method := setting
	if setting == "auto" {
		switch {
		case len(supported) == 0, slices.Contains(supported, "S256"):
			method = "S256"
		case slices.Contains(supported, "plain"):
			method = "plain"
		default:
			method = "disabled"
		}
	}
	if method == "disabled" {
		return "", nil
	}
	b := make([]byte, 32)
	if _, err := io.ReadFull(k.rand, b); err != nil {
		return "", fmt.Errorf("random verifier: %w", err)
	}
	verifier := base64.RawURLEncoding.EncodeToString(b)
	switch method {
	case "S256":
		q.Set("code_challenge", oauth2.S256ChallengeFromVerifier(verifier))
	case "plain":
		q.Set("code_challenge", verifier)
	default:
		return "", errConfig.Because(errors.New("unknown connection_settings.pkce"))
	}
	q.Set("code_challenge_method", method)
	return verifier, nil
}
