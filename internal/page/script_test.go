package page_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"mangrove/internal/browsertest"
	"mangrove/internal/page"
)

// site serves views by path, and answers a posted form with what came, as JSON.
func site(t *testing.T, views map[string]page.View) (localhost string) {
	t.Helper()
	p, err := page.New(page.Config{})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if v, ok := views[r.URL.Path]; ok && r.Method == http.MethodGet {
			if err := p.Show(w, r, http.StatusOK, v); err != nil {
				t.Error(err)
			}
			return
		}
		_ = r.ParseForm()
		_ = json.NewEncoder(w).Encode(r.PostForm)
	}))
	t.Cleanup(srv.Close)
	return strings.Replace(srv.URL, "127.0.0.1", "localhost", 1)
}

// posted is what came with the form.
func posted(t *testing.T, b *browsertest.Browser) map[string][]string {
	t.Helper()
	var form map[string][]string
	if err := json.Unmarshal([]byte(b.Text("body")), &form); err != nil {
		t.Fatal(err)
	}
	return form
}

const (
	create = `{"publicKey":{"rp":{"name":"Mangrove","id":"localhost"},"user":{"name":"ada","displayName":"Ada","id":"YWRh"},"challenge":"Y2hhbGxlbmdl","pubKeyCredParams":[{"type":"public-key","alg":-7},{"type":"public-key","alg":-257}],"authenticatorSelection":{"residentKey":"required","userVerification":"required"}}}`
	get    = `{"challenge":"bm9jaA","rpId":"localhost","userVerification":"required"}`
)

// A passkey is made, used by the button, and comes by itself where the browser
// completes the field; what the platform said travels in the form.
func TestPasskeys(t *testing.T) {
	url := site(t, map[string]page.View{
		"/offer":    page.PasskeyOffer{Action: "/made", Options: create},
		"/factor":   page.MFAWebAuthn{Action: "/used", Options: get},
		"/button":   page.Identifier{Action: "/used", Identifiers: page.Identifiers{Email: true}, PasskeyOptions: get, PasskeyButton: true},
		"/autofill": page.Identifier{Action: "/used", Identifiers: page.Identifiers{Email: true}, PasskeyOptions: get, PasskeyAutofill: true},
	})
	b := browsertest.Open(t, browsertest.Options{})
	b.Authenticator()
	b.Goto(url + "/offer")
	b.Follow("form[data-passkey] button")
	type credential struct {
		ID, RawID, Type string
		Response        struct{ ClientDataJSON, AttestationObject, AuthenticatorData, Signature, UserHandle string }
	}
	read := func() (c credential) {
		form := posted(t, b)
		if len(form["passkey"]) != 1 {
			t.Fatalf("%v", form)
		}
		if err := json.Unmarshal([]byte(form["passkey"][0]), &c); err != nil {
			t.Fatal(err)
		}
		return c
	}
	made := read()
	if made.Type != "public-key" || made.ID == "" || made.ID != made.RawID || made.Response.ClientDataJSON == "" || made.Response.AttestationObject == "" {
		t.Errorf("made %+v", made)
	}
	for _, path := range []string{"/factor", "/button"} {
		b.Goto(url + path)
		b.Follow("form[data-passkey] button")
		if c := read(); c.ID != made.ID || c.Response.Signature == "" || c.Response.AuthenticatorData == "" || c.Response.UserHandle != "YWRh" {
			t.Errorf("%s: %+v", path, c)
		}
	}
	b.Goto(url + "/autofill")
	b.WaitURL(url + "/used")
	if c := read(); c.ID != made.ID {
		t.Errorf("autofill: %+v", c)
	}
	if c := b.Complaints(); len(c) != 0 {
		t.Errorf("%q", c)
	}
}

// The answer of a form travels by itself, and by a press where scripts are off.
func TestFormPostTravels(t *testing.T) {
	for _, noScript := range []bool{false, true} {
		views := map[string]page.View{}
		url := site(t, views)
		views["/answer"] = page.FormPost{Action: url + "/cb", Fields: []page.Field{{Name: "state", Value: page.Hostile}, {Name: "submit", Value: "x"}}}
		b := browsertest.Open(t, browsertest.Options{NoScript: noScript})
		b.Goto(url + "/answer")
		if noScript {
			b.Follow("button")
		} else {
			b.WaitURL(url + "/cb")
		}
		if form := posted(t, b); form["state"][0] != page.Hostile {
			t.Errorf("no script %v: %q", noScript, form)
		}
	}
}

// The message reaches the page that has this one in a frame when it is the one
// that is meant, and no other.
func TestWebMessage(t *testing.T) {
	views := map[string]page.View{}
	url := site(t, views)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(`<!doctype html><title>app</title><script>
addEventListener("message", (e) => { document.title = JSON.stringify({origin: e.origin, data: e.data}); });
addEventListener("load", () => { document.body.dataset.loaded = "yes"; });
</script><body><iframe src="` + url + `/message"></iframe>`))
	}))
	defer app.Close()
	b := browsertest.Open(t, browsertest.Options{})
	for _, target := range []string{app.URL, "http://localhost:1"} {
		views["/message"] = page.WebMessage{Target: target, Answer: []page.Field{{Name: "state", Value: page.Hostile}}}
		b.Goto(app.URL)
		b.Wait("body[data-loaded]")
		var title string
		b.Eval(`new Promise((done) => setTimeout(() => done(document.title)))`, &title) // behind the message, which was queued before the frame had loaded
		if target != app.URL {
			if title != "app" {
				t.Errorf("a page that is not meant got %s", title)
			}
			continue
		}
		var got struct {
			Origin string
			Data   struct {
				Type     string
				Response map[string]string
			}
		}
		if err := json.Unmarshal([]byte(title), &got); err != nil {
			t.Fatalf("%q: %v", title, err)
		}
		if got.Origin != url || got.Data.Type != "authorization_response" || got.Data.Response["state"] != page.Hostile {
			t.Errorf("%+v", got)
		}
	}
}
