package op

import (
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"mangrove/internal/audit"
	"mangrove/internal/client"
	"mangrove/internal/connection"
	"mangrove/internal/grant"
	"mangrove/internal/key"
	"mangrove/internal/oauth"
	"mangrove/internal/resourceserver"
	"mangrove/internal/session"
	"mangrove/internal/token"
	"mangrove/internal/user"
	"mangrove/internal/web"
)

// CodeLifetime of an authorization code (security.md 53).
const CodeLifetime = time.Minute

// opaqueLifetime of a /userinfo token in seconds (reference/authentication.md §3.2).
const opaqueLifetime = 86400

// Deps is what the endpoints need. All but the last two are required.
type Deps struct {
	PublicURL       string // no trailing slash; the issuer is PublicURL + "/"
	Clients         client.Store
	Grants          grant.Store
	ResourceServers resourceserver.Store
	Connections     connection.Store
	Users           *user.Service
	UserStore       user.Store
	Tokens          token.Store
	Keys            *key.Ring
	Audit           audit.Sink
	Now             func() time.Time

	// LogoutURLs is the tenant's allowed_logout_urls, for /v2/logout without client_id.
	LogoutURLs []string
	// Verifier may be shared with other surfaces, for its cache. Nil: one of its own.
	Verifier *token.Verifier
}

// Endpoints serves the protocol. The function fields are set by the server
// before the first request; the zero ones are safe: nobody is signed in, and a
// login cannot start.
type Endpoints struct {
	// StartLogin sends the browser to the login page of the request.
	StartLogin func(w http.ResponseWriter, r *http.Request, req oauth.AuthorizeRequest) error
	// Session is the browser's session; session.ErrNone when it has none.
	Session func(r *http.Request) (session.Session, error)
	// EndSession ends it and takes its cookies back; no session is no error.
	EndSession func(w http.ResponseWriter, r *http.Request) error
	// ErrorPage shows a failure to a person whose browser cannot be sent on.
	ErrorPage func(w http.ResponseWriter, r *http.Request, status int, title, text string)

	d        Deps
	issuer   string
	mint     token.Issuer
	verifier *token.Verifier
	grants   map[string]grantType
}

// New makes the endpoints.
func New(d Deps) *Endpoints {
	issuer := d.PublicURL + "/"
	e := &Endpoints{
		d:        d,
		issuer:   issuer,
		mint:     token.Issuer{Keys: d.Keys, URL: issuer, Now: d.Now},
		verifier: d.Verifier,
		StartLogin: func(http.ResponseWriter, *http.Request, oauth.AuthorizeRequest) error {
			return &oauth.AuthorizeError{Code: "temporarily_unavailable", Description: "Signing in is not available."}
		},
		Session:    func(*http.Request) (session.Session, error) { return session.Session{}, session.ErrNone },
		EndSession: func(http.ResponseWriter, *http.Request) error { return nil },
		ErrorPage: func(w http.ResponseWriter, _ *http.Request, status int, title, text string) {
			http.Error(w, title+"\n\n"+text, status)
		},
	}
	if e.verifier == nil {
		e.verifier = token.NewVerifier(d.Keys, issuer, d.Now)
	}
	e.grants = map[string]grantType{
		clientCredentials: {audit.ClientGrantOK, audit.ClientGrantNo, e.clientCredentials},
		authorizationCode: {audit.CodeExchangeOK, audit.CodeExchangeNo, e.authorizationCode},
		passwordRealm:     {audit.PasswordGrantOK, audit.PasswordGrantNo, e.passwordRealm},
		password:          {audit.PasswordGrantOK, audit.PasswordGrantNo, e.password},
	}
	return e
}

// Issuer is the URL in iss, with its trailing slash.
func (e *Endpoints) Issuer() string { return e.issuer }

// ManagementAudience is the identifier of the Management API.
func (e *Endpoints) ManagementAudience() string { return e.issuer + "api/v2/" }

func (e *Endpoints) userinfoAudience() string { return e.issuer + "userinfo" }

// Mount adds the routes.
func (e *Endpoints) Mount(r chi.Router) {
	for _, route := range []struct {
		path    string
		methods []string
		handle  web.Handler
		render  func(w http.ResponseWriter, r *http.Request, err error)
		cors    corsRule
	}{
		{"/.well-known/openid-configuration", []string{"GET"}, e.discovery, renderOAuth, corsAnyone},
		{"/.well-known/oauth-authorization-server", []string{"GET"}, e.discovery, renderOAuth, corsAnyone},
		{"/.well-known/jwks.json", []string{"GET"}, e.jwks, renderOAuth, corsAnyone},
		{"/authorize", []string{"GET", "POST"}, e.authorize, e.renderPage, corsNone},
		{"/oauth/token", []string{"POST"}, e.token, renderOAuth, corsClient},
		{"/userinfo", []string{"GET", "POST"}, e.userinfo, renderUserinfo, corsAnyone},
		{"/v2/logout", []string{"GET"}, e.logout, e.renderPage, corsNone},
		{"/dbconnections/signup", []string{"POST"}, e.signup, renderLegacy, corsClient},
	} {
		for _, method := range route.methods {
			r.Method(method, route.path, web.Serve(withCORS(route.cors, route.handle), route.render))
		}
		if route.cors != corsNone {
			r.Method("OPTIONS", route.path, http.HandlerFunc(preflight))
		}
	}
}
