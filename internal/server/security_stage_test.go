package server_test

import (
	"bytes"
	"encoding/json"
	"html"
	"io"
	"net/http"
	netmail "net/mail"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"mangrove/internal/config"
	"mangrove/internal/mail"
	"mangrove/internal/server"
	"mangrove/internal/store/storetest"
)

// stage is a running server on which everything is switched on, for tests that
// come as an attacker. Its traffic is watched.
type stage struct {
	*world
	dir      string
	file     string       // the database; PostgreSQL: its URL
	app      *application // confidential, every grant
	native   string       // a public application of devices
	email    string       // id of the connection that sends codes by mail
	db       string       // id of the database connection
	watch    *watch
	mu       sync.Mutex
	ahead    time.Duration
	mailSeen int
	smsSeen  int
}

const (
	realmGrant  = "http://auth0.com/oauth/grant-type/password-realm"
	codeGrant   = "http://auth0.com/oauth/grant-type/passwordless/otp"
	otpGrant    = "http://auth0.com/oauth/grant-type/mfa-otp"
	oobGrant    = "http://auth0.com/oauth/grant-type/mfa-oob"
	rescueGrant = "http://auth0.com/oauth/grant-type/mfa-recovery-code"
	pollGrant   = "urn:ietf:params:oauth:grant-type:device_code"
	multiFactor = "http://schemas.openid.net/pape/policies/2007/06/multi-factor"
)

func newStage(t *testing.T, engine string) *stage {
	t.Helper()
	s := &stage{dir: t.TempDir(), watch: &watch{t: t, seen: map[string]string{}}}
	s.file = storetest.EmptyURL(t, engine)
	s.world = newWorldIn(t, s.dir, s.file, func(c *config.Config, o *server.Options) {
		c.Mail, c.MailFrom, c.SMSDirectory = mail.Server{Directory: true}, netmail.Address{Address: "id@example.com"}, true
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}
		o.Now = s.now
	})
	s.watch.base, s.client.Transport = s.client.Transport, s.watch
	s.app = s.newApplication(database)
	all := `["authorization_code","implicit","password","refresh_token","client_credentials","` + strings.Join([]string{realmGrant, codeGrant, otpGrant, oobGrant, rescueGrant}, `","`) + `"]`
	s.must("PATCH", "/api/v2/clients/"+s.app.oauth.ClientID, `{"grant_types":`+all+`,"cross_origin_authentication":true,
		"allowed_origins":["http://app.example"],"web_origins":["http://app.example"],"allowed_logout_urls":["http://app.example/bye"]}`)
	s.native = s.field(s.must("POST", "/api/v2/clients", `{"name":"A television","app_type":"native","token_endpoint_auth_method":"none","grant_types":["`+pollGrant+`","refresh_token"]}`), "client_id")
	var list []struct{ ID, Name string }
	if err := json.Unmarshal([]byte(s.must("GET", "/api/v2/connections", "")), &list); err != nil {
		t.Fatal(err)
	}
	s.db = list[slices.IndexFunc(list, func(c struct{ ID, Name string }) bool { return c.Name == database })].ID
	s.email = s.field(s.must("POST", "/api/v2/connections", `{"name":"email","strategy":"email","options":{}}`), "id")
	sms := s.field(s.must("POST", "/api/v2/connections", `{"name":"sms","strategy":"sms","options":{}}`), "id")
	for _, id := range []string{s.db, s.email, sms} {
		s.enable(id, s.app.oauth.ClientID, true)
	}
	s.enable(s.db, s.native, true)
	s.must("PATCH", "/api/v2/tenants/settings", `{"pushed_authorization_requests_supported":true,"default_directory":"`+database+`"}`)
	return s
}

// now is the server's clock.
func (s *stage) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Add(s.ahead)
}

func (s *stage) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead += d
}

// must is a call of the Management API that has to succeed.
func (s *stage) must(method, path, body string) string {
	s.t.Helper()
	status, answer := s.call(method, path, body)
	if status > 299 {
		s.t.Fatalf("%s %s: %d %s", method, path, status, answer)
	}
	return answer
}

func (s *stage) enable(connection, client string, on bool) {
	s.t.Helper()
	b, err := json.Marshal([]map[string]any{{"client_id": client, "status": on}})
	if err != nil {
		s.t.Fatal(err)
	}
	s.must("PATCH", "/api/v2/connections/"+connection+"/clients", string(b))
}

// field is a member of a JSON object; lists give their first string.
func (s *stage) field(body, name string) string {
	s.t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(body), &m); err != nil {
		s.t.Fatalf("%v: %s", err, body)
	}
	switch v := m[name].(type) {
	case string:
		return v
	case []any:
		return v[0].(string)
	}
	return ""
}

// send is a request as no browser's: body is a form, or JSON that begins with a brace.
func (s *stage) send(method, path, body string, header ...string) (int, string, http.Header) {
	s.t.Helper()
	return send(s.t, s.client, method, s.url+path, body, header...)
}

func send(t *testing.T, c *http.Client, method, to, body string, header ...string) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, to, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if strings.HasPrefix(body, "{") {
			req.Header.Set("Content-Type", "application/json")
		}
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text), res.Header
}

// post sends a form to an endpoint.
func (s *stage) post(path string, pairs ...string) (int, string) {
	s.t.Helper()
	status, body, _ := s.send("POST", path, pairsOf(pairs...).Encode())
	return status, body
}

// grant asks the token endpoint as the application.
func (s *stage) grant(pairs ...string) (int, string) {
	s.t.Helper()
	return s.post("/oauth/token", append([]string{"client_id", s.app.oauth.ClientID, "client_secret", s.app.oauth.ClientSecret}, pairs...)...)
}

func (s *stage) granted(pairs ...string) string {
	s.t.Helper()
	status, body := s.grant(pairs...)
	if status != 200 {
		s.t.Fatalf("%v: %d %s", pairs, status, body)
	}
	return body
}

func pairsOf(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v
}

// authorize is the address of an authorization request.
func (s *stage) authorize(pairs ...string) string {
	v := pairsOf("client_id", s.app.oauth.ClientID, "response_type", "code", "redirect_uri", s.app.oauth.RedirectURL, "scope", "openid profile email", "state", "the state")
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return s.url + "/authorize?" + v.Encode()
}

// newUser signs somebody up.
func (s *stage) newUser(address string) (id string) {
	s.t.Helper()
	return s.field(s.must("POST", "/api/v2/users", `{"connection":"`+database+`","email":"`+address+`","password":"`+goodPassword+`","email_verified":true,"verify_email":false}`), "user_id")
}

// person goes through pages. At each, visit is told before the form is sent.
type person struct {
	*stage
	b     *browser
	form  func(path, page string) url.Values
	visit func(page string, at *url.URL, form url.Values) url.Values
}

var (
	formTag   = regexp.MustCompile(`<form[^>]* action="([^"]*)"`)
	hiddenTag = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`)
	typedTag  = regexp.MustCompile(`<input[^>]* name="user_code"[^>]* value="([^"]*)"`)
	shownText = regexp.MustCompile(`<p class="secret"[^>]*>([A-Z0-9 ]+)</p>`)
)

// secretOn is the seed or the recovery code that a page shows.
func secretOn(page string) string {
	m := shownText.FindStringSubmatch(page)
	if m == nil {
		return ""
	}
	return strings.ReplaceAll(m[1], " ", "")
}

// walk follows the pages from an address to the application.
func (p *person) walk(from string) (url.Values, *url.URL) {
	p.t.Helper()
	query, page, at := p.b.follow(from)
	for range 12 {
		if query != nil {
			return query, at
		}
		m := formTag.FindStringSubmatch(page)
		form := p.form(at.Path, page)
		if m == nil || form == nil {
			return nil, at
		}
		to, err := at.Parse(html.UnescapeString(m[1]))
		if err != nil {
			p.t.Fatal(err)
		}
		for _, h := range hiddenTag.FindAllStringSubmatch(page, -1) {
			if name := html.UnescapeString(h[1]); !form.Has(name) {
				form.Set(name, html.UnescapeString(h[2]))
			}
		}
		if p.visit != nil {
			form = p.visit(page, to, form)
		}
		query, page, at = p.b.submit(to.String(), form)
	}
	p.t.Fatalf("no end at %s: %.300s", at, page)
	return nil, nil
}

// newPerson answers the pages with an address and the usual password; seed is
// that of the person's authenticator application.
func (s *stage) newPerson(address string, seed *string) *person {
	p := &person{stage: s, b: s.newBrowser()}
	p.form = func(path, page string) url.Values {
		switch path {
		case "/u/login", "/u/signup":
			return pairsOf("username", address, "email", address, "password", goodPassword)
		case "/u/login/identifier":
			return pairsOf("username", address)
		case "/u/login/password":
			return pairsOf("password", goodPassword)
		case "/u/mfa-otp-enrollment":
			*seed = secretOn(page)
			return pairsOf("code", s.otp(*seed))
		case "/u/mfa-otp-challenge":
			return pairsOf("code", s.otp(*seed))
		case "/u/mfa-recovery-code-enrollment":
			return pairsOf("saved", "1")
		case "/u/consent":
			return pairsOf("decision", "accept")
		case "/u/device/confirmation":
			return pairsOf("decision", "accept")
		case "/u/login/passwordless-email-challenge":
			return pairsOf("code", s.mailed(`\b[0-9]{6}\b`))
		case "/activate":
			return pairsOf("user_code", html.UnescapeString(typedTag.FindStringSubmatch(page)[1]))
		}
		return nil
	}
	return p
}

// otp is a code of an authenticator application that was not shown yet.
func (s *stage) otp(seed string) string {
	s.t.Helper()
	s.pass(90 * time.Second)
	code, err := totp.GenerateCode(seed, s.now())
	if err != nil {
		s.t.Fatal(err)
	}
	return code
}

// mailed waits for the next mail and finds a pattern in it.
func (s *stage) mailed(pattern string) string {
	s.t.Helper()
	return s.arrived(filepath.Join(s.dir, "mail", "*.eml"), &s.mailSeen, pattern)
}

func (s *stage) texted(pattern string) string {
	s.t.Helper()
	return s.arrived(filepath.Join(s.dir, "sms", "*.txt"), &s.smsSeen, pattern)
}

func (s *stage) arrived(glob string, seen *int, pattern string) string {
	s.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); { // the folder has no other signal
		files, err := filepath.Glob(glob)
		if err != nil {
			s.t.Fatal(err)
		}
		slices.Sort(files)
		for i := *seen; i < len(files); i++ {
			b, err := os.ReadFile(files[i])
			if err != nil {
				s.t.Fatal(err)
			}
			_, text, _ := bytes.Cut(bytes.ReplaceAll(b, []byte("\r"), nil), []byte("\n\n"))
			text = bytes.ReplaceAll(bytes.ReplaceAll(text, []byte("=\n"), nil), []byte("=3D"), []byte("="))
			if found := regexp.MustCompile(pattern).Find(text); found != nil {
				*seen = i + 1
				return string(found)
			}
		}
		s.send("GET", "/healthz", "")
	}
	s.t.Fatalf("nothing like %s has come to %s", pattern, glob)
	return ""
}

// watch looks at every answer: what no answer may be, whoever asks. It keeps the
// secrets that were handed out.
type watch struct {
	t    *testing.T
	base http.RoundTripper

	mu      sync.Mutex
	broken  bool // failures of ours are expected
	seen    map[string]string
	answers int
}

var (
	handedOut = regexp.MustCompile(`"(access_token|refresh_token|id_token|mfa_token|device_code|user_code|login_ticket|co_verifier|oob_code|client_secret|request_uri|ticket|secret)":"([^"]{8,})"`)
	rescues   = regexp.MustCompile(`"(recovery_codes|recovery_code)":\[?"([^"]+)"`)
	inAddress = regexp.MustCompile(`[?&#](code|state|ticket|access_token|id_token)=([A-Za-z0-9._-]{20,})`)
	inCookie  = regexp.MustCompile(`^([^=]+)=([A-Za-z0-9_-]{20,})`)
)

func (x *watch) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := x.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	x.mu.Lock()
	defer x.mu.Unlock()
	x.answers++
	x.keep(res, string(body))
	for _, problem := range judge(r, res, string(body), x.broken) {
		x.t.Errorf("%s %s: %d %s", r.Method, r.URL.Path, res.StatusCode, problem)
	}
	return res, nil
}

func (x *watch) keep(res *http.Response, body string) {
	for _, c := range res.Header.Values("Set-Cookie") {
		if m := inCookie.FindStringSubmatch(c); m != nil {
			x.seen[m[2]] = "cookie " + m[1]
		}
	}
	for _, re := range []*regexp.Regexp{handedOut, rescues} {
		for _, m := range re.FindAllStringSubmatch(body, -1) {
			x.seen[m[2]] = m[1]
		}
	}
	for _, text := range []string{res.Header.Get("Location"), html.UnescapeString(body)} {
		for _, m := range inAddress.FindAllStringSubmatch(text, -1) {
			x.seen[m[2]] = m[1] + " in an address"
		}
	}
	if found := secretOn(body); found != "" {
		x.seen[found] = "shown at " + res.Request.URL.Path
	}
}

// judge is what holds for every answer (security.md rule (c), 69, 119, 122).
func judge(r *http.Request, res *http.Response, body string, broken bool) (problems []string) {
	h := res.Header
	miss := func(name string, want ...string) {
		for _, w := range want {
			if !strings.Contains(h.Get(name), w) {
				problems = append(problems, name+" lacks "+w+": "+h.Get(name))
			}
		}
	}
	if res.StatusCode >= 500 && !broken {
		problems = append(problems, "a failure of ours: "+body)
	}
	miss("X-Content-Type-Options", "nosniff")
	miss("Strict-Transport-Security", "max-age=")
	redirected := res.StatusCode >= 300 && res.StatusCode < 400 // nobody draws its body
	if strings.HasPrefix(h.Get("Content-Type"), "text/html") && !redirected {
		miss("Content-Type", "charset=utf-8")
		miss("Content-Security-Policy", "default-src 'none'", "object-src 'none'", "base-uri 'none'", "form-action")
		miss("Referrer-Policy", "no-referrer")
		miss("Cache-Control", "no-store")
		csp := h.Get("Content-Security-Policy")
		if !strings.Contains(csp, "frame-ancestors 'none'") && r.URL.Query().Get("response_mode") != "web_message" {
			problems = append(problems, "can be framed: "+csp)
		}
		if strings.Contains(csp, "unsafe") || strings.Contains(csp, "*") {
			problems = append(problems, "the policy is lax: "+csp)
		}
		for _, tag := range regexp.MustCompile(`<(script|style)[^>]*>`).FindAllString(body, -1) {
			if !strings.Contains(tag, "nonce=") {
				problems = append(problems, "no nonce: "+tag)
			}
		}
	}
	if handedOut.MatchString(body) || strings.Contains(h.Get("Location"), "code=") || len(h.Values("Set-Cookie")) > 0 {
		miss("Cache-Control", "no-store")
	}
	for _, c := range h.Values("Set-Cookie") {
		for _, want := range []string{"HttpOnly", "Secure", "SameSite=", "Path=/"} {
			if !strings.Contains(c, want) {
				problems = append(problems, "cookie lacks "+want)
			}
		}
		if strings.Contains(c, "Domain=") {
			problems = append(problems, "a cookie for other hosts")
		}
	}
	origin := h.Get("Access-Control-Allow-Origin")
	if origin == "*" && h.Get("Access-Control-Allow-Credentials") != "" {
		problems = append(problems, "credentials for everybody")
	}
	if origin != "" && !strings.Contains(h.Get("Vary"), "Origin") {
		problems = append(problems, "Access-Control-Allow-Origin without Vary")
	}
	return problems
}
