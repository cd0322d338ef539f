package social_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/upstream"
)

// TestSalesforceProfileElsewhere: the address of the profile comes with the token. The
// token goes there, unless it is somebody else's.
func TestSalesforceProfileElsewhere(t *testing.T) {
	var visits, tokens atomic.Int32
	thief := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		visits.Add(1)
		if r.Header.Get("Authorization") != "" || strings.Contains(r.RequestURI, "the-token") {
			tokens.Add(1)
		}
		_, _ = w.Write([]byte(`{"user_id":"005victim","email":"victim@x.example","email_verified":true}`))
	}))
	defer thief.Close()
	elsewhere := strings.Replace(thief.URL, "127.0.0.1", "localhost", 1)

	var id atomic.Value
	mux := http.NewServeMux()
	salesforce := httptest.NewServer(mux)
	defer salesforce.Close()
	mux.HandleFunc("/token", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"access_token":"the-token","token_type":"Bearer","id":%q}`, id.Load())
	})
	mux.HandleFunc("/id/00D/005", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer the-token" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		_, _ = w.Write([]byte(`{"user_id":"005","display_name":"Maren Bluff"}`))
	})
	mux.HandleFunc("/id/00D/away", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere+"/id/00D/005", http.StatusFound)
	})
	options, err := json.Marshal(map[string]any{
		"client_id": "app", "client_secret": "secret",
		"endpoints": map[string]string{"authorize": salesforce.URL + "/authorize", "token": salesforce.URL + "/token"},
	})
	if err != nil {
		t.Fatal(err)
	}
	c := &connection.Connection{ID: "con_0123456789abcdef", Name: "acme", Strategy: "salesforce", Options: options}
	k, ok := connector().Connectors()["salesforce"].(upstream.Redirect)
	if !ok {
		t.Fatal("salesforce has no connector")
	}
	login := func(at string) (upstream.Result, error) {
		id.Store(at)
		return k.Callback(t.Context(), c, upstream.Start{CallbackURL: "https://id.example/login/callback"}, upstream.Pending{}, url.Values{"code": {"c"}})
	}

	r, err := login(salesforce.URL + "/id/00D/005")
	if err != nil || r.Claims.Subject != "005" {
		t.Fatalf("at home: %+v %v", r, err)
	}
	for _, at := range []string{
		thief.URL + "/id/00D/005", elsewhere + "/id/00D/005", strings.Replace(thief.URL, "http:", "https:", 1), "https://evil.example/id", "/id/00D/005", "",
	} {
		r, err := login(at)
		var refused *errs.Error
		if !errors.As(err, &refused) || refused.Code != "access_denied" || r.Claims.Subject != "" {
			t.Errorf("%q: %+v %v", at, r.Claims, err)
		}
	}
	if visits.Load() != 0 {
		t.Errorf("%d requests went to somebody else", visits.Load())
	}
	_, _ = login(salesforce.URL + "/id/00D/away")
	if tokens.Load() != 0 {
		t.Errorf("a redirect took the token away")
	}
}
