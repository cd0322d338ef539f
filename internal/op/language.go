package op

import (
	"net/http"

	"golang.org/x/text/language"
)

// requestLanguage is the language tag that the person would like best, as the
// application or else the browser says; empty: it is not known.
func requestLanguage(r *http.Request) string {
	wish := r.Header.Get("X-Request-Language")
	if wish == "" {
		wish = r.Header.Get("Accept-Language")
	}
	if len(wish) > 256 {
		return ""
	}
	tags, _, err := language.ParseAcceptLanguage(wish)
	if err != nil || len(tags) == 0 || tags[0] == language.Und {
		return ""
	}
	return tags[0].String()
}
