package op

import (
	"encoding/base64"
	"net/url"
	"testing"
	"unicode/utf8"
)

// A client that is understood says the same when it says it once more, in the
// canonical spelling; what is not text is never looked up (security.md 30, 65).
func FuzzCredentialsOf(f *testing.F) {
	basic := func(s string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(s)) }
	for _, seed := range [][3]string{
		{"", "c", "s"}, {basic("c:s"), "", ""}, {basic("c:s"), "c", ""}, {basic("c:s"), "d", ""}, {basic("c:s"), "", "s"}, {basic(":s"), "", ""}, {basic("c"), "", ""},
		{"basic " + base64.StdEncoding.EncodeToString([]byte("a%3Ab:%25+x")), "", ""}, {basic("a%00:s"), "", ""}, {basic("%c3%28:s"), "", ""}, {basic("%zz:s"), "", ""},
		{"Basic !", "", ""}, {"Bearer x", "c", ""},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, authorization, id, secret string) {
		c, ok := credentialsOf(authorization, map[string]string{"client_id": id, "client_secret": secret})
		if !ok {
			return
		}
		if c.id == "" || c.basic && (!utf8.ValidString(c.id) || secret != "" || id != "" && id != c.id) {
			t.Errorf("accepted %+v of %q, %q, %q", c, authorization, id, secret)
		}
		if !c.basic {
			return
		}
		again, ok := credentialsOf(basic(url.QueryEscape(c.id)+":"+url.QueryEscape(c.secret)), map[string]string{})
		if !ok || again != c {
			t.Errorf("%+v became %+v, %v", c, again, ok)
		}
	})
}
