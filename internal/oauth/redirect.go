package oauth

import (
	"net/netip"
	"slices"
	"strings"
)

// MatchRedirect reports whether uri is covered by one of the registered
// callbacks: exact comparison, or one * within the left-most label
// (reference/authentication.md §0.5, security.md 1.7). There is no leeway for
// loopback ports, case, slashes or escapes: whoever needs another address
// registers it.
func MatchRedirect(registered []string, uri string) bool { return match(registered, uri) }

// MatchLogout is MatchRedirect for logout URLs.
func MatchLogout(registered []string, uri string) bool { return match(registered, uri) }

// Verifiable reports an address that only the client can answer at: a web
// address of a host that is not the person's own machine. Whoever runs on that
// machine may listen at its ports and claim a scheme of its own (RFC 8252 §8.6;
// reference/authentication.md §0.5).
func Verifiable(uri string) bool {
	origin, ok := OriginOf(uri)
	scheme, host, _ := strings.Cut(origin, "://")
	if !ok || scheme != "http" && scheme != "https" {
		return false
	}
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	host = strings.TrimSuffix(host, ".")
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return false
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err != nil || !ip.Unmap().IsLoopback() && !ip.Unmap().IsUnspecified()
}

func match(registered []string, uri string) bool {
	if uri == "" {
		return false
	}
	for _, r := range registered {
		if r == uri && !strings.Contains(r, "*") || matchWildcard(r, uri) {
			return true
		}
	}
	return false
}

// MatchOrigin reports whether an Origin header is allowed. Of a registered URL
// (a callback, say) its origin counts. The opaque origin "null" never matches.
func MatchOrigin(registered []string, origin string) bool {
	if own, ok := OriginOf(origin); !ok || own != origin {
		return false
	}
	return slices.ContainsFunc(registered, func(r string) bool {
		o, ok := OriginOf(r)
		return ok && (o == origin && !strings.Contains(o, "*") || matchWildcard(o, origin))
	})
}

// OriginOf is scheme, host and port of an absolute URL, as a browser writes
// them in an Origin header (RFC 6454 §6.2): lower case, no default port. A URL
// with user info, without a host, or with a character that URL parsers disagree
// on has none.
func OriginOf(url string) (string, bool) {
	scheme, rest, ok := strings.Cut(url, "://")
	scheme = strings.ToLower(scheme)
	if !ok || !validScheme(scheme) {
		return "", false
	}
	host := rest
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		host = rest[:i]
	}
	if host == "" || strings.ContainsFunc(host, func(c rune) bool {
		return c <= ' ' || c >= 0x7f || strings.ContainsRune(`@\%"<>^{}|`+"`", c)
	}) {
		return "", false
	}
	host = strings.ToLower(host)
	if scheme == "https" {
		host = strings.TrimSuffix(host, ":443")
	}
	if scheme == "http" {
		host = strings.TrimSuffix(host, ":80")
	}
	return scheme + "://" + host, host != ""
}

// validScheme is RFC 3986 §3.1, lower case.
func validScheme(s string) bool {
	for i, c := range []byte(s) {
		letter := c >= 'a' && c <= 'z'
		if !letter && (i == 0 || !(c >= '0' && c <= '9' || c == '+' || c == '-' || c == '.')) {
			return false
		}
	}
	return s != ""
}

// matchWildcard holds pattern against uri. What the * stands for is letters,
// digits and hyphens, at least one; all the rest has to be equal byte by byte.
// So nothing a stranger writes can move the host's end.
func matchWildcard(pattern, uri string) bool {
	before, after, ok := splitWildcard(pattern)
	if !ok || len(uri) <= len(before)+len(after) ||
		!strings.HasPrefix(uri, before) || !strings.HasSuffix(uri, after) {
		return false
	}
	label := uri[strings.Index(before, "://")+3:]
	label = label[:strings.IndexByte(label, '.')+1]
	// The dot that ends the label is the pattern's own: before has none behind the scheme.
	star := uri[len(before) : len(uri)-len(after)]
	return ldh(star) && validLabel(strings.TrimSuffix(label, "."))
}

// splitWildcard gives what stands around the * of a pattern that may have one:
// http or https, in the left-most of at least three labels, the last of which
// is neither a number (an address) nor localhost.
func splitWildcard(pattern string) (before, after string, ok bool) {
	scheme, rest, ok := strings.Cut(pattern, "://")
	if !ok || scheme != "http" && scheme != "https" || strings.Count(pattern, "*") != 1 {
		return "", "", false
	}
	host := rest
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		host = rest[:i]
	}
	name, port, hasPort := strings.Cut(host, ":")
	if hasPort && (port == "" || strings.Trim(port, "0123456789") != "") {
		return "", "", false
	}
	labels := strings.Split(name, ".")
	if len(labels) < 3 || !strings.Contains(labels[0], "*") || !ldh(strings.Replace(labels[0], "*", "", 1)) {
		return "", "", false
	}
	for _, l := range labels[1:] {
		if !validLabel(l) {
			return "", "", false
		}
	}
	last := labels[len(labels)-1]
	if strings.Trim(last, "0123456789") == "" || strings.EqualFold(last, "localhost") {
		return "", "", false
	}
	before, after, _ = strings.Cut(pattern, "*")
	return before, after, true
}

// ldh reports whether s is letters, digits and hyphens only.
func ldh(s string) bool {
	for _, c := range []byte(s) {
		if c != '-' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return true
}

// validLabel is a label of a host name (RFC 1123 §2.1).
func validLabel(s string) bool {
	return len(s) >= 1 && len(s) <= 63 && ldh(s) && s[0] != '-' && s[len(s)-1] != '-'
}
