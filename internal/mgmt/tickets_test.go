package mgmt

import (
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/customdb"
	"mangrove/internal/job"
	"mangrove/internal/profile"
	"mangrove/internal/ticket"
	"mangrove/internal/user"
)

// secretOf is the ticket in an answer, whose URL must be that of the path.
func secretOf(t *testing.T, path, body string) string {
	t.Helper()
	var out struct{ Ticket string }
	if err := json.Unmarshal([]byte(body), &out); err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`^https://id\.example\.test` + path + `\?ticket=([A-Za-z0-9]{32})#$`).FindStringSubmatch(out.Ticket)
	if m == nil {
		t.Fatalf("ticket %q", out.Ticket)
	}
	return m[1]
}

func (w *world) ticket(t *testing.T, purpose ticket.Purpose, body string) string {
	t.Helper()
	path, page := "/tickets/email-verification", "/u/email-verification"
	if purpose == ticket.ChangePassword {
		path, page = "/tickets/password-change", "/u/reset-password"
	}
	rec := w.call(t, "POST", path, w.machine(t, "create:user_tickets"), body, "Host", "evil.example", "X-Forwarded-Host", "evil.example", "Auth0-Custom-Domain", "evil.example")
	answers(t, rec, 201, nil, nil)
	return secretOf(t, page, rec.Body.String())
}

func TestCreateTickets(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		must(t, second(w.store.UpdateUser(t.Context(), w.gus, func(u *user.User) (user.Effect, error) {
			u.Identities = append(u.Identities, user.Identity{Provider: "auth0", Connection: "Users", ConnectionID: usersID, UserID: "other", Subject: "other"})
			return user.Effect{}, nil
		})))
		answers(t, w.call(t, "POST", "/users", w.machine(t, "create:users"), `{"connection":"sms","phone_number":"+15550100","user_id":"sue"}`), 201, nil, nil)
		const verify, password = "/tickets/email-verification", "/tickets/password-change"
		const google = `"identity":{"user_id":"117","provider":"google-oauth2"}`
		before := w.stored(t, w.ann) + w.stored(t, w.gus)
		for _, row := range []struct {
			name, path, body string
			status           int
			has              string
		}{
			{"verify", verify, `{"user_id":"auth0|ann","result_url":"https://app.example/x","ttl_sec":60,"includeEmailInRedirect":true}`, 201, `{"ticket":"https://id.example.test/u/email-verification?ticket=`},
			{"verify for an application", verify, `{"user_id":"auth0|ann","client_id":"` + machineID + `"}`, 201, ""},
			{"verify a social identity", verify, `{"user_id":"google-oauth2|117",` + google + `}`, 201, ""},
			{"password", password, `{"user_id":"auth0|ann","mark_email_as_verified":true}`, 201, `{"ticket":"https://id.example.test/u/reset-password?ticket=`},
			{"password by address", password, `{"connection_id":"` + usersID + `","email":"ANN@example.com"}`, 201, ""},
			{"password by identity", password, `{"user_id":"auth0|ann","identity":{"user_id":"ann","provider":"auth0","connection_id":"` + usersID + `"}}`, 201, ""},

			{"nobody", verify, `{"user_id":"auth0|nobody"}`, 404, `"message":"The user does not exist.","errorCode":"inexistent_user"`},
			{"nobody's password", password, `{"user_id":"auth0|nobody"}`, 404, `"errorCode":"inexistent_user"`},
			{"nobody at the address", password, `{"connection_id":"` + usersID + `","email":"nobody@example.com"}`, 404, `"errorCode":"inexistent_user"`},
			{"no such connection", password, `{"connection_id":"con_0000000000000000","email":"ann@example.com"}`, 400, "The connection with id con_0000000000000000 does not exist."},
			{"no address", verify, `{"user_id":"sms|sue"}`, 400, "The user does not have an email address."},
			{"social without identity", verify, `{"user_id":"google-oauth2|117"}`, 400, "The user's main connection does not support this operation."},
			{"password of a social user", password, `{"user_id":"google-oauth2|117"}`, 400, "The user's main connection does not support this operation."},
			{"password of a secondary", password, `{"user_id":"google-oauth2|117","identity":{"user_id":"other","provider":"auth0"}}`, 400, "The user does not have an email address."},
			{"identity of no connection", verify, `{"user_id":"auth0|ann","identity":{"user_id":"ann","provider":"auth0","connection_id":"con_0000000000000000"}}`, 400, "Identity connection does not exist."},
			{"identity of another", verify, `{"user_id":"auth0|ann",` + google + `}`, 400, "The user exists, but does not contain the given identity."},
			{"identity at another connection", verify, `{"user_id":"auth0|ann","identity":{"user_id":"ann","provider":"auth0","connection_id":"` + googleID + `"}}`, 400, "The user exists, but does not contain the given identity."},
			{"no such client", verify, `{"user_id":"auth0|ann","client_id":"nobody"}`, 400, `"message":"The client does not exist"`},
			{"no such organization", password, `{"user_id":"auth0|ann","organization_id":"org_0000000000000000"}`, 400, `"message":"The organization does not exist"`},
			{"both ways", password, `{"user_id":"auth0|ann","connection_id":"` + usersID + `","email":"ann@example.com"}`, 400, "You cannot send user_id when specifying a connection_id."},
			{"script", verify, `{"user_id":"auth0|ann","result_url":"javascript:alert(1)"}`, 400, "invalid_body"},
			{"member of another", verify, `{"user_id":"auth0|ann","mark_email_as_verified":true}`, 400, "Additional properties not allowed: mark_email_as_verified"},
			{"not JSON", verify, `user_id=auth0|ann`, 400, "invalid_body"},
		} {
			t.Run(row.name, func(t *testing.T) {
				answers(t, w.call(t, "POST", row.path, w.machine(t, "create:user_tickets"), row.body), row.status, []string{row.has}, nil)
				answers(t, w.call(t, "POST", row.path, w.machine(t, "update:users"), row.body), 403, []string{"expected any of: create:user_tickets"}, nil)
			})
		}
		if after := w.stored(t, w.ann) + w.stored(t, w.gus); after != before {
			t.Errorf("asking for tickets changed\n%s to\n%s", before, after)
		}
	})
}

func second[T any](_ T, err error) error { return err }

// What a ticket opens, and what ends it (security.md 82, 85).
func TestRedeemTickets(t *testing.T) {
	const by = `{"user_id":"auth0|ann"}`
	patch := func(t *testing.T, w *world, body string) {
		t.Helper()
		answers(t, w.call(t, "PATCH", "/users/auth0%7Cann", w.machine(t, "update:users"), body), 200, nil, nil)
	}
	for _, row := range []struct {
		name    string
		purpose ticket.Purpose
		body    string
		between func(t *testing.T, w *world)
		redeems ticket.Purpose // empty: the purpose
		want    string
	}{
		{"verify", ticket.VerifyEmail, by, nil, "", "Your email was verified. You can continue using the application."},
		{"password", ticket.ChangePassword, by, nil, "", "You can now login to the application with the new password."},
		{"just in time", ticket.VerifyEmail, by, func(_ *testing.T, w *world) { w.clock.forward(5*24*time.Hour - time.Second) }, "", "Your email was verified. You can continue using the application."},
		{"late", ticket.VerifyEmail, by, func(_ *testing.T, w *world) { w.clock.forward(5 * 24 * time.Hour) }, "", "Access expired."},
		{"late by its own time", ticket.ChangePassword, `{"user_id":"auth0|ann","ttl_sec":60}`, func(_ *testing.T, w *world) { w.clock.forward(time.Minute) }, "", "Access expired."},
		{"for the other purpose", ticket.VerifyEmail, by, nil, ticket.ChangePassword, "Access expired."},
		{"for the one purpose", ticket.ChangePassword, by, nil, ticket.VerifyEmail, "Access expired."},
		{"after a change of address", ticket.VerifyEmail, by, func(t *testing.T, w *world) { patch(t, w, `{"email":"new@example.com"}`) }, "", "Access expired."},
		{"password, after a change of address", ticket.ChangePassword, by, func(t *testing.T, w *world) { patch(t, w, `{"email":"new@example.com"}`) }, "", "Access expired."},
		{"after a change of password", ticket.ChangePassword, by, func(t *testing.T, w *world) { patch(t, w, `{"password":"another good password 9"}`) }, "", "Access expired."},
		{"after a newer one", ticket.VerifyEmail, by, func(t *testing.T, w *world) { w.ticket(t, ticket.VerifyEmail, by) }, "", "Access expired."},
		{"after a newer one of the other purpose", ticket.VerifyEmail, by, func(t *testing.T, w *world) { w.ticket(t, ticket.ChangePassword, by) }, "", "Your email was verified. You can continue using the application."},
		{"verified in between", ticket.VerifyEmail, by, func(t *testing.T, w *world) { patch(t, w, `{"email_verified":true}`) }, "", "This account is already verified."},
		{"deleted in between", ticket.VerifyEmail, by, func(t *testing.T, w *world) {
			w.call(t, "DELETE", "/users/auth0%7Cann", w.machine(t, "delete:users"), "")
		}, "", "Access expired."},
	} {
		t.Run(row.name, func(t *testing.T) {
			onEngines(t, func(t *testing.T, w *world) {
				secret := w.ticket(t, row.purpose, row.body)
				if row.between != nil {
					row.between(t, w)
				}
				purpose := row.purpose
				if row.redeems != "" {
					purpose = row.redeems
				}
				redeem := func(secret string) ticket.Result {
					t.Helper()
					r, err := w.api.Tickets.Verify(t.Context(), secret, user.Actor{IP: "203.0.113.9"})
					if purpose == ticket.ChangePassword {
						r, err = w.api.Tickets.Reset(t.Context(), secret, "a fine new password 7", user.Actor{})
					}
					must(t, err)
					return r
				}
				edited := "A" + secret[1:]
				if edited == secret {
					edited = "B" + secret[1:]
				}
				if r := redeem(edited); r.Text() != "Access expired." {
					t.Errorf("edited: %s", r.Text())
				}
				for range 2 { // looking changes nothing
					if _, err := w.api.Tickets.Look(t.Context(), purpose, secret); err != nil {
						t.Fatal(err)
					}
				}
				r := redeem(secret)
				if r.Text() != row.want {
					t.Fatalf("%s, want %s", r.Text(), row.want)
				}
				if r.Err != nil {
					return
				}
				if again := redeem(secret); again.Text() != "This URL can be used only once" {
					t.Errorf("again: %s", again.Text())
				}
				u, err := w.store.User(t.Context(), w.ann)
				must(t, err)
				if verified := u.Profile.True(profile.EmailVerified); verified != (purpose == ticket.VerifyEmail) {
					t.Errorf("verified: %v", verified)
				}
				if changed := u.Password.SetAt != 0; changed != (purpose == ticket.ChangePassword) {
					t.Errorf("password set at %d", u.Password.SetAt)
				}
			})
		})
	}
}

func TestPasswordTicketProvesTheAddress(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		secret := w.ticket(t, ticket.ChangePassword, `{"user_id":"auth0|ann","mark_email_as_verified":true,"result_url":"https://app.example/x?y=1","includeEmailInRedirect":true}`)
		if _, err := w.api.Tickets.Reset(t.Context(), secret, "short", user.Actor{}); err == nil || !strings.Contains(err.Error(), "Password is too weak") {
			t.Errorf("weak password: %v", err)
		}
		r, err := w.api.Tickets.Reset(t.Context(), secret, "a fine new password 7", user.Actor{})
		must(t, err)
		to, err := url.Parse(r.Location())
		must(t, err)
		if q := to.Query(); to.Host != "app.example" || q.Get("y") != "1" || q.Get("success") != "true" || q.Get("email") != "ann@example.com" {
			t.Errorf("leads to %s", to)
		}
		u, err := w.store.User(t.Context(), w.ann)
		must(t, err)
		if !u.Profile.True(profile.EmailVerified) {
			t.Error("not verified")
		}
	})
}

func TestVerificationEmailJob(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		answers(t, w.call(t, "POST", "/users", w.machine(t, "create:users"), `{"connection":"sms","phone_number":"+15550100","user_id":"sue"}`), 201, nil, nil)
		bearer := w.machine(t, "update:users")
		for _, row := range []struct {
			name, body string
			status     int
			has        string
		}{
			{"a user", `{"user_id":"auth0|ann"}`, 201, `{"type":"verification_email","status":"pending","created_at":"`},
			{"all members", `{"user_id":"auth0|ann","client_id":"` + machineID + `","identity":{"user_id":"ann","provider":"auth0"}}`, 201, `"id":"job_`},
			{"a social identity", `{"user_id":"google-oauth2|117","identity":{"user_id":"117","provider":"google-oauth2"}}`, 201, ""},
			{"social without identity", `{"user_id":"google-oauth2|117"}`, 400, "Connection must be a database connection."},
			{"no address", `{"user_id":"sms|sue","identity":{"user_id":"sue","provider":"sms"}}`, 400, `"message":"User does not have an email address."`},
			{"identity of no connection", `{"user_id":"auth0|ann","identity":{"user_id":"ann","provider":"auth0","connection_id":"con_0000000000000000"}}`, 400, "Identity connection does not exist."},
			{"identity of another", `{"user_id":"auth0|ann","identity":{"user_id":"117","provider":"google-oauth2"}}`, 400, "The user exists, but does not contain the given identity."},
			{"no such organization", `{"user_id":"auth0|ann","organization_id":"org_0000000000000000"}`, 400, "The organization does not exist"},
			{"no such client", `{"user_id":"auth0|ann","client_id":"nobody"}`, 400, "The client does not exist"},
			{"nobody", `{"user_id":"auth0|nobody"}`, 404, "inexistent_user"},
			{"no user", `{}`, 400, "Missing required property: user_id"},
			{"unknown member", `{"user_id":"auth0|ann","ttl_sec":1}`, 400, "Additional properties not allowed: ttl_sec"},
		} {
			t.Run(row.name, func(t *testing.T) {
				rec := w.call(t, "POST", "/jobs/verification-email", bearer, row.body)
				answers(t, rec, row.status, []string{row.has}, []string{"connection_id", "summary", "user_id\":\""})
				if woken := len(w.wakes) > 0; woken != (row.status == 201) {
					t.Errorf("woken: %v", woken)
				}
				for len(w.wakes) > 0 {
					<-w.wakes
				}
				if row.status != 201 {
					return
				}
				var made struct{ ID string }
				must(t, json.Unmarshal(rec.Body.Bytes(), &made))
				answers(t, w.call(t, "GET", "/jobs/"+made.ID, w.machine(t, "read:users"), ""), 200, []string{`"type":"verification_email"`, `"status":"pending"`}, []string{"connection_id"})
			})
		}
		answers(t, w.call(t, "POST", "/jobs/verification-email", w.machine(t, "create:users"), `{"user_id":"auth0|ann"}`), 403, []string{"expected any of: update:users"}, nil)

		_, err := w.store.UpdateConnection(t.Context(), usersID, func(c *connection.Connection) error {
			c.EnabledClients = nil
			return nil
		}, audit.Event{})
		must(t, err)
		answers(t, w.call(t, "POST", "/jobs/verification-email", bearer, `{"user_id":"auth0|ann"}`), 400, []string{"Connection must be enabled."}, nil)
		must(t, w.store.DeleteConnection(t.Context(), googleID, 0, at, audit.Event{}))
		answers(t, w.call(t, "POST", "/jobs/verification-email", bearer, `{"user_id":"google-oauth2|117"}`), 400, []string{`"message":"connection does not exist."`}, nil)
	})
}

// Whether a write of a user asks for a mail (reference/users.md §1.9).
func TestVerifyEmailMember(t *testing.T) {
	const create, patch = "POST /users", "PATCH /users/auth0%7Cann"
	const bob = `{"connection":"Users","password":"` + password + `","email":"bob@example.com"`
	for _, row := range []struct {
		name, call, body string
		off, want        bool
	}{
		{"created", create, bob + `}`, false, true},
		{"created, verified", create, bob + `,"email_verified":true}`, false, false},
		{"created, not wanted", create, bob + `,"verify_email":false}`, false, false},
		{"created, verified and wanted", create, bob + `,"email_verified":true,"verify_email":true}`, false, true},
		{"created without a mail server", create, bob + `,"verify_email":true}`, true, false},
		{"created with a phone", create, `{"connection":"sms","phone_number":"+15550100"}`, false, false},
		{"patched", patch, `{"email":"new@example.com"}`, false, false},
		{"patched, unverified", patch, `{"email_verified":false}`, false, false},
		{"patched and wanted", patch, `{"email":"new@example.com","verify_email":true}`, false, true},
		{"wanted alone", patch, `{"verify_email":true}`, false, true},
		{"patched, not wanted", patch, `{"email":"new@example.com","verify_email":false}`, false, false},
		{"refused", patch, `{"email":"gus","verify_email":true}`, false, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			onEngines(t, func(t *testing.T, w *world) {
				w.api.Users.MailsReady = func() bool { return !row.off }
				method, path, _ := strings.Cut(row.call, " ")
				w.call(t, method, path, w.machine(t, "create:users update:users"), row.body)
				j, _, err := w.store.Claim(t.Context(), "test", w.clock.now().Add(24*time.Hour*36500).UnixMicro(), 1<<62)
				must(t, err)
				if got := j != nil && j.Type == job.VerificationEmail; got != row.want {
					t.Errorf("mail: %v, want %v", got, row.want)
				}
			})
		})
	}
}

// A ticket by connection and address is for the identity that has them there, and for no
// other of the same user (security.md 10): a secondary has none, so it is refused.
func TestPasswordTicketOfASecondary(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		const there = `{"user_id":"7","email":"cy@shop.example"}`
		path := w.legacy(t, "Ext", `{"enabledDatabaseCustomization":true,"customScripts":{"login":"x","get_user":"x"}}`,
			func(*connection.Connection, customdb.Call) (customdb.Answer, error) {
				return customdb.Answer{Value: profile.Value(there)}, nil
			})
		extID := strings.TrimPrefix(path, "/connections/")
		ext, err := w.store.Connection(t.Context(), extID)
		must(t, err)
		must(t, second(w.api.Users.Authenticate(t.Context(), ext, "cy@shop.example", "x", user.Actor{IP: "192.0.2.1"})))
		all := w.machine(t, "create:users update:users read:users create:user_tickets")
		answers(t, w.call(t, "POST", "/users", all, `{"connection":"Users","user_id":"bea","email":"bea@example.com","password":"another good password 9"}`), 201, nil, nil)
		for _, id := range []string{"bea", "7"} {
			answers(t, w.call(t, "POST", "/users/auth0%7Cann/identities", all, `{"provider":"auth0","user_id":"`+id+`"}`), 201, nil, nil)
		}
		before := w.stored(t, w.ann)
		const refused = `"message":"The user's main connection does not support this operation.","errorCode":"operation_not_supported"`
		for _, row := range []struct {
			about, connection, email string
			status                   int
			has                      string
		}{
			{"the primary", usersID, "ann@example.com", 201, `{"ticket":"`},
			{"a secondary of the same connection", usersID, "bea@example.com", 400, refused},
			{"a secondary of an external store", extID, "cy@shop.example", 400, refused},
			{"an address of another connection", usersID, "cy@shop.example", 404, "inexistent_user"},
		} {
			rec := w.call(t, "POST", "/tickets/password-change", all, `{"connection_id":"`+row.connection+`","email":"`+row.email+`"}`)
			if rec.Code != row.status || !strings.Contains(rec.Body.String(), row.has) {
				t.Errorf("%s: %d %s", row.about, rec.Code, rec.Body)
			}
		}
		if after := w.stored(t, w.ann); after != before {
			t.Errorf("asking for tickets changed\n%s to\n%s", before, after)
		}
	})
}
