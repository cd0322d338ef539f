package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/auth0/go-auth0/management"
	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/pquerna/otp/totp"
	"golang.org/x/oauth2"

	"mangrove/internal/browsertest"
	"mangrove/internal/mail/mailtest"
	"mangrove/internal/store/storetest"
)

// journey is a person in a real browser, an application, and a mail server.
type journey struct {
	t      *testing.T
	w      *world
	b      *browsertest.Browser
	box    *mailtest.Server
	app    *application
	origin string
}

func newJourney(t *testing.T) *journey {
	t.Helper()
	j := &journey{t: t, w: newWorld(t, storetest.SQLite), box: mailtest.Start(t), b: browsertest.Open(t, browsertest.Options{})}
	j.origin = serveSite(t, "", nil)
	j.app = j.w.newApplication(database)
	j.app.oauth.RedirectURL = j.origin + "/callback"
	change := &management.Client{Callbacks: &[]string{j.app.oauth.RedirectURL}, AllowedLogoutURLs: &[]string{j.origin + "/"}}
	if err := j.w.sdk.Client.Update(t.Context(), j.app.oauth.ClientID, change); err != nil {
		t.Fatal(err)
	}
	j.call("POST", "/api/v2/emails/provider", fmt.Sprintf(
		`{"name":"smtp","default_from_address":"tides@example.com","credentials":{"smtp_host":%q,"smtp_port":%d}}`, j.box.Host, j.box.Port))
	return j
}

// call is a call of the Management API that has to succeed.
func (j *journey) call(method, path, body string) string {
	j.t.Helper()
	status, answer := j.w.call(method, path, body)
	if status > 299 {
		j.t.Fatalf("%s %s: %d %s", method, path, status, answer)
	}
	return answer
}

// begin opens the sign-in page; end reads the tokens once the application was
// reached.
func (j *journey) begin(more ...oauth2.AuthCodeOption) (verifier string) {
	j.t.Helper()
	verifier = oauth2.GenerateVerifier()
	j.b.Goto(j.app.oauth.AuthCodeURL("the state", append(more, oauth2.S256ChallengeOption(verifier), oidc.Nonce("the nonce"))...))
	return verifier
}

func (j *journey) end(verifier string) *signedIn {
	j.t.Helper()
	at, err := url.Parse(j.b.WaitURL(j.app.oauth.RedirectURL + "?"))
	if err != nil {
		j.t.Fatal(err)
	}
	in, refused := j.app.exchange(at.Query(), verifier)
	if in == nil {
		j.t.Fatalf("refused: %v", refused)
	}
	return in
}

const submit = `main form button[type="submit"]`

// enter types the identifier and the password.
func (j *journey) enter(email, password string) {
	j.t.Helper()
	j.b.Fill(`input[name="username"]`, email)
	j.b.Follow(`form:not(.passkey) button[type="submit"]`)
	j.b.Fill(`input[name="password"]`, password)
	j.b.Follow(submit)
}

func (j *journey) signOut() {
	j.t.Helper()
	j.b.Goto(j.w.url + "/v2/logout?" + url.Values{"client_id": {j.app.oauth.ClientID}, "returnTo": {j.origin + "/"}}.Encode())
	if at := j.b.URL(); at != j.origin+"/" {
		j.t.Fatalf("after the logout at %s", at)
	}
}

// mailed is the link in the next mail.
func (j *journey) mailed(path string) string {
	j.t.Helper()
	m := j.box.Mail("ida@example.com")
	l := regexp.MustCompile(regexp.QuoteMeta(j.w.url+path) + `\?ticket=[A-Za-z0-9]{32}`).FindString(m.HTML)
	if l == "" {
		j.t.Fatalf("no link to %s in %+v", path, m)
	}
	return l
}

// A person signs up, verifies the address, forgets the password and sets another,
// adds a passkey and signs in with it, adds an authenticator application and is
// asked for its code, and signs out.
func TestJourney(t *testing.T) {
	const first, second = "a tide is coming in 1", "a tide is going out 2"
	j := newJourney(t)
	b := j.b

	// Sign-up.
	verifier := j.begin(oauth2.SetAuthURLParam("screen_hint", "signup"))
	b.Fill(`input[name="email"]`, "ida@example.com")
	b.Fill(`input[name="password"]`, first)
	b.Follow(submit)
	in := j.end(verifier)
	if in.claims["email"] != "ida@example.com" || in.claims["email_verified"] != false || in.claims["name"] != "ida@example.com" || in.claims["nickname"] != "ida" {
		t.Errorf("claims %v", in.claims)
	}

	// The address.
	b.Goto(j.mailed("/u/email-verification"))
	b.Follow(submit)
	if user := j.call("GET", "/api/v2/users/"+url.PathEscape(in.subject), ""); !strings.Contains(user, `"email_verified":true`) {
		t.Errorf("not verified: %s", user)
	}
	j.signOut()

	// The password: forgotten, mailed, set.
	j.begin()
	b.Fill(`input[name="username"]`, "ida@example.com")
	b.Follow(submit)
	b.Follow(`a[href^="/u/reset-password/request"]`)
	b.Follow(submit)
	b.Goto(j.mailed("/u/reset-password"))
	b.Fill(`input[name="password"]`, second)
	b.Fill(`input[name="again"]`, second)
	b.Follow(submit)
	if m := j.box.Mail("ida@example.com"); !strings.Contains(strings.ToLower(m.Subject), "password") {
		t.Errorf("the owner was told %+v", m)
	}
	verifier = j.begin()
	j.enter("ida@example.com", first)
	if b.Count(`[role="alert"]`) == 0 {
		t.Error("the old password is as good as the new one")
	}
	b.Fill(`input[name="password"]`, second)
	b.Follow(submit)
	if again := j.end(verifier); again.subject != in.subject || again.claims["email_verified"] != true {
		t.Errorf("claims %v", again.claims)
	}
	j.signOut()

	// A passkey, and a sign-in with it and nothing else.
	con, err := j.w.sdk.Connection.ReadByName(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	var options map[string]any
	var stored struct{ Options map[string]any }
	if err := json.Unmarshal([]byte(j.call("GET", "/api/v2/connections/"+con.GetID(), "")), &stored); err != nil {
		t.Fatal(err)
	}
	options = stored.Options
	options["authentication_methods"] = map[string]any{"password": map[string]any{"enabled": true}, "passkey": map[string]any{"enabled": true}}
	options["passkey_options"] = map[string]any{"challenge_ui": "button", "progressive_enrollment_enabled": true, "local_enrollment_enabled": true}
	raw, err := json.Marshal(map[string]any{"options": options})
	if err != nil {
		t.Fatal(err)
	}
	j.call("PATCH", "/api/v2/connections/"+con.GetID(), string(raw))
	b.Authenticator()
	verifier = j.begin()
	j.enter("ida@example.com", second)
	b.Click(`form[data-passkey="create"] button`)
	j.end(verifier)
	j.box.Mail("ida@example.com") // the owner is told
	j.signOut()
	verifier = j.begin()
	b.Click(`form[data-passkey="get"] button`)
	if again := j.end(verifier); again.subject != in.subject {
		t.Errorf("the passkey is of %s", again.subject)
	}
	j.signOut()

	// An authenticator application, asked for by the tenant's policy.
	j.call("PUT", "/api/v2/guardian/factors/otp", `{"enabled":true}`)
	j.call("PUT", "/api/v2/guardian/factors/recovery-code", `{"enabled":true}`)
	j.call("PUT", "/api/v2/guardian/policies", `["all-applications"]`)
	verifier = j.begin()
	j.enter("ida@example.com", second)
	b.Click("summary")
	secret := strings.ReplaceAll(b.Text("details .secret"), " ", "")
	code := func(at time.Time) string {
		c, err := totp.GenerateCode(secret, at)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	b.Fill(`input[name="code"]`, code(time.Now()))
	b.Follow(submit)
	if len(b.Text(".secret")) < 24 {
		t.Errorf("recovery code %q", b.Text(".secret"))
	}
	b.Check(`input[name="saved"]`)
	b.Follow(submit)
	if again := j.end(verifier); fmt.Sprint(again.claims["amr"]) != "[mfa]" {
		t.Errorf("claims %v", again.claims)
	}
	j.signOut()
	verifier = j.begin()
	j.enter("ida@example.com", second)
	if at := b.URL(); !strings.HasPrefix(at, j.w.url+"/u/mfa-otp-challenge?") {
		t.Fatalf("asked at %s", at)
	}
	b.Fill(`input[name="code"]`, "000000")
	b.Follow(submit)
	if b.Count(`[role="alert"]`) == 0 {
		t.Error("a wrong code is not told")
	}
	b.Fill(`input[name="code"]`, code(time.Now().Add(30*time.Second))) // each code is good once
	b.Follow(submit)
	j.end(verifier)
	if list := b.Complaints(); len(list) > 0 {
		t.Errorf("the console says %q", list)
	}
	j.signOut()
	if status, _ := j.w.call(http.MethodGet, "/api/v2/users/"+url.PathEscape(in.subject)+"/sessions", ""); status != http.StatusOK {
		t.Errorf("sessions: %d", status)
	}
	j.w.stop()
	for _, secret := range []string{first, second, "ida@example.com", "ticket="} {
		if strings.Contains(j.w.logs.String(), secret) {
			t.Errorf("the log has %q", secret)
		}
	}
}
