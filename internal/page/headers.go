package page

import (
	"net/http"
	"net/url"
	"strings"
)

// policy is the content security policy of one answer.
type policy struct {
	nonce string
	// script: the page has a script of ours, named by the nonce.
	script bool
	// targets are the URLs to which a form of the page may lead, beside our own
	// origin: as its action, or by the redirect that answers it. Chromium holds
	// form-action against redirects, too.
	targets []string
}

// text is the header's value.
func (p policy) text() string {
	parts := []string{
		"default-src 'none'",
		"style-src 'nonce-" + p.nonce + "'",
		"base-uri 'none'",
		"object-src 'none'",
		"frame-ancestors 'none'",
	}
	if p.script {
		parts = append(parts, "script-src 'nonce-"+p.nonce+"'")
	}
	action := "form-action 'self'"
	for _, t := range p.targets {
		if s := source(t); s != "" {
			action += " " + s
		}
	}
	return strings.Join(append(parts, action), "; ")
}

// source is the narrowest CSP source that covers a URL; empty when there is
// none. A literal IPv6 host has no form in the grammar and falls back to its scheme.
func source(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme == "" || !plain(u.Scheme) {
		return ""
	}
	switch u.Scheme {
	case "http", "https":
		if host := u.Hostname(); host == "" || !plain(host) || !plain(u.Port()) {
			if strings.Contains(host, ":") {
				return u.Scheme + ":"
			}
			return ""
		}
		return u.Scheme + "://" + u.Host
	case "javascript", "data", "vbscript", "blob", "file":
		return ""
	}
	return u.Scheme + ":" // an application's own scheme
}

// plain reports letters, digits, dots, dashes, plus and underscore only:
// nothing that ends a directive or starts another.
func plain(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte(".-+_", c) >= 0) {
			return false
		}
	}
	return true
}

func (p policy) set(h http.Header) {
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", p.text())
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}
