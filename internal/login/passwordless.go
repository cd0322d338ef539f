package login

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/oauth"
	"mangrove/internal/page"
	onetime "mangrove/internal/passwordless"
	"mangrove/internal/profile"
	"mangrove/internal/session"
	"mangrove/internal/user"
)

// Passwordless is what the pages ask of passwordless.Service.
type Passwordless interface {
	Start(ctx context.Context, r onetime.Request, a user.Actor) (localID string, err error)
	Redeem(ctx context.Context, a onetime.Attempt, by user.Actor) (*user.User, error)
	Pending(ctx context.Context, a onetime.Attempt) (c onetime.Code, ok bool, err error)
}

// The pages that ask for a code (reference/authentication.md §2.5).
const (
	emailCodePath = "/u/login/passwordless-email-challenge"
	smsCodePath   = "/u/login/passwordless-sms-challenge"
)

// stepCode is the scratch of this step.
const stepCode = "passwordless"

// sentCode is what the step remembers: where the code went. Nothing of it comes
// from a form.
type sentCode struct {
	ConnectionID string `json:"connection_id"`
	Recipient    string `json:"recipient"`
	Resent       bool   `json:"resent,omitzero"`
}

// codePath is the page that asks for a code of the class.
func codePath(class profile.Class) string {
	if class == profile.PasswordlessSMS {
		return smsCodePath
	}
	return emailCodePath
}

// codeMethod is the proof that a code of the class is.
func codeMethod(class profile.Class) string {
	if class == profile.PasswordlessSMS {
		return session.SMSCode
	}
	return session.EmailCode
}

// startCode sends a one-time code and leads to the page that asks for it.
func (f *Flow) startCode(w http.ResponseWriter, r *http.Request, p *pass, c *connection.Connection, identifier string) error {
	recipient, ok := onetime.Typed(c.Class(), identifier)
	problem, status := page.InvalidEmail, http.StatusBadRequest
	if c.Class() == profile.PasswordlessSMS {
		problem = page.InvalidPhone
	}
	if ok {
		var err error
		if problem, status, err = f.sendCode(r, p, c, recipient); err != nil {
			return err
		}
	}
	if problem != "" {
		ws, err := f.waysFor(r.Context(), p.req)
		if err != nil {
			return err
		}
		return f.askIdentifier(w, r, status, p, ws, identifier, problem)
	}
	if err := f.remember(r.Context(), p, stepCode, sentCode{ConnectionID: c.ID, Recipient: recipient}); err != nil {
		return err
	}
	redirect(w, r, at(codePath(c.Class()), p.id))
	return nil
}

// sendCode sends a code. What a page can say of a failure is a problem.
func (f *Flow) sendCode(r *http.Request, p *pass, c *connection.Connection, recipient string) (page.Problem, int, error) {
	_, err := f.d.Passwordless.Start(r.Context(), onetime.Request{
		Connection: c, Recipient: recipient, ClientID: p.client.ID, Application: p.client.Name, Language: language(r, p.req.UILocales),
	}, f.actor(r, p))
	var limited *onetime.Limited
	switch {
	case err == nil:
		return "", 0, nil
	case errors.As(err, &limited):
		f.refused(r, p.client.ID, c, limited.Error())
		return page.TooManyRequests, http.StatusTooManyRequests, nil
	case errs.From(err).Code == "sms_provider_error":
		f.refused(r, p.client.ID, c, errs.From(err).Text)
		return page.MessageNotSent, http.StatusBadRequest, nil
	}
	return "", 0, err
}

// atCode opens the login in the query at this step. done: the request was answered.
func (f *Flow) atCode(w http.ResponseWriter, r *http.Request) (p *pass, c *connection.Connection, sent sentCode, done bool, err error) {
	if p, err = f.opened(r); err != nil {
		return nil, nil, sent, false, err
	}
	ok, err := p.prog.get(stepCode, &sent)
	if err != nil {
		return nil, nil, sent, false, err
	}
	if !ok {
		redirect(w, r, at(identifierPath, p.id))
		return nil, nil, sent, true, nil
	}
	if c, err = f.connection(r.Context(), sent.ConnectionID); err != nil {
		return nil, nil, sent, false, err
	}
	if c != nil {
		if way, usable := wayOf(c, p.client.ID, f.spoken); usable && way.kind == passwordless {
			return p, c, sent, false, nil
		}
	}
	return nil, nil, sent, true, f.refuse(w, r, p, errDisabled)
}

// showCode is GET /u/login/passwordless-email-challenge?state=… and its twin for SMS.
func (f *Flow) showCode(w http.ResponseWriter, r *http.Request) error {
	p, c, sent, done, err := f.atCode(w, r)
	if done || err != nil {
		return err
	}
	return f.askCode(w, r, http.StatusOK, p, c, sent, "")
}

// askCode draws the page of a code that was sent.
func (f *Flow) askCode(w http.ResponseWriter, r *http.Request, status int, p *pass, c *connection.Connection, sent sentCode, problem page.Problem) error {
	view := page.OneTimeCode{
		Frame: f.frame(p), Action: at(codePath(c.Class()), p.id), Channel: page.ByEmail, Recipient: sent.Recipient,
		Length: c.CodeOptions().Length, Problem: problem, Resent: sent.Resent && problem == "", EditURL: at(identifierPath, p.id),
	}
	if c.Class() == profile.PasswordlessSMS {
		view.Channel = page.BySMS
	}
	return f.show(w, r, status, view)
}

// enterCode is the form of that page: code, or resend=1.
func (f *Flow) enterCode(w http.ResponseWriter, r *http.Request, form url.Values) error {
	p, c, sent, done, err := f.atCode(w, r)
	if done || err != nil {
		return err
	}
	if form.Get("resend") == "1" {
		return f.resendCode(w, r, p, c, sent)
	}
	code := form.Get("code")
	if code == "" {
		return f.askCode(w, r, http.StatusBadRequest, p, c, sent, page.MissingInput)
	}
	u, err := f.d.Passwordless.Redeem(r.Context(), onetime.Attempt{
		Connection: c, Recipient: sent.Recipient, Code: code, ClientID: p.client.ID,
	}, f.actor(r, p))
	if problem := codeProblem(err); problem != "" {
		f.refused(r, p.client.ID, c, errs.From(err).Text)
		return f.askCode(w, r, http.StatusBadRequest, p, c, sent, problem)
	}
	if err != nil {
		return f.notSignedIn(w, r, p, c, err)
	}
	return f.proven(w, r, p, u, c, codeMethod(c.Class()))
}

// resendCode sends another code to where the first one went.
func (f *Flow) resendCode(w http.ResponseWriter, r *http.Request, p *pass, c *connection.Connection, sent sentCode) error {
	problem, status, err := f.sendCode(r, p, c, sent.Recipient)
	if err != nil {
		return err
	}
	if problem != "" {
		return f.askCode(w, r, status, p, c, sent, problem)
	}
	sent.Resent = true
	if err := f.remember(r.Context(), p, stepCode, sent); err != nil {
		return err
	}
	redirect(w, r, at(codePath(c.Class()), p.id))
	return nil
}

// codeProblem is what the page says of a code that was refused.
func codeProblem(err error) page.Problem {
	switch {
	case err == nil:
		return ""
	case onetime.IsWrong(err):
		return page.WrongCode
	case errors.Is(err, onetime.ErrExpired):
		return page.CodeExpired
	case errors.Is(err, onetime.ErrTries):
		return page.TooManyTries
	}
	return ""
}

// notSignedIn tells the application why somebody with the right code gets nothing.
func (f *Flow) notSignedIn(w http.ResponseWriter, r *http.Request, p *pass, c *connection.Connection, err error) error {
	why := &oauth.AuthorizeError{Code: "access_denied", Description: user.ErrSignupDisabled.Text}
	switch {
	case errors.Is(err, user.ErrBlocked):
		why = errBlocked
	case !errors.Is(err, user.ErrSignupDisabled):
		return err
	}
	f.refused(r, p.client.ID, c, why.Description)
	return f.end(w, r, p, why)
}

// proveCode checks a code for /co/authenticate. Wrong ones are access_denied.
func (f *Flow) proveCode(ctx context.Context, c *connection.Connection, recipient, code string, a user.Actor) (*user.User, string, error) {
	u, err := f.d.Passwordless.Redeem(ctx, onetime.Attempt{Connection: c, Recipient: recipient, Code: code, ClientID: a.ClientID}, a)
	if codeProblem(err) != "" {
		err = errs.New(errs.Forbidden, "access_denied", "%s", errs.From(err).Text)
	}
	return u, codeMethod(c.Class()), err
}
