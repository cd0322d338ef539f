package server_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"mangrove/internal/store/storetest"
)

// door takes a password. It says what came of it: in, wrong, locked, or the
// answer itself.
type door struct {
	name string
	try  func(t *testing.T, identifier, password string, header ...string) string
}

func outcome(status int, body string, in bool) string {
	switch {
	case in:
		return "in"
	case status == 429:
		return "locked"
	case strings.Contains(body, "rong "):
		return "wrong"
	}
	return fmt.Sprintf("%d %.300s", status, body)
}

// doors are all ways to try a password.
func (s *stage) doors() []door {
	id, secret := s.app.oauth.ClientID, s.app.oauth.ClientSecret
	token := func(pairs ...string) func(*testing.T, string, string, ...string) string {
		return func(t *testing.T, identifier, password string, header ...string) string {
			t.Helper()
			v := pairsOf(append([]string{"client_id", id, "client_secret", secret, "username", identifier, "password", password}, pairs...)...)
			status, body, _ := send(t, s.client, "POST", s.url+"/oauth/token", v.Encode(), header...)
			return outcome(status, body, status == 200)
		}
	}
	json := func(path, format string) func(*testing.T, string, string, ...string) string {
		return func(t *testing.T, identifier, password string, header ...string) string {
			t.Helper()
			body := fmt.Sprintf(format, id, identifier, password)
			status, text, _ := send(t, s.client, "POST", s.url+path, body, append([]string{"Origin", "http://app.example"}, header...)...)
			return outcome(status, text, status == 200)
		}
	}
	page := func(path string) func(*testing.T, string, string, ...string) string {
		return func(t *testing.T, identifier, password string, header ...string) string {
			t.Helper()
			b := s.newBrowser()
			_, _, at := b.follow(s.authorize())
			to := s.url + path + "?" + at.RawQuery
			if path == "/u/login/password" {
				_, _, at = b.submit(at.String(), pairsOf("username", identifier))
				to = at.String()
			}
			status, body, h := send(t, b.client, "POST", to, pairsOf("username", identifier, "password", password).Encode(), append([]string{"Origin", s.url}, header...)...)
			return outcome(status, body, strings.Contains(h.Get("Location"), "code="))
		}
	}
	return []door{
		{"realm grant", token("grant_type", realmGrant, "realm", database)},
		{"password grant", token("grant_type", "password")},
		{"cross-origin", json("/co/authenticate", `{"client_id":%q,"username":%q,"password":%q,"realm":"`+database+`","credential_type":"`+realmGrant+`"}`)},
		{"classic form", json("/usernamepassword/login", `{"client_id":%q,"username":%q,"password":%q,"connection":"`+database+`"}`)},
		{"password page", page("/u/login/password")},
		{"sign-in page", page("/u/login")},
	}
}

// security.md 76, 77, 78: all doors have one counter, whatever the spelling of the
// name and whatever address the caller makes up; nobody's name counts like a known one
// (75), and what a door says does not tell which it is (72).
func TestDoorsHaveOneCounter(t *testing.T) {
	onStages(t, func(t *testing.T, s *stage) {
		id := s.newUser("ada@example.test")
		doors := s.doors()
		for _, d := range doors {
			if got := d.try(t, "ada@example.test", goodPassword); got != "in" {
				t.Fatalf("%s does not open: %s", d.name, got)
			}
		}
		for _, who := range []string{"ada", "nobody"} {
			spellings := []string{who + "@example.test", strings.ToUpper(who) + "@Example.Test", " " + who + "@example.test "}
			for i := range 10 {
				d := doors[i%len(doors)]
				made := fmt.Sprintf("203.0.113.%d", i+1)
				got := d.try(t, spellings[i%len(spellings)], "wrong password of mine", "X-Forwarded-For", made, "X-Real-IP", made, "Forwarded", "for="+made, "Auth0-Forwarded-For", made, "True-Client-IP", made)
				if got != "wrong" {
					t.Fatalf("%s, try %d: %s", d.name, i+1, got)
				}
			}
			for _, d := range doors {
				for _, password := range []string{goodPassword, "wrong password of mine"} {
					if got := d.try(t, who+"@example.test", password); got != "locked" {
						t.Errorf("%s at %s after ten: %s", who, d.name, got)
					}
				}
			}
		}
		s.must("DELETE", "/api/v2/user-blocks/"+url.PathEscape(id), "")
		for _, d := range doors {
			if got := d.try(t, "ada@example.test", goodPassword); got != "in" {
				t.Errorf("%s after the release: %s", d.name, got)
			}
		}
	})
}

func onStages(t *testing.T, test func(t *testing.T, s *stage)) {
	t.Helper()
	for _, engine := range storetest.Engines(t) {
		t.Run(engine, func(t *testing.T) { test(t, newStage(t, engine)) })
	}
}

// security.md 72 at all doors, and with people who cannot sign in anyway: the
// answers are the same to the byte, but for what the server draws anew each time.
func TestDoorsDoNotTell(t *testing.T) {
	s := newStage(t, storetest.SQLite)
	s.must("PATCH", "/api/v2/attack-protection/brute-force-protection", `{"enabled":false}`)
	s.must("PATCH", "/api/v2/attack-protection/suspicious-ip-throttling", `{"enabled":false}`)
	s.newUser("ada@example.test")
	blocked := s.newUser("eve@example.test")
	s.must("PATCH", "/api/v2/users/"+url.PathEscape(blocked), `{"blocked":true}`)
	people := []string{"ada@example.test", "eve@example.test", "bob@example.test"}
	for _, d := range s.doors() {
		for _, who := range people {
			if got := d.try(t, who, "wrong password of mine"); got != "wrong" {
				t.Errorf("%s at %s: %s", who, d.name, got)
			}
		}
	}
	id := s.app.oauth.ClientID
	for _, row := range []struct{ name, path, body string }{
		{"realm grant", "/oauth/token", pairsOf("grant_type", realmGrant, "realm", database, "client_id", id, "client_secret", s.app.oauth.ClientSecret, "username", "WHO", "password", "wrong password").Encode()},
		{"cross-origin", "/co/authenticate", `{"client_id":"` + id + `","username":"WHO","password":"wrong","realm":"` + database + `","credential_type":"` + realmGrant + `"}`},
		{"classic form", "/usernamepassword/login", `{"client_id":"` + id + `","username":"WHO","password":"wrong","connection":"` + database + `"}`},
		{"reset", "/dbconnections/change_password", `{"client_id":"` + id + `","connection":"` + database + `","email":"WHO"}`},
		{"code grant", "/oauth/token", pairsOf("grant_type", codeGrant, "realm", "email", "client_id", id, "client_secret", s.app.oauth.ClientSecret, "username", "WHO", "otp", "000000").Encode()},
		{"sign-up with a weak password", "/dbconnections/signup", `{"client_id":"` + id + `","connection":"` + database + `","email":"WHO","password":"short"}`},
	} {
		var first string
		for _, who := range people {
			body := strings.ReplaceAll(row.body, "WHO", who)
			if !strings.HasPrefix(body, "{") {
				body = strings.ReplaceAll(row.body, "WHO", url.QueryEscape(who))
			}
			status, text, h := s.send("POST", row.path, body, "Origin", "http://app.example")
			h.Del("Date")
			h.Del("X-Request-Id")
			got := strings.ReplaceAll(fmt.Sprint(status, text, h), who, "WHO")
			if first == "" {
				first = got
			}
			if got != first {
				t.Errorf("%s tells who is there:\n%s\n%s", row.name, first, got)
			}
		}
	}
}

// security.md 80: of many guesses at once no more are looked at than one after the
// other would be, whatever is guessed.
func TestGuessesAtOnceGainNothing(t *testing.T) {
	onStages(t, func(t *testing.T, s *stage) {
		s.must("PUT", "/api/v2/guardian/factors/otp", `{"enabled":true}`)
		s.must("PUT", "/api/v2/guardian/factors/recovery-code", `{"enabled":true}`)
		id, secret := s.app.oauth.ClientID, s.app.oauth.ClientSecret
		const many = 60
		s.newUser("ada@example.test")
		// atOnce counts the answers by their body's error text.
		atOnce := func(guess func(i int) (int, string)) map[string]int {
			var mu sync.Mutex
			var group sync.WaitGroup
			got := map[string]int{}
			start := make(chan struct{})
			for i := range many {
				group.Go(func() {
					<-start
					status, body := guess(i)
					mu.Lock()
					defer mu.Unlock()
					got[fmt.Sprint(status, " ", body)]++
				})
			}
			close(start)
			group.Wait()
			return got
		}
		sum := func(got map[string]int, part string) (n int) {
			for text, k := range got {
				if strings.Contains(text, part) {
					n += k
				}
			}
			return n
		}
		token := func(pairs ...string) (int, string) {
			v := pairsOf(append([]string{"client_id", id, "client_secret", secret}, pairs...)...)
			status, body, _ := send(t, s.client, "POST", s.url+"/oauth/token", v.Encode())
			return status, body
		}

		got := atOnce(func(int) (int, string) {
			return token("grant_type", realmGrant, "realm", database, "username", "ada@example.test", "password", "wrong password")
		})
		if n := sum(got, "Wrong email"); n != 10 || sum(got, "429 ") != many-10 {
			t.Errorf("passwords: %v", got)
		}
		if status, body := token("grant_type", realmGrant, "realm", database, "username", "ada@example.test", "password", goodPassword); status != 429 {
			t.Errorf("the right one afterwards: %d %s", status, body)
		}

		// One-time codes: three tries, the right one is dead afterwards.
		s.post("/passwordless/start", "client_id", id, "client_secret", secret, "connection", "email", "email", "new@example.test", "send", "code")
		code := s.mailed(`\b[0-9]{6}\b`)
		wrong := "111111"
		if code == wrong {
			wrong = "222222"
		}
		got = atOnce(func(int) (int, string) {
			return token("grant_type", codeGrant, "realm", "email", "username", "new@example.test", "otp", wrong)
		})
		if status, body := token("grant_type", codeGrant, "realm", "email", "username", "new@example.test", "otp", code); status == 200 {
			t.Errorf("the code outlived %v: %s", got, body)
		}
		// The twin: of many right ones at once one gets in.
		s.post("/passwordless/start", "client_id", id, "client_secret", secret, "connection", "email", "email", "twin@example.test", "send", "code")
		code = s.mailed(`\b[0-9]{6}\b`)
		got = atOnce(func(int) (int, string) {
			status, _ := token("grant_type", codeGrant, "realm", "email", "username", "twin@example.test", "otp", code)
			return status, ""
		})
		if got["200 "] != 1 {
			t.Errorf("right codes at once: %v", got)
		}

		// Second factors: TOTP and recovery codes, with as many tokens as one likes.
		seed := ""
		s.newUser("mia@example.test")
		if query, at := s.newPerson("mia@example.test", &seed).walk(s.authorize("acr_values", multiFactor)); query.Get("code") == "" {
			t.Fatalf("ended at %s %v", at, query)
		}
		interrupted := func() string {
			_, body := token("grant_type", realmGrant, "realm", database, "username", "mia@example.test", "password", goodPassword)
			return s.field(body, "mfa_token")
		}
		one, two := interrupted(), interrupted()
		right := s.otp(seed)
		got = atOnce(func(i int) (int, string) {
			t := one
			if i%2 == 0 {
				t = two
			}
			return token("grant_type", otpGrant, "mfa_token", t, "otp", fmt.Sprintf("%06d", (i*7919)%1000000))
		})
		if n := sum(got, "Invalid otp_code"); n == 0 || n > 10 {
			t.Errorf("%d guesses at TOTP were looked at: %v", n, got)
		}
		if status, body := token("grant_type", otpGrant, "mfa_token", one, "otp", right); status != 429 {
			t.Errorf("the right one afterwards: %d %s", status, body)
		}
		got = atOnce(func(i int) (int, string) {
			return token("grant_type", rescueGrant, "mfa_token", two, "recovery_code", fmt.Sprintf("AAAAAAAAAAAAAAAAAAAAAA%02d", i))
		})
		if n := many - sum(got, "429 "); n > 0 {
			t.Errorf("%d guesses at recovery codes gained from another kind: %v", n, got)
		}
		s.pass(12 * time.Hour)
		fresh := interrupted()
		now := s.otp(seed)
		got = atOnce(func(int) (int, string) {
			status, _ := token("grant_type", otpGrant, "mfa_token", fresh, "otp", now)
			return status, ""
		})
		if got["200 "] != 1 {
			t.Errorf("right TOTP codes at once: %v", got)
		}

		// Codes of devices.
		got = atOnce(func(i int) (int, string) {
			status, _, _ := send(t, s.client, "POST", s.url+"/activate", pairsOf("user_code", fmt.Sprintf("BCDF-%04d", i)).Encode(), "Origin", s.url)
			return status, ""
		})
		if got["400 "] == 0 || got["400 "] > 50 || got["400 "]+got["429 "] != many {
			t.Errorf("user codes: %v", got)
		}

		// An authorization code, a refresh token, a ticket, a state: one use each.
		seed2 := ""
		s.newUser("leo@example.test")
		query, _ := s.newPerson("leo@example.test", &seed2).walk(s.authorize())
		got = atOnce(func(int) (int, string) {
			status, _ := token("grant_type", "authorization_code", "code", query.Get("code"), "redirect_uri", s.app.oauth.RedirectURL)
			return status, ""
		})
		if got["200 "] != 1 {
			t.Errorf("codes at once (53): %v", got)
		}
		s.post("/dbconnections/change_password", "client_id", id, "connection", database, "email", "leo@example.test")
		reset := s.mailed(`/u/reset-password\?ticket=[A-Za-z0-9_-]+`)
		got = atOnce(func(i int) (int, string) {
			password := fmt.Sprintf("a password of nobody else %d", i)
			status, _, _ := send(t, s.client, "POST", s.url+reset, pairsOf("password", password, "again", password).Encode(), "Origin", s.url)
			return status, ""
		})
		if got[fmt.Sprint(http.StatusOK, " ")] != 1 {
			t.Errorf("tickets at once (82): %v", got)
		}
	})
}
