package social

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"

	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
	"mangrove/internal/upstream"
)

// agent is how we name ourselves: some providers refuse requests without a name.
const agent = "Mangrove"

// anyType in TokenTypes: what a token is good for is a script's to know.
const anyType = "*"

// tokenSet is what is kept with the identity.
type tokenSet struct {
	Access    string `json:"access_token"`
	Refresh   string `json:"refresh_token,omitzero"`
	ExpiresIn int64  `json:"expires_in,omitzero"` // seconds
	// Secret belongs to an access token of OAuth 1.
	Secret string `json:"access_token_secret,omitzero"`
}

func (t tokenSet) stored() profile.Value {
	if t.Access == "" {
		return nil
	}
	raw, err := jsonv2.Marshal(t)
	if err != nil {
		return nil // not UTF-8: nothing that could be shown to anybody
	}
	return profile.Value(raw)
}

// exchange redeems the code (RFC 6749 §4.1.3).
func (k *Connector) exchange(ctx context.Context, p *Provider, a *Answers, s upstream.Start, pending upstream.Pending, code string) (tokenSet, error) {
	if code == "" {
		return tokenSet{}, errRefused.Because(errors.New("no code"))
	}
	to, err := p.address(a.Options, tokenEndpoint, p.Token)
	if err != nil {
		return tokenSet{}, errConfig.Because(err)
	}
	a.TokenEndpoint = to.String()
	secret := a.ClientSecret
	if p.Secret != nil {
		if secret, err = p.Secret(k, a.Options); err != nil {
			return tokenSet{}, errConfig.Because(err)
		}
	}
	form := maps.Clone(p.TokenParams)
	if form == nil {
		form = url.Values{}
	}
	form.Set("grant_type", "authorization_code")
	form.Set("code", code)
	form.Set("redirect_uri", s.CallbackURL)
	if p.RedirectAs != "" {
		form.Set(p.RedirectAs, s.CallbackURL)
	}
	if pending.Verifier != "" {
		form.Set("code_verifier", pending.Verifier)
	}
	header := http.Header{}
	if p.Auth == Basic {
		// RFC 6749 §2.3.1: both are form-encoded first.
		r := http.Request{Header: header}
		r.SetBasicAuth(url.QueryEscape(a.ClientID), url.QueryEscape(secret))
	} else {
		form.Set("client_id", a.ClientID)
		if secret != "" { // a public client has none (RFC 6749 §2.1)
			form.Set("client_secret", secret)
		}
	}
	method, body := http.MethodPost, form.Encode()
	if p.TokenByGET {
		q := to.Query()
		maps.Copy(q, form)
		to.RawQuery = q.Encode()
		method, body = http.MethodGet, ""
	} else {
		header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, v := range p.TokenHeader {
		header.Set(name, v)
	}
	answer, err := k.ask(ctx, tokenEndpoint, method, to, header, body)
	if err != nil {
		return tokenSet{}, err
	}
	if a.Token, err = readToken(answer); err != nil {
		return tokenSet{}, errRefused.Because(err)
	}
	if p.TokenIn != "" {
		a.Token = canonical(a.Token[p.TokenIn])
	}
	t, err := p.tokens(a.Token)
	if err != nil {
		return tokenSet{}, errRefused.Because(err)
	}
	a.AccessToken = t.Access
	return t, nil
}

// readToken reads the token answer: JSON, or a form where the provider is older
// than the standard.
func readToken(w answer) (strictjson.Document, error) {
	if kind, _, _ := mime.ParseMediaType(w.kind); kind == "application/x-www-form-urlencoded" || kind == "text/plain" {
		if v, err := url.ParseQuery(string(w.body)); err == nil && v.Has("access_token") {
			d := strictjson.Document{}
			for name := range v {
				d[name] = profile.Text(v.Get(name))
			}
			return d, nil
		}
	}
	members, err := strictjson.Object(w.body)
	if err != nil {
		return nil, errors.New("token: the answer is not a JSON object")
	}
	return strictjson.NewDocument(members), nil
}

// tokens takes the tokens out of the answer (RFC 6749 §5.1). Providers send
// expires_in as number and as text; GitHub sends its errors with status 200.
func (p *Provider) tokens(d strictjson.Document) (tokenSet, error) {
	t := tokenSet{Access: d.Text("access_token"), Refresh: d.Text("refresh_token")}
	if t.Access == "" {
		if d.Has("error") {
			return tokenSet{}, fmt.Errorf("token: the provider answered with an error%s", upstream.TokenAdvice(http.StatusOK, d.Text("error")))
		}
		return tokenSet{}, errors.New("token: no access_token")
	}
	// RFC 6749 §7.1: a token of a type that is not understood must not be used.
	if kind := d.Text("token_type"); d.Has("token_type") && !strings.EqualFold(kind, "bearer") && !slices.Contains(p.TokenTypes, anyType) &&
		!slices.ContainsFunc(p.TokenTypes, func(s string) bool { return strings.EqualFold(s, kind) }) {
		return tokenSet{}, errors.New("token: token_type is not bearer")
	}
	if strings.ContainsFunc(t.Access, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return tokenSet{}, errors.New("token: access_token is not a token")
	}
	if n, ok := d.Number("expires_in"); ok && n > 0 {
		t.ExpiresIn = int64(n)
	} else if n, err := strconv.ParseInt(d.Text("expires_in"), 10, 32); err == nil && n > 0 {
		t.ExpiresIn = n
	}
	return t, nil
}

// fetch asks for the profile.
func (k *Connector) fetch(ctx context.Context, p *Provider, a *Answers) error {
	a.Profile = strictjson.Document{}
	if p.Fetch != nil {
		return p.Fetch(ctx, k, a)
	}
	for i := range p.Requests {
		if err := k.request(ctx, p, &p.Requests[i], a); err != nil {
			return err
		}
	}
	return nil
}

func (k *Connector) request(ctx context.Context, p *Provider, r *Request, a *Answers) error {
	if r.When != nil && !r.When(a) {
		return nil
	}
	own := r.URL
	if r.Address != nil && a.Options.Object("endpoints").Text(r.Name) == "" {
		var err error
		if own, err = r.Address(a); err != nil {
			return errRefused.Because(fmt.Errorf("%s: %w", r.Name, err))
		}
	}
	to, err := p.address(a.Options, r.Name, own)
	if err != nil {
		return errConfig.Because(err)
	}
	q, header := to.Query(), http.Header{}
	maps.Copy(q, r.Query)
	for name, v := range r.Header {
		header.Set(name, v)
	}
	switch r.Bearer {
	case InHeader:
		header.Set("Authorization", "Bearer "+a.AccessToken)
	case OAuthHeader:
		header.Set("Authorization", "OAuth "+a.AccessToken)
	case InQuery:
		q.Set("access_token", a.AccessToken)
	}
	if r.Body != "" {
		header.Set("Content-Type", "application/json")
	}
	if r.Edit != nil {
		r.Edit(a, q, header)
	}
	to.RawQuery = q.Encode()
	got, err := k.ask(ctx, r.Name, cmp.Or(r.Method, http.MethodGet), to, header, r.Body)
	var refused refusal
	if errors.As(err, &refused) && r.Optional {
		return nil
	}
	if err != nil {
		return err
	}
	return a.add(r, got.body)
}

// add puts an answer where its request says.
func (a *Answers) add(r *Request, body []byte) error {
	if r.Under != "" {
		v, err := strictjson.Compact(body)
		if err != nil {
			return errRefused.Because(fmt.Errorf("%s: the answer is not JSON", r.Name))
		}
		a.Profile[r.Under] = v
		return nil
	}
	members, err := strictjson.Object(body)
	if err != nil {
		return errRefused.Because(fmt.Errorf("%s: the answer is not a JSON object", r.Name))
	}
	maps.Copy(a.Profile, strictjson.NewDocument(members))
	return nil
}

type answer struct {
	kind string // Content-Type
	body []byte
}

// refusal is an answer with status 4xx.
type refusal struct {
	name   string
	status int
}

func (r refusal) Error() string {
	advice := ""
	if r.name == tokenEndpoint {
		advice = upstream.TokenAdvice(r.status, "")
	}
	return fmt.Sprintf("%s: status %d%s", r.name, r.status, advice)
}

// ask makes one request. Errors say what failed, never what was answered, and
// hold no URL: its query may hold a token.
func (k *Connector) ask(ctx context.Context, name, method string, to *url.URL, header http.Header, body string) (answer, error) {
	var content io.Reader
	if body != "" {
		content = bytes.NewReader([]byte(body))
	}
	r, err := http.NewRequestWithContext(ctx, method, to.String(), content)
	if err != nil {
		return answer{}, errConfig.Because(fmt.Errorf("%s: not a URL", name))
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", agent)
	for name, v := range header {
		r.Header[name] = v
	}
	resp, err := k.client.Do(r)
	if err != nil {
		return answer{}, errUnreachable.Because(fmt.Errorf("%s: %w", name, bare(err)))
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return answer{}, errUnreachable.Because(fmt.Errorf("%s: %w", name, bare(err)))
	case resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests:
		return answer{}, errUnreachable.Because(fmt.Errorf("%s: status %d", name, resp.StatusCode))
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return answer{}, errRefused.Because(refusal{name, resp.StatusCode})
	}
	return answer{kind: resp.Header.Get("Content-Type"), body: got}, nil
}

// bare takes the URL away from a request's error.
func bare(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// canonical is the object v as a Document; nil for everything else.
func canonical(v profile.Value) strictjson.Document {
	members, err := strictjson.Object(v)
	if err != nil {
		return nil
	}
	return strictjson.NewDocument(members)
}
