package op

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/profile"
	"mangrove/internal/resourceserver"
	"mangrove/internal/role"
	"mangrove/internal/session"
	"mangrove/internal/token"
	"mangrove/internal/user"
)

const (
	offlineID  = "urn:offline"
	roleID     = "urn:offline-roles"
	refreshBad = `{"error":"invalid_grant","error_description":"Unknown or invalid refresh token."}`
)

// addAPI adds an API with the members.
func (w *world) addAPI(tb testing.TB, identifier, members string) string {
	tb.Helper()
	at := w.at.UnixMicro()
	rs := &resourceserver.ResourceServer{ID: resourceserver.NewID(), Identifier: identifier, Doc: json.RawMessage("{" + members + "}"), Version: 1, CreatedAt: at, UpdatedAt: at}
	must(tb, w.store.CreateResourceServer(tb.Context(), rs, audit.Event{Type: audit.APIOperation, At: at}))
	return rs.ID
}

// setAPI replaces the members of an API.
func (w *world) setAPI(tb testing.TB, id, members string) {
	tb.Helper()
	_, err := w.store.UpdateResourceServer(tb.Context(), id, func(rs *resourceserver.ResourceServer) error {
		rs.Doc = json.RawMessage("{" + members + "}")
		return nil
	}, audit.Event{Type: audit.APIOperation, At: w.at.UnixMicro()})
	must(tb, err)
}

const offlineMembers = `"token_lifetime":600,"skip_consent_for_verifiable_first_party_clients":true,"allow_offline_access":true,"scopes":[{"value":"read:a"},{"value":"write:a"}]`

const refreshingGrants = `["authorization_code","implicit","client_credentials","password","http://auth0.com/oauth/grant-type/password-realm","refresh_token"]`

// refreshing is a world whose web application keeps refresh tokens.
func refreshing(tb testing.TB, settings string) (*world, string) {
	tb.Helper()
	w := newWorld(tb)
	id := w.addAPI(tb, offlineID, offlineMembers)
	w.setClient(tb, webApp, "grant_types", refreshingGrants)
	if settings != "" {
		w.setClient(tb, webApp, "refresh_token", settings)
	}
	return w, id
}

const rotatingSettings = `{"rotation_type":"rotating","expiration_type":"expiring","token_lifetime":3600,"idle_token_lifetime":600}`

// signInFor gets ann's tokens by her password.
func (w *world) signInFor(tb testing.TB, pairs ...string) map[string]any {
	tb.Helper()
	rec := w.post(tb, form(append([]string{
		"grant_type", passwordRealm, "client_id", webApp, "client_secret", secret, "username", "ann@example.com", "password", secretPW, "realm", "Users",
	}, pairs...)...))
	if rec.Code != http.StatusOK {
		tb.Fatalf("%d %s", rec.Code, rec.Body)
	}
	return answer(tb, rec)
}

// text is a member of an answer.
func text(m map[string]any, name string) string {
	s, _ := m[name].(string)
	return s
}

// refresh exchanges a token.
func (w *world) refresh(tb testing.TB, refreshToken string, pairs ...string) (int, string, map[string]any) {
	tb.Helper()
	rec := w.post(tb, form(append([]string{"grant_type", "refresh_token", "client_id", webApp, "client_secret", secret, "refresh_token", refreshToken}, pairs...)...))
	return rec.Code, rec.Body.String(), answer(tb, rec)
}

// recorded are the types of the last records about ann, newest last.
func (w *world) recorded(tb testing.TB, n int) string {
	tb.Helper()
	list, err := w.store.Events(tb.Context(), audit.Span{UserID: string(w.ann.ID), Newest: true, Limit: n})
	must(tb, err)
	var types []string
	for i := range list {
		types = append([]string{list[i].Type}, types...)
	}
	return strings.Join(types, " ")
}

func TestOfflineAccess(t *testing.T) {
	w, _ := refreshing(t, "")
	w.addAPI(t, "urn:online", `"scopes":[{"value":"read:a"}]`)
	for _, row := range []struct {
		name     string
		client   string // grant_types
		scope    string
		audience string
		want     string // scope
		refresh  bool
	}{
		{"asked for", refreshingGrants, "openid offline_access", "", "openid offline_access", true},
		{"not asked for", refreshingGrants, "openid", "", "openid", false},
		{"nothing asked for", refreshingGrants, "", "", "openid profile email address phone", false},
		{"alone", refreshingGrants, "offline_access", "", "offline_access", true},
		{"API", refreshingGrants, "offline_access read:a", offlineID, "offline_access read:a", true},
		{"API that does not allow it", refreshingGrants, "offline_access read:a", "urn:online", "read:a", false},
		{"client without the grant", `["http://auth0.com/oauth/grant-type/password-realm"]`, "openid offline_access", "", "openid", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			w.setClient(t, webApp, "grant_types", row.client)
			m := w.signInFor(t, "scope", row.scope, "audience", row.audience)
			if (text(m, "refresh_token") != "") != row.refresh || text(m, "scope") != row.want {
				t.Errorf("%v", m)
			}
		})
	}
}

// The order and presence of members, claims, and what does not come again.
func TestRefresh(t *testing.T) {
	w, _ := refreshing(t, "")
	w.signIn()
	w.session.Methods = []string{session.Password, session.MFA}
	code := w.code(t, "client_id", webApp, "response_type", "code", "redirect_uri", "https://app.example.test/cb",
		"scope", "openid email offline_access read:a", "audience", offlineID, "nonce", "n-1", "max_age", "600")
	rec := w.post(t, form("grant_type", "authorization_code", "client_id", webApp, "client_secret", secret, "code", code, "redirect_uri", "https://app.example.test/cb"))
	first := answer(t, rec)
	if rec.Code != 200 || text(first, "refresh_token") == "" {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	firstID := claimsOf(t, text(first, "id_token"))
	if firstID["nonce"] != "n-1" || firstID["acr"] != token.MultifactorACR {
		t.Errorf("ID token: %v", firstID)
	}
	w.at = w.at.Add(30 * time.Second)
	status, body, m := w.refresh(t, text(first, "refresh_token"))
	if status != 200 || !strings.HasPrefix(body, `{"access_token":"`) || !strings.HasSuffix(body, `"scope":"openid email offline_access read:a","expires_in":600,"token_type":"Bearer"}`) {
		t.Fatalf("%d %s", status, body)
	}
	if _, again := m["refresh_token"]; again {
		t.Error("a token that is not rotated came again")
	}
	access := claimsOf(t, text(m, "access_token"))
	if access["gty"] != "refresh_token" || access["azp"] != webApp || access["sub"] != string(w.ann.ID) || access["scope"] != "openid email offline_access read:a" {
		t.Errorf("access token: %v", access)
	}
	id := claimsOf(t, text(m, "id_token"))
	if _, ok := id["nonce"]; ok || id["sid"] != "sid-1" || id["auth_time"] != firstID["auth_time"] || id["iat"] == firstID["iat"] ||
		id["acr"] != token.MultifactorACR || id["at_hash"] != token.AccessHash(text(m, "access_token")) || id["email"] != "ann@example.com" {
		t.Errorf("ID token: %v", id)
	}
	if got := w.recorded(t, 1); got != audit.RefreshOK {
		t.Errorf("recorded %q", got)
	}
	list, err := w.store.Events(t.Context(), audit.Span{UserID: string(w.ann.ID), Newest: true, Limit: 1})
	must(t, err)
	if string(list[0].Details) != `{"audience":"urn:offline","scope":"openid email offline_access read:a"}` || list[0].ClientID != webApp || list[0].IP == "" {
		t.Errorf("record: %+v", list[0])
	}

	for _, row := range []struct{ name, ask, want string }{
		{"less", "read:a openid", "read:a openid"},
		{"more", "read:a write:a profile", "read:a"},
		{"none of it", "write:a", ""},
		{"and it was not made less for good", "", "openid email offline_access read:a"},
	} {
		if status, body, m := w.refresh(t, text(first, "refresh_token"), "scope", row.ask); status != 200 || text(m, "scope") != row.want {
			t.Errorf("%s: %d %s", row.name, status, body)
		}
	}
}

func TestRefreshForUserinfo(t *testing.T) {
	w, _ := refreshing(t, rotatingSettings)
	m := w.signInFor(t, "scope", "openid offline_access")
	status, body, m := w.refresh(t, text(m, "refresh_token"))
	if status != 200 {
		t.Fatal(body)
	}
	if rec := w.send(t, "GET", "/userinfo", "", "Authorization", "Bearer "+text(m, "access_token")); rec.Code != 200 {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
}

func TestRefreshRefusals(t *testing.T) {
	w, _ := refreshing(t, "")
	good := text(w.signInFor(t, "scope", "openid offline_access"), "refresh_token")
	other := []string{"grant_type", "refresh_token", "client_id", machine, "client_secret", secret, "refresh_token", good}
	w.setClient(t, machine, "grant_types", refreshingGrants)
	for _, row := range []struct {
		name, body string
		status     int
		want       string
	}{
		{"missing", form("grant_type", "refresh_token", "client_id", webApp, "client_secret", secret), 400, `{"error":"invalid_request","error_description":"Missing required parameter: refresh_token"}`},
		{"unknown", form("grant_type", "refresh_token", "client_id", webApp, "client_secret", secret, "refresh_token", good[:len(good)-64]+strings.Repeat("A", 64)), 403, refreshBad},
		{"garbage", form("grant_type", "refresh_token", "client_id", webApp, "client_secret", secret, "refresh_token", "x"), 403, refreshBad},
		{"another client's", form(other...), 403, refreshBad},
		{"no secret", form("grant_type", "refresh_token", "client_id", webApp, "refresh_token", good), 401, `{"error":"access_denied","error_description":"Unauthorized"}`},
		{"grant not listed", form("grant_type", "refresh_token", "client_id", lameApp, "client_secret", secret, "refresh_token", good), 403, `{"error":"unauthorized_client","error_description":"Grant type 'refresh_token' not allowed for the client."}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			w.events.list = nil
			rec := w.post(t, row.body)
			if rec.Code != row.status || strings.TrimSpace(rec.Body.String()) != row.want {
				t.Errorf("%d %s", rec.Code, rec.Body)
			}
			if got := w.events.types(); got != audit.RefreshNo {
				t.Errorf("recorded %q", got)
			}
		})
	}
	if status, body, _ := w.refresh(t, good); status != 200 {
		t.Errorf("after all that: %d %s", status, body)
	}
}

// security.md 63.
func TestRotation(t *testing.T) {
	w, _ := refreshing(t, rotatingSettings)
	begin := func(t *testing.T) string {
		return text(w.signInFor(t, "scope", "openid offline_access"), "refresh_token")
	}
	next := func(t *testing.T, refreshToken string) string {
		t.Helper()
		status, body, m := w.refresh(t, refreshToken)
		if status != 200 || text(m, "refresh_token") == "" || text(m, "refresh_token") == refreshToken {
			t.Fatalf("%d %s", status, body)
		}
		return text(m, "refresh_token")
	}
	dead := func(t *testing.T, refreshToken string) {
		t.Helper()
		if status, body, _ := w.refresh(t, refreshToken); status != 403 || strings.TrimSpace(body) != refreshBad {
			t.Errorf("%d %s", status, body)
		}
	}
	for _, generations := range []int{1, 3} {
		t.Run("reused "+strconv.Itoa(generations)+" later", func(t *testing.T) {
			first := begin(t)
			last := first
			for range generations {
				last = next(t, last)
			}
			bystander := begin(t)
			dead(t, first)
			if got := w.recorded(t, 1); got != audit.RefreshReused {
				t.Errorf("recorded %q", got)
			}
			dead(t, last)
			if got := w.recorded(t, 2); got == audit.RefreshReused+" "+audit.RefreshReused {
				t.Error("what was gone was taken for reuse")
			}
			next(t, bystander)
		})
	}
	t.Run("leeway", func(t *testing.T) {
		w.setClient(t, webApp, "refresh_token", strings.TrimSuffix(rotatingSettings, "}")+`,"leeway":30}`)
		defer w.setClient(t, webApp, "refresh_token", rotatingSettings)
		a := begin(t)
		b := next(t, a)
		again := next(t, a) // the answer with b was lost
		if again == b {
			t.Error("the same token twice")
		}
		c := next(t, again)
		next(t, b)
		dead(t, a) // its successor was used
		dead(t, c)
		a = begin(t)
		b = next(t, a)
		w.at = w.at.Add(31 * time.Second)
		dead(t, a)
		dead(t, b)
	})
	t.Run("at the same moment", func(t *testing.T) {
		first := begin(t)
		var wg sync.WaitGroup
		answers := make(chan string, 12)
		for range cap(answers) {
			wg.Go(func() {
				if status, _, m := w.refresh(t, first); status == 200 {
					answers <- text(m, "refresh_token")
				}
			})
		}
		wg.Wait()
		if len(answers) != 1 {
			t.Fatalf("%d winners", len(answers))
		}
		dead(t, <-answers)
	})
	t.Run("lifetimes", func(t *testing.T) {
		start := w.at
		defer func() { w.at = start }()
		idle, kept := begin(t), begin(t)
		for range 5 { // 50 minutes
			w.at = w.at.Add(599 * time.Second)
			kept = next(t, kept)
		}
		dead(t, idle)
		w.at = start.Add(3590 * time.Second)
		kept = next(t, kept)
		w.at = start.Add(3600 * time.Second)
		dead(t, kept)
	})
}

// security.md 64, the state of the world at use.
func TestRefreshLooksAgain(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(t *testing.T, w *world, api string)
		status int
		want   string // of the body
	}{
		{"nothing changed", func(*testing.T, *world, string) {}, 200, `"scope":"openid offline_access read:a write:a"`},
		{"user blocked by an administrator", func(t *testing.T, w *world, _ string) {
			w.changeAnn(t, func(u *user.User) user.Effect {
				u.Profile.Set(profile.Blocked, profile.Bool(true), profile.Source{Origin: profile.FromManagement})
				return user.Effect{EndSessions: true}
			})
		}, 403, `{"error":"unauthorized","error_description":"user is blocked"}`},
		{"user blocked, tokens left alone", func(t *testing.T, w *world, _ string) { w.block(t) }, 403, `{"error":"unauthorized","error_description":"user is blocked"}`},
		{"blocked and unblocked", func(t *testing.T, w *world, _ string) {
			w.changeAnn(t, func(*user.User) user.Effect { return user.Effect{EndSessions: true} })
		}, 403, refreshBad},
		{"user deleted", func(t *testing.T, w *world, _ string) {
			must(t, w.store.DeleteUser(t.Context(), w.ann.ID, 0, user.Effect{}))
		}, 403, `{"error":"invalid_grant","error_description":"The refresh_token was generated for a user who doesn't exist anymore."}`},
		{"client lost the grant", func(t *testing.T, w *world, _ string) {
			w.setClient(t, webApp, "grant_types", `["authorization_code"]`)
		}, 403, `"error":"unauthorized_client"`},
		{"API allows it no more", func(t *testing.T, w *world, api string) {
			w.setAPI(t, api, `"scopes":[{"value":"read:a"},{"value":"write:a"}]`)
		}, 403, refreshBad},
		{"API lost a scope", func(t *testing.T, w *world, api string) {
			w.setAPI(t, api, `"allow_offline_access":true,"scopes":[{"value":"write:a"}]`)
		}, 200, `"scope":"openid offline_access write:a"`},
		{"API became role-based", func(t *testing.T, w *world, api string) {
			w.setAPI(t, api, `"enforce_policies":true,"allow_offline_access":true,"scopes":[{"value":"read:a"},{"value":"write:a"}]`)
		}, 200, `"scope":"openid offline_access"`},
		{"API wants a grant", func(t *testing.T, w *world, api string) {
			w.setAPI(t, api, offlineMembers+`,"subject_type_authorization":{"user":{"policy":"require_client_grant"}}`)
		}, 403, `Client is not authorized to access`},
		{"API is gone", func(t *testing.T, w *world, api string) {
			must(t, w.store.DeleteResourceServer(t.Context(), api, audit.Event{}))
		}, 403, `Service not enabled within domain: urn:offline`},
	} {
		t.Run(row.name, func(t *testing.T) {
			w, api := refreshing(t, "")
			m := w.signInFor(t, "scope", "openid offline_access read:a write:a", "audience", offlineID)
			row.change(t, w, api)
			if status, body, _ := w.refresh(t, text(m, "refresh_token")); status != row.status || !strings.Contains(body, row.want) {
				t.Errorf("%d %s", status, body)
			}
		})
	}
}

// changeAnn changes her with an effect.
func (w *world) changeAnn(tb testing.TB, fn func(*user.User) user.Effect) {
	tb.Helper()
	_, err := w.store.UpdateUser(tb.Context(), w.ann.ID, func(u *user.User) (user.Effect, error) { return fn(u), nil })
	must(tb, err)
}

func TestRefreshOfAnotherAPI(t *testing.T) {
	w, _ := refreshing(t, `{"rotation_type":"non-rotating","expiration_type":"non-expiring","policies":[{"audience":"urn:other","scope":["read:o"]}]}`)
	w.addAPI(t, "urn:other", `"allow_offline_access":true,"scopes":[{"value":"read:o"},{"value":"write:o"}]`)
	w.addAPI(t, "urn:third", `"allow_offline_access":true,"scopes":[{"value":"read:t"}]`)
	m := w.signInFor(t, "scope", "openid offline_access read:a", "audience", offlineID)
	r := text(m, "refresh_token")
	status, body, got := w.refresh(t, r, "audience", "urn:other", "scope", "read:o write:o read:a")
	if status != 200 || text(got, "scope") != "read:o" || claimsOf(t, text(got, "access_token"))["aud"] != "urn:other" {
		t.Errorf("listed: %d %s", status, body)
	}
	if status, body, _ := w.refresh(t, r, "audience", "urn:third"); status != 403 || !strings.Contains(body, `"error":"access_denied"`) {
		t.Errorf("not listed: %d %s", status, body)
	}
	w.setClient(t, webApp, "refresh_token", `{"rotation_type":"non-rotating","expiration_type":"non-expiring"}`)
	if status, body, got := w.refresh(t, r, "audience", "urn:other", "scope", "read:a"); status != 200 || claimsOf(t, text(got, "access_token"))["aud"] != offlineID {
		t.Errorf("no policies: %d %s", status, body)
	}
}

// security.md 53: the second use of a code takes all that the first gave.
func TestCodeReuseTakesTheRefreshToken(t *testing.T) {
	w, _ := refreshing(t, "")
	w.signIn()
	code := w.code(t, "client_id", webApp, "response_type", "code", "redirect_uri", "https://app.example.test/cb", "scope", "openid offline_access")
	body := form("grant_type", "authorization_code", "client_id", webApp, "client_secret", secret, "code", code, "redirect_uri", "https://app.example.test/cb")
	first := answer(t, w.post(t, body))
	if rec := w.post(t, body); rec.Code != 403 {
		t.Fatalf("again: %d %s", rec.Code, rec.Body)
	}
	if status, text, _ := w.refresh(t, text(first, "refresh_token")); status != 403 || strings.TrimSpace(text) != refreshBad {
		t.Errorf("%d %s", status, text)
	}
}

func TestRevoke(t *testing.T) {
	w, _ := refreshing(t, rotatingSettings)
	revoke := func(pairs ...string) (int, string, string) {
		rec := w.send(t, "POST", "/oauth/revoke", form(pairs...))
		return rec.Code, rec.Body.String(), rec.Header().Get("Content-Type")
	}
	mine := []string{"client_id", webApp, "client_secret", secret}
	r := text(w.signInFor(t, "scope", "offline_access"), "refresh_token")
	_, _, m := w.refresh(t, r)
	newest := text(m, "refresh_token")
	for _, row := range []struct {
		name   string
		pairs  []string
		status int
		want   string
	}{
		{"no token", mine, 400, `{"error":"invalid_request","error_description":"Missing required parameter: token"}`},
		{"no secret", []string{"client_id", webApp, "token", newest}, 401, `{"error":"invalid_client","error_description":"Unauthorized"}`},
		{"wrong secret", []string{"client_id", webApp, "client_secret", "x", "token", newest}, 401, `{"error":"invalid_client","error_description":"Unauthorized"}`},
		{"unknown client", []string{"client_id", "x", "token", newest}, 401, `{"error":"invalid_client","error_description":"Unauthorized"}`},
		{"unknown token", append(mine, "token", "x"), 200, ""},
		{"another client's", []string{"client_id", machine, "client_secret", secret, "token", newest}, 200, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			status, body, kind := revoke(row.pairs...)
			if status != row.status || strings.TrimSpace(body) != row.want || kind != "application/json" {
				t.Errorf("%d %q %s", status, body, kind)
			}
		})
	}
	status, body, m := w.refresh(t, newest)
	if status != 200 {
		t.Fatalf("refused revocations took it: %s", body)
	}
	// An old text of the family takes the family along, as JSON too.
	rec := w.send(t, "POST", "/oauth/revoke", `{"client_id":"`+webApp+`","client_secret":"`+secret+`","token":"`+r+`","token_type_hint":"refresh_token"}`)
	if rec.Code != 200 || rec.Body.Len() != 0 {
		t.Errorf("%d %q", rec.Code, rec.Body)
	}
	if got := w.recorded(t, 1); got != audit.RefreshRevoked {
		t.Errorf("recorded %q", got)
	}
	if status, body, _ := w.refresh(t, text(m, "refresh_token")); status != 403 || strings.TrimSpace(body) != refreshBad {
		t.Errorf("%d %s", status, body)
	}
	if got := w.recorded(t, 1); got != audit.RefreshRevoked {
		t.Errorf("recorded %q", got)
	}
}

func TestRoleBasedAPI(t *testing.T) {
	w, _ := refreshing(t, "")
	ctx := t.Context()
	members := `"enforce_policies":true,"allow_offline_access":true,"scopes":[{"value":"read:a"},{"value":"write:a"},{"value":"admin"}],"token_dialect":`
	id := w.addAPI(t, roleID, members+`"access_token_authz"`)
	by := audit.Event{Type: audit.APIOperation, At: w.at.UnixMicro()}
	must(t, w.store.CreateRole(ctx, &role.Role{ID: "rol_1", Name: "writer", Version: 1}, by))
	must(t, w.store.AddRolePermissions(ctx, "rol_1", []role.Permission{{API: roleID, Name: "write:a"}}, by))
	must(t, w.store.AddUserRoles(ctx, string(w.ann.ID), []string{"rol_1"}, by))
	must(t, w.store.AddUserPermissions(ctx, string(w.ann.ID), []role.Permission{{API: roleID, Name: "read:a"}, {API: apiID, Name: "write:a"}}, by))

	m := w.signInFor(t, "scope", "openid offline_access admin write:a", "audience", roleID)
	access := claimsOf(t, text(m, "access_token"))
	if text(m, "scope") != "openid offline_access write:a" || access["scope"] != "openid offline_access write:a" {
		t.Errorf("scope: %v", access)
	}
	if b, _ := json.Marshal(access["permissions"]); string(b) != `["read:a","write:a"]` {
		t.Errorf("permissions: %s", b)
	}
	if m := w.signInFor(t, "audience", roleID); text(m, "scope") != "openid profile email address phone read:a write:a" {
		t.Errorf("everything: %v", m)
	}
	must(t, w.store.RemoveUserRoles(ctx, string(w.ann.ID), []string{"rol_1"}, by))
	_, body, m := w.refresh(t, text(m, "refresh_token"))
	access = claimsOf(t, text(m, "access_token"))
	if b, _ := json.Marshal(access["permissions"]); string(b) != `["read:a"]` || text(m, "scope") != "openid offline_access" {
		t.Errorf("after the role was taken: %s", body)
	}
	w.setAPI(t, id, members+`"access_token"`)
	access = claimsOf(t, text(w.signInFor(t, "scope", "read:a", "audience", roleID), "access_token"))
	if _, ok := access["permissions"]; ok || access["scope"] != "read:a" {
		t.Errorf("without the dialect: %v", access)
	}
}

func TestSigningOfTokens(t *testing.T) {
	w := newWorld(t)
	w.addAPI(t, "urn:strong", `"signing_alg":"PS256","scopes":[{"value":"read:a"}]`)
	w.addAPI(t, "urn:secret", `"signing_alg":"HS256","signing_secret":"a secret that the API shares with us","scopes":[{"value":"read:a"}]`)
	head := func(jwt string) string { return strings.Split(jwt, ".")[0] }
	algOf := func(jwt string) any { return claimsOf(t, "x."+head(jwt)+".x")["alg"] }

	m := w.signInFor(t, "scope", "openid read:a", "audience", "urn:strong")
	if algOf(text(m, "access_token")) != "PS256" || algOf(text(m, "id_token")) != "RS256" {
		t.Errorf("%v", m)
	}
	if rec := w.send(t, "GET", "/userinfo", "", "Authorization", "Bearer "+text(m, "access_token")); rec.Code != 200 {
		t.Errorf("userinfo: %d %s", rec.Code, rec.Body)
	}
	m = w.signInFor(t, "scope", "openid read:a", "audience", "urn:secret")
	if algOf(text(m, "access_token")) != "HS256" || claimsOf(t, text(m, "access_token"))["aud"] != "urn:secret" {
		t.Errorf("%v", m)
	}
	if rec := w.send(t, "GET", "/userinfo", "", "Authorization", "Bearer "+text(m, "access_token")); rec.Code != 401 {
		t.Errorf("whoever has the API's secret could ask: %d %s", rec.Code, rec.Body)
	}
	for _, alg := range []string{"HS256", "PS256", "RS512"} {
		w.setClient(t, webApp, "jwt_configuration", `{"alg":"`+alg+`"}`)
		if m := w.signInFor(t, "scope", "openid"); algOf(text(m, "id_token")) != alg {
			t.Errorf("%s: %v", alg, m)
		}
	}
	// A public client has no secret to check HS256 with: nothing is issued.
	w.setClient(t, spaApp, "jwt_configuration", `{"alg":"HS256"}`)
	w.setClient(t, spaApp, "grant_types", refreshingGrants)
	public := func(scope string) string {
		rec := w.post(t, form("grant_type", passwordRealm, "client_id", spaApp, "username", "ann@example.com", "password", secretPW, "realm", "Users", "scope", scope))
		return strconv.Itoa(rec.Code) + " " + strings.TrimSpace(rec.Body.String())
	}
	if got := public("openid"); got != `400 {"error":"invalid_request","error_description":"ID tokens of this client cannot be signed with HS256."}` {
		t.Error(got)
	}
	if got := public("offline_access"); !strings.HasPrefix(got, "200 ") {
		t.Errorf("without an ID token: %s", got)
	}
	w.signIn()
	rec := w.send(t, "GET", "/authorize?"+form("client_id", spaApp, "response_type", "code", "redirect_uri", "https://spa.example.test", "scope", "openid",
		"code_challenge", strings.Repeat("a", 43), "code_challenge_method", "S256"), "")
	if loc := rec.Header().Get("Location"); !strings.Contains(loc, "error=invalid_request") || strings.Contains(loc, "code=") {
		t.Errorf("%d %s", rec.Code, loc)
	}
}

// BenchmarkRefresh is, with BenchmarkClientCredentials, the hot path of the token
// endpoint (performance.md, goal 8), one request after the other.
func BenchmarkRefresh(b *testing.B) {
	for name, settings := range map[string]string{"kept": "", "rotated": rotatingSettings} {
		b.Run(name, func(b *testing.B) {
			w, _ := refreshing(b, settings)
			r := text(w.signInFor(b, "scope", "offline_access read:a", "audience", offlineID), "refresh_token")
			b.ReportAllocs()
			for b.Loop() {
				status, body, m := w.refresh(b, r)
				if status != 200 {
					b.Fatal(body)
				}
				if next := text(m, "refresh_token"); next != "" {
					r = next
				}
			}
		})
	}
}
