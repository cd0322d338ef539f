package mgmt

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"mangrove/internal/connection"
	"mangrove/internal/profile"
	"mangrove/internal/user"
)

// TestAssurance: how the last login was is shown with the identity, and written
// nowhere in the profile.
func TestAssurance(t *testing.T) {
	w := newWorld(t)
	manage := w.machine(t, "read:users create:connections read:connections read:connections_options")
	made := w.call(t, "POST", "/connections", manage,
		`{"name":"mitid","strategy":"oidc","options":{"client_id":"c","discovery_url":"https://b.example/x","type":"front_channel","legal_identity":{"eid":"dk-mitid","acr":"urn:grn:authn:dk:mitid:low"}}}`)
	if made.Code != 201 || !strings.Contains(made.Body.String(), `"acr_values":{"value":"urn:grn:authn:dk:mitid:low"}`) {
		t.Fatalf("%d %s", made.Code, made.Body)
	}
	var c *connection.Connection
	c, err := w.store.ConnectionByName(t.Context(), "mitid")
	must(t, err)
	in := func(level, cpr string) {
		t.Helper()
		raw := profile.Value(`{"acr":"urn:grn:authn:dk:mitid:substantial","loA":"` + level + `","cprNumberIdentifier":"` + cpr + `"}`)
		_, err := w.api.Users.Federate(t.Context(), c, profile.Claims{
			Subject: "{per}", Raw: raw,
			Attributes: []profile.Change{{Name: "name", Value: profile.Text("Per")}, {Name: "cprNumberIdentifier", Value: profile.Text(cpr)}},
		}, profile.Value(`{"access_token":"theirs"}`), user.Actor{})
		must(t, err)
	}
	const id = "/users/oidc%7Cmitid%7C%7Bper%7D"
	tag := ""
	for _, level := range []string{"substantial", "high", "substantial"} {
		in(strings.ToUpper(level), "2601901234")
		want := `{"connection":"mitid","user_id":"mitid|{per}","provider":"oidc","isSocial":false,"assurance":{"acr":"urn:grn:authn:dk:mitid:substantial","level":"` + level + `"}}`
		got := w.call(t, "GET", id, manage, "")
		if got.Code != 200 || !strings.Contains(got.Body.String(), want) || strings.Contains(got.Body.String(), "2601901234") {
			t.Fatalf("%d %s", got.Code, got.Body)
		}
		if tag == "" {
			tag = got.Header().Get("ETag")
		}
		if now := got.Header().Get("ETag"); now != tag {
			t.Errorf("the version went from %s to %s", tag, now)
		}
	}
	if got := w.call(t, "GET", "/users?q="+url.QueryEscape(`name:"Per"`), manage, "").Body.String(); !strings.Contains(got, `"level":"substantial"`) || strings.Contains(got, "theirs") {
		t.Errorf("in a list: %s", got)
	}
	if got := w.call(t, "GET", id, w.machine(t, "read:users read:user_idp_tokens"), "").Body.String(); !strings.Contains(got, `"access_token":"theirs","assurance":{`) {
		t.Errorf("with tokens: %s", got)
	}
	if got := w.call(t, "GET", id+"?fields=name", manage, "").Body.String(); got != `{"name":"Per"}` {
		t.Errorf("one field: %s", got)
	}
	if got := w.call(t, "GET", "/users/"+url.PathEscape(string(w.gus)), manage, "").Body.String(); strings.Contains(got, "assurance") {
		t.Errorf("of somebody else: %s", got)
	}
}

func TestLegalIdentities(t *testing.T) {
	w := newWorld(t)
	got := w.call(t, "GET", "/mangrove/legal-identities", w.machine(t, "read:connections"), "")
	var list []struct {
		EID     string
		Methods []struct{ ACR, Name, Level string }
		Claims  []struct {
			Claim, Attribute string
			National         bool `json:"national_identifier"`
		}
	}
	if err := json.Unmarshal(got.Body.Bytes(), &list); err != nil || got.Code != 200 || len(list) < 10 {
		t.Fatalf("%d %s", got.Code, got.Body)
	}
	national := map[string]string{}
	for _, e := range list {
		if len(e.Methods) == 0 || len(e.Claims) == 0 {
			t.Errorf("%+v", e)
		}
		for _, c := range e.Claims {
			if c.National {
				national[c.Claim] = c.Attribute
			}
		}
	}
	for _, name := range []string{"ssn", "socialno", "cprNumberIdentifier", "hetu", "satu", "bsn"} {
		if national[name] != name {
			t.Errorf("%s is not said to be a national identifier", name)
		}
	}
	if got := w.call(t, "GET", "/mangrove/legal-identities", w.machine(t, "read:users"), ""); got.Code != 403 {
		t.Errorf("another scope: %d", got.Code)
	}
	refused := w.call(t, "POST", "/connections", w.machine(t, "create:connections"), `{"name":"x","strategy":"oidc","options":{"client_id":"c","legal_identity":{"eid":"xx"}}}`)
	if refused.Code != 400 || !strings.Contains(refused.Body.String(), "options.legal_identity.eid is not known") || !strings.Contains(refused.Body.String(), `"errorCode":"invalid_body"`) {
		t.Errorf("%d %s", refused.Code, refused.Body)
	}
}
