package op

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/letter"
	"mangrove/internal/store/storetest"
	"mangrove/internal/tenant"
	"mangrove/internal/ticket"
	"mangrove/internal/user"
)

// outbox keeps the letters that carry tickets.
type outbox struct {
	ticket.Store
	mu      sync.Mutex
	letters []letter.Letter
	events  []audit.Event
}

func (o *outbox) SendTicket(ctx context.Context, t *ticket.Ticket, letters []letter.Letter, events ...audit.Event) error {
	o.mu.Lock()
	o.letters, o.events = append(o.letters, letters...), append(o.events, events...)
	o.mu.Unlock()
	return o.Store.SendTicket(ctx, t, letters, events...)
}

// secretOf is the ticket in a letter's link.
func secretOf(t testing.TB, l letter.Letter, path string) string {
	t.Helper()
	u, err := url.Parse(l.URL)
	if err != nil || !strings.HasPrefix(l.URL, publicURL+path+"?ticket=") {
		t.Fatalf("link %q, %v", l.URL, err)
	}
	return u.Query().Get("ticket")
}

func onEngines(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	for _, engine := range storetest.Engines(t) {
		t.Run(engine, func(t *testing.T) { test(t, newWorldOn(t, engine)) })
	}
}

const sentence = "We've just sent you an email to reset your password."

// Every answer is the same sentence, whoever is known (security.md 73).
func TestChangePassword(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		ask := func(members string) string {
			return `{"client_id":"` + webApp + `","connection":"Users",` + members + `}`
		}
		for _, row := range []struct {
			name, body string
			status     int
			want       string
			sent       bool
			record     string
		}{
			{"known", ask(`"email":"ann@example.com"`), 200, sentence, true, audit.ResetRequested},
			{"known, another spelling", ask(`"email":" ANN@Example.com "`), 200, sentence, true, audit.ResetRequested},
			{"form", form("client_id", webApp, "connection", "Users", "email", "ann@example.com"), 200, sentence, true, audit.ResetRequested},
			{"unknown", ask(`"email":"nobody@example.com"`), 200, sentence, false, audit.ResetNotRequested},
			{"a password is without effect", ask(`"email":"ann@example.com","password":"Mallory was here 1"`), 200, sentence, true, audit.ResetRequested},
			{"username at a connection without", ask(`"username":"ann"`), 200, sentence, false, audit.ResetNotRequested},
			{"nobody named", ask(`"x":"y"`), 400, `{"error":"email is required"}`, false, ""},
			{"no client", `{"connection":"Users","email":"ann@example.com"}`, 400, "Missing required parameter: client_id", false, ""},
			{"unknown client", strings.Replace(ask(`"email":"ann@example.com"`), webApp, "x", 1), 400, "Unknown client.", false, ""},
			{"no connection", `{"client_id":"` + webApp + `","email":"ann@example.com"}`, 400, "Missing required parameter: connection", false, ""},
			{"unknown connection", strings.Replace(ask(`"email":"ann@example.com"`), "Users", "x", 1), 400, `{"error":"invalid_request","error_description":"the connection was not found"}`, false, ""},
			{"connection of others", strings.Replace(ask(`"email":"ann@example.com"`), "Users", "Elsewhere", 1), 400, "the connection was disabled", false, ""},
			{"social", strings.Replace(ask(`"email":"ann@example.com"`), "Users", "google", 1), 400, "the connection was not found", false, ""},
			{"no object", `{"a"`, 400, `"statusCode":400`, false, ""},
		} {
			t.Run(row.name, func(t *testing.T) {
				w.outbox.letters, w.outbox.events = nil, nil
				rec := w.send(t, "POST", "/dbconnections/change_password", row.body)
				if rec.Code != row.status || !strings.Contains(rec.Body.String(), row.want) {
					t.Errorf("%d %s", rec.Code, rec.Body)
				}
				if kind := rec.Header().Get("Content-Type"); row.status == 200 && (kind != "text/html; charset=utf-8" || rec.Body.String() != row.want) {
					t.Errorf("%s: %q", kind, rec.Body)
				}
				if (len(w.outbox.letters) == 1) != row.sent {
					t.Errorf("letters: %v", w.outbox.letters)
				}
				if row.record != "" && (len(w.outbox.events) != 1 || w.outbox.events[0].Type != row.record) {
					t.Errorf("records: %+v", w.outbox.events)
				}
			})
		}
		ann, err := w.store.User(t.Context(), w.ann.ID)
		must(t, err)
		if ann.Password != w.ann.Password {
			t.Error("asking changed the password")
		}
	})
}

// A mailed reset: the letter's link sets the password once, ends the guesses that
// were counted, and proves the address; older links are over (security.md 82, 85).
func TestMailedReset(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		ask := `{"client_id":"` + webApp + `","connection":"Users","email":"ann@example.com"}`
		for range 2 {
			w.send(t, "POST", "/dbconnections/change_password", ask)
		}
		for range 10 {
			w.post(t, signInBody("ann@example.com", "wrong"))
		}
		if rec := w.post(t, signInBody("ann@example.com", secretPW)); rec.Code != 429 {
			t.Fatalf("not blocked: %d %s", rec.Code, rec.Body)
		}
		first, second := w.outbox.letters[0], w.outbox.letters[1]
		if second.Template != letter.ResetEmail || second.To != "ann@example.com" || second.ClientID != webApp || second.Lifetime != 3600 {
			t.Fatalf("letter: %+v", second)
		}
		by := user.Actor{IP: "192.0.2.9"}
		if res, err := w.tickets.Reset(t.Context(), secretOf(t, first, "/u/reset-password"), "Another horse 2", by); err != nil || res.Err == nil {
			t.Errorf("the older link: %+v, %v", res, err)
		}
		secret := secretOf(t, second, "/u/reset-password")
		if res, err := w.tickets.Reset(t.Context(), secret, "Another horse 2", by); err != nil || res.Err != nil {
			t.Fatalf("reset: %+v, %v", res, err)
		}
		if res, err := w.tickets.Reset(t.Context(), secret, "A third horse 3", by); err != nil || res.Err == nil {
			t.Errorf("the same link: %+v, %v", res, err)
		}
		if rec := w.post(t, signInBody("ann@example.com", secretPW)); rec.Code != 403 {
			t.Errorf("the old password: %d %s", rec.Code, rec.Body)
		}
		if rec := w.post(t, signInBody("ann@example.com", "Another horse 2")); rec.Code != 200 {
			t.Errorf("the new password: %d %s", rec.Code, rec.Body)
		}
		ann, err := w.store.User(t.Context(), w.ann.ID)
		must(t, err)
		if !ann.Profile.True("email_verified") {
			t.Error("the link did not prove the address")
		}
	})
}

func TestResetIsThrottled(t *testing.T) {
	w := newWorld(t)
	for _, email := range []string{"ann@example.com", "nobody@example.com"} {
		ask := `{"client_id":"` + webApp + `","connection":"Users","email":"` + email + `"}`
		for i := range 10 {
			if rec := w.send(t, "POST", "/dbconnections/change_password", ask); rec.Code != 200 {
				t.Fatalf("%s, request %d: %d %s", email, i, rec.Code, rec.Body)
			}
		}
		rec := w.send(t, "POST", "/dbconnections/change_password", ask)
		if rec.Code != 429 || rec.Header().Get("Retry-After") != "60" || !strings.Contains(rec.Body.String(), `"code":"too_many_requests"`) {
			t.Errorf("%s: %d %v %s", email, rec.Code, rec.Header(), rec.Body)
		}
		w.at = w.at.Add(time.Minute)
		if rec := w.send(t, "POST", "/dbconnections/change_password", ask); rec.Code != 200 {
			t.Errorf("%s, a minute later: %d", email, rec.Code)
		}
	}
}

// signInBody is a password-realm request.
func signInBody(name, password string) string {
	return form("grant_type", passwordRealm, "client_id", webApp, "client_secret", secret, "realm", "Users", "username", name, "password", password)
}

// Ten wrong passwords, then the right one (security.md 76, 77): at this address it
// is refused, whichever way the name is spelled and whether there is such a name;
// at another it is not. It ends with the mailed link.
func TestBruteForce(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		spellings := []string{"ann@example.com", " ANN@example.com", "Ann@Example.COM ", "\uff41nn@example.com"}
		for _, known := range []bool{true, false} {
			w.events.list, w.outbox.letters = nil, nil
			name := func(i int) string {
				s := spellings[i%len(spellings)]
				if !known {
					return strings.NewReplacer("ann", "eve", "ANN", "EVE", "Ann", "Eve", "\uff41nn", "\uff45ve").Replace(s)
				}
				return s
			}
			for i := range 10 {
				if rec := w.post(t, signInBody(name(i), "wrong")); rec.Code != 403 || !strings.Contains(rec.Body.String(), `"error_description":"Wrong email or password."`) {
					t.Fatalf("try %d: %d %s", i, rec.Code, rec.Body)
				}
			}
			rec := w.post(t, signInBody(name(1), secretPW))
			if want := `{"error":"too_many_attempts","error_description":"Your account has been blocked after multiple consecutive login attempts. We've sent you a notification via your preferred contact method with instructions on how to unblock it."}`; rec.Code != 429 || strings.TrimSpace(rec.Body.String()) != want {
				t.Errorf("known %v: %d %s", known, rec.Code, rec.Body)
			}
			if rec.Header().Get("Retry-After") != "2592000" {
				t.Errorf("Retry-After %q", rec.Header().Get("Retry-After"))
			}
			if types := w.events.types(); !strings.HasSuffix(types, audit.AccountBlocked) {
				t.Errorf("records: %s", types)
			}
			if (len(w.outbox.letters) == 1) != known {
				t.Errorf("known %v: letters %v", known, w.outbox.letters)
			}
		}
		// Another address, which a trusted client names.
		other := w.post(t, signInBody("ann@example.com", secretPW), "auth0-forwarded-for", "198.51.100.7")
		if other.Code != 200 {
			t.Errorf("another address: %d %s", other.Code, other.Body)
		}
		if rec := w.post(t, signInBody("ann@example.com", secretPW)); rec.Code != 429 {
			t.Errorf("a login elsewhere released this address: %d", rec.Code)
		}
		w.send(t, "POST", "/dbconnections/change_password", `{"client_id":"`+webApp+`","connection":"Users","email":"ann@example.com"}`)
	})
}

func TestUnblockByLink(t *testing.T) {
	w := newWorld(t)
	for range 10 {
		w.post(t, signInBody("ann@example.com", "wrong"))
	}
	if len(w.outbox.letters) != 1 || w.outbox.letters[0].Template != letter.BlockedAccount || w.outbox.letters[0].To != "ann@example.com" {
		t.Fatalf("letters: %+v", w.outbox.letters)
	}
	secret := secretOf(t, w.outbox.letters[0], "/u/unblock")
	// To look changes nothing: scanners look, too.
	if res, err := w.tickets.Look(t.Context(), ticket.Unblock, secret); err != nil || res.Err != nil {
		t.Fatalf("look: %+v, %v", res, err)
	}
	if res, err := w.tickets.Reset(t.Context(), secret, "Another horse 2", user.Actor{}); err != nil || res.Err == nil {
		t.Errorf("as a reset link: %+v, %v", res, err)
	}
	if rec := w.post(t, signInBody("ann@example.com", secretPW)); rec.Code != 429 {
		t.Fatalf("looking released it: %d", rec.Code)
	}
	for i := range 2 {
		if res, err := w.tickets.Release(t.Context(), secret, user.Actor{}); err != nil || (res.Err == nil) != (i == 0) {
			t.Fatalf("use %d: %+v, %v", i, res, err)
		}
	}
	if rec := w.post(t, signInBody("ann@example.com", secretPW)); rec.Code != 200 {
		t.Errorf("after the link: %d %s", rec.Code, rec.Body)
	}
}

// A right password in between starts the count anew; after 30 days nothing is left.
func TestFailuresInARow(t *testing.T) {
	w := newWorld(t)
	for round := range 2 {
		for range 9 {
			w.post(t, signInBody("ann@example.com", "wrong"))
		}
		if rec := w.post(t, signInBody("ann@example.com", secretPW)); rec.Code != 200 {
			t.Fatalf("round %d: %d %s", round, rec.Code, rec.Body)
		}
	}
	for range 10 {
		w.post(t, signInBody("ann@example.com", "wrong"))
	}
	w.at = w.at.Add(30*24*time.Hour - time.Second)
	if rec := w.post(t, signInBody("ann@example.com", secretPW)); rec.Code != 429 || rec.Header().Get("Retry-After") != "1" {
		t.Errorf("before the end: %d %s", rec.Code, rec.Header().Get("Retry-After"))
	}
	w.at = w.at.Add(time.Second)
	if rec := w.post(t, signInBody("ann@example.com", secretPW)); rec.Code != 200 {
		t.Errorf("after 30 days: %d %s", rec.Code, rec.Body)
	}
}

func TestBruteForceModes(t *testing.T) {
	for _, row := range []struct {
		name  string
		tune  func(*tenant.Settings)
		elsew int // status at another address
		here  int
	}{
		{"by address", func(*tenant.Settings) {}, 200, 429},
		{"by account", func(s *tenant.Settings) { s.BruteForce.PerIdentifier = true }, 429, 429},
		{"off", func(s *tenant.Settings) { s.BruteForce.Enabled = false }, 200, 200},
		{"only watched", func(s *tenant.Settings) { s.BruteForce.Block = false }, 200, 200},
		{"allowed address", func(s *tenant.Settings) { s.BruteForce.Allowlist = []string{"192.0.2.0/24"} }, 200, 200},
		{"a higher measure", func(s *tenant.Settings) { s.BruteForce.MaxAttempts = 11 }, 200, 200},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			w.tune = row.tune
			for range 10 {
				w.post(t, signInBody("ann@example.com", "wrong"))
			}
			if rec := w.post(t, signInBody("ann@example.com", secretPW), "auth0-forwarded-for", "198.51.100.7"); rec.Code != row.elsew {
				t.Errorf("elsewhere: %d %s", rec.Code, rec.Body)
			}
			if rec := w.post(t, signInBody("ann@example.com", secretPW)); rec.Code != row.here {
				t.Errorf("here: %d %s", rec.Code, rec.Body)
			}
		})
	}
}

// One address that fails with many names.
func TestSuspiciousAddress(t *testing.T) {
	w := newWorld(t)
	w.tune = func(s *tenant.Settings) { s.SuspiciousIP.Login = tenant.Stage{MaxAttempts: 3, Rate: 60_000} }
	for range 5 { // right ones cost nothing
		if rec := w.post(t, signInBody("ann@example.com", secretPW)); rec.Code != 200 {
			t.Fatalf("%d %s", rec.Code, rec.Body)
		}
	}
	for i := range 3 {
		if rec := w.post(t, signInBody("x"+strings.Repeat("y", i)+"@example.com", "wrong")); rec.Code != 403 {
			t.Fatalf("%d %s", rec.Code, rec.Body)
		}
	}
	rec := w.post(t, signInBody("ann@example.com", secretPW))
	if rec.Code != 429 || !strings.Contains(rec.Body.String(), "We have detected suspicious login behavior and further attempts will be blocked. Please contact the administrator.") {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	if rec.Header().Get("Retry-After") != "60" || !strings.HasSuffix(w.events.types(), audit.AddressBlocked) {
		t.Errorf("Retry-After %s, records %s", rec.Header().Get("Retry-After"), w.events.types())
	}
	w.at = w.at.Add(time.Minute)
	if rec := w.post(t, signInBody("ann@example.com", secretPW)); rec.Code != 200 {
		t.Errorf("a minute later: %d %s", rec.Code, rec.Body)
	}
}

func TestSignupsPerAddress(t *testing.T) {
	w := newWorld(t)
	w.tune = func(s *tenant.Settings) { s.SuspiciousIP.Signup = tenant.Stage{MaxAttempts: 2, Rate: 1000} }
	ask := func(email string) string {
		return `{"client_id":"` + webApp + `","connection":"Users","password":"` + secretPW + `","email":"` + email + `"}`
	}
	w.send(t, "POST", "/dbconnections/signup", ask("ann@example.com")) // refused, and counted
	w.send(t, "POST", "/dbconnections/signup", ask("bob@example.com"))
	rec := w.send(t, "POST", "/dbconnections/signup", ask("cy@example.com"))
	want := `{"name":"AnomalyDetected","code":"too_many_attempts","description":"We have detected suspicious sign up behavior and further attempts will be blocked. Please contact the administrator.","statusCode":429}`
	if rec.Code != 429 || strings.TrimSpace(rec.Body.String()) != want || rec.Header().Get("Retry-After") != "1" {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	w.at = w.at.Add(time.Second)
	if rec := w.send(t, "POST", "/dbconnections/signup", ask("cy@example.com")); rec.Code != 200 {
		t.Errorf("later: %d %s", rec.Code, rec.Body)
	}
}

// The tenant may tell who is there.
func TestSignupTells(t *testing.T) {
	w := newWorld(t)
	body := `{"client_id":"` + webApp + `","connection":"Users","password":"` + secretPW + `","email":"ann@example.com"}`
	named := `{"client_id":"` + webApp + `","connection":"Named","password":"` + secretPW + `","username":"dan","email":"`
	if rec := w.send(t, "POST", "/dbconnections/signup", named+`dan@example.com"}`); rec.Code != 200 {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	for _, row := range []struct {
		tells bool
		body  string
		want  string
	}{
		{false, body, `{"name":"BadRequestError","code":"invalid_signup","description":"Invalid sign up","statusCode":400}`},
		{false, named + `dan2@example.com"}`, `{"name":"BadRequestError","code":"invalid_signup","description":"Invalid sign up","statusCode":400}`},
		{true, body, `{"name":"BadRequestError","code":"user_exists","description":"The user already exists.","statusCode":400}`},
		{true, named + `dan2@example.com"}`, `{"name":"BadRequestError","code":"username_exists","description":"The username already exists.","statusCode":400}`},
	} {
		w.tune = func(s *tenant.Settings) { s.SignupTellsUserExists = row.tells }
		rec := w.send(t, "POST", "/dbconnections/signup", row.body)
		if rec.Code != 400 || strings.TrimSpace(rec.Body.String()) != row.want {
			t.Errorf("tells %v: %d %s", row.tells, rec.Code, rec.Body)
		}
	}
}

// Somebody without a password gets the first one by the mailed link alone
// (security.md 87, 94).
func TestFirstPassword(t *testing.T) {
	w := newWorld(t)
	_, err := w.store.UpdateUser(t.Context(), w.ann.ID, func(u *user.User) (user.Effect, error) {
		u.Password = user.Password{}
		return user.Effect{}, nil
	})
	must(t, err)
	for _, p := range []string{"", "x", secretPW} {
		if rec := w.post(t, signInBody("ann@example.com", p)); rec.Code == 200 {
			t.Errorf("signed in with %q", p)
		}
	}
	signup := `{"client_id":"` + webApp + `","connection":"Users","password":"` + secretPW + `","email":"ann@example.com"}`
	if rec := w.send(t, "POST", "/dbconnections/signup", signup); rec.Code != 400 {
		t.Errorf("sign-up: %d %s", rec.Code, rec.Body)
	}
	verify, err := w.tickets.Create(t.Context(), ticket.VerifyEmail, ticket.Request{UserID: w.ann.ID, Lifetime: time.Hour}, audit.Event{})
	must(t, err)
	by := user.Actor{IP: "192.0.2.9"}
	if res, err := w.tickets.Reset(t.Context(), secretOf(t, letter.Letter{URL: verify}, "/u/email-verification"), secretPW, by); err != nil || res.Err == nil {
		t.Errorf("by a link that verifies: %+v, %v", res, err)
	}
	w.send(t, "POST", "/dbconnections/change_password", `{"client_id":"`+webApp+`","connection":"Users","email":"ann@example.com"}`)
	secret := secretOf(t, w.outbox.letters[len(w.outbox.letters)-1], "/u/reset-password")
	if res, err := w.tickets.Reset(t.Context(), secret, secretPW, by); err != nil || res.Err != nil {
		t.Fatalf("by the mailed link: %+v, %v", res, err)
	}
	if rec := w.post(t, signInBody("ann@example.com", secretPW)); rec.Code != 200 {
		t.Errorf("afterwards: %d %s", rec.Code, rec.Body)
	}
}

// A connection whose users cannot help themselves says so, whoever asks.
func TestNoSelfServiceReset(t *testing.T) {
	w := newWorld(t)
	_, err := w.store.UpdateConnection(t.Context(), "con_0000000000000000", func(c *connection.Connection) error {
		c.Options = json.RawMessage(`{"disable_self_service_change_password":true}`)
		return nil
	}, audit.Event{Type: audit.APIOperation})
	must(t, err)
	for _, email := range []string{"ann@example.com", "nobody@example.com"} {
		rec := w.send(t, "POST", "/dbconnections/change_password", `{"client_id":"`+webApp+`","connection":"Users","email":"`+email+`"}`)
		if rec.Code != 400 || !strings.Contains(rec.Body.String(), ticket.ErrNoSelfService.Text) || len(w.outbox.letters) != 0 {
			t.Errorf("%s: %d %s", email, rec.Code, rec.Body)
		}
	}
}
