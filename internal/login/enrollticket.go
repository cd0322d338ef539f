package login

import (
	"errors"
	"net/http"
	"net/url"

	"mangrove/internal/factor"
	"mangrove/internal/page"
	"mangrove/internal/profile"
	"mangrove/internal/user"
)

// enrollment is a link that enrolls a second factor, as a request found it.
type enrollment struct {
	ticket factor.Ticket
	user   *user.User
	action string // of the page's forms
}

// enrollment opens the ticket in the query; done: the request was answered.
func (f *Flow) enrollment(w http.ResponseWriter, r *http.Request) (e enrollment, done bool, err error) {
	q, err := query(r)
	if err != nil {
		return e, false, err
	}
	err = factor.ErrTicket
	secret := q.Get("ticket")
	if f.d.Factors != nil && wellFormed(secret) {
		e.ticket, e.user, err = f.d.Factors.Ticket(r.Context(), secret)
	}
	if err == nil && !e.ticket.Multiple {
		var all []factor.Factor
		if all, err = f.d.Factors.All(r.Context(), e.user); err == nil && len(factor.Seconds(all)) > 0 {
			err = factor.ErrTicket
		}
	}
	if errors.Is(err, factor.ErrTicket) {
		return e, true, f.linkOver(w, r)
	}
	e.action = factor.TicketPath + "?ticket=" + url.QueryEscape(secret)
	return e, false, err
}

func (f *Flow) linkOver(w http.ResponseWriter, r *http.Request) error {
	return f.show(w, r, http.StatusBadRequest, page.Told{Kind: page.ToldLinkUsed})
}

// showEnrollment is the page behind a link that enrolls a second factor. Looking
// at it changes nothing.
func (f *Flow) showEnrollment(w http.ResponseWriter, r *http.Request) error {
	e, done, err := f.enrollment(w, r)
	if done || err != nil {
		return err
	}
	q, err := query(r)
	if err != nil {
		return err
	}
	return f.askEnrollment(w, r, http.StatusOK, e, q.Get("edit") == "1", "", "")
}

// askEnrollment draws the page: the secret of an application, or the field for a
// number (again: though a code is on its way), or that for its code.
func (f *Flow) askEnrollment(w http.ResponseWriter, r *http.Request, status int, e enrollment, again bool, typed string, problem page.Problem) error {
	switch {
	case e.ticket.Kind != factor.Phone:
		view, err := f.seedView(r.Context(), e.user, e.ticket.Seed)
		if err != nil {
			return err
		}
		view.Action, view.Problem = e.action, problem
		return f.show(w, r, status, view)
	case e.ticket.Phone == "" || again:
		if typed == "" && problem == "" {
			typed = e.user.Profile.Text(profile.PhoneNumber)
		}
		return f.show(w, r, status, page.MFAPhone{Action: e.action, Value: typed, Problem: problem})
	}
	to := factor.Enrolling(factor.Phone, e.ticket.Phone)
	return f.show(w, r, status, page.OneTimeCode{
		Action: e.action, Channel: page.BySMS, SecondFactor: true, Recipient: to.Shown(), Length: 6, Problem: problem, EditURL: e.action + "&edit=1",
	})
}

// enroll is the form of that page: code, of a phone also phone_number or resend=1;
// and of the recovery code behind it: saved=1.
func (f *Flow) enroll(w http.ResponseWriter, r *http.Request, form url.Values) error {
	if form.Get("saved") == "1" {
		return f.show(w, r, http.StatusOK, page.Told{Kind: page.ToldEnrolled})
	}
	e, done, err := f.enrollment(w, r)
	if done || err != nil {
		return err
	}
	by := factor.Actor{Actor: visitor(r), Language: language(r, "")}
	redeem := f.d.Factors.Redeem
	if e.ticket.Kind == factor.Phone {
		if form.Has("phone_number") || form.Get("resend") == "1" {
			return f.textEnrollment(w, r, e, form, by)
		}
		redeem = f.d.Factors.RedeemPhone
	}
	if form.Get("code") == "" {
		return f.askEnrollment(w, r, http.StatusBadRequest, e, false, "", page.MissingInput)
	}
	recovery, err := redeem(r.Context(), e.ticket, e.user, form.Get("code"), by)
	if problem, status, ok := factorProblem(err, page.WrongCode); ok {
		return f.askEnrollment(w, r, status, e, false, "", problem)
	}
	switch {
	case errors.Is(err, factor.ErrTicket):
		return f.linkOver(w, r)
	case err != nil:
		return err
	case recovery == "":
		return f.show(w, r, http.StatusOK, page.Told{Kind: page.ToldEnrolled})
	}
	return f.show(w, r, http.StatusOK, page.RecoveryCode{Action: factor.TicketPath, Code: recovery})
}

// textEnrollment sends a code to the number that was typed, or to the one before
// once more.
func (f *Flow) textEnrollment(w http.ResponseWriter, r *http.Request, e enrollment, form url.Values, by factor.Actor) error {
	phone, again := e.ticket.Phone, form.Has("phone_number") || e.ticket.Phone == ""
	if again {
		var problem page.Problem
		if phone, problem = phoneProblem(form.Get("phone_number")); problem != "" {
			return f.askEnrollment(w, r, http.StatusBadRequest, e, true, form.Get("phone_number"), problem)
		}
	}
	_, err := f.d.Factors.SendTicketCode(r.Context(), e.ticket, e.user, phone, by)
	if problem, status, ok := factorProblem(err, page.WrongCode); ok {
		return f.askEnrollment(w, r, status, e, again, form.Get("phone_number"), problem)
	}
	if errors.Is(err, factor.ErrTicket) {
		return f.linkOver(w, r)
	}
	if err != nil {
		return err
	}
	redirect(w, r, e.action)
	return nil
}
