package login_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"mangrove/internal/audit"
	"mangrove/internal/guard"
	"mangrove/internal/letter"
	"mangrove/internal/ticket"
	"mangrove/internal/user"
)

// unblockMail keeps the letters that carry tickets.
type unblockMail struct {
	ticket.Store
	letters []letter.Letter
}

func (m *unblockMail) SendTicket(ctx context.Context, t *ticket.Ticket, letters []letter.Letter, events ...audit.Event) error {
	m.letters = append(m.letters, letters...)
	return m.Store.SendTicket(ctx, t, letters, events...)
}

// The mailed link: looking changes nothing, one press releases, once; from
// another site nothing (security.md 82, 84, 121).
func TestUnblockPage(t *testing.T) {
	r := newRig(t)
	r.database()
	ann := r.person("ann@example.com")
	guards := &guard.Service{Store: r.store, Settings: r.store, Audit: r, Users: r.store, Connections: r.store, Now: r.now}
	box := &unblockMail{Store: r.tickets.Store}
	r.tickets.Store, r.tickets.Unblocker, guards.Mail = box, guards, r.tickets.SendUnblock
	r.users.Guard = guards
	c, err := r.store.Connection(t.Context(), databaseID)
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		_, _ = r.users.Authenticate(t.Context(), c, "ann@example.com", "wrong", user.Actor{IP: "203.0.113.4"})
	}
	blocked := func() bool {
		t.Helper()
		list, err := guards.UserBlocks(t.Context(), ann, true)
		if err != nil {
			t.Fatal(err)
		}
		return len(list) == 1
	}
	if !blocked() || len(box.letters) != 1 {
		t.Fatalf("blocked %v, letters %v", blocked(), box.letters)
	}
	to := strings.TrimSuffix(strings.TrimPrefix(box.letters[0].URL, r.url), "#")
	b := r.browser()
	if a := b.get(to); a.status != http.StatusOK || !strings.Contains(a.body, "/u/unblock?ticket=") || !blocked() {
		t.Fatalf("the page: %d %s", a.status, a.body)
	}
	if a := b.postWith(to, "application/x-www-form-urlencoded", "", map[string]string{"Sec-Fetch-Site": "cross-site"}); a.status != http.StatusForbidden || !blocked() {
		t.Errorf("posted by another site: %d", a.status)
	}
	if a := b.post(to, nil); a.status != http.StatusOK || blocked() {
		t.Errorf("the press: %d %s", a.status, a.body)
	}
	for _, bad := range []string{to, "/u/unblock", "/u/unblock?ticket=nonsense", strings.Replace(to, "unblock", "email-verification", 1)} {
		if a := b.get(bad); a.status != http.StatusBadRequest || strings.Contains(a.body, "<form") {
			t.Errorf("%s: %d %s", bad, a.status, a.body)
		}
	}
	if a := b.post(to, nil); a.status != http.StatusBadRequest {
		t.Errorf("again: %d", a.status)
	}
}
