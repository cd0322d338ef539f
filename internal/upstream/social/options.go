package social

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"mangrove/internal/strictjson"
)

// The names that options.endpoints has beside those of the requests.
const (
	authorizeEndpoint = "authorize"
	tokenEndpoint     = "token"
	logoutEndpoint    = "logout"
	jwksEndpoint      = "jwks"
)

// address is where an endpoint is: options.endpoints (ours) has the first word,
// then the provider's own address with the options in it.
func (p *Provider) address(o strictjson.Document, name, own string) (*url.URL, error) {
	if set := o.Object("endpoints").Text(name); set != "" {
		return webURL(set)
	}
	filled, err := p.fill(o, own)
	if err != nil {
		return nil, err
	}
	u, err := webURL(filled)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return u, nil
}

// fill puts options into an address.
func (p *Provider) fill(o strictjson.Document, address string) (string, error) {
	var b strings.Builder
	for rest := address; ; {
		before, after, open := strings.Cut(rest, "{")
		b.WriteString(before)
		if !open {
			return b.String(), nil
		}
		name, behind, closed := strings.Cut(after, "}")
		if !closed {
			return "", fmt.Errorf("address %s has no end", name)
		}
		v := o.Text(name)
		if v == "" {
			v = p.Placeholders[name]
		}
		if v == "" {
			return "", fmt.Errorf("options.%s is not set", name)
		}
		if b.Len() == 0 {
			u, err := webURL(v)
			if err != nil || u.RawQuery != "" {
				return "", fmt.Errorf("options.%s is not acceptable", name)
			}
			v = strings.TrimRight(v, "/")
		} else if !isLabel(v) {
			return "", fmt.Errorf("options.%s is not acceptable", name)
		}
		b.WriteString(v)
		rest = behind
	}
}

// webURL is an http(s) URL with a host, without user and fragment.
func webURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || u.User != nil || u.Fragment != "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, errNotWeb
	}
	return u, nil
}

// isLabel reports one label of a host name (RFC 1123 §2.1), or one segment of a
// path that looks like it.
func isLabel(s string) bool {
	if len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// badEndpoint is the name of a member of options.endpoints that is no address.
func badEndpoint(o strictjson.Document) string {
	endpoints := o.Object("endpoints")
	for _, name := range slices.Sorted(maps.Keys(endpoints)) {
		if _, err := webURL(endpoints.Text(name)); err != nil {
			return name
		}
	}
	return ""
}

// unknownEndpoint is a member of options.endpoints that means nothing: misspelt, it
// would let people go to the provider after all. known are those that mean something.
func (p *Provider) unknownEndpoint(o strictjson.Document) (name string, known []string) {
	known = []string{authorizeEndpoint, tokenEndpoint, requestEndpoint, jwksEndpoint, logoutEndpoint, "profile"}
	for _, r := range p.Requests {
		known = append(known, r.Name)
	}
	known = distinct(known)
	for _, name := range slices.Sorted(maps.Keys(o.Object("endpoints"))) {
		if !slices.Contains(known, name) {
			return name, known
		}
	}
	return "", nil
}
