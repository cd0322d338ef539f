package login

import (
	"errors"
	"net/http"
	"net/url"

	"mangrove/internal/factor"
	"mangrove/internal/page"
	"mangrove/internal/user"
	"mangrove/internal/web"
)

// enrollment opens the ticket in the query; done: the request was answered.
func (f *Flow) enrollment(w http.ResponseWriter, r *http.Request) (t factor.Ticket, u *user.User, secret string, done bool, err error) {
	q, err := query(r)
	if err != nil {
		return t, nil, "", false, err
	}
	err = factor.ErrTicket
	if secret = q.Get("ticket"); f.d.Factors != nil && wellFormed(secret) {
		t, u, err = f.d.Factors.Ticket(r.Context(), secret)
	}
	if err == nil && !t.Multiple {
		var all []factor.Factor
		if all, err = f.d.Factors.All(r.Context(), u); err == nil && len(factor.Seconds(all)) > 0 {
			err = factor.ErrTicket
		}
	}
	if errors.Is(err, factor.ErrTicket) {
		return t, nil, "", true, f.d.Page.Show(w, r, http.StatusBadRequest, page.Told{Kind: page.ToldLinkUsed})
	}
	return t, u, secret, false, err
}

// showEnrollment is the page behind a link that enrolls a second factor. Looking
// at it changes nothing.
func (f *Flow) showEnrollment(w http.ResponseWriter, r *http.Request) error {
	t, u, secret, done, err := f.enrollment(w, r)
	if done || err != nil {
		return err
	}
	return f.askEnrollment(w, r, http.StatusOK, t, u, secret, "")
}

func (f *Flow) askEnrollment(w http.ResponseWriter, r *http.Request, status int, t factor.Ticket, u *user.User, secret string, problem page.Problem) error {
	view, err := f.seedView(r.Context(), u, t.Seed)
	if err != nil {
		return err
	}
	view.Action, view.Problem = factor.TicketPath+"?ticket="+url.QueryEscape(secret), problem
	return f.d.Page.Show(w, r, status, view)
}

// enroll is the form of that page: code; and of the recovery code behind it: saved=1.
func (f *Flow) enroll(w http.ResponseWriter, r *http.Request) error {
	form, err := postForm(w, r)
	if err != nil {
		return err
	}
	if form.Get("saved") == "1" {
		return f.d.Page.Show(w, r, http.StatusOK, page.Told{Kind: page.ToldDeviceDone})
	}
	t, u, secret, done, err := f.enrollment(w, r)
	if done || err != nil {
		return err
	}
	if form.Get("code") == "" {
		return f.askEnrollment(w, r, http.StatusBadRequest, t, u, secret, page.MissingInput)
	}
	by := factor.Actor{Actor: user.Actor{IP: web.ClientIP(r), UserAgent: web.UserAgent(r)}}
	recovery, err := f.d.Factors.Redeem(r.Context(), t, u, form.Get("code"), by)
	if problem, status, ok := factorProblem(err, page.WrongCode); ok {
		return f.askEnrollment(w, r, status, t, u, secret, problem)
	}
	switch {
	case errors.Is(err, factor.ErrTicket):
		return f.d.Page.Show(w, r, http.StatusBadRequest, page.Told{Kind: page.ToldLinkUsed})
	case err != nil:
		return err
	case recovery == "":
		return f.d.Page.Show(w, r, http.StatusOK, page.Told{Kind: page.ToldDeviceDone})
	}
	return f.d.Page.Show(w, r, http.StatusOK, page.RecoveryCode{Action: factor.TicketPath, Code: recovery})
}
