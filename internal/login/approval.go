package login

import (
	"errors"
	"net/http"
	"slices"

	"github.com/go-chi/chi/v5"

	"mangrove/internal/approval"
	"mangrove/internal/audit"
	"mangrove/internal/consent"
	"mangrove/internal/oauth"
	"mangrove/internal/page"
	"mangrove/internal/session"
	"mangrove/internal/token"
	"mangrove/internal/user"
	"mangrove/internal/web"
)

const (
	decisionPath       = approval.Path + "/decision"
	approvalDeniedPath = approval.Path + "/denied"
	approvalOtherPath  = approval.Path + "/other"
)

func (f *Flow) mountApproval(r chi.Router) {
	r.Get(approval.Path, web.Serve(f.openApproval, f.fail).ServeHTTP)
	r.Get(decisionPath, web.Serve(f.showApproval, f.fail).ServeHTTP)
	r.Post(decisionPath, web.Serve(f.decideApproval, f.fail).ServeHTTP)
	for path, kind := range map[string]page.ToldKind{
		approval.Path + "/success": page.ToldApproved, approval.Path + "/failure": page.ToldApprovalOver,
		approvalDeniedPath: page.ToldApprovalDenied, approvalOtherPath: page.ToldApprovalOther,
	} {
		r.Get(path, web.Serve(f.toldDevice(kind), f.fail).ServeHTTP)
	}
}

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
		return f.d.Page.Show(w, r, http.StatusBadRequest, page.Told{Kind: page.ToldApprovalOver})
	}
	if err != nil {
		return err
	}
	req := oauth.AuthorizeRequest{ClientID: a.ClientID, Scope: a.Scope, Audience: a.Audience, Approval: a.Hash}
	s, err := f.Session(r)
	if err != nil && !errors.Is(err, session.ErrNone) {
		return err
	}
	if err != nil || s.UserID != a.UserID {
		return f.Start(w, r, req)
	}
	if fits, err := f.sessionFits(r, s, req.ClientID); err != nil || !fits {
		if err != nil {
			return err
		}
		return f.Start(w, r, req)
	}
	return f.Interact(w, r, req, s)
}

// asking is a login that has come to the decision.
type asking struct {
	*pass
	user     *user.User
	request  approval.Request
	question consent.Question
}

// deciding opens a login that has come to the decision, for the person who may
// decide. done: somebody or something else was found, and the browser told.
func (f *Flow) deciding(w http.ResponseWriter, r *http.Request) (a asking, done bool, err error) {
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
	a.question, err = f.question(r, a.pass, a.user)
	var refused *oauth.AuthorizeError
	if errors.As(err, &refused) {
		return a, true, f.end(w, r, a.pass, refused)
	}
	return a, false, err
}

// showApproval is GET /u/approval/decision?state=….
func (f *Flow) showApproval(w http.ResponseWriter, r *http.Request) error {
	a, done, err := f.deciding(w, r)
	if done || err != nil {
		return err
	}
	return f.askApproval(w, r, a)
}

// askApproval shows the request and remembers what was shown.
func (f *Flow) askApproval(w http.ResponseWriter, r *http.Request, a asking) error {
	if err := a.prog.put(stepApproval, a.question.Yes(0).Scope); err != nil {
		return err
	}
	if err := f.save(r.Context(), a.pass); err != nil {
		return err
	}
	v := f.consentView(a.pass, a.user, a.question)
	v.Action, v.Message = at(decisionPath, a.id), a.request.Message
	return f.show(w, r, http.StatusOK, a.pass, v)
}

// decideApproval is POST /u/approval/decision?state=… with decision. What is
// approved is what was shown.
func (f *Flow) decideApproval(w http.ResponseWriter, r *http.Request) error {
	if !f.sameSite(r) {
		return errForeign
	}
	form, err := postForm(w, r)
	if err != nil {
		return err
	}
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
	var shown []string
	known, err := a.prog.get(stepApproval, &shown)
	if err != nil {
		return err
	}
	if !known || slices.ContainsFunc(a.question.Yes(0).Scope, func(s string) bool { return !slices.Contains(shown, s) }) {
		return f.askApproval(w, r, a)
	}
	return f.skip(w, r, a.pass, stepApproval)
}

func (f *Flow) denyApproval(w http.ResponseWriter, r *http.Request, a asking) error {
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
		to, err = approval.Path+"/failure", nil
	}
	if err != nil {
		return err
	}
	redirect(w, r, to)
	return nil
}
