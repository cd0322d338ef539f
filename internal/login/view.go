package login

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"mangrove/internal/errs"
	"mangrove/internal/page"
	"mangrove/internal/passwd"
	"mangrove/internal/schema"
	"mangrove/internal/tenant"
	"mangrove/internal/user"
)

// frame is what every page of a login has.
func (f *Flow) frame(p *pass) page.Frame {
	return page.Frame{Application: p.client.Name, Locales: p.req.UILocales, ReturnTo: p.req.RedirectURI}
}

// show draws a page of a login.
func (f *Flow) show(w http.ResponseWriter, r *http.Request, status int, v page.View) error {
	if status == http.StatusTooManyRequests && w.Header().Get("Retry-After") == "" {
		w.Header().Set("Retry-After", "2")
	}
	return f.d.Page.Show(w, r, status, v)
}

// links are the buttons of other ways.
func links(p *pass, ws []way) []page.Link {
	var list []page.Link
	for _, w := range ws {
		list = append(list, page.Link{Label: w.label, URL: connectionURL(p, w.c.Name), Icon: w.c.IconURL()})
	}
	return list
}

// connectionURL is where a person chooses a connection.
func connectionURL(p *pass, name string) string {
	return connectionPath + "?" + url.Values{"state": {p.id}, "connection": {name}}.Encode()
}

// trouble is what a page says of a failure, and with which status. The error is
// one that no page can say.
func (f *Flow) trouble(ctx context.Context, err error) (page.Problem, int, error) {
	settings, failed := f.d.Tenant.Settings(ctx)
	if failed != nil {
		return "", 0, failed
	}
	if problem, status, ok := problemOf(err, settings); ok {
		return problem, status, nil
	}
	return "", 0, err
}

// problemOf is the rule of trouble; false: no page says it.
func problemOf(err error, t *tenant.Settings) (page.Problem, int, bool) {
	var weak *passwd.Weak
	if errors.As(err, &weak) {
		return weakness(weak), http.StatusBadRequest, true
	}
	var violations schema.Error
	if errors.As(err, &violations) {
		return page.InvalidInput, http.StatusBadRequest, true
	}
	for _, row := range []struct {
		is      error
		problem page.Problem
	}{
		{user.ErrWrongPassword, page.WrongCredentials},
		{user.ErrAccountLocked, page.AccountLocked},
		{user.ErrAddressLocked, page.AddressLocked},
		{user.ErrSignupLocked, page.AddressLocked},
		{user.ErrTooOften, page.TooManyRequests},
		{user.ErrBusy, page.Busy},
		{user.ErrSignupDisabled, page.SignupDisabled},
		{user.ErrExists, taken(t)},
		{user.ErrUsernameTaken, taken(t)},
	} {
		if !errors.Is(err, row.is) {
			continue
		}
		status := http.StatusBadRequest
		if errs.KindOf(err) == errs.TooMany {
			status = http.StatusTooManyRequests
		}
		return row.problem, status, true
	}
	for _, row := range directoryProblems {
		if errors.Is(err, row.is) {
			return row.problem, http.StatusBadRequest, true
		}
	}
	return "", 0, false
}

// taken tells who exists only where the tenant wants that.
func taken(t *tenant.Settings) page.Problem {
	if t.SignupTellsUserExists {
		return page.SignupTaken
	}
	return page.SignupRefused
}

func weakness(w *passwd.Weak) page.Problem {
	switch w.Name {
	case "PasswordDictionaryError":
		return page.PasswordCommon
	case "PasswordNoUserInfoError":
		return page.PasswordPersonal
	case "PasswordHistoryError":
		return page.PasswordUsed
	}
	return page.PasswordWeak
}

// rulesOf are the rules that a new password has to keep; those that the last try
// broke are marked.
func rulesOf(policy passwd.Policy, err error) []page.Rule {
	if list := brokenRules(err); list != nil {
		return list
	}
	return pageRules(policy.Rules(), false)
}

// brokenRules are the rules of a password that was refused for its strength; nil
// for any other failure.
func brokenRules(err error) []page.Rule {
	var weak *passwd.Weak
	if !errors.As(err, &weak) {
		return nil
	}
	d, ok := weak.Description.(passwd.Rules)
	if !ok {
		return nil
	}
	return pageRules(d.Rules, true)
}

// pageRules words rules for a page; tried: they say what became of a password.
func pageRules(rules []passwd.Rule, tried bool) []page.Rule {
	list := make([]page.Rule, 0, len(rules))
	for _, r := range rules {
		rule := page.Rule{Code: r.Code, Args: r.Format, Broken: tried && !r.Verified}
		for _, item := range r.Items {
			rule.Items = append(rule.Items, item.Code)
		}
		list = append(list, rule)
	}
	return list
}
