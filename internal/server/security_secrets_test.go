package server_test

import (
	"bytes"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mangrove/internal/store/storetest"
)

// story does everything once that hands a secret out. It returns what was typed.
func (s *stage) story() (typed map[string]string) {
	t := s.t
	const address, name, phone = "canary-address@example.test", "Canary Name", "+493012345678"
	id, secret := s.app.oauth.ClientID, s.app.oauth.ClientSecret
	typed = map[string]string{
		"password": goodPassword, "address": address, "name": name, "phone": phone, "new password": "canary new password of mine",
		"wrong password": "canary wrong password", "metadata": "canary-metadata", "management secret": managementSecret, "state": "canary-state-of-the-application",
	}
	s.must("PUT", "/api/v2/guardian/factors/otp", `{"enabled":true}`)
	s.must("PUT", "/api/v2/guardian/factors/recovery-code", `{"enabled":true}`)
	s.must("POST", "/api/v2/resource-servers", `{"identifier":"https://api.example.test","name":"An API","allow_offline_access":true,"scopes":[{"value":"read:it"}]}`)
	if status, body, _ := s.send("POST", "/dbconnections/signup", `{"client_id":"`+id+`","connection":"`+database+`","email":"`+address+`","password":"`+goodPassword+`","name":"`+name+`","user_metadata":{"k":"canary-metadata"}}`); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	ticket := s.mailed(`/u/email-verification\?ticket=[A-Za-z0-9_-]+`)
	s.keepTicket(ticket)
	b := s.newBrowser()
	b.follow(s.url + ticket)
	b.submit(s.url+ticket, url.Values{})

	// The token endpoint.
	s.grant("grant_type", realmGrant, "realm", database, "username", address, "password", typed["wrong password"])
	body := s.granted("grant_type", realmGrant, "realm", database, "username", address, "password", goodPassword, "scope", "openid offline_access read:it", "audience", "https://api.example.test")
	refreshed := s.granted("grant_type", "refresh_token", "refresh_token", s.field(body, "refresh_token"))
	s.send("GET", "/userinfo", "", "Authorization", "Bearer "+s.field(refreshed, "access_token"))
	opaque := s.granted("grant_type", realmGrant, "realm", database, "username", address, "password", goodPassword, "scope", "openid")
	s.send("GET", "/userinfo", "", "Authorization", "Bearer "+s.field(opaque, "access_token"))

	// Pages, a code, and a second factor.
	seed := ""
	p := s.newPerson(address, &seed)
	query, at := p.walk(s.authorize("state", typed["state"]))
	if query.Get("code") == "" {
		t.Fatalf("no code: %v at %s", query, at)
	}
	s.granted("grant_type", "authorization_code", "code", query.Get("code"), "redirect_uri", s.app.oauth.RedirectURL)
	if query, at = p.walk(s.authorize("acr_values", multiFactor)); query.Get("code") == "" || seed == "" {
		t.Fatalf("no second factor: %v at %s", query, at)
	}
	s.watch.seen[secret] = "client_secret"

	// A grant that a second factor interrupts.
	_, body = s.grant("grant_type", realmGrant, "realm", database, "username", address, "password", goodPassword, "scope", "openid")
	mfa := s.field(body, "mfa_token")
	s.post("/mfa/challenge", "client_id", id, "client_secret", secret, "mfa_token", mfa, "challenge_type", "otp")
	s.grant("grant_type", otpGrant, "mfa_token", mfa, "otp", "000000")
	s.granted("grant_type", otpGrant, "mfa_token", mfa, "otp", s.otp(seed))
	_, body = s.grant("grant_type", realmGrant, "realm", database, "username", address, "password", goodPassword, "scope", "openid")
	s.grant("grant_type", rescueGrant, "mfa_token", s.field(body, "mfa_token"), "recovery_code", "CANARYRECOVERYCODEWRONG1")
	typed["recovery code"] = "CANARYRECOVERYCODEWRONG1"

	// A device.
	_, body = s.post("/oauth/device/code", "client_id", s.native, "scope", "openid offline_access")
	device := s.field(body, "device_code")
	p.form = s.newPerson(address, &seed).form
	if _, at := p.walk(s.url + "/activate?user_code=" + url.QueryEscape(s.field(body, "user_code"))); at == nil || at.Path != "/device/success" {
		t.Fatalf("the device ended at %v", at)
	}
	if status, body := s.post("/oauth/token", "grant_type", pollGrant, "client_id", s.native, "device_code", device); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	s.post("/oauth/device/code", "client_id", s.native, "scope", "openid") // one that waits

	// A pushed request, a page of the application's own, the classic form.
	if status, body := s.post("/oauth/par", "client_id", id, "client_secret", secret, "response_type", "code", "redirect_uri", s.app.oauth.RedirectURL, "state", typed["state"], "login_hint", address); status != 201 {
		t.Fatalf("%d %s", status, body)
	}
	own := s.newBrowser()
	status, body, _ := send(t, own.client, "POST", s.url+"/co/authenticate",
		`{"client_id":"`+id+`","username":"`+address+`","password":"`+goodPassword+`","realm":"`+database+`","credential_type":"`+realmGrant+`"}`, "Origin", "http://app.example")
	if status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	if status, body, _ := send(t, own.client, "POST", s.url+"/usernamepassword/login",
		`{"client_id":"`+id+`","username":"`+address+`","password":"`+goodPassword+`","connection":"`+database+`"}`, "Origin", s.url); status != 200 {
		t.Fatalf("%d %s", status, body)
	}

	// Codes and links.
	for _, send := range []string{"code", "link"} {
		if status, body := s.post("/passwordless/start", "client_id", id, "client_secret", secret, "connection", "email", "email", address, "send", send,
			"authParams", `{"redirect_uri":"`+s.app.oauth.RedirectURL+`","response_type":"code","state":"`+typed["state"]+`"}`); status != 200 {
			t.Fatalf("%d %s", status, body)
		}
		if send == "link" {
			link := s.mailed(`/passwordless/verify_redirect\?[^\s"<>]+`)
			v, err := url.Parse(link)
			if err != nil {
				t.Fatal(err)
			}
			s.watch.seen[v.Query().Get("verification_code")] = "magic link"
			s.newBrowser().follow(s.url + link)
		} else {
			s.grant("grant_type", codeGrant, "realm", "email", "username", address, "otp", s.mailed(`\b[0-9]{6}\b`))
		}
	}
	if status, body := s.post("/passwordless/start", "client_id", id, "client_secret", secret, "connection", "sms", "phone_number", phone, "send", "code"); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	s.granted("grant_type", codeGrant, "realm", "sms", "username", phone, "otp", s.texted(`\b[0-9]{6}\b`), "scope", "openid offline_access", "audience", "https://api.example.test")

	// Tickets.
	s.post("/dbconnections/change_password", "client_id", id, "connection", database, "email", address)
	reset := s.mailed(`/u/reset-password\?ticket=[A-Za-z0-9_-]+`)
	s.keepTicket(reset)
	b.follow(s.url + reset)
	b.submit(s.url+reset, pairsOf("password", typed["new password"], "again", typed["new password"]))
	s.post("/dbconnections/change_password", "client_id", id, "connection", database, "email", address)
	s.keepTicket(s.mailed(`/u/reset-password\?ticket=[A-Za-z0-9_-]+`)) // one that waits
	return typed
}

var ticketSecret = regexp.MustCompile(`ticket=([A-Za-z0-9_-]+)`)

func (s *stage) keepTicket(link string) {
	s.watch.seen[ticketSecret.FindStringSubmatch(link)[1]] = "ticket of a mail"
}

// security.md 128, and rule (c) on the way: nothing that was handed out can be
// read in a stolen copy of the database.
func TestStolenDatabaseIsOfNoUse(t *testing.T) {
	s := newStage(t, storetest.SQLite)
	typed := s.story()
	s.stop()
	var files []byte
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(s.file + suffix)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		files = append(files, data...)
	}
	if !bytes.Contains(files, []byte(typed["address"])) {
		t.Fatal("the scan does not even find what is not secret")
	}
	kinds := map[string]bool{}
	for secret, kind := range s.watch.seen {
		kinds[kind] = true
		raw, _ := base64.RawURLEncoding.DecodeString(secret)
		for _, form := range []string{
			secret, strings.ReplaceAll(secret, "-", ""), base64.StdEncoding.EncodeToString([]byte(secret)), hex.EncodeToString([]byte(secret)),
			string(raw), hex.EncodeToString(raw), base64.StdEncoding.EncodeToString(raw), strings.TrimPrefix(secret, "urn:ietf:params:oauth:request_uri:"),
		} {
			if len(form) >= 8 && bytes.Contains(files, []byte(form)) {
				t.Errorf("%s can be read in the file", kind)
				break
			}
		}
	}
	for _, name := range []string{"password", "new password", "wrong password", "management secret"} {
		if bytes.Contains(files, []byte(typed[name])) {
			t.Errorf("the %s can be read in the file", name)
		}
	}
	for _, kind := range []string{
		"access_token", "refresh_token", "id_token", "mfa_token", "device_code", "user_code", "login_ticket", "co_verifier", "client_secret", "request_uri",
		"cookie auth0", "cookie __Host-mangrove_login", "cookie __Host-mangrove_co", "code in an address", "state in an address", "magic link",
		"ticket of a mail", "shown at /u/mfa-otp-enrollment", "shown at /u/mfa-recovery-code-enrollment",
	} {
		if !kinds[kind] {
			t.Errorf("no %s was handed out: the test looks at nothing", kind)
		}
	}
}

var mgmtRoute = regexp.MustCompile(`\{"(GET|POST|PATCH|PUT|DELETE)", "(/[^"]*)", `)

// everywhere sends the canaries to every route there is, wherever a request can
// carry one.
func (s *stage) everywhere(typed map[string]string, bearer string) (requests int) {
	t := s.t
	t.Helper()
	long := strings.Repeat("a", 43)
	values := url.Values{}
	for _, name := range []string{
		"password", "client_secret", "code", "refresh_token", "token", "mfa_token", "otp", "oob_code", "binding_code", "recovery_code", "device_code", "user_code", "ticket", "state",
		"login_ticket", "assertion", "client_assertion", "id_token_hint", "verification_code", "access_token", "logout_token", "wresult", "request", "request_uri", "passkey", "hash", "q", "from", "include_fields", "search", "id",
	} {
		values.Set(name, "canary-secret-"+name)
		typed["as "+name] = "canary-secret-" + name
	}
	for name, value := range map[string]string{
		"email": typed["address"], "username": typed["address"], "phone_number": typed["phone"], "name": typed["name"], "login_hint": typed["address"],
		"client_id": s.app.oauth.ClientID, "connection": database, "realm": database, "grant_type": realmGrant, "redirect_uri": s.app.oauth.RedirectURL, "response_type": "code",
	} {
		values.Set(name, value)
	}
	object := map[string]any{}
	for name := range values {
		object[name] = values.Get(name)
	}
	object["user_metadata"] = map[string]string{"k": typed["metadata"]}
	object["email"] = []string{typed["address"]} // of a wrong type: is its value repeated?
	raw, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	typed["cookie"] = "canarycookie" + long[:31]
	typed["bearer"] = "canary.bearer.token"
	typed["basic"] = "canary-basic-secret"
	header := []string{
		"Cookie", "auth0=" + typed["cookie"] + "; __Host-mangrove_login=" + typed["cookie"] + "; __Host-mangrove_mf=" + typed["cookie"],
		"Referer", s.url + "/?ticket=" + values.Get("ticket"),
	}
	basic := base64.StdEncoding.EncodeToString([]byte(s.app.oauth.ClientID + ":" + typed["basic"]))
	send := func(method, path string) {
		for _, authorization := range []string{"Bearer " + typed["bearer"], "Basic " + basic, bearer} {
			for _, body := range []string{values.Encode(), string(raw)} {
				requests++
				s.send(method, path+"?"+values.Encode(), body, append([]string{"Authorization", authorization}, header...)...)
			}
		}
	}
	s.each(send)
	files, err := filepath.Glob("../mgmt/*.go")
	if err != nil {
		t.Fatal(err)
	}
	routes := 0
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range mgmtRoute.FindAllSubmatch(source, -1) {
			routes++
			send(string(m[1]), "/api/v2"+regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(string(m[2]), url.PathEscape(typed["address"])))
		}
	}
	if routes < 150 {
		t.Errorf("only %d routes of the Management API were found", routes)
	}
	return requests
}

// security.md 124, 125: at debug level, with everything that people type and
// everything that is handed out, through every endpoint, with and without a broken
// database, nothing of it is in the log.
func TestLogsHoldNoSecrets(t *testing.T) {
	onStages(t, func(t *testing.T, s *stage) {
		typed := s.story()
		status, body := s.post("/oauth/token", "grant_type", "client_credentials", "client_id", managementID, "client_secret", managementSecret, "audience", s.url+"/api/v2/")
		if status != 200 {
			t.Fatalf("%d %s", status, body)
		}
		bearer := "Bearer " + s.field(body, "access_token")
		whole := s.everywhere(typed, bearer)
		s.watch.broken = true
		s.breakDatabase()
		if broken := s.everywhere(typed, bearer); broken != whole {
			t.Errorf("%d requests, and %d with a broken database", whole, broken)
		}
		s.client.CloseIdleConnections()
		s.stop()
		logs := s.logs.String()
		if n := strings.Count(logs, "\n"); n < 2*whole {
			t.Fatalf("only %d lines for %d requests: the test looks at nothing", n, 2*whole)
		}
		if n := strings.Count(logs, `"status":500`); n < 50 {
			t.Errorf("only %d failures were forced", n)
		}
		for line := range strings.Lines(logs) {
			if !json.Valid([]byte(line)) {
				t.Errorf("an event is more than a line: %.200s", line)
			}
		}
		told := map[string]bool{}
		look := func(what, value string) {
			for _, form := range []string{value, url.QueryEscape(value), url.PathEscape(value), base64.StdEncoding.EncodeToString([]byte(value))} {
				if i := strings.Index(logs, form); i >= 0 && !told[what] {
					told[what] = true
					t.Errorf("the %s is in the log: …%s…", what, logs[max(0, i-300):min(len(logs), i+100)])
				}
			}
		}
		for what, value := range typed {
			look(what, value)
		}
		for value, what := range s.watch.seen {
			look(what, value)
		}
	})
}

// breakDatabase takes tables away under the server.
func (s *stage) breakDatabase() {
	s.t.Helper()
	driver := "sqlite"
	if strings.HasPrefix(s.file, "postgres") {
		driver = "pgx"
	}
	db, err := sql.Open(driver, s.file)
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close()
	for _, table := range []string{
		"users", "user_identifiers", "login_transactions", "tickets", "refresh_tokens", "device_codes", "mfa_tokens", "passwordless_codes", "pushed_requests",
		"login_failures", "consents", "jobs", "roles", "client_grants", "factors", "throttles",
	} {
		if _, err := db.ExecContext(s.t.Context(), "ALTER TABLE "+table+" RENAME TO "+table+"_gone"); err != nil {
			s.t.Fatal(err)
		}
	}
}
