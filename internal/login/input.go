package login

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"mangrove/internal/errs"
	"mangrove/internal/strictjson"
	"mangrove/internal/web"
)

var (
	errInput = errs.New(errs.Invalid, "invalid_request", "The request is malformed.")
	errType  = errs.New(errs.Unsupported, "invalid_request", "The request has to be a form.")
	errLarge = errs.New(errs.TooLarge, "invalid_request", "The request is too large.")
)

// maxAnswer bounds what a provider may post, bytes: an assertion of a megabyte.
const maxAnswer = 3 << 19

// answer is what a provider sent back, by query or by form; a form's query
// does not count.
func answer(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	if r.Method == http.MethodPost {
		return boundedForm(w, r, maxAnswer)
	}
	return query(r)
}

func query(r *http.Request) (url.Values, error) { return strict(r.URL.RawQuery) }

// postForm reads a form body of at most web.MaxBody.
func postForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	return boundedForm(w, r, web.MaxBody)
}

func boundedForm(w http.ResponseWriter, r *http.Request, limit int64) (url.Values, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, errType
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return nil, errLarge
		}
		return nil, errInput.Because(err)
	}
	return strict(string(raw))
}

// endpointParams reads the body of an endpoint that pages of applications call.
func endpointParams(r *http.Request) (map[string]string, error) {
	p, err := web.Params(r)
	var bad *strictjson.Error
	if errors.As(err, &bad) {
		return nil, errs.New(errs.Invalid, "invalid_request", "%s", bad.Text)
	}
	return p, err
}

// strict decodes form encoding: every name once, valid UTF-8, no NUL.
func strict(encoded string) (url.Values, error) {
	v, err := url.ParseQuery(encoded)
	if err != nil {
		return nil, errInput // the cause would repeat what was sent
	}
	for name, values := range v {
		if len(values) != 1 || !clean(name) || !clean(values[0]) {
			return nil, errInput
		}
	}
	return v, nil
}

func clean(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }
