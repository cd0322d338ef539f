package login

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"mangrove/internal/errs"
	"mangrove/internal/factor"
	"mangrove/internal/page"
	"mangrove/internal/session"
)

// showOTP is GET /u/mfa-otp-challenge?state=….
func (f *Flow) showOTP(w http.ResponseWriter, r *http.Request) error {
	m, done, err := f.atFactor(w, r, factor.ChallengeStep)
	if done || err != nil {
		return err
	}
	return f.askOTP(w, r, http.StatusOK, m, "")
}

func (f *Flow) askOTP(w http.ResponseWriter, r *http.Request, status int, m *mfaStep, problem page.Problem) error {
	return f.show(w, r, status, page.MFACode{
		Frame: f.frame(m.pass), Action: at(otpPath, m.id), Problem: problem, Others: m.others(otpPath), OfferTrust: !factor.Asked(m.req.ACRValues),
	})
}

// enterOTP is the form of that page: code, trust.
func (f *Flow) enterOTP(w http.ResponseWriter, r *http.Request, form url.Values) error {
	m, done, err := f.atFactor(w, r, factor.ChallengeStep)
	if done || err != nil {
		return err
	}
	if form.Get("code") == "" {
		return f.askOTP(w, r, http.StatusBadRequest, m, page.MissingInput)
	}
	err = f.d.Factors.CheckOTP(r.Context(), m.user, form.Get("code"), f.shows(r, m.pass))
	if problem, status, ok := factorProblem(err, page.WrongCode); ok {
		return f.askOTP(w, r, status, m, problem)
	}
	if err != nil {
		return err
	}
	return f.shown(w, r, m, form.Get("trust") == "1", session.OTP)
}

// showRecovery is GET /u/mfa-recovery-code-challenge?state=….
func (f *Flow) showRecovery(w http.ResponseWriter, r *http.Request) error {
	m, done, err := f.atFactor(w, r, factor.ChallengeStep)
	if done || err != nil {
		return err
	}
	return f.askRecovery(w, r, http.StatusOK, m, "")
}

func (f *Flow) askRecovery(w http.ResponseWriter, r *http.Request, status int, m *mfaStep, problem page.Problem) error {
	return f.show(w, r, status, page.MFARecovery{
		Frame: f.frame(m.pass), Action: at(recoveryPath, m.id), Problem: problem, Others: m.others(recoveryPath),
	})
}

// enterRecovery is the form of that page: code. The next recovery code is shown
// before the login goes on.
func (f *Flow) enterRecovery(w http.ResponseWriter, r *http.Request, form url.Values) error {
	m, done, err := f.atFactor(w, r, factor.ChallengeStep)
	if done || err != nil {
		return err
	}
	if form.Get("code") == "" {
		return f.askRecovery(w, r, http.StatusBadRequest, m, page.MissingInput)
	}
	next, err := f.d.Factors.CheckRecovery(r.Context(), m.user, form.Get("code"), f.shows(r, m.pass))
	if problem, status, ok := factorProblem(err, page.WrongRecoveryCode); ok {
		return f.askRecovery(w, r, status, m, problem)
	}
	if err != nil {
		return err
	}
	return f.enrolled(w, r, m.pass, next, session.Recovery)
}

// showKey is GET /u/mfa-webauthn-roaming-challenge?state=….
func (f *Flow) showKey(w http.ResponseWriter, r *http.Request) error {
	m, done, err := f.atFactor(w, r, factor.ChallengeStep)
	if done || err != nil {
		return err
	}
	return f.askKey(w, r, http.StatusOK, m, "")
}

// errNoKey: the page of security keys has nobody to ask.
var errNoKey = errs.New(errs.Invalid, "invalid_request", "Your security key cannot be used here.")

// askKey begins a ceremony: an answer is good for one.
func (f *Flow) askKey(w http.ResponseWriter, r *http.Request, status int, m *mfaStep, problem page.Problem) error {
	c, err := f.d.Factors.BeginKey(r.Context(), m.user)
	if errors.Is(err, factor.ErrNone) {
		// The key went a moment ago, or this server has an address at which none works.
		links := m.others(keyPath)
		if len(links) == 0 {
			return errNoKey
		}
		redirect(w, r, links[0].URL)
		return nil
	}
	if err != nil {
		return err
	}
	if err := f.remember(r.Context(), m.pass, scratchKey, c); err != nil {
		return err
	}
	return f.show(w, r, status, page.MFAWebAuthn{
		Frame: f.frame(m.pass), Action: at(keyPath, m.id), Options: c.Options, Problem: problem, Others: m.others(keyPath),
	})
}

// enterKey is the form of that page: passkey.
func (f *Flow) enterKey(w http.ResponseWriter, r *http.Request, form url.Values) error {
	m, done, err := f.atFactor(w, r, factor.ChallengeStep)
	if done || err != nil {
		return err
	}
	var c factor.Ceremony
	if _, err := m.prog.get(scratchKey, &c); err != nil {
		return err
	}
	err = f.d.Factors.CheckKey(r.Context(), m.user, c.Session, form.Get("passkey"), f.shows(r, m.pass))
	if problem, status, ok := factorProblem(err, page.PasskeyFailed); ok {
		return f.askKey(w, r, status, m, problem)
	}
	if err != nil {
		return err
	}
	return f.shown(w, r, m, false, session.Key)
}

// shown goes on after a factor that was right. trust: the browser is not asked
// again for a while.
func (f *Flow) shown(w http.ResponseWriter, r *http.Request, m *mfaStep, trust bool, methods ...string) error {
	if trust {
		secret, err := f.d.Factors.Trust(r.Context(), string(m.user.ID))
		if err != nil {
			return err
		}
		f.setCookie(w, f.trustCookie(), secret, factor.TrustLifetime*time.Microsecond)
	}
	return f.confirmed(w, r, m.pass, append(methods, session.MFA)...)
}
