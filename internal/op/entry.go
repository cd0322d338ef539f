package op

import (
	"errors"
	"net/http"

	"mangrove/internal/client"
	"mangrove/internal/errs"
)

var errNoEntry = errs.New(errs.Invalid, "invalid_request", "There is no sign-in under way. Please go back to the application and try again.")

// loginEntry is GET /login, which people have as a bookmark: it leads to where the
// application, or the tenant, begins a login (reference/authentication.md §2.5).
func (e *Endpoints) loginEntry(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	p, err := parseParameters(r.URL.RawQuery)
	if err != nil {
		return err
	}
	t, err := e.d.Tenant.Settings(ctx)
	if err != nil {
		return err
	}
	to := t.DefaultRedirectionURI
	id := p.get("client")
	if id == "" {
		id = p.get("client_id")
	}
	if id != "" {
		c, err := e.d.Clients.Client(ctx, id)
		if err != nil && !errors.Is(err, client.ErrNotFound) {
			return err
		}
		if err == nil && c.Settings().InitiateLoginURI != "" {
			to = c.Settings().InitiateLoginURI
		}
	}
	if !addressable(to) {
		return errNoEntry
	}
	location(w, r, appended(to, []Parameter{{"iss", e.issuer}}))
	return nil
}
