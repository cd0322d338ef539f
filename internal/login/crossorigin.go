package login

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/client"
	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/oauth"
	"mangrove/internal/session"
	"mangrove/internal/user"
	"mangrove/internal/web"
)

// ticketLifetime is how long a login ticket may wait, microseconds: as long as
// auth0.js keeps its verifier (reference/authentication.md §2.6).
const ticketLifetime = int64(15 * time.Minute / time.Microsecond)

// The credential types of /co/authenticate.
const (
	credentialRealm    = "http://auth0.com/oauth/grant-type/password-realm"
	credentialPassword = "password"
	credentialOTP      = "http://auth0.com/oauth/grant-type/passwordless/otp"
)

var (
	errCrossOrigin    = errs.New(errs.Forbidden, "unauthorized_client", "Cross origin login not allowed.")
	errCredentialType = errs.New(errs.Invalid, "invalid_request", "Unknown credential_type.")
	errRealm          = errs.New(errs.Invalid, "invalid_request", "unknown or invalid realm")
	errWrongPair      = errs.New(errs.Forbidden, "access_denied", "%s", user.ErrWrongPassword.Text)
	errNoDirectory    = errs.New(errs.Invalid, "server_error", "Authorization server not configured with default connection.")
)

// authenticateAcross is POST /co/authenticate: a page of an application's own
// takes the credentials, and gets a ticket that /authorize redeems.
func (f *Flow) authenticateAcross(w http.ResponseWriter, r *http.Request) error {
	web.NoStore(w)
	p, err := endpointParams(r)
	if err != nil {
		return err
	}
	actor := user.Actor{ClientID: web.Printable(p["client_id"], 64), IP: web.ClientIP(r), UserAgent: web.UserAgent(r), LoginEvent: audit.CrossOriginOK}
	c, err := f.embedding(w, r, p["client_id"])
	if err != nil {
		return f.notAcross(r, actor.ClientID, err)
	}
	u, conn, method, err := f.proveAcross(r.Context(), c, p, actor)
	if err != nil {
		return f.notAcross(r, actor.ClientID, err)
	}
	ticket, verifier, err := f.issueTicket(w, r, c.ID, u, conn, method)
	if err != nil {
		return err
	}
	id, err := f.secret()
	if err != nil {
		return err
	}
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, struct {
		Ticket   string `json:"login_ticket"`
		Verifier string `json:"co_verifier"`
		ID       string `json:"co_id"`
	}{ticket, verifier, id})
	return nil
}

// embedding is the client whose page of that origin may ask for passwords.
func (f *Flow) embedding(w http.ResponseWriter, r *http.Request, id string) (*client.Client, error) {
	c, err := f.d.Clients.Client(r.Context(), id)
	if errors.Is(err, client.ErrNotFound) || err == nil && c.Global {
		return nil, errCrossOrigin
	}
	if err != nil {
		return nil, err
	}
	s := c.Settings()
	if !allowCredentials(w, r, s) || !s.CrossOriginAuthentication {
		return nil, errCrossOrigin
	}
	return c, nil
}

// allowCredentials lets the page read the answer, cookies included, when its
// origin is one of the client's (reference/authentication.md §0.5). A page of our
// own sends no other origin.
func allowCredentials(w http.ResponseWriter, r *http.Request, s *client.Settings) bool {
	w.Header().Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if origin == "" || !oauth.MatchOrigin(slices.Concat(s.AllowedOrigins, s.WebOrigins, s.Callbacks), origin) {
		return false
	}
	w.Header().Set("Access-Control-Allow-Origin", origin)
	w.Header().Set("Access-Control-Allow-Credentials", "true")
	return true
}

// proveAcross checks the credentials. Wrong ones are errWrongPair or of kind TooMany.
func (f *Flow) proveAcross(ctx context.Context, c *client.Client, p map[string]string, a user.Actor) (*user.User, *connection.Connection, string, error) {
	realm, method := p["realm"], session.Password
	switch p["credential_type"] {
	case credentialRealm, credentialOTP:
	case credentialPassword:
		settings, err := f.d.Tenant.Settings(ctx)
		if err != nil {
			return nil, nil, "", err
		}
		if realm = settings.DefaultDirectory; realm == "" {
			return nil, nil, "", errNoDirectory
		}
	default:
		return nil, nil, "", errCredentialType
	}
	conn, err := f.d.Connections.ConnectionByRealm(ctx, realm)
	if errs.KindOf(err) == errs.NotFound {
		return nil, nil, "", errRealm
	}
	if err != nil {
		return nil, nil, "", err
	}
	way, ok := wayOf(conn, c.ID, f.spoken)
	var u *user.User
	switch {
	case !ok:
		return nil, nil, "", errs.New(errs.Invalid, errDisabled.Code, "%s", errDisabled.Description)
	case p["credential_type"] == credentialOTP && way.kind == passwordless:
		u, method, err = f.proveCode(ctx, conn, p["username"], p["otp"], a)
	case p["credential_type"] != credentialOTP && (way.kind == database || way.kind == directory):
		u, err = f.authenticate(ctx, way, p["username"], p["password"], a)
	default:
		return nil, nil, "", errRealm
	}
	if errors.Is(err, user.ErrWrongPassword) {
		err = errWrongPair.Because(err)
	}
	return u, conn, method, err
}

// notAcross records a refusal that no use case has recorded.
func (f *Flow) notAcross(r *http.Request, clientID string, err error) error {
	f.note(r, audit.CrossOriginFailed, clientID, nil, web.Printable(errs.From(err).Text, 200))
	return err
}

// issueTicket keeps what was proven until the browser, known by a cookie, comes
// back with the ticket.
func (f *Flow) issueTicket(w http.ResponseWriter, r *http.Request, clientID string, u *user.User, c *connection.Connection, method string) (ticket, verifier string, err error) {
	if ticket, err = f.secret(); err != nil {
		return "", "", err
	}
	if verifier, err = f.secret(); err != nil {
		return "", "", err
	}
	now := f.now()
	raw, err := json.Marshal(progress{trip: trip{ConnectionID: c.ID}, UserID: string(u.ID), Methods: []string{method}, AuthTime: now})
	if err != nil {
		return "", "", fmt.Errorf("login ticket: %w", err)
	}
	err = f.d.Sessions.SaveTransaction(r.Context(), session.Transaction{
		Hash: hash(ticket), Browser: hash(verifier), ClientID: clientID, Request: json.RawMessage(`{}`), Progress: raw,
		CreatedAt: now, ExpiresAt: now + ticketLifetime,
	})
	if err != nil {
		return "", "", err
	}
	f.setCookie(w, f.ticketCookie(), verifier, time.Duration(ticketLifetime)*time.Microsecond)
	return ticket, verifier, nil
}

// redeemTicket goes on with what a login ticket proves. A ticket that is unknown,
// over, used, another client's or another browser's begins a login like none.
func (f *Flow) redeemTicket(w http.ResponseWriter, r *http.Request, p *pass) (done bool, err error) {
	ctx, cookie := r.Context(), cookieValue(r, f.ticketCookie())
	if !wellFormed(p.req.LoginTicket) || cookie == "" {
		return false, nil
	}
	t, err := f.d.Sessions.TakeTransaction(ctx, hash(p.req.LoginTicket), f.now())
	if errors.Is(err, session.ErrNone) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if t.ClientID != p.req.ClientID || subtle.ConstantTimeCompare([]byte(t.Browser), []byte(hash(cookie))) != 1 {
		f.refused(r, p.req.ClientID, nil, "A login ticket was used in another browser, or by another application.")
		return false, nil
	}
	var proof progress
	if err := json.Unmarshal(t.Progress, &proof); err != nil {
		return false, fmt.Errorf("stored login ticket: %w", err)
	}
	f.setCookie(w, f.ticketCookie(), "", 0)
	conn, err := f.connection(ctx, proof.ConnectionID)
	if conn == nil {
		return false, err
	}
	if way, ok := wayOf(conn, p.req.ClientID, f.spoken); !ok || way.kind == provider {
		return true, f.refuse(w, r, p, errDisabled)
	}
	p.prog.UserID = proof.UserID
	u, err := f.person(ctx, p)
	if errors.Is(err, errExpired) {
		f.refused(r, p.req.ClientID, conn, errBlocked.Description)
		return true, f.end(w, r, p, errBlocked)
	}
	if err != nil {
		return false, err
	}
	return true, f.proven(w, r, p, u, conn, proof.Methods[0])
}

// renderAcross answers a failure of /co/authenticate.
func renderAcross(w http.ResponseWriter, _ *http.Request, err error) {
	e := errs.From(err)
	code, text := e.Code, e.Text
	switch {
	case e.Kind == errs.Internal:
		code, text = "server_error", "Internal error."
	case code == "":
		code = "invalid_request"
	}
	retryLater(w, e)
	web.NoStore(w)
	web.WriteJSON(w, e.Kind.Status(), web.TypeJSON, struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}{code, text})
}

func retryLater(w http.ResponseWriter, e *errs.Error) {
	if (e.Kind == errs.TooMany || e.Kind == errs.Unavailable) && w.Header().Get("Retry-After") == "" {
		w.Header().Set("Retry-After", "2")
	}
}

// preflightAcross lets the question pass: it does not name the client. Whether
// the page may read the answer is decided with the answer.
func preflightAcross(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Add("Vary", "Origin")
	if o, ok := oauth.OriginOf(r.Header.Get("Origin")); ok && o == r.Header.Get("Origin") {
		h.Set("Access-Control-Allow-Origin", o)
		h.Set("Access-Control-Allow-Credentials", "true")
		h.Set("Access-Control-Allow-Methods", "GET, POST")
		h.Set("Access-Control-Allow-Headers", "Content-Type, Auth0-Client")
		h.Set("Access-Control-Max-Age", "600")
	}
	w.WriteHeader(http.StatusNoContent)
}
