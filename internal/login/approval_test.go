package login_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"mangrove/internal/approval"
	"mangrove/internal/audit"
	"mangrove/internal/consent"
	"mangrove/internal/token"
	"mangrove/internal/user"
)

// requestApproval keeps a request to the person; its link has the name as its secret.
func (r *rig) requestApproval(name string, id user.ID) (link string) {
	r.t.Helper()
	r.mu.Lock()
	r.question = consent.Question{ClientID: appID, API: "api", APIName: "Tides", Audience: "urn:tides", Scope: []consent.Scope{{Name: "read:tides"}}}
	r.mu.Unlock()
	err := r.store.SaveApproval(r.t.Context(), approval.Request{
		Hash: "hash-" + name, LinkHash: token.HashOf(name), ClientID: appID, UserID: string(id), Scope: []string{"openid", "read:tides"}, Message: "TIDE <42>",
		State: approval.Pending, ExpiresAt: r.now().Add(approval.MaxLifetime).UnixMicro(),
	}, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return approval.Path + "?ticket=" + name
}

func (r *rig) approvalState(name string) approval.State {
	r.t.Helper()
	a, err := r.store.Approval(r.t.Context(), "hash-"+name)
	if err != nil {
		r.t.Fatal(err)
	}
	return a.State
}

func TestApproval(t *testing.T) {
	r := newRig(t)
	r.database()
	id := r.person("ada@example.test")
	b := r.browser()
	p := b.get(r.requestApproval("one", id))
	if strings.Contains(p.body, "ada@") || strings.Contains(p.body, "TIDE") {
		t.Errorf("whoever has the link learns of whom and what: %s", p.body)
	}
	p = b.enter(p, "ada@example.test", password)
	if p.status != http.StatusOK || p.at.Path != "/u/approval/decision" {
		t.Fatalf("%d %s %s", p.status, p.at, p.body)
	}
	for _, want := range []string{"TIDE &lt;42&gt;", "Tide &lt;Tables&gt;", "read:tides", "Tides", "ada@example.test"} {
		if !strings.Contains(p.body, want) {
			t.Errorf("%q is not shown: %s", want, p.body)
		}
	}
	to := action(t, p.body)
	if a := b.post(to, url.Values{"decision": {"maybe"}}); a.status != http.StatusBadRequest || a.at.Query().Has("user") {
		t.Errorf("maybe: %d", a.status)
	}
	if a := b.postWith(to, "application/x-www-form-urlencoded", "decision=accept", map[string]string{"Origin": "https://evil.test", "Sec-Fetch-Site": "cross-site"}); a.status != http.StatusForbidden {
		t.Errorf("from another site: %d", a.status)
	}
	if a := r.browser().post(to, url.Values{"decision": {"accept"}}); a.status != http.StatusBadRequest || a.at.Query().Has("user") {
		t.Errorf("another browser: %d", a.status)
	}
	if a := b.post(to, url.Values{"decision": {"accept"}}); a.at.Query().Get("user") != string(id) {
		t.Errorf("accepted: %d %s", a.status, a.at)
	}
	if a := b.post(to, url.Values{"decision": {"accept"}}); a.at.Query().Has("user") {
		t.Error("accepted twice")
	}

	// The session that is there serves the next one, and the person still decides.
	p = b.get(r.requestApproval("two", id))
	if p.at.Path != "/u/approval/decision" {
		t.Fatalf("%d %s", p.status, p.at)
	}
	if a := b.post(action(t, p.body), url.Values{"decision": {"deny"}}); a.at.Path != "/u/approval/denied" || r.approvalState("two") != approval.Denied {
		t.Errorf("denied: %d %s", a.status, a.at)
	}
	events, err := r.store.Events(t.Context(), audit.Span{UserID: string(id), Limit: 100})
	if err != nil || !slices.ContainsFunc(events, func(e audit.Event) bool { return e.Type == audit.FactorRejected && e.ClientID == appID }) {
		t.Errorf("recorded %+v, %v", events, err)
	}
	// The link leads nowhere any more.
	if a := b.get(approval.Path + "?ticket=two"); a.status != http.StatusBadRequest || a.at.Path != approval.Path {
		t.Errorf("decided: %d %s", a.status, a.at)
	}
}

// The mail alone is worth nothing: not without an account, not with another's.
func TestApprovalOfAnother(t *testing.T) {
	r := newRig(t)
	r.database()
	id := r.person("ada@example.test")
	r.person("eve@example.test")
	link := r.requestApproval("one", id)
	b := r.browser()
	if p := b.get("/u/approval/decision?state=" + strings.Repeat("x", 43)); p.status != http.StatusBadRequest {
		t.Errorf("without a sign-in: %d", p.status)
	}
	p := b.enter(b.get(link), "eve@example.test", password)
	if p.at.Path != "/u/approval/other" || strings.Contains(p.body, "ada@") || strings.Contains(p.body, "TIDE") {
		t.Errorf("%d %s %s", p.status, p.at, p.body)
	}
	// Signed in as another, one is asked to sign in, not to decide.
	if p := b.get(link); p.at.Path == "/u/approval/decision" {
		t.Errorf("%d %s", p.status, p.at)
	}
	if s := r.approvalState("one"); s != approval.Pending {
		t.Errorf("somebody else made it %s", s)
	}
	if len(r.refusals()) == 0 {
		t.Error("nothing is on record")
	}
	p = r.browser().get("/u/approval?ticket=nope")
	if p.status != http.StatusBadRequest || p.at.Path != approval.Path {
		t.Errorf("an invented link: %d %s", p.status, p.at)
	}
	ada := r.browser()
	p = ada.enter(ada.get(link), "ada@example.test", password)
	to := action(t, p.body)
	r.pass(approval.MaxLifetime)
	if a := ada.post(to, url.Values{"decision": {"accept"}}); a.at.Query().Has("user") || a.at.Query().Get("error") != "invalid_request" {
		t.Errorf("too late: %d %s", a.status, a.at)
	}
	if p := ada.get(link); p.status != http.StatusBadRequest {
		t.Errorf("expired: %d", p.status)
	}
	for _, page := range []string{"success", "failure", "denied", "other"} {
		if a := ada.get(approval.Path + "/" + page); a.status != http.StatusOK {
			t.Errorf("%s: %d", page, a.status)
		}
	}
}

// What is approved is what was shown.
func TestApprovalOfMore(t *testing.T) {
	r := newRig(t)
	r.database()
	id := r.person("ada@example.test")
	b := r.browser()
	p := b.enter(b.get(r.requestApproval("one", id)), "ada@example.test", password)
	r.mu.Lock()
	r.question.Scope = append(r.question.Scope, consent.Scope{Name: "write:tides"})
	r.mu.Unlock()
	p = b.post(action(t, p.body), url.Values{"decision": {"accept"}})
	if p.at.Query().Has("user") || !strings.Contains(p.body, "write:tides") {
		t.Fatalf("%d %s", p.status, p.at)
	}
	if p = b.post(action(t, p.body), url.Values{"decision": {"accept"}}); p.at.Query().Get("user") != string(id) {
		t.Errorf("%d %s", p.status, p.at)
	}
}
