package page

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// policy is the content security policy of one answer.
type policy struct {
	nonce string
	// script: the page has a script of ours, named by the nonce.
	script bool
	// framed: any page may have this one in a frame.
	framed bool
	// images and fonts are origins, beside images in the page itself.
	images, fonts []string
	// targets are the URLs to which a form of the page may lead, beside our own
	// origin: as its action, or by the redirect that answers it.
	targets []string
}

// text is the header's value.
func (p policy) text() string {
	parts := []string{
		"default-src 'none'",
		"style-src 'nonce-" + p.nonce + "'",
		"base-uri 'none'",
		"object-src 'none'",
		"img-src data:" + joined(p.images),
	}
	if fonts := joined(p.fonts); fonts != "" {
		parts = append(parts, "font-src"+fonts)
	}
	if !p.framed {
		parts = append(parts, "frame-ancestors 'none'")
	}
	if p.script {
		parts = append(parts, "script-src 'nonce-"+p.nonce+"'")
	}
	action := "form-action 'self'"
	for _, t := range p.targets {
		action += joined(landing(t))
	}
	return strings.Join(append(parts, action), "; ")
}

// targets are where the answers to the forms of a login may lead.
func (f Frame) targets() []string {
	if f.Elsewhere {
		// Which provider it will be depends on what is typed.
		return []string{f.ReturnTo, "https://any", "http://any"}
	}
	return []string{f.ReturnTo}
}

// iconOrigins are where the images of connections come from.
func iconOrigins(ways []Link, secure bool) (list []string) {
	for _, w := range ways {
		if o := source(foreign(w.Icon, secure)); !slices.Contains(list, o) {
			list = append(list, o)
		}
	}
	return list
}

// landing is the sources for a form that leads to a URL. Chromium holds
// form-action against every redirect behind a form, those of the application
// among them: one whose callback leads to another host of its own would end
// right there. So it names schemes, and keeps a form from those that run code.
func landing(raw string) []string {
	s := source(raw)
	scheme, _, _ := strings.Cut(s, ":")
	switch scheme {
	case "":
		return nil
	case "http":
		return []string{"http:", "https:"}
	}
	return []string{scheme + ":"}
}

// joined is each of the sources that is one, with a space before it.
func joined(sources []string) string {
	var b strings.Builder
	for _, s := range sources {
		if s != "" {
			b.WriteString(" " + s)
		}
	}
	return b.String()
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
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	if p.framed {
		return
	}
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}
