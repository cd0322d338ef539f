package login

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"mangrove/internal/connection"
	"mangrove/internal/oauth"
	"mangrove/internal/page"
	"mangrove/internal/session"
	"mangrove/internal/user"
)

// The pages of the first factor (reference/authentication.md §2.5).
const (
	signInPath     = "/u/login"
	identifierPath = "/u/login/identifier"
	passwordPath   = "/u/login/password"
	connectionPath = "/u/login/connection"
	signupPath     = "/u/signup"
)

// showSignIn is GET /u/login?state=…: identifier and password on one page.
func (f *Flow) showSignIn(w http.ResponseWriter, r *http.Request) error {
	p, ws, done, err := f.atSignIn(w, r)
	if done || err != nil {
		return err
	}
	o := offered(ws, p.prog.ConnectionID)
	if o.password() == nil {
		redirect(w, r, at(identifierPath, p.id))
		return nil
	}
	return f.askPassword(w, r, http.StatusOK, p, o, p.req.LoginHint, "", true)
}

// showPassword is GET /u/login/password?state=….
func (f *Flow) showPassword(w http.ResponseWriter, r *http.Request) error {
	p, ws, done, err := f.atSignIn(w, r)
	if done || err != nil {
		return err
	}
	o := offered(ws, p.prog.ConnectionID)
	if o.password() == nil || p.prog.Identifier == "" {
		redirect(w, r, at(identifierPath, p.id))
		return nil
	}
	return f.askPassword(w, r, http.StatusOK, p, o, p.prog.Identifier, "", false)
}

// checkPassword is POST /u/login?state=… with username and password (both), and
// POST /u/login/password?state=… with password, whose owner the first step named.
// Everything else about the login comes from the transaction, whatever the form says.
func (f *Flow) checkPassword(both bool) submitted {
	return func(w http.ResponseWriter, r *http.Request, form url.Values) error {
		p, ws, done, err := f.atSignIn(w, r)
		if done || err != nil {
			return err
		}
		o := offered(ws, p.prog.ConnectionID)
		way := o.password()
		if way == nil {
			return f.refuse(w, r, p, errDisabled)
		}
		identifier, password := p.prog.Identifier, form.Get("password")
		if both {
			identifier = strings.TrimSpace(form.Get("username"))
			// A password of an organisation is not for our databases to see.
			if home := o.home(identifier); home != nil && home.c.ID != way.c.ID {
				p.prog.Identifier = identifier
				return f.follow(w, r, p, *home)
			}
		}
		if identifier == "" || password == "" {
			return f.askPassword(w, r, http.StatusBadRequest, p, o, identifier, page.MissingInput, both)
		}
		u, err := f.authenticate(r.Context(), *way, identifier, password, f.actor(r, p))
		if errors.Is(err, user.ErrBlocked) {
			return f.end(w, r, p, errBlocked)
		}
		if err != nil {
			noteCause(r, way.c, err)
			problem, status, err := f.trouble(r.Context(), err)
			if why, ok := elsewhereRefusal(*way, err); ok {
				return f.end(w, r, p, why)
			}
			if err != nil && !refusedElsewhere(err) {
				return err
			}
			if err != nil {
				problem, status = page.InvalidInput, http.StatusBadRequest
			}
			return f.askPassword(w, r, status, p, o, identifier, problem, both)
		}
		return f.proven(w, r, p, u, way.c, session.Password)
	}
}

// authenticate asks whoever knows the passwords of the way.
func (f *Flow) authenticate(ctx context.Context, by way, identifier, password string, a user.Actor) (*user.User, error) {
	if by.kind == directory {
		return f.ThroughDirectory(ctx, by.c, identifier, password, a)
	}
	return f.d.Users.Authenticate(ctx, by.c, identifier, password, a)
}

func (f *Flow) askPassword(w http.ResponseWriter, r *http.Request, status int, p *pass, o offer, identifier string, problem page.Problem, both bool) error {
	view := page.Password{
		Frame: f.frame(p), Action: at(passwordPath, p.id), Value: identifier, Both: both, Identifiers: o.identifiers(), Problem: problem,
	}
	view.Elsewhere = both && len(o.homes) > 0
	if o.database != nil && !o.database.c.Signup().NoResetLink {
		view.ForgotURL = at(forgotPath, p.id)
	}
	if both {
		view.Action, view.Identifiers = at(signInPath, p.id), o.passwordIdentifiers()
		view.SignupURL, view.Ways = f.signupURL(p, o), links(p, append(codes(o), o.buttons...))
	} else {
		view.EditURL = at(identifierPath, p.id)
		if code := o.byCode(identifier); code != nil {
			view.CodeURL = connectionURL(p, code.c.Name)
		}
	}
	return f.show(w, r, status, view)
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
