package op

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mangrove/internal/session"
	"mangrove/internal/tenant"
	"mangrove/internal/token"
)

// TestFederated: the browser goes on to the provider once our session is over, and
// never with an address that was not listed.
func TestFederated(t *testing.T) {
	w := newWorld(t)
	w.tune = func(s *tenant.Settings) { s.LogoutPrompt = true }
	var asked []string
	willing := true
	w.LeaveUpstream = func(rw http.ResponseWriter, _ *http.Request, s session.Session, to string) (bool, error) {
		if w.session.UserID != "" {
			t.Error("the session is still there")
		}
		asked = append(asked, s.ID+" "+to)
		if willing {
			rw.Header().Set("Location", "https://idp.example/out")
			rw.WriteHeader(http.StatusFound)
		}
		return willing, nil
	}
	const bye, idp = "https://app.example.test/bye", "https://idp.example/out"
	hint, err := w.mint.IDToken(t.Context(), token.Identity{Subject: "auth0|ann", ClientID: webApp, SessionID: "sid-1", Lifetime: time.Hour})
	must(t, err)
	v2 := "/v2/logout?" + form("client_id", webApp, "returnTo", bye)
	oidc := "/oidc/logout?" + form("id_token_hint", hint, "post_logout_redirect_uri", bye, "state", "s")
	for _, row := range []struct {
		name, target string
		out, unready bool // nobody is signed in; the provider cannot be asked
		asked, to    string
	}{
		{name: "without a value", target: v2 + "&federated", asked: "sid-1 " + bye, to: idp},
		{name: "with a value", target: v2 + "&federated=1", asked: "sid-1 " + bye, to: idp},
		{name: "not asked", target: v2, to: bye},
		{name: "no provider", target: v2 + "&federated", unready: true, asked: "sid-1 " + bye, to: bye},
		{name: "nobody is signed in", target: v2 + "&federated", out: true, to: bye},
		{name: "nowhere to go", target: "/v2/logout?federated", asked: "sid-1 ", to: idp},
		{name: "an address that is not listed", target: "/v2/logout?" + form("client_id", webApp, "returnTo", "https://evil.test/") + "&federated"},
		{name: "by OpenID Connect", target: oidc + "&federated", asked: "sid-1 " + bye + "?state=s", to: idp},
		{name: "by OpenID Connect, no provider", target: oidc + "&federated", unready: true, asked: "sid-1 " + bye + "?state=s", to: bye + "?state=s"},
		{name: "by OpenID Connect, not asked", target: oidc, to: bye + "?state=s"},
		{name: "by OpenID Connect, twice", target: oidc + "&federated&federated"},
		{name: "to be confirmed", target: "/oidc/logout?federated&" + form("client_id", webApp, "post_logout_redirect_uri", bye)},
	} {
		t.Run(row.name, func(t *testing.T) {
			asked, willing, w.pressed = nil, !row.unready, nil
			w.session = session.Session{}
			if !row.out {
				w.signIn()
			}
			rec := w.send(t, "GET", row.target, "")
			if got := strings.Join(asked, ", "); got != row.asked || rec.Header().Get("Location") != row.to {
				t.Errorf("asked %q, went to %q", got, rec.Header().Get("Location"))
			}
		})
	}

	// The button brings the wish back.
	if len(w.pressed) == 0 || w.pressed[len(w.pressed)-1] != (Parameter{"federated", ""}) {
		t.Fatalf("the page has %v", w.pressed)
	}
	fields := map[string]string{}
	for _, f := range w.pressed {
		fields[f.Name] = f.Value
	}
	asked, willing = nil, true
	rec := httptest.NewRecorder()
	must(t, w.ConfirmedLogout(rec, httptest.NewRequest("POST", "/u/logout", nil), fields))
	if rec.Header().Get("Location") != idp || strings.Join(asked, ", ") != "sid-1 "+bye {
		t.Errorf("confirmed: %q, %v", rec.Header().Get("Location"), asked)
	}
}
