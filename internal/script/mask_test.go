package script

import (
	"encoding/base64"
	"strings"
	"testing"
)

// A secret is hidden in every form that scripts write, and behind any number of bytes.
func TestHide(t *testing.T) {
	const secret = `a "quoted" s3cret/with+signs&<more>(!)`
	hide := Hide([]string{secret, "abc", "s3cret"})
	for text, want := range map[string]string{
		"x " + secret + " y": "x **** y",
		"only s3cret":        "only ****",
		"abc is too short":   "abc is too short",
		`{"p":"a \"quoted\" s3cret/with+signs&<more>(!)"}`:                `{"p":"****"}`,
		`{"p":"a \"quoted\" s3cret/with+signs\u0026\u003cmore\u003e(!)"}`: `{"p":"****"}`,
		"?p=a%20%22quoted%22%20s3cret%2Fwith%2Bsigns%26%3Cmore%3E(!)":     "?p=****",
		"?p=a+%22quoted%22+s3cret%2Fwith%2Bsigns%26%3Cmore%3E%28%21%29":   "?p=****",
		"733363726574 in hexadecimal":                                     "**** in hexadecimal",
		"S3CRET, or 6120227175 and no more":                               "****, or 6120227175 and no more",
		"abc":                                                             "****",
		"":                                                                "",
	} {
		if got := hide(text); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	for before := range 5 {
		for behind := range 3 {
			text := strings.Repeat("u", before) + secret + strings.Repeat("v", behind)
			for _, form := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding, base64.RawStdEncoding} {
				if got := hide(form.EncodeToString([]byte(text))); !strings.Contains(got, "****") || len(got) > 16 {
					t.Errorf("%d before, %d behind: %s", before, behind, got)
				}
			}
		}
	}
}
