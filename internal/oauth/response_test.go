package oauth

import "testing"

func TestParseResponse(t *testing.T) {
	for _, c := range []struct {
		text, canonical string
		front, ok       bool
	}{
		{"code", "code", false, true},
		{"token", "token", true, true},
		{"id_token", "id_token", true, true},
		{"id_token token", "token id_token", true, true},
		{"token  code", "code token", true, true},
		{"id_token code token", "code token id_token", true, true},
		{"", "", false, false},
		{" ", "", false, false},
		{"none", "", false, false},
		{"CODE", "", false, false},
		{"code code", "", false, false},
		{"code foo", "", false, false},
	} {
		r, ok := ParseResponse(c.text)
		if ok != c.ok || r.String() != c.canonical || r.FrontChannel() != c.front {
			t.Errorf("%q: %+v, %v", c.text, r, ok)
		}
	}
	for _, text := range ResponseTypes {
		if r, ok := ParseResponse(text); !ok || r.String() != text {
			t.Errorf("%q is not canonical: %q", text, r)
		}
	}
}

func TestModeOf(t *testing.T) {
	code, token := Response{Code: true}, Response{Code: true, IDToken: true}
	for _, c := range []struct {
		sent string
		r    Response
		want string
		ok   bool
	}{
		{"", code, Query, true},
		{"", token, Fragment, true},
		{"query", code, Query, true},
		{"query", token, Query, false},
		{"fragment", code, Fragment, true},
		{"form_post", token, FormPost, true},
		{"web_message", token, WebMessage, true},
		{"query.jwt", code, "", false},
		{"QUERY", code, "", false},
	} {
		if got, ok := ModeOf(c.sent, c.r); got != c.want || ok != c.ok {
			t.Errorf("ModeOf(%q, %v) = %q, %v", c.sent, c.r, got, ok)
		}
	}
}

// FuzzParseResponse: what is accepted has a canonical spelling that means the same.
func FuzzParseResponse(f *testing.F) {
	for _, s := range append([]string{"", "code code", "foo", "token\tcode"}, ResponseTypes...) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, ok := ParseResponse(text)
		again, okAgain := ParseResponse(r.String())
		if ok && (!okAgain || again != r) || !ok && r != (Response{}) {
			t.Fatalf("%q: %+v, %v; then %+v, %v", text, r, ok, again, okAgain)
		}
	})
}
