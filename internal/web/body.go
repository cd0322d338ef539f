package web

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"mangrove/internal/errs"
	"mangrove/internal/strictjson"
)

// Failures of reading a body.
var (
	// ErrTooLarge has the reference's text (users.md §3.0).
	ErrTooLarge    = errs.New(errs.TooLarge, "", "Payload content length greater than maximum allowed: %d", MaxBody)
	ErrUnsupported = errs.New(errs.Unsupported, "", "Unsupported Media Type")
	// ErrCutOff: the peer went away, or was too slow, before the body was whole.
	ErrCutOff = errs.New(errs.Invalid, "invalid_body", "The request body ended too early.")
)

// ReadJSON reads one JSON object of at most MaxBody. Errors: *errs.Error
// (TooLarge, Unsupported) and *strictjson.Error.
//
// A body without Content-Type is refused: a browser can send one across sites
// without asking first.
func ReadJSON(r *http.Request) ([]strictjson.Member, error) {
	if media(r) != TypeJSONPlain {
		return nil, ErrUnsupported
	}
	data, err := readBody(r)
	if err != nil {
		return nil, err
	}
	return strictjson.Object(data)
}

// media is the media type of the body; empty when there is none, when it is
// compressed, or when it is in another character set than UTF-8.
func media(r *http.Request) string {
	if e := r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return ""
	}
	switch v := r.Header["Content-Type"]; {
	case len(v) != 1:
		return ""
	case v[0] == TypeJSONPlain:
		return TypeJSONPlain
	default:
		t, params, err := mime.ParseMediaType(v[0])
		if err != nil {
			return ""
		}
		if c, ok := params["charset"]; ok && !strings.EqualFold(c, "utf-8") {
			return ""
		}
		return t
	}
}

// readBody reads at most MaxBody bytes; a longer body is refused, as early as
// its length is known.
func readBody(r *http.Request) ([]byte, error) {
	if r.ContentLength > MaxBody {
		return nil, ErrTooLarge
	}
	size := 4096
	if r.ContentLength >= 0 {
		size = int(r.ContentLength) + 1 // one more, so that the end is seen without growing
	}
	b := make([]byte, 0, size)
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Body.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if len(b) > MaxBody {
			return nil, ErrTooLarge
		}
		if errors.Is(err, io.EOF) {
			return b, nil
		}
		if err != nil {
			return nil, ErrCutOff.Because(err)
		}
	}
}
