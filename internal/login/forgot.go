package login

import (
	"net/http"
	"net/url"
	"strings"

	"mangrove/internal/page"
	"mangrove/internal/ticket"
	"mangrove/internal/web"
)

// The pages of a forgotten password (reference/authentication.md §2.5).
const (
	forgotPath = "/u/reset-password/request"
	sentPath   = "/u/reset-password/sent"
)

// showForgot is GET /u/reset-password/request?state=….
func (f *Flow) showForgot(w http.ResponseWriter, r *http.Request) error {
	p, o, done, err := f.atForgot(w, r)
	if done || err != nil {
		return err
	}
	return f.askForgot(w, r, http.StatusOK, p, o, p.prog.Identifier, "")
}

// forgot is POST /u/reset-password/request?state=… with username. Its answer is
// the same whether somebody is known by that name or not; what follows goes by mail.
func (f *Flow) forgot(w http.ResponseWriter, r *http.Request, form url.Values) error {
	p, o, done, err := f.atForgot(w, r)
	if done || err != nil {
		return err
	}
	identifier := strings.TrimSpace(form.Get("username"))
	if problem := malformed(identifier, identifiersOf(o.database.c)); problem != "" {
		return f.askForgot(w, r, http.StatusBadRequest, p, o, identifier, problem)
	}
	err = f.d.Tickets.RequestReset(r.Context(), ticket.ResetRequest{
		Connection: o.database.c, Identifier: identifier, Actor: f.actor(r, p), Language: language(r, p.req.UILocales),
	})
	if err != nil {
		problem, status, err := f.trouble(r.Context(), err)
		if err != nil {
			return err
		}
		return f.askForgot(w, r, status, p, o, identifier, problem)
	}
	p.prog.Identifier, p.prog.ConnectionID = identifier, o.database.c.ID
	if err := f.save(r.Context(), p); err != nil {
		return err
	}
	redirect(w, r, at(sentPath, p.id))
	return nil
}

// showSent is GET /u/reset-password/sent?state=….
func (f *Flow) showSent(w http.ResponseWriter, r *http.Request) error {
	p, o, done, err := f.atForgot(w, r)
	if done || err != nil {
		return err
	}
	return f.show(w, r, http.StatusOK, page.CheckMail{
		Frame: f.frame(p), Reset: true, Address: p.prog.Identifier, BackURL: at(f.firstPath(r, o), p.id),
	})
}

func (f *Flow) askForgot(w http.ResponseWriter, r *http.Request, status int, p *pass, o offer, value string, problem page.Problem) error {
	return f.show(w, r, status, page.ForgotPassword{
		Frame: f.frame(p), Action: at(forgotPath, p.id), Identifiers: identifiersOf(o.database.c), Value: value,
		Problem: problem, BackURL: at(f.firstPath(r, o), p.id),
	})
}

// atForgot is atSignIn for a database whose users may ask for a new password.
func (f *Flow) atForgot(w http.ResponseWriter, r *http.Request) (*pass, offer, bool, error) {
	p, ws, done, err := f.atSignIn(w, r)
	if done || err != nil {
		return nil, offer{}, done, err
	}
	o := offered(ws, p.prog.ConnectionID)
	if o.database == nil || o.database.c.Signup().NoResetLink {
		redirect(w, r, at(f.firstPath(r, o), p.id))
		return nil, offer{}, true, nil
	}
	return p, o, false, nil
}

// language is what the person reads: ui_locales, and then what the browser says.
// No more of it than mail reads.
func language(r *http.Request, uiLocales string) string {
	if uiLocales == "" {
		uiLocales = r.Header.Get("Accept-Language")
	}
	return web.Printable(uiLocales, 256)
}
