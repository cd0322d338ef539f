package login_test

import (
	"net/http"
	"testing"

	"mangrove/internal/customdb"
)

// What a custom database says about a password, on the wire of /co/authenticate and of
// /usernamepassword/login; nothing of a plain error's text is there.
func TestAcrossToAnExternalStore(t *testing.T) {
	r := newRig(t)
	r.connect(databaseID, "db", "auth0", map[string]any{"enabledDatabaseCustomization": true, "customScripts": map[string]any{"login": "x"}}, `{}`)
	r.embed(`{"web_origins":["` + appOrigin + `"],"cross_origin_authentication":true}`)
	shop := answering{}
	r.users.External = shop
	const down = "The database of this connection gave no answer. Please try again later."
	classic := map[string]string{
		"client_id": appID, "connection": "db", "username": "bo@shop.example", "password": password, "redirect_uri": redirect, "response_type": "code",
	}
	for _, row := range []struct {
		about                 string
		answer                any
		status, classicStatus int
		code, classicCode     string
		text                  string
	}{
		{"wrong", &customdb.Failure{Kind: customdb.Wrong, UserID: "7", Message: "no 4711"}, 403, 401, "access_denied", "invalid_user_password", "Wrong email or password."},
		{"UnauthorizedError", &customdb.Failure{Kind: customdb.Unauthorized, Message: "Not today."}, 403, 403, "unauthorized", "unauthorized", "Not today."},
		{"UnauthorizedError without a text", &customdb.Failure{Kind: customdb.Unauthorized}, 403, 403, "unauthorized", "unauthorized", "Unauthorized"},
		{"ValidationError", &customdb.Failure{Kind: customdb.Invalid, Code: "too-old", Message: "Too old."}, 400, 400, "too-old", "too-old", "Too old."},
		{"Error", &customdb.Failure{Kind: customdb.Failed, Message: "row 4711"}, http.StatusServiceUnavailable, http.StatusServiceUnavailable, "access_denied", "access_denied", down},
	} {
		shop[customdb.Login] = row.answer
		a, got := r.browser().across("/co/authenticate", appOrigin, credentials("username", "bo@shop.example"))
		if a.status != row.status || got["error"] != row.code || got["error_description"] != row.text || len(got) != 2 {
			t.Errorf("%s: %d %s", row.about, a.status, a.body)
		}
		a, got = r.browser().across("/usernamepassword/login", "", classic)
		if a.status != row.classicStatus || got["name"] != "ValidationError" || got["code"] != row.classicCode || got["description"] != row.text ||
			got["statusCode"] != float64(row.classicStatus) || len(got) != 4 {
			t.Errorf("%s: %d %s", row.about, a.status, a.body)
		}
	}
	shop[customdb.Login] = boThere
	if a, got := r.browser().across("/co/authenticate", appOrigin, credentials("username", "bo@shop.example")); a.status != http.StatusOK || got["login_ticket"] == "" {
		t.Errorf("%d %s", a.status, a.body)
	}
}
