package upstream

import (
	"net/netip"
	"net/url"
	"strings"
)

// Tenant is the name by which providers know us, in urn:auth0:<tenant>:<connection>
// (reference/connections.md §4.7): the first label of the public host, or an address
// as it is.
func Tenant(publicURL string) string {
	u, err := url.Parse(publicURL)
	if err != nil {
		return ""
	}
	host := strings.ToLower(u.Hostname())
	if _, err := netip.ParseAddr(host); err == nil {
		return host
	}
	name, _, _ := strings.Cut(host, ".")
	return name
}
