package login

import (
	"context"
	"errors"
	"net/http"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/oauth"
	"mangrove/internal/user"
	"mangrove/internal/web"
)

// Refusals that the application is told (reference/authentication.md §2.4).
var (
	errNoConnection    = &oauth.AuthorizeError{Code: "invalid_request", Description: "the connection was not found"}
	errNoConnector     = &oauth.AuthorizeError{Code: "invalid_request", Description: "nobody can sign in by connections of this strategy here"}
	errDisabled        = &oauth.AuthorizeError{Code: "invalid_request", Description: "the connection was disabled"}
	errNothing         = &oauth.AuthorizeError{Code: "invalid_request", Description: "no connections enabled for the client"}
	errOtherConnection = &oauth.AuthorizeError{Code: "invalid_request", Description: "the answer came to the address of another connection"}
	errNotBegun        = &oauth.AuthorizeError{Code: "invalid_request", Description: "the identity provider may not begin logins of the connection"}
	errBlocked         = &oauth.AuthorizeError{Code: "unauthorized", Description: user.ErrBlocked.Text}
)

// refusal is what the application is told of err; false: err is a failure of
// ours and stays on a page of ours.
func refusal(err error) (*oauth.AuthorizeError, bool) {
	if errors.Is(err, user.ErrBlocked) {
		return errBlocked, true
	}
	var e *errs.Error
	if errors.As(err, &e) && (e.Code == "access_denied" || e.Code == "invalid_request" || e.Code == "unauthorized") && e.Kind != errs.Internal {
		return &oauth.AuthorizeError{Code: e.Code, Description: e.Text}, true
	}
	return nil, false
}

// end takes the transaction and tells the application why it gets nothing. Whoever
// calls it has kept the record, or knows that a use case did.
func (f *Flow) end(w http.ResponseWriter, r *http.Request, p *pass, why *oauth.AuthorizeError) error {
	if err := f.take(r.Context(), p); err != nil {
		return err
	}
	return f.d.RespondError(w, r, p.req, why)
}

// refused writes a failed login to the audit log; c may be nil.
func (f *Flow) refused(r *http.Request, clientID string, c *connection.Connection, description string) {
	f.note(r, audit.LoginFailed, clientID, c, description)
}

// signupFailed writes a failed sign-up to the audit log.
func (f *Flow) signupFailed(r *http.Request, p *pass, c *connection.Connection, err error) {
	e := f.event(r, audit.SignupFailed, p.req.ClientID, c, web.Printable(errs.From(err).Text, 200))
	f.keep(r, user.Told(e, err))
}

// note records a refusal, which stands all the same when that fails. Nobody escapes
// the log by hanging up.
func (f *Flow) note(r *http.Request, kind, clientID string, c *connection.Connection, description string) {
	f.keep(r, f.event(r, kind, clientID, c, description))
}

func (f *Flow) event(r *http.Request, kind, clientID string, c *connection.Connection, description string) audit.Event {
	e := audit.Event{
		Type: kind, At: f.now(), Description: description, ClientID: clientID, IP: web.ClientIP(r), UserAgent: web.UserAgent(r),
	}
	if c != nil {
		e.Connection, e.ConnectionID = c.Name, c.ID
	}
	return e
}

func (f *Flow) keep(r *http.Request, e audit.Event) {
	if err := f.d.Audit.AppendEvents(context.WithoutCancel(r.Context()), e); err != nil {
		web.Note(r, "audit", "not written: "+web.Printable(err.Error(), 200))
	}
}

// actor is who signs in, for the records of use cases.
func (f *Flow) actor(r *http.Request, p *pass) user.Actor {
	return user.Actor{ClientID: p.req.ClientID, IP: web.ClientIP(r), UserAgent: web.UserAgent(r), Language: language(r, p.req.UILocales)}
}

// noteCause tells the operator why, without saying who: the causes of
// connectors name addresses, claims and keys, never the values of claims.
func noteCause(r *http.Request, c *connection.Connection, err error) {
	web.Note(r, "connection", c.ID)
	if cause := errs.From(err).Cause; cause != nil {
		web.Note(r, "cause", web.Printable(cause.Error(), 300))
	}
}
