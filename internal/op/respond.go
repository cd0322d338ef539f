package op

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"mangrove/internal/audit"
	"mangrove/internal/client"
	"mangrove/internal/errs"
	"mangrove/internal/oauth"
	"mangrove/internal/session"
)

// Respond answers a valid authorization request for the session's user and sends
// the browser back. What may have changed since the request was made is looked at
// again: the client, its callbacks and connections, the user, what the person
// allowed.
func (e *Endpoints) Respond(w http.ResponseWriter, r *http.Request, req oauth.AuthorizeRequest, s session.Session) error {
	if req.DeviceCode != "" {
		return e.respondDevice(w, r, req, s)
	}
	if req.Approval != "" {
		return e.respondApproval(w, r, req, s)
	}
	ctx := r.Context()
	c, err := e.loginClient(ctx, req.ClientID)
	if err != nil {
		return err
	}
	t, err := e.d.Tenant.Settings(ctx)
	if err != nil {
		return err
	}
	response, _ := oauth.ParseResponse(req.ResponseType)
	if refusal := permitted(c.Settings(), response); refusal != nil {
		return e.RespondError(w, r, req, refusal)
	}
	if response.Code && needsS256(c.Settings(), t) && req.Method != oauth.S256 {
		return e.RespondError(w, r, req, errNeedsS256)
	}
	u, refusal, err := e.subject(ctx, c, s)
	if err != nil {
		return err
	}
	if refusal != nil {
		return e.RespondError(w, r, req, refusal)
	}
	g, err := e.granted(ctx, c, req, u)
	if err == nil {
		err = e.consented(ctx, c, req, g)
	}
	if errors.As(err, &refusal) {
		return e.RespondError(w, r, req, refusal)
	}
	if err != nil {
		return err
	}
	if err := returnable(c.Settings(), req); err != nil {
		return err
	}
	if !response.Code { // a code is kept together with the note
		if err := e.SessionClient(ctx, s, c.ID); err != nil {
			return err
		}
	}
	answer, err := e.answer(ctx, c, req, s, response, g)
	if err != nil {
		return err
	}
	if silent(req) {
		event := e.event(audit.SilentOK, actorOf(r, c.ID))
		event.UserID, event.ConnectionID, event.Details = s.UserID, s.ConnectionID, details(req.Audience, strings.Join(g.scopes, " "))
		if err := e.d.Audit.AppendEvents(ctx, event); err != nil {
			return err
		}
	}
	return e.deliver(w, r, t, req, answer...)
}

// RespondError sends the browser back with an error, and keeps a record of it.
// Where the client's policy forbids that, the error stays on a page of ours.
func (e *Endpoints) RespondError(w http.ResponseWriter, r *http.Request, req oauth.AuthorizeRequest, refusal *oauth.AuthorizeError) error {
	return e.refuse(w, r, req, refusal, true)
}

// AnswerError is RespondError for who keeps the record of a login, knowing by which
// connection it was.
func (e *Endpoints) AnswerError(w http.ResponseWriter, r *http.Request, req oauth.AuthorizeRequest, refusal *oauth.AuthorizeError) error {
	return e.refuse(w, r, req, refusal, false)
}

func (e *Endpoints) refuse(w http.ResponseWriter, r *http.Request, req oauth.AuthorizeRequest, refusal *oauth.AuthorizeError, recorded bool) error {
	if req.DeviceCode != "" {
		return e.refuseDevice(w, r, req, refusal)
	}
	if req.Approval != "" {
		return e.refuseApproval(w, r, req, refusal)
	}
	ctx := r.Context()
	c, err := e.loginClient(ctx, req.ClientID)
	if err != nil {
		return err
	}
	if err := returnable(c.Settings(), req); err != nil {
		return err
	}
	if recorded {
		kind := audit.LoginFailed
		if silent(req) {
			kind = audit.SilentFailed
		}
		event := e.event(kind, actorOf(r, c.ID))
		event.Description = refusal.Description
		if req.Connection != "" {
			if conn, err := e.d.Connections.ConnectionByName(ctx, req.Connection); err == nil {
				event.Connection, event.ConnectionID = conn.Name, conn.ID
			}
		}
		e.recordRefusal(ctx, event)
	}
	if c.Settings().KeepsErrors {
		e.renderPage(w, r, refusal)
		return nil
	}
	t, err := e.d.Tenant.Settings(ctx)
	if err != nil {
		return err
	}
	return e.deliver(w, r, t, req, Parameter{"error", refusal.Code}, Parameter{"error_description", refusal.Description})
}

// errFormTarget: an application's own scheme takes no form.
var errFormTarget = errs.New(errs.Invalid, "invalid_request", "response_mode form_post needs an http or https redirect_uri")

// returnable checks that the address is the client's and takes answers of the
// mode: for a web_message its origin is the client's, too. It is asked again when the answer is given: an operator may have
// taken the address away while the login went on.
func returnable(s *client.Settings, req oauth.AuthorizeRequest) error {
	if !addressable(req.RedirectURI) || !oauth.MatchRedirect(s.Callbacks, req.RedirectURI) {
		return errCallback
	}
	switch req.ResponseMode {
	case oauth.WebMessage:
		if _, ok := messageTarget(s, req.RedirectURI); !ok {
			return errOrigin
		}
	case oauth.FormPost:
		if u, err := url.Parse(req.RedirectURI); err != nil || u.Scheme != "http" && u.Scheme != "https" {
			return errFormTarget
		}
	}
	return nil
}

// messageTarget is the origin to which a web_message goes: that of the redirect
// URI, where the client lists it among its web origins (reference/authentication.md §0.5).
func messageTarget(s *client.Settings, redirect string) (string, bool) {
	origin, ok := oauth.OriginOf(redirect)
	return origin, ok && oauth.MatchOrigin(s.WebOrigins, origin)
}
