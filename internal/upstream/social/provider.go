package social

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"mangrove/internal/strictjson"
	"mangrove/internal/upstream"
)

// Provider is what there is to say about one strategy.
//
// In addresses, {name} stands for the option of that name: at the beginning for
// a whole http(s) URL, elsewhere for one label of a host name.
type Provider struct {
	Strategy string
	// Variant, when not nil, chooses by the options (strategy_version, protocol)
	// which Provider counts; nil: this one.
	Variant func(o strictjson.Document) *Provider

	Authorize string // address of the authorization endpoint
	Token     string // of the token endpoint
	Logout    string // where a session at the provider ends; empty: nowhere
	// LogoutReturn is the parameter of Logout that says where to go afterwards.
	LogoutReturn string
	// LogoutAt, when not nil, makes the address in place of Logout (scripts). q is
	// what a script may put into it.
	LogoutAt func(ctx context.Context, k *Connector, o strictjson.Document, q map[string]string) (string, error)
	// OAuth1, when not nil, takes the place of OAuth 2.0.
	OAuth1 *OAuth1
	// Placeholders are values of {name} where the option is not set.
	Placeholders map[string]string

	Scope Scope
	// Params are fixed parameters of the authorization request.
	Params url.Values
	// Ask adds what of the authorization request follows from the options.
	Ask  func(o strictjson.Document, q url.Values)
	PKCE bool // S256
	// RedirectAs is a second name under which the provider looks for redirect_uri.
	RedirectAs string
	// Finish changes the authorization request at last (custom connections).
	Finish func(o strictjson.Document, s upstream.Start, q url.Values)

	// Auth says how we prove to the token endpoint who we are.
	Auth Auth
	// Secret makes the client secret, when it is no option (Apple).
	Secret func(k *Connector, o strictjson.Document) (string, error)
	// TokenParams are further parameters of the token request, TokenHeader headers.
	TokenParams url.Values
	TokenHeader map[string]string
	// TokenByGET: the token request is a GET with everything in the query.
	TokenByGET bool
	// TokenIn is the member of the token answer in which the token is; empty: the root.
	TokenIn string
	// TokenTypes are accepted beside bearer; an answer without token_type always is.
	TokenTypes []string

	// IDToken, when not nil, says that an ID token comes with the access token.
	IDToken *IDToken
	// Requests for the profile, in order. None: it is in the token answer or the ID token.
	Requests []Request
	// Fix sees what was answered before it is mapped, for what is odd. It may change
	// Answers.Profile. An error refuses the login; it must hold no personal datum.
	Fix func(a *Answers) error
	// Fetch, when not nil, takes the place of Requests (scripts).
	Fetch func(ctx context.Context, k *Connector, a *Answers) error

	Map Mapping
}

// Scope is what is asked for (reference/connections.md §2.13–2.21).
type Scope struct {
	// Always is asked for, whatever the options.
	Always []string
	// Default is asked for when the options name no scope at all.
	Default []string
	// Flags are the boolean options, in the order in which the computed scope has them.
	Flags []Flag
	// Filled are the flags that are true unless they were sent.
	Filled []string
	// Separator of the words in the request; empty: a space.
	Separator string
	// Stored is the form of the computed options.scope.
	Stored Form
}

// Flag is a boolean option that stands for a scope. Empty Scope: none.
type Flag struct{ Option, Scope string }

// Form of the computed options.scope.
type Form uint8

// The forms.
const (
	NotStored  Form = iota // scope is not computed: it stays as it was sent
	Array                  // ["a","b"]
	CommaText              // "a,b"
	SpacedText             // "a b"
)

// Auth is a way of client authentication (RFC 6749 §2.3.1).
type Auth uint8

// The ways.
const (
	Post  Auth = iota // client_id and client_secret in the form
	Basic             // in the Authorization header
)

// Bearer is how an access token is shown to the profile endpoint.
type Bearer uint8

// The ways.
const (
	InHeader    Bearer = iota // Authorization: Bearer …
	InQuery                   // ?access_token=…
	OAuthHeader               // Authorization: OAuth …
	NoBearer                  // Edit does it
)

// Request is one question for the profile.
type Request struct {
	// Name is what options.endpoints calls its address; the first is "profile".
	Name   string
	URL    string
	Method string // empty: GET
	Bearer Bearer
	Query  url.Values
	Header map[string]string
	// Body is posted as JSON when it is not empty.
	Body string
	// Under is the member of the profile that the answer becomes; empty: the
	// members of the answer become members of the profile.
	Under string
	// When, when not nil, says whether to ask at all.
	When func(a *Answers) bool
	// Optional: a refusal (4xx) counts as "not said".
	Optional bool
	// Address, when not nil, makes the address of what was answered before. URL
	// is not looked at; options.endpoints still is.
	Address func(a *Answers) (string, error)
	// Edit changes the request at last.
	Edit func(a *Answers, q url.Values, h http.Header)
}

// IDToken says what an ID token must fulfil.
type IDToken struct {
	// Issuers are the accepted values of iss.
	Issuers []string
	// JWKS is the address of the keys. Empty: the signature is not looked at, as the
	// token came straight from the token endpoint (OpenID Connect Core §3.1.3.7, 6).
	JWKS string
	// Required: no ID token, no login. Otherwise its absence says nothing.
	Required bool
	// Nonce: a nonce was sent and must come back.
	Nonce bool
}

// Answers is what a provider said in one login. Nil documents were not sent.
type Answers struct {
	Options                             strictjson.Document
	ClientID, ClientSecret, AccessToken string
	TokenSecret                         string // of OAuth 1
	TokenEndpoint                       string
	// Scopes were asked for.
	Scopes []string

	Profile strictjson.Document // answers of the Requests, joined
	Token   strictjson.Document // the token answer
	IDToken strictjson.Document // claims
	Form    strictjson.Document // the callback's parameter "user" (Apple)
}

// Mapping says how Answers become attributes (reference/connections.md §4.0).
//
// A path names a member, dots lead into objects and, by number, arrays. A word
// and a colon before it name the document: token, id_token, form; without it is
// the profile. "a | b" is the first of them that says something, "a + b" the
// texts that are there with spaces between.
//
// Mapped members of the profile's first level do not appear again under their
// own names; everything else there is copied, but for names in Drop and names
// that nobody may bring (upstream.Reserved, upstream.Restricted).
type Mapping struct {
	// ID is what the provider calls the person: a text or an integer.
	ID     string
	Fields []Field
	// Verified says email_verified. Only a boolean counts.
	Verified string
	// TextProof: this provider documents to send "true" and "false" as texts.
	TextProof bool
	// Proven: an address that this provider gives is proven, though nothing says so.
	Proven bool
	// Copied is the document of which the rest is copied; empty: the profile.
	Copied string
	// Drop are members that are not copied, Keep restricted ones that are all the same.
	Drop, Keep []string
	// Once are attributes that this provider sends only once.
	Once []string
	// Unrestricted: names of upstream.Restricted are copied too (scripts).
	Unrestricted bool

	compiled *mapper
}

// Field is one mapped attribute.
type Field struct{ Name, From string }

// providers is the table of strategies. Each file of a provider adds its own.
var providers = map[string]*Provider{}

// register adds a provider to the table.
func register(p *Provider) *Provider {
	if providers[p.Strategy] != nil {
		panic(fmt.Sprintf("two providers are %s", p.Strategy))
	}
	providers[p.Strategy] = p.ready()
	return p
}

// ready compiles the mapping. Providers that are made at run time call it too.
func (p *Provider) ready() *Provider {
	p.Map.compiled = compile(&p.Map)
	return p
}

// of is the provider that counts for these options.
func (p *Provider) of(o strictjson.Document) *Provider {
	if p.Variant != nil {
		if v := p.Variant(o); v != nil {
			return v
		}
	}
	return p
}

// Find is the provider of a strategy with these options; nil: there is none.
func Find(strategy string, o strictjson.Document) *Provider {
	p := providers[strategy]
	if p == nil {
		return nil
	}
	return p.of(o)
}

// Strategies are the names in the table, sorted.
func Strategies() []string { return slices.Sorted(maps.Keys(providers)) }
