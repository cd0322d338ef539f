package login

import (
	"net/http"
	"net/url"
	"strings"

	"mangrove/internal/connection"
	"mangrove/internal/page"
)

// showIdentifier is GET /u/login/identifier?state=….
func (f *Flow) showIdentifier(w http.ResponseWriter, r *http.Request) error {
	p, ws, done, err := f.atSignIn(w, r)
	if done || err != nil {
		return err
	}
	value := p.prog.Identifier
	if value == "" {
		value = p.req.LoginHint
	}
	return f.askIdentifier(w, r, http.StatusOK, p, ws, value, "")
}

// identify is POST /u/login/identifier?state=… with username. What comes next
// depends on the connections alone, never on whether somebody is known by that name.
func (f *Flow) identify(w http.ResponseWriter, r *http.Request, form url.Values) error {
	p, ws, done, err := f.atSignIn(w, r)
	if done || err != nil {
		return err
	}
	if answer := form.Get("passkey"); answer != "" {
		return f.signInPasskey(w, r, p, ws, answer)
	}
	o := offered(ws, p.prog.ConnectionID)
	identifier := strings.TrimSpace(form.Get("username"))
	if problem := malformed(identifier, o.identifiers()); problem != "" {
		return f.askIdentifier(w, r, http.StatusBadRequest, p, ws, identifier, problem)
	}
	p.prog.Identifier = identifier
	if home := o.home(identifier); home != nil {
		return f.follow(w, r, p, *home)
	}
	password := o.password()
	if password == nil {
		code := o.byCode(identifier)
		if code == nil {
			return f.askIdentifier(w, r, http.StatusBadRequest, p, ws, identifier, page.InvalidInput)
		}
		p.prog.trip = trip{ConnectionID: code.c.ID}
		return f.startCode(w, r, p, code.c, identifier)
	}
	return f.goToPassword(w, r, p, password.c)
}

// follow goes the chosen way: away to the provider, or to the page for a password.
func (f *Flow) follow(w http.ResponseWriter, r *http.Request, p *pass, chosen way) error {
	switch chosen.kind {
	case provider:
		return f.sendAway(w, r, p, chosen.c)
	case place:
		return f.recognize(w, r, p, chosen.c)
	default:
		return f.goToPassword(w, r, p, chosen.c)
	}
}

func (f *Flow) goToPassword(w http.ResponseWriter, r *http.Request, p *pass, c *connection.Connection) error {
	p.prog.trip = trip{ConnectionID: c.ID}
	if err := f.save(r.Context(), p); err != nil {
		return err
	}
	redirect(w, r, at(passwordPath, p.id))
	return nil
}

func (f *Flow) askIdentifier(w http.ResponseWriter, r *http.Request, status int, p *pass, ws []way, value string, problem page.Problem) error {
	o := offered(ws, p.prog.ConnectionID)
	view := page.Identifier{
		Frame: f.frame(p), Action: at(identifierPath, p.id), Identifiers: o.identifiers(), Value: value,
		Problem: problem, Ways: links(p, o.buttons), SignupURL: f.signupURL(p, o),
	}
	view.Elsewhere = len(o.homes) > 0
	if o.database != nil {
		var err error
		if view.PasskeyOptions, err = f.passkeyChallenge(r, p, o.database.c); err != nil {
			return err
		}
		view.PasskeyButton, view.PasskeyAutofill = o.database.c.PasskeyUI()
	}
	return f.show(w, r, status, view)
}

// signupURL is where somebody new goes; empty: nowhere.
func (f *Flow) signupURL(p *pass, o offer) string {
	if o.database == nil || o.database.c.Signup().Disabled {
		return ""
	}
	return at(signupPath, p.id)
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
	if chosen.kind == provider || chosen.kind == place {
		return f.follow(w, r, p, chosen)
	}
	p.prog.trip = trip{ConnectionID: chosen.c.ID}
	// A code is sent to whom the first step named, if it can be.
	if o := offered(ws, chosen.c.ID); chosen.kind == passwordless && o.byCode(p.prog.Identifier) != nil {
		return f.startCode(w, r, p, chosen.c, p.prog.Identifier)
	}
	if err := f.save(r.Context(), p); err != nil {
		return err
	}
	redirect(w, r, at(identifierPath, p.id))
	return nil
}
