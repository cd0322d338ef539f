package login_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestSessionCookie(t *testing.T) {
	r := newRig(t)
	r.database()
	r.person("ada@example.test")
	a := r.browser().signIn("ada@example.test", password)
	var found bool
	for _, line := range a.header.Values("Set-Cookie") {
		c, err := http.ParseSetCookie(line)
		if err != nil {
			t.Fatal(err)
		}
		if c.Name != "auth0" {
			continue
		}
		found = true
		if !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteNoneMode || c.Path != "/" || c.Domain != "" ||
			len(c.Value) != 43 || c.MaxAge != 168*3600 {
			t.Errorf("cookie %s", line)
		}
		if strings.Contains(a.header.Get("Location"), c.Value) || a.app.Get("sid") == c.Value {
			t.Error("the secret travels to the application")
		}
	}
	if !found {
		t.Error("no session cookie")
	}
}

// A new login has a new session; the old one is over, also on the server.
func TestNoFixation(t *testing.T) {
	r := newRig(t)
	r.database()
	id := r.person("ada@example.test")
	b := r.browser()
	at, err := url.Parse(r.url)
	if err != nil {
		t.Fatal(err)
	}
	planted := strings.Repeat("A", 43)
	b.jar.SetCookies(at, []*http.Cookie{{Name: "auth0", Value: planted, Path: "/", Secure: true}})
	first := b.signIn("ada@example.test", password)
	first.wantUser(t, string(id))
	one := b.cookie("auth0")
	if one == planted {
		t.Error("a planted session was taken over")
	}
	second := b.signIn("ada@example.test", password)
	second.wantUser(t, string(id))
	two := b.cookie("auth0")
	if two == one || first.app.Get("sid") == second.app.Get("sid") {
		t.Error("the session is the old one")
	}
	old := r.browser()
	old.jar.SetCookies(at, []*http.Cookie{{Name: "auth0", Value: one, Path: "/", Secure: true}})
	if got := old.whoami(); got != "" {
		t.Errorf("the old session is still %s's", got)
	}
	if b.whoami() != string(id) {
		t.Error("the new one is nobody's")
	}
}

func TestSessionEnds(t *testing.T) {
	r := newRig(t)
	r.database()
	id := string(r.person("ada@example.test"))
	b := r.browser()
	b.signIn("ada@example.test", password).wantUser(t, id)
	r.pass(71 * time.Hour)
	if b.whoami() != id {
		t.Fatal("over before the idle end")
	}
	r.pass(71 * time.Hour) // 142 h: use has moved the idle end
	if b.whoami() != id {
		t.Fatal("use did not keep it")
	}
	r.pass(25 * time.Hour)
	if b.whoami() != id {
		t.Fatal("over before the absolute end")
	}
	r.pass(2 * time.Hour) // 169 h
	if b.whoami() != "" {
		t.Error("lives after the absolute end")
	}
	b.signIn("ada@example.test", password).wantUser(t, id)
	r.pass(72*time.Hour + time.Second)
	if b.whoami() != "" {
		t.Error("lives after the idle end")
	}

	b.signIn("ada@example.test", password).wantUser(t, id)
	kept := b.cookie("auth0")
	b.get("/end")
	if b.cookie("auth0") != "" {
		t.Error("the cookie is still there")
	}
	at, _ := url.Parse(r.url)
	b.jar.SetCookies(at, []*http.Cookie{{Name: "auth0", Value: kept, Path: "/", Secure: true}})
	if b.whoami() != "" {
		t.Error("the session lives on the server")
	}
}
