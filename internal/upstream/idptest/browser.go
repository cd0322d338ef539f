package idptest

import (
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"mangrove/internal/outbound"
)

// Browser keeps cookies, follows redirects and posts forms: what a person does at
// the providers of this package. It reads no scripts.
type Browser struct {
	t      testing.TB
	client *http.Client
}

// Answer is what a provider sends to a relying party by way of the browser.
type Answer struct {
	URL  string     // where to, with its query
	Form url.Values // nil: by GET
}

// Values are what the relying party reads: the form, or the query.
func (a Answer) Values() url.Values {
	if a.Form != nil {
		return a.Form
	}
	u, err := url.Parse(a.URL)
	if err != nil {
		return nil
	}
	return u.Query()
}

// loopback is where the providers are.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// NewBrowser makes a browser without cookies.
func NewBrowser(t testing.TB) *Browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := outbound.New(loopback)
	client.Jar = jar
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Browser{t, client}
}

// Visit goes to an address (by POST when form is not nil), signs in as name where
// it is asked, and returns what is sent to home: the first request to an address
// that begins so, which is not made.
func (b *Browser) Visit(to string, form url.Values, name, home string) Answer {
	b.t.Helper()
	filled := false
	for range 20 {
		if strings.HasPrefix(to, home) {
			return Answer{to, form}
		}
		got := b.request(to, form)
		if got.next != nil {
			to, form = got.next.String(), nil
			continue
		}
		page, ok := readForm(got.body)
		if !ok || got.status != http.StatusOK {
			b.t.Fatalf("%s: %d %s", to, got.status, got.body)
		}
		if page.inputs.Has("username") {
			if filled {
				b.t.Fatalf("%s: the name and password were not accepted", to)
			}
			filled = true
			page.inputs.Set("username", name)
			page.inputs.Set("password", name+"pw")
		}
		action, err := got.at.Parse(page.action)
		if err != nil {
			b.t.Fatal(err)
		}
		to, form = action.String(), page.inputs
		if !page.post {
			action.RawQuery = page.inputs.Encode()
			to, form = action.String(), nil
		}
	}
	b.t.Fatalf("no way to %s", home)
	return Answer{}
}

type response struct {
	status int
	at     *url.URL
	next   *url.URL // nil: it is no redirect
	body   string
}

func (b *Browser) request(to string, form url.Values) response {
	b.t.Helper()
	method, body := http.MethodGet, io.Reader(http.NoBody)
	if form != nil {
		method, body = http.MethodPost, strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(b.t.Context(), method, to, body)
	if err != nil {
		b.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		b.t.Fatal(err)
	}
	next, err := res.Location()
	if err != nil {
		next = nil
	}
	return response{res.StatusCode, res.Request.URL, next, string(text)}
}

type htmlForm struct {
	action string
	post   bool
	inputs url.Values
}

var (
	formTag  = regexp.MustCompile(`(?is)<form\b([^>]*)>(.*?)</form>`)
	inputTag = regexp.MustCompile(`(?is)<input\b([^>]*)>`)
	attrs    = regexp.MustCompile(`(?is)([a-z-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')`)
)

// readForm is the first form of a page. Attributes of the providers' pages are
// quoted, and have no > in them.
func readForm(page string) (htmlForm, bool) {
	m := formTag.FindStringSubmatch(page)
	if m == nil {
		return htmlForm{}, false
	}
	head := attributesOf(m[1])
	f := htmlForm{action: head["action"], post: strings.EqualFold(head["method"], "post"), inputs: url.Values{}}
	for _, in := range inputTag.FindAllStringSubmatch(m[2], -1) {
		a := attributesOf(in[1])
		if a["name"] != "" && a["type"] != "checkbox" {
			f.inputs.Set(a["name"], a["value"])
		}
	}
	return f, true
}

func attributesOf(tag string) map[string]string {
	list := map[string]string{}
	for _, a := range attrs.FindAllStringSubmatch(tag, -1) {
		list[strings.ToLower(a[1])] = html.UnescapeString(a[2] + a[3])
	}
	return list
}
