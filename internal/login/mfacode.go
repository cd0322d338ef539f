package login

import (
	"net/http"
	"net/url"

	"mangrove/internal/factor"
	"mangrove/internal/page"
	"mangrove/internal/session"
	"mangrove/internal/web"
)

// factorCode is a code on its way.
type factorCode struct {
	Device string `json:"device"`
	Secret string `json:"secret"`
	Resent bool   `json:"resent,omitzero"`
}

// codeStep is a page that asks for a code that was sent.
type codeStep struct {
	to     factor.Factor
	path   string
	others []page.Link
	trust  bool // may be offered
	// edit is where another number is typed; empty: it is known.
	edit string
}

// atFactorCode is atFactor for the page that asks for a code that was sent.
func (f *Flow) atFactorCode(w http.ResponseWriter, r *http.Request, k factor.Kind) (m *mfaStep, s codeStep, done bool, err error) {
	m, done, err = f.atFactor(w, r, factor.ChallengeStep)
	if done || err != nil {
		return nil, s, done, err
	}
	to, ok := ofKind(m.due.All, k)
	if !ok {
		redirect(w, r, at(factorPath(m.due), m.id))
		return nil, s, true, nil
	}
	return m, codeStep{to: to, path: challengePath(k), others: m.others(challengePath(k)), trust: true}, false, nil
}

// showFactorCode is GET /u/mfa-email-challenge?state=… and its twin for SMS. The
// first visit sends the code.
func (f *Flow) showFactorCode(k factor.Kind) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		m, s, done, err := f.atFactorCode(w, r, k)
		if done || err != nil {
			return err
		}
		return f.codePage(w, r, m, s)
	}
}

// enterFactorCode is the form of that page: code, trust, or resend=1.
func (f *Flow) enterFactorCode(k factor.Kind) submitted {
	return func(w http.ResponseWriter, r *http.Request, form url.Values) error {
		m, s, done, err := f.atFactorCode(w, r, k)
		if done || err != nil {
			return err
		}
		check := func(secret string) error {
			_, err := f.d.Factors.CheckCode(r.Context(), m.user, secret, form.Get("code"), f.shows(r, m.pass))
			return err
		}
		return f.takeFactorCode(w, r, m, s, form, check, func() error {
			return f.shown(w, r, m, form.Get("trust") == "1", factorMethod(k))
		})
	}
}

// takeFactorCode is the form of a page that asks for a code: code, or resend=1.
// check judges the code that belongs to the secret; then goes on.
func (f *Flow) takeFactorCode(w http.ResponseWriter, r *http.Request, m *mfaStep, s codeStep, form url.Values, check func(secret string) error, then func() error) error {
	if form.Get("resend") == "1" {
		return f.sendFactorCode(w, r, m, s, true)
	}
	sent, _, err := m.codeSent(s)
	if err != nil {
		return err
	}
	if form.Get("code") == "" {
		return f.askFactorCode(w, r, http.StatusBadRequest, m, s, sent, page.MissingInput)
	}
	err = check(sent.Secret)
	if problem, status, ok := factorProblem(err, page.WrongCode); ok {
		return f.askFactorCode(w, r, status, m, s, sent, problem)
	}
	if err != nil {
		return err
	}
	return then()
}

// codePage shows the page, and sends the code if none is on its way.
func (f *Flow) codePage(w http.ResponseWriter, r *http.Request, m *mfaStep, s codeStep) error {
	sent, ok, err := m.codeSent(s)
	if err != nil {
		return err
	}
	if ok {
		return f.askFactorCode(w, r, http.StatusOK, m, s, sent, "")
	}
	return f.sendFactorCode(w, r, m, s, false)
}

// codeSent is the code on its way to the factor of the step.
func (m *mfaStep) codeSent(s codeStep) (factorCode, bool, error) {
	var sent factorCode
	ok, err := m.prog.get(scratchCode, &sent)
	return sent, ok && sent.Device == s.to.Device, err
}

// sendFactorCode sends a code to the factor of the step; resent: the person asked
// for another.
func (f *Flow) sendFactorCode(w http.ResponseWriter, r *http.Request, m *mfaStep, s codeStep, resent bool) error {
	secret, err := f.d.Factors.SendCode(r.Context(), m.user, s.to, f.shows(r, m.pass))
	if problem, status, ok := factorProblem(err, page.WrongCode); ok {
		return f.askFactorCode(w, r, status, m, s, factorCode{}, problem)
	}
	if err != nil {
		return err
	}
	sent := factorCode{Device: s.to.Device, Secret: secret, Resent: resent}
	if err := f.remember(r.Context(), m.pass, scratchCode, sent); err != nil {
		return err
	}
	if resent {
		redirect(w, r, at(s.path, m.id))
		return nil
	}
	return f.askFactorCode(w, r, http.StatusOK, m, s, sent, "")
}

// askFactorCode draws the page of a code that was sent.
func (f *Flow) askFactorCode(w http.ResponseWriter, r *http.Request, status int, m *mfaStep, s codeStep, sent factorCode, problem page.Problem) error {
	view := page.OneTimeCode{
		Frame: f.frame(m.pass), Action: at(s.path, m.id), Channel: page.ByEmail, SecondFactor: true, Recipient: s.to.Shown(), Length: 6,
		Problem: problem, Resent: sent.Resent && problem == "", Others: s.others, OfferTrust: s.trust && !factor.Asked(m.req.ACRValues), EditURL: s.edit,
	}
	if s.to.Kind == factor.Phone {
		view.Channel = page.BySMS
	}
	return f.show(w, r, status, view)
}

// factorMethod is the proof that a code of the kind is.
func factorMethod(k factor.Kind) string {
	if k == factor.Phone {
		return session.SMSCode
	}
	return session.EmailCode
}
