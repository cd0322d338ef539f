package login

import (
	"errors"
	"net/http"
	"net/url"

	"mangrove/internal/approval"
	"mangrove/internal/audit"
	"mangrove/internal/oauth"
	"mangrove/internal/page"
	"mangrove/internal/token"
	"mangrove/internal/web"
)

const (
	decisionPath       = approval.Path + "/decision"
	approvedPath       = approval.Path + "/success"
	approvalOverPath   = approval.Path + "/failure"
	approvalDeniedPath = approval.Path + "/denied"
	approvalOtherPath  = approval.Path + "/other"
)

// openApproval is GET /u/approval?ticket=…, the mailed link. It leads to the
// sign-in, past it only for the person who is asked; whoever else has the mail can
// decide nothing. A scanner that follows it changes nothing.
func (f *Flow) openApproval(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r)
	if err != nil {
		return err
	}
	a, err := f.d.Approvals.ApprovalByLink(r.Context(), token.HashOf(q.Get("ticket")))
	if errors.Is(err, approval.ErrNone) || err == nil && !a.Decidable(f.now()) {
		return f.show(w, r, http.StatusBadRequest, page.Told{Kind: page.ToldApprovalOver})
	}
	if err != nil {
		return err
	}
	req := oauth.AuthorizeRequest{ClientID: a.ClientID, Scope: a.Scope, Audience: a.Audience, Approval: a.Hash}
	return f.enter(w, r, req, a.UserID)
}

// decision is a login that has come to a request for approval.
type decision struct {
	asking
	request approval.Request
}

// deciding opens a login that has come to the decision, for the person who may
// decide. done: somebody or something else was found, and the browser told.
func (f *Flow) deciding(w http.ResponseWriter, r *http.Request) (a decision, done bool, err error) {
	a.pass, a.user, err = f.atEnd(r)
	if err != nil {
		return a, false, err
	}
	if a.req.Approval == "" {
		return a, false, errExpired
	}
	a.request, err = f.d.Approvals.Approval(r.Context(), a.req.Approval)
	switch {
	case errors.Is(err, approval.ErrNone), err == nil && !a.request.Decidable(f.now()):
		return a, true, f.end(w, r, a.pass, &oauth.AuthorizeError{Code: "invalid_request", Description: approval.ErrNone.Text})
	case err != nil:
		return a, false, err
	case a.request.UserID != string(a.user.ID):
		// The request stays open: the person who is asked has not seen it yet.
		if err := f.take(r.Context(), a.pass); err != nil {
			return a, false, err
		}
		f.refused(r, a.req.ClientID, nil, "Somebody else followed a link to a request for approval.")
		redirect(w, r, approvalOtherPath)
		return a, true, nil
	}
	done, err = f.wonder(w, r, &a.asking)
	return a, done, err
}

// showApproval is GET /u/approval/decision?state=….
func (f *Flow) showApproval(w http.ResponseWriter, r *http.Request) error {
	a, done, err := f.deciding(w, r)
	if done || err != nil {
		return err
	}
	return f.ask(w, r, a.asking, stepApproval, decisionPath, a.request.Message)
}

// decideApproval is POST /u/approval/decision?state=… with decision. What is
// approved is what was shown.
func (f *Flow) decideApproval(w http.ResponseWriter, r *http.Request, form url.Values) error {
	a, done, err := f.deciding(w, r)
	if done || err != nil {
		return err
	}
	switch form.Get("decision") {
	case "accept":
	case "deny":
		return f.denyApproval(w, r, a)
	default:
		return errDecision
	}
	shown, err := a.wasShown(stepApproval)
	if err != nil {
		return err
	}
	if !shown {
		return f.ask(w, r, a.asking, stepApproval, decisionPath, a.request.Message)
	}
	return f.skip(w, r, a.pass, stepApproval)
}

func (f *Flow) denyApproval(w http.ResponseWriter, r *http.Request, a decision) error {
	if err := f.take(r.Context(), a.pass); err != nil {
		return err
	}
	event := audit.Event{
		Type: audit.FactorRejected, At: f.now(), Description: "A request for approval was denied.", ClientID: a.req.ClientID,
		UserID: string(a.user.ID), IP: web.ClientIP(r), UserAgent: web.UserAgent(r),
	}
	to := approvalDeniedPath
	err := f.d.Approvals.ChangeApproval(r.Context(), a.req.Approval, func(q *approval.Request) ([]audit.Event, error) {
		if !q.Decidable(f.now()) || q.UserID != string(a.user.ID) {
			return nil, approval.ErrNone
		}
		q.State = approval.Denied
		return []audit.Event{event}, nil
	})
	if errors.Is(err, approval.ErrNone) {
		to, err = approvalOverPath, nil
	}
	if err != nil {
		return err
	}
	redirect(w, r, to)
	return nil
}
