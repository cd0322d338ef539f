package login_test

import (
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// browser keeps cookies and follows redirects up to the application.
type browser struct {
	*http.Client
	r   *rig
	jar *cookiejar.Jar
}

func (r *rig) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return &browser{r: r, jar: jar, Client: &http.Client{
		Jar: jar, Transport: r.tls.Transport,
		CheckRedirect: func(q *http.Request, _ []*http.Request) error {
			if q.URL.Host == "app.example" {
				return http.ErrUseLastResponse
			}
			return nil
		},
	}}
}

// answer is where a browser ended: a page, or the application.
type answer struct {
	status int
	header http.Header
	body   string
	at     *url.URL   // of the page
	app    url.Values // what the application got; nil: nothing
}

func (b *browser) do(q *http.Request) answer {
	b.r.t.Helper()
	resp, err := b.Do(q)
	if err != nil {
		b.r.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.r.t.Fatal(err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header, body: string(body), at: resp.Request.URL}
	if to, err := resp.Location(); err == nil && strings.HasPrefix(to.String(), redirect) {
		a.app = to.Query()
	}
	return a
}

func (b *browser) get(to string) answer {
	b.r.t.Helper()
	if strings.HasPrefix(to, "/") {
		to = b.r.url + to
	}
	q, err := http.NewRequest(http.MethodGet, to, nil)
	if err != nil {
		b.r.t.Fatal(err)
	}
	return b.do(q)
}

func (b *browser) post(to string, form url.Values) answer {
	b.r.t.Helper()
	return b.postWith(to, "application/x-www-form-urlencoded", form.Encode(), nil)
}

func (b *browser) postWith(to, kind, body string, header map[string]string) answer {
	b.r.t.Helper()
	if strings.HasPrefix(to, "/") {
		to = b.r.url + to
	}
	q, err := http.NewRequest(http.MethodPost, to, strings.NewReader(body))
	if err != nil {
		b.r.t.Fatal(err)
	}
	q.Header.Set("Content-Type", kind)
	for name, v := range header {
		q.Header.Set(name, v)
	}
	return b.do(q)
}

// stopAt makes the browser stop before it asks for a path.
func (b *browser) stopAt(path string) func() {
	before := b.CheckRedirect
	b.CheckRedirect = func(q *http.Request, via []*http.Request) error {
		if q.URL.Path == path {
			return http.ErrUseLastResponse
		}
		return before(q, via)
	}
	return func() { b.CheckRedirect = before }
}

// toCallback goes to the provider and stops before coming back: the address to
// which it was sent.
func (b *browser) toCallback(from string) string {
	b.r.t.Helper()
	defer b.stopAt("/login/callback")()
	a := b.get(from)
	to := a.header.Get("Location")
	if !strings.Contains(to, "/login/callback") {
		b.r.t.Fatalf("not sent back: %d %s %q", a.status, a.at, to)
	}
	return to
}

// signIn opens the page and posts the forms: who it is, and the password.
func (b *browser) signIn(email, secret string) answer {
	b.r.t.Helper()
	p := b.get("/authorize")
	if p.status != 200 || p.at.Path != "/u/login" && p.at.Path != "/u/login/identifier" {
		b.r.t.Fatalf("no sign-in page: %d %s %v %s", p.status, p.at, p.app, p.body)
	}
	return b.enter(p, email, secret)
}

// enter answers the page, or the pages, for the identifier and the password.
func (b *browser) enter(p answer, email, secret string) answer {
	b.r.t.Helper()
	if p.at.Path == "/u/login" {
		return b.post(action(b.r.t, p.body), url.Values{"username": {email}, "password": {secret}})
	}
	p = b.post(action(b.r.t, p.body), url.Values{"username": {email}})
	if p.status != 200 || p.at.Path != "/u/login/password" {
		return p
	}
	return b.post(action(b.r.t, p.body), url.Values{"password": {secret}})
}

// action is where the page's form goes.
func action(t *testing.T, html string) string {
	t.Helper()
	list := attributes(t, html, "form", "action")
	if len(list) != 1 {
		t.Fatalf("forms: %v", list)
	}
	return list[0]
}

// ways are the links to other connections.
func ways(t *testing.T, html string) []string {
	t.Helper()
	return slices.DeleteFunc(attributes(t, html, "a", "href"), func(l string) bool { return !strings.HasPrefix(l, "/u/login/connection?") })
}

func attributes(t *testing.T, html, element, attribute string) []string {
	t.Helper()
	var list []string
	walk(t, html, func(e xml.StartElement) {
		for _, a := range e.Attr {
			if e.Name.Local == element && a.Name.Local == attribute {
				list = append(list, a.Value)
			}
		}
	})
	return list
}

// fields are the inputs of a page.
func fields(t *testing.T, html string) url.Values {
	t.Helper()
	v := url.Values{}
	walk(t, html, func(e xml.StartElement) {
		if e.Name.Local != "input" {
			return
		}
		attr := map[string]string{}
		for _, a := range e.Attr {
			attr[a.Name.Local] = a.Value
		}
		v.Set(attr["name"], attr["value"])
	})
	return v
}

func walk(t *testing.T, html string, fn func(xml.StartElement)) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(html))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%v in %s", err, html)
		}
		if e, ok := token.(xml.StartElement); ok {
			fn(e)
		}
	}
}

func (b *browser) whoami() string { return b.get("/whoami").body }

func (b *browser) cookie(name string) string {
	u, _ := url.Parse(b.r.url)
	for _, c := range b.jar.Cookies(u) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// wantPage: an error page of ours, and nothing for the application.
func (a answer) wantPage(t *testing.T, status int, text string) {
	t.Helper()
	if a.status != status || a.app != nil || !strings.Contains(a.body, text) {
		t.Errorf("got %d, application %v, page %s; want %d with %q", a.status, a.app, a.body, status, text)
	}
	if a.header.Get("Location") != "" {
		t.Errorf("leads to %s", a.header.Get("Location"))
	}
	if slices.ContainsFunc(a.header.Values("Set-Cookie"), func(c string) bool { return strings.HasPrefix(c, "auth0=") }) {
		t.Error("a session cookie was set")
	}
}

// wantError: the application is told, and nothing else.
func (a answer) wantError(t *testing.T, code, description string) {
	t.Helper()
	if a.app.Get("error") != code || !strings.Contains(a.app.Get("error_description"), description) || a.app.Has("user") {
		t.Errorf("got %d %s %v; want %s: %s", a.status, a.at, a.app, code, description)
	}
}

func (a answer) wantUser(t *testing.T, id string) {
	t.Helper()
	if a.app.Get("user") != id || a.app.Get("state") != "app-state" || a.app.Get("sid") == "" {
		t.Errorf("got %d %s %v %s; want user %s", a.status, a.at, a.app, a.body, id)
	}
}
