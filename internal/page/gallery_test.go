package page

import (
	"encoding/xml"
	"errors"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func renderer(t *testing.T, publicURL string) *Renderer {
	t.Helper()
	p, err := New(Config{PublicURL: publicURL})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// element is an element of a page: its attributes and the text below it.
type element struct {
	name string
	attr map[string]string
	text string
}

// parse reads HTML well enough for pages of ours: it fails on tags that do not match.
func parse(t *testing.T, html string) []element {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(html))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	var all []element
	var open []int
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("the page does not parse: %v", err)
		}
		switch tok := token.(type) {
		case xml.StartElement:
			e := element{name: tok.Name.Local, attr: map[string]string{}}
			for _, a := range tok.Attr {
				e.attr[a.Name.Local] = a.Value
			}
			all = append(all, e)
			open = append(open, len(all)-1)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			for _, i := range open {
				all[i].text += string(tok)
			}
		}
	}
}

func named(all []element, name string) []element {
	var list []element
	for _, e := range all {
		if e.name == name {
			list = append(list, e)
		}
	}
	return list
}

var nonceOf = regexp.MustCompile(`'nonce-([A-Za-z0-9_-]{22})'`)

// Every page in every state keeps the promises that hold for all.
func TestGallery(t *testing.T) {
	p := renderer(t, "https://id.example")
	for _, s := range Gallery() {
		t.Run(s.Name, func(t *testing.T) {
			w := httptest.NewRecorder()
			if err := s.Draw(p, w); err != nil {
				t.Fatal(err)
			}
			html := w.Body.String()
			if dir := os.Getenv("GALLERY"); dir != "" {
				if err := os.WriteFile(filepath.Join(dir, s.Name+".html"), w.Body.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			all := parse(t, html)
			if !strings.HasPrefix(html, "<!doctype html>") {
				t.Error("no doctype")
			}
			if root := named(all, "html"); len(root) != 1 || root[0].attr["lang"] != "en" {
				t.Errorf("html element: %v", root)
			}
			if h := named(all, "h1"); len(h) != 1 || strings.TrimSpace(h[0].text) == "" {
				t.Errorf("h1: %v", h)
			}
			if h := named(all, "title"); len(h) != 1 || strings.TrimSpace(h[0].text) == "" {
				t.Errorf("title: %v", h)
			}
			if len(named(all, "main")) != 1 {
				t.Error("not one main")
			}
			checkInputs(t, all)
			checkSafety(t, all, html, w.Header().Get("Content-Security-Policy"))
			for name, want := range map[string]string{
				"Content-Type":              "text/html; charset=utf-8",
				"X-Content-Type-Options":    "nosniff",
				"X-Frame-Options":           "DENY",
				"Referrer-Policy":           "no-referrer",
				"Cache-Control":             "no-store",
				"Strict-Transport-Security": "max-age=31536000",
			} {
				if got := w.Header().Get(name); got != want {
					t.Errorf("%s: %q", name, got)
				}
			}
		})
	}
}

// Every input that is seen has a label, and one that is wrong says why.
func checkInputs(t *testing.T, all []element) {
	t.Helper()
	labels, ids := map[string]string{}, map[string]bool{}
	for _, l := range named(all, "label") {
		labels[l.attr["for"]] = strings.TrimSpace(l.text)
	}
	for _, e := range all {
		if id := e.attr["id"]; id != "" {
			if ids[id] {
				t.Errorf("two elements with id %q", id)
			}
			ids[id] = true
		}
	}
	for _, in := range named(all, "input") {
		if in.attr["type"] == "hidden" {
			continue
		}
		if labels[in.attr["id"]] == "" {
			t.Errorf("input %q has no label", in.attr["name"])
		}
		if _, bad := in.attr["aria-invalid"]; bad != ids["problem"] || bad && in.attr["aria-describedby"] != "problem" {
			t.Errorf("input %q and its problem", in.attr["name"])
		}
		if in.attr["autocomplete"] == "" {
			t.Errorf("input %q has no autocomplete", in.attr["name"])
		}
	}
	for _, f := range named(all, "form") {
		if f.attr["method"] != "post" {
			t.Errorf("form by %q: what is typed would be in the URL", f.attr["method"])
		}
	}
	for _, e := range append(named(all, "a"), named(all, "button")...) {
		if strings.TrimSpace(e.text) == "" {
			t.Errorf("%s without words", e.name)
		}
	}
}

func checkSafety(t *testing.T, all []element, html, csp string) {
	t.Helper()
	for _, directive := range []string{
		"default-src 'none'", "base-uri 'none'", "object-src 'none'", "frame-ancestors 'none'", "form-action 'self'",
	} {
		if !strings.Contains("; "+csp, "; "+directive) {
			t.Errorf("policy lacks %s: %s", directive, csp)
		}
	}
	if strings.Contains(csp, "unsafe") || strings.Contains(csp, "*") {
		t.Errorf("policy is open: %s", csp)
	}
	m := nonceOf.FindStringSubmatch(csp)
	if m == nil {
		t.Fatalf("no nonce: %s", csp)
	}
	for _, e := range all {
		switch e.name {
		case "script", "style":
			if e.attr["nonce"] != m[1] {
				t.Errorf("%s without the nonce", e.name)
			}
		case "img", "iframe", "object", "embed", "base", "link", "b":
			t.Errorf("%s: nothing of a page comes from a value or from elsewhere", e.name)
		}
		for name, value := range e.attr {
			if strings.HasPrefix(name, "on") || name == "style" {
				t.Errorf("%s has %s=%q", e.name, name, value)
			}
			if name == "href" || name == "action" {
				if lower := strings.ToLower(value); strings.Contains(lower, "javascript:") || strings.HasPrefix(lower, "data:") {
					t.Errorf("%s leads to %q", e.name, value)
				}
			}
		}
	}
	if strings.Contains(html, "<img") || strings.Count(html, "</script>") > 1 {
		t.Error("a value became markup")
	}
}

// What a hostile value says is shown as text, every character of it.
func TestHostileIsShownAsText(t *testing.T) {
	w := httptest.NewRecorder()
	if err := renderer(t, "").Error(w, 400, Error{Title: Hostile, Text: Hostile}); err != nil {
		t.Fatal(err)
	}
	if got := named(parse(t, w.Body.String()), "h1")[0].text; got != Hostile {
		t.Errorf("shown as %q", got)
	}
	w = httptest.NewRecorder()
	if err := renderer(t, "").FormPost(w, FormPost{Action: "https://a.example/cb", Fields: []Field{{"state", Hostile}}}); err != nil {
		t.Fatal(err)
	}
	if got := named(parse(t, w.Body.String()), "input")[0].attr["value"]; got != Hostile {
		t.Errorf("sent as %q", got)
	}
}
