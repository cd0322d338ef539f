package server_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/auth0/go-auth0/authentication"
	"github.com/auth0/go-auth0/authentication/ciba"
	"golang.org/x/oauth2"

	"mangrove/internal/store/storetest"
)

// TestApprovalJourney: a call centre asks for a person's approval with the
// official SDK; the person follows the mail in a browser, signs in and approves.
func TestApprovalJourney(t *testing.T) {
	const password = "a tide is coming in 1"
	j := newJourney(t)
	id := j.app.oauth.ClientID
	j.call("PATCH", "/api/v2/clients/"+id, `{"grant_types":["urn:openid:params:grant-type:ciba"],"async_approval_notification_channels":["email"]}`)
	var made struct {
		ID string `json:"user_id"`
	}
	if err := json.Unmarshal([]byte(j.call("POST", "/api/v2/users", fmt.Sprintf(`{"connection":%q,"email":"ida@example.com","email_verified":true,"password":%q}`, database, password))), &made); err != nil {
		t.Fatal(err)
	}
	sdk, err := authentication.New(t.Context(), strings.TrimPrefix(j.w.url, "https://"), authentication.WithClient(j.w.client),
		authentication.WithClientID(id), authentication.WithClientSecret(j.app.oauth.ClientSecret), authentication.WithNoRetries())
	if err != nil {
		t.Fatal(err)
	}
	ask := func(sub string) (*ciba.Response, error) {
		return sdk.CIBA.Initiate(t.Context(), ciba.Request{
			Scope: "openid email", BindingMessage: "TEST-BINDING-MESSAGE",
			LoginHint: map[string]string{"format": "iss_sub", "iss": j.w.url + "/", "sub": sub},
		})
	}
	if _, err := ask("auth0|Random-ID"); err == nil || !strings.Contains(err.Error(), "User ID is malformed or unknown") {
		t.Errorf("nobody: %v", err)
	}
	asked, err := ask(made.ID)
	if err != nil || asked.ExpiresIn != 300 || asked.Interval != 5 {
		t.Fatalf("%+v %v", asked, err)
	}
	b := j.b
	b.Goto(j.mailed("/u/approval"))
	j.enter("ida@example.com", password)
	if text := b.Text("main"); !strings.Contains(text, "TEST-BINDING-MESSAGE") {
		t.Fatalf("%s: %s", b.URL(), text)
	}
	b.Follow(`button[value="accept"]`)
	b.WaitURL(j.w.url + "/u/approval/success")
	res, err := j.w.client.PostForm(j.w.url+"/oauth/token", url.Values{
		"grant_type": {"urn:openid:params:grant-type:ciba"}, "auth_req_id": {asked.AuthReqID}, "client_id": {id}, "client_secret": {j.app.oauth.ClientSecret},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var tokens struct {
		IDToken string `json:"id_token"`
		Scope   string `json:"scope"`
	}
	if err := json.NewDecoder(res.Body).Decode(&tokens); err != nil || res.StatusCode != 200 || tokens.IDToken == "" || tokens.Scope != "openid email" {
		t.Errorf("%d %+v %v", res.StatusCode, tokens, err)
	}
}

// TestRegisteredClient: an application registers itself and signs somebody in by
// a connection of the domain, with their consent.
func TestRegisteredClient(t *testing.T) {
	w := newWorld(t, storetest.SQLite)
	call := func(method, path, body string) string {
		t.Helper()
		status, answer := w.call(method, path, body)
		if status > 299 {
			t.Fatalf("%s %s: %d %s", method, path, status, answer)
		}
		return answer
	}
	call("PATCH", "/api/v2/tenants/settings", `{"flags":{"enable_dynamic_client_registration":true}}`)
	var con []struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal([]byte(call("GET", "/api/v2/connections?name="+database, "")), &con); err != nil || len(con) != 1 {
		t.Fatalf("%+v %v", con, err)
	}
	call("POST", "/api/v2/users", fmt.Sprintf(`{"connection":%q,"email":"ida@example.com","password":%q}`, database, goodPassword))
	res, err := w.client.Post(w.url+"/oidc/register", "application/json", bytes.NewBufferString(
		`{"client_name":"Tide Guest","redirect_uris":["http://localhost:3000/cb","https://app.example/cb"],"token_endpoint_auth_method":"none"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var c struct {
		ID string `json:"client_id"`
	}
	if err := json.NewDecoder(res.Body).Decode(&c); err != nil || res.StatusCode != http.StatusCreated {
		t.Fatalf("%d %+v %v", res.StatusCode, c, err)
	}
	verifier := oauth2.GenerateVerifier()
	request := w.url + "/authorize?" + url.Values{
		"client_id": {c.ID}, "redirect_uri": {"https://app.example/cb"}, "response_type": {"code"}, "scope": {"openid email"}, "state": {"s"},
		"code_challenge": {oauth2.S256ChallengeFromVerifier(verifier)}, "code_challenge_method": {"S256"},
	}.Encode()
	b := w.newBrowser()
	if _, page, at := b.follow(request); strings.HasPrefix(at.Path, "/u/login") {
		t.Fatalf("a connection that is not the domain's is offered: %s %.300s", at, page)
	}
	call("PATCH", "/api/v2/connections/"+con[0].ID, `{"is_domain_connection":true}`)
	query, page, at := b.follow(request)
	for _, form := range []url.Values{{"username": {"ida@example.com"}}, {"username": {"ida@example.com"}, "password": {goodPassword}}, {"decision": {"accept"}}} {
		m := formAction.FindStringSubmatch(page)
		if query != nil || m == nil {
			t.Fatalf("%v at %s: %.400s", query, at, page)
		}
		if form.Has("decision") && (at.Path != "/u/consent" || !strings.Contains(page, "Tide Guest")) {
			t.Fatalf("no consent page: %s %.400s", at, page)
		}
		to, err := at.Parse(html.UnescapeString(m[1]))
		if err != nil {
			t.Fatal(err)
		}
		query, page, at = b.submit(to.String(), form)
	}
	res, err = w.client.PostForm(w.url+"/oauth/token", url.Values{
		"grant_type": {"authorization_code"}, "client_id": {c.ID}, "code": {query.Get("code")}, "redirect_uri": {"https://app.example/cb"}, "code_verifier": {verifier},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 200 {
		t.Errorf("%d", res.StatusCode)
	}
}
