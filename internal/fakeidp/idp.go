package fakeidp

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Client is an application that the provider knows: the Mangrove under test.
type Client struct {
	ID     string
	Secret string // empty: a public client, or one with keys
	// Keys, when not nil, is the client's JWKS document: it has to prove itself by
	// private_key_jwt.
	Keys         func() []byte
	RedirectURIs []string
}

// Options of an IdP.
type Options struct {
	// Issuer is the URL under which the handler is served, without a slash at the
	// end; it may have a path. It can be set later with SetIssuer.
	Issuer  string
	Clients []Client
	// Alg signs ID tokens: RS256, PS256 or ES256. Empty: ES256.
	Alg string
	// AuthMethods are told in the discovery document and are the only ones
	// accepted. Empty: client_secret_post and client_secret_basic.
	AuthMethods []string
	// PKCEMethods are told in the discovery document; nil tells none.
	PKCEMethods []string
	// Interactive: /authorize shows the people and lets the browser choose.
	// Otherwise it signs in the one that Next named.
	Interactive bool
	// Issue has the last word on the claims of an ID token, for doubles of particular
	// providers; Describe on the discovery document.
	Issue, Describe func(map[string]any)
	// Seen is told of each request before it is served, by the endpoint's name.
	Seen func(endpoint string)
	Now  func() time.Time // nil: time.Now
}

// Names of the endpoints.
const (
	Discovery = "discovery"
	JWKS      = "jwks"
	Authorize = "authorize"
	Token     = "token"
	Userinfo  = "userinfo"
	Logout    = "logout"
)

// IdP is the provider and its http.Handler. It is safe for concurrent use.
type IdP struct {
	o   Options
	key *signingKey

	mu      sync.Mutex
	issuer  string
	people  map[string]map[string]any
	next    string
	mode    Mode
	at      []string
	codes   map[string]*grant
	access  map[string]string // access token to subject
	counts  map[string]int
	clients []Client
	// assertions are the ids of client assertions that were used.
	assertions []string
}

// grant is an authorization that was given.
type grant struct {
	client, redirect, nonce, subject string
	challenge, method                string
	used                             bool
}

// New makes a polite provider that knows nobody.
func New(o Options) *IdP {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Alg == "" {
		o.Alg = "ES256"
	}
	if len(o.AuthMethods) == 0 {
		o.AuthMethods = []string{"client_secret_post", "client_secret_basic"}
	}
	return &IdP{
		o: o, key: newKey(o.Alg), issuer: strings.TrimSuffix(o.Issuer, "/"), clients: slices.Clone(o.Clients),
		people: map[string]map[string]any{}, codes: map[string]*grant{}, access: map[string]string{}, counts: map[string]int{},
	}
}

// SetIssuer says under which URL the handler is served.
func (i *IdP) SetIssuer(issuer string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.issuer = strings.TrimSuffix(issuer, "/")
}

// Register adds a client.
func (i *IdP) Register(c Client) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.clients = append(i.clients, c)
}

// SetPerson adds a person or replaces all that is said of them. A claim that is
// nil is sent as null; sub is added.
func (i *IdP) SetPerson(sub string, claims map[string]any) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.people[sub] = maps.Clone(claims)
	if i.next == "" {
		i.next = sub
	}
}

// Issue replaces Options.Issue.
func (i *IdP) Issue(fn func(map[string]any)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.o.Issue = fn
}

// Next names who signs in from now on.
func (i *IdP) Next(sub string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.next = sub
}

// RotateKey makes a new signing key under a new kid; the old one is withdrawn.
func (i *IdP) RotateKey() {
	k := newKey(i.o.Alg)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.key = k
}

// Count is how many requests an endpoint has had.
func (i *IdP) Count(endpoint string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.counts[endpoint]
}

// Issuer is the URL under which the provider is served.
func (i *IdP) Issuer() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.issuer
}

// DiscoveryURL is the address of the discovery document.
func (i *IdP) DiscoveryURL() string { return i.Issuer() + "/.well-known/openid-configuration" }

// ServeHTTP serves the endpoints below the issuer's path.
func (i *IdP) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	base := ""
	if u, err := url.Parse(i.Issuer()); err == nil {
		base = u.Path
	}
	path, ok := strings.CutPrefix(r.URL.Path, base)
	if !ok {
		http.NotFound(w, r)
		return
	}
	endpoints := map[string]struct {
		name  string
		serve http.HandlerFunc
	}{
		"/.well-known/openid-configuration": {Discovery, i.discovery},
		"/jwks":                             {JWKS, i.jwks},
		"/authorize":                        {Authorize, i.authorize},
		"/token":                            {Token, i.token},
		"/userinfo":                         {Userinfo, i.userinfo},
		"/logout":                           {Logout, i.logout},
	}
	e, ok := endpoints[path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	i.mu.Lock()
	i.counts[e.name]++
	i.mu.Unlock()
	if i.o.Seen != nil {
		i.o.Seen(e.name)
	}
	if i.misbehave(w, r, e.name) {
		return
	}
	e.serve(w, r)
}

func (i *IdP) discovery(w http.ResponseWriter, _ *http.Request) {
	issuer := i.Issuer()
	doc := map[string]any{
		"issuer":                                         issuer,
		"authorization_endpoint":                         issuer + "/authorize",
		"token_endpoint":                                 issuer + "/token",
		"userinfo_endpoint":                              issuer + "/userinfo",
		"jwks_uri":                                       issuer + "/jwks",
		"end_session_endpoint":                           issuer + "/logout",
		"response_types_supported":                       []string{"code", "id_token"},
		"response_modes_supported":                       []string{"query", "form_post"},
		"subject_types_supported":                        []string{"public"},
		"id_token_signing_alg_values_supported":          []string{i.o.Alg},
		"scopes_supported":                               []string{"openid", "profile", "email"},
		"token_endpoint_auth_methods_supported":          i.o.AuthMethods,
		"authorization_response_iss_parameter_supported": true,
	}
	if i.o.PKCEMethods != nil {
		doc["code_challenge_methods_supported"] = i.o.PKCEMethods
	}
	if i.o.Describe != nil {
		i.o.Describe(doc)
	}
	if i.is(WrongDiscoveryIssuer) {
		doc["issuer"] = "https://someone-else.example"
	}
	writeJSON(w, http.StatusOK, doc)
}

func (i *IdP) jwks(w http.ResponseWriter, _ *http.Request) {
	i.mu.Lock()
	k := i.key
	i.mu.Unlock()
	writeJSON(w, http.StatusOK, map[string]any{"keys": []any{k.public}})
}

// person is a copy of what is known of sub.
func (i *IdP) person(sub string) (map[string]any, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	claims, ok := i.people[sub]
	out := maps.Clone(claims)
	if out == nil {
		out = map[string]any{}
	}
	out["sub"] = sub
	return out, ok
}

func (i *IdP) client(id string) (Client, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, c := range i.clients {
		if c.ID == id {
			return c, true
		}
	}
	return Client{}, false
}

func random() string {
	b := make([]byte, 24)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client went away
}

func refuse(w http.ResponseWriter, status int, code, text string) {
	writeJSON(w, status, map[string]string{"error": code, "error_description": text})
}
