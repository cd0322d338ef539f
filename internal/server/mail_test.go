package server

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	netmail "net/mail"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mangrove/internal/config"
	"mangrove/internal/mail"
)

// A user is created, a mail goes out, and its link verifies the address: all of
// it by what production wires. The link has the configured host, whatever the
// request called it.
func TestVerificationMailFromEndToEnd(t *testing.T) {
	const id, secret = "the-management-client", "the-secret-of-the-management-client-is-long"
	dir := t.TempDir()
	r := start(t, config.Config{
		Data: dir, ImportLimit: 1 << 20, BootstrapClientID: id, BootstrapClientSecret: secret,
		Mail: mail.Server{Directory: true}, MailFrom: netmail.Address{Address: "id@example.com"},
	})
	ask := func(method, to, bearer, body string) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, to, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "evil.example"
		req.Header.Set("X-Forwarded-Host", "evil.example")
		if bearer != "" {
			req.Header.Set("Authorization", "Bearer "+bearer)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded") // as an empty form has
		if body != "" {
			req.Header.Set("Content-Type", "application/json")
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(b)
	}
	field := func(body, name string) string {
		t.Helper()
		var m map[string]any
		if err := json.Unmarshal([]byte(body), &m); err != nil {
			t.Fatalf("%v: %s", err, body)
		}
		s, _ := m[name].(string)
		return s
	}
	_, body := ask("POST", r.url+"/oauth/token", "", `{"grant_type":"client_credentials","client_id":"`+id+`","client_secret":"`+secret+`","audience":"`+r.url+`/api/v2/"}`)
	token := field(body, "access_token")
	status, body := ask("POST", r.url+"/api/v2/users", token, `{"connection":"Username-Password-Authentication","email":"ann@example.com","password":"correct horse battery staple 1A","verify_email":false}`)
	if status != 201 {
		t.Fatalf("%d %s", status, body)
	}
	userID := field(body, "user_id")
	status, body = ask("POST", r.url+"/api/v2/jobs/verification-email", token, `{"user_id":"`+userID+`"}`)
	if status != 201 {
		t.Fatalf("%d %s", status, body)
	}
	for job := field(body, "id"); field(body, "status") != "completed"; { // the API has no other signal
		if _, body = ask("GET", r.url+"/api/v2/jobs/"+job, token, ""); field(body, "status") == "failed" {
			t.Fatal(body)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "mail", "*.eml"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	written, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	// Quoted-printable, as mails are.
	plain := strings.ReplaceAll(string(bytes.ReplaceAll(bytes.ReplaceAll(written, []byte("=\r\n"), nil), []byte("=\n"), nil)), "=3D", "=")
	link := regexp.MustCompile(regexp.QuoteMeta(r.url) + `/u/email-verification\?ticket=[A-Za-z0-9]{32}#`).FindString(plain)
	if link == "" || strings.Contains(plain, "evil.example") {
		t.Fatalf("no link of ours in\n%s", written)
	}
	if status, body := ask("POST", link, "", ""); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	if _, body := ask("GET", r.url+"/api/v2/users/"+strings.ReplaceAll(userID, "|", "%7C"), token, ""); !strings.Contains(body, `"email_verified":true`) {
		t.Error(body)
	}
}
