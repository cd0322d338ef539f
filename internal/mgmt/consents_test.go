package mgmt

import (
	"errors"
	"testing"

	"mangrove/internal/consent"
)

func TestConsents(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	for _, c := range []consent.Consent{
		{ID: "000000000000000000000001", UserID: "auth0|ann", ClientID: "c1", API: "a1", Audience: "urn:a", Scope: []string{"openid", "read:a"}},
		{ID: "000000000000000000000002", UserID: "auth0|ann", ClientID: "c2", Audience: "https://id.example.test/userinfo"},
		{ID: "000000000000000000000003", UserID: "auth0|ben", ClientID: "c1", API: "a1", Audience: "urn:a", Scope: []string{"openid"}},
	} {
		if err := w.store.SaveConsent(ctx, c, c.Event("", "")); err != nil {
			t.Fatal(err)
		}
	}
	const (
		first  = `{"id":"000000000000000000000001","clientID":"c1","user_id":"auth0|ann","audience":"urn:a","scope":["openid","read:a"]}`
		second = `{"id":"000000000000000000000002","clientID":"c2","user_id":"auth0|ann","audience":"https://id.example.test/userinfo","scope":[]}`
		third  = `{"id":"000000000000000000000003","clientID":"c1","user_id":"auth0|ben","audience":"urn:a","scope":["openid"]}`
	)
	reader, remover := w.machine(t, "read:grants"), w.machine(t, "delete:grants")
	for _, row := range []struct{ query, want string }{
		{"", "[" + first + "," + second + "," + third + "]"},
		{"?user_id=auth0%7Cann", "[" + first + "," + second + "]"},
		{"?client_id=c1&audience=urn:a", "[" + first + "," + third + "]"},
		{"?user_id=auth0%7Cann&client_id=c2", "[" + second + "]"},
		{"?user_id=nobody", "[]"},
		{"?per_page=1&page=1", "[" + second + "]"},
		{"?per_page=1&page=1&include_totals=true", `{"start":1,"limit":1,"total":3,"grants":[` + second + `]}`},
	} {
		rec := w.call(t, "GET", "/grants"+row.query, reader, "")
		if rec.Code != 200 || rec.Body.String() != row.want {
			t.Errorf("%s: %d %s\nwant %s", row.query, rec.Code, rec.Body, row.want)
		}
	}
	answers(t, w.call(t, "GET", "/grants?per_page=101", reader, ""), 400, []string{"per_page"}, nil)
	answers(t, w.call(t, "GET", "/grants?user_id=a&user_id=b", reader, ""), 400, []string{"user_id"}, nil)
	answers(t, w.call(t, "GET", "/grants?per_page=100&page=10", reader, ""), 400, []string{"1000 records"}, nil)
	answers(t, w.call(t, "GET", "/grants", remover, ""), 403, []string{"read:grants"}, nil)
	answers(t, w.call(t, "DELETE", "/grants/000000000000000000000001", reader, ""), 403, []string{"delete:grants"}, nil)
	answers(t, w.call(t, "DELETE", "/grants?user_id=auth0%7Cann", reader, ""), 403, []string{"delete:grants"}, nil)
	answers(t, w.call(t, "DELETE", "/grants", remover, ""), 400, []string{"Missing required property: user_id", "invalid_query_string"}, nil)
	has := func(user, client, api string, want bool) {
		t.Helper()
		if _, err := w.store.Consent(ctx, user, client, api); (err == nil) != want || err != nil && !errors.Is(err, consent.ErrNotFound) {
			t.Errorf("%s, %s: %v", user, client, err)
		}
	}
	has("auth0|ann", "c1", "a1", true)

	for range 2 {
		answers(t, w.call(t, "DELETE", "/grants/000000000000000000000003", remover, ""), 204, nil, nil)
	}
	has("auth0|ben", "c1", "a1", false)
	has("auth0|ann", "c1", "a1", true)
	answers(t, w.call(t, "DELETE", "/grants?user_id=auth0%7Cann", remover, ""), 204, nil, nil)
	has("auth0|ann", "c1", "a1", false)
	has("auth0|ann", "c2", "", false)
}
