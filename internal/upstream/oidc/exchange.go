package oidc

import (
	"context"
	"errors"
	"fmt"
	"slices"

	jsonv2 "github.com/go-json-experiment/json"
	"golang.org/x/oauth2"

	"mangrove/internal/connection"
	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
	"mangrove/internal/upstream"
)

// tokenSet is what the token endpoint gave.
type tokenSet struct {
	ID, Access, Refresh string
	ExpiresIn           int64 // seconds; zero: not told
}

// stored is what is kept with the identity; nil when there is nothing. The ID
// token is not kept: its payload is, as the claims.
func (t tokenSet) stored() profile.Value {
	if t.Access == "" {
		return nil
	}
	raw, err := jsonv2.Marshal(struct {
		Access    string `json:"access_token"`
		Refresh   string `json:"refresh_token,omitzero"`
		ExpiresIn int64  `json:"expires_in,omitzero"`
	}{t.Access, t.Refresh, t.ExpiresIn})
	if err != nil {
		return nil // not UTF-8: nothing that could be shown to anybody
	}
	return profile.Value(raw)
}

// exchange redeems the code. The way of authenticating is named (proof.go), so that
// the library does not try both: a second try would find the code spent.
func (k *Connector) exchange(ctx context.Context, o *connection.OIDCOptions, p provider, by proof, s upstream.Start, pending upstream.Pending, code string) (tokenSet, error) {
	if code == "" {
		return tokenSet{}, errRefused.Because(errors.New("no code"))
	}
	cfg := oauth2.Config{
		ClientID: o.ClientID, ClientSecret: by.secret, RedirectURL: s.CallbackURL,
		Endpoint: oauth2.Endpoint{TokenURL: p.TokenEndpoint, AuthStyle: by.style},
	}
	opts := slices.Clone(by.parameters)
	if pending.Verifier != "" {
		opts = append(opts, oauth2.VerifierOption(pending.Verifier))
	}
	got, err := cfg.Exchange(context.WithValue(ctx, oauth2.HTTPClient, k.client), code, opts...)
	if err != nil {
		var answered *oauth2.RetrieveError
		if errors.As(err, &answered) {
			advice := upstream.TokenAdvice
			if by.keyed {
				advice = upstream.KeyAdvice
			}
			return tokenSet{}, errRefused.Because(fmt.Errorf("token endpoint: status %d%s", answered.Response.StatusCode, advice(answered.Response.StatusCode, answered.ErrorCode)))
		}
		return tokenSet{}, errUnreachable.Because(fmt.Errorf("token endpoint: %w", bare(err)))
	}
	id, _ := got.Extra("id_token").(string)
	return tokenSet{ID: id, Access: got.AccessToken, Refresh: got.RefreshToken, ExpiresIn: got.ExpiresIn}, nil
}

// userinfo asks for more claims. They must be of the same person (OpenID
// Connect Core §5.3.2).
func (k *Connector) userinfo(ctx context.Context, p provider, access, subject string) ([]strictjson.Member, error) {
	if p.UserinfoEndpoint == "" {
		return nil, errConfig.Because(errors.New("the mapping needs userinfo and there is no userinfo_endpoint"))
	}
	raw, err := k.get(ctx, p.UserinfoEndpoint, access)
	if err != nil {
		return nil, errUnreachable.Because(fmt.Errorf("userinfo: %w", err))
	}
	claims, err := strictjson.Object(raw)
	if err != nil {
		return nil, errRefused.Because(errors.New("userinfo: not a JSON object"))
	}
	if sub, ok := text(member(claims, "sub")); !ok || sub != subject {
		return nil, errRefused.Because(errors.New("userinfo: sub is not the ID token's"))
	}
	return claims, nil
}
