package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Names of the upstream connections, one for each way of syncing.
const (
	eachLogin  = "acme-on-each-login"
	firstLogin = "acme-on-first-login"
	neverLogin = "acme-never-on-login"
)

// mission is the play. Acts use what earlier ones left in cast.
func mission() []act {
	c := &cast{}
	return []act{
		{"Ours: the Management API creates a user with all root attributes", c.create},
		{"Ours: a person signs up, with root attributes", c.signUp},
		{"Ours: a file of users is imported", c.importFile},
		{"Ours: each root attribute is changed, one by one, and removed by null", c.edit},
		{"Ours: a person signs in by a code that comes by mail, and stays signed in", c.byCode},
		{"Ours: whoever is in an old user table comes along by signing in", c.migration},
		{"Upstream: the first login creates the user", c.firstLogin},
		{"Upstream: the attributes are its own, so a PATCH is refused, with the reason", c.refuse},
		{"Upstream, on_each_login: the second login brings a changed profile", c.eachLogin},
		{"Upstream, on_first_login: later logins leave the profile alone, and it can be edited", c.onFirstLogin},
		{"Upstream, never_on_login: a login creates nobody and changes nothing", c.neverLogin},
		{"Upstream: a claim that no profile can hold is dropped, with a record", c.unholdable},
		{"Upstream: an e-mail address leads to its provider", c.byAddress},
	}
}

// cast is who appears in more than one act.
type cast struct {
	ann     document // of the database
	ada     document // of the upstream, on_each_login
	adaSays profile
}

func (c *cast) create(ctx context.Context, p *play) error {
	a, err := p.api(ctx, "POST", "/api/v2/users", object(
		"connection", database, "email", "ann@example.com", "password", password,
		"name", "Ann Lee", "given_name", "Ann", "family_name", "Lee", "nickname", "annie",
		"picture", "https://example.com/1", "user_metadata", document{"language": "en"}))
	if err != nil {
		return err
	}
	if err := a.want(http.StatusCreated); err != nil {
		return err
	}
	c.ann = a.document()
	p.showRoots(c.ann)
	p.expectRoots(c.ann, map[string]string{
		"name": "Ann Lee", "given_name": "Ann", "family_name": "Lee", "nickname": "annie", "picture": "https://example.com/1",
	}, "all five root attributes are as they were sent")
	again, err := p.user(ctx, c.ann.text("user_id"))
	if err != nil {
		return err
	}
	p.expectRoots(again, textsOf(c.ann), "and are the same when they are read back")
	return nil
}

func (c *cast) signUp(ctx context.Context, p *play) error {
	body := object("client_id", p.app.id, "connection", database, "email", "bo@example.com", "password", password,
		"name", "Bo Berg", "given_name", "Bo", "family_name", "Berg", "nickname", "bob", "picture", "https://example.com/bo.png")
	p.request("POST", "/dbconnections/signup", jsonLines(body))
	a, err := p.send(ctx, "POST", "/dbconnections/signup", "application/json", "", body)
	if err != nil {
		return err
	}
	p.status(a.status, "no token is needed")
	if err := a.want(http.StatusOK); err != nil {
		return err
	}
	bo, err := p.user(ctx, "auth0|"+a.document().text("_id"))
	if err != nil {
		return err
	}
	p.showRoots(bo)
	p.expectRoots(bo, map[string]string{
		"name": "Bo Berg", "given_name": "Bo", "family_name": "Berg", "nickname": "bob", "picture": "https://example.com/bo.png",
	}, "the person's own root attributes are kept")
	verified, _ := bo["email_verified"].(bool)
	p.expect(!verified, "the e-mail address is not verified: nobody can say that about themselves")
	return nil
}

func (c *cast) importFile(ctx context.Context, p *play) error {
	job, err := p.upload(ctx, []json.RawMessage{
		object("email", "cy@example.com", "name", "Cy Reed", "given_name", "Cy", "family_name", "Reed", "nickname", "cy", "picture", "https://example.com/cy.png"),
		object("email", "dee@", "name", "Dee Moss"),
		object("email", "eve@example.com", "given_name", "Eve"),
	})
	if err != nil {
		return err
	}
	summary, _ := job["summary"].(map[string]any)
	count := func(name string) int { n, _ := summary[name].(float64); return int(n) }
	p.expect(job.text("status") == "completed" && count("inserted") == 2 && count("failed") == 1,
		"the job is %s: %d inserted, %d failed; the bad row does not stop the good ones", job.text("status"), count("inserted"), count("failed"))

	a, err := p.api(ctx, "GET", "/api/v2/jobs/"+job.text("id")+"/errors", nil)
	if err != nil {
		return err
	}
	var problems []struct {
		Errors []struct{ Code, Message, Path string }
	}
	if err := json.Unmarshal(a.body, &problems); err != nil {
		return err
	}
	told := len(problems) == 1 && len(problems[0].Errors) == 1 && problems[0].Errors[0].Path == "email"
	if told {
		p.indented(problems[0].Errors[0].Code + ": " + problems[0].Errors[0].Message)
	}
	p.expect(told, "the errors say which row failed, and why")

	for _, want := range []map[string]string{
		{"email": "cy@example.com", "name": "Cy Reed", "given_name": "Cy", "family_name": "Reed", "nickname": "cy", "picture": "https://example.com/cy.png"},
		{"email": "eve@example.com", "name": "eve@example.com", "given_name": "Eve", "nickname": "eve"},
	} {
		list, err := p.usersByEmail(ctx, want["email"])
		if err != nil {
			return err
		}
		if len(list) != 1 {
			return fmt.Errorf("%d users have the address %s", len(list), want["email"])
		}
		p.showRoots(list[0])
		meaning := "the row's root attributes are kept"
		if want["picture"] == "" {
			// Which picture is made up depends on a setting.
			want["picture"] = or(list[0].text("picture"), "made up")
			meaning = "what the row does not say is made up, once: name, nickname and picture"
		}
		p.expectRoots(list[0], want, meaning)
	}
	return nil
}

func (c *cast) edit(ctx context.Context, p *play) error {
	if c.ann == nil {
		return fmt.Errorf("there is no user to edit")
	}
	id := c.ann.text("user_id")
	want := textsOf(c.ann)
	p.say("One PATCH " + userPath(id) + " for each:")
	patch := func(name string, value any) error {
		before := want[name]
		a, err := p.quiet(ctx, "PATCH", userPath(id), object(name, value))
		if err != nil {
			return err
		}
		after, _ := value.(string)
		want[name] = after
		p.brief("PATCH", short(string(object(name, value)), 44), a.status, p.style(dim, short(or(before, "–"), 16)+" → ")+p.style(green, or(after, "–")))
		if err := a.want(http.StatusOK); err != nil {
			return err
		}
		p.expectRoots(a.document(), want, map[bool]string{true: name + " is removed, the others are as before", false: name + " is changed, the others are as before"}[value == nil])
		return nil
	}
	for _, change := range [][2]string{
		{"name", "Ann B. Lee"}, {"given_name", "Anna"}, {"family_name", "Leeds"}, {"nickname", "ab"}, {"picture", "https://example.com/2"},
	} {
		if err := patch(change[0], change[1]); err != nil {
			return err
		}
	}
	for _, name := range roots {
		if err := patch(name, nil); err != nil {
			return err
		}
	}
	bare, err := p.user(ctx, id)
	if err != nil {
		return err
	}
	p.showRoots(bare)
	p.expectRoots(bare, map[string]string{}, "all five are gone, and none is made up again")
	p.expect(bare.text("email") == "ann@example.com" && bare["user_metadata"] != nil, "e-mail address and metadata are as before")
	return nil
}

func (c *cast) firstLogin(ctx context.Context, p *play) error {
	c.adaSays = profile{"ada", map[string]any{
		"email": "ada@acme.test", "email_verified": true, "name": "Ada Byron", "given_name": "Ada", "family_name": "Byron",
		"nickname": "countess", "picture": "https://acme.test/1", "locale": "en-GB",
	}}
	p.tellUpstream(c.adaSays)
	ada, err := p.signIn(ctx, eachLogin, c.adaSays.subject)
	if err != nil {
		return err
	}
	c.ada = ada
	p.showRoots(ada)
	p.expectRoots(ada, textsOf(c.adaSays.claims), "the upstream's claims are the root attributes of the new user")
	p.expect(ada.text("email") == "ada@acme.test" && ada["email_verified"] == true && ada.text("locale") == "en-GB",
		"so are the other claims: e-mail address, its proof, locale")
	p.expect(ada["logins_count"] == 1.0, "this was the first login")
	return nil
}

func (c *cast) refuse(ctx context.Context, p *play) error {
	if c.ada == nil {
		return fmt.Errorf("there is no user of the upstream")
	}
	id := c.ada.text("user_id")
	a, err := p.api(ctx, "PATCH", userPath(id), object("name", "Somebody Else", "family_name", "Else", "user_metadata", document{"plan": "gold"}))
	if err != nil {
		return err
	}
	d := a.document()
	p.indented(d.text("message"))
	p.indented("errorCode: " + d.text("errorCode"))
	p.expect(a.status == http.StatusBadRequest && d.text("errorCode") == "operation_not_supported" &&
		strings.HasPrefix(d.text("message"), "The following user attributes cannot be updated: family_name, name. The connection ("+eachLogin+")"),
		"refused, and the reason names the attributes and the connection")
	after, err := p.peek(ctx, id)
	if err != nil {
		return err
	}
	p.expect(same(c.ada, after), "the whole request is refused: nothing of the user has changed, the metadata neither")

	a, err = p.api(ctx, "PATCH", userPath(id), object("user_metadata", document{"language": "en"}))
	if err != nil {
		return err
	}
	p.expect(a.status == http.StatusOK, "what belongs to us, like metadata, can be changed")
	c.ada = a.document()
	return nil
}

// changed is what the upstream says later: some claims differ, one is no longer sent.
func changed(before profile) profile {
	after := profile{before.subject, map[string]any{}}
	for k, v := range before.claims {
		after.claims[k] = v
	}
	after.claims["name"] = strings.ReplaceAll(after.claims["name"].(string), after.claims["family_name"].(string), "King")
	after.claims["family_name"] = "King"
	after.claims["picture"] = "https://acme.test/2"
	delete(after.claims, "given_name")
	return after
}

func (c *cast) eachLogin(ctx context.Context, p *play) error {
	if c.ada == nil {
		return fmt.Errorf("there is no user of the upstream")
	}
	says := changed(c.adaSays)
	p.tellUpstream(says)
	p.say("At the upstream, family name, name and picture have changed, and the given name is no longer sent.")
	after, err := p.signIn(ctx, eachLogin, says.subject)
	if err != nil {
		return err
	}
	p.compare(c.ada, says.claims, after)
	p.expect(after.text("user_id") == c.ada.text("user_id") && after["logins_count"] == 2.0, "it is the same user, at the second login")
	p.expectRoots(after, textsOf(says.claims), "the root attributes are what the upstream says now; what it no longer sends is gone")
	p.expect(same(c.ada["user_metadata"], after["user_metadata"]), "the metadata is untouched")
	return nil
}

func (c *cast) onFirstLogin(ctx context.Context, p *play) error {
	says := profile{"grace", map[string]any{
		"email": "grace@acme.test", "email_verified": true, "name": "Grace Murray", "given_name": "Grace", "family_name": "Murray",
		"nickname": "amazing", "picture": "https://acme.test/1",
	}}
	p.tellUpstream(says)
	before, err := p.signIn(ctx, firstLogin, says.subject)
	if err != nil {
		return err
	}
	p.showRoots(before)
	p.expectRoots(before, textsOf(says.claims), "the first login sets the root attributes")

	now := changed(says)
	now.claims["email"] = "king@acme.test"
	p.tellUpstream(now)
	p.say("At the upstream, family name, name, picture and e-mail address have changed, and the given name is no longer sent.")
	after, err := p.signIn(ctx, firstLogin, says.subject)
	if err != nil {
		return err
	}
	p.compare(before, now.claims, after)
	p.expectRoots(after, textsOf(says.claims), "the second login leaves them alone")
	p.expect(after.text("email") == "grace@acme.test", "the e-mail address, too")
	p.expect(after["logins_count"] == 2.0, "the login itself is recorded")

	return p.editAllowed(ctx, after)
}

// editAllowed changes one root attribute of a user of an upstream.
func (p *play) editAllowed(ctx context.Context, d document) error {
	a, err := p.api(ctx, "PATCH", userPath(d.text("user_id")), object("nickname", "edited here"))
	if err != nil {
		return err
	}
	if err := a.want(http.StatusOK); err != nil {
		return err
	}
	want := textsOf(d)
	want["nickname"] = "edited here"
	p.expectRoots(a.document(), want, "the Management API may edit them now: the nickname is changed, the others are as before")
	return nil
}

func (c *cast) neverLogin(ctx context.Context, p *play) error {
	stranger := profile{"linus", map[string]any{"email": "linus@acme.test", "email_verified": true, "name": "Linus Unknown"}}
	p.tellUpstream(stranger)
	back, _, err := p.browse(ctx, neverLogin, stranger.subject)
	if err != nil {
		return err
	}
	p.indented("error: " + back.Get("error"))
	p.indented("error_description: " + back.Get("error_description"))
	p.expect(back.Get("error") == "access_denied" && back.Get("error_description") != "", "the application is told that the login was refused, and why")
	list, err := p.usersByEmail(ctx, "linus@acme.test")
	if err != nil {
		return err
	}
	p.expect(len(list) == 0, "no user was created")

	// Somebody who is there already: she came while the connection still created users.
	says := profile{"mary", map[string]any{
		"email": "mary@acme.test", "email_verified": true, "name": "Mary Fairfax", "given_name": "Mary", "family_name": "Fairfax",
		"nickname": "queen", "picture": "https://acme.test/1",
	}}
	p.tellUpstream(says)
	p.say("Mary is known already: she came while the connection was set to on_first_login.")
	if err := p.setSync(ctx, neverLogin, "on_first_login"); err != nil {
		return err
	}
	before, err := p.signIn(ctx, neverLogin, says.subject)
	if err != nil {
		return err
	}
	p.say("Now it is set to never_on_login again, and the upstream's profile of her changes.")
	if err := p.setSync(ctx, neverLogin, "never_on_login"); err != nil {
		return err
	}
	now := changed(says)
	p.tellUpstream(now)
	after, err := p.signIn(ctx, neverLogin, says.subject)
	if err != nil {
		return err
	}
	p.compare(before, now.claims, after)
	p.expectRoots(after, textsOf(says.claims), "the login leaves the root attributes alone")
	p.expect(after["logins_count"] == 2.0, "the login itself is recorded")
	return p.editAllowed(ctx, after)
}

// await polls the job until it ended and prints the last answer.
func (p *play) await(ctx context.Context, job document) (document, error) {
	path := "/api/v2/jobs/" + url.PathEscape(job.text("id"))
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	poll := time.NewTicker(25 * time.Millisecond)
	defer poll.Stop()
	for {
		a, err := p.quiet(ctx, "GET", path, nil)
		if err != nil {
			return nil, err
		}
		if err := a.want(http.StatusOK); err != nil {
			return nil, err
		}
		d := a.document()
		if s := d.text("status"); s == "completed" || s == "failed" {
			p.request("GET", path, nil)
			summary, _ := json.Marshal(d["summary"]) // it came from JSON
			p.status(a.status, fmt.Sprintf("status: %s, summary: %s", s, summary))
			return d, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("the job did not end: %w", ctx.Err())
		case <-poll.C:
		}
	}
}

// textsOf are the root attributes of a user or of an upstream's claims.
func textsOf(d document) map[string]string {
	m := map[string]string{}
	for _, name := range roots {
		if s := d.text(name); s != "" {
			m[name] = s
		}
	}
	return m
}

// same compares JSON values.
func same(a, b any) bool {
	x, err1 := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err1 == nil && err2 == nil && string(x) == string(y)
}
