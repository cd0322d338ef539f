package fakeidp_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"mangrove/internal/fakeidp"
)

const redirect = "https://rp.example/cb"

// party is an independent relying party: the library, not our connector.
type party struct {
	t        *testing.T
	ctx      context.Context
	idp      *fakeidp.IdP
	provider *oidc.Provider
	config   oauth2.Config
}

func newParty(t *testing.T, o fakeidp.Options, path string) *party {
	t.Helper()
	o.Clients = []fakeidp.Client{{ID: "rp", Secret: "s%:", RedirectURIs: []string{redirect}}}
	idp := fakeidp.New(o)
	server := httptest.NewServer(idp)
	t.Cleanup(server.Close)
	idp.SetIssuer(server.URL + path)
	idp.SetPerson("u-1", map[string]any{"name": "Pia", "groups": []string{"a"}})
	idp.SetPerson("u-2", map[string]any{"name": "Bo <b>"})
	p := &party{t: t, ctx: t.Context(), idp: idp}
	var err error
	if p.provider, err = oidc.NewProvider(p.ctx, idp.Issuer()); err != nil {
		t.Fatal(err)
	}
	p.config = oauth2.Config{ClientID: "rp", ClientSecret: "s%:", RedirectURL: redirect, Endpoint: p.provider.Endpoint(), Scopes: []string{"openid"}}
	return p
}

// browse gets an address of the provider and does not follow redirects.
func (p *party) browse(to string) (*http.Response, string) {
	p.t.Helper()
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := c.Get(to)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp, string(body)
}

// authorize is what came back to the redirect URI.
func (p *party) authorize(opts ...oauth2.AuthCodeOption) url.Values {
	p.t.Helper()
	resp, body := p.browse(p.config.AuthCodeURL("st", opts...))
	to, err := resp.Location()
	if err != nil {
		p.t.Fatalf("%d %s", resp.StatusCode, body)
	}
	return to.Query()
}

func (p *party) verify(token *oauth2.Token) (*oidc.IDToken, error) {
	raw, _ := token.Extra("id_token").(string)
	return p.provider.Verifier(&oidc.Config{ClientID: "rp"}).Verify(p.ctx, raw)
}

func TestPoliteToALibrary(t *testing.T) {
	for _, alg := range []string{"", "RS256", "PS256"} {
		for _, style := range []oauth2.AuthStyle{oauth2.AuthStyleInHeader, oauth2.AuthStyleInParams} {
			p := newParty(t, fakeidp.Options{Alg: alg}, "/idp")
			p.config.Endpoint.AuthStyle = style
			p.idp.Next("u-2")
			verifier := oauth2.GenerateVerifier()
			got := p.authorize(oidc.Nonce("n"), oauth2.S256ChallengeOption(verifier))
			if got.Get("state") != "st" || got.Get("iss") != p.idp.Issuer() {
				t.Errorf("came back with %v", got)
			}
			token, err := p.config.Exchange(p.ctx, got.Get("code"), oauth2.VerifierOption(verifier))
			if err != nil {
				t.Fatal(err)
			}
			id, err := p.verify(token)
			if err != nil || id.Subject != "u-2" || id.Nonce != "n" {
				t.Fatalf("%v, %v", id, err)
			}
			info, err := p.provider.UserInfo(p.ctx, p.config.TokenSource(p.ctx, token))
			if err != nil || info.Subject != "u-2" {
				t.Errorf("%v, %v", info, err)
			}
			if _, err := p.config.Exchange(p.ctx, got.Get("code"), oauth2.VerifierOption(verifier)); err == nil {
				t.Error("a code was redeemed twice")
			}
		}
	}
}

func TestExchangeIsRefused(t *testing.T) {
	p := newParty(t, fakeidp.Options{}, "")
	challenge := oauth2.S256ChallengeOption("right-verifier-right-verifier-right-verifier")
	rows := []struct {
		name     string
		change   func(*oauth2.Config)
		verifier string
	}{
		{"wrong verifier", func(*oauth2.Config) {}, "wrong"},
		{"no verifier", func(*oauth2.Config) {}, ""},
		{"wrong secret", func(c *oauth2.Config) { c.ClientSecret = "x" }, "right-verifier-right-verifier-right-verifier"},
		{"other redirect", func(c *oauth2.Config) { c.RedirectURL += "x" }, "right-verifier-right-verifier-right-verifier"},
	}
	for _, row := range rows {
		code := p.authorize(challenge).Get("code")
		c := p.config
		row.change(&c)
		var opts []oauth2.AuthCodeOption
		if row.verifier != "" {
			opts = append(opts, oauth2.VerifierOption(row.verifier))
		}
		if _, err := c.Exchange(p.ctx, code, opts...); err == nil {
			t.Errorf("%s was accepted", row.name)
		}
	}
	code := p.authorize().Get("code")
	if _, err := p.config.Exchange(p.ctx, code, oauth2.VerifierOption("a-verifier-without-a-challenge")); err == nil {
		t.Error("a verifier without a challenge was accepted")
	}
}

func TestAuthorizeIsRefused(t *testing.T) {
	p := newParty(t, fakeidp.Options{}, "")
	for _, change := range []func(url.Values){
		func(q url.Values) { q.Set("client_id", "other") },
		func(q url.Values) { q.Set("redirect_uri", "https://evil.example/") },
	} {
		u, _ := url.Parse(p.config.AuthCodeURL("st"))
		q := u.Query()
		change(q)
		u.RawQuery = q.Encode()
		if resp, _ := p.browse(u.String()); resp.StatusCode != http.StatusBadRequest || resp.Header.Get("Location") != "" {
			t.Errorf("%v: %d", q, resp.StatusCode)
		}
	}
	p.idp.Next("nobody")
	if got := p.authorize(); got.Get("error") != "access_denied" || got.Has("code") {
		t.Errorf("a stranger got %v", got)
	}
}

func TestProfilesChange(t *testing.T) {
	p := newParty(t, fakeidp.Options{}, "")
	name := func() string {
		token, err := p.config.Exchange(p.ctx, p.authorize().Get("code"))
		if err != nil {
			t.Fatal(err)
		}
		id, err := p.verify(token)
		if err != nil {
			t.Fatal(err)
		}
		var c struct{ Name string }
		if err := id.Claims(&c); err != nil {
			t.Fatal(err)
		}
		return c.Name
	}
	if got := name(); got != "Pia" {
		t.Errorf("first %q", got)
	}
	p.idp.SetPerson("u-1", map[string]any{"name": "Pia Lind"})
	if got := name(); got != "Pia Lind" {
		t.Errorf("then %q", got)
	}
	p.idp.RotateKey()
	if got := name(); got != "Pia Lind" {
		t.Errorf("after a rotation %q", got)
	}
}

func TestInteractive(t *testing.T) {
	p := newParty(t, fakeidp.Options{Interactive: true}, "/idp")
	resp, body := p.browse(p.config.AuthCodeURL("st"))
	if resp.StatusCode != 200 || !strings.Contains(body, "Pia") || !strings.Contains(body, "Bo &lt;b&gt;") || !strings.Contains(body, "deny=1") {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	if got := p.authorize(oauth2.SetAuthURLParam("person", "u-2")); got.Get("code") == "" {
		t.Errorf("chosen: %v", got)
	}
	if got := p.authorize(oauth2.SetAuthURLParam("deny", "1")); got.Get("error") != "access_denied" || got.Get("state") != "st" {
		t.Errorf("refused: %v", got)
	}
}

// A library is fooled by none of the modes that it checks for: they are rude indeed.
func TestRudeToALibrary(t *testing.T) {
	p := newParty(t, fakeidp.Options{}, "")
	for _, mode := range []fakeidp.Mode{
		fakeidp.WrongIssuer, fakeidp.WrongAudience, fakeidp.Expired, fakeidp.NotYet, fakeidp.Unsigned,
		fakeidp.HMAC, fakeidp.OtherKey, fakeidp.ForgedKey, fakeidp.HeaderKey, fakeidp.NoIDToken,
	} {
		p.idp.Rude(mode)
		token, err := p.config.Exchange(p.ctx, p.authorize().Get("code"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.verify(token); err == nil {
			t.Errorf("mode %d was accepted", mode)
		}
		p.idp.Rude(fakeidp.Polite)
	}
}
