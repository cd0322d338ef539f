package page

import (
	"net/http"
	"net/url"

	"mangrove/internal/errs"
)

// SignIn is the page on which a person signs in.
type SignIn struct {
	// Application is the client's name; empty: it is not named.
	Application string
	// Password: there is a database to sign in to, and so a form.
	Password bool
	// Action is where the form goes, a path of ours.
	Action string
	// IdentifierLabel names the identifier; empty: "Email address".
	IdentifierLabel string
	// EmailOnly: the identifier is an e-mail address and nothing else.
	EmailOnly bool
	// Identifier fills the field in.
	Identifier string
	// Problem is why the last try failed; empty: there was none.
	Problem string
	// Buttons lead to other ways of signing in.
	Buttons []Button
	// ReturnTo is the redirect URI to which the answer to the form may lead.
	ReturnTo string
}

// Button is a link that looks like a button.
type Button struct {
	Label string
	URL   string // a path of ours
}

// Label is the identifier's label.
func (s SignIn) Label() string {
	if s.IdentifierLabel == "" {
		return "Email address"
	}
	return s.IdentifierLabel
}

// SignIn draws the sign-in page.
func (p *Renderer) SignIn(w http.ResponseWriter, status int, s SignIn) error {
	title := "Sign in"
	if s.Problem != "" {
		title = "Error: " + title // read first by a screen reader
	}
	return p.draw(w, status, "signin.html", title, s, policy{targets: []string{s.ReturnTo}})
}

// Error is a page of our own for a failure that must not travel to an application.
type Error struct {
	Title string // empty: "Something went wrong"
	Text  string // for people
	// Code is the machine-readable error; may be empty.
	Code string
	// Reference lets the operator find the log line; may be empty.
	Reference string
}

// Heading is the page's heading.
func (e Error) Heading() string {
	if e.Title == "" {
		return "Something went wrong"
	}
	return e.Title
}

// Error draws the error page.
func (p *Renderer) Error(w http.ResponseWriter, status int, e Error) error {
	return p.draw(w, status, "error.html", e.Heading(), e, policy{})
}

// Fail draws the error page of err: the public side of an *errs.Error, nothing
// of anything else. reference may be empty.
func (p *Renderer) Fail(w http.ResponseWriter, err error, reference string) error {
	e := errs.From(err)
	view := Error{Text: e.Text, Code: e.Code, Reference: reference}
	switch e.Kind {
	case errs.Internal:
		view = Error{Text: "The server could not finish this. Please try again later.", Reference: reference}
	case errs.Unavailable, errs.TooMany:
		w.Header().Set("Retry-After", "5")
	}
	return p.Error(w, e.Kind.Status(), view)
}

// SignedOut tells that the session is over.
type SignedOut struct{}

// SignedOut draws it.
func (p *Renderer) SignedOut(w http.ResponseWriter) error {
	return p.draw(w, http.StatusOK, "signedout.html", "Signed out", SignedOut{}, policy{})
}

// Field is a hidden input.
type Field struct{ Name, Value string }

// SignOut asks before a session is ended that nobody proved to mean.
type SignOut struct {
	Action string // a path of ours
	Fields []Field
	// ReturnTo is where the answer may lead; empty: nowhere.
	ReturnTo string
}

// SignOut draws the question.
func (p *Renderer) SignOut(w http.ResponseWriter, s SignOut) error {
	return p.draw(w, http.StatusOK, "signout.html", "Sign out?", s, policy{targets: []string{s.ReturnTo}})
}

// FormPost carries an answer to an application by a form that submits itself
// (OAuth 2.0 Form Post Response Mode). Without scripts a button does it.
type FormPost struct {
	Action string // absolute, http or https
	Fields []Field
}

// ErrFormTarget says that a form cannot be posted there.
var ErrFormTarget = errs.New(errs.Invalid, "invalid_request", "response_mode form_post needs an http or https redirect_uri")

// FormPost draws it.
func (p *Renderer) FormPost(w http.ResponseWriter, f FormPost) error {
	u, err := url.Parse(f.Action)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return ErrFormTarget
	}
	return p.draw(w, http.StatusOK, "formpost.html", "One moment", f, policy{script: true, targets: []string{f.Action}})
}
