package mgmt

import (
	"net/http"
	"net/netip"

	"mangrove/internal/schema"
	"mangrove/internal/web"
)

// blockedAddress is the address in the path (reference/authentication.md §5.4).
func blockedAddress(r *http.Request) (string, error) {
	ip, err := web.Param(r, "ip")
	if err != nil {
		return "", err
	}
	if a, err := netip.ParseAddr(ip); err != nil || a.Zone() != "" {
		return "", pathError(schema.Violation{
			Code: schema.InvalidFormat, Path: "ip", Message: "Object didn't pass validation for format ip-address: " + web.Printable(ip, 64),
			Description: "IP address to check.",
		})
	}
	return ip, nil
}

// addressBlock is GET /anomaly/blocks/ips/{ip}: 200 when it is blocked, 404 when not.
func (a *api) addressBlock(w http.ResponseWriter, r *http.Request, _ *caller) error {
	ip, err := blockedAddress(r)
	if err != nil {
		return err
	}
	blocked, err := a.Guard.AddressBlocked(r.Context(), ip)
	if err != nil {
		return err
	}
	if !blocked {
		return errNoRoute
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

// releaseAddress is DELETE /anomaly/blocks/ips/{ip}.
func (a *api) releaseAddress(w http.ResponseWriter, r *http.Request, by *caller) error {
	ip, err := blockedAddress(r)
	if err != nil {
		return err
	}
	if err := a.Guard.ReleaseAddress(r.Context(), ip, by.event(r)); err != nil {
		return err
	}
	return none(w)
}
