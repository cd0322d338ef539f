package oauth

import (
	"net/url"
	"strings"
	"testing"
)

// The table is security.md item 48: what is not the registered address, byte
// for byte, is not the registered address.
func TestMatchRedirectExact(t *testing.T) {
	registered := []string{"https://app.example/cb", "http://localhost:3000/cb", "com.example.app://login", "https://app.example/q?a=1"}
	for _, c := range []struct {
		name, uri string
		match     bool
	}{
		{"registered", "https://app.example/cb", true},
		{"registered loopback", "http://localhost:3000/cb", true},
		{"registered custom scheme", "com.example.app://login", true},
		{"registered with query", "https://app.example/q?a=1", true},
		{"empty", "", false},
		{"other scheme", "http://app.example/cb", false},
		{"scheme in capitals", "HTTPS://app.example/cb", false},
		{"other host", "https://evil.test/cb", false},
		{"sub-domain", "https://x.app.example/cb", false},
		{"host in capitals", "https://APP.example/cb", false},
		{"host with a dot at its end", "https://app.example./cb", false},
		{"default port", "https://app.example:443/cb", false},
		{"other port", "https://app.example:8443/cb", false},
		{"case of the path", "https://app.example/CB", false},
		{"slash at the end", "https://app.example/cb/", false},
		{"suffix of the host", "https://app.example.evil.test/cb", false},
		{"suffix of the path", "https://app.example/cb.evil.test", false},
		{"longer path", "https://app.example/cb/x", false},
		{"prefix", "https://app.example/c", false},
		{"user info", "https://app.example@evil.test/cb", false},
		{"own user info", "https://user@app.example/cb", false},
		{"fragment", "https://app.example/cb#x", false},
		{"empty fragment", "https://app.example/cb#", false},
		{"dots", "https://app.example/x/../cb", false},
		{"dots behind", "https://app.example/cb/../evil", false},
		{"escaped dots", "https://app.example/cb/%2e%2e/evil", false},
		{"escaped letter", "https://app.example/%63b", false},
		{"added query", "https://app.example/cb?x=1", false},
		{"empty query", "https://app.example/cb?", false},
		{"other query", "https://app.example/q?a=2", false},
		{"query and more", "https://app.example/q?a=1&b=2", false},
		{"backslash", `https://app.example\cb`, false},
		{"backslash before another host", `https://evil.test\@app.example/cb`, false},
		{"tab", "https://app.example/\tcb", false},
		{"newline", "https://app.example/cb\n", false},
		{"blank before", " https://app.example/cb", false},
		{"NUL", "https://app.example/cb\x00", false},
		{"other loopback port", "http://localhost:3001/cb", false},
		{"loopback without port", "http://localhost/cb", false},
		{"loopback by address", "http://127.0.0.1:3000/cb", false},
		{"no scheme", "//app.example/cb", false},
		{"script", "javascript:alert(1)", false},
	} {
		if got := MatchRedirect(registered, c.uri); got != c.match {
			t.Errorf("%s: MatchRedirect(%q) = %v", c.name, c.uri, got)
		}
		if got := MatchLogout(registered, c.uri); got != c.match {
			t.Errorf("%s: MatchLogout(%q) = %v", c.name, c.uri, got)
		}
	}
}

func TestMatchRedirectWildcard(t *testing.T) {
	for _, c := range []struct {
		pattern, uri string
		match        bool
	}{
		{"https://*.example.com/cb", "https://a.example.com/cb", true},
		{"https://*.example.com/cb", "https://a-1.example.com/cb", true},
		{"http://*.example.com:8080/cb", "http://a.example.com:8080/cb", true},
		{"https://pre-*-x.example.com/cb", "https://pre-7-x.example.com/cb", true},
		{"https://*.example.com", "https://a.example.com", true},
		{"https://*.example.com/cb?a=1", "https://a.example.com/cb?a=1", true},

		{"https://*.example.com/cb", "https://example.com/cb", false},
		{"https://*.example.com/cb", "https://.example.com/cb", false},
		{"https://*.example.com/cb", "https://a.b.example.com/cb", false},
		{"https://*.example.com/cb", "https://evil.test/.example.com/cb", false},
		{"https://*.example.com/cb", "https://evil.test#.example.com/cb", false},
		{"https://*.example.com/cb", "https://evil.test?.example.com/cb", false},
		{"https://*.example.com/cb", `https://evil.test\.example.com/cb`, false},
		{"https://*.example.com/cb", "https://evil@a.example.com/cb", false},
		{"https://*.example.com/cb", "https://a%2eb.example.com/cb", false},
		{"https://*.example.com/cb", "https://a\t.example.com/cb", false},
		{"https://*.example.com/cb", "https://*.example.com/cb", false},
		{"https://*.example.com/cb", "https://-.example.com/cb", false},
		{"https://*.example.com/cb", "https://a.example.com/cb/", false},
		{"https://*.example.com/cb", "https://a.example.com/cb?x", false},
		{"https://*.example.com/cb", "https://a.example.com:443/cb", false},
		{"https://*.example.com/cb", "http://a.example.com/cb", false},
		{"https://*.example.com/cb", "https://a.EXAMPLE.com/cb", false},
		{"https://*.example.com/cb", "https://" + strings.Repeat("a", 64) + ".example.com/cb", false},
		{"https://pre-*-x.example.com/cb", "https://pre--x.example.com/cb", false},
		{"https://pre-*-x.example.com/cb", "https://pre-a.b-x.example.com/cb", false},

		// Patterns that nobody may have: they match nothing, not even themselves.
		{"https://*/cb", "https://a/cb", false},
		{"https://*.com/cb", "https://a.com/cb", false},
		{"https://*.localhost/cb", "https://a.localhost/cb", false},
		{"http://*.x.localhost/cb", "http://a.x.localhost/cb", false},
		{"http://*.0.0.1/cb", "http://127.0.0.1/cb", false},
		{"https://a.*.example.com/cb", "https://a.b.example.com/cb", false},
		{"https://*.*.example.com/cb", "https://a.b.example.com/cb", false},
		{"https://**.example.com/cb", "https://ab.example.com/cb", false},
		{"https://a.example.com/*", "https://a.example.com/cb", false},
		{"https://a.example.com/*", "https://a.example.com/*", false},
		{"https://a.example.com:*/cb", "https://a.example.com:80/cb", false},
		{"https://u@*.example.com/cb", "https://u@a.example.com/cb", false},
		{"https://*.example.com:x/cb", "https://a.example.com:x/cb", false},
		{"com.app://*.example.com/cb", "com.app://a.example.com/cb", false},
		{"*://a.example.com/cb", "https://a.example.com/cb", false},
		{"*", "https://a.example.com/cb", false},
	} {
		if got := MatchRedirect([]string{c.pattern}, c.uri); got != c.match {
			t.Errorf("MatchRedirect(%q, %q) = %v", c.pattern, c.uri, got)
		}
	}
}

func TestMatchOrigin(t *testing.T) {
	registered := []string{"https://app.example", "https://cb.example/callback?x#y", "http://localhost:3000/", "https://*.example.com/cb", "HTTPS://Upper.example:443/", "capacitor://localhost"}
	for _, c := range []struct {
		origin string
		match  bool
	}{
		{"https://app.example", true},
		{"https://cb.example", true},
		{"http://localhost:3000", true},
		{"https://a.example.com", true},
		{"https://upper.example", true},
		{"capacitor://localhost", true},
		{"", false},
		{"null", false},
		{"https://app.example/", false},
		{"https://app.example:443", false},
		{"https://APP.example", false},
		{"http://app.example", false},
		{"https://app.example.evil.test", false},
		{"https://evil.test", false},
		{"https://evilapp.example", false},
		{"https://app.example@evil.test", false},
		{"https://a.b.example.com", false},
		{"https://example.com", false},
		{"https://*.example.com", false},
		{"http://localhost", false},
		{"http://localhost:3001", false},
		{"https://app.example\t", false},
		{"https://app.example,https://evil.test", false},
	} {
		if got := MatchOrigin(registered, c.origin); got != c.match {
			t.Errorf("MatchOrigin(%q) = %v", c.origin, got)
		}
	}
	if MatchOrigin([]string{"", "null", "*", "https://", "https://*"}, "null") {
		t.Error("null matched")
	}
}

// The laws: without a wildcard, matching is equality; with one, whatever
// matches has the pattern's scheme and path, and a host directly below the
// pattern's, for Go's URL parser too.
func FuzzMatchRedirect(f *testing.F) {
	for _, s := range [][2]string{
		{"https://app.example/cb", "https://app.example/cb"},
		{"https://*.example.com/cb", "https://a.example.com/cb"},
		{"https://*.example.com/cb", "https://evil.test/.example.com/cb"},
		{"https://x*y.example.com:80?q", "https://xzy.example.com:80?q"},
	} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, registered, uri string) {
		got := MatchRedirect([]string{"https://other.test/", registered}, uri)
		if !strings.Contains(registered, "*") {
			if uri != "" && got != (registered == uri || uri == "https://other.test/") {
				t.Fatalf("MatchRedirect(%q, %q) = %v", registered, uri, got)
			}
			return
		}
		if !got || uri == "https://other.test/" {
			return
		}
		p, perr := url.Parse(strings.Replace(registered, "*", "x", 1))
		u, uerr := url.Parse(uri)
		if perr != nil {
			return // a path that Go does not parse; the host is fixed all the same
		}
		if uerr != nil || p.Scheme != u.Scheme || p.EscapedPath() != u.EscapedPath() || p.RawQuery != u.RawQuery || u.User != nil || p.Port() != u.Port() {
			t.Fatalf("%q matched %q (%v)", registered, uri, uerr)
		}
		_, parent, _ := strings.Cut(p.Hostname(), ".")
		first, rest, _ := strings.Cut(u.Hostname(), ".")
		if rest != parent || first == "" || !strings.Contains(parent, ".") {
			t.Fatalf("%q matched host %q", registered, u.Hostname())
		}
	})
}

func TestVerifiable(t *testing.T) {
	for _, c := range []struct {
		uri  string
		want bool
	}{
		{"https://app.example/cb", true},
		{"http://app.example:8080/cb", true},
		{"https://localhost.example/cb", true},
		{"https://[2001:db8::1]/cb", true},
		{"http://localhost/cb", false},
		{"http://LOCALHOST:3000/cb", false},
		{"https://localhost/cb", false},
		{"http://localhost./cb", false},
		{"http://app.localhost:3000/cb", false},
		{"http://127.0.0.1:3000/cb", false},
		{"http://127.1.2.3/cb", false},
		{"http://[::1]:3000/cb", false},
		{"http://[::ffff:127.0.0.1]/cb", false},
		{"http://0.0.0.0/cb", false},
		{"com.example.app://cb", false},
		{"com.example.app:/cb", false},
		{"", false},
	} {
		if got := Verifiable(c.uri); got != c.want {
			t.Errorf("Verifiable(%q) = %v", c.uri, got)
		}
	}
}
