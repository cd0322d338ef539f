package server_test

import (
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"mangrove/internal/store/storetest"
)

// newReceiver is a server of the application's own on the loopback network.
func newReceiver(t *testing.T, handle http.HandlerFunc) (origin string) {
	t.Helper()
	s := httptest.NewServer(handle)
	t.Cleanup(s.Close)
	return "http://localhost:" + s.URL[strings.LastIndexByte(s.URL, ':')+1:]
}

// TestConformanceLogout is the plan oidcc-rp-initiated-logout-certification-test-plan.
func TestConformanceLogout(t *testing.T) {
	runPlan(t, storetest.SQLite, "", []module{
		{"oidcc-rp-initiated-logout-discovery-endpoint-verification", func(t *testing.T, p *party) {
			if u, err := url.Parse(p.meta.text("end_session_endpoint")); err != nil || u.Scheme != "https" || u.Path == "" {
				t.Errorf("end_session_endpoint %q", p.meta["end_session_endpoint"])
			}
		}},
		{"oidcc-rp-initiated-logout", func(t *testing.T, p *party) {
			for _, method := range []string{"GET", "POST"} {
				p.logout(leaving{method: method, ends: true, to: byeApp}, "id_token_hint", "*", "post_logout_redirect_uri", byeApp, "state", "a state of ours")
			}
		}},
		{"oidcc-rp-initiated-logout-bad-post-logout-redirect-uri", func(t *testing.T, p *party) {
			p.logout(leaving{status: http.StatusBadRequest}, "id_token_hint", "*", "post_logout_redirect_uri", "https://app.example/elsewhere", "state", "s")
		}},
		{"oidcc-rp-initiated-logout-modified-id-token-hint", func(t *testing.T, p *party) {
			p.logout(leaving{status: http.StatusBadRequest, spoil: true}, "id_token_hint", "*", "post_logout_redirect_uri", byeApp, "state", "s")
		}},
		{"oidcc-rp-initiated-logout-bad-id-token-hint", func(t *testing.T, p *party) {
			p.logout(leaving{status: http.StatusBadRequest}, "id_token_hint", "nonsense", "post_logout_redirect_uri", byeApp, "state", "s")
		}},
		{"oidcc-rp-initiated-logout-no-id-token-hint", func(t *testing.T, p *party) {
			// Whose the address is nobody knows.
			p.logout(leaving{status: http.StatusBadRequest}, "post_logout_redirect_uri", byeApp, "state", "s")
		}},
		{"oidcc-rp-initiated-logout-no-params", func(t *testing.T, p *party) {
			p.logout(leaving{presses: true, ends: true, status: http.StatusOK})
		}},
		{"oidcc-rp-initiated-logout-no-post-logout-redirect-uri", func(t *testing.T, p *party) {
			p.logout(leaving{ends: true, status: http.StatusOK}, "id_token_hint", "*", "state", "s")
		}},
		{"oidcc-rp-initiated-logout-no-state", func(t *testing.T, p *party) {
			p.logout(leaving{ends: true, to: byeApp}, "id_token_hint", "*", "post_logout_redirect_uri", byeApp)
		}},
		{"oidcc-rp-initiated-logout-only-state", func(t *testing.T, p *party) {
			p.logout(leaving{presses: true, ends: true, status: http.StatusOK}, "state", "s")
		}},
		{"oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri", func(t *testing.T, p *party) {
			p.logout(leaving{status: http.StatusBadRequest}, "id_token_hint", "*", "post_logout_redirect_uri", byeApp+"?foo=bar", "state", "s")
		}},
		{"an expired hint, and client_id", func(t *testing.T, p *party) {
			// RP-Initiated Logout §2: what has expired still says whose session it was.
			p.logout(leaving{ends: true, to: byeApp, wait: 11 * time.Hour}, "id_token_hint", "*", "client_id", p.id, "post_logout_redirect_uri", byeApp, "state", "s")
			p.logout(leaving{status: http.StatusBadRequest}, "id_token_hint", "*", "client_id", p.other[0], "post_logout_redirect_uri", byeApp, "state", "s")
		}},
		{"a press is needed for the session of another", func(t *testing.T, p *party) {
			_, k := p.flow(p.newBrowser())
			p.logout(leaving{presses: true, ends: true, to: byeApp}, "id_token_hint", k.ID, "post_logout_redirect_uri", byeApp, "state", "s")
		}},
	})
}

// leaving says what has to come of a logout.
type leaving struct {
	method  string        // empty: GET
	spoil   bool          // the signature of the hint is changed
	wait    time.Duration // between the sign-in and the logout
	presses bool          // the person has to press a button
	ends    bool          // the session is over
	to      string        // where the browser arrives; empty: at a page of ours
	status  int           // of that page
}

// logout signs a person in, takes the browser to the end_session_endpoint, and
// looks whether the session is still there. The hint * is the ID token.
func (p *party) logout(want leaving, pairs ...string) {
	p.t.Helper()
	b := p.newBrowser()
	_, k := p.flow(b)
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	if v.Get("id_token_hint") == "*" {
		v.Set("id_token_hint", k.ID)
		if want.spoil {
			at := len(k.ID) - 10
			v.Set("id_token_hint", k.ID[:at]+map[bool]string{true: "B", false: "A"}[k.ID[at] == 'A']+k.ID[at+1:])
		}
	}
	if want.wait > 0 {
		p.clock.step(want.wait)
		p.flow(b) // the session is not idle
	}
	var a answer
	if want.method == "POST" {
		a = p.walk(b, "POST", p.meta.text("end_session_endpoint"), v, v.Get("state"))
	} else {
		a = p.walk(b, "GET", p.meta.text("end_session_endpoint")+"?"+v.Encode(), nil, v.Get("state"))
	}
	if pressed := strings.Contains(a.last().text, `action="/u/logout"`); pressed != want.presses {
		p.t.Fatalf("a press was asked for: %v; %+v", pressed, a.last())
	}
	if want.presses {
		p.silently(b, k, "prompt", "none") // nothing has happened yet
		form := url.Values{}
		for _, m := range hiddenField.FindAllStringSubmatch(a.last().text, -1) {
			form.Set(html.UnescapeString(m[1]), html.UnescapeString(m[2]))
		}
		a = p.walk(b, "POST", p.url+"/u/logout", form, v.Get("state"))
	}
	at := ""
	if a.Values != nil {
		at, _, _ = strings.Cut(a.to, "?")
	}
	if at != want.to || want.to == "" && a.last().status != want.status {
		p.t.Errorf("%v ended at %q %v, %v", v, a.to, a.Values, a.last())
	}
	if want.to != "" && !v.Has("state") && strings.Contains(a.to, "state") {
		p.t.Errorf("a state of nobody: %s", a.to)
	}
	if again := p.authorize(b, p.request("prompt", "none")); want.ends != (again.Get("error") == "login_required") || want.ends == again.Has("code") {
		p.t.Errorf("afterwards: %v", again.Values)
	}
}

// TestConformanceBackchannelLogout is the plan
// oidcc-backchannel-rp-initiated-logout-certification-test-plan.
func TestConformanceBackchannelLogout(t *testing.T) {
	p := newParty(t, storetest.SQLite, "")
	type message struct {
		form         url.Values
		method, kind string
	}
	got := make(chan message, 4)
	receiver := newReceiver(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/backchannel/0" {
			t.Errorf("told at %s", r.URL.Path)
		}
		_ = r.ParseForm()
		got <- message{r.PostForm, r.Method, r.Header.Get("Content-Type")}
	})
	for i, id := range []string{p.id, p.other[0]} {
		settings := fmt.Sprintf(`{"oidc_logout":{"backchannel_logout_urls":["%s/backchannel/%d"],"backchannel_logout_initiators":{"mode":"custom","selected_initiators":["rp-logout"]}}}`, receiver, i)
		if status, body := p.call("PATCH", "/api/v2/clients/"+id, settings); status != http.StatusOK {
			t.Fatalf("%d %s", status, body)
		}
	}
	runModules(t, p, []module{
		{"oidcc-backchannel-logout-discovery-endpoint-verification", func(t *testing.T, p *party) {
			if p.meta["backchannel_logout_supported"] != true || p.meta["backchannel_logout_session_supported"] != true || p.meta.text("end_session_endpoint") == "" {
				t.Errorf("%v", p.meta)
			}
		}},
		{"oidcc-backchannel-rp-initiated-logout", func(t *testing.T, p *party) {
			// The other application was not answered with this session: it hears nothing.
			b := p.newBrowser()
			_, k := p.flow(b)
			a := p.walk(b, "GET", p.meta.text("end_session_endpoint")+"?"+url.Values{
				"id_token_hint": {k.ID}, "post_logout_redirect_uri": {byeApp}, "state": {"s"},
			}.Encode(), nil, "s")
			if !strings.HasPrefix(a.to, byeApp) {
				t.Fatalf("%+v", a)
			}
			var m message
			select {
			case m = <-got:
			case <-time.After(time.Minute):
				t.Fatal("no message came")
			}
			if m.method != http.MethodPost || m.kind != "application/x-www-form-urlencoded" || len(m.form) != 1 {
				t.Errorf("%+v", m)
			}
			// Back-Channel Logout §2.4 and §2.6.
			header, c := p.signed(m.form.Get("logout_token"))
			iat, _ := c["iat"].(float64)
			exp, _ := c["exp"].(float64)
			now := float64(p.clock.now().Unix())
			events, _ := c["events"].(map[string]any)
			event, there := events["http://schemas.openid.net/event/backchannel-logout"].(map[string]any)
			jti, _ := c["jti"].(string)
			switch {
			case header["typ"] != "logout+jwt":
				t.Errorf("header %v", header)
			case c["iss"] != p.meta["issuer"] || c["aud"] != p.id || c["sub"] != p.subject || c["sid"] != k.claims["sid"] || c["sid"] == nil:
				t.Errorf("%v for %v", c, k.claims)
			case iat > now+1 || iat < now-120 || exp <= now || exp > iat+120 || jti == "":
				t.Errorf("%v at %v", c, now)
			case !there || len(event) != 0 || len(events) != 1:
				t.Errorf("events %v", c["events"])
			case c["nonce"] != nil:
				t.Errorf("it could pass for an ID token: %v", c)
			}
		}},
	})
}
