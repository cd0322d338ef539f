package web

import (
	"net/http"
	"net/url"
	"strings"

	"mangrove/internal/errs"
	"mangrove/internal/profile"
)

// maxParams bounds the parameters of one request.
const maxParams = 1000

// ErrScope refuses a scope of another JSON type (reference/authentication.md §3.3).
// Told here, since a number is a text as good as any once it is a parameter.
var ErrScope = errs.New(errs.Invalid, "invalid_scope", "Scope must be an array or a string")

// Params reads the parameters of an Authentication API request: form or JSON
// body (JSON values that are no strings keep their JSON text; null is as good
// as absent), plus nothing of the query. A repeated parameter is an error
// (Invalid, invalid_request), and so is a scope that is neither text nor a list
// (ErrScope).
func Params(r *http.Request) (map[string]string, error) {
	switch media(r) {
	case TypeJSONPlain:
		return jsonParams(r)
	case "application/x-www-form-urlencoded":
		data, err := readBody(r)
		if err != nil {
			return nil, err
		}
		return FormParams(string(data))
	}
	if r.ContentLength == 0 {
		return map[string]string{}, nil
	}
	return nil, ErrUnsupported
}

func jsonParams(r *http.Request) (map[string]string, error) {
	members, err := ReadJSON(r)
	if err != nil {
		return nil, err
	}
	m := make(map[string]string, len(members))
	for _, x := range members {
		switch {
		case profile.IsNull(x.Value):
		case x.Name == "scope" && x.Value[0] != '"' && x.Value[0] != '[':
			return nil, ErrScope
		case x.Value[0] == '"':
			m[x.Name] = profile.TextOf(x.Value)
		default:
			m[x.Name] = string(x.Value)
		}
	}
	return m, nil
}

// FormParams reads form-encoded text, which a query string is too, by the same
// rules as Params.
func FormParams(s string) (map[string]string, error) {
	m := map[string]string{}
	for pair := range strings.SplitSeq(s, "&") {
		if pair == "" {
			continue
		}
		k, v, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(k)
		if err != nil || !text(name) {
			return nil, badParam("A parameter is not properly encoded.")
		}
		value, err := url.QueryUnescape(v)
		if err != nil || !text(value) {
			return nil, badParam("A parameter is not properly encoded.")
		}
		if _, twice := m[name]; twice {
			return nil, badParam("Parameter appears more than once: " + printable(name))
		}
		if len(m) == maxParams {
			return nil, badParam("Too many parameters.")
		}
		m[name] = value
	}
	return m, nil
}

func badParam(text string) error {
	return &errs.Error{Kind: errs.Invalid, Code: "invalid_request", Text: text}
}

// printable keeps an error text short and on one line.
func printable(name string) string {
	if len(name) > 64 {
		name = name[:64]
	}
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e {
			return '?'
		}
		return r
	}, name)
}
