package login

import (
	"context"
	"net/http"
	"net/url"
	"slices"

	"mangrove/internal/factor"
	"mangrove/internal/page"
	"mangrove/internal/session"
	"mangrove/internal/user"
	"mangrove/internal/web"
)

// showFactorChoice is GET /u/mfa-begin-enroll-options?state=….
func (f *Flow) showFactorChoice(w http.ResponseWriter, r *http.Request) error {
	m, done, err := f.atFactor(w, r, factor.EnrollStep)
	if done || err != nil {
		return err
	}
	return f.show(w, r, http.StatusOK, page.MFAChoose{Frame: f.frame(m.pass), Others: m.otherKinds("")})
}

// atEnrollment is atFactor for the page that enrolls a kind.
func (f *Flow) atEnrollment(w http.ResponseWriter, r *http.Request, k factor.Kind) (m *mfaStep, done bool, err error) {
	m, done, err = f.atFactor(w, r, factor.EnrollStep)
	if done || err != nil || slices.Contains(m.due.Kinds, k) {
		return m, done, err
	}
	redirect(w, r, at(factorPath(m.due), m.id))
	return nil, true, nil
}

// showOTPEnrollment is GET /u/mfa-otp-enrollment?state=….
func (f *Flow) showOTPEnrollment(w http.ResponseWriter, r *http.Request) error {
	m, done, err := f.atEnrollment(w, r, factor.TOTP)
	if done || err != nil {
		return err
	}
	var seed string
	ok, err := m.prog.get(scratchSeed, &seed)
	if err != nil {
		return err
	}
	if !ok {
		seed = factor.NewSeed()
		if err := f.remember(r.Context(), m.pass, scratchSeed, seed); err != nil {
			return err
		}
	}
	return f.showSeed(w, r, http.StatusOK, m, seed, "")
}

// showSeed draws the page of a new application.
func (f *Flow) showSeed(w http.ResponseWriter, r *http.Request, status int, m *mfaStep, seed string, problem page.Problem) error {
	view, err := f.seedView(r.Context(), m.user, seed)
	if err != nil {
		return err
	}
	view.Frame, view.Action, view.Problem, view.Others = f.frame(m.pass), at(otpEnrollPath, m.id), problem, m.otherKinds(factor.TOTP)
	return f.show(w, r, status, view)
}

// enrollOTP is the form of that page: code.
func (f *Flow) enrollOTP(w http.ResponseWriter, r *http.Request, form url.Values) error {
	m, done, err := f.atEnrollment(w, r, factor.TOTP)
	if done || err != nil {
		return err
	}
	var seed string
	ok, err := m.prog.get(scratchSeed, &seed)
	if err != nil {
		return err
	}
	if !ok {
		redirect(w, r, at(otpEnrollPath, m.id))
		return nil
	}
	if form.Get("code") == "" {
		return f.showSeed(w, r, http.StatusBadRequest, m, seed, page.MissingInput)
	}
	recovery, err := f.d.Factors.EnrollTOTP(r.Context(), m.user, seed, form.Get("code"), f.shows(r, m.pass))
	if problem, status, ok := factorProblem(err, page.WrongCode); ok {
		return f.showSeed(w, r, status, m, seed, problem)
	}
	if err != nil {
		return err
	}
	return f.enrolled(w, r, m.pass, recovery, session.OTP)
}

// emailEnrollment is the code that proves the user's own address once more.
func emailEnrollment(m *mfaStep) codeStep {
	return codeStep{to: factor.Enrolling(factor.Email, ownAddress(m.user)), path: mfaEmailNewPath, others: m.otherKinds(factor.Email)}
}

// showEmailEnrollment is GET /u/mfa-email-enrollment?state=….
func (f *Flow) showEmailEnrollment(w http.ResponseWriter, r *http.Request) error {
	m, done, err := f.atEnrollment(w, r, factor.Email)
	if done || err != nil {
		return err
	}
	return f.codePage(w, r, m, emailEnrollment(m))
}

// enrollEmail is the form of that page: code, or resend=1.
func (f *Flow) enrollEmail(w http.ResponseWriter, r *http.Request, form url.Values) error {
	m, done, err := f.atEnrollment(w, r, factor.Email)
	if done || err != nil {
		return err
	}
	return f.enrollByCode(w, r, m, emailEnrollment(m), form)
}

// enrollByCode takes the code that was sent to what is being enrolled, or sends
// another.
func (f *Flow) enrollByCode(w http.ResponseWriter, r *http.Request, m *mfaStep, s codeStep, form url.Values) error {
	var recovery string
	check := func(secret string) (err error) {
		recovery, err = f.d.Factors.EnrollCode(r.Context(), m.user, s.to, secret, form.Get("code"), f.shows(r, m.pass))
		return err
	}
	return f.takeFactorCode(w, r, m, s, form, check, func() error {
		return f.enrolled(w, r, m.pass, recovery, factorMethod(s.to.Kind))
	})
}

// showKeyEnrollment is GET /u/mfa-webauthn-roaming-enrollment?state=… and its twin
// for platform authenticators.
func (f *Flow) showKeyEnrollment(k factor.Kind) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		m, done, err := f.atEnrollment(w, r, k)
		if done || err != nil {
			return err
		}
		return f.offerNewKey(w, r, http.StatusOK, m.pass, m.user, k, enrollPath(k), "")
	}
}

// enrollKey is the form of that page: passkey; skip=1 leads back to the choice.
func (f *Flow) enrollKey(k factor.Kind) submitted {
	return func(w http.ResponseWriter, r *http.Request, form url.Values) error {
		m, done, err := f.atEnrollment(w, r, k)
		if done || err != nil {
			return err
		}
		if form.Get("skip") == "1" {
			redirect(w, r, at(chooseFactorPath, m.id))
			return nil
		}
		var c factor.Ceremony
		if _, err := m.prog.get(scratchKey, &c); err != nil {
			return err
		}
		recovery, err := f.d.Factors.EnrollKey(r.Context(), m.user, k, c.Session, form.Get("passkey"), f.shows(r, m.pass))
		if problem, status, ok := factorProblem(err, page.PasskeyFailed); ok {
			return f.offerNewKey(w, r, status, m.pass, m.user, k, enrollPath(k), problem)
		}
		if err != nil {
			return err
		}
		return f.enrolled(w, r, m.pass, recovery, session.Key)
	}
}

// seedView is what a page shows of the secret of a new application.
func (f *Flow) seedView(ctx context.Context, u *user.User, seed string) (page.MFAEnroll, error) {
	issuer, err := f.d.Factors.Issuer(ctx)
	if err != nil {
		return page.MFAEnroll{}, err
	}
	account := factor.AccountOf(u)
	png, err := factor.QRCode(factor.SeedURI(seed, issuer, account))
	return page.MFAEnroll{PNG: png, Secret: seed, Account: account}, err
}

// offerNewKey begins a ceremony that makes a key.
func (f *Flow) offerNewKey(w http.ResponseWriter, r *http.Request, status int, p *pass, u *user.User, k factor.Kind, path string, problem page.Problem) error {
	c, err := f.d.Factors.BeginEnrollKey(r.Context(), u, k)
	if err != nil {
		return err
	}
	if err := f.remember(r.Context(), p, scratchKey, c); err != nil {
		return err
	}
	return f.show(w, r, status, page.PasskeyOffer{Frame: f.frame(p), Kind: keyKind(k), Action: at(path, p.id), Options: c.Options, Problem: problem})
}

// keyKind is how pages name what a ceremony makes.
func keyKind(k factor.Kind) page.KeyKind {
	switch k {
	case factor.Roaming:
		return page.SecurityKey
	case factor.Platform:
		return page.PlatformKey
	}
	return page.PasskeyKey
}
