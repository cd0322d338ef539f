package server_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"mangrove/internal/mail/mailtest"
)

// The people of an old database at the pages, in the smallest window: in import mode they
// sign in, or forget their password and set another; in an external store they sign up,
// and are told what the store tells them; and when it is down they are told that.
func TestMigrationInTheBrowser(t *testing.T) {
	c, old := newCompany(t), newClub(t, 3)
	c.box = mailtest.Start(t)
	c.call("POST", "/api/v2/emails/provider", fmt.Sprintf(
		`{"name":"smtp","default_from_address":"tides@example.com","credentials":{"smtp_host":%q,"smtp_port":%d}}`, c.box.Host, c.box.Port))
	c.call("PATCH", "/api/v2/tenants/settings", `{"enabled_locales":["en","de"]}`)
	way := newLine(t, old.address())
	b := c.b
	importing := c.w.customDatabase("Moving", old.options(way.address(), map[string]any{"import_mode": true}))
	c.made("Moving")
	alert := func() string {
		t.Helper()
		b.Wait(`[role="alert"]`)
		return b.Text(`[role="alert"]`)
	}

	// Somebody comes, after a slip of the fingers.
	verifier := c.begin()
	b.Fill(`input[name="username"]`, member(1))
	b.Follow(submit)
	b.Fill(`input[name="password"]`, "a slip")
	b.Follow(submit)
	if said := alert(); !strings.Contains(said, "Wrong email, username or password.") {
		t.Errorf("a wrong password: %q", said)
	}
	c.seen("migration-wrong")
	b.Fill(`input[name="password"]`, passwordOf(1))
	b.Follow(submit)
	if in := c.end(verifier); in.subject != memberID(1) || in.claims["name"] != "Member 1" {
		t.Errorf("signed in: %+v", in)
	}
	c.signOut()

	// Somebody of the old database signs up.
	signUp := func(email, password string, more ...oauth2.AuthCodeOption) string {
		t.Helper()
		verifier := c.begin(append(more, oauth2.SetAuthURLParam("screen_hint", "signup"))...)
		b.Fill(`input[name="email"]`, email)
		b.Fill(`input[name="password"]`, password)
		b.Follow(submit)
		return verifier
	}
	signUp(member(2), "a password of theirs 1")
	alert()
	c.seen("migration-signup-taken")

	// And then has forgotten the password.
	const second = "another password of theirs 2"
	c.begin()
	b.Fill(`input[name="username"]`, member(2))
	b.Follow(submit)
	b.Follow(`a[href^="/u/reset-password/request"]`)
	b.Follow(submit)
	links := regexp.MustCompile(regexp.QuoteMeta(c.w.url+"/u/reset-password") + `\?ticket=[A-Za-z0-9]{32}`)
	b.Goto(links.FindString(c.box.Mail(member(2)).HTML))
	c.seen("migration-reset")
	b.Fill(`input[name="password"]`, second)
	b.Fill(`input[name="again"]`, second)
	b.Follow(submit)
	verifier = c.begin()
	c.enter(member(2), second)
	if in := c.end(verifier); in.subject != memberID(2) || in.claims["name"] != "Member 2" || in.claims["email_verified"] != true {
		t.Errorf("signed in: %+v", in)
	}
	c.signOut()
	want(t, "after the reset", c.w.profileOf(memberID(2)), map[string]any{"user_metadata": map[string]any{"city": "Oulu"}})
	want(t, "progress", c.w.progress(importing), map[string]any{"migrated": 2, "known": 0})

	// The old database is down: newcomers are told, whoever has come signs in.
	way.lead(nowhere)
	way.cut()
	for locale, text := range map[string]string{"en": "We cannot check your password right now.", "de": "Ihr Passwort kann gerade nicht geprüft werden."} {
		c.begin(oauth2.SetAuthURLParam("ui_locales", locale))
		c.enter(member(3), passwordOf(3))
		if said := alert(); !strings.Contains(said, text) {
			t.Errorf("%s: %q", locale, said)
		}
		c.seen("migration-down-" + locale)
	}
	verifier = c.begin()
	c.enter(member(1), passwordOf(1))
	c.end(verifier)
	c.signOut()
	way.lead(old.address())

	// An external store.
	away := old.options(way.address(), map[string]any{"customScripts": map[string]any{
		"login": `async function login(email, password, callback) {
			if (email === 'debtor@old.example') return callback(new UnauthorizedError('Please pay your fee first.'));
			const { Client } = require('pg');
			const client = new Client(configuration.DATABASE_URL);
			await client.connect();
			const { rows } = await client.query('SELECT id, email, verified, name, hash FROM members WHERE email = $1', [email]);
			await client.end();
			if (!rows.length || !await require('bcrypt').compare(password, rows[0].hash)) throw new WrongUsernameOrPasswordError(null);
			callback(null, { user_id: 'm' + rows[0].id, email: rows[0].email, email_verified: rows[0].verified, name: rows[0].name });
		}`,
	}})
	away["configuration"] = map[string]any{"DB_PASSWORD": old.Password, "DATABASE_URL": fmt.Sprintf("postgres://%s:%s@%s/%s?sslmode=disable", old.User, old.Password, way.address(), old.DB)}
	c.w.customDatabase("Staying", away)
	c.made("Staying")
	verifier = signUp("new@old.example", "a password of theirs 1")
	if in := c.end(verifier); in.claims["email"] != "new@old.example" {
		t.Errorf("signed up: %+v", in)
	}
	c.signOut()
	if old.sit().ask("SELECT 1 FROM members WHERE email = 'new@old.example'") != 1 {
		t.Error("who signed up is not in the old database")
	}
	c.box.Mail("new@old.example") // asks for a proof of the address
	// Whose page for the new password is that of above.
	app := c.w.newApplication("Staying")
	if status, body := c.w.posted("/dbconnections/change_password", fmt.Sprintf(`{"client_id":%q,"connection":"Staying","email":"new@old.example"}`, app.oauth.ClientID)); status != 200 {
		t.Errorf("a reset: %d %s", status, body)
	}
	there, to := c.w.newBrowser(), links.FindString(c.box.Mail("new@old.example").HTML)
	_, page, _ := there.follow(to)
	form := formOf(t, page)
	form.Set("password", second)
	form.Set("again", second)
	there.submit(to, form)
	app.in("Staying", "new@old.example", second)
	c.begin()
	c.enter("debtor@old.example", "whatever it is")
	if q := c.refused(); q.Get("error") != "unauthorized" || q.Get("error_description") != "Please pay your fee first." {
		t.Errorf("a refusal by the store: %v", q)
	}
	way.lead(nowhere)
	way.cut()
	if status, body := app.grant("Staying", "new@old.example", second); status != 503 || !strings.Contains(body, "gave no answer") {
		t.Errorf("the store is down: %d %s", status, body)
	}
	signUp("late@old.example", second)
	alert()
	c.seen("external-signup-down")
	c.quiet(passwordOf(1), second, "a slip", "@old.example", old.Password, "ticket=")
}
