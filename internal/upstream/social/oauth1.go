package social

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/dghubble/oauth1"

	"mangrove/internal/connection"
	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
	"mangrove/internal/upstream"
)

// OAuth1 is what there is to say about a provider of OAuth 1.0a (RFC 5849). Its
// Provider.Authorize and Token are the addresses where a person consents and
// where token credentials are; options.endpoints has them as authorize and token.
type OAuth1 struct {
	// Request is the address of temporary credentials; options.endpoints.request.
	Request string
	// Profile is asked for with a signed GET; empty: there is no such address.
	Profile string
	Query   url.Values
}

const requestEndpoint = "request"

// departOAuth1 asks for temporary credentials and sends the browser to consent.
// The state goes within the address to which the browser comes back, as the
// protocol has no parameter for it.
func (k *Connector) departOAuth1(ctx context.Context, p *Provider, c *connection.Connection, o strictjson.Document, s upstream.Start) (upstream.Departure, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	back, err := url.Parse(s.CallbackURL)
	if err != nil {
		return upstream.Departure{}, errConfig.Because(errors.New("the callback is not a URL"))
	}
	q := back.Query()
	q.Set("state", s.State)
	back.RawQuery = q.Encode()
	to, err := p.address(o, authorizeEndpoint, p.Authorize)
	if err != nil {
		return upstream.Departure{}, errConfig.Because(err)
	}
	cfg, trip, err := k.oauth1(ctx, p, o)
	if err != nil {
		return upstream.Departure{}, err
	}
	cfg.CallbackURL = back.String()
	token, secret, err := cfg.RequestToken()
	if err != nil {
		return upstream.Departure{}, trip.failed(requestEndpoint, err)
	}
	ask := to.Query()
	upstream.Forward(ask, c.Upstream().Params, s)
	ask.Set("oauth_token", token)
	to.RawQuery = ask.Encode()
	return upstream.Departure{URL: to.String(), Pending: upstream.Pending{Token: token, TokenSecret: secret}}, nil
}

// exchangeOAuth1 redeems the verifier (RFC 5849 §2.3). What came back must be of
// the temporary credentials that this browser left with.
func (k *Connector) exchangeOAuth1(ctx context.Context, p *Provider, a *Answers, pending upstream.Pending, got url.Values) (tokenSet, error) {
	token, verifier := got.Get("oauth_token"), got.Get("oauth_verifier")
	switch {
	case got.Has("denied"):
		return tokenSet{}, errRefused.Because(errors.New("the person refused"))
	case pending.Token == "" || subtle.ConstantTimeCompare([]byte(token), []byte(pending.Token)) != 1:
		return tokenSet{}, errRefused.Because(errors.New("oauth_token is not the one of this login"))
	case verifier == "":
		return tokenSet{}, errRefused.Because(errors.New("no oauth_verifier"))
	}
	cfg, trip, err := k.oauth1(ctx, p, a.Options)
	if err != nil {
		return tokenSet{}, err
	}
	a.ClientID, a.ClientSecret = cfg.ConsumerKey, cfg.ConsumerSecret
	access, secret, err := cfg.AccessToken(pending.Token, pending.TokenSecret, verifier)
	if err != nil {
		return tokenSet{}, trip.failed(tokenEndpoint, err)
	}
	a.AccessToken, a.TokenSecret = access, secret
	a.Token = strictjson.Document{}
	if all, err := url.ParseQuery(string(trip.answered)); err == nil {
		for name := range all {
			if v := profile.Text(all.Get(name)); name != "oauth_token" && name != "oauth_token_secret" && v != nil {
				a.Token[name] = v
			}
		}
	}
	return tokenSet{Access: access, Secret: secret}, nil
}

// fetchSigned asks for the profile of OAuth 1.
func (k *Connector) fetchSigned(ctx context.Context, p *Provider, a *Answers) error {
	to, err := p.address(a.Options, "profile", p.OAuth1.Profile)
	if err != nil {
		return errConfig.Because(err)
	}
	q := to.Query()
	for name, v := range p.OAuth1.Query {
		q[name] = v
	}
	to.RawQuery = q.Encode()
	cfg, trip, err := k.oauth1(ctx, p, a.Options)
	if err != nil {
		return err
	}
	ctx = context.WithValue(ctx, oauth1.HTTPClient, cfg.HTTPClient)
	client := cfg.Client(ctx, oauth1.NewToken(a.AccessToken, a.TokenSecret))
	// A signature is of one address: whoever redirects would get one for another.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, to.String(), nil)
	if err != nil {
		return errConfig.Because(errors.New("profile: not a URL"))
	}
	r.Header.Set("Accept", "application/json")
	resp, err := client.Do(r)
	if err != nil {
		return trip.failed("profile", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return trip.failed("profile", errors.New("status"))
	}
	return a.add(&Request{Name: "profile"}, trip.answered)
}

// oauth1 is the library's view of a connection. Its requests go out through ours.
func (k *Connector) oauth1(ctx context.Context, p *Provider, o strictjson.Document) (*oauth1.Config, *signedTrip, error) {
	request, err := p.address(o, requestEndpoint, p.OAuth1.Request)
	if err != nil {
		return nil, nil, errConfig.Because(err)
	}
	token, err := p.address(o, tokenEndpoint, p.Token)
	if err != nil {
		return nil, nil, errConfig.Because(err)
	}
	key, secret := firstText(o, "client_id", "consumerKey"), firstText(o, "client_secret", "consumerSecret")
	if key == "" {
		return nil, nil, errConfig.Because(errors.New("no client_id"))
	}
	trip := &signedTrip{ctx: ctx, next: k.client.Transport}
	client := *k.client
	client.Transport = trip
	return &oauth1.Config{
		ConsumerKey: key, ConsumerSecret: secret, Noncer: nonces{k.rand}, HTTPClient: &client,
		Endpoint: oauth1.Endpoint{RequestTokenURL: request.String(), AccessTokenURL: token.String()},
	}, trip, nil
}

func firstText(o strictjson.Document, names ...string) string {
	for _, name := range names {
		if v := o.Text(name); v != "" {
			return v
		}
	}
	return ""
}

// nonces of signed requests (RFC 5849 §3.3).
type nonces struct{ from io.Reader }

func (n nonces) Nonce() string {
	b := make([]byte, 18)
	if _, err := io.ReadFull(n.from, b); err != nil {
		return "" // a provider refuses it
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// signedTrip gives requests of the library a context, and remembers what was
// answered: the library keeps only two members of it.
type signedTrip struct {
	ctx      context.Context
	next     http.RoundTripper
	status   int
	answered []byte
}

func (t *signedTrip) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(t.ctx, cancel)()
	resp, err := t.next.RoundTrip(r.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if t.answered, err = io.ReadAll(resp.Body); err != nil {
		return nil, err
	}
	t.status = resp.StatusCode
	resp.Body = io.NopCloser(bytes.NewReader(t.answered))
	return resp, nil
}

// failed says what went wrong, without the answer that the library quotes.
func (t *signedTrip) failed(name string, err error) error {
	switch {
	case t.status == 0:
		return errUnreachable.Because(fmt.Errorf("%s: %w", name, bare(err)))
	case t.status >= 500 || t.status == http.StatusTooManyRequests:
		return errUnreachable.Because(fmt.Errorf("%s: status %d", name, t.status))
	case t.status != http.StatusOK && t.status != http.StatusCreated:
		return errRefused.Because(refusal{name, t.status})
	case strings.Contains(err.Error(), "callback_confirmed"):
		return errRefused.Because(fmt.Errorf("%s: the provider did not confirm the callback (OAuth 1.0a)", name))
	}
	return errRefused.Because(fmt.Errorf("%s: the answer holds no credentials", name))
}
