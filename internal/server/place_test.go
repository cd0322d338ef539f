package server_test

import (
	"net/http"
	"strings"
	"testing"

	"mangrove/internal/store/storetest"
)

// TestPlace: by the address of the connection, not by what a header says.
func TestPlace(t *testing.T) {
	w := newWorld(t, storetest.SQLite)
	for name, ranges := range map[string]string{"desk": `"192.0.2.0/24, 127.0.0.0/8"`, "far": `["192.0.2.0/24","2001:db8::/32"]`} {
		if status, body := w.call("POST", "/api/v2/connections", `{"name":"`+name+`","strategy":"ip","options":{"username":"Front desk","range":`+ranges+`}}`); status != 201 {
			t.Fatalf("%d %s", status, body)
		}
	}
	if status, body := w.call("POST", "/api/v2/connections", `{"name":"all","strategy":"ip","options":{"username":"x","range":"0.0.0.0/0"}}`); status != 400 || !strings.Contains(body, "options.range") {
		t.Errorf("everywhere: %d %s", status, body)
	}
	a := w.newApplication("desk", "far")
	for range 2 {
		if in, q := a.signIn(w.newBrowser(), "desk", ""); in == nil || in.subject != "ip|desk|Front desk" || in.claims["name"] != "Front desk" {
			t.Fatalf("%+v %v", in, q)
		}
	}
	want(t, "of the range", w.profileOf("ip|desk|Front desk"), map[string]any{"name": "Front desk", "email": nil, "logins_count": 2.0})
	b := w.newBrowser()
	b.client.Transport = forwarded{b.client.Transport}
	if in, q := a.signIn(b, "far", ""); in != nil || q.Get("error") != "access_denied" || !strings.Contains(q.Get("error_description"), "network address") {
		t.Errorf("from elsewhere: %+v %v", in, q)
	}
}

// forwarded says that it speaks for somebody of the range.
type forwarded struct{ http.RoundTripper }

func (f forwarded) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-Forwarded-For", "192.0.2.7")
	return f.RoundTripper.RoundTrip(r)
}
