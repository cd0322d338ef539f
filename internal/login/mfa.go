package login

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"mangrove/internal/client"
	"mangrove/internal/factor"
	"mangrove/internal/oauth"
	"mangrove/internal/page"
	"mangrove/internal/profile"
	"mangrove/internal/session"
	"mangrove/internal/user"
)

// The pages of second factors (reference/authentication.md §2.5).
const (
	otpPath           = "/u/mfa-otp-challenge"
	otpEnrollPath     = "/u/mfa-otp-enrollment"
	recoveryPath      = "/u/mfa-recovery-code-challenge"
	recoveryShownPath = "/u/mfa-recovery-code-enrollment"
	mfaEmailPath      = "/u/mfa-email-challenge"
	mfaSMSPath        = "/u/mfa-sms-challenge"
	mfaEmailNewPath   = "/u/mfa-email-enrollment"
	mfaSMSNewPath     = "/u/mfa-sms-enrollment"
	keyPath           = "/u/mfa-webauthn-roaming-challenge"
	roamingEnrollPath = "/u/mfa-webauthn-roaming-enrollment"
	platformNewPath   = "/u/mfa-webauthn-platform-enrollment"
	chooseFactorPath  = "/u/mfa-begin-enroll-options"
)

// What the steps remember, by these names.
const (
	scratchSeed     = "mfa-seed"     // string: the secret of an application that is being enrolled
	scratchCode     = "mfa-code"     // factorCode
	scratchPhone    = "mfa-phone"    // string: the number that is being enrolled, to which a code went
	scratchKey      = "mfa-key"      // factor.Ceremony
	scratchRecovery = "mfa-recovery" // shownRecovery
)

// challengePath is the page that asks for a kind.
func challengePath(k factor.Kind) string {
	switch k {
	case factor.TOTP:
		return otpPath
	case factor.Phone:
		return mfaSMSPath
	case factor.Email:
		return mfaEmailPath
	default:
		return keyPath
	}
}

// enrollPath is the page that enrolls a kind.
func enrollPath(k factor.Kind) string {
	switch k {
	case factor.Email:
		return mfaEmailNewPath
	case factor.Phone:
		return mfaSMSNewPath
	case factor.Roaming:
		return roamingEnrollPath
	case factor.Platform:
		return platformNewPath
	default:
		return otpEnrollPath
	}
}

// factorLabel is how pages name a kind.
func factorLabel(k factor.Kind) string {
	switch k {
	case factor.TOTP:
		return "otp"
	case factor.Phone:
		return "sms"
	case factor.Roaming, factor.Platform:
		return "webauthn"
	}
	return string(k)
}

// preference is in which order kinds are asked for: what cannot be phished, then
// what needs no message.
var preference = []factor.Kind{factor.Platform, factor.Roaming, factor.TOTP, factor.Email, factor.Phone}

// first is the kind that is asked for; empty: none of them.
func first(all []factor.Factor) factor.Kind {
	for _, k := range preference {
		if _, ok := ofKind(all, k); ok {
			return k
		}
	}
	return ""
}

// ofKind is the first second factor of a kind.
func ofKind(all []factor.Factor, k factor.Kind) (factor.Factor, bool) {
	for _, f := range factor.Seconds(all) {
		if f.Kind == k {
			return f, true
		}
	}
	return factor.Factor{}, false
}

// factorPath is the page that an answer leads to; empty: none.
func factorPath(a factor.Answer) string {
	switch {
	case a.Step == factor.ChallengeStep:
		return challengePath(first(a.All))
	case a.Step == factor.EnrollStep && len(a.Kinds) == 1:
		return enrollPath(a.Kinds[0])
	case a.Step == factor.EnrollStep:
		return chooseFactorPath
	}
	return ""
}

// secondFactor is the page on which the person shows a second factor; empty: none is due.
func (f *Flow) secondFactor(r *http.Request, p *pass, u *user.User) (string, error) {
	a, err := f.factorDue(r, p, u)
	return factorPath(a), err
}

// factorDue says what of second factors a login lacks.
func (f *Flow) factorDue(r *http.Request, p *pass, u *user.User) (factor.Answer, error) {
	if f.d.Factors == nil {
		return factor.Answer{}, nil
	}
	c, err := f.connection(r.Context(), p.prog.ConnectionID)
	if err != nil {
		return factor.Answer{}, err
	}
	return f.d.Factors.Due(r.Context(), u, factor.Question{
		Connection: c, Methods: p.prog.Methods, ACRValues: p.req.ACRValues, Browser: cookieValue(r, f.trustCookie()), CanEnroll: pageEnrolls(u),
		Insist: f.aboutFactors(p.req),
	})
}

// aboutFactors reports a request for a token by which the factors of the account
// can be changed (reference/authentication.md §3.10).
func (f *Flow) aboutFactors(req oauth.AuthorizeRequest) bool {
	return req.Audience == f.d.PublicURL+"/mfa/"
}

// pageEnrolls says what the pages can enroll for a user: of addresses, the one
// that the user is known to have.
func pageEnrolls(u *user.User) func(factor.Kind) bool {
	return func(k factor.Kind) bool {
		return k != factor.Email || ownAddress(u) != ""
	}
}

// ownAddress is the user's verified address; empty: none.
func ownAddress(u *user.User) string {
	if !u.Profile.True(profile.EmailVerified) {
		return ""
	}
	return u.Profile.Text(profile.Email)
}

// MFADue reports whether the request asks for a second factor that the session has
// not shown, or is about factors and the user has some. What the tenant asks for was asked when the session began.
func (f *Flow) MFADue(ctx context.Context, u *user.User, _ *client.Client, req oauth.AuthorizeRequest, s session.Session) (bool, error) {
	insist := f.aboutFactors(req)
	if f.d.Factors == nil || s.Multifactor() || !factor.Asked(req.ACRValues) && !insist {
		return false, nil
	}
	c, err := f.connection(ctx, s.ConnectionID)
	if err != nil {
		return false, err
	}
	a, err := f.d.Factors.Due(ctx, u, factor.Question{Connection: c, Methods: s.Methods, ACRValues: req.ACRValues, CanEnroll: pageEnrolls(u), Insist: insist})
	return a.Step != factor.NoStep, err
}

// mfaStep is a login that has come to a second factor.
type mfaStep struct {
	*pass
	user *user.User
	due  factor.Answer
}

// atFactor opens a login that has come to a second factor. Where another step is
// due than the page's, the browser is led there; done: the request was answered.
func (f *Flow) atFactor(w http.ResponseWriter, r *http.Request, step factor.Step) (m *mfaStep, done bool, err error) {
	m = &mfaStep{}
	if m.pass, err = f.opened(r); err != nil {
		return nil, false, err
	}
	if m.user, err = f.person(r.Context(), m.pass); err != nil {
		return nil, false, err
	}
	if m.due, err = f.factorDue(r, m.pass, m.user); err != nil {
		return nil, false, err
	}
	switch m.due.Step {
	case step:
		return m, false, nil
	case factor.NoStep:
		if err := f.take(r.Context(), m.pass); err != nil {
			return nil, false, err
		}
		return nil, true, f.goOn(w, r, m.pass, m.user)
	}
	redirect(w, r, at(factorPath(m.due), m.id))
	return nil, true, nil
}

// others are the links to the other factors of the user.
func (m *mfaStep) others(but string) []page.Link {
	var out []page.Link
	add := func(label, path string) {
		if path != but && !slices.ContainsFunc(out, func(l page.Link) bool { return l.Label == label }) {
			out = append(out, page.Link{Label: label, URL: at(path, m.id)})
		}
	}
	for _, k := range preference {
		if _, ok := ofKind(m.due.All, k); ok {
			add(factorLabel(k), challengePath(k))
		}
	}
	if factor.HasRecovery(m.due.All) {
		add(string(factor.Recovery), recoveryPath)
	}
	return out
}

// otherKinds are the links to the other kinds that can be enrolled.
func (m *mfaStep) otherKinds(but factor.Kind) []page.Link {
	var out []page.Link
	for _, k := range m.due.Kinds {
		if k != but {
			out = append(out, page.Link{Label: factorLabel(k), URL: at(enrollPath(k), m.id)})
		}
	}
	return out
}

// shows is who shows or enrolls a factor in a login.
func (f *Flow) shows(r *http.Request, p *pass) factor.Actor {
	a := f.actor(r, p)
	return factor.Actor{Actor: a, Language: a.Language}
}

// factorProblem is what a page says of a factor that was refused; false: it is a
// failure of ours.
func factorProblem(err error, wrong page.Problem) (page.Problem, int, bool) {
	switch {
	case errors.Is(err, factor.ErrWrong):
		return wrong, http.StatusBadRequest, true
	case errors.Is(err, factor.ErrLimited):
		return page.TooManyRequests, http.StatusTooManyRequests, true
	case errors.Is(err, factor.ErrExists), errors.Is(err, factor.ErrMany):
		return page.PasskeyFailed, http.StatusBadRequest, true
	case errors.Is(err, factor.ErrNotSent), errors.Is(err, factor.ErrUnservable):
		return page.MessageNotSent, http.StatusBadRequest, true
	}
	return "", 0, false
}
