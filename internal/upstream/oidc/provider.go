package oidc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	jsonv2 "github.com/go-json-experiment/json"

	"mangrove/internal/connection"
	"mangrove/internal/legal"
	"mangrove/internal/upstream/fetched"
)

const (
	wellKnown    = "/.well-known/openid-configuration"
	discoveryTTL = time.Hour
)

// provider is what we need to know of an OpenID provider (OpenID Connect
// Discovery §3, RFC 9207 §3).
type provider struct {
	Issuer                string   `json:"issuer"`
	AuthorizationEndpoint string   `json:"authorization_endpoint"`
	TokenEndpoint         string   `json:"token_endpoint"`
	UserinfoEndpoint      string   `json:"userinfo_endpoint"`
	JWKSURI               string   `json:"jwks_uri"`
	PKCEMethods           []string `json:"code_challenge_methods_supported"`
	AuthMethods           []string `json:"token_endpoint_auth_methods_supported"`
	EndSessionEndpoint    string   `json:"end_session_endpoint"`
	IssParameter          bool     `json:"authorization_response_iss_parameter_supported"`
}

// provider gathers the metadata: endpoints set by hand go before the stored
// document, and that before a discovered one, which is only fetched when
// something is missing. The library's discovery is not used because it derives
// the address from the issuer; here the address is an option of its own.
func (k *Connector) provider(ctx context.Context, o *connection.OIDCOptions, back bool) (provider, error) {
	var p provider
	if len(o.Metadata) > 0 {
		var err error
		if p, err = parseProvider(o.Metadata); err != nil {
			return provider{}, errConfig.Because(fmt.Errorf("oidc_metadata: %w", err))
		}
	}
	p = overlay(p, o)
	if !p.complete(back) {
		if o.DiscoveryURL == "" {
			return provider{}, errConfig.Because(errors.New("neither endpoints nor discovery_url"))
		}
		found, err := k.discover(ctx, o.DiscoveryURL)
		if err != nil {
			return provider{}, err
		}
		if err := rightIssuer(o, found.Issuer); err != nil {
			return provider{}, errRefused.Because(err)
		}
		p = overlay(found, o)
	}
	if o.Issuer != "" && p.Issuer != o.Issuer {
		return provider{}, errRefused.Because(errors.New("issuer of oidc_metadata is not the connection's issuer: compare options.issuer"))
	}
	if err := p.check(o, back); err != nil {
		return provider{}, errConfig.Because(err)
	}
	return p, nil
}

// rightIssuer: the document must be of the issuer that the connection names.
// Where it names none, the document must lie below its own issuer (OpenID
// Connect Discovery §4.3), but for a slash at the end, which gets lost there.
func rightIssuer(o *connection.OIDCOptions, found string) error {
	if o.Issuer != "" {
		if found != o.Issuer {
			return errors.New("discovered issuer is not the connection's issuer: compare options.issuer")
		}
		return nil
	}
	found = strings.TrimSuffix(found, "/")
	base, ok := strings.CutSuffix(o.DiscoveryURL, wellKnown)
	if !ok || found == base {
		return nil
	}
	// Brokers of electronic identities have one issuer for all their addresses.
	if broker, ok := legal.WithoutACR(base); ok && found == broker {
		return nil
	}
	return errors.New("discovered issuer does not belong to discovery_url")
}

func overlay(p provider, o *connection.OIDCOptions) provider {
	p.Issuer = cmp.Or(p.Issuer, o.Issuer)
	p.AuthorizationEndpoint = cmp.Or(o.AuthorizationEndpoint, p.AuthorizationEndpoint)
	p.TokenEndpoint = cmp.Or(o.TokenEndpoint, p.TokenEndpoint)
	p.UserinfoEndpoint = cmp.Or(o.UserinfoEndpoint, p.UserinfoEndpoint)
	p.JWKSURI = cmp.Or(o.JWKSURI, p.JWKSURI)
	return p
}

func (p provider) complete(back bool) bool {
	return p.Issuer != "" && p.AuthorizationEndpoint != "" && p.JWKSURI != "" && (!back || p.TokenEndpoint != "")
}

// check refuses what is missing, and addresses that are no web addresses or
// leave https when the issuer has it.
func (p provider) check(o *connection.OIDCOptions, back bool) error {
	if !p.complete(back) {
		return errors.New("metadata lacks issuer, authorization_endpoint, token_endpoint or jwks_uri")
	}
	if o.ClientID == "" {
		return errors.New("no client_id")
	}
	secure := strings.HasPrefix(p.Issuer, "https://")
	for _, e := range []struct{ name, url string }{
		{"authorization_endpoint", p.AuthorizationEndpoint}, {"token_endpoint", p.TokenEndpoint},
		{"userinfo_endpoint", p.UserinfoEndpoint}, {"jwks_uri", p.JWKSURI}, {"end_session_endpoint", p.EndSessionEndpoint},
	} {
		if e.url == "" {
			continue
		}
		u, err := url.Parse(e.url)
		if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || (u.Scheme != "https" && (u.Scheme != "http" || secure)) {
			return fmt.Errorf("%s is not acceptable", e.name)
		}
	}
	return nil
}

// discover fetches a discovery document, at most once an hour per address.
func (k *Connector) discover(ctx context.Context, address string) (provider, error) {
	now := k.now()
	p, err := k.providers.Get(ctx, address, now, func(_ provider, age fetched.Age) bool {
		return age.At.IsZero() || now.Sub(age.At) >= discoveryTTL
	}, func(ctx context.Context) (provider, error) {
		raw, err := k.get(ctx, address, "")
		if err != nil {
			return provider{}, errUnreachable.Because(fmt.Errorf("discovery: %w", err))
		}
		p, err := parseProvider(raw)
		if err != nil {
			return provider{}, errRefused.Because(fmt.Errorf("discovery: %w", err))
		}
		return p, nil
	})
	if err != nil {
		return provider{}, waited(err)
	}
	return p, nil
}

// parseProvider reads a metadata document; doubled members are refused.
func parseProvider(raw []byte) (provider, error) {
	var p provider
	if err := jsonv2.Unmarshal(raw, &p); err != nil {
		return provider{}, errors.New("not a metadata document") // the parser's words may quote what came
	}
	return p, nil
}

// get reads a document. Errors say what failed, never what was answered.
func (k *Connector) get(ctx context.Context, address, bearer string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, errors.New("not a URL")
	}
	r.Header.Set("Accept", "application/json")
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	resp, err := k.client.Do(r)
	if err != nil {
		return nil, bare(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, bare(err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", resp.StatusCode)
	}
	return body, nil
}

// bare takes the URL away from a request's error: its query may hold a secret.
func bare(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
