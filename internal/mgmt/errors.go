package mgmt

import (
	"errors"
	"net/http"
	"strings"

	"mangrove/internal/errs"
	"mangrove/internal/passwd"
	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
	"mangrove/internal/web"
)

// Failures of the surface itself (reference/users.md §3.0, authentication.md §6.4).
var (
	errNoRoute    = errs.New(errs.NotFound, "", "Not Found")
	errNoToken    = errs.New(errs.Unauthenticated, "", "Missing authentication")
	errHeaderForm = errs.New(errs.Invalid, "Bearer", "Bad HTTP authentication header format")
	errToken      = errs.New(errs.Unauthenticated, "", "Invalid token")
	errSubject    = errs.New(errs.Forbidden, "insufficient_scope", "User to be acted on does not match subject in bearer token.")
)

func errScope(scopes []string) error {
	return errs.New(errs.Forbidden, "insufficient_scope", "%s", "Insufficient scope, expected any of: "+strings.Join(scopes, ","))
}

// bodyError, queryError and pathError refuse a part of the request for one
// violation.
func bodyError(v schema.Violation) error {
	return &errs.Error{Kind: errs.Invalid, Code: "invalid_body", Text: v.Payload()}
}

func queryError(v schema.Violation) error {
	return &errs.Error{Kind: errs.Invalid, Code: "invalid_query_string", Text: v.Query()}
}

func pathError(v schema.Violation) error {
	return &errs.Error{Kind: errs.Invalid, Code: "invalid_uri", Text: v.URI()}
}

// checkBody is the error for the first violation; nil when there is none.
func checkBody(vs []schema.Violation) error {
	if len(vs) == 0 {
		return nil
	}
	return bodyError(vs[0])
}

// problem is the body of every error.
type problem struct {
	StatusCode int         `json:"statusCode"`
	Error      string      `json:"error"`
	Message    string      `json:"message"`
	Attributes *attributes `json:"attributes,omitempty"`
	ErrorCode  string      `json:"errorCode,omitempty"`
}

// attributes stand with every 401, as hapi writes them.
type attributes struct {
	Error string `json:"error"`
}

// public is the error that a caller may see: the families that the use cases
// return become one.
func public(err error) *errs.Error {
	var violations schema.Error
	if errors.As(err, &violations) && len(violations) > 0 {
		return &errs.Error{Kind: errs.Invalid, Code: "invalid_body", Text: violations.Error()}
	}
	var malformed *strictjson.Error
	if errors.As(err, &malformed) {
		return &errs.Error{Kind: errs.Invalid, Code: "invalid_body", Text: "Invalid request payload JSON format: " + malformed.Text}
	}
	var weak *passwd.Weak
	if errors.As(err, &weak) {
		return &errs.Error{Kind: errs.Invalid, Text: weak.Name + ": " + weak.Message}
	}
	return errs.From(err)
}

// render writes err in the family of the Management API.
func render(w http.ResponseWriter, _ *http.Request, err error) {
	e := public(err)
	p := problem{StatusCode: e.Kind.Status(), Message: e.Text, ErrorCode: e.Code}
	p.Error = http.StatusText(p.StatusCode)
	switch e.Kind {
	case errs.Internal:
		p.Message, p.ErrorCode = "Internal error.", ""
	case errs.Unauthenticated:
		p.Attributes = &attributes{Error: e.Text}
		p.ErrorCode = ""
		w.Header()["Www-Authenticate"] = []string{challenge(e)}
	case errs.TooMany, errs.Unavailable:
		if w.Header()["Retry-After"] == nil {
			w.Header()["Retry-After"] = []string{"1"}
		}
	}
	web.WriteJSON(w, p.StatusCode, web.TypeJSON, p)
}

// challenge is the WWW-Authenticate header (RFC 6750 §3): bare for a request
// that did not try.
func challenge(e *errs.Error) string {
	if errors.Is(e, errNoToken) {
		return "Bearer"
	}
	return `Bearer error="invalid_token"`
}
