package login_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"mangrove/internal/consent"
	"mangrove/internal/oauth"
	"mangrove/internal/user"
)

// asked is what the person has to be asked: the rig's question, until it was
// answered with yes.
func (r *rig) asked(ctx context.Context, _ oauth.AuthorizeRequest, u *user.User) (consent.Question, error) {
	r.mu.Lock()
	q := r.question
	r.mu.Unlock()
	q.UserID = string(u.ID)
	there, err := r.store.Consent(ctx, q.UserID, q.ClientID, q.API)
	if err != nil && !errors.Is(err, consent.ErrNotFound) {
		return q, err
	}
	missing := slices.ContainsFunc(q.Scope, func(s consent.Scope) bool { return !slices.Contains(there.Scope, s.Name) })
	q.Needed = q.Needed && (err != nil || missing)
	return q, nil
}

// signOut is what the confirmation page ends in.
func (r *rig) signOut(w http.ResponseWriter, _ *http.Request, fields map[string]string) error {
	_, err := fmt.Fprintf(w, "signed out with %d fields, state %s", len(fields), fields["state"])
	return err
}

func (r *rig) ask(scopes ...consent.Scope) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.question = consent.Question{Needed: true, ClientID: appID, API: "api", APIName: "Tides", Audience: "urn:tides", Scope: scopes}
}

func (r *rig) agreed(id user.ID) []string {
	r.t.Helper()
	c, err := r.store.Consent(r.t.Context(), string(id), appID, "api")
	if err != nil && !errors.Is(err, consent.ErrNotFound) {
		r.t.Fatal(err)
	}
	return c.Scope
}

// TestConsent is security 60 at the page: shown as text, bound to what was shown.
func TestConsent(t *testing.T) {
	r := newRig(t)
	r.database()
	id := r.person("ada@example.test")
	r.ask(consent.Scope{Name: "read:tides", Description: `Read <script>alert(1)</script>`})

	b := r.browser()
	a := b.signIn("ada@example.test", password)
	a.wantPage(t, http.StatusOK, "Read &lt;script&gt;")
	if a.at.Path != "/u/consent" || strings.Contains(a.body, "<script>alert") || !strings.Contains(a.body, "ada@example.test") || !strings.Contains(a.body, "Tide &lt;Tables&gt;") {
		t.Errorf("%s %s", a.at, a.body)
	}
	to := action(t, a.body)

	// Nothing but one of the two answers counts, and from here alone.
	if got := b.post(to, url.Values{"decision": {"maybe"}}); got.status != http.StatusBadRequest || got.app != nil {
		t.Errorf("maybe: %d", got.status)
	}
	if got := b.postWith(to, "application/x-www-form-urlencoded", "decision=accept", map[string]string{"Origin": "https://evil.test", "Sec-Fetch-Site": "cross-site"}); got.status != http.StatusForbidden {
		t.Errorf("from another site: %d", got.status)
	}
	if got := r.browser().post(to, url.Values{"decision": {"accept"}}); got.status != http.StatusBadRequest || got.app != nil {
		t.Errorf("another browser: %d", got.status)
	}
	if got := r.agreed(id); got != nil {
		t.Fatalf("agreed to %v", got)
	}

	// More than what was shown is asked for again.
	r.ask(consent.Scope{Name: "read:tides"}, consent.Scope{Name: "write:tides"})
	a = b.post(to, url.Values{"decision": {"accept"}, "scope": {"admin"}})
	a.wantPage(t, http.StatusOK, "write:tides")
	if got := r.agreed(id); got != nil {
		t.Fatalf("agreed to %v", got)
	}
	a = b.post(action(t, a.body), url.Values{"decision": {"accept"}})
	a.wantUser(t, string(id))
	if got := r.agreed(id); !slices.Equal(got, []string{"read:tides", "write:tides"}) {
		t.Errorf("agreed to %v", got)
	}
	// The state is over, and the next login asks nothing.
	if got := b.post(to, url.Values{"decision": {"accept"}}); got.status != http.StatusBadRequest {
		t.Errorf("again: %d", got.status)
	}
	r.browser().signIn("ada@example.test", password).wantUser(t, string(id))
}

func TestConsentDenied(t *testing.T) {
	r := newRig(t)
	r.database()
	id := r.person("ada@example.test")
	r.ask(consent.Scope{Name: "read:tides"})
	b := r.browser()
	a := b.signIn("ada@example.test", password)
	a = b.post(action(t, a.body), url.Values{"decision": {"deny"}})
	if a.app.Get("error") != "access_denied" || a.app.Get("error_description") != "User did not authorize the request" || a.app.Get("state") != "app-state" {
		t.Errorf("%d %v", a.status, a.app)
	}
	if got := r.agreed(id); got != nil {
		t.Errorf("agreed to %v", got)
	}
}

// TestConsentComesLast: nobody agrees to anything before the session has begun.
func TestConsentComesLast(t *testing.T) {
	r := newRig(t)
	r.database()
	r.person("ada@example.test")
	r.ask(consent.Scope{Name: "read:tides"})
	b := r.browser()
	a := b.get("/authorize")
	to := strings.Replace(action(t, a.body), "/u/login", "/u/consent", 1)
	for _, got := range []answer{b.get(to), b.post(to, url.Values{"decision": {"accept"}})} {
		if got.status != http.StatusBadRequest || got.app != nil {
			t.Errorf("%d %v", got.status, got.app)
		}
	}
}

func TestLogoutPage(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	if got := b.post("/u/logout", url.Values{"state": {"s"}, "client_id": {appID}}); got.body != "signed out with 2 fields, state s" {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := b.postWith("/u/logout", "application/x-www-form-urlencoded", "state=s", map[string]string{"Origin": "https://evil.test", "Sec-Fetch-Site": "cross-site"}); got.status != http.StatusForbidden {
		t.Errorf("from another site: %d %s", got.status, got.body)
	}
	defer b.stopAt("/oidc/logout")()
	if got := b.get("/u/logout?client_id=x"); got.header.Get("Location") != "/oidc/logout?client_id=x" {
		t.Errorf("%s", got.header.Get("Location"))
	}
}
