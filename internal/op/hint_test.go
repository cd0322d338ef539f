package op

import (
	"strings"
	"testing"
	"time"

	"mangrove/internal/token"
)

// An ID token that is keyed with the client's secret is a hint as good as any
// other, to the client whose tokens are signed so and to nobody else.
func TestKeyedHints(t *testing.T) {
	w := newWorld(t)
	const bye, back = "https://app.example.test/bye", "https://app.example.test/hinted"
	w.setClient(t, webApp, "allowed_logout_urls", `["`+bye+`"]`)
	w.setClient(t, webApp, "callbacks", `["`+back+`"]`)
	hint := func(key, client string) string {
		text, err := w.mint.IDToken(t.Context(), token.Identity{
			Subject: string(w.ann.ID), ClientID: client, SessionID: "sid-1", Lifetime: -time.Hour, Signing: token.Signing{Alg: token.HS256, Secret: key},
		})
		must(t, err)
		return text
	}
	for _, row := range []struct {
		name, alg, key, client string
		want                   bool
	}{
		{"the client's own", "HS256", secret, webApp, true},
		{"another secret", "HS256", secret + "x", webApp, false},
		{"of a client that has RS256", "RS256", secret, webApp, false},
		{"of a public client", "HS256", secret, spaApp, false},
		{"of nobody", "HS256", secret, "nobody", false},
		{"of a name that no database takes", "HS256", secret, "a\x00b", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			w.setClient(t, webApp, "jwt_configuration", `{"alg":"`+row.alg+`"}`)
			w.setClient(t, spaApp, "jwt_configuration", `{"alg":"HS256"}`)
			w.signIn()
			text := hint(row.key, row.client)
			asked := w.send(t, "GET", "/authorize?"+form("client_id", webApp, "response_type", "code", "redirect_uri", back, "scope", "profile",
				"prompt", "none", "id_token_hint", text), "").Header().Get("Location")
			if strings.Contains(asked, "code=") != row.want || strings.Contains(asked, "login_required") == row.want {
				t.Errorf("/authorize: %s", asked)
			}
			rec := w.send(t, "GET", "/oidc/logout?"+form("id_token_hint", text, "post_logout_redirect_uri", bye), "")
			if (rec.Header().Get("Location") == bye) != row.want || (w.session.UserID == "") != row.want {
				t.Errorf("/oidc/logout: %d %v", rec.Code, rec.Header())
			}
		})
	}
}
