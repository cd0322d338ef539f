package login

import (
	"context"
	"net/http"
	"net/url"

	"mangrove/internal/page"
	"mangrove/internal/ticket"
	"mangrove/internal/user"
	"mangrove/internal/web"
)

// Tickets is what the pages behind mailed links ask of ticket.Service.
type Tickets interface {
	Look(ctx context.Context, p ticket.Purpose, secret string) (ticket.Result, error)
	Verify(ctx context.Context, secret string, a user.Actor) (ticket.Result, error)
	Reset(ctx context.Context, secret, password string, a user.Actor) (ticket.Result, error)
	// Release releases a blocked account.
	Release(ctx context.Context, secret string, a user.Actor) (ticket.Result, error)
	// RequestReset mails a link, if there is somebody to mail it to; nothing tells whether.
	RequestReset(ctx context.Context, r ticket.ResetRequest) error
}

// The paths are those of the links (reference/users.md §3.11).
const (
	verifyPath = "/u/email-verification"
	resetPath  = "/u/reset-password"
)

// showVerify is GET /u/email-verification?ticket=…. It changes nothing.
func (f *Flow) showVerify(w http.ResponseWriter, r *http.Request) error {
	secret, res, err := f.look(r, ticket.VerifyEmail)
	if err != nil {
		return err
	}
	if res.Err != nil {
		return f.tell(w, r, res)
	}
	return f.show(w, r, http.StatusOK, nil, page.Press{
		Frame: page.Frame{ReturnTo: res.Location()}, Kind: page.PressVerifyEmail, Action: ticketAction(verifyPath, secret),
	})
}

// verify is POST /u/email-verification?ticket=….
func (f *Flow) verify(w http.ResponseWriter, r *http.Request) error {
	if !f.sameSite(r) {
		return errForeign
	}
	q, err := query(r)
	if err != nil {
		return err
	}
	res, err := f.d.Tickets.Verify(r.Context(), q.Get("ticket"), visitor(r))
	if err != nil {
		return err
	}
	return f.tell(w, r, res)
}

// showReset is GET /u/reset-password?ticket=…. It changes nothing.
func (f *Flow) showReset(w http.ResponseWriter, r *http.Request) error {
	secret, res, err := f.look(r, ticket.ChangePassword)
	if err != nil {
		return err
	}
	if res.Err != nil {
		return f.tell(w, r, res)
	}
	return f.show(w, r, http.StatusOK, nil, newPassword(secret, res))
}

// reset is POST /u/reset-password?ticket=… with password, twice.
func (f *Flow) reset(w http.ResponseWriter, r *http.Request) error {
	if !f.sameSite(r) {
		return errForeign
	}
	form, err := postForm(w, r)
	if err != nil {
		return err
	}
	secret, res, err := f.look(r, ticket.ChangePassword)
	if err != nil {
		return err
	}
	if res.Err != nil {
		return f.tell(w, r, res)
	}
	again := func(status int, problem page.Problem, rules []page.Rule) error {
		view := newPassword(secret, res)
		view.Problem, view.Rules = problem, rules
		return f.show(w, r, status, nil, view)
	}
	switch password := form.Get("password"); {
	case password == "":
		return again(http.StatusBadRequest, page.MissingInput, nil)
	case password != form.Get("again"):
		return again(http.StatusBadRequest, page.PasswordMismatch, nil)
	}
	res, err = f.d.Tickets.Reset(r.Context(), secret, form.Get("password"), visitor(r))
	if err != nil {
		settings, failed := f.d.Tenant.Settings(r.Context())
		if failed != nil {
			return failed
		}
		if problem, status, ok := trouble(err, settings); ok {
			return again(status, problem, brokenRules(err))
		}
		return err
	}
	return f.tell(w, r, res)
}

// look reads the ticket in the query.
func (f *Flow) look(r *http.Request, p ticket.Purpose) (secret string, res ticket.Result, err error) {
	q, err := query(r)
	if err != nil {
		return "", res, err
	}
	secret = q.Get("ticket")
	res, err = f.d.Tickets.Look(r.Context(), p, secret)
	return secret, res, err
}

func newPassword(secret string, res ticket.Result) page.ResetPassword {
	return page.ResetPassword{Frame: page.Frame{ReturnTo: res.Location()}, Action: ticketAction(resetPath, secret)}
}

func ticketAction(path, secret string) string { return path + "?ticket=" + url.QueryEscape(secret) }

// tell leads to where the ticket says, or says here what came of it.
func (f *Flow) tell(w http.ResponseWriter, r *http.Request, res ticket.Result) error {
	if to := res.Location(); to != "" {
		redirect(w, r, to)
		return nil
	}
	if res.Err != nil {
		return f.show(w, r, http.StatusBadRequest, nil, page.Told{Kind: page.ToldLinkUsed, Text: res.Text()})
	}
	kind := page.ToldEmailVerified
	if res.Purpose == ticket.ChangePassword {
		kind = page.ToldPasswordChanged
	}
	return f.show(w, r, http.StatusOK, nil, page.Told{Kind: kind})
}

// visitor is whoever holds a ticket; no application sent them.
func visitor(r *http.Request) user.Actor {
	return user.Actor{IP: web.ClientIP(r), UserAgent: web.UserAgent(r), Language: language(r, "")}
}
