package server_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"mangrove/internal/browsertest"
	"mangrove/internal/store/storetest"
)

// TestConformanceFormPost is the plan oidcc-formpost-basic-certification-test-plan:
// the basic one with response_mode=form_post, refusals included.
func TestConformanceFormPost(t *testing.T) {
	runPlan(t, storetest.SQLite, "form_post", slices.Concat(basicPlan, []module{
		{"announced", func(t *testing.T, p *party) {
			if !p.meta.has("response_modes_supported", "form_post") {
				t.Errorf("%v", p.meta["response_modes_supported"])
			}
		}},
		{"escaping", func(t *testing.T, p *party) {
			b := p.newBrowser()
			p.flow(b)
			for _, state := range []string{`"><script>alert(1)</script>`, `'&quot;&amp;`, "a\r\nb\tc", "ümläut ☃ \U0001F600", strings.Repeat("long", 500)} {
				// arrived compares the state.
				request := p.request("state", state)
				if a := p.authorize(b, request); a.Get("code") == "" || strings.Count(a.last().text, "<script") != 1 || strings.Contains(a.last().text, "alert(1)<") {
					t.Errorf("%q: %v %s", state, a.Values, a.last().text)
				}
			}
		}},
		{"oidcc-redirect-uri-query-OK", queryKept},
		{"refusal", func(t *testing.T, p *party) {
			a := p.authorize(p.newBrowser(), p.request("prompt", "none"))
			p.refused(a, "login_required")
			if a.Get("error_description") != "Login required" || a.to != atApp {
				t.Errorf("%s %v", a.to, a.Values)
			}
		}},
	}))
}

// The page of form_post in a real browser: by itself, and with a button where
// there are no scripts.
func TestFormPostInBrowser(t *testing.T) {
	for _, noScript := range []bool{false, true} {
		t.Run(fmt.Sprintf("without scripts %v", noScript), func(t *testing.T) {
			b := browsertest.Open(t, browsertest.Options{NoScript: noScript})
			w := newWorld(t, storetest.SQLite)
			posted := make(chan url.Values, 1)
			receiver := newReceiver(t, func(w http.ResponseWriter, r *http.Request) {
				if err := r.ParseForm(); err == nil && r.Method == http.MethodPost {
					posted <- r.PostForm
				}
				w.Header().Set("Content-Type", "text/html; charset=utf-8")
				fmt.Fprint(w, `<!doctype html><html lang="en"><head><title>Arrived</title><link rel="icon" href="data:,"></head></html>`)
			})
			app := w.application(map[string]any{"callbacks": []string{receiver + "/callback"}, "grant_types": []string{"authorization_code"}})
			b.Goto(w.url + "/authorize?" + url.Values{
				"client_id": {app[0]}, "response_type": {"code"}, "response_mode": {"form_post"}, "prompt": {"none"}, "scope": {"openid"},
				"redirect_uri": {receiver + "/callback"}, "state": {`"><b> ☃`},
			}.Encode())
			if noScript {
				b.Click(`button[type="submit"]`)
			}
			b.WaitURL(receiver + "/callback")
			if got := <-posted; got.Get("error") != "login_required" || got.Get("state") != `"><b> ☃` {
				t.Errorf("%v", got)
			}
			if list := b.Complaints(); len(list) > 0 {
				t.Errorf("the console says %q", list)
			}
		})
	}
}
