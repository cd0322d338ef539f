package mgmt

import (
	"net/http"
	"testing"

	"mangrove/internal/user"
)

// guess fails to sign in n times as whoever has that name.
func (w *world) guess(t *testing.T, name string, n int) {
	t.Helper()
	c, err := w.store.Connection(t.Context(), usersID)
	must(t, err)
	for range n {
		if _, err := w.api.Users.Authenticate(t.Context(), c, name, "wrong", user.Actor{IP: "2001:db8:1:2::3"}); err == nil {
			t.Fatal("signed in")
		}
	}
}

// Blocks by user and by name, and what releases them (reference/authentication.md §5.4).
func TestUserBlocks(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		const none = `{"blocked_for":[]}`
		blocked := func(name string) string {
			return `{"blocked_for":[{"identifier":"` + name + `","ip":"2001:db8:1:2::/64","connection":"Users"}]}`
		}
		read, update := w.machine(t, "read:users"), w.machine(t, "update:users")
		listed := func(path, want string) {
			t.Helper()
			answers(t, w.call(t, "GET", path, read, ""), 200, []string{want}, nil)
		}
		w.guess(t, "ann@example.com", 9)
		listed("/user-blocks/auth0%7Cann", none)
		w.guess(t, "ann@example.com", 1)
		listed("/user-blocks/auth0%7Cann", blocked("ann@example.com"))
		listed("/user-blocks?identifier=ANN%40example.com&consider_brute_force_enablement=true", blocked("ann@example.com"))
		answers(t, w.call(t, "DELETE", "/user-blocks/auth0%7Cann", read, ""), 403, []string{"insufficient_scope"}, nil)
		listed("/user-blocks/auth0%7Cann", blocked("ann@example.com"))
		answers(t, w.call(t, "DELETE", "/user-blocks/auth0%7Cann", update, ""), 204, nil, nil)
		listed("/user-blocks/auth0%7Cann", none)

		w.guess(t, "nobody@example.com", 10)
		listed("/user-blocks?identifier=nobody%40example.com", blocked("nobody@example.com"))
		answers(t, w.call(t, "DELETE", "/user-blocks?identifier=nobody%40example.com", update, ""), 204, nil, nil)
		listed("/user-blocks?identifier=nobody%40example.com", none)

		// Another password releases, too.
		w.guess(t, "ann@example.com", 10)
		answers(t, w.call(t, "PATCH", "/users/auth0%7Cann", update, `{"password":"another good long password"}`), 200, nil, nil)
		listed("/user-blocks/auth0%7Cann", none)
	})
}

// An address is blocked or not: 200 or 404, without a body to speak of.
func TestAddressBlocks(t *testing.T) {
	w := newWorld(t)
	read, remove := w.machine(t, "read:anomaly_blocks"), w.machine(t, "delete:anomaly_blocks")
	answers(t, w.call(t, "GET", "/anomaly/blocks/ips/203.0.113.4", read, ""), 404, []string{`{"statusCode":404,"error":"Not Found","message":"Not Found"}`}, nil)
	answers(t, w.call(t, "DELETE", "/anomaly/blocks/ips/203.0.113.4", remove, ""), 204, nil, nil)
	answers(t, w.call(t, "GET", "/anomaly/blocks/ips/nonsense", read, ""), 400, []string{"ip-address"}, nil)
	answers(t, w.call(t, "DELETE", "/anomaly/blocks/ips/203.0.113.4", read, ""), 403, []string{"insufficient_scope"}, nil)

	s := w.machine(t, "update:attack_protection")
	answers(t, w.call(t, "PATCH", "/attack-protection/suspicious-ip-throttling", s, `{"stage":{"pre-login":{"max_attempts":2,"rate":600000}}}`), 200, nil, nil)
	w.guess(t, "nobody@example.com", 2)
	rec := w.call(t, "GET", "/anomaly/blocks/ips/2001%3Adb8%3A1%3A2%3A%3A9", read, "")
	if rec.Code != http.StatusOK || rec.Body.Len() != 0 {
		t.Errorf("blocked: %d %s", rec.Code, rec.Body)
	}
	answers(t, w.call(t, "DELETE", "/anomaly/blocks/ips/2001%3Adb8%3A1%3A2%3A%3A9", remove, ""), 204, nil, nil)
	answers(t, w.call(t, "GET", "/anomaly/blocks/ips/2001%3Adb8%3A1%3A2%3A%3A3", read, ""), 404, nil, nil)
}
