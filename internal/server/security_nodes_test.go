package server_test

import (
	"encoding/json"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"mangrove/internal/config"
	"mangrove/internal/server"
	"mangrove/internal/store/storetest"
	"mangrove/internal/upstream/idptest"
)

// begins lets the provider of a connection begin logins for the application.
func (a *application) begins(connection, id string, more map[string]any) {
	a.w.t.Helper()
	_, text := a.w.call("GET", "/api/v2/connections/"+id, "")
	var doc struct {
		Options map[string]any `json:"options"`
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil || doc.Options == nil {
		a.w.t.Fatalf("%v %s", err, text)
	}
	doc.Options["idpinitiated"] = map[string]any{
		"enabled": true, "client_id": a.oauth.ClientID, "client_protocol": "oauth2",
		"client_authorizequery": "response_type=code&scope=openid&redirect_uri=" + url.QueryEscape(a.oauth.RedirectURL),
	}
	for k, v := range more {
		doc.Options[k] = v
	}
	patch, err := json.Marshal(map[string]any{"options": doc.Options})
	if err != nil {
		a.w.t.Fatal(err)
	}
	if status, text := a.w.call("PATCH", "/api/v2/connections/"+id, string(patch)); status != http.StatusOK {
		a.w.t.Fatalf("%s: %d %s", connection, status, text)
	}
}

// at is the same answer at another node.
func at(node *world, first *world, answer idptest.Answer) idptest.Answer {
	answer.URL = strings.Replace(answer.URL, first.url, node.url, 1)
	return answer
}

// security.md 102: two nodes over one database take a response once, whether it comes
// to both at the same moment or to one after the other.
func TestResponseAtASecondNode(t *testing.T) {
	for _, engine := range storetest.Engines(t) {
		if engine == storetest.SQLite { // has one server
			continue
		}
		dir, database := t.TempDir(), storetest.EmptyURL(t, engine)
		one := newWorldIn(t, dir, database)
		two := newWorldIn(t, dir, database, func(c *config.Config, _ *server.Options) { c.PublicURL = one.url })
		idp := samlParts(t)
		id := one.laid("samlp", "corp", map[string]any{"metadataUrl": idp.SAMLMetadata()}, nil)
		a := one.newApplication("corp")
		a.begins("corp", id, nil)
		entity, acs := one.samlIdentity("corp")

		logins := 0
		for range 3 {
			answer := idptest.NewBrowser(t).Visit(idp.Begin(entity, acs, ""), nil, "carol", one.url+"/login/callback")
			came := make(chan string)
			for _, node := range []*world{one, two} {
				go func() { came <- one.post(at(node, one, answer)) }()
			}
			in := 0
			for range 2 {
				if to := <-came; strings.Contains(to, "code=") {
					in++
				} else if !strings.Contains(to, "error=access_denied") {
					t.Errorf("refused by %q", to)
				}
			}
			if in != 1 {
				t.Errorf("at both at once: %d logins", in)
			}
			logins++
		}

		trip := a.samlTrip(t, "corp", "carol")
		sent := at(two, one, trip.answer)
		query, page, where := trip.browser.submit(sent.URL, sent.Form) // the trip began at the first
		if in, refused := a.exchange(orFatal(t, query, page, where), trip.verifier); in == nil {
			t.Fatalf("at the second node: %v", refused)
		}
		logins++
		for _, node := range []*world{one, two} {
			sent := at(node, one, trip.answer)
			if again, _, _ := trip.browser.submit(sent.URL, sent.Form); again.Has("code") {
				t.Error("one response signed in twice")
			}
		}
		if doc := one.profileOf("samlp|corp|carol"); doc["logins_count"] != float64(logins) {
			t.Errorf("%v logins are counted, not %d", doc["logins_count"], logins)
		}
	}
}

// post delivers an answer in a browser of its own and says where it leads; for several
// goroutines.
func (w *world) post(answer idptest.Answer) string {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err.Error()
	}
	c := &http.Client{Transport: w.client.Transport, CheckRedirect: w.client.CheckRedirect, Jar: jar}
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, answer.URL, strings.NewReader(answer.Form.Encode()))
	if err != nil {
		return err.Error()
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := c.Do(r)
	if err != nil {
		return err.Error()
	}
	_ = res.Body.Close()
	return res.Header.Get("Location")
}

// security.md 92, 93, 103: a login that the provider begins passes everything that one
// of ours does.
func TestProviderBeginsForWhomItMayNot(t *testing.T) {
	w, idp := newWorld(t, storetest.SQLite), samlParts(t)
	idp.SetPerson("dora", map[string][]string{})
	id := w.laid("samlp", "corp", map[string]any{"metadataUrl": idp.SAMLMetadata()}, nil)
	a := w.newApplication("corp")
	a.begins("corp", id, nil)
	entity, acs := w.samlIdentity("corp")
	begin := func(person string) (url.Values, *browser) {
		t.Helper()
		answer := idptest.NewBrowser(t).Visit(idp.Begin(entity, acs, ""), nil, person, w.url+"/login/callback")
		b := w.newBrowser()
		query, page, at := b.submit(answer.URL, answer.Form)
		return orFatal(t, query, page, at), b
	}
	refused := func(what, person, code, text string) {
		t.Helper()
		before := w.profileOf("samlp|corp|carol")
		records := len(w.failures())
		told, b := begin(person)
		if told.Get("error") != code || !strings.Contains(told.Get("error_description"), text) || told.Has("code") || a.signedIn(b) {
			t.Errorf("%s: %v", what, told)
		}
		if after := w.profileOf("samlp|corp|carol"); !reflect.DeepEqual(lasting(after), lasting(before)) {
			t.Errorf("%s: the profile is another one: %v", what, after)
		}
		if len(w.failures()) != records+1 {
			t.Errorf("%s: left %d records", what, len(w.failures())-records)
		}
	}
	if told, _ := begin("carol"); !told.Has("code") {
		t.Fatal(told)
	}
	change := func(path, body string) {
		t.Helper()
		if status, text := w.call("PATCH", path, body); status != http.StatusOK {
			t.Fatalf("%d %s", status, text)
		}
	}
	carol := "/api/v2/users/" + url.PathEscape("samlp|corp|carol")
	change(carol, `{"blocked":true}`)
	refused("blocked", "carol", "unauthorized", "user is blocked")
	change(carol, `{"blocked":false}`)

	a.begins("corp", id, map[string]any{"set_user_root_attributes": "never_on_login"})
	refused("a stranger where none is made", "dora", "access_denied", "creates no users")
	if told, _ := begin("carol"); !told.Has("code") {
		t.Errorf("who is known: %v", told)
	}
	change("/api/v2/connections/"+id, `{"authentication":{"active":false}}`)
	refused("not for signing in", "carol", "invalid_request", "the connection was disabled")
	if status, _ := w.call("GET", "/api/v2/users/"+url.PathEscape("samlp|corp|dora"), ""); status != http.StatusNotFound {
		t.Errorf("the stranger is there: %d", status)
	}
}
