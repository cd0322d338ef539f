package server_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
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
		if in, q := a.signIn(w.newBrowser(), "desk", ""); in == nil || in.subject != "ip|Front desk" || in.claims["name"] != "Front desk" {
			t.Fatalf("%+v %v", in, q)
		}
	}
	want(t, "of the range", w.profileOf("ip|Front desk"), map[string]any{"name": "Front desk", "email": nil, "logins_count": 2.0})
	b := w.newBrowser()
	b.client.Transport = forwarded{b.client.Transport}
	if in, q := a.signIn(b, "far", ""); in != nil || q.Get("error") != "access_denied" || !strings.Contains(q.Get("error_description"), "network address") {
		t.Errorf("from elsewhere: %+v %v", in, q)
	}
}

// TestOneRecord: of a refused login the log has one record, which names the connection
// that refused it.
func TestOneRecord(t *testing.T) {
	w := newWorld(t, storetest.SQLite)
	for name, strategy := range map[string]string{"far": "ip", "site": "sharepoint"} {
		if status, body := w.call("POST", "/api/v2/connections", `{"name":"`+name+`","strategy":"`+strategy+`","options":{"username":"x","range":"192.0.2.0/24"}}`); status != 201 {
			t.Fatalf("%d %s", status, body)
		}
	}
	a := w.newApplication("far", "site")
	for _, row := range []struct{ connection, says, recorded string }{
		{"far", "This network address may not sign in here.", "far"},
		{"site", "nobody can sign in by connections of this strategy here", "site"},
	} {
		in, q := a.signIn(w.newBrowser(), row.connection, "")
		if in != nil || q.Get("error_description") != row.says {
			t.Errorf("%s: %+v %v", row.connection, in, q)
		}
		_, body := w.call("GET", "/api/v2/logs?per_page=100&q="+url.QueryEscape("type:f"), "")
		var list []struct{ Description, Connection string }
		if err := json.Unmarshal([]byte(body), &list); err != nil {
			t.Fatal(err)
		}
		list = slices.DeleteFunc(list, func(e struct{ Description, Connection string }) bool { return e.Description != row.says })
		if len(list) != 1 || list[0].Connection != row.recorded {
			t.Errorf("%s: records %+v", row.connection, list)
		}
	}
}

// forwarded says that it speaks for somebody of the range.
type forwarded struct{ http.RoundTripper }

func (f forwarded) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-Forwarded-For", "192.0.2.7")
	return f.RoundTripper.RoundTrip(r)
}
