package op

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"mangrove/internal/approval"
	"mangrove/internal/audit"
	"mangrove/internal/client"
	"mangrove/internal/errs"
	"mangrove/internal/guard"
	"mangrove/internal/letter"
	"mangrove/internal/oauth"
	"mangrove/internal/profile"
	"mangrove/internal/session"
	"mangrove/internal/token"
	"mangrove/internal/user"
	"mangrove/internal/web"
)

// Where a person is told what came of a request for approval.
const (
	approvalDone = "/u/approval/success"
	approvalOver = "/u/approval/failure"
)

// Throttle takes a token from a bucket (guard.Service). Errors: *user.Locked.
type Throttle interface {
	Throttle(ctx context.Context, bucket string, l guard.Limit, who ...string) error
}

// approvalLimit is how often one application asks one person: each request is a mail.
var approvalLimit = guard.Limit{Burst: 10, Every: time.Minute}

// Refusals of /bc-authorize for which the reference has no words.
var (
	errApprovalClient = errs.New(errs.Forbidden, "unauthorized_client", "Backchannel authentication is for applications that authenticate themselves.")
	errNoChannel      = errs.New(errs.Invalid, "invalid_request", "No notification channel is available: async_approval_notification_channels of the client must contain email.")
	errNoMail         = errs.New(errs.Invalid, "invalid_request", "No notification channel is available: no mail server is configured.")
	errNoRecipient    = errs.New(errs.Invalid, "invalid_request", "The user cannot be notified: there is no email address.")
	errNeedOpenID     = errs.New(errs.Invalid, "invalid_request", "openid scope must be requested")
)

// approvalResponse is the answer of /bc-authorize.
type approvalResponse struct {
	ID        string `json:"auth_req_id"`
	ExpiresIn int64  `json:"expires_in"`
	Interval  int64  `json:"interval"`
}

// askApproval is POST /bc-authorize (reference/authentication.md §3.11).
func (e *Endpoints) askApproval(w http.ResponseWriter, r *http.Request) error {
	web.NoStore(w)
	p, err := web.Params(r)
	if err != nil {
		return err
	}
	ctx := r.Context()
	c, id, err := e.authenticate(ctx, w, r, p)
	a := user.Actor{ClientID: clip(id), IP: web.ClientIP(r), UserAgent: web.UserAgent(r)}
	if c.Client != nil {
		a = e.actor(r, c)
	}
	var res approvalResponse
	if err == nil {
		res, err = e.newApproval(ctx, r, c, p, a)
	}
	if err != nil {
		e.recordFailure(ctx, audit.ApprovalNotAsked, a, problemOf(err).text)
		return err
	}
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, res)
	return nil
}

// approvalClient says whether a client may ask people for their approval. Only a
// client that proves itself may: it learns who exists.
func approvalClient(c caller) error {
	s := c.Settings()
	switch {
	case !s.Allows(approvalGrant):
		return errGrantType(approvalGrant)
	case !c.proven:
		return errApprovalClient
	case !s.IsFirstParty:
		return errThirdParty
	}
	return nil
}

func (e *Endpoints) newApproval(ctx context.Context, r *http.Request, c caller, p map[string]string, a user.Actor) (approvalResponse, error) {
	if err := approvalClient(c); err != nil {
		return approvalResponse{}, err
	}
	if !slices.Contains(c.Settings().ApprovalChannels, client.ApprovalByEmail) {
		return approvalResponse{}, errNoChannel
	}
	if e.d.MailsReady != nil && !e.d.MailsReady() {
		return approvalResponse{}, errNoMail
	}
	scope, err := scopeParam(p["scope"])
	if err != nil {
		return approvalResponse{}, err
	}
	if !contains(scope, "openid") {
		return approvalResponse{}, errNeedOpenID
	}
	if err := approval.CheckMessage(p["binding_message"]); err != nil {
		return approvalResponse{}, err
	}
	lifetime, err := approval.Lifetime(p["requested_expiry"])
	if err != nil {
		return approvalResponse{}, err
	}
	if _, err := idTokenSigning(c.Client, scope); err != nil {
		return approvalResponse{}, err
	}
	audience, err := e.agreedAudience(ctx, r, c, p)
	if err != nil {
		return approvalResponse{}, err
	}
	subject, err := approval.Subject(p["login_hint"], e.issuer)
	if err != nil {
		return approvalResponse{}, err
	}
	u, err := e.active(ctx, subject, approval.ErrNobody)
	if errors.Is(err, user.ErrBlocked) {
		err = approval.ErrNobody
	}
	if err != nil {
		return approvalResponse{}, err
	}
	to := profile.TextOf(u.Profile.Value(profile.Email))
	if to == "" {
		return approvalResponse{}, errNoRecipient
	}
	if err := e.d.Throttle.Throttle(ctx, "approval", approvalLimit, c.ID, string(u.ID)); err != nil {
		return approvalResponse{}, err
	}
	secret := token.NewSecret()
	link, linkHash := approval.Link(e.d.PublicURL)
	req := approval.Request{
		Hash: token.HashOf(secret), LinkHash: linkHash, ClientID: c.ID, UserID: string(u.ID), Scope: scope, Audience: audience,
		Message: p["binding_message"], State: approval.Pending, ExpiresAt: e.d.Now().Add(lifetime).UnixMicro(),
	}
	mail := letter.Letter{
		Template: letter.AsyncApproval, To: to, UserID: string(u.ID), ClientID: c.ID, Language: requestLanguage(r), URL: link,
		Lifetime: int64(lifetime / time.Second), ExpiresAt: req.ExpiresAt,
	}
	event := e.event(audit.ApprovalAsked, a)
	event.UserID, event.Details = string(u.ID), details(audience, strings.Join(scope, " "))
	if err := e.d.Approvals.SaveApproval(ctx, req, []letter.Letter{mail}, event); err != nil {
		return approvalResponse{}, err
	}
	return approvalResponse{ID: secret, ExpiresIn: int64(lifetime / time.Second), Interval: int64(approval.Interval / time.Second)}, nil
}

// approved is an application asking what became of its request.
func (e *Endpoints) approved(ctx context.Context, t *tokenRequest) (tokenResponse, error) {
	if t.params["auth_req_id"] == "" {
		return tokenResponse{}, errMissing("auth_req_id")
	}
	if err := approvalClient(t.client); err != nil {
		return tokenResponse{}, err
	}
	var req approval.Request
	var verdict error
	err := e.d.Approvals.ChangeApproval(ctx, token.HashOf(t.params["auth_req_id"]), func(a *approval.Request) ([]audit.Event, error) {
		verdict = a.Poll(t.client.ID, e.d.Now().UnixMicro())
		req = *a
		return nil, nil
	})
	switch {
	case errors.Is(err, approval.ErrNone):
		err = approval.ErrUnknown
	case err == nil:
		err = verdict
	}
	if err != nil {
		t.recorded = approval.Waiting(err)
		return tokenResponse{}, err
	}
	s := session.Session{UserID: req.UserID, ID: req.SessionID, ConnectionID: req.ConnectionID, AuthTime: req.AuthTime, Methods: req.Methods}
	t.event.UserID = req.UserID
	return e.issueAgreed(ctx, t, s, req.Audience, req.Scope)
}

// respondApproval keeps the approval of the person who is asked, for the next
// poll, and tells the person. It is for no other's session, whoever has the link.
func (e *Endpoints) respondApproval(w http.ResponseWriter, r *http.Request, req oauth.AuthorizeRequest, s session.Session) error {
	ctx := r.Context()
	c, err := e.loginClient(ctx, req.ClientID)
	if err != nil {
		return err
	}
	u, refusal, err := e.subject(ctx, c, s)
	var g granted
	if err == nil && refusal == nil {
		g, err = e.granted(ctx, c, req, u)
		errors.As(err, &refusal)
	}
	if refusal != nil {
		return e.refuseApproval(w, r, req, refusal)
	}
	if err != nil {
		return err
	}
	if err := e.SessionClient(ctx, s, c.ID); err != nil {
		return err
	}
	event := e.event(audit.FactorOK, user.Actor{ClientID: c.ID, IP: web.ClientIP(r), UserAgent: web.UserAgent(r)})
	event.UserID, event.Description = s.UserID, "A request for approval was approved."
	err = e.d.Approvals.ChangeApproval(ctx, req.Approval, func(a *approval.Request) ([]audit.Event, error) {
		if !a.Decidable(e.d.Now().UnixMicro()) || a.UserID != s.UserID || a.ClientID != c.ID {
			return nil, approval.ErrNone
		}
		a.State, a.Scope, a.SessionID, a.ConnectionID, a.AuthTime, a.Methods = approval.Approved, g.scopes, s.ID, s.ConnectionID, s.AuthTime, s.Methods
		return []audit.Event{event}, nil
	})
	if errors.Is(err, approval.ErrNone) {
		return e.refuseApproval(w, r, req, authorizeError("access_denied", approval.ErrNone.Text))
	}
	if err != nil {
		return err
	}
	web.NoStore(w)
	location(w, r, approvalDone)
	return nil
}

// refuseApproval tells the person that nothing came of it. The request stays as
// it is: only the person who is asked may deny it.
func (e *Endpoints) refuseApproval(w http.ResponseWriter, r *http.Request, req oauth.AuthorizeRequest, refusal *oauth.AuthorizeError) error {
	a := user.Actor{ClientID: req.ClientID, IP: web.ClientIP(r), UserAgent: web.UserAgent(r)}
	e.recordFailure(r.Context(), audit.FactorFailed, a, refusal.Description)
	web.NoStore(w)
	location(w, r, approvalOver)
	return nil
}
