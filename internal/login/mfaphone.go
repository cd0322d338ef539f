package login

import (
	"net/http"
	"net/url"

	"mangrove/internal/factor"
	"mangrove/internal/page"
	onetime "mangrove/internal/passwordless"
	"mangrove/internal/profile"
)

// showPhoneEnrollment is GET /u/mfa-sms-enrollment?state=…: it asks for a number,
// and then for the code that was sent there; with edit=1 for another number.
func (f *Flow) showPhoneEnrollment(w http.ResponseWriter, r *http.Request) error {
	m, done, err := f.atEnrollment(w, r, factor.Phone)
	if done || err != nil {
		return err
	}
	q, err := query(r)
	if err != nil {
		return err
	}
	var phone string
	ok, err := m.prog.get(scratchPhone, &phone)
	if err != nil {
		return err
	}
	if !ok || q.Get("edit") == "1" {
		return f.askPhone(w, r, http.StatusOK, m, phone, "")
	}
	return f.codePage(w, r, m, phoneEnrollment(m, phone))
}

// phoneEnrollment is the code that proves a number.
func phoneEnrollment(m *mfaStep, phone string) codeStep {
	return codeStep{
		to: factor.Enrolling(factor.Phone, phone), path: mfaSMSNewPath, others: m.otherKinds(factor.Phone), edit: at(mfaSMSNewPath, m.id) + "&edit=1",
	}
}

// askPhone shows the field for the number: what was typed, or the user's own.
func (f *Flow) askPhone(w http.ResponseWriter, r *http.Request, status int, m *mfaStep, typed string, problem page.Problem) error {
	if typed == "" && problem == "" {
		typed = m.user.Profile.Text(profile.PhoneNumber)
	}
	return f.show(w, r, status, page.MFAPhone{
		Frame: f.frame(m.pass), Action: at(mfaSMSNewPath, m.id), Value: typed, Problem: problem, Others: m.otherKinds(factor.Phone),
	})
}

// phoneProblem is what the field says of a number; empty: it is one.
func phoneProblem(typed string) (phone string, problem page.Problem) {
	if typed == "" {
		return "", page.MissingInput
	}
	phone, ok := onetime.Typed(profile.PasswordlessSMS, typed)
	if !ok {
		return "", page.InvalidPhone
	}
	return phone, ""
}

// enrollPhone is the form of that page: phone_number, or code, or resend=1. The
// number that is enrolled is the one to which the code went.
func (f *Flow) enrollPhone(w http.ResponseWriter, r *http.Request, form url.Values) error {
	m, done, err := f.atEnrollment(w, r, factor.Phone)
	if done || err != nil {
		return err
	}
	if form.Has("phone_number") {
		return f.takePhone(w, r, m, form.Get("phone_number"))
	}
	var phone string
	ok, err := m.prog.get(scratchPhone, &phone)
	if err != nil {
		return err
	}
	if !ok {
		redirect(w, r, at(mfaSMSNewPath, m.id))
		return nil
	}
	return f.enrollByCode(w, r, m, phoneEnrollment(m, phone), form)
}

// takePhone sends a code to a number that was typed. Until it is sent, nothing of
// an earlier number is forgotten.
func (f *Flow) takePhone(w http.ResponseWriter, r *http.Request, m *mfaStep, typed string) error {
	phone, problem := phoneProblem(typed)
	if problem != "" {
		return f.askPhone(w, r, http.StatusBadRequest, m, typed, problem)
	}
	to := factor.Enrolling(factor.Phone, phone)
	secret, err := f.d.Factors.SendCode(r.Context(), m.user, to, f.shows(r, m.pass))
	if problem, status, ok := factorProblem(err, page.WrongCode); ok {
		return f.askPhone(w, r, status, m, typed, problem)
	}
	if err != nil {
		return err
	}
	if err := m.prog.put(scratchPhone, phone); err != nil {
		return err
	}
	if err := f.remember(r.Context(), m.pass, scratchCode, factorCode{Device: to.Device, Secret: secret}); err != nil {
		return err
	}
	redirect(w, r, at(mfaSMSNewPath, m.id))
	return nil
}
