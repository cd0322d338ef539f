package op

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/go-chi/chi/v5"

	"mangrove/internal/approval"
	"mangrove/internal/audit"
	"mangrove/internal/client"
	"mangrove/internal/connection"
	"mangrove/internal/consent"
	"mangrove/internal/device"
	"mangrove/internal/factor"
	"mangrove/internal/grant"
	"mangrove/internal/key"
	"mangrove/internal/oauth"
	"mangrove/internal/pushed"
	"mangrove/internal/refresh"
	"mangrove/internal/resourceserver"
	"mangrove/internal/role"
	"mangrove/internal/session"
	"mangrove/internal/tenant"
	"mangrove/internal/token"
	"mangrove/internal/user"
	"mangrove/internal/web"
)

// CodeLifetime of an authorization code (security.md 53).
const CodeLifetime = time.Minute

// Deps is what the endpoints need. All but the last are required.
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
	Tenant          tenant.Reader
	Refresh         refresh.Store
	Devices         device.Store
	Approvals       approval.Store
	Throttle        Throttle
	Registrar       Registrar
	Permissions     Permissions
	Consents        consent.Store
	Pushed          pushed.Store
	// Outbound sends logout tokens; nil: they wait.
	Outbound     *http.Client
	Credentials  client.CredentialStore
	Passwordless Passwordless
	Resets       Resets
	// ConnectionKeys are published for upstream providers. Nil: there are none.
	ConnectionKeys *connection.KeyService

	// MailsReady reports whether mails can be sent. Nil: they can.
	MailsReady func() bool
	// Factors are second factors. Nil: nobody is ever asked for one.
	Factors *factor.Service
	// RateLimit bounds how often the endpoints are called. The zero value does not.
	RateLimit RateLimit
	// Verifier may be shared with other surfaces, for its cache. Nil: one of its own.
	Verifier *token.Verifier
}

// Permissions tells what users may do: those that they have directly, and their
// roles with theirs (role.Store).
type Permissions interface {
	UserPermissions(ctx context.Context, userID string) ([]role.Permission, []role.Granted, error)
}

// Endpoints serves the protocol. The function fields are set by the server
// before the first request; the zero ones are safe: nobody is signed in, and a
// login cannot start.
type Endpoints struct {
	// StartLogin sends the browser to the login page of the request.
	StartLogin func(w http.ResponseWriter, r *http.Request, req oauth.AuthorizeRequest) error
	// Interact sends a browser that is signed in to what is missing: a second
	// factor, a consent.
	Interact func(w http.ResponseWriter, r *http.Request, req oauth.AuthorizeRequest, s session.Session) error
	// MFADue reports whether the request needs a second factor that the session has
	// not shown.
	MFADue func(ctx context.Context, u *user.User, c *client.Client, req oauth.AuthorizeRequest, s session.Session) (bool, error)
	// SessionClient notes that the client was answered with the session.
	SessionClient func(ctx context.Context, s session.Session, clientID string) error
	// Session is the browser's session; session.ErrNone when it has none.
	Session func(r *http.Request) (session.Session, error)
	// EndSession ends it and takes its cookies back; no session is no error.
	EndSession func(w http.ResponseWriter, r *http.Request) error
	// Browser is the hash of the cookie by which a login knows the browser again;
	// empty: it has none.
	Browser func(r *http.Request) string
	// SignedOut ends the session on the server, with its record, and tells the
	// clients that were answered with it.
	SignedOut func(ctx context.Context, s session.Session, e audit.Event) error
	// ConfirmLogout asks the person to press a button, whose form brings the fields
	// to ConfirmedLogout.
	ConfirmLogout func(w http.ResponseWriter, r *http.Request, fields []Parameter) error
	// Directory signs in by name and password at a directory elsewhere, and records
	// what comes of it. Nil: there are none.
	Directory func(ctx context.Context, c *connection.Connection, name, password string, a user.Actor) (*user.User, error)
	// LeaveUpstream sends the browser to end the session at the provider as well,
	// and from there to the address; false: there is none to end, and nothing was
	// answered.
	LeaveUpstream func(w http.ResponseWriter, r *http.Request, s session.Session, to string) (bool, error)
	// SignedOutPage says that the person is signed out.
	SignedOutPage func(w http.ResponseWriter, r *http.Request) error
	// Message is the page that posts the answer to the window that opened or frames
	// it, if that is of the origin (reference/authentication.md §2.7).
	Message func(w http.ResponseWriter, r *http.Request, origin string, answer []Parameter) error
	// FormPost is the page that posts the answer to the address
	// (reference/authentication.md §2.3), which is of the web.
	FormPost func(w http.ResponseWriter, r *http.Request, action string, answer []Parameter) error
	// ErrorPage shows a failure to a person whose browser cannot be sent on.
	ErrorPage func(w http.ResponseWriter, r *http.Request, status int, title, text string)

	d        Deps
	issuer   string
	mint     token.Issuer
	verifier *token.Verifier
	grants   map[string]grantType
	buckets  web.Buckets[bucketName]
	mfaAPI   *resourceserver.ResourceServer

	published atomic.Pointer[metadataOf]
	keySet    atomic.Pointer[web.Document]
}

// New makes the endpoints.
func New(d Deps) *Endpoints {
	issuer := d.PublicURL + "/"
	e := &Endpoints{
		d:        d,
		issuer:   issuer,
		mint:     token.Issuer{Keys: d.Keys, URL: issuer, Now: d.Now},
		verifier: d.Verifier,
		mfaAPI:   resourceserver.MFAAPI(d.PublicURL),
		StartLogin: func(http.ResponseWriter, *http.Request, oauth.AuthorizeRequest) error {
			return &oauth.AuthorizeError{Code: "temporarily_unavailable", Description: "Signing in is not available."}
		},
		Interact: func(http.ResponseWriter, *http.Request, oauth.AuthorizeRequest, session.Session) error {
			return &oauth.AuthorizeError{Code: "temporarily_unavailable", Description: "Signing in is not available."}
		},
		MFADue: func(context.Context, *user.User, *client.Client, oauth.AuthorizeRequest, session.Session) (bool, error) {
			return false, nil
		},
		SessionClient: func(context.Context, session.Session, string) error { return nil },
		SignedOut:     func(context.Context, session.Session, audit.Event) error { return nil },
		ConfirmLogout: func(http.ResponseWriter, *http.Request, []Parameter) error { return errNoPage },
		LeaveUpstream: func(http.ResponseWriter, *http.Request, session.Session, string) (bool, error) { return false, nil },
		SignedOutPage: func(http.ResponseWriter, *http.Request) error { return errNoPage },
		Message:       func(http.ResponseWriter, *http.Request, string, []Parameter) error { return errNoPage },
		FormPost:      func(http.ResponseWriter, *http.Request, string, []Parameter) error { return errNoPage },
		Session:       func(*http.Request) (session.Session, error) { return session.Session{}, session.ErrNone },
		EndSession:    func(http.ResponseWriter, *http.Request) error { return nil },
		Browser:       func(*http.Request) string { return "" },
		ErrorPage: func(w http.ResponseWriter, _ *http.Request, status int, title, text string) {
			http.Error(w, title+"\n\n"+text, status)
		},
	}
	if e.verifier == nil {
		e.verifier = token.NewVerifier(d.Keys, issuer, d.Now)
		e.verifier.SigningAlg = resourceserver.SigningAlg(d.ResourceServers)
		e.verifier.HintSecret = client.HintSecret(d.Clients)
	}
	e.grants = map[string]grantType{
		clientCredentials: {audit.ClientGrantOK, audit.ClientGrantNo, e.clientCredentials},
		authorizationCode: {audit.CodeExchangeOK, audit.CodeExchangeNo, e.authorizationCode},
		passwordRealm:     {audit.PasswordGrantOK, audit.PasswordGrantNo, e.passwordRealm},
		password:          {audit.PasswordGrantOK, audit.PasswordGrantNo, e.password},
		refreshGrant:      {audit.RefreshOK, audit.RefreshNo, e.refreshToken},
		deviceGrant:       {audit.DeviceExchangeOK, audit.DeviceExchangeNo, e.deviceCode},
		approvalGrant:     {audit.ApprovalExchangeOK, audit.ApprovalExchangeNo, e.approved},
		passwordlessOTP:   {audit.OTPExchangeOK, audit.OTPExchangeNo, e.otp},
		webauthnGrant:     {audit.LoginOK, audit.LoginFailed, e.passkey},
		mfaOTP:            {audit.MFAOTPExchangeOK, audit.MFAOTPExchangeNo, e.mfa(mfaGrant{[]string{"otp"}, errOTPCode, e.showOTP, e.confirmOTP})},
		mfaOOB:            {audit.MFAOOBExchangeOK, audit.MFAOOBExchangeNo, e.mfa(mfaGrant{[]string{"oob_code", "binding_code"}, errBindingCode, e.showOOB, e.confirmOOB})},
		mfaRecovery:       {audit.RecoveryExchangeOK, audit.RecoveryExchangeNo, e.mfa(mfaGrant{[]string{"recovery_code"}, factor.ErrWrong, e.showRecovery, nil})},
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
	for path, f := range certificateForms {
		r.Method(http.MethodGet, path, web.Serve(e.certificate(f), renderOAuth))
	}
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
		{"/oauth/connection/{name}/.well-known/jwks.json", []string{"GET"}, e.connectionKeys, renderOAuth, corsNone},
		{"/authorize", []string{"GET", "POST"}, e.authorize, e.renderPage, corsNone},
		{"/oauth/token", []string{"POST"}, e.token, renderToken, corsClient},
		{"/oauth/revoke", []string{"POST"}, e.revoke, renderToken, corsClient},
		{"/oauth/device/code", []string{"POST"}, e.clientEndpoint(audit.DeviceNotAsked, http.StatusOK, e.deviceAuthorization), renderOAuth, corsClient},
		{"/bc-authorize", []string{"POST"}, e.clientEndpoint(audit.ApprovalNotAsked, http.StatusOK, e.askApproval), renderOAuth, corsNone},
		{"/userinfo", []string{"GET", "POST"}, e.userinfo, renderUserinfo, corsAnyone},
		{"/mfa/authenticators", []string{"GET"}, e.mfaEndpoint(e.authenticators), renderOAuth, corsAnyone},
		{"/mfa/authenticators/{id}", []string{"DELETE"}, e.mfaEndpoint(e.removeAuthenticator), renderToken, corsAnyone},
		{"/mfa/associate", []string{"POST"}, e.mfaEndpoint(e.associate), renderOAuth, corsAnyone},
		{"/mfa/challenge", []string{"POST"}, e.mfaEndpoint(e.clientEndpoint(audit.FactorFailed, http.StatusOK, e.challenge)), renderOAuth, corsClient},
		{"/passkey/challenge", []string{"POST"}, e.passkeyEndpoint(audit.LoginFailed, e.challengePasskey), renderOAuth, corsClient},
		{"/passkey/register", []string{"POST"}, e.passkeyEndpoint(audit.SignupFailed, e.registerPasskey), renderOAuth, corsClient},
		{"/oidc/register", []string{"POST"}, e.registerClient, renderOAuth, corsAnyone},
		{"/oauth/par", []string{"POST"}, e.push, renderOAuth, corsNone},
		{"/login", []string{"GET"}, e.loginEntry, e.renderPage, corsNone},
		{"/v2/logout", []string{"GET"}, e.logout, e.renderPage, corsNone},
		{"/oidc/logout", []string{"GET", "POST"}, e.oidcLogout, e.renderPage, corsNone},
		{"/dbconnections/signup", []string{"POST"}, e.signup, renderLegacy, corsClient},
		{"/dbconnections/change_password", []string{"POST"}, e.changePassword, renderLegacy, corsClient},
		{"/passwordless/start", []string{"POST"}, e.startPasswordless, renderPasswordless, corsClient},
		{"/passwordless/verify", []string{"POST"}, e.verifyPasswordless, renderPasswordless, corsAnyone},
	} {
		for _, method := range route.methods {
			r.Method(method, route.path, web.Serve(e.withCORS(route.cors, e.limited(route.path, route.handle)), route.render))
		}
		if route.cors != corsNone {
			r.Method("OPTIONS", route.path, http.HandlerFunc(preflight))
		}
	}
}
