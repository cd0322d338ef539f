package op

import (
	"net/http"
	"net/url"
	"strings"

	"mangrove/internal/errs"
	"mangrove/internal/oauth"
	"mangrove/internal/tenant"
	"mangrove/internal/web"
)

// Parameter of an answer; the order counts.
type Parameter struct{ Name, Value string }

// deliver sends the answer by the request's mode (reference/authentication.md §2.3).
func (e *Endpoints) deliver(w http.ResponseWriter, r *http.Request, t *tenant.Settings, req oauth.AuthorizeRequest, answer ...Parameter) error {
	if req.State != "" {
		answer = append(answer, Parameter{"state", req.State})
	}
	if t.IssParameter {
		answer = append(answer, Parameter{"iss", e.issuer})
	}
	web.NoStore(w)
	// Neither the code nor the state is anybody else's business.
	w.Header().Set("Referrer-Policy", "no-referrer")
	switch req.ResponseMode {
	case oauth.WebMessage:
		origin, _ := oauth.OriginOf(req.RedirectURI) // returnable has found it to be the client's
		return e.Message(w, r, origin, answer)
	case oauth.FormPost:
		return e.FormPost(w, r, req.RedirectURI, answer)
	case oauth.Fragment:
		location(w, r, req.RedirectURI+"#"+encode(answer))
	case oauth.Query:
		location(w, r, appended(req.RedirectURI, answer))
	default:
		return errs.New(errs.Invalid, "invalid_request", "Unsupported response mode.")
	}
	return nil
}

// appended adds the parameters to an address that may have a query.
func appended(uri string, answer []Parameter) string {
	if len(answer) == 0 {
		return uri
	}
	separator := "?"
	if strings.Contains(uri, "?") {
		separator = "&"
	}
	return uri + separator + encode(answer)
}

// encode writes the parameters in their order.
func encode(answer []Parameter) string {
	var b strings.Builder
	for i, p := range answer {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(p.Name)
		b.WriteByte('=')
		b.WriteString(url.QueryEscape(p.Value))
	}
	return b.String()
}

// location redirects without touching a byte of the address. After a posted
// form it is 303, so that no browser posts the form again (RFC 9700 §4.12).
func location(w http.ResponseWriter, r *http.Request, to string) {
	w.Header().Set("Location", to)
	if r.Method == http.MethodPost {
		w.WriteHeader(http.StatusSeeOther)
		return
	}
	w.WriteHeader(http.StatusFound)
}
