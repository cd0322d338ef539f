package login

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"mangrove/internal/connection"
	"mangrove/internal/customdb"
	"mangrove/internal/errs"
	"mangrove/internal/page"
	"mangrove/internal/profile"
	"mangrove/internal/schema"
	"mangrove/internal/session"
	"mangrove/internal/user"
)

// showSignUp is GET /u/signup?state=….
func (f *Flow) showSignUp(w http.ResponseWriter, r *http.Request) error {
	p, ws, done, err := f.atSignIn(w, r)
	if done || err != nil {
		return err
	}
	o := offered(ws, p.prog.ConnectionID)
	if f.signupURL(p, o) == "" {
		redirect(w, r, at(f.firstPath(r, o), p.id))
		return nil
	}
	known := map[string]string{}
	hint := p.prog.Identifier
	if hint == "" {
		hint = p.req.LoginHint
	}
	if fields := signupFields(o.database.c); len(fields) > 0 && (strings.Contains(hint, "@") == (fields[0].Name == profile.Email)) {
		known[fields[0].Name] = hint
	}
	return f.askSignUp(w, r, p, o, known, nil)
}

// signUp is POST /u/signup?state=… with the fields of the page and password.
func (f *Flow) signUp(w http.ResponseWriter, r *http.Request, form url.Values) error {
	p, ws, done, err := f.atSignIn(w, r)
	if done || err != nil {
		return err
	}
	o := offered(ws, p.prog.ConnectionID)
	if o.database == nil {
		return f.refuse(w, r, p, errDisabled)
	}
	c := o.database.c
	typed := map[string]string{}
	var changes []profile.Change
	// Whoever signs in by this page has shown a password, wherever the API may do without.
	missing := form.Get("password") == ""
	for _, field := range signupFields(c) {
		value := strings.TrimSpace(form.Get(field.Name))
		typed[field.Name] = value
		if value != "" {
			changes = append(changes, profile.Change{Name: field.Name, Value: profile.Text(value)})
		}
		missing = missing || field.Required && value == ""
	}
	if missing {
		return f.askSignUp(w, r, p, o, typed, errMissingInput)
	}
	u, err := f.d.Users.SignUp(r.Context(), c, user.CreateRequest{Changes: changes, Password: form.Get("password")}, f.actor(r, p))
	if err != nil {
		f.signupFailed(r, p, c, err)
		return f.askSignUp(w, r, p, o, typed, err)
	}
	return f.proven(w, r, p, u, c, session.Password)
}

// errMissingInput stands for a required field that was left empty.
var errMissingInput = errors.New("a required field is empty")

// askSignUp draws the page; err is why the last try failed, nil at first. What no
// page can say is returned.
func (f *Flow) askSignUp(w http.ResponseWriter, r *http.Request, p *pass, o offer, typed map[string]string, err error) error {
	c := o.database.c
	view := page.SignUp{
		Frame: f.frame(p), Action: at(signupPath, p.id), Password: true, LoginURL: at(f.firstPath(r, o), p.id), Ways: links(p, o.buttons),
		Rules: rulesOf(c.PasswordPolicy(), err), Fields: judged(signupFields(c), typed, err),
	}
	status := http.StatusOK
	switch {
	case err == nil:
	case errors.Is(err, errMissingInput):
		view.Problem, status = page.MissingInput, http.StatusBadRequest
	default:
		problem, answered, failed := f.trouble(r.Context(), err)
		if failed != nil && !refusedElsewhere(err) {
			return failed
		}
		if view.Problem, status = problem, answered; failed != nil {
			view.Problem, status = page.SignupRefused, http.StatusBadRequest
		}
	}
	return f.show(w, r, status, view)
}

// refusedElsewhere reports whether a custom database has refused something, in words of
// its own. Those are in the tenant log; a page says that it was refused.
func refusedElsewhere(err error) bool {
	var f *customdb.Failure
	return errs.KindOf(err) != errs.Unavailable && errors.As(err, &f) || errors.Is(err, user.ErrNoCreateScript)
}

// judged are the fields with what was typed, and what err says of each.
func judged(fields []page.SignUpField, typed map[string]string, err error) []page.SignUpField {
	var violations schema.Error
	wrong := errors.As(err, &violations)
	for i := range fields {
		field := &fields[i]
		field.Value = typed[field.Name]
		switch {
		case errors.Is(err, errMissingInput) && field.Required && field.Value == "":
			field.Problem = page.MissingInput
		case wrong && names(violations, field.Name):
			field.Problem = invalid(field.Name)
		}
	}
	return fields
}

// signupFields are the fields that somebody new fills in: identifiers by which
// people sign in or which the connection asks for, the required ones first.
func signupFields(c *connection.Connection) []page.SignUpField {
	facts, rules := c.Facts(), c.Signup()
	var required, optional []page.SignUpField
	for _, id := range []struct {
		name    string
		allowed bool
	}{{profile.Email, true}, {profile.PhoneNumber, facts.PhoneAllowed}, {profile.Username, facts.Username.Allowed}} {
		must, inactive := rules.Identifier(facts, id.name)
		switch {
		case !id.allowed || inactive:
		case must:
			required = append(required, page.SignUpField{Name: id.name, Required: true})
		default:
			optional = append(optional, page.SignUpField{Name: id.name})
		}
	}
	return append(required, optional...)
}

// names reports a violation of that member.
func names(list schema.Error, member string) bool {
	for _, v := range list {
		if v.Path == member {
			return true
		}
	}
	return false
}

func invalid(field string) page.Problem {
	switch field {
	case profile.Email:
		return page.InvalidEmail
	case profile.PhoneNumber:
		return page.InvalidPhone
	case profile.Username:
		return page.InvalidUsername
	}
	return page.InvalidInput
}
