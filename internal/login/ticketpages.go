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

// The paths are those of the links (reference/users.md §3.11, authentication.md §8.1).
const (
	verifyPath  = "/u/email-verification"
	resetPath   = "/u/reset-password"
	unblockPath = "/u/unblock"
)

// pressKinds are the purposes whose page asks for one press of a button.
var pressKinds = map[ticket.Purpose]struct {
	path string
	kind page.PressKind
}{
	ticket.VerifyEmail: {verifyPath, page.PressVerifyEmail},
	ticket.Unblock:     {unblockPath, page.PressUnblock},
}

// showPress is GET /u/email-verification?ticket=… and GET /u/unblock?ticket=….
// It changes nothing.
func (f *Flow) showPress(p ticket.Purpose) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		secret, res, err := f.look(r, p)
		if err != nil {
			return err
		}
		if res.Err != nil {
			return f.tell(w, r, res)
		}
		k := pressKinds[p]
		return f.show(w, r, http.StatusOK, page.Press{
			Frame: page.Frame{ReturnTo: res.Location()}, Kind: k.kind, Action: ticketAction(k.path, secret),
		})
	}
}

// press is the form of those pages.
func (f *Flow) press(use func(ctx context.Context, secret string, a user.Actor) (ticket.Result, error)) submitted {
	return func(w http.ResponseWriter, r *http.Request, _ url.Values) error {
		q, err := query(r)
		if err != nil {
			return err
		}
		res, err := use(r.Context(), q.Get("ticket"), visitor(r))
		if err != nil {
			return err
		}
		return f.tell(w, r, res)
	}
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
	return f.show(w, r, http.StatusOK, newPassword(secret, res))
}

// reset is POST /u/reset-password?ticket=… with password, twice.
func (f *Flow) reset(w http.ResponseWriter, r *http.Request, form url.Values) error {
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
		return f.show(w, r, status, view)
	}
	switch password := form.Get("password"); {
	case password == "":
		return again(http.StatusBadRequest, page.MissingInput, nil)
	case password != form.Get("again"):
		return again(http.StatusBadRequest, page.PasswordMismatch, nil)
	}
	res, err = f.d.Tickets.Reset(r.Context(), secret, form.Get("password"), visitor(r))
	if err != nil {
		problem, status, failed := f.trouble(r.Context(), err)
		if failed != nil && !refusedElsewhere(err) {
			return failed
		}
		if failed != nil {
			problem, status = page.InvalidInput, http.StatusBadRequest
		}
		return again(status, problem, brokenRules(err))
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
		return f.show(w, r, http.StatusBadRequest, page.Told{Kind: page.ToldLinkUsed, Text: res.Text()})
	}
	return f.show(w, r, http.StatusOK, page.Told{Kind: toldOfTicket[res.Purpose]})
}

// toldOfTicket is what a success says.
var toldOfTicket = map[ticket.Purpose]page.ToldKind{
	ticket.VerifyEmail:    page.ToldEmailVerified,
	ticket.ChangePassword: page.ToldPasswordChanged,
	ticket.Unblock:        page.ToldUnblocked,
}

// visitor is whoever holds a ticket; no application sent them.
func visitor(r *http.Request) user.Actor {
	return user.Actor{IP: web.ClientIP(r), UserAgent: web.UserAgent(r), Language: language(r, "")}
}
