package page

import (
	"net/http"
	"net/url"

	"mangrove/internal/errs"
)

// Error is a page of our own for a failure that must not travel to an application.
// Its texts are English; those that the catalogues have on screen "error" of
// prompt "status" are shown in the language of the page.
type Error struct {
	Title string // empty: "Something went wrong"
	Text  string // for people; empty: that the server could not finish
	// Code is the machine-readable error; may be empty.
	Code string
	// Reference lets the operator find the log line; may be empty.
	Reference string
}

// ErrorOf is the page of err, with its status: the public side of an *errs.Error,
// nothing of anything else. reference may be empty.
func ErrorOf(err error, reference string) (status int, view Error) {
	e := errs.From(err)
	view = Error{Text: e.Text, Code: e.Code, Reference: reference}
	if e.Kind == errs.Internal {
		view = Error{Reference: reference}
	}
	return e.Kind.Status(), view
}

// Fail draws the page of err, as ErrorOf says.
func (p *Renderer) Fail(w http.ResponseWriter, r *http.Request, err error, reference string) error {
	status, view := ErrorOf(err, reference)
	if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "5")
	}
	return p.Show(w, r, status, view)
}

// Field is a hidden input, or a member of an answer.
type Field struct{ Name, Value string }

// FormPost carries an answer to an application by a form that submits itself
// (OAuth 2.0 Form Post Response Mode). Without scripts a button does it.
type FormPost struct {
	Action string // absolute, http or https
	Fields []Field
}

// HiddenForm is the form of a FormPost alone, for scripts of ours in other pages
// that put it into theirs and send it (reference/authentication.md §2.8).
type HiddenForm FormPost

// ErrFormTarget says that a form cannot be posted there; ErrMessageTarget that
// no page can be sent a message there.
var (
	ErrFormTarget    = errs.New(errs.Invalid, "invalid_request", "response_mode form_post needs an http or https redirect_uri")
	ErrMessageTarget = errs.New(errs.Invalid, "invalid_request", "response_mode web_message needs an http or https origin")
)

// possible refuses views that lead where no page of ours may.
func possible(v View) error {
	switch v := v.(type) {
	case FormPost:
		if u, ok := web(v.Action); !ok || u.Host == "" {
			return ErrFormTarget
		}
	case HiddenForm:
		return possible(FormPost(v))
	case WebMessage:
		if u, ok := web(v.Target); !ok || v.Target != u.Scheme+"://"+u.Host || source(v.Target) != v.Target {
			return ErrMessageTarget
		}
	}
	return nil
}

// web parses an http or https URL.
func web(raw string) (*url.URL, bool) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return nil, false
	}
	return u, true
}
