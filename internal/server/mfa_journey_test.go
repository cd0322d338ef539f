package server_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/auth0/go-auth0/management"
	"github.com/pquerna/otp/totp"
	"golang.org/x/oauth2"
)

const multifactor = "http://schemas.openid.net/pape/policies/2007/06/multi-factor"

// silently asks without a page and returns the answer.
func (j *journey) silently(more ...oauth2.AuthCodeOption) url.Values {
	j.t.Helper()
	j.begin(append(more, oauth2.SetAuthURLParam("prompt", "none"))...)
	at, err := url.Parse(j.b.WaitURL(j.app.oauth.RedirectURL + "?"))
	if err != nil {
		j.t.Fatal(err)
	}
	return at.Query()
}

// A session from before the policy goes on; a request that wants a second factor
// leads to its enrollment. The factor is a security key, which comes with a
// recovery code; the browser is remembered after the code of an application.
func TestSecondFactorsInABrowser(t *testing.T) {
	const password = "a tide is coming in 1"
	j := newJourney(t)
	b := j.b
	j.call("POST", "/api/v2/users", fmt.Sprintf(`{"connection":%q,"email":"ida@example.com","email_verified":true,"password":%q}`, database, password))
	b.SecurityKey()
	verifier := j.begin()
	j.enter("ida@example.com", password)
	in := j.end(verifier)

	j.call("PUT", "/api/v2/guardian/factors/webauthn-roaming", `{"enabled":true}`)
	j.call("PUT", "/api/v2/guardian/factors/recovery-code", `{"enabled":true}`)
	j.call("PUT", "/api/v2/guardian/policies", `["all-applications"]`)
	if q := j.silently(); q.Get("code") == "" {
		t.Errorf("a session from before the policy: %v", q)
	}
	acr := oauth2.SetAuthURLParam("acr_values", multifactor)
	if q := j.silently(acr); q.Get("error") != "login_required" || q.Get("error_description") != "Multifactor authentication required" {
		t.Errorf("silent, with acr_values: %v", q)
	}

	// The step up.
	verifier = j.begin(acr)
	if at := b.URL(); !strings.HasPrefix(at, j.w.url+"/u/mfa-webauthn-roaming-enrollment?") || !strings.Contains(b.Text("h1"), "security key") {
		t.Fatalf("at %s: %s", at, b.Text("h1"))
	}
	b.Click(`form[data-passkey="create"] button`)
	b.WaitURL(j.w.url + "/u/mfa-recovery-code-enrollment?")
	recovery := strings.Join(strings.Fields(strings.ReplaceAll(b.Text(".secret"), "-", "")), "")
	if len(recovery) != 24 {
		t.Fatalf("recovery code %q", recovery)
	}
	shown := b.URL()
	b.Check(`input[name="saved"]`)
	b.Follow(submit)
	if again := j.end(verifier); again.subject != in.subject || again.claims["acr"] != multifactor || fmt.Sprint(again.claims["amr"]) != "[mfa]" {
		t.Errorf("claims %v", again.claims)
	}
	b.Goto(shown)
	if strings.Contains(b.Text("main"), recovery) || b.Count(".secret") != 0 {
		t.Error("the recovery code is shown again")
	}
	if q := j.silently(acr); q.Get("code") == "" {
		t.Errorf("after the step up: %v", q)
	}
	j.signOut()

	// The key is asked for; the recovery code stands in for it, once.
	verifier = j.begin()
	j.enter("ida@example.com", password)
	if at := b.URL(); !strings.HasPrefix(at, j.w.url+"/u/mfa-webauthn-roaming-challenge?") {
		t.Fatalf("asked at %s", at)
	}
	b.Click(`form[data-passkey="get"] button`)
	if again := j.end(verifier); fmt.Sprint(again.claims["amr"]) != "[mfa]" {
		t.Errorf("claims %v", again.claims)
	}
	j.signOut()
	verifier = j.begin()
	j.enter("ida@example.com", password)
	b.Follow(`a[href^="/u/mfa-recovery-code-challenge"]`)
	b.Fill(`input[name="code"]`, strings.ToLower(recovery))
	b.Follow(submit)
	b.Check(`input[name="saved"]`)
	b.Follow(submit)
	j.end(verifier)
	j.signOut()
	j.begin()
	j.enter("ida@example.com", password)
	b.Follow(`a[href^="/u/mfa-recovery-code-challenge"]`)
	b.Fill(`input[name="code"]`, recovery)
	b.Follow(submit)
	if b.Count(`[role="alert"]`) == 0 {
		t.Error("a recovery code is good twice")
	}
	if list := b.Complaints(); len(list) > 0 {
		t.Errorf("the console says %q", list)
	}
}

// An application that an import brought is asked for; the browser is remembered
// by a cookie, until a request insists.
func TestARememberedBrowser(t *testing.T) {
	const password, seed = "a tide is coming in 1", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
	j := newJourney(t)
	b := j.b
	con, err := j.w.sdk.Connection.ReadByName(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(password))
	in := &management.Job{ConnectionID: con.ID, Users: []map[string]any{{
		"email": "ida@example.com", "email_verified": true, "mfa_factors": []any{map[string]any{"totp": map[string]any{"secret": seed}}},
		"custom_password_hash": map[string]any{"algorithm": "sha256", "hash": map[string]any{"value": hex.EncodeToString(sum[:]), "encoding": "hex"}},
	}}}
	if err := j.w.sdk.Job.ImportUsers(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	j.w.await(in.GetID())
	verifier := j.begin()
	j.enter("ida@example.com", password)
	if at := b.URL(); !strings.HasPrefix(at, j.w.url+"/u/mfa-otp-challenge?") {
		t.Fatalf("asked at %s", at)
	}
	code, err := totp.GenerateCode(seed, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	b.Fill(`input[name="code"]`, code)
	b.Check(`input[name="trust"]`)
	b.Follow(submit)
	j.end(verifier)
	j.signOut()
	verifier = j.begin()
	j.enter("ida@example.com", password)
	j.end(verifier)
	j.signOut()
	verifier = j.begin()
	j.enter("ida@example.com", password)
	j.end(verifier)
	audience := oauth2.SetAuthURLParam("audience", j.w.url+"/mfa/")
	if q := j.silently(audience); q.Get("error_description") != "Multifactor authentication required" {
		t.Errorf("a token about factors, silently: %v", q)
	}
	j.begin(audience)
	if at := b.URL(); !strings.HasPrefix(at, j.w.url+"/u/mfa-otp-challenge?") {
		t.Errorf("a token about factors: %s", at)
	}
	j.signOut()
	j.begin(oauth2.SetAuthURLParam("acr_values", multifactor))
	j.enter("ida@example.com", password)
	if at := b.URL(); !strings.HasPrefix(at, j.w.url+"/u/mfa-otp-challenge?") || b.Count(`input[name="trust"]`) != 0 {
		t.Errorf("a request that insists: %s", at)
	}
	b.Forget()
	j.begin()
	j.enter("ida@example.com", password)
	if at := b.URL(); !strings.HasPrefix(at, j.w.url+"/u/mfa-otp-challenge?") {
		t.Errorf("another browser: %s", at)
	}
}
