package page

import (
	"net/http/httptest"
	"strings"
	"testing"

	"mangrove/internal/tenant"
)

func TestForeign(t *testing.T) {
	for _, row := range []struct {
		url    string
		secure bool
		want   string
	}{
		{"https://cdn.example/logo.svg?v=1", true, "https://cdn.example/logo.svg?v=1"},
		{"http://cdn.example/logo.svg", true, ""},
		{"http://localhost:3000/logo.svg", false, "http://localhost:3000/logo.svg"},
		{"", true, ""}, {"/logo.svg", true, ""}, {"javascript:alert(1)", false, ""}, {"data:image/png;base64,AA", false, ""},
		{"https://cdn.example;script-src *", true, ""},
		{`https://cdn.example/a")}*{color:red}</style>`, true, "https://cdn.example/a%22%29%7D%2A%7Bcolor:red%7D%3C/style%3E"},
		{`https://cdn.example/?a=")'\`, true, "https://cdn.example/?a=%22%29%27%5C"},
	} {
		if got := foreign(row.url, row.secure); got != row.want {
			t.Errorf("%q: %q, want %q", row.url, got, row.want)
		}
	}
}

// What branding names is loaded from there and nowhere else; what is no URL and
// no colour is passed over.
func TestBranding(t *testing.T) {
	show := func(s tenant.Settings) *httptest.ResponseRecorder {
		p, err := New(Config{PublicURL: "https://id.example", Tenant: fixed{&s}})
		if err != nil {
			t.Fatal(err)
		}
		return shown(t, p, Told{Kind: ToldSignedOut})
	}
	w := show(tenant.Settings{FriendlyName: "Harbour", SupportEmail: "help@harbour.example", Branding: tenant.Branding{
		PrimaryColor: "#ffd400", PageBackground: "#1b1b2f",
		LogoURL: "https://cdn.example/logo.svg", FaviconURL: "https://icons.example/f.png", FontURL: "https://fonts.example/f.woff2",
	}})
	csp := w.Header().Get("Content-Security-Policy")
	for _, want := range []string{"img-src data: https://cdn.example https://icons.example;", "font-src https://fonts.example;"} {
		if !strings.Contains(csp, want) {
			t.Errorf("policy lacks %s: %s", want, csp)
		}
	}
	for _, want := range []string{
		`src="https://cdn.example/logo.svg" alt="Harbour"`, `href="https://icons.example/f.png"`, `src:url("https://fonts.example/f.woff2")`,
		"--primary:#ffd400;--on-primary:#141b18;", "--ground:#1b1b2f;", `href="mailto:help@harbour.example"`, "| Harbour</title>",
	} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("no %s in\n%s", want, w.Body)
		}
	}
	w = show(tenant.Settings{Branding: tenant.Branding{PrimaryColor: "red;}*{", PageBackground: "url(x)", LogoURL: Hostile, FaviconURL: "javascript:x", FontURL: "x\");}"}})
	if html := w.Body.String(); !strings.Contains(html, "--primary:#17694a;") || strings.Contains(html, "red;}") || strings.Contains(html, "font-face") || strings.Contains(html, "javascript") {
		t.Errorf("%s", html)
	}
	if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "img-src data:;") || strings.Contains(csp, "font-src") {
		t.Errorf("policy %s", csp)
	}
}

// A connection's image is loaded from its own origin alone, and only over https.
func TestIconsOfConnections(t *testing.T) {
	for _, row := range []struct {
		icon, origin string
	}{
		{"https://icons.example/a.svg", "https://icons.example"}, {"http://icons.example/a.svg", ""}, {"", ""},
		{"javascript:alert(1)", ""}, {`https://icons.example/"><script>`, "https://icons.example"},
	} {
		got := shown(t, renderer(t, "https://id.example"), Identifier{Ways: []Link{{Label: "Acme", URL: "/u", Icon: row.icon}}})
		policy := got.Header().Get("Content-Security-Policy")
		if strings.Contains(got.Body.String(), `<img src="https://icons`) != (row.origin != "") || strings.Contains(got.Body.String(), "<script>") {
			t.Errorf("%s: %s", row.icon, got.Body)
		}
		if want := "img-src data: " + row.origin; row.origin != "" && !strings.Contains(policy, want) || row.origin == "" && strings.Contains(policy, "icons") {
			t.Errorf("%s: %s", row.icon, policy)
		}
	}
}

// A form whose answer may lead to a provider says so.
func TestFormsThatLeadElsewhere(t *testing.T) {
	for elsewhere, want := range map[bool]string{false: "form-action 'self' https:", true: "form-action 'self' https: https: http: https:"} {
		f := Frame{ReturnTo: "https://app.example/cb", Elsewhere: elsewhere}
		policy := shown(t, renderer(t, "https://id.example"), Identifier{Frame: f, Identifiers: Identifiers{Email: true}}).Header().Get("Content-Security-Policy")
		if !strings.HasSuffix(policy, want) {
			t.Errorf("%v: %s", elsewhere, policy)
		}
	}
}
