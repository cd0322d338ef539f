package login_test

import (
	"context"
	"testing"
	"time"

	"mangrove/internal/connection"
	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
	"mangrove/internal/upstream"
)

// steward takes over logins of oidc of people whose dept its connection names.
type steward struct{ upstream.Redirect }

func (steward) Inherits() string { return "oidc" }

func (steward) Inherit(_ context.Context, c *connection.Connection, social profile.Claims) (profile.Claims, bool, error) {
	wanted := strictjson.ParseDocument(c.Options).Text("dept")
	if wanted == "broken" {
		return profile.Claims{}, false, upstream.ErrUnreachable
	}
	dept := strictjson.ParseDocument(social.Raw).Text("dept")
	social.Subject = "own-" + social.Subject
	return social, dept == wanted, nil
}

func TestHeir(t *testing.T) {
	r := newRig(t)
	r.acme(nil)
	const law = "con_law0000000000001"
	r.connect("con_off0000000000001", "off", "custom", map[string]any{"dept": "law"}, `{"authentication":{"active":false}}`)
	r.connect("con_alien00000000001", "alien", "custom", map[string]any{"dept": "law"}, `{}`)
	r.change("con_alien00000000001", func(c *connection.Connection) { c.EnabledClients = nil })
	r.connect(law, "law", "custom", map[string]any{"dept": "law"}, `{}`)

	b := r.browser()
	b.get(b.toCallback("/authorize?connection=acme")).wantUser(t, "oidc|acme|u-77")
	r.idp.SetPerson("u-77", map[string]any{"name": "Pia", "dept": "law"})
	b = r.browser()
	res := b.get(b.toCallback("/authorize?connection=acme"))
	res.wantUser(t, "custom|law|own-u-77")
	if res.app.Get("connection") != law {
		t.Errorf("the session is of another connection: %v", res.app)
	}

	r.connect("con_zzz0000000000001", "zzz", "custom", map[string]any{"dept": "broken"}, `{}`)
	r.idp.SetPerson("u-77", map[string]any{"name": "Pia", "dept": "other"})
	b = r.browser()
	if res := b.get(b.toCallback("/authorize?connection=acme")); res.app.Get("error") != "access_denied" {
		t.Errorf("an heir that cannot answer: %d %s", res.status, res.body)
	}
}

// A session ends no later than the provider's own.
func TestSessionEndsWithTheProviders(t *testing.T) {
	r := newRig(t)
	r.acme(map[string]any{"id_token_session_expiry_supported": true})
	r.idp.SetPerson("u-77", map[string]any{"session_expiry": r.now().Add(10 * time.Minute).Unix()})
	b := r.browser()
	b.get(b.toCallback("/authorize?connection=acme")).wantUser(t, "oidc|acme|u-77")
	if who := b.get("/whoami"); who.body != "oidc|acme|u-77" {
		t.Fatalf("signed in as %q", who.body)
	}
	r.pass(11 * time.Minute)
	if who := b.get("/whoami"); who.body != "" {
		t.Errorf("the session went on: %q", who.body)
	}
}
