package page

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"mangrove/internal/tenant"
)

// Every language has the same texts with the same places, and each is shown
// somewhere: Show fails where one is missing.
func TestCataloguesAgree(t *testing.T) {
	all, err := readCatalogues()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 3 {
		t.Fatalf("%d languages", len(all))
	}
	flat := func(c catalogue) map[string]string {
		m := map[string]string{}
		for prompt, screens := range c {
			for screen, texts := range screens {
				for key, text := range texts {
					m[prompt+"/"+screen+"/"+key] = text
				}
			}
		}
		return m
	}
	english := flat(all["en"])
	for lang, c := range all {
		texts := flat(c)
		for key := range texts {
			if _, ok := english[key]; !ok {
				t.Errorf("%s: %s is not in English", lang, key)
			}
		}
		for key, text := range english {
			there, ok := texts[key]
			switch {
			case !ok:
				t.Errorf("%s lacks %s", lang, key)
			case strings.TrimSpace(there) != there || there == "":
				t.Errorf("%s: %s is %q", lang, key, there)
			case !slices.Equal(places(text), places(there)):
				t.Errorf("%s: %s has the places %v, in English %v", lang, key, places(there), places(text))
			}
		}
	}

	p := renderer(t, "")
	p.tenant = fixed{&Brands[1].Settings}
	p.seen = func(prompt, screen string, layer int, key string) {
		switch layer {
		case 1:
			delete(english, prompt+"/"+screen+"/"+key)
		case 3:
			delete(english, common+"/"+common+"/"+key)
		}
	}
	for _, s := range Gallery() {
		if err := p.Show(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil), s.Status, s.View); err != nil {
			t.Errorf("%s: %v", s.Name, err)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(english)) {
		t.Errorf("%s is never shown", key)
	}
}

func TestFill(t *testing.T) {
	values := map[string]string{"a": "1", "b": "${a}", "h": "<i>&"}
	for _, row := range []struct{ text, plain, html string }{
		{"", "", ""},
		{"no place", "no place", "no place"},
		{"${a}", "1", "<bdi>1</bdi>"},
		{"x ${a} y ${b}", "x 1 y ${a}", "x <bdi>1</bdi> y <bdi>${a}</bdi>"},
		{"${unknown} ${a}", "${unknown} 1", "${unknown} <bdi>1</bdi>"},
		{"${a", "${a", "${a"},
		{"${${a}", "${1", "${<bdi>1</bdi>"},
		{"<b>${h}", "<b><i>&", "&lt;b&gt;<bdi>&lt;i&gt;&amp;</bdi>"},
	} {
		if got := plainly(row.text, values); got != row.plain {
			t.Errorf("%q: %q, want %q", row.text, got, row.plain)
		}
		if got := string(marked(row.text, values)); got != row.html {
			t.Errorf("%q: %q, want %q", row.text, got, row.html)
		}
	}
}

// The law: whatever a tenant writes and whoever is named, no markup comes of it.
func FuzzMarked(f *testing.F) {
	f.Add("Hello ${clientName}", "<b>")
	f.Add("<a href=x>${clientName", "\"'")
	f.Fuzz(func(t *testing.T, text, value string) {
		got := string(marked(text, map[string]string{"clientName": value}))
		got = strings.ReplaceAll(strings.ReplaceAll(got, "<bdi>", ""), "</bdi>", "")
		if strings.ContainsAny(got, "<>\"'") {
			t.Fatalf("%q with %q gives %q", text, value, got)
		}
	})
}

// speaker is a tenant with texts of its own.
type speaker struct {
	settings *tenant.Settings
	texts    map[string]map[string]map[string]map[string]string // language, prompt, screen, key
	err      error
}

func (s speaker) Settings(context.Context) (*tenant.Settings, error) { return s.settings, s.err }

func (s speaker) Texts(_ context.Context, prompt, lang string) (map[string]map[string]string, error) {
	return s.texts[lang][prompt], s.err
}

func TestTenantTexts(t *testing.T) {
	show := func(s speaker) string {
		p, err := New(Config{Tenant: s})
		if err != nil {
			t.Fatal(err)
		}
		return shown(t, p, Identifier{Frame: Frame{Application: "Tide Tables", Locales: "de"}, Identifiers: Identifiers{Email: true}}).Body.String()
	}
	s := speaker{settings: &tenant.Settings{FriendlyName: "Harbour", EnabledLocales: []string{"en", "de"}}, texts: map[string]map[string]map[string]map[string]string{
		"de": {
			"login-id": {"login-id": {"title": "Moin bei ${companyName} <b>${clientName}</b> ${x}", "pageTitle": "Moin", "emailLabel": "Deine Post"}},
			"common":   {"common": {"buttonText": "Los"}},
		},
	}}
	html := show(s)
	for _, want := range []string{
		"<h1>Moin bei Harbour &lt;b&gt;Tide Tables&lt;/b&gt; ${x}</h1>", "<title>Moin</title>", ">Los</button>", ">Deine Post<", `lang="de"`,
	} {
		if !strings.Contains(html, want) {
			t.Errorf("no %s in\n%s", want, html)
		}
	}
	s.err = errors.New("gone")
	if html := show(s); !strings.Contains(html, "<h1>Anmelden</h1>") {
		t.Errorf("without settings:\n%s", html)
	}
}

// A text of ours is shown in the language of the page; any other as it is.
func TestErrorsAreTranslated(t *testing.T) {
	p := renderer(t, "")
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Accept-Language", "es")
	w := httptest.NewRecorder()
	if err := p.Show(w, r, 404, Error{Title: "Not found", Text: "Some application's own text."}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<h1>No encontrado</h1>", "Some application&#39;s own text.", `lang="es"`} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("no %s in\n%s", want, w.Body)
		}
	}
	if got := w.Header().Get("Content-Language"); got != "es" {
		t.Errorf("Content-Language %q", got)
	}
}
