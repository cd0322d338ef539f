package server_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"os"
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
	s.watch.seen[seed] = "seed"

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
	_, body = s.post("/oauth/device/code", "client_id", s.native, "scope", "openid") // one that waits

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
		"cookie auth0", "cookie __Host-mangrove_login", "cookie __Host-mangrove_co", "code in an address", "state in an address", "seed", "magic link",
		"ticket of a mail", "shown at /u/mfa-otp-enrollment", "shown at /u/mfa-recovery-code-enrollment",
	} {
		if !kinds[kind] {
			t.Errorf("no %s was handed out: the test looks at nothing", kind)
		}
	}
}
