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

// askApproval is POST /bc-authorize (reference/authentication.md §3.11).
func (e *Endpoints) askApproval(ctx context.Context, q *clientRequest) (any, error) {
	req, lifetime, err := e.newApproval(ctx, q)
	if err != nil {
		return nil, err
	}
	to, err := e.approver(ctx, q, &req)
	if err != nil {
		return nil, err
	}
	secret := token.NewSecret()
	link, linkHash := approval.Link(e.d.PublicURL)
	req.Hash, req.LinkHash = token.HashOf(secret), linkHash
	mail := letter.Letter{
		Template: letter.AsyncApproval, To: to, UserID: req.UserID, ClientID: req.ClientID, Language: requestLanguage(q.http), URL: link,
		Lifetime: int64(lifetime / time.Second), ExpiresAt: req.ExpiresAt,
	}
	event := e.event(audit.ApprovalAsked, q.actor)
	event.UserID, event.Details = req.UserID, details(req.Audience, strings.Join(req.Scope, " "))
	if err := e.d.Approvals.SaveApproval(ctx, req, []letter.Letter{mail}, event); err != nil {
		return nil, err
	}
	return approvalResponse{ID: secret, ExpiresIn: int64(lifetime / time.Second), Interval: int64(approval.Interval / time.Second)}, nil
}

// newApproval is what the client asks for, as far as it does not depend on the person.
func (e *Endpoints) newApproval(ctx context.Context, q *clientRequest) (req approval.Request, lifetime time.Duration, err error) {
	c, p := q.client, q.params
	if err := approvalClient(c); err != nil {
		return req, 0, err
	}
	if !slices.Contains(c.Settings().ApprovalChannels, client.ApprovalByEmail) {
		return req, 0, errNoChannel
	}
	if e.d.MailsReady != nil && !e.d.MailsReady() {
		return req, 0, errNoMail
	}
	scope, err := scopeParam(p["scope"])
	if err != nil {
		return req, 0, err
	}
	if !contains(scope, "openid") {
		return req, 0, errNeedOpenID
	}
	if err := approval.CheckMessage(p["binding_message"]); err != nil {
		return req, 0, err
	}
	if lifetime, err = approval.Lifetime(p["requested_expiry"]); err != nil {
		return req, 0, err
	}
	if _, err := idTokenSigning(c.Client, scope); err != nil {
		return req, 0, err
	}
	audience, err := e.agreedAudience(ctx, q)
	if err != nil {
		return req, 0, err
	}
	return approval.Request{
		ClientID: c.ID, Scope: scope, Audience: audience, Message: p["binding_message"], State: approval.Pending,
		ExpiresAt: e.d.Now().Add(lifetime).UnixMicro(),
	}, lifetime, nil
}

// approver finds who is to approve, and the address at which they are asked.
func (e *Endpoints) approver(ctx context.Context, q *clientRequest, req *approval.Request) (to string, err error) {
	subject, err := approval.Subject(q.params["login_hint"], e.issuer)
	if err != nil {
		return "", err
	}
	u, err := e.active(ctx, subject, approval.ErrNobody)
	if errors.Is(err, user.ErrBlocked) {
		err = approval.ErrNobody
	}
	if err != nil {
		return "", err
	}
	req.UserID = string(u.ID)
	if to = profile.TextOf(u.Profile.Value(profile.Email)); to == "" {
		return "", errNoRecipient
	}
	return to, e.d.Throttle.Throttle(ctx, "approval", approvalLimit, req.ClientID, req.UserID)
}

// approved is an application asking what became of its request.
func (e *Endpoints) approved(ctx context.Context, t *clientRequest) (tokenResponse, error) {
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
	event := e.event(audit.FactorOK, actorOf(r, c.ID))
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
	e.recordFailure(r.Context(), audit.FactorFailed, actorOf(r, req.ClientID), refusal.Description)
	web.NoStore(w)
	location(w, r, approvalOver)
	return nil
}
