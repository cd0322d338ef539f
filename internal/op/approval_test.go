package op

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mangrove/internal/approval"
	"mangrove/internal/audit"
	"mangrove/internal/letter"
	"mangrove/internal/oauth"
	"mangrove/internal/profile"
	"mangrove/internal/session"
	"mangrove/internal/token"
	"mangrove/internal/user"
)

// callCentre is a world whose web application may ask for approval.
func callCentre(tb testing.TB) *world {
	tb.Helper()
	w, _ := refreshing(tb, "")
	w.setClient(tb, webApp, "grant_types", `["`+approvalGrant+`","refresh_token"]`)
	w.setClient(tb, webApp, "async_approval_notification_channels", `["guardian-push","email"]`)
	return w
}

const annHint = `{"format":"iss_sub","iss":"` + publicURL + `/","sub":"auth0|ann"}`

func (w *world) askApproval(tb testing.TB, pairs ...string) *httptest.ResponseRecorder {
	tb.Helper()
	p := map[string]string{"client_id": webApp, "client_secret": secret, "login_hint": annHint, "binding_message": "AB-12", "scope": "openid"}
	for i := 0; i+1 < len(pairs); i += 2 {
		p[pairs[i]] = pairs[i+1]
	}
	var list []string
	for name, v := range p {
		list = append(list, name, v)
	}
	return w.send(tb, "POST", "/bc-authorize", form(list...))
}

func (w *world) pollApproval(tb testing.TB, id string) (int, string, map[string]any) {
	tb.Helper()
	rec := w.post(tb, form("grant_type", approvalGrant, "client_id", webApp, "client_secret", secret, "auth_req_id", id))
	if rec.Code == 429 && rec.Header().Get("Retry-After") != "10" {
		tb.Errorf("Retry-After %q", rec.Header().Get("Retry-After"))
	}
	return rec.Code, strings.TrimSpace(rec.Body.String()), answer(tb, rec)
}

// approve is what the login does once the person has agreed.
func (w *world) approve(tb testing.TB, id string) string {
	tb.Helper()
	rec := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(tb.Context(), "POST", publicURL+"/u/approval/decision", nil)
	a, err := w.store.Approval(tb.Context(), token.HashOf(id))
	must(tb, err)
	must(tb, w.Respond(rec, r, oauth.AuthorizeRequest{ClientID: a.ClientID, Scope: a.Scope, Audience: a.Audience, Approval: a.Hash}, w.session))
	return rec.Header().Get("Location")
}

const (
	approvalPending = `{"error":"authorization_pending","error_description":"The end-user authorization is pending"}`
	approvalSlow    = `{"error":"slow_down","error_description":"You are polling faster than allowed. Try again in 10 seconds."}`
	approvalNo      = `{"error":"access_denied","error_description":"The end-user denied the authorization request or it has been expired"}`
	approvalUnknown = `{"error":"invalid_grant","error_description":"Invalid or expired auth_req_id."}`
)

func TestApprovalFlow(t *testing.T) {
	w := callCentre(t)
	w.events.list = nil
	rec := w.askApproval(t, "scope", "openid offline_access read:a write:x", "audience", offlineID, "requested_expiry", "120")
	m := answer(t, rec)
	id := text(m, "auth_req_id")
	if rec.Code != 200 || len(id) < 40 || m["expires_in"] != float64(120) || m["interval"] != float64(5) || len(m) != 3 || rec.Header().Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	q, err := w.store.ClaimLetter(t.Context(), 1<<60, 1<<61)
	if err != nil || q == nil || q.Template != letter.AsyncApproval || q.To != "ann@example.com" || q.Lifetime != 120 || !strings.HasPrefix(q.URL, publicURL+"/u/approval?ticket=") ||
		strings.Contains(q.URL, id) || strings.Contains(q.URL, token.HashOf(id)) {
		t.Fatalf("%+v %v", q, err)
	}
	if status, body, _ := w.pollApproval(t, id); status != 400 || body != approvalPending {
		t.Errorf("%d %s", status, body)
	}
	if status, body, _ := w.pollApproval(t, id); status != 429 || body != approvalSlow {
		t.Errorf("%d %s", status, body)
	}
	if got := w.events.types(); got != "" {
		t.Errorf("recorded %q: nothing has happened yet", got)
	}
	w.signIn()
	w.session.Methods = []string{session.Password}
	if to := w.approve(t, id); to != "/u/approval/success" {
		t.Errorf("%s", to)
	}
	w.at = w.at.Add(5 * time.Second)
	status, body, m := w.pollApproval(t, id)
	if status != 200 || text(m, "scope") != "openid offline_access read:a" || text(m, "id_token") == "" || text(m, "refresh_token") == "" {
		t.Fatalf("%d %s", status, body)
	}
	if got := claimsOf(t, text(m, "access_token")); got["sub"] != string(w.ann.ID) || got["gty"] != nil {
		t.Errorf("%v", got)
	}
	if got := w.events.types(); got != audit.ApprovalExchangeOK {
		t.Errorf("recorded %q", got)
	}
	if status, body, _ := w.pollApproval(t, id); status != 400 || body != approvalUnknown {
		t.Errorf("again: %d %s", status, body)
	}
	if to := w.approve(t, id); to != "/u/approval/failure" {
		t.Errorf("approved again: %s", to)
	}
	for _, doc := range []string{"/.well-known/openid-configuration"} {
		if m := answer(t, w.send(t, "GET", doc, "")); m["backchannel_authentication_endpoint"] != publicURL+"/bc-authorize" {
			t.Errorf("%v", m)
		}
	}
}

func TestApprovalOutcomes(t *testing.T) {
	w := callCentre(t)
	w.signIn()
	begin := func(t *testing.T) string {
		t.Helper()
		return text(answer(t, w.askApproval(t)), "auth_req_id")
	}
	t.Run("denied", func(t *testing.T) {
		id := begin(t)
		must(t, w.store.ChangeApproval(t.Context(), token.HashOf(id), func(a *approval.Request) ([]audit.Event, error) {
			a.State = approval.Denied
			return nil, nil
		}))
		if status, body, _ := w.pollApproval(t, id); status != 400 || body != approvalNo {
			t.Errorf("%d %s", status, body)
		}
	})
	t.Run("expired", func(t *testing.T) {
		id := begin(t)
		w.at = w.at.Add(approval.MaxLifetime)
		if to := w.approve(t, id); to != "/u/approval/failure" {
			t.Errorf("approved too late: %s", to)
		}
		if status, body, _ := w.pollApproval(t, id); status != 400 || body != approvalNo {
			t.Errorf("%d %s", status, body)
		}
	})
	t.Run("by somebody else", func(t *testing.T) {
		id := begin(t)
		mine := w.session
		w.session.UserID = string(w.person(t, "eve"))
		if to := w.approve(t, id); to != "/u/approval/failure" {
			t.Errorf("%s", to)
		}
		w.session = mine
		if status, body, _ := w.pollApproval(t, id); status != 400 || body != approvalPending {
			t.Errorf("%d %s", status, body)
		}
	})
	t.Run("another client's", func(t *testing.T) {
		id := begin(t)
		w.setClient(t, machine, "grant_types", `["`+approvalGrant+`"]`)
		rec := w.post(t, form("grant_type", approvalGrant, "client_id", machine, "client_secret", secret, "auth_req_id", id))
		if body := strings.TrimSpace(rec.Body.String()); rec.Code != 400 || body != approvalUnknown {
			t.Errorf("%d %s", rec.Code, body)
		}
	})
	t.Run("blocked in between", func(t *testing.T) {
		id := begin(t)
		w.approve(t, id)
		w.block(t)
		if status, body, _ := w.pollApproval(t, id); status != 403 && status != 400 || strings.Contains(body, "access_token") {
			t.Errorf("%d %s", status, body)
		}
		if rec := w.askApproval(t); rec.Code != 400 || !strings.Contains(rec.Body.String(), "unknown_user_id") {
			t.Errorf("asked of who is blocked: %d %s", rec.Code, rec.Body)
		}
	})
}

func TestApprovalRefusals(t *testing.T) {
	w := callCentre(t)
	hint := func(iss, sub string) string { return `{"format":"iss_sub","iss":"` + iss + `","sub":"` + sub + `"}` }
	for _, row := range []struct {
		name, body string
		status     int
		pairs      []string
	}{
		{"unknown user", `{"error":"unknown_user_id","error_description":"User ID is malformed or unknown"}`, 400, []string{"login_hint", hint(publicURL+"/", "auth0|nobody")}},
		{"another issuer", `{"error":"unknown_user_id","error_description":"User ID is malformed or unknown"}`, 400, []string{"login_hint", hint("https://evil.example/", "auth0|ann")}},
		{"no hint", `{"error":"invalid_request","error_description":"login_hint is required"}`, 400, []string{"login_hint", ""}},
		{"a bare id", `"error":"invalid_request"`, 400, []string{"login_hint", "auth0|ann"}},
		{"no openid", `{"error":"invalid_request","error_description":"openid scope must be requested"}`, 400, []string{"scope", "read:a"}},
		{"no message", `{"error":"invalid_request","error_description":"binding_message is required"}`, 400, []string{"binding_message", ""}},
		{"a long message", `"error":"invalid_binding_message"`, 400, []string{"binding_message", strings.Repeat("x", 65)}},
		{"too long", `"error":"invalid_request"`, 400, []string{"requested_expiry", "301"}},
		{"unknown API", `"error":"access_denied"`, 403, []string{"audience", "urn:nothing"}},
		{"wrong secret", `{"error":"access_denied","error_description":"Unauthorized"}`, 401, []string{"client_secret", "x"}},
		{"grant missing", `"error":"unauthorized_client"`, 403, []string{"client_id", machine}},
	} {
		t.Run(row.name, func(t *testing.T) {
			w.events.list = nil
			rec := w.askApproval(t, row.pairs...)
			if rec.Code != row.status || !strings.Contains(rec.Body.String(), row.body) {
				t.Errorf("%d %s", rec.Code, rec.Body)
			}
			if got := w.events.types(); got != audit.ApprovalNotAsked {
				t.Errorf("recorded %q", got)
			}
			if q, err := w.store.ClaimLetter(t.Context(), 1<<60, 1<<61); err != nil || q != nil {
				t.Errorf("a letter: %+v %v", q, err)
			}
		})
	}
	t.Run("clients", func(t *testing.T) {
		w.setClient(t, webApp, "async_approval_notification_channels", `["guardian-push"]`)
		if rec := w.askApproval(t); rec.Code != 400 || !strings.Contains(rec.Body.String(), "No notification channel is available") {
			t.Errorf("without a channel: %d %s", rec.Code, rec.Body)
		}
		w.setClient(t, webApp, "async_approval_notification_channels", `["email"]`)
		w.d.MailsReady = func() bool { return false }
		if rec := w.askApproval(t); rec.Code != 400 || !strings.Contains(rec.Body.String(), errNoMail.Text) {
			t.Errorf("without a mail server: %d %s", rec.Code, rec.Body)
		}
		w.setClient(t, webApp, "is_first_party", `false`)
		if rec := w.askApproval(t); rec.Code != 403 || !strings.Contains(rec.Body.String(), errThirdParty.Text) {
			t.Errorf("a third party: %d %s", rec.Code, rec.Body)
		}
		w.setClient(t, spaApp, "grant_types", `["`+approvalGrant+`"]`)
		if rec := w.askApproval(t, "client_id", spaApp, "client_secret", ""); rec.Code != 403 || !strings.Contains(rec.Body.String(), errApprovalClient.Text) {
			t.Errorf("a public client: %d %s", rec.Code, rec.Body)
		}
	})
	t.Run("too often", func(t *testing.T) {
		w := callCentre(t)
		for range approvalLimit.Burst {
			if rec := w.askApproval(t); rec.Code != 200 {
				t.Fatalf("%d %s", rec.Code, rec.Body)
			}
		}
		if rec := w.askApproval(t); rec.Code != 429 || rec.Header().Get("Retry-After") == "" {
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
	})
	rec := w.post(t, form("grant_type", approvalGrant, "client_id", webApp, "client_secret", secret))
	if rec.Code != 400 || !strings.Contains(rec.Body.String(), "Missing required parameter: auth_req_id") {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
}

// person adds somebody.
func (w *world) person(tb testing.TB, name string) user.ID {
	tb.Helper()
	u, err := w.d.Users.Create(tb.Context(), user.CreateRequest{Connection: "Users", UserID: name, Password: secretPW, Changes: []profile.Change{
		{Name: "email", Value: profile.Text(name + "@example.com")},
	}}, user.Actor{ClientID: machine})
	must(tb, err)
	return u.ID
}
