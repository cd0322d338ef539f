package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"mangrove/internal/mail/mailtest"
)

// A real mail server, named by the Management API, receives what people are sent,
// in our words and in the tenant's; its link verifies the address.
func TestMailServerReceives(t *testing.T) {
	onBothEngines(t, func(t *testing.T, w *world) {
		box := mailtest.Start(t)
		want := func(status int, method, path, body string) string {
			t.Helper()
			got, answer := w.call(method, path, body)
			if got != status {
				t.Fatalf("%s %s: %d %s", method, path, got, answer)
			}
			return answer
		}
		create := func(address, name string) {
			t.Helper()
			b, err := json.Marshal(map[string]string{"connection": database, "email": address, "password": goodPassword, "name": name})
			if err != nil {
				t.Fatal(err)
			}
			want(http.StatusCreated, "POST", "/api/v2/users", string(b))
		}
		link := func(m mailtest.Mail) string {
			t.Helper()
			l := regexp.MustCompile(regexp.QuoteMeta(w.url) + `/u/email-verification\?ticket=[A-Za-z0-9]{32}#`).FindString(m.HTML)
			if l == "" {
				t.Fatalf("no link in %+v", m)
			}
			return l
		}

		want(http.StatusNotFound, "GET", "/api/v2/emails/provider", "")
		provider := fmt.Sprintf(`{"name":"smtp","default_from_address":"Tides <tides@example.com>","credentials":{"smtp_host":%q,"smtp_port":%d}}`, box.Host, box.Port)
		want(http.StatusCreated, "POST", "/api/v2/emails/provider", provider)

		create("ann@example.com", "Ann")
		m := box.Mail("ann@example.com")
		if m.From != "tides@example.com" || m.Subject != "Verify your email address" || !strings.Contains(m.Text, link(m)) {
			t.Errorf("%+v", m)
		}
		resp, err := w.client.Post(link(m), "application/x-www-form-urlencoded", nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if found := want(http.StatusOK, "GET", "/api/v2/users-by-email?email=ann%40example.com", ""); resp.StatusCode != http.StatusOK || !strings.Contains(found, `"email_verified":true`) {
			t.Errorf("%d %s", resp.StatusCode, found)
		}

		want(http.StatusOK, "POST", "/api/v2/email-templates", `{"template":"verify_email","syntax":"liquid","enabled":true,"from":"Welcome <hello@example.com>","subject":"Ahoy {{ user.name }}",
			"body":"<p>Ahoy {{ user.name }}: <a href='{{ url }}'>verify</a></p>"}`)
		create("eve@example.com", "<b>{{ url }}</b>\u2026")
		m = box.Mail("eve@example.com")
		if m.From != "hello@example.com" || m.Subject != "Ahoy <b>{{ url }}</b>\u2026" || !strings.Contains(m.HTML, "Ahoy &lt;b&gt;{{ url }}&lt;/b&gt;\u2026: <a href=") || link(m) == "" {
			t.Errorf("%+v", m)
		}

		want(http.StatusNoContent, "DELETE", "/api/v2/emails/provider", "")
		w.stop()
		if logs := w.logs.String(); strings.Contains(logs, "ann@example.com") || strings.Contains(logs, "ticket=") {
			t.Error("the log names a person, or a ticket")
		}
	})
}
