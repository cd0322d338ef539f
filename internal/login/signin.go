package login

import (
	"errors"
	"net/http"
	"net/url"

	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/oauth"
	"mangrove/internal/page"
	"mangrove/internal/user"
)

var errForeign = errs.New(errs.Forbidden, "access_denied", "This request came from another site.")

// showSignIn is GET /u/login?state=….
func (f *Flow) showSignIn(w http.ResponseWriter, r *http.Request) error {
	p, ws, done, err := f.atSignIn(w, r)
	if done || err != nil {
		return err
	}
	return f.draw(w, http.StatusOK, p, ws, p.req.LoginHint, "")
}

// chooseConnection is GET /u/login/connection?state=…&connection=NAME. It is a
// link and no form: the way to a provider may have any number of redirects,
// and Chromium holds form-action against each.
func (f *Flow) chooseConnection(w http.ResponseWriter, r *http.Request) error {
	p, ws, done, err := f.atSignIn(w, r)
	if done || err != nil {
		return err
	}
	q, err := query(r)
	if err != nil {
		return err
	}
	chosen, ok := find(ws, func(c *connection.Connection) bool { return c.Name == q.Get("connection") })
	if !ok {
		return f.refuse(w, r, p, errDisabled)
	}
	if !chosen.database {
		return f.sendAway(w, r, p, chosen.c)
	}
	p.trip = trip{ConnectionID: chosen.c.ID}
	if err := f.save(r.Context(), p); err != nil {
		return err
	}
	redirect(w, r, signInPath(p.id))
	return nil
}

// signIn is POST /u/login?state=… with username and password. Everything else
// about the login comes from the transaction, whatever the form says.
func (f *Flow) signIn(w http.ResponseWriter, r *http.Request) error {
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
	database, _ := shown(ws, p.trip.ConnectionID)
	if database == nil {
		return f.refuse(w, r, p, errDisabled)
	}
	identifier, password := form.Get("username"), form.Get("password")
	if identifier == "" || password == "" {
		return f.draw(w, http.StatusBadRequest, p, ws, identifier, "Please enter both.")
	}
	u, err := f.d.Users.Authenticate(r.Context(), database.c, identifier, password, f.actor(r, p))
	switch {
	case err == nil:
	case errors.Is(err, user.ErrWrongPassword):
		return f.draw(w, http.StatusBadRequest, p, ws, identifier, user.ErrWrongPassword.Text)
	case errors.Is(err, user.ErrBusy):
		w.Header().Set("Retry-After", "2")
		return f.draw(w, http.StatusTooManyRequests, p, ws, identifier, user.ErrBusy.Text)
	case errors.Is(err, user.ErrBlocked):
		return f.end(w, r, p, errBlocked)
	default:
		return err
	}
	if err := f.take(r.Context(), p); err != nil {
		return err
	}
	return f.next(w, r, p, u, database.c)
}

// atSignIn opens the transaction in the query and reads its ways anew. done:
// the request was answered.
func (f *Flow) atSignIn(w http.ResponseWriter, r *http.Request) (p *pass, ws []way, done bool, err error) {
	q, err := query(r)
	if err != nil {
		return nil, nil, false, err
	}
	if p, err = f.open(r, q.Get("state")); err != nil {
		return nil, nil, false, err
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

func (f *Flow) draw(w http.ResponseWriter, status int, p *pass, ws []way, identifier, problem string) error {
	form, buttons := shown(ws, p.trip.ConnectionID)
	view := page.SignIn{
		Application: p.client.Name,
		Action:      signInPath(p.id),
		Identifier:  identifier,
		Problem:     problem,
		ReturnTo:    p.req.RedirectURI,
	}
	if form != nil {
		view.Password = true
		view.IdentifierLabel, view.EmailOnly = identifierLabel(form.c.Facts())
	}
	for _, b := range buttons {
		view.Buttons = append(view.Buttons, page.Button{
			Label: "Continue with " + b.label,
			URL:   "/u/login/connection?" + url.Values{"state": {p.id}, "connection": {b.c.Name}}.Encode(),
		})
	}
	return f.d.Page.SignIn(w, status, view)
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
