package page

import (
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
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

// shown draws a view.
func shown(t *testing.T, p *Renderer, v View) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	if err := p.Show(w, httptest.NewRequest(http.MethodGet, "/", nil), http.StatusOK, v); err != nil {
		t.Fatal(err)
	}
	return w
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

var (
	nonceOf  = regexp.MustCompile(`'nonce-([A-Za-z0-9_-]{22})'`)
	scriptOf = regexp.MustCompile(`(?s)<script nonce="[^"]*">.*?</script>`)
)

// Every page in every state, every language and every brand keeps the promises
// that hold for all.
func TestGallery(t *testing.T) {
	e, err := NewExhibit("https://id.example")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range e.Paths() {
		t.Run(strings.TrimSuffix(path, ".html"), func(t *testing.T) {
			p, s, ok := e.find(path)
			if !ok {
				t.Fatal("not found")
			}
			w := httptest.NewRecorder()
			if err := p.Show(w, httptest.NewRequest(http.MethodGet, "/", nil), s.Status, s.View); err != nil {
				t.Fatal(err)
			}
			if w.Code != s.Status {
				t.Errorf("status %d", w.Code)
			}
			_, framed := s.View.(WebMessage)
			_, part := s.View.(HiddenForm)
			checkHeaders(t, w.Header(), framed)
			if html := w.Body.String(); framed || part {
				checkSafety(t, parse(t, html), html, w.Header().Get("Content-Security-Policy"))
			} else {
				checkPage(t, parse(t, scriptOf.ReplaceAllString(html, "")), html, strings.Split(path, "/")[1])
				checkSafety(t, parse(t, scriptOf.ReplaceAllStringFunc(html, func(s string) string { return s[:strings.Index(s, ">")+1] + "</script>" })),
					html, w.Header().Get("Content-Security-Policy"))
			}
		})
	}
}

func checkHeaders(t *testing.T, h http.Header, framed bool) {
	t.Helper()
	want := map[string]string{
		"Content-Type":              "text/html; charset=utf-8",
		"X-Content-Type-Options":    "nosniff",
		"X-Frame-Options":           "DENY",
		"Referrer-Policy":           "no-referrer",
		"Cache-Control":             "no-store",
		"Strict-Transport-Security": "max-age=31536000",
	}
	if framed {
		want["X-Frame-Options"] = ""
	}
	for name, value := range want {
		if got := h.Get(name); got != value {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'"); got == framed {
		t.Errorf("policy %s", h.Get("Content-Security-Policy"))
	}
}

func checkPage(t *testing.T, all []element, html, lang string) {
	t.Helper()
	if !strings.HasPrefix(html, "<!doctype html>") {
		t.Error("no doctype")
	}
	if root := named(all, "html"); len(root) != 1 || root[0].attr["lang"] != lang || root[0].attr["dir"] != "ltr" {
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
	focused := 0
	for _, in := range named(all, "input") {
		if in.attr["type"] == "hidden" {
			continue
		}
		if labels[in.attr["id"]] == "" && in.attr["aria-label"] == "" {
			t.Errorf("input %q has no label", in.attr["name"])
		}
		if _, bad := in.attr["aria-invalid"]; bad && in.attr["aria-describedby"] == "" {
			t.Errorf("input %q does not say what is wrong", in.attr["name"])
		}
		for _, id := range strings.Fields(in.attr["aria-describedby"]) {
			if !ids[id] {
				t.Errorf("input %q is described by %q, which is not there", in.attr["name"], id)
			}
		}
		if in.attr["autocomplete"] == "" && in.attr["type"] != "checkbox" {
			t.Errorf("input %q has no autocomplete", in.attr["name"])
		}
		if _, ok := in.attr["autofocus"]; ok {
			focused++
		}
	}
	if focused > 1 {
		t.Errorf("the cursor is in %d fields", focused)
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

// checkSafety holds that no value became markup and that nothing is loaded from
// elsewhere.
func checkSafety(t *testing.T, all []element, html, csp string) {
	t.Helper()
	for _, directive := range []string{"default-src 'none'", "base-uri 'none'", "object-src 'none'", "img-src data:", "form-action 'self'"} {
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
		case "img":
			if e.attr["class"] != "qr" {
				t.Error("a value became an image")
			}
		case "iframe", "object", "embed", "base", "b":
			t.Errorf("%s: nothing of a page comes from a value or from elsewhere", e.name)
		}
		for name, value := range e.attr {
			if strings.HasPrefix(name, "on") || name == "style" {
				t.Errorf("%s has %s=%q", e.name, name, value)
			}
			switch name {
			case "href", "action", "src":
				lower := strings.ToLower(value)
				ours := strings.HasPrefix(lower, "data:image/") && (e.name == "img" || e.name == "link")
				if strings.Contains(lower, "javascript:") || strings.HasPrefix(lower, "data:") && !ours {
					t.Errorf("%s leads to %q", e.name, value)
				}
			}
		}
	}
	if strings.Contains(html, "<img src=x") || strings.Count(html, "</script>") > 1 || strings.Count(html, "</title>") > 1 {
		t.Error("a value became markup")
	}
}

// What a hostile value says is shown as text, every character of it.
func TestHostileIsShownAsText(t *testing.T) {
	p := renderer(t, "")
	if got := named(parse(t, shown(t, p, Error{Title: Hostile, Text: Hostile}).Body.String()), "h1")[0].text; got != Hostile {
		t.Errorf("shown as %q", got)
	}
	posted := scriptOf.ReplaceAllString(shown(t, p, FormPost{Action: "https://a.example/cb", Fields: []Field{{"state", Hostile}}}).Body.String(), "")
	if got := named(parse(t, posted), "input")[0].attr["value"]; got != Hostile {
		t.Errorf("sent as %q", got)
	}
	for _, e := range parse(t, shown(t, p, Identifier{Frame: Frame{Application: Hostile}}).Body.String()) {
		if e.name == "bdi" && e.text != Hostile {
			t.Errorf("shown as %q", e.text)
		}
	}
}

// Every kind of view is in the gallery, by a plain and by a hostile sample.
func TestGalleryIsComplete(t *testing.T) {
	names := map[string]bool{}
	for _, s := range Gallery() {
		if names[s.Name] {
			t.Errorf("two samples called %s", s.Name)
		}
		names[s.Name] = true
	}
	p := renderer(t, "")
	drawn := map[string]bool{"exhibit.html": true, "layout.html": true}
	for _, s := range Gallery() {
		drawn[s.View.screen().template+".html"] = true
	}
	for _, tmpl := range p.templates.Templates() {
		if name := tmpl.Name(); strings.HasSuffix(name, ".html") && !drawn[name] {
			t.Errorf("no sample of %s", name)
		}
	}
	for _, kinds := range []int{len(told), len(pressed)} {
		if kinds == 0 {
			t.Error("no kinds")
		}
	}
	for k := range told {
		if !slices.ContainsFunc(Gallery(), func(s Sample) bool { v, ok := s.View.(Told); return ok && v.Kind == k }) {
			t.Errorf("no sample of %s", k)
		}
	}
	for k := range pressed {
		if !slices.ContainsFunc(Gallery(), func(s Sample) bool { v, ok := s.View.(Press); return ok && v.Kind == k }) {
			t.Errorf("no sample of %s", k)
		}
	}
}

// Scripts of the reference send the first element of what they get.
func TestHiddenForm(t *testing.T) {
	html := shown(t, renderer(t, ""), HiddenForm{Action: "https://id.example/login/callback", Fields: []Field{{"wa", "x"}}}).Body.String()
	if first := parse(t, html)[0]; first.name != "form" || first.attr["name"] != "hiddenform" || !strings.HasPrefix(html, "<form") {
		t.Errorf("%s", html)
	}
}

func TestExhibit(t *testing.T) {
	e, err := NewExhibit("")
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{
		"/": 200, "/plain/en/identifier.html": 200, "/branded/de/error.html": 500, "/plain/en/identifier": 404, "/plain/fr/identifier.html": 404, "/x": 404,
	} {
		w := httptest.NewRecorder()
		e.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
	}
	dir := t.TempDir()
	if err := e.Write(dir); err != nil {
		t.Fatal(err)
	}
}
