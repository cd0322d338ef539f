package page

import (
	"slices"
	"strings"

	"golang.org/x/text/language"
)

// maxWish is how much of a list of languages is read, in bytes; what a browser
// sends is far shorter.
const maxWish = 256

// negotiate chooses the language of a page among offered, which is not empty and
// whose first is the default: uiLocales first (OpenID Connect Core §3.1.2.1),
// then what the browser accepts.
func negotiate(offered []string, uiLocales, accept string) string {
	tags := make([]language.Tag, len(offered))
	for i, o := range offered {
		tags[i] = language.Make(o)
	}
	var wishes []language.Tag
	for _, l := range strings.Fields(head(uiLocales)) {
		if t, err := language.Parse(l); err == nil {
			wishes = append(wishes, t)
		}
	}
	if accepted, _, err := language.ParseAcceptLanguage(head(accept)); err == nil {
		wishes = append(wishes, accepted...)
	}
	_, i, confidence := language.NewMatcher(tags).Match(wishes...)
	if confidence == language.No {
		i = 0
	}
	return offered[i]
}

// head is the beginning of a list, without an element that was cut.
func head(list string) string {
	if len(list) <= maxWish {
		return list
	}
	return list[:max(0, strings.LastIndexAny(list[:maxWish], ", "))]
}

// offered are the languages of a tenant that have a catalogue, in the tenant's
// order; English when none has.
func offered(enabled, catalogues []string) []string {
	var both []string
	for _, e := range enabled {
		if slices.Contains(catalogues, e) {
			both = append(both, e)
		}
	}
	if len(both) == 0 {
		return []string{"en"}
	}
	return both
}

// direction is the value of the attribute dir.
func direction(lang string) string {
	script, _ := language.Make(lang).Script()
	switch script.String() {
	case "Arab", "Hebr", "Thaa", "Syrc", "Nkoo", "Adlm":
		return "rtl"
	}
	return "ltr"
}
