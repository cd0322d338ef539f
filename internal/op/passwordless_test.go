package op

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/letter"
	"mangrove/internal/passwordless"
	"mangrove/internal/profile"
	"mangrove/internal/store/storetest"
	"mangrove/internal/tenant"
	"mangrove/internal/user"
)

// mailbox is what passwordless sends.
type mailbox struct{ storetest.Mailbox }

func (m *mailbox) last(tb testing.TB) letter.Letter {
	tb.Helper()
	return latest(tb, m.Letters())
}

func (m *mailbox) text(tb testing.TB) passwordless.Text {
	tb.Helper()
	return latest(tb, m.Texts())
}

func (m *mailbox) sent() int { return len(m.Letters()) + len(m.Texts()) }

func latest[T any](tb testing.TB, list []T) T {
	tb.Helper()
	if len(list) == 0 {
		tb.Fatal("nothing was sent")
	}
	return list[len(list)-1]
}

const otpGrant = `"http://auth0.com/oauth/grant-type/passwordless/otp"`

// passwordlessWorld has the connections email, sms and invited (which makes no
// users), and webApp and spaApp may use codes.
func passwordlessWorld(tb testing.TB) *world {
	tb.Helper()
	w := newWorld(tb)
	for _, id := range []string{webApp, spaApp} {
		w.setClient(tb, id, "grant_types", `["authorization_code","refresh_token",`+otpGrant+`]`)
	}
	for id, c := range map[string]connection.Connection{
		"con_email00000000001": {Name: "email", Strategy: "email", Options: json.RawMessage(`{"name":"email"}`), EnabledClients: []string{webApp, spaApp, lameApp}},
		"con_sms0000000000001": {Name: "sms", Strategy: "sms", Options: json.RawMessage(`{"totp":{"length":8,"time_step":60}}`), EnabledClients: []string{webApp}},
		"con_invited000000001": {Name: "invited", Strategy: "email", Options: json.RawMessage(`{"disable_signup":true}`), EnabledClients: []string{webApp}},
		"con_nobodys000000001": {Name: "nobodys", Strategy: "email", Options: json.RawMessage(`{}`)},
	} {
		c.ID, c.Extra, c.Version, c.Realms = id, json.RawMessage(`{}`), 1, []string{c.Name}
		must(tb, w.store.CreateConnection(tb.Context(), &c, audit.Event{Type: audit.APIOperation}))
	}
	return w
}

func (w *world) start(tb testing.TB, body string, headers ...string) (int, string) {
	tb.Helper()
	rec := w.send(tb, "POST", "/passwordless/start", body, headers...)
	return rec.Code, strings.TrimSpace(rec.Body.String())
}

// exchange redeems a code.
func (w *world) exchange(tb testing.TB, realm, username, otp string, more ...string) (int, map[string]any) {
	tb.Helper()
	rec := w.post(tb, form(append([]string{"grant_type", passwordlessOTP, "client_id", webApp, "client_secret", secret,
		"realm", realm, "username", username, "otp", otp}, more...)...))
	return rec.Code, answer(tb, rec)
}

const startEmail = `{"client_id":"` + webApp + `","connection":"email","email":"Lea@X.example","send":"code"}`

func TestPasswordlessSignUpAndIn(t *testing.T) {
	w := passwordlessWorld(t)
	status, body := w.start(t, startEmail, "X-Request-Language", "de-AT")
	found := regexp.MustCompile(`^\{"_id":"([0-9a-f]{24})","email":"lea@x.example","email_verified":true\}$`).FindStringSubmatch(body)
	if status != 200 || found == nil {
		t.Fatalf("%d %s", status, body)
	}
	l := w.mailbox.last(t)
	if l.Template != letter.Passwordless || l.To != "lea@x.example" || l.Language != "de-AT" || l.ClientID != webApp || l.UserID != "" ||
		!regexp.MustCompile(`^[0-9]{6}$`).MatchString(l.Code) || l.Lifetime != 180 || l.Vars["send"] != "code" || l.URL != "" {
		t.Errorf("letter %+v", l)
	}
	if _, again := w.start(t, startEmail); again != body {
		t.Errorf("another id for the same person: %s", again)
	}
	l = w.mailbox.last(t)
	status, got := w.exchange(t, "email", "LEA@x.example", l.Code[:3]+" "+l.Code[3:], "scope", "openid email profile")
	if status != 200 || got["id_token"] == nil || got["token_type"] != "Bearer" {
		t.Fatalf("%d %v", status, got)
	}
	u, err := w.store.User(t.Context(), user.ID("email|"+found[1]))
	must(t, err)
	if p := u.Profile; p.Text("email") != "lea@x.example" || !p.True("email_verified") || p.Text("nickname") != "lea" || p.Text("name") != "lea@x.example" ||
		u.Logins.Count != 1 {
		t.Errorf("user %+v", u)
	}
	if status, got := w.exchange(t, "email", "lea@x.example", l.Code); status != 403 || got["error_description"] != "Wrong email or verification code." {
		t.Errorf("used twice: %d %v", status, got)
	}
	w.at = w.at.Add(time.Minute)
	if _, again := w.start(t, startEmail); again != body {
		t.Errorf("somebody known is answered differently: %s", again)
	}
	if status, got := w.exchange(t, "email", "lea@x.example", w.mailbox.last(t).Code); status != 200 {
		t.Errorf("%d %v", status, got)
	}
	if u, err = w.store.User(t.Context(), u.ID); err != nil || u.Logins.Count != 2 {
		t.Errorf("%+v %v", u, err)
	}
}

func TestPasswordlessSMS(t *testing.T) {
	w := passwordlessWorld(t)
	body := `{"client_id":"` + webApp + `","connection":"sms","phone_number":"+4790000000"}`
	status, got := w.start(t, body)
	if status != 200 || !regexp.MustCompile(`^\{"_id":"[0-9a-f]{24}","phone_number":"\+4790000000","phone_verified":true\}$`).MatchString(got) {
		t.Fatalf("%d %s", status, got)
	}
	sms := w.mailbox.text(t)
	if sms.To != "+4790000000" || len(sms.Code) != 8 {
		t.Errorf("%+v", sms)
	}
	if status, got := w.exchange(t, "sms", "+4790000000", "00000000"); status != 403 || got["error_description"] != "Wrong phone number or verification code." {
		t.Errorf("%d %v", status, got)
	}
	w.at = w.at.Add(61 * time.Second)
	if status, got := w.exchange(t, "sms", "+4790000000", sms.Code); status != 403 || got["error_description"] != "The verification code has expired. Please try to login again." {
		t.Errorf("%d %v", status, got)
	}
	w.start(t, body)
	sms = w.mailbox.text(t)
	if status, got := w.exchange(t, "sms", "+4790000000", sms.Code); status != 200 || got["access_token"] == "" {
		t.Errorf("%d %v", status, got)
	}
	w.mailbox.Broken = errs.New(errs.Invalid, "sms_provider_error", "Authentication failed while calling the SMS gateway: 401")
	if status, got := w.start(t, body); status != 400 || got != `{"error":"sms_provider_error","error_description":"Authentication failed while calling the SMS gateway: 401"}` {
		t.Errorf("%d %s", status, got)
	}
}

// TestStartRefusals is the table of reference/authentication.md §4.3.
func TestStartRefusals(t *testing.T) {
	w := passwordlessWorld(t)
	for _, row := range []struct{ body, code, text string }{
		{`{"connection":"email","email":"a@x.example"}`, "bad.client_id", "Missing required property: client_id"},
		{`{"client_id":"` + webApp + `","email":"a@x.example"}`, "bad.connection", "Missing required property: connection"},
		{`{"client_id":"nobody","connection":"email","email":"a@x.example"}`, "bad.client_id", "Client does not exist"},
		{`{"client_id":"` + webApp + `","connection":"elsewhere","email":"a@x.example"}`, "bad.connection", "Connection does not exist"},
		{`{"client_id":"` + webApp + `","connection":"nobodys","email":"a@x.example"}`, "bad.connection", "Connection is disabled"},
		{`{"client_id":"` + spaApp + `","connection":"sms","phone_number":"+1"}`, "bad.connection", "Connection is disabled"},
		{`{"client_id":"` + webApp + `","connection":"Users","email":"a@x.example"}`, "bad.connection", "Invalid connection strategy. It must either be a passwordless connection"},
		{`{"client_id":"` + webApp + `","connection":"sms"}`, "bad.phone_number", "Missing required property: phone_number"},
		{`{"client_id":"` + webApp + `","connection":"sms","phone_number":"0790"}`, "bad.phone_number", `String does not match pattern: ^\+[0-9]{1,15}$`},
		{`{"client_id":"` + webApp + `","connection":"sms","phone_number":"+1234567890123456"}`, "bad.phone_number", `String does not match pattern: ^\+[0-9]{1,15}$`},
		{`{"client_id":"` + webApp + `","connection":"email","phone_number":"+1"}`, "bad.email", "Missing required property: email"},
		{`{"client_id":"` + webApp + `","connection":"email","email":"lea"}`, "bad.email", "Object didn't pass validation for format email: lea"},
		{`{"client_id":"` + webApp + `","connection":"email","email":"a@x.example","zip":1,"age":2}`, "bad.request", "the following properties are not allowed: age, zip"},
		{`{"client_id":"` + webApp + `","connection":"email","email":"a@x.example","send":"dove"}`, "bad.request", "send must be link or code"},
		{`{"client_id":"` + webApp + `","connection":"email","email":"a@x.example","authParams":"x"}`, "bad.authParams", "authParams must be an object of strings"},
		{`{"client_id":"` + webApp + `","connection":"email","email":"a@x.example","authParams":{"redirect_uri":"https://evil.example"}}`, "bad.authParams", errCallback.Text},
	} {
		status, got := w.start(t, row.body)
		want, _ := json.Marshal(oauthBody{Error: row.code, Description: row.text})
		var a, b map[string]any
		_, _ = json.Unmarshal(want, &a), json.Unmarshal([]byte(got), &b)
		if status != 400 || fmt.Sprint(a) != fmt.Sprint(b) {
			t.Errorf("%s:\n got %d %s\nwant %s", row.body, status, got, want)
		}
	}
	if n := w.mailbox.sent(); n != 0 {
		t.Errorf("%d messages went out", n)
	}
	if got := strings.Count(w.events.types(), audit.LoginFailed); got != 16 {
		t.Errorf("%d refusals are on record: %s", got, w.events.types())
	}
	if rec := w.send(t, "GET", "/passwordless/start?client_id="+webApp+"&connection=email&email=a@x.example", ""); rec.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", rec.Code)
	}
}

func TestStartAuthenticatesTheClient(t *testing.T) {
	w := passwordlessWorld(t)
	with := func(more string) string { return strings.TrimSuffix(startEmail, "}") + more + "}" }
	unauthorized := `{"error":"access_denied","error_description":"Unauthorized"}`
	if status, got := w.start(t, with(`,"client_secret":"wrong"`)); status != 401 || got != unauthorized {
		t.Errorf("%d %s", status, got)
	}
	w.tune = func(s *tenant.Settings) { s.PasswordlessAuthentication = true }
	if status, got := w.start(t, startEmail); status != 401 || got != unauthorized {
		t.Errorf("%d %s", status, got)
	}
	if status, got := w.start(t, with(`,"client_secret":"`+secret+`"`)); status != 200 {
		t.Errorf("%d %s", status, got)
	}
	if status, got := w.start(t, strings.ReplaceAll(startEmail, webApp, spaApp)); status != 200 {
		t.Errorf("a public client has nothing to show: %d %s", status, got)
	}
}

// TestStartTellsNobodyApart is security.md 73: known, unknown, blocked, and unknown
// where nobody may sign up.
func TestStartTellsNobodyApart(t *testing.T) {
	w := passwordlessWorld(t)
	for i, row := range []struct {
		connection string
		known      bool
		blocked    bool
		sent       bool
	}{
		{"email", false, false, true},
		{"email", true, false, true},
		{"email", true, true, false},
		{"invited", false, false, false},
		{"invited", true, false, true},
		{"sms", false, false, true},
		{"sms", true, true, false},
	} {
		name, to := "email", fmt.Sprintf("p%d@x.example", i)
		if row.connection == "sms" {
			name, to = "phone_number", fmt.Sprintf("+479%d", i)
		}
		if row.known {
			u, err := w.d.Users.Create(t.Context(), user.CreateRequest{Connection: row.connection, Changes: []profile.Change{
				{Name: name, Value: profile.Text(to)}, {Name: profile.Blocked, Value: profile.Bool(row.blocked)},
			}}, user.Actor{ClientID: machine})
			must(t, err)
			if !regexp.MustCompile(`^[0-9a-f]{24}$`).MatchString(u.Primary().UserID) {
				t.Errorf("id %s", u.ID)
			}
		}
		before := w.mailbox.sent()
		body := fmt.Sprintf(`{"client_id":%q,"connection":%q,%q:%q,"send":"code"}`, webApp, row.connection, name, to)
		rec := w.send(t, "POST", "/passwordless/start", body)
		id := answer(t, rec)["_id"]
		if rec.Code != 200 || !regexp.MustCompile(`^[0-9a-f]{24}$`).MatchString(id.(string)) {
			t.Errorf("%+v: %d %s", row, rec.Code, rec.Body)
		}
		if again := answer(t, w.send(t, "POST", "/passwordless/start", body)); again["_id"] != id {
			t.Errorf("%+v: the id changes", row)
		}
		if sent := w.mailbox.sent() > before; sent != row.sent {
			t.Errorf("%+v: sent %v", row, sent)
		}
		if row.sent {
			continue
		}
		wrong := "Wrong email or verification code."
		if row.connection == "sms" {
			wrong = "Wrong phone number or verification code."
		}
		for _, want := range []string{wrong, wrong, wrong, "You've reached the maximum number of attempts. Please try to login again."} {
			if status, got := w.exchange(t, row.connection, to, "123456"); status != 403 || got["error_description"] != want {
				t.Errorf("%+v: %d %v", row, status, got)
			}
		}
	}
}

// TestGuessesAtACode is security.md 79 and 80.
func TestGuessesAtACode(t *testing.T) {
	w := passwordlessWorld(t)
	w.start(t, startEmail)
	old := w.mailbox.last(t).Code
	w.start(t, startEmail)
	code := w.mailbox.last(t).Code
	for code == old { // once in a million
		w.start(t, startEmail)
		code = w.mailbox.last(t).Code
	}
	if status, got := w.exchange(t, "email", "lea@x.example", old); status != 403 || got["error_description"] != "Wrong email or verification code." {
		t.Errorf("the code before: %d %v", status, got)
	}
	if status, _ := w.exchange(t, "email", "lea@x.example", "1"); status != 403 {
		t.Error(status)
	}
	// The third guess may be right.
	if status, got := w.exchange(t, "email", "lea@x.example", code); status != 200 {
		t.Errorf("%d %v", status, got)
	}
	w.start(t, startEmail)
	code = w.mailbox.last(t).Code
	for range 3 {
		w.exchange(t, "email", "lea@x.example", "wrong")
	}
	if status, got := w.exchange(t, "email", "lea@x.example", code); status != 403 || got["error_description"] != passwordless.ErrTries.Text {
		t.Errorf("the fourth guess: %d %v", status, got)
	}
	// A code is its client's, its connection's and its recipient's.
	w.start(t, startEmail)
	code = w.mailbox.last(t).Code
	if status, got := w.exchange(t, "invited", "lea@x.example", code); status != 403 {
		t.Errorf("%d %v", status, got)
	}
	if status, got := w.exchange(t, "email", "leb@x.example", code); status != 403 {
		t.Errorf("%d %v", status, got)
	}
	rec := w.post(t, form("grant_type", passwordlessOTP, "client_id", spaApp, "realm", "email", "username", "lea@x.example", "otp", code))
	if rec.Code != 403 {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	if status, got := w.exchange(t, "email", "lea@x.example", code); status != 200 {
		t.Errorf("%d %v", status, got)
	}
}

func TestStartCeilings(t *testing.T) {
	w := passwordlessWorld(t)
	limited := func(rec string) bool { return strings.Contains(rec, `"too_many_requests"`) }
	for i := range 11 {
		status, got := w.start(t, `{"client_id":"`+webApp+`","connection":"sms","phone_number":"+4790"}`)
		if want := i == 10; want != (status == 429) || want != limited(got) {
			t.Fatalf("%d to one number: %d %s", i+1, status, got)
		}
	}
	rec := w.send(t, "POST", "/passwordless/start", `{"client_id":"`+webApp+`","connection":"sms","phone_number":"+4790"}`)
	if rec.Header().Get("Retry-After") != "3600" || rec.Header().Get("X-RateLimit-Limit") != "10" {
		t.Errorf("%v", rec.Header())
	}
	w.at = w.at.Add(time.Hour)
	if status, got := w.start(t, `{"client_id":"`+webApp+`","connection":"sms","phone_number":"+4790"}`); status != 200 {
		t.Errorf("an hour later: %d %s", status, got)
	}
	for i := range 60 {
		status, got := w.start(t, fmt.Sprintf(`{"client_id":"%s","connection":"email","email":"p%d@x.example","send":"code"}`, webApp, i), "X-Forwarded-For", fmt.Sprint("10.0.0.", i))
		if want := i >= 49; want != (status == 429) || want != limited(got) {
			t.Fatalf("%d from one address: %d %s", i+1, status, got)
		}
	}
	// A client that proved itself and is trusted speaks for the address of its user.
	if status, got := w.start(t, strings.TrimSuffix(startEmail, "}")+`,"client_secret":"`+secret+`"}`, "Auth0-Forwarded-For", "203.0.113.9"); status != 200 {
		t.Errorf("%d %s", status, got)
	}
	if status, _ := w.start(t, startEmail, "Auth0-Forwarded-For", "203.0.113.10"); status != 429 {
		t.Errorf("a client that proved nothing: %d", status)
	}
}

func TestOTPGrantRefusals(t *testing.T) {
	w := passwordlessWorld(t)
	for _, row := range []struct {
		name, body string
		status     int
		code, text string
	}{
		{"no code", form("grant_type", passwordlessOTP, "client_id", webApp, "client_secret", secret, "username", "a@x.example", "realm", "email"), 400, "invalid_request", "Missing required parameter: otp"},
		{"no realm", form("grant_type", passwordlessOTP, "client_id", webApp, "client_secret", secret, "username", "a@x.example", "otp", "1"), 400, "invalid_request", "Missing required parameter: realm"},
		{"unknown realm", form("grant_type", passwordlessOTP, "client_id", webApp, "client_secret", secret, "username", "a@x.example", "otp", "1", "realm", "x"), 400, "invalid_request", "unknown or invalid realm"},
		{"database", form("grant_type", passwordlessOTP, "client_id", webApp, "client_secret", secret, "username", "a@x.example", "otp", "1", "realm", "Users"), 400, "invalid_request", "unknown or invalid realm"},
		{"not the client's", form("grant_type", passwordlessOTP, "client_id", spaApp, "username", "+1", "otp", "1", "realm", "sms"), 400, "invalid_request", "the connection was disabled"},
		{"no such grant", form("grant_type", passwordlessOTP, "client_id", lameApp, "client_secret", secret, "username", "a@x.example", "otp", "1", "realm", "email"), 403, "unauthorized_client", "Grant type '" + passwordlessOTP + "' not allowed for the client."},
		{"no address", form("grant_type", passwordlessOTP, "client_id", webApp, "client_secret", secret, "username", "lea", "otp", "1", "realm", "email"), 403, "invalid_grant", "Wrong email or verification code."},
	} {
		rec := w.post(t, row.body)
		if got := answer(t, rec); rec.Code != row.status || got["error"] != row.code || got["error_description"] != row.text {
			t.Errorf("%s: %d %v", row.name, rec.Code, got)
		}
	}
	// What may have changed since the code was sent is looked at again.
	w.start(t, startEmail)
	u, err := w.d.Users.Create(t.Context(), user.CreateRequest{Connection: "email", Changes: []profile.Change{
		{Name: "email", Value: profile.Text("lea@x.example")}, {Name: profile.Blocked, Value: profile.Bool(true)},
	}}, user.Actor{})
	must(t, err)
	status, got := w.exchange(t, "email", "lea@x.example", w.mailbox.last(t).Code)
	if status != 403 || got["error"] != "unauthorized" || got["error_description"] != "user is blocked" {
		t.Errorf("%d %v", status, got)
	}
	if u, err = w.store.User(t.Context(), u.ID); err != nil || u.Logins.Count != 0 || u.Profile.True("email_verified") {
		t.Errorf("%+v %v", u, err)
	}
}

// TestMagicLink: what the link says, and that it is no code for the other doors.
func TestMagicLink(t *testing.T) {
	w := passwordlessWorld(t)
	w.Browser = func(*http.Request) string { return "browser" }
	status, got := w.start(t, `{"client_id":"`+webApp+`","connection":"email","email":"lea@x.example","authParams":{"scope":"openid offline_access","state":"s","redirect_uri":"https://app.example.test/cb","x":1}}`)
	if status != 200 {
		t.Fatalf("%d %s", status, got)
	}
	l := w.mailbox.last(t)
	u, err := url.Parse(l.URL)
	must(t, err)
	q := u.Query()
	if !strings.HasPrefix(l.URL, publicURL+"/passwordless/verify_redirect?") || l.Code != "" || l.Vars["send"] != "link" || q.Get("scope") != "openid" ||
		q.Get("email") != "lea@x.example" || q.Get("client_id") != webApp || q.Get("connection") != "email" || q.Get("response_type") != "code" || q.Get("state") != "s" {
		t.Errorf("%+v", l)
	}
	a := passwordless.Attempt{Recipient: "lea@x.example", Code: q.Get("verification_code"), ClientID: webApp}
	a.Connection, err = w.store.ConnectionByName(t.Context(), "email")
	must(t, err)
	c, ok, err := w.codes.Pending(t.Context(), a)
	if err != nil || !ok || c.Browser != "browser" || c.Params["redirect_uri"] != "https://app.example.test/cb" || c.Params["scope"] != "openid" {
		t.Errorf("%+v %v %v", c, ok, err)
	}
	for _, other := range []passwordless.Attempt{
		{Connection: a.Connection, Recipient: a.Recipient, Code: a.Code, ClientID: spaApp},
		{Connection: a.Connection, Recipient: a.Recipient, Code: a.Code + "x", ClientID: webApp},
		{Connection: a.Connection, Recipient: "leb@x.example", Code: a.Code, ClientID: webApp},
	} {
		if _, ok, err := w.codes.Pending(t.Context(), other); ok || err != nil {
			t.Errorf("%+v: %v %v", other, ok, err)
		}
	}
	if status, got := w.exchange(t, "email", "lea@x.example", a.Code); status != 403 {
		t.Errorf("the link's code at the token endpoint: %d %v", status, got)
	}
}

func TestPasswordlessVerify(t *testing.T) {
	w := passwordlessWorld(t)
	verify := func(code string) (int, string) {
		rec := w.send(t, "POST", "/passwordless/verify", `{"connection":"email","email":"lea@x.example","verification_code":"`+code+`"}`, "Origin", "https://app.example.test")
		return rec.Code, strings.TrimSpace(rec.Body.String())
	}
	w.start(t, startEmail)
	code := w.mailbox.last(t).Code
	if status, got := verify("000"); status != 401 || got != `{"error":"invalid_user_password","error_description":"Wrong email or verification code."}` {
		t.Errorf("%d %s", status, got)
	}
	for range 5 { // a right one costs no guess, and stays
		if status, got := verify(code); status != 200 {
			t.Fatalf("%d %s", status, got)
		}
	}
	verify("000")
	verify("000")
	if status, got := verify(code); status != 429 || !strings.Contains(got, `"too_many_attempts"`) {
		t.Errorf("%d %s", status, got)
	}
	for body, want := range map[string]string{
		`{"email":"a@x.example","verification_code":"1"}`:                          "Missing required property: connection",
		`{"connection":"email","email":"a@x.example"}`:                             "Missing required parameter: verification_code",
		`{"connection":"Users","email":"a@x.example","verification_code":"1"}`:     errStartStrategy.Text,
		`{"connection":"elsewhere","email":"a@x.example","verification_code":"1"}`: errStartConnection.Text,
	} {
		if rec := w.send(t, "POST", "/passwordless/verify", body); rec.Code != 400 || answer(t, rec)["error_description"] != want {
			t.Errorf("%s: %d %s", body, rec.Code, rec.Body)
		}
	}
}

// TestOneUserOfManyFirstCodes: the race of two first sign-ins.
func TestOneUserOfManyFirstCodes(t *testing.T) {
	w := passwordlessWorld(t)
	c, err := w.store.ConnectionByName(t.Context(), "email")
	must(t, err)
	var wg sync.WaitGroup
	ids := make([]user.ID, 16)
	for i := range ids {
		wg.Go(func() {
			local := "aaaaaaaaaaaaaaaaaaaaaaaa"
			if i%2 == 1 {
				local = fmt.Sprintf("%024x", i)
			}
			u, err := w.d.Users.SignInPasswordless(t.Context(), c, "race@x.example", local, user.Actor{ClientID: webApp})
			if err != nil {
				t.Error(err)
				return
			}
			ids[i] = u.ID
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Errorf("users %v", ids)
			break
		}
	}
	u, err := w.store.User(t.Context(), ids[0])
	if err != nil || u.Logins.Count != int64(len(ids)) {
		t.Errorf("%+v %v", u, err)
	}
}

// FuzzReadStart: whatever is read names a client and a connection, and asks for
// nothing but what counts in an authorization request.
func FuzzReadStart(f *testing.F) {
	f.Add("app", "email", "link", `{"scope":"openid","x":1}`)
	f.Add("app", "email", "", `{"scope":["openid"]}`)
	f.Add("", "", "code", "{")
	f.Fuzz(func(t *testing.T, client, connection, send, params string) {
		b, err := readStart(map[string]string{"client_id": client, "connection": connection, "send": send, "authParams": params})
		if err != nil {
			if f := errs.From(err); f.Kind != errs.Invalid || !strings.HasPrefix(f.Code, "bad.") {
				t.Errorf("%v", err)
			}
			return
		}
		if b.clientID == "" || b.connection == "" {
			t.Errorf("%+v", b)
		}
		for name := range b.params {
			if !slices.Contains(linkParams, name) {
				t.Errorf("%q passed", name)
			}
		}
	})
}
