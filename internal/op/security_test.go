package op

import (
	"net/url"
	"strings"
	"testing"

	"mangrove/internal/audit"
	"mangrove/internal/store/storetest"
)

// TestSecurity48: an address that is not the registered one, byte for byte, gets
// nothing: an error page of our own, whoever is signed in and whatever else is wrong.
func TestSecurity48(t *testing.T) {
	for _, engine := range storetest.Engines(t) {
		t.Run(engine, func(t *testing.T) {
			w := newWorldOn(t, engine)
			w.signIn()
			for _, other := range []string{
				"http://app.example.test/cb", "https://evil.test/cb", "https://app.example.test:8443/cb", "https://app.example.test:443/cb", "https://app.example.test/CB",
				"https://app.example.test/cb/", "https://app.example.test/cb.evil.test", "https://app.example.test.evil.test/cb", "https://user@app.example.test/cb",
				"https://app.example.test@evil.test/cb", webCB + "#x", webCB + "#", "https://app.example.test/x/../cb", webCB + "/../evil", "https://app.example.test/%63b",
				"https://app.example.test/%2e%2e/cb", webCB + "?x=1", webCB + "?", `https://app.example.test\cb`, `https://evil.test\@app.example.test/cb`, "https://app.example.test/\tcb",
				" " + webCB, webCB + "\r\nSet-Cookie: a=b", "//app.example.test/cb", "javascript:alert(1)//" + webCB, "data:text/html,x",
			} {
				for _, more := range []string{"&response_type=code", "&response_type=foo", "&response_type=code&prompt=none", "&response_type=code&response_mode=form_post", "&response_type=code&response_mode=web_message"} {
					w.page, w.message, w.login = "", "", nil
					rec := w.send(t, "GET", "/authorize?client_id="+webApp+"&redirect_uri="+url.QueryEscape(other)+more, "")
					if rec.Code != 403 || w.page != "Callback URL mismatch." || rec.Header().Get("Location") != "" || w.message != "" || w.login != nil || strings.Contains(rec.Body.String(), "evil") {
						t.Errorf("%q%s: %d %q", other, more, rec.Code, rec.Header().Get("Location"))
					}
				}
			}
			rec := w.send(t, "GET", "/authorize?client_id="+webApp+"&response_type=code&redirect_uri="+webCB+"&redirect_uri="+webCB, "")
			if rec.Code != 400 || rec.Header().Get("Location") != "" {
				t.Errorf("twice: %d", rec.Code)
			}
			w.code(t, "client_id", webApp, "response_type", "code", "redirect_uri", webCB)
		})
	}
}

// TestSecurity49: an unknown client gets a page; what else is missing is told at
// the registered address, with the state.
func TestSecurity49(t *testing.T) {
	w := newWorld(t)
	must(t, w.store.DeleteClient(t.Context(), lameApp, userEvent()))
	for _, id := range []string{"", "nobody", allApps, lameApp} {
		rec := w.send(t, "GET", "/authorize?"+form("client_id", id, "response_type", "code", "redirect_uri", webCB, "state", "s"), "")
		if rec.Code != 400 || rec.Header().Get("Location") != "" {
			t.Errorf("%q: %d %s", id, rec.Code, rec.Header().Get("Location"))
		}
	}
	for query, want := range map[string]string{"": "invalid_request", "response_type=": "invalid_request", "response_type=foo": "unsupported_response_type", "response_type=none": "unsupported_response_type"} {
		to, v := sentTo(w.send(t, "GET", "/authorize?client_id="+webApp+"&redirect_uri="+webCB+"&state=s&"+query, ""))
		if to != webCB || v.Get("error") != want || v.Get("state") != "s" || v.Has("code") {
			t.Errorf("%q: %s %v", query, to, v)
		}
	}
}

// TestSecurity50: the state comes back byte for byte in every mode, and no
// parameter may come twice.
func TestSecurity50(t *testing.T) {
	w := newWorld(t)
	w.signIn()
	w.setClient(t, webApp, "web_origins", `["https://app.example.test"]`)
	for _, state := range []string{`"><script>`, "a\r\nSet-Cookie: x=y", "&code=other#x", "€ +%20", strings.Repeat("x", 8192)} {
		for _, mode := range []string{"query", "fragment", "web_message"} {
			w.message = ""
			rec := w.send(t, "GET", "/authorize?"+form("client_id", webApp, "response_type", "code", "redirect_uri", webCB, "response_mode", mode, "state", state), "")
			_, v := sentTo(rec)
			if mode == "web_message" {
				_, answer, _ := strings.Cut(w.message, " ")
				v, _ = url.ParseQuery(answer)
			}
			if v.Get("state") != state || len(v["code"]) != 1 || rec.Header().Get("Set-Cookie") != "" {
				t.Errorf("%s, %.20q: %v", mode, state, v)
			}
		}
	}
	for _, name := range []string{"response_type", "scope", "state", "nonce", "audience", "prompt", "max_age", "login_hint", "connection", "code_challenge", "response_mode", "foo"} {
		_, v := sentTo(w.send(t, "GET", "/authorize?client_id="+webApp+"&redirect_uri="+webCB+"&response_type=code&"+name+"=a&"+name+"=a", ""))
		if v.Get("error") != "invalid_request" || v.Has("code") || v.Has("state") {
			t.Errorf("%s twice: %v", name, v)
		}
	}
}

func userEvent() audit.Event { return audit.Event{Type: audit.APIOperation, At: 1} }
