package login

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/go-chi/chi/v5"

	"mangrove/internal/client"
	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/factor"
	"mangrove/internal/oauth"
	"mangrove/internal/page"
	onetime "mangrove/internal/passwordless"
	"mangrove/internal/profile"
	"mangrove/internal/session"
	"mangrove/internal/user"
	"mangrove/internal/web"
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

// factorCode is a code on its way.
type factorCode struct {
	Device string `json:"device"`
	Secret string `json:"secret"`
	Resent bool   `json:"resent,omitzero"`
}

// shownRecovery is a recovery code that has to be seen before the login goes on,
// and the proofs that were given. It is written by the server alone, once they were.
type shownRecovery struct {
	Code    string   `json:"code"`
	Methods []string `json:"methods"`
}

func (f *Flow) mountFactors(r chi.Router) {
	for _, route := range []struct {
		path       string
		show, post web.Handler
	}{
		{otpPath, f.showOTP, f.enterOTP},
		{otpEnrollPath, f.showOTPEnrollment, f.enrollOTP},
		{recoveryPath, f.showRecovery, f.enterRecovery},
		{recoveryShownPath, f.showNewRecovery, f.savedRecovery},
		{mfaEmailPath, f.showFactorCode(factor.Email), f.enterFactorCode(factor.Email)},
		{mfaSMSPath, f.showFactorCode(factor.Phone), f.enterFactorCode(factor.Phone)},
		{mfaEmailNewPath, f.showEmailEnrollment, f.enrollEmail},
		{mfaSMSNewPath, f.showPhoneEnrollment, f.enrollPhone},
		{keyPath, f.showKey, f.enterKey},
		{roamingEnrollPath, f.showKeyEnrollment(factor.Roaming), f.enrollKey(factor.Roaming)},
		{platformNewPath, f.showKeyEnrollment(factor.Platform), f.enrollKey(factor.Platform)},
		{passkeyNewPath, f.showPasskeyOffer, f.answerPasskeyOffer},
		{factor.TicketPath, f.showEnrollment, f.enroll},
	} {
		r.Get(route.path, web.Serve(route.show, f.fail).ServeHTTP)
		r.Post(route.path, web.Serve(f.ours(route.post), f.fail).ServeHTTP)
	}
	r.Get(chooseFactorPath, web.Serve(f.showFactorChoice, f.fail).ServeHTTP)
	r.Post(passkeyPath, web.Serve(f.ours(f.enterPasskey), f.fail).ServeHTTP)
}

// ours lets only forms of our own pages in.
func (f *Flow) ours(h web.Handler) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if !f.sameSite(r) {
			return errForeign
		}
		return h(w, r)
	}
}

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
		if slices.ContainsFunc(factor.Seconds(all), func(f factor.Factor) bool { return f.Kind == k }) {
			return k
		}
	}
	return ""
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

func (f *Flow) factorDue(r *http.Request, p *pass, u *user.User) (factor.Answer, error) {
	if f.d.Factors == nil {
		return factor.Answer{}, nil
	}
	c, err := f.d.Connections.Connection(r.Context(), p.prog.ConnectionID)
	if err != nil && errs.KindOf(err) != errs.NotFound {
		return factor.Answer{}, err
	}
	if err != nil {
		c = nil
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
	c, err := f.d.Connections.Connection(ctx, s.ConnectionID)
	if errs.KindOf(err) == errs.NotFound {
		c, err = nil, nil
	}
	if err != nil {
		return false, err
	}
	a, err := f.d.Factors.Due(ctx, u, factor.Question{Connection: c, Methods: s.Methods, ACRValues: req.ACRValues, CanEnroll: pageEnrolls(u), Insist: insist})
	return a.Step != factor.NoStep, err
}

// atFactor opens a login that has come to a second factor. Where another step is
// due than the page's, the browser is led there; done: the request was answered.
func (f *Flow) atFactor(w http.ResponseWriter, r *http.Request, step factor.Step) (p *pass, u *user.User, a factor.Answer, done bool, err error) {
	if p, err = f.opened(r); err != nil {
		return nil, nil, a, false, err
	}
	if u, err = f.person(r.Context(), p); err != nil {
		return nil, nil, a, false, err
	}
	if a, err = f.factorDue(r, p, u); err != nil {
		return nil, nil, a, false, err
	}
	switch a.Step {
	case step:
		return p, u, a, false, nil
	case factor.NoStep:
		if err := f.take(r.Context(), p); err != nil {
			return nil, nil, a, false, err
		}
		return nil, nil, a, true, f.goOn(w, r, p, u)
	}
	redirect(w, r, at(factorPath(a), p.id))
	return nil, nil, a, true, nil
}

// others are the links to the other factors of the user.
func others(p *pass, all []factor.Factor, but string) []page.Link {
	var out []page.Link
	add := func(label, path string) {
		if path != but && !slices.ContainsFunc(out, func(l page.Link) bool { return l.Label == label }) {
			out = append(out, page.Link{Label: label, URL: at(path, p.id)})
		}
	}
	seconds := factor.Seconds(all)
	for _, k := range preference {
		if slices.ContainsFunc(seconds, func(f factor.Factor) bool { return f.Kind == k }) {
			add(factorLabel(k), challengePath(k))
		}
	}
	if factor.HasRecovery(all) {
		add(string(factor.Recovery), recoveryPath)
	}
	return out
}

// otherKinds are the links to the other kinds that can be enrolled.
func otherKinds(p *pass, kinds []factor.Kind, but factor.Kind) []page.Link {
	var out []page.Link
	for _, k := range kinds {
		if k != but {
			out = append(out, page.Link{Label: factorLabel(k), URL: at(enrollPath(k), p.id)})
		}
	}
	return out
}

func (f *Flow) shows(r *http.Request, p *pass) factor.Actor {
	return factor.Actor{Actor: f.actor(r, p), Language: p.req.UILocales}
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

// trustCookie names the cookie of a browser that showed a second factor.
func (f *Flow) trustCookie() string {
	if f.secure {
		return "__Host-mangrove_mf"
	}
	return "mangrove_mf"
}

// shown goes on after a factor that was right. trust: the browser is not asked
// again for a while.
func (f *Flow) shown(w http.ResponseWriter, r *http.Request, p *pass, u *user.User, trust bool, methods ...string) error {
	if trust {
		secret, err := f.d.Factors.Trust(r.Context(), string(u.ID))
		if err != nil {
			return err
		}
		f.setCookie(w, f.trustCookie(), secret, factor.TrustLifetime*time.Microsecond)
	}
	return f.confirmed(w, r, p, append(methods, session.MFA)...)
}

// enrolled goes on after an enrollment: first the recovery code is shown, if there
// is one.
func (f *Flow) enrolled(w http.ResponseWriter, r *http.Request, p *pass, recovery string, methods ...string) error {
	methods = append(methods, session.MFA)
	if recovery == "" {
		return f.confirmed(w, r, p, methods...)
	}
	p.prog.Scratch = nil
	if err := p.prog.put(scratchRecovery, shownRecovery{recovery, methods}); err != nil {
		return err
	}
	return f.lead(w, r, p, recoveryShownPath)
}

// showOTP is GET /u/mfa-otp-challenge?state=….
func (f *Flow) showOTP(w http.ResponseWriter, r *http.Request) error {
	p, _, a, done, err := f.atFactor(w, r, factor.ChallengeStep)
	if done || err != nil {
		return err
	}
	return f.askOTP(w, r, http.StatusOK, p, a, "")
}

func (f *Flow) askOTP(w http.ResponseWriter, r *http.Request, status int, p *pass, a factor.Answer, problem page.Problem) error {
	return f.show(w, r, status, p, page.MFACode{
		Frame: f.frame(p), Action: at(otpPath, p.id), Problem: problem, Others: others(p, a.All, otpPath), OfferTrust: !factor.Asked(p.req.ACRValues),
	})
}

// enterOTP is the form of that page: code, trust.
func (f *Flow) enterOTP(w http.ResponseWriter, r *http.Request) error {
	form, err := postForm(w, r)
	if err != nil {
		return err
	}
	p, u, a, done, err := f.atFactor(w, r, factor.ChallengeStep)
	if done || err != nil {
		return err
	}
	if form.Get("code") == "" {
		return f.askOTP(w, r, http.StatusBadRequest, p, a, page.MissingInput)
	}
	err = f.d.Factors.CheckOTP(r.Context(), u, form.Get("code"), f.shows(r, p))
	if problem, status, ok := factorProblem(err, page.WrongCode); ok {
		return f.askOTP(w, r, status, p, a, problem)
	}
	if err != nil {
		return err
	}
	return f.shown(w, r, p, u, form.Get("trust") == "1", session.OTP)
}

// showRecovery is GET /u/mfa-recovery-code-challenge?state=….
func (f *Flow) showRecovery(w http.ResponseWriter, r *http.Request) error {
	p, _, a, done, err := f.atFactor(w, r, factor.ChallengeStep)
	if done || err != nil {
		return err
	}
	return f.askRecovery(w, r, http.StatusOK, p, a, "")
}

func (f *Flow) askRecovery(w http.ResponseWriter, r *http.Request, status int, p *pass, a factor.Answer, problem page.Problem) error {
	return f.show(w, r, status, p, page.MFARecovery{
		Frame: f.frame(p), Action: at(recoveryPath, p.id), Problem: problem, Others: others(p, a.All, recoveryPath),
	})
}

// enterRecovery is the form of that page: code. The next recovery code is shown
// before the login goes on.
func (f *Flow) enterRecovery(w http.ResponseWriter, r *http.Request) error {
	form, err := postForm(w, r)
	if err != nil {
		return err
	}
	p, u, a, done, err := f.atFactor(w, r, factor.ChallengeStep)
	if done || err != nil {
		return err
	}
	if form.Get("code") == "" {
		return f.askRecovery(w, r, http.StatusBadRequest, p, a, page.MissingInput)
	}
	next, err := f.d.Factors.CheckRecovery(r.Context(), u, form.Get("code"), f.shows(r, p))
	if problem, status, ok := factorProblem(err, page.WrongRecoveryCode); ok {
		return f.askRecovery(w, r, status, p, a, problem)
	}
	if err != nil {
		return err
	}
	return f.enrolled(w, r, p, next, session.Recovery)
}

// newRecovery opens a login whose recovery code has to be seen.
func (f *Flow) newRecovery(r *http.Request) (*pass, shownRecovery, error) {
	var s shownRecovery
	p, err := f.opened(r)
	if err != nil {
		return nil, s, err
	}
	ok, err := p.prog.get(scratchRecovery, &s)
	if err == nil && !ok {
		err = errExpired
	}
	return p, s, err
}

// showNewRecovery is GET /u/mfa-recovery-code-enrollment?state=….
func (f *Flow) showNewRecovery(w http.ResponseWriter, r *http.Request) error {
	p, s, err := f.newRecovery(r)
	if err != nil {
		return err
	}
	return f.show(w, r, http.StatusOK, p, page.RecoveryCode{Frame: f.frame(p), Action: at(recoveryShownPath, p.id), Code: s.Code})
}

// savedRecovery is the form of that page: saved=1.
func (f *Flow) savedRecovery(w http.ResponseWriter, r *http.Request) error {
	form, err := postForm(w, r)
	if err != nil {
		return err
	}
	p, s, err := f.newRecovery(r)
	if err != nil {
		return err
	}
	if form.Get("saved") != "1" {
		return f.show(w, r, http.StatusBadRequest, p, page.RecoveryCode{
			Frame: f.frame(p), Action: at(recoveryShownPath, p.id), Code: s.Code, Problem: page.MissingInput,
		})
	}
	return f.confirmed(w, r, p, s.Methods...)
}

// showFactorCode is GET /u/mfa-email-challenge?state=… and its twin for SMS. The
// first visit sends the code.
func (f *Flow) showFactorCode(k factor.Kind) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		p, u, a, done, err := f.atFactor(w, r, factor.ChallengeStep)
		if done || err != nil {
			return err
		}
		to, ok := ofKind(a.All, k)
		if !ok {
			redirect(w, r, at(factorPath(a), p.id))
			return nil
		}
		return f.codePage(w, r, p, u, codeStep{to: to, path: challengePath(k), others: others(p, a.All, challengePath(k)), trust: true})
	}
}

func ofKind(all []factor.Factor, k factor.Kind) (factor.Factor, bool) {
	for _, f := range factor.Seconds(all) {
		if f.Kind == k {
			return f, true
		}
	}
	return factor.Factor{}, false
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

// codePage shows the page, and sends the code if none is on its way.
func (f *Flow) codePage(w http.ResponseWriter, r *http.Request, p *pass, u *user.User, s codeStep) error {
	sent, ok, err := f.codeSent(p, s)
	if err != nil {
		return err
	}
	if ok {
		return f.askFactorCode(w, r, http.StatusOK, p, s, sent, "")
	}
	return f.sendFactorCode(w, r, p, u, s, false)
}

// codeSent is the code on its way to the factor of the step.
func (f *Flow) codeSent(p *pass, s codeStep) (factorCode, bool, error) {
	var sent factorCode
	ok, err := p.prog.get(scratchCode, &sent)
	return sent, ok && sent.Device == s.to.Device, err
}

func (f *Flow) sendFactorCode(w http.ResponseWriter, r *http.Request, p *pass, u *user.User, s codeStep, resent bool) error {
	secret, err := f.d.Factors.SendCode(r.Context(), u, s.to, f.shows(r, p))
	if problem, status, ok := factorProblem(err, page.WrongCode); ok {
		return f.askFactorCode(w, r, status, p, s, factorCode{}, problem)
	}
	if err != nil {
		return err
	}
	sent := factorCode{Device: s.to.Device, Secret: secret, Resent: resent}
	if err := p.prog.put(scratchCode, sent); err != nil {
		return err
	}
	if err := f.save(r.Context(), p); err != nil {
		return err
	}
	if resent {
		redirect(w, r, at(s.path, p.id))
		return nil
	}
	return f.askFactorCode(w, r, http.StatusOK, p, s, sent, "")
}

func (f *Flow) askFactorCode(w http.ResponseWriter, r *http.Request, status int, p *pass, s codeStep, sent factorCode, problem page.Problem) error {
	view := page.OneTimeCode{
		Frame: f.frame(p), Action: at(s.path, p.id), Channel: page.ByEmail, SecondFactor: true, Recipient: s.to.Shown(), Length: 6,
		Problem: problem, Resent: sent.Resent && problem == "", Others: s.others, OfferTrust: s.trust && !factor.Asked(p.req.ACRValues), EditURL: s.edit,
	}
	if s.to.Kind == factor.Phone {
		view.Channel = page.BySMS
	}
	return f.show(w, r, status, p, view)
}

// enterFactorCode is the form of that page: code, trust, or resend=1.
func (f *Flow) enterFactorCode(k factor.Kind) web.Handler {
	method := factorMethod(k)
	return func(w http.ResponseWriter, r *http.Request) error {
		form, err := postForm(w, r)
		if err != nil {
			return err
		}
		p, u, a, done, err := f.atFactor(w, r, factor.ChallengeStep)
		if done || err != nil {
			return err
		}
		to, ok := ofKind(a.All, k)
		if !ok {
			redirect(w, r, at(factorPath(a), p.id))
			return nil
		}
		s := codeStep{to: to, path: challengePath(k), others: others(p, a.All, challengePath(k)), trust: true}
		if form.Get("resend") == "1" {
			return f.sendFactorCode(w, r, p, u, s, true)
		}
		sent, _, err := f.codeSent(p, s)
		if err != nil {
			return err
		}
		if form.Get("code") == "" {
			return f.askFactorCode(w, r, http.StatusBadRequest, p, s, sent, page.MissingInput)
		}
		_, err = f.d.Factors.CheckCode(r.Context(), u, sent.Secret, form.Get("code"), f.shows(r, p))
		if problem, status, ok := factorProblem(err, page.WrongCode); ok {
			return f.askFactorCode(w, r, status, p, s, sent, problem)
		}
		if err != nil {
			return err
		}
		return f.shown(w, r, p, u, form.Get("trust") == "1", method)
	}
}

// showKey is GET /u/mfa-webauthn-roaming-challenge?state=….
func (f *Flow) showKey(w http.ResponseWriter, r *http.Request) error {
	p, u, a, done, err := f.atFactor(w, r, factor.ChallengeStep)
	if done || err != nil {
		return err
	}
	return f.askKey(w, r, http.StatusOK, p, u, a, "")
}

// askKey begins a ceremony: an answer is good for one.
func (f *Flow) askKey(w http.ResponseWriter, r *http.Request, status int, p *pass, u *user.User, a factor.Answer, problem page.Problem) error {
	c, err := f.d.Factors.BeginKey(r.Context(), u)
	if errors.Is(err, factor.ErrNone) {
		redirect(w, r, at(factorPath(a), p.id))
		return nil
	}
	if err != nil {
		return err
	}
	if err := p.prog.put(scratchKey, c); err != nil {
		return err
	}
	if err := f.save(r.Context(), p); err != nil {
		return err
	}
	return f.show(w, r, status, p, page.MFAWebAuthn{
		Frame: f.frame(p), Action: at(keyPath, p.id), Options: c.Options, Problem: problem, Others: others(p, a.All, keyPath),
	})
}

// enterKey is the form of that page: passkey.
func (f *Flow) enterKey(w http.ResponseWriter, r *http.Request) error {
	form, err := postForm(w, r)
	if err != nil {
		return err
	}
	p, u, a, done, err := f.atFactor(w, r, factor.ChallengeStep)
	if done || err != nil {
		return err
	}
	var c factor.Ceremony
	if _, err := p.prog.get(scratchKey, &c); err != nil {
		return err
	}
	err = f.d.Factors.CheckKey(r.Context(), u, c.Session, form.Get("passkey"), f.shows(r, p))
	if problem, status, ok := factorProblem(err, page.PasskeyFailed); ok {
		return f.askKey(w, r, status, p, u, a, problem)
	}
	if err != nil {
		return err
	}
	return f.shown(w, r, p, u, false, session.Key)
}

// showFactorChoice is GET /u/mfa-begin-enroll-options?state=….
func (f *Flow) showFactorChoice(w http.ResponseWriter, r *http.Request) error {
	p, _, a, done, err := f.atFactor(w, r, factor.EnrollStep)
	if done || err != nil {
		return err
	}
	return f.show(w, r, http.StatusOK, p, page.MFAChoose{Frame: f.frame(p), Others: otherKinds(p, a.Kinds, "")})
}

// atEnrollment is atFactor for the page that enrolls a kind.
func (f *Flow) atEnrollment(w http.ResponseWriter, r *http.Request, k factor.Kind) (p *pass, u *user.User, a factor.Answer, done bool, err error) {
	p, u, a, done, err = f.atFactor(w, r, factor.EnrollStep)
	if done || err != nil || slices.Contains(a.Kinds, k) {
		return p, u, a, done, err
	}
	redirect(w, r, at(factorPath(a), p.id))
	return nil, nil, a, true, nil
}

// showOTPEnrollment is GET /u/mfa-otp-enrollment?state=….
func (f *Flow) showOTPEnrollment(w http.ResponseWriter, r *http.Request) error {
	p, u, a, done, err := f.atEnrollment(w, r, factor.TOTP)
	if done || err != nil {
		return err
	}
	var seed string
	ok, err := p.prog.get(scratchSeed, &seed)
	if err != nil {
		return err
	}
	if !ok {
		seed = factor.NewSeed()
		if err := p.prog.put(scratchSeed, seed); err != nil {
			return err
		}
		if err := f.save(r.Context(), p); err != nil {
			return err
		}
	}
	return f.showSeed(w, r, http.StatusOK, p, u, a, seed, "")
}

func (f *Flow) showSeed(w http.ResponseWriter, r *http.Request, status int, p *pass, u *user.User, a factor.Answer, seed string, problem page.Problem) error {
	view, err := f.seedView(r.Context(), u, seed)
	if err != nil {
		return err
	}
	view.Frame, view.Action, view.Problem, view.Others = f.frame(p), at(otpEnrollPath, p.id), problem, otherKinds(p, a.Kinds, factor.TOTP)
	return f.show(w, r, status, p, view)
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

// enrollOTP is the form of that page: code.
func (f *Flow) enrollOTP(w http.ResponseWriter, r *http.Request) error {
	form, err := postForm(w, r)
	if err != nil {
		return err
	}
	p, u, a, done, err := f.atEnrollment(w, r, factor.TOTP)
	if done || err != nil {
		return err
	}
	var seed string
	ok, err := p.prog.get(scratchSeed, &seed)
	if err != nil {
		return err
	}
	if !ok {
		redirect(w, r, at(otpEnrollPath, p.id))
		return nil
	}
	if form.Get("code") == "" {
		return f.showSeed(w, r, http.StatusBadRequest, p, u, a, seed, page.MissingInput)
	}
	recovery, err := f.d.Factors.EnrollTOTP(r.Context(), u, seed, form.Get("code"), f.shows(r, p))
	if problem, status, ok := factorProblem(err, page.WrongCode); ok {
		return f.showSeed(w, r, status, p, u, a, seed, problem)
	}
	if err != nil {
		return err
	}
	return f.enrolled(w, r, p, recovery, session.OTP)
}

func emailEnrollment(p *pass, u *user.User, a factor.Answer) codeStep {
	return codeStep{to: factor.Enrolling(factor.Email, ownAddress(u)), path: mfaEmailNewPath, others: otherKinds(p, a.Kinds, factor.Email)}
}

// showEmailEnrollment is GET /u/mfa-email-enrollment?state=….
func (f *Flow) showEmailEnrollment(w http.ResponseWriter, r *http.Request) error {
	p, u, a, done, err := f.atEnrollment(w, r, factor.Email)
	if done || err != nil {
		return err
	}
	return f.codePage(w, r, p, u, emailEnrollment(p, u, a))
}

// enrollEmail is the form of that page: code, or resend=1.
func (f *Flow) enrollEmail(w http.ResponseWriter, r *http.Request) error {
	form, err := postForm(w, r)
	if err != nil {
		return err
	}
	p, u, a, done, err := f.atEnrollment(w, r, factor.Email)
	if done || err != nil {
		return err
	}
	return f.enrollByCode(w, r, p, u, emailEnrollment(p, u, a), form)
}

// enrollByCode takes the code that was sent to what is being enrolled, or sends
// another.
func (f *Flow) enrollByCode(w http.ResponseWriter, r *http.Request, p *pass, u *user.User, s codeStep, form url.Values) error {
	if form.Get("resend") == "1" {
		return f.sendFactorCode(w, r, p, u, s, true)
	}
	sent, _, err := f.codeSent(p, s)
	if err != nil {
		return err
	}
	if form.Get("code") == "" {
		return f.askFactorCode(w, r, http.StatusBadRequest, p, s, sent, page.MissingInput)
	}
	recovery, err := f.d.Factors.EnrollCode(r.Context(), u, s.to, sent.Secret, form.Get("code"), f.shows(r, p))
	if problem, status, ok := factorProblem(err, page.WrongCode); ok {
		return f.askFactorCode(w, r, status, p, s, sent, problem)
	}
	if err != nil {
		return err
	}
	return f.enrolled(w, r, p, recovery, factorMethod(s.to.Kind))
}

// factorMethod is the proof that a code of the kind is.
func factorMethod(k factor.Kind) string {
	if k == factor.Phone {
		return session.SMSCode
	}
	return session.EmailCode
}

// showPhoneEnrollment is GET /u/mfa-sms-enrollment?state=…: it asks for a number,
// and then for the code that was sent there; with edit=1 for another number.
func (f *Flow) showPhoneEnrollment(w http.ResponseWriter, r *http.Request) error {
	p, u, a, done, err := f.atEnrollment(w, r, factor.Phone)
	if done || err != nil {
		return err
	}
	q, err := query(r)
	if err != nil {
		return err
	}
	var phone string
	ok, err := p.prog.get(scratchPhone, &phone)
	if err != nil {
		return err
	}
	if !ok || q.Get("edit") == "1" {
		return f.askPhone(w, r, http.StatusOK, p, u, a, phone, "")
	}
	return f.codePage(w, r, p, u, phoneEnrollment(p, a, phone))
}

func phoneEnrollment(p *pass, a factor.Answer, phone string) codeStep {
	return codeStep{
		to: factor.Enrolling(factor.Phone, phone), path: mfaSMSNewPath, others: otherKinds(p, a.Kinds, factor.Phone), edit: at(mfaSMSNewPath, p.id) + "&edit=1",
	}
}

// askPhone shows the field for the number: what was typed, or the user's own.
func (f *Flow) askPhone(w http.ResponseWriter, r *http.Request, status int, p *pass, u *user.User, a factor.Answer, typed string, problem page.Problem) error {
	if typed == "" && problem == "" {
		typed = u.Profile.Text(profile.PhoneNumber)
	}
	return f.show(w, r, status, p, page.MFAPhone{
		Frame: f.frame(p), Action: at(mfaSMSNewPath, p.id), Value: typed, Problem: problem, Others: otherKinds(p, a.Kinds, factor.Phone),
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
func (f *Flow) enrollPhone(w http.ResponseWriter, r *http.Request) error {
	form, err := postForm(w, r)
	if err != nil {
		return err
	}
	p, u, a, done, err := f.atEnrollment(w, r, factor.Phone)
	if done || err != nil {
		return err
	}
	if form.Has("phone_number") {
		return f.takePhone(w, r, p, u, a, form.Get("phone_number"))
	}
	var phone string
	ok, err := p.prog.get(scratchPhone, &phone)
	if err != nil {
		return err
	}
	if !ok {
		redirect(w, r, at(mfaSMSNewPath, p.id))
		return nil
	}
	return f.enrollByCode(w, r, p, u, phoneEnrollment(p, a, phone), form)
}

// takePhone sends a code to a number that was typed. Until it is sent, nothing of
// an earlier number is forgotten.
func (f *Flow) takePhone(w http.ResponseWriter, r *http.Request, p *pass, u *user.User, a factor.Answer, typed string) error {
	phone, problem := phoneProblem(typed)
	if problem != "" {
		return f.askPhone(w, r, http.StatusBadRequest, p, u, a, typed, problem)
	}
	to := factor.Enrolling(factor.Phone, phone)
	secret, err := f.d.Factors.SendCode(r.Context(), u, to, f.shows(r, p))
	if problem, status, ok := factorProblem(err, page.WrongCode); ok {
		return f.askPhone(w, r, status, p, u, a, typed, problem)
	}
	if err != nil {
		return err
	}
	if err := p.prog.put(scratchPhone, phone); err != nil {
		return err
	}
	if err := p.prog.put(scratchCode, factorCode{Device: to.Device, Secret: secret}); err != nil {
		return err
	}
	if err := f.save(r.Context(), p); err != nil {
		return err
	}
	redirect(w, r, at(mfaSMSNewPath, p.id))
	return nil
}

// showKeyEnrollment is GET /u/mfa-webauthn-roaming-enrollment?state=… and its twin
// for platform authenticators.
func (f *Flow) showKeyEnrollment(k factor.Kind) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		p, u, _, done, err := f.atEnrollment(w, r, k)
		if done || err != nil {
			return err
		}
		return f.offerNewKey(w, r, http.StatusOK, p, u, k, enrollPath(k), "")
	}
}

// offerNewKey begins a ceremony that makes a key.
func (f *Flow) offerNewKey(w http.ResponseWriter, r *http.Request, status int, p *pass, u *user.User, k factor.Kind, path string, problem page.Problem) error {
	c, err := f.d.Factors.BeginEnrollKey(r.Context(), u, k)
	if err != nil {
		return err
	}
	if err := p.prog.put(scratchKey, c); err != nil {
		return err
	}
	if err := f.save(r.Context(), p); err != nil {
		return err
	}
	return f.show(w, r, status, p, page.PasskeyOffer{Frame: f.frame(p), Kind: keyKind(k), Action: at(path, p.id), Options: c.Options, Problem: problem})
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

// enrollKey is the form of that page: passkey; skip=1 leads back to the choice.
func (f *Flow) enrollKey(k factor.Kind) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		form, err := postForm(w, r)
		if err != nil {
			return err
		}
		p, u, _, done, err := f.atEnrollment(w, r, k)
		if done || err != nil {
			return err
		}
		if form.Get("skip") == "1" {
			redirect(w, r, at(chooseFactorPath, p.id))
			return nil
		}
		var c factor.Ceremony
		if _, err := p.prog.get(scratchKey, &c); err != nil {
			return err
		}
		recovery, err := f.d.Factors.EnrollKey(r.Context(), u, k, c.Session, form.Get("passkey"), f.shows(r, p))
		if problem, status, ok := factorProblem(err, page.PasskeyFailed); ok {
			return f.offerNewKey(w, r, status, p, u, k, enrollPath(k), problem)
		}
		if err != nil {
			return err
		}
		return f.enrolled(w, r, p, recovery, session.Key)
	}
}

// hasIdentity reports whether the user has an identity of the connection.
func hasIdentity(u *user.User, c *connection.Connection) bool {
	return slices.ContainsFunc(u.Identities, func(id user.Identity) bool { return id.ConnectionID == c.ID })
}
