package page

import (
	"slices"
	"strings"
	"testing"
)

func TestNegotiate(t *testing.T) {
	all := []string{"en", "de", "es"}
	for _, row := range []struct {
		name            string
		offered         []string
		locales, accept string
		want            string
	}{
		{"nothing asked", all, "", "", "en"},
		{"the tenant's first", []string{"de", "en"}, "", "", "de"},
		{"the browser", all, "", "de-AT,de;q=0.9,en;q=0.5", "de"},
		{"by weight, not by order", all, "", "en;q=0.3,es;q=0.8", "es"},
		{"the application comes first", all, "es", "de", "es"},
		{"the application's second wish", all, "fr es", "de", "es"},
		{"the browser, when the application's is not there", all, "fr", "de", "de"},
		{"neither is there", []string{"de", "es"}, "fr", "ja", "de"},
		{"a region", all, "es-MX", "", "es"},
		{"not enabled", []string{"en"}, "de", "de", "en"},
		{"anything", all, "", "*", "en"},
		{"nonsense", all, "!! -- de_x_", "q=;;,,", "en"},
		{"nonsense before a wish", all, "!! de", "", "de"},
		{"without end", all, strings.Repeat("xx ", 5000), strings.Repeat("xx,", 5000), "en"},
	} {
		if got := negotiate(row.offered, row.locales, row.accept); got != row.want {
			t.Errorf("%s: %s, want %s", row.name, got, row.want)
		}
	}
}

// The law: whatever is asked for, the answer is one of those that are offered.
func FuzzNegotiate(f *testing.F) {
	f.Add("de en", "es;q=0.1, de")
	f.Add("de-x-"+strings.Repeat("a-", 200), "*;q=1")
	f.Fuzz(func(t *testing.T, locales, accept string) {
		all := []string{"es", "en", "de"}
		if got := negotiate(all, locales, accept); !slices.Contains(all, got) {
			t.Fatalf("%q, %q give %q", locales, accept, got)
		}
	})
}

func TestOffered(t *testing.T) {
	have := []string{"de", "en", "es"}
	for _, row := range []struct{ enabled, want []string }{
		{[]string{"es", "en"}, []string{"es", "en"}},
		{[]string{"fr", "de"}, []string{"de"}},
		{[]string{"fr"}, []string{"en"}},
		{nil, []string{"en"}},
	} {
		if got := offered(row.enabled, have); !slices.Equal(got, row.want) {
			t.Errorf("%v: %v, want %v", row.enabled, got, row.want)
		}
	}
}

func TestDirection(t *testing.T) {
	for lang, want := range map[string]string{"en": "ltr", "de": "ltr", "ar": "rtl", "he": "rtl", "fa-IR": "rtl", "": "ltr"} {
		if got := direction(lang); got != want {
			t.Errorf("%s: %s", lang, got)
		}
	}
}
