package server_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	netmail "net/mail"

	"mangrove/internal/config"
	"mangrove/internal/mail"
	"mangrove/internal/server"
)

// BenchmarkKnownAndUnknown measures interleaved pairs of requests that name
// somebody and nobody (security.md 74), and reports the medians in milliseconds.
// Run it with -benchtime=200x.
func BenchmarkKnownAndUnknown(b *testing.B) {
	cfg := config.Config{
		PublicURL: "http://localhost:8080", Data: b.TempDir(), ImportLimit: 1 << 20, BootstrapClientID: managementID, BootstrapClientSecret: managementSecret,
		Mail: mail.Server{Directory: true}, MailFrom: netmail.Address{Address: "id@example.com"},
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}, // httptest's peer
	}
	s, err := server.New(b.Context(), cfg, server.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	addresses := netip.MustParseAddr("2001:db8::")
	send := func(method, path, bearer, body string) (int, string, time.Duration) {
		r := httptest.NewRequestWithContext(b.Context(), method, cfg.PublicURL+path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		if bearer != "" {
			r.Header.Set("Authorization", "Bearer "+bearer)
		}
		// Each from a network of its own, so that nobody is throttled.
		a := addresses.As16()
		for i := 7; i >= 0; i-- {
			if a[i]++; a[i] != 0 {
				break
			}
		}
		addresses = netip.AddrFrom16(a)
		r.Header.Set("X-Forwarded-For", addresses.String())
		w := httptest.NewRecorder()
		start := time.Now()
		s.Handler().ServeHTTP(w, r)
		return w.Code, w.Body.String(), time.Since(start)
	}
	member := func(body, name string) string {
		var m map[string]any
		if err := json.Unmarshal([]byte(body), &m); err != nil {
			b.Fatalf("%v: %s", err, body)
		}
		text, _ := m[name].(string)
		return text
	}
	_, body, _ := send("POST", "/oauth/token", "", `{"grant_type":"client_credentials","client_id":"`+managementID+`","client_secret":"`+managementSecret+`","audience":"`+cfg.PublicURL+`/api/v2/"}`)
	bearer := member(body, "access_token")
	must := func(method, path, body string) string {
		status, answer, _ := send(method, path, bearer, body)
		if status > 299 {
			b.Fatalf("%s %s: %d %s", method, path, status, answer)
		}
		return answer
	}
	app := must("POST", "/api/v2/clients", `{"name":"An application","app_type":"regular_web","grant_types":["`+realmGrant+`"],"callbacks":["http://app.example/callback"]}`)
	id, secret := member(app, "client_id"), member(app, "client_secret")
	email := member(must("POST", "/api/v2/connections", `{"name":"email","strategy":"email","options":{"disable_signup":true}}`), "id")
	var list []map[string]any
	if err := json.Unmarshal([]byte(must("GET", "/api/v2/connections?strategy=auth0", "")), &list); err != nil {
		b.Fatal(err)
	}
	for _, c := range []string{email, list[0]["id"].(string)} {
		must("PATCH", "/api/v2/connections/"+c+"/clients", `[{"client_id":"`+id+`","status":true}]`)
	}
	must("PATCH", "/api/v2/attack-protection/suspicious-ip-throttling", `{"enabled":false}`)
	people := 0
	for _, row := range []struct{ name, connection, path, body string }{
		{"sign-in", database, "/oauth/token", `{"grant_type":"` + realmGrant + `","realm":"` + database + `","client_id":"` + id + `","client_secret":"` + secret + `","username":%q,"password":"a wrong password"}`},
		{"reset", database, "/dbconnections/change_password", `{"client_id":"` + id + `","connection":"` + database + `","email":%q}`},
		{"code", "email", "/passwordless/start", `{"client_id":"` + id + `","client_secret":"` + secret + `","connection":"email","email":%q,"send":"code"}`},
		{"sign-up", database, "/dbconnections/signup", `{"client_id":"` + id + `","connection":"` + database + `","email":%q,"password":"` + goodPassword + `"}`},
	} {
		b.Run(row.name, func(b *testing.B) {
			var known, unknown []time.Duration
			for i := range b.N {
				people++
				there, nobody := fmt.Sprintf("there%d@example.test", people), fmt.Sprintf("nobod%d@example.test", people)
				user := `{"connection":"` + row.connection + `","email":"` + there + `","email_verified":true,"verify_email":false`
				if row.connection == database {
					user += `,"password":"` + goodPassword + `"`
				}
				must("POST", "/api/v2/users", user+"}")
				try := func(who string) time.Duration {
					status, answer, took := send("POST", row.path, "", fmt.Sprintf(row.body, who))
					if status > 403 || (row.name == "reset" || row.name == "code") && status != 200 {
						b.Fatalf("%d %s", status, answer)
					}
					return took
				}
				// In turn, so that neither is always the first.
				if i%2 == 0 {
					known, unknown = append(known, try(there)), append(unknown, try(nobody))
				} else {
					unknown, known = append(unknown, try(nobody)), append(known, try(there))
				}
			}
			slices.Sort(known)
			slices.Sort(unknown)
			ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
			b.ReportMetric(ms(known[len(known)/2]), "known-ms")
			b.ReportMetric(ms(unknown[len(unknown)/2]), "unknown-ms")
		})
	}
}
