package login

import (
	"errors"
	"net/http"
	"strings"

	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/oauth"
	"mangrove/internal/page"
	"mangrove/internal/session"
	"mangrove/internal/user"
)

var errForeign = errs.New(errs.Forbidden, "access_denied", "This request came from another site.")

// The pages of the first factor (reference/authentication.md §2.5).
const (
	signInPath     = "/u/login"
	identifierPath = "/u/login/identifier"
	passwordPath   = "/u/login/password"
	signupPath     = "/u/signup"
)

// showSignIn is GET /u/login?state=…: identifier and password on one page.
func (f *Flow) showSignIn(w http.ResponseWriter, r *http.Request) error {
	p, ws, done, err := f.atSignIn(w, r)
	if done || err != nil {
		return err
	}
	o := offered(ws, p.prog.ConnectionID)
	if o.database == nil {
		redirect(w, r, at(identifierPath, p.id))
		return nil
	}
	return f.askPassword(w, r, http.StatusOK, p, o, p.req.LoginHint, "", true)
}

// signIn is POST /u/login?state=… with username and password. Everything else
// about the login comes from the transaction, whatever the form says.
func (f *Flow) signIn(w http.ResponseWriter, r *http.Request) error {
	return f.checkPassword(w, r, true)
}

// showPassword is GET /u/login/password?state=….
func (f *Flow) showPassword(w http.ResponseWriter, r *http.Request) error {
	p, ws, done, err := f.atSignIn(w, r)
	if done || err != nil {
		return err
	}
	o := offered(ws, p.prog.ConnectionID)
	if o.database == nil || p.prog.Identifier == "" {
		redirect(w, r, at(identifierPath, p.id))
		return nil
	}
	return f.askPassword(w, r, http.StatusOK, p, o, p.prog.Identifier, "", false)
}

// signInPassword is POST /u/login/password?state=… with password; whose it is was
// said at the first step.
func (f *Flow) signInPassword(w http.ResponseWriter, r *http.Request) error {
	return f.checkPassword(w, r, false)
}

// checkPassword takes the answer of both pages.
func (f *Flow) checkPassword(w http.ResponseWriter, r *http.Request, both bool) error {
	if !f.sameSite(r) {
		return errForeign
	}
	form, err := postForm(w, r)
	if err != nil {
		return err
	}
	p, ws, done, err := f.atSignIn(w, r)
	if done || err != nil {
		return err
	}
	o := offered(ws, p.prog.ConnectionID)
	if o.database == nil {
		return f.refuse(w, r, p, errDisabled)
	}
	identifier, password := p.prog.Identifier, form.Get("password")
	if both {
		identifier = strings.TrimSpace(form.Get("username"))
	}
	if identifier == "" || password == "" {
		return f.askPassword(w, r, http.StatusBadRequest, p, o, identifier, page.MissingInput, both)
	}
	u, err := f.d.Users.Authenticate(r.Context(), o.database.c, identifier, password, f.actor(r, p))
	if errors.Is(err, user.ErrBlocked) {
		return f.end(w, r, p, errBlocked)
	}
	if err != nil {
		settings, failed := f.d.Tenant.Settings(r.Context())
		if failed != nil {
			return failed
		}
		if problem, status, ok := trouble(err, settings); ok {
			return f.askPassword(w, r, status, p, o, identifier, problem, both)
		}
		return err
	}
	return f.proven(w, r, p, u, o.database.c, session.Password)
}

func (f *Flow) askPassword(w http.ResponseWriter, r *http.Request, status int, p *pass, o offer, identifier string, problem page.Problem, both bool) error {
	view := page.Password{
		Frame: f.frame(p), Action: at(passwordPath, p.id), Value: identifier, Both: both, Identifiers: o.identifiers(), Problem: problem,
	}
	if !o.database.c.Signup().NoResetLink {
		view.ForgotURL = at(forgotPath, p.id)
	}
	if both {
		view.Action, view.Identifiers = at(signInPath, p.id), identifiersOf(o.database.c)
		view.SignupURL, view.Ways = f.signupURL(p, o), links(p, append(codes(o), o.buttons...))
	} else {
		view.EditURL = at(identifierPath, p.id)
		if code := o.byCode(identifier); code != nil {
			view.CodeURL = connectionPath(p, code.c.Name)
		}
	}
	return f.show(w, r, status, p, view)
}

// codes are the passwordless ways of an offer.
func codes(o offer) (list []way) {
	for _, w := range []*way{o.email, o.sms} {
		if w != nil {
			list = append(list, *w)
		}
	}
	return list
}

// atSignIn opens the transaction in the query and reads its ways anew. done:
// the request was answered.
func (f *Flow) atSignIn(w http.ResponseWriter, r *http.Request) (p *pass, ws []way, done bool, err error) {
	if p, err = f.opened(r); err != nil {
		return nil, nil, false, err
	}
	if p.prog.UserID != "" {
		return nil, nil, false, errExpired // who it is has been proven: these pages are behind
	}
	ws, err = f.waysFor(r.Context(), p.req)
	var refused *oauth.AuthorizeError
	if errors.As(err, &refused) {
		return nil, nil, true, f.refuse(w, r, p, refused)
	}
	return p, ws, false, err
}

// refuse ends a login before any connection had a say.
func (f *Flow) refuse(w http.ResponseWriter, r *http.Request, p *pass, why *oauth.AuthorizeError) error {
	f.refused(r, p.req.ClientID, nil, why.Description)
	return f.end(w, r, p, why)
}

// find looks a way up by its connection.
func find(ws []way, match func(*connection.Connection) bool) (way, bool) {
	for _, w := range ws {
		if match(w.c) {
			return w, true
		}
	}
	return way{}, false
}

// sameSite refuses a form that another site posted. The pages' referrer policy
// makes browsers send Origin: null with our own forms, and where they send no
// Sec-Fetch-Site either (plain http, old browsers) only the state can tell: it
// is a secret, bound to the browser's cookie.
func (f *Flow) sameSite(r *http.Request) bool {
	if r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == "null" {
		return true
	}
	return f.origin.Check(r) == nil
}
