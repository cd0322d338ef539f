package login

import (
	"errors"
	"net/http"
	"slices"

	"github.com/go-chi/chi/v5"

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

func (f *Flow) mountConsent(r chi.Router) {
	r.Get(consentPath, web.Serve(f.showConsent, f.fail).ServeHTTP)
	r.Post(consentPath, web.Serve(f.decideConsent, f.fail).ServeHTTP)
}

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

// asked opens a login that has come to the question: its session has begun, in
// this browser, with all proofs that are due.
func (f *Flow) asked(w http.ResponseWriter, r *http.Request) (p *pass, u *user.User, q consent.Question, done bool, err error) {
	if p, u, err = f.atEnd(r); err != nil {
		return nil, nil, q, false, err
	}
	q, err = f.question(r, p, u)
	var refused *oauth.AuthorizeError
	if errors.As(err, &refused) {
		return p, u, q, true, f.end(w, r, p, refused)
	}
	return p, u, q, false, err
}

// showConsent is GET /u/consent?state=….
func (f *Flow) showConsent(w http.ResponseWriter, r *http.Request) error {
	p, u, q, done, err := f.asked(w, r)
	if done || err != nil {
		return err
	}
	return f.ask(w, r, p, u, q)
}

// ask shows the question and remembers what was shown.
func (f *Flow) ask(w http.ResponseWriter, r *http.Request, p *pass, u *user.User, q consent.Question) error {
	if err := p.prog.put(stepConsent, q.Yes(0).Scope); err != nil {
		return err
	}
	if err := f.save(r.Context(), p); err != nil {
		return err
	}
	v := f.consentView(p, u, q)
	v.Action = at(consentPath, p.id)
	return f.show(w, r, http.StatusOK, p, v)
}

// consentView is what a person is asked, without the form's address.
func (f *Flow) consentView(p *pass, u *user.User, q consent.Question) page.Consent {
	v := page.Consent{Frame: f.frame(p), Person: person(u), API: q.APIName}
	if v.API == "" && q.API != "" {
		v.API = q.Audience
	}
	for _, s := range q.Scope {
		v.Scopes = append(v.Scopes, page.ConsentScope{Name: s.Name, Description: s.Description})
	}
	return v
}

// person is how the page calls a user.
func person(u *user.User) string {
	for _, name := range []string{profile.Email, profile.Username, profile.PhoneNumber, profile.Name} {
		if text := profile.TextOf(u.Profile.Value(name)); text != "" {
			return text
		}
	}
	return string(u.ID)
}

// decideConsent is POST /u/consent?state=… with decision. What is stored is what
// was shown: when more would be granted by now, the person is asked again.
func (f *Flow) decideConsent(w http.ResponseWriter, r *http.Request) error {
	if !f.sameSite(r) {
		return errForeign
	}
	form, err := postForm(w, r)
	if err != nil {
		return err
	}
	p, u, q, done, err := f.asked(w, r)
	if done || err != nil {
		return err
	}
	switch form.Get("decision") {
	case "accept":
	case "deny":
		return f.end(w, r, p, errDenied)
	default:
		return errDecision
	}
	var shown []string
	known, err := p.prog.get(stepConsent, &shown)
	if err != nil {
		return err
	}
	given := q.Yes(f.now())
	if !known || slices.ContainsFunc(given.Scope, func(s string) bool { return !slices.Contains(shown, s) }) {
		return f.ask(w, r, p, u, q)
	}
	if err := f.d.Consents.SaveConsent(r.Context(), given, given.Event(web.ClientIP(r), web.UserAgent(r))); err != nil {
		return err
	}
	return f.skip(w, r, p, stepConsent)
}
