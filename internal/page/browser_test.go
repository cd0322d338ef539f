package page_test

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mangrove/internal/browsertest"
	"mangrove/internal/page"
)

// envShots names a directory for pictures of all pages; empty: none are made.
const envShots = "MANGROVE_PAGE_SHOTS"

// gallery serves the exhibit and gives its pages; those that leave at once are
// left out.
func gallery(t *testing.T) (url string, paths []string) {
	t.Helper()
	e, err := page.NewExhibit("")
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(e)
	t.Cleanup(srv.Close)
	for _, p := range e.Paths() {
		if !strings.Contains(p, "/form-post") && !strings.Contains(p, "/web-message") && !strings.Contains(p, "/hidden-form") {
			paths = append(paths, p)
		}
	}
	return srv.URL + "/", paths
}

// glance is one way to see a page: rules are those of axe that depend on it, none
// stands for all.
type glance struct {
	name          string
	dark          bool
	width, height int
	rules         []string
}

// Every page in every language is judged by all rules, narrow and light; what
// light, width and brand can change is judged again for each.
var (
	narrow = glance{name: "-narrow", width: 320, height: 640}
	closer = []glance{
		{"-narrow-dark", true, 320, 640, []string{"color-contrast", "link-in-text-block"}},
		{"", false, 1280, 800, []string{"color-contrast", "target-size", "scrollable-region-focusable"}},
		{"-dark", true, 1280, 800, []string{"color-contrast", "link-in-text-block"}},
	}
)

// glances says how a sample is seen; none: not at all. A problem changes a text
// alone, another brand colours alone, and what is hostile is so in any language.
func glances(path string) []glance {
	problem, odd := strings.Contains(path, "/problem-"), strings.Contains(path, "-hostile") || strings.Contains(path, "-long")
	switch {
	case strings.HasPrefix(path, "plain/en/") && !problem:
		return append([]glance{narrow}, closer...)
	case strings.HasPrefix(path, "plain/") && !odd:
		return []glance{narrow}
	case strings.Contains(path, "/en/") && !problem && !odd:
		return closer[1:]
	}
	return nil
}

// Every page can be used by everybody: in light and dark, narrow and wide, and
// fits the window.
func TestAccessible(t *testing.T) {
	url, paths := gallery(t)
	b := browsertest.Open(t, browsertest.Options{})
	shots := os.Getenv(envShots)
	for _, path := range paths {
		looks := glances(path)
		if len(looks) == 0 {
			continue
		}
		b.Goto(url + path)
		for _, g := range looks {
			b.Look(g.dark, g.width, g.height, false)
			for _, v := range b.Axe(g.rules...) {
				t.Errorf("%s%s: %s (%s) at %s: %s", path, g.name, v.Rule, v.Help, strings.Join(v.Where, ", "), v.Why)
			}
			var wide int
			if b.Eval("document.documentElement.scrollWidth", &wide); wide > g.width {
				t.Errorf("%s is %d px wide in a window of %d px", path, wide, g.width)
			}
			if shots != "" {
				b.Shot(filepath.Join(shots, strings.NewReplacer("/", "-", ".html", g.name+".png").Replace(path)))
			}
		}
		for _, c := range b.Complaints() {
			t.Errorf("%s: %s", path, c)
		}
	}
}

// focus is what has the focus, and whether that can be seen.
const focus = `(() => {
  const e = document.activeElement, s = getComputedStyle(e), r = e.getBoundingClientRect();
  if (e === document.body) return "";
  const seen = s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2 && r.width > 0 && r.height > 0;
  return (seen ? "" : "not seen: ") + e.tagName + "#" + e.id + "[" + (e.name || "") + "]" + e.textContent.trim().slice(0, 40);
})()`

// controls are all that can be used on a page.
const controls = `[...document.querySelectorAll("a[href], button, input:not([type=hidden]), summary")]
  .filter((e) => e.getClientRects().length > 0).map((e) => e.tagName + "#" + e.id + "[" + (e.name || "") + "]" + e.textContent.trim().slice(0, 40))`

// With the Tab key alone every control is reached, in the order of the page, and
// one sees where one is.
func TestKeyboard(t *testing.T) {
	url, paths := gallery(t)
	b := browsertest.Open(t, browsertest.Options{})
	for _, path := range paths {
		if !strings.HasPrefix(path, "branded/en/") || strings.Contains(path, "/problem-") {
			continue
		}
		b.Goto(url + path)
		var want []string
		b.Eval(controls, &want)
		b.Eval(`document.activeElement.blur(), document.body.setAttribute("tabindex", "-1"), document.body.focus(), 0`, nil)
		for i, control := range want {
			b.Press("Tab")
			var got string
			if b.Eval(focus, &got); got != control {
				t.Errorf("%s: stop %d is %q, want %q", path, i, got, control)
			}
		}
	}
}

// Without JavaScript every form can be sent, and says what was typed.
func TestWithoutJavaScript(t *testing.T) {
	url, paths := gallery(t)
	b := browsertest.Open(t, browsertest.Options{NoScript: true})
	for _, path := range append(paths, "plain/en/form-post.html") {
		if !strings.HasPrefix(path, "plain/en/") || strings.Contains(path, "/problem-") {
			continue
		}
		b.Goto(url + path)
		var forms, buttons int
		b.Eval(`[...document.forms].filter((f) => f.getClientRects().length > 0).length`, &forms)
		b.Eval(`[...document.forms].filter((f) => f.getClientRects().length > 0 && f.method === "post" && f.querySelector("button[type=submit]")).length`, &buttons)
		if forms != buttons {
			t.Errorf("%s: %d forms, %d of them can be sent", path, forms, buttons)
		}
		for _, c := range b.Complaints() {
			t.Errorf("%s: %s", path, c)
		}
	}
}
