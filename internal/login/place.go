package login

import (
	"net/http"
	"net/netip"

	"mangrove/internal/connection"
	"mangrove/internal/upstream"
	"mangrove/internal/web"
)

// recognize signs in by where the browser is.
func (f *Flow) recognize(w http.ResponseWriter, r *http.Request, p *pass, c *connection.Connection) error {
	from, err := netip.ParseAddr(web.ClientIP(r))
	if err != nil {
		return f.stop(w, r, p, c, upstream.ErrUnknownPlace.Because(err))
	}
	result, err := f.d.Connectors[c.Strategy].(upstream.Place).Recognize(r.Context(), c, from)
	if err != nil {
		return f.stop(w, r, p, c, err)
	}
	if err := f.take(r.Context(), p); err != nil {
		return err
	}
	return f.arrive(w, r, p, c, result)
}
