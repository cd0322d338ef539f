package login

import (
	"errors"
	"net/http"
	"net/url"
	"slices"

	"mangrove/internal/consent"
	"mangrove/internal/errs"
	"mangrove/internal/oauth"
	"mangrove/internal/page"
	"mangrove/internal/profile"
	"mangrove/internal/user"
	"mangrove/internal/web"
)

const (
	consentPath = "/u/consent"
	stepConsent = "consent"
)

var (
	errDenied   = &oauth.AuthorizeError{Code: "access_denied", Description: consent.ErrDenied.Error()}
	errDecision = errs.New(errs.Invalid, "invalid_request", "The answer has to be accept or deny.")
)

// consentNeeded reports whether the person has to agree before the application is
// answered. A request that will be refused asks nothing: the answer tells why.
func (f *Flow) consentNeeded(r *http.Request, p *pass, u *user.User) (bool, error) {
	q, err := f.question(r, p, u)
	var refused *oauth.AuthorizeError
	if errors.As(err, &refused) {
		return false, nil
	}
	return q.Needed, err
}

// question is what the person is asked. prompt=consent is served by one answer.
func (f *Flow) question(r *http.Request, p *pass, u *user.User) (consent.Question, error) {
	req := p.req
	if p.prog.done(stepConsent) {
		req.Prompt = ""
	}
	return f.d.Question(r.Context(), req, u)
}

// asking is a login that has come to a question.
type asking struct {
	*pass
	user     *user.User
	question consent.Question
}

// asked opens a login that has come to the question: its session has begun, in
// this browser, with all proofs that are due. done: the request was answered.
func (f *Flow) asked(w http.ResponseWriter, r *http.Request) (a asking, done bool, err error) {
	if a.pass, a.user, err = f.atEnd(r); err != nil {
		return a, false, err
	}
	done, err = f.wonder(w, r, &a)
	return a, done, err
}

// wonder finds out what the person is asked. done: the request is refused, and
// the application was told.
func (f *Flow) wonder(w http.ResponseWriter, r *http.Request, a *asking) (done bool, err error) {
	a.question, err = f.question(r, a.pass, a.user)
	var refused *oauth.AuthorizeError
	if errors.As(err, &refused) {
		return true, f.refuse(w, r, a.pass, refused)
	}
	return false, err
}

// showConsent is GET /u/consent?state=….
func (f *Flow) showConsent(w http.ResponseWriter, r *http.Request) error {
	a, done, err := f.asked(w, r)
	if done || err != nil {
		return err
	}
	return f.ask(w, r, a, stepConsent, consentPath, "")
}

// ask shows the question and remembers, as the step's own, what was shown. message
// may be empty.
func (f *Flow) ask(w http.ResponseWriter, r *http.Request, a asking, step, path, message string) error {
	if err := f.remember(r.Context(), a.pass, step, a.question.Yes(0).Scope); err != nil {
		return err
	}
	v := a.view()
	v.Frame, v.Action, v.Message = f.frame(a.pass), at(path, a.id), message
	return f.show(w, r, http.StatusOK, v)
}

// wasShown reports whether all that a yes would grant was on the page of the step.
func (a asking) wasShown(step string) (bool, error) {
	var shown []string
	known, err := a.prog.get(step, &shown)
	more := slices.ContainsFunc(a.question.Yes(0).Scope, func(s string) bool { return !slices.Contains(shown, s) })
	return known && !more, err
}

// view is the question as a page words it.
func (a asking) view() page.Consent {
	q := a.question
	v := page.Consent{Person: nameOf(a.user), API: q.APIName}
	if v.API == "" && q.API != "" {
		v.API = q.Audience
	}
	for _, s := range q.Scope {
		v.Scopes = append(v.Scopes, page.ConsentScope{Name: s.Name, Description: s.Description})
	}
	return v
}

// nameOf is how a page calls a user.
func nameOf(u *user.User) string {
	for _, name := range []string{profile.Email, profile.Username, profile.PhoneNumber, profile.Name} {
		if text := profile.TextOf(u.Profile.Value(name)); text != "" {
			return text
		}
	}
	return string(u.ID)
}

// decideConsent is POST /u/consent?state=… with decision. What is stored is what
// was shown: when more would be granted by now, the person is asked again.
func (f *Flow) decideConsent(w http.ResponseWriter, r *http.Request, form url.Values) error {
	a, done, err := f.asked(w, r)
	if done || err != nil {
		return err
	}
	switch form.Get("decision") {
	case "accept":
	case "deny":
		return f.refuse(w, r, a.pass, errDenied)
	default:
		return errDecision
	}
	shown, err := a.wasShown(stepConsent)
	if err != nil {
		return err
	}
	if !shown {
		return f.ask(w, r, a, stepConsent, consentPath, "")
	}
	given := a.question.Yes(f.now())
	if err := f.d.Consents.SaveConsent(r.Context(), given, given.Event(web.ClientIP(r), web.UserAgent(r))); err != nil {
		return err
	}
	return f.skip(w, r, a.pass, stepConsent)
}
