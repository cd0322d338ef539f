package server_test

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/auth0/go-auth0/management"

	"mangrove/internal/connection"
)

// shapes are the options of the official SDK, by strategy, with what administrators
// set first.
var shapes = map[string]any{
	"auth0":         &management.ConnectionOptions{DisableSignup: ptr(true), NonPersistentAttrs: &[]string{"gender"}},
	"google-oauth2": &management.ConnectionOptionsGoogleOAuth2{ClientID: ptr("id"), ClientSecret: ptr("secret"), Calendar: ptr(true)},
	"google-apps":   &management.ConnectionOptionsGoogleApps{ClientID: ptr("id"), ClientSecret: ptr("secret"), Domain: ptr("corp.example")},
	"facebook":      &management.ConnectionOptionsFacebook{ClientID: ptr("id"), ClientSecret: ptr("secret"), Email: ptr(true)},
	"apple":         &management.ConnectionOptionsApple{ClientID: ptr("id"), TeamID: ptr("team"), KeyID: ptr("key"), Email: ptr(true), Name: ptr(true)},
	"linkedin":      &management.ConnectionOptionsLinkedin{ClientID: ptr("id"), ClientSecret: ptr("secret"), StrategyVersion: ptr(2)},
	"github":        &management.ConnectionOptionsGitHub{ClientID: ptr("id"), ClientSecret: ptr("secret"), Email: ptr(true), ReadUser: ptr(true)},
	"email":         &management.ConnectionOptionsEmail{Name: ptr("email"), BruteForceProtection: ptr(true)},
	"sms":           &management.ConnectionOptionsSMS{Name: ptr("sms"), From: ptr("+12025550100"), BruteForceProtection: ptr(true)},
	"windowslive":   &management.ConnectionOptionsWindowsLive{ClientID: ptr("id"), ClientSecret: ptr("secret"), StrategyVersion: ptr(2), User: ptr(true)},
	"salesforce":    &management.ConnectionOptionsSalesforce{ClientID: ptr("id"), ClientSecret: ptr("secret"), Profile: ptr(true)},
	"oauth1":        &management.ConnectionOptionsOAuth1{ConsumerKey: ptr("id"), ConsumerSecret: ptr("secret"), RequestTokenURL: ptr("https://one.example/request")},
	"oauth2":        &management.ConnectionOptionsOAuth2{ClientID: ptr("id"), ClientSecret: ptr("secret"), AuthorizationURL: ptr("https://two.example/authorize"), TokenURL: ptr("https://two.example/token")},
	"oidc":          &management.ConnectionOptionsOIDC{ClientID: ptr("id"), ClientSecret: ptr("secret"), Issuer: ptr("https://oidc.example"), TenantDomain: ptr("corp.example")},
	"okta":          &management.ConnectionOptionsOkta{ClientID: ptr("id"), ClientSecret: ptr("secret"), Domain: ptr("corp.invalid")},
	"ad":            &management.ConnectionOptionsAD{TenantDomain: ptr("corp.example"), DomainAliases: &[]string{"corp.example"}, CertAuth: ptr(false)},
	"adfs":          &management.ConnectionOptionsADFS{SignInEndpoint: ptr("https://adfs.example/adfs/ls"), TenantDomain: ptr("corp.example")},
	"waad":          &management.ConnectionOptionsAzureAD{ClientID: ptr("id"), ClientSecret: ptr("secret"), Domain: ptr("corp.invalid"), UserIDAttribute: ptr("sub")},
	"samlp":         &management.ConnectionOptionsSAML{SignInEndpoint: ptr("https://idp.example/sso"), FieldsMap: map[string]any{"email": "mail"}},
	"pingfederate":  &management.ConnectionOptionsPingFederate{PingFederateBaseURL: ptr("https://ping.example"), SignSAMLRequest: ptr(true)},
}

// What the official SDK writes of a connection it reads again, and what it reads can
// be written back, for each of its types.
func TestSDKEveryConnectionType(t *testing.T) {
	onBothEngines(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		for strategy, options := range shapes {
			t.Run(strategy, func(t *testing.T) {
				c := &management.Connection{Name: ptr("typed-" + strategy), Strategy: ptr(strategy), Options: options}
				want := members(t, options)
				if err := w.sdk.Connection.Create(ctx, c); err != nil {
					t.Fatal(err)
				}
				read, err := w.sdk.Connection.Read(ctx, c.GetID())
				if err != nil {
					t.Fatal(err)
				}
				if reflect.TypeOf(read.Options) != reflect.TypeOf(options) {
					t.Fatalf("read as %T", read.Options)
				}
				got := members(t, read.Options)
				for name, v := range want {
					if v != nil && !reflect.DeepEqual(got[name], v) {
						t.Errorf("%s was %v, is %v", name, v, got[name])
					}
				}
				if err := w.sdk.Connection.Update(ctx, c.GetID(), &management.Connection{Options: read.Options}); err != nil {
					t.Fatal(err)
				}
				again, err := w.sdk.Connection.Read(ctx, c.GetID())
				if err != nil || !reflect.DeepEqual(members(t, again.Options), got) {
					t.Errorf("sent back as it was read: %v\nbefore %v", members(t, again.Options), got)
				}
				if err := w.sdk.Connection.Delete(ctx, c.GetID()); err != nil {
					t.Error(err)
				}
			})
		}
	})
}

func members(t *testing.T, v any) map[string]any {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// Every strategy can be created, read, written back, filtered and deleted, with the
// members that its answers have; set_user_root_attributes is for upstreams alone
// (reference/connections.md §1.1, §1.3, §3.2).
func TestEveryStrategyOnTheWire(t *testing.T) {
	onBothEngines(t, func(t *testing.T, w *world) {
		ask := func(method, path, body string) (int, map[string]any) {
			t.Helper()
			status, answer := w.call(method, "/api/v2/connections"+path, body)
			var m map[string]any
			_ = json.Unmarshal([]byte(answer), &m)
			return status, m
		}
		for _, strategy := range connection.Strategies() {
			s, _ := connection.StrategyOf(strategy)
			options := `{"client_id":"id","client_secret":"secret","unknown_to_us":[1]}`
			if strategy == "ip" {
				options = `{"range":"10.0.0.0/8","username":"office"}`
			}
			status, c := ask("POST", "", `{"name":"wire-`+strategy+`","strategy":"`+strategy+`","options":`+options+`}`)
			if status != http.StatusCreated {
				t.Errorf("%s: %d %v", strategy, status, c)
				continue
			}
			_, button := c["show_as_button"]
			_, named := c["display_name"]
			if button != (s.Group == connection.EnterpriseGroup) || named != slices.Contains([]string{"oidc", "okta", "waad"}, strategy) {
				t.Errorf("%s: %v", strategy, c)
			}
			at := "/" + c["id"].(string)
			if status, again := ask("GET", at, ""); status != http.StatusOK || !reflect.DeepEqual(again, c) {
				t.Errorf("%s is read as %v", strategy, again)
			}
			back, _ := json.Marshal(map[string]any{"options": c["options"]})
			if status, again := ask("PATCH", at, string(back)); status != http.StatusOK || !reflect.DeepEqual(again["options"], c["options"]) {
				t.Errorf("%s, sent back: %d %v", strategy, status, again)
			}
			for _, mode := range []string{"on_each_login", "on_first_login", "never_on_login"} {
				set := strings.TrimSuffix(options, "}") + `,"set_user_root_attributes":"` + mode + `"}`
				status, answer := ask("PATCH", at, `{"options":`+set+`}`)
				upstream := s.Group == connection.EnterpriseGroup || s.Group == connection.SocialGroup
				if want := map[bool]int{true: http.StatusOK, false: http.StatusBadRequest}[upstream]; status != want {
					t.Errorf("%s %s: %d %v", strategy, mode, status, answer)
				}
			}
			if status, body := w.call("GET", "/api/v2/connections?fields=id&strategy="+strategy, ""); status != http.StatusOK || !strings.Contains(body, c["id"].(string)) {
				t.Errorf("%s is not found by its strategy: %d %s", strategy, status, body)
			}
			if status, answer := ask("DELETE", at, ""); status != http.StatusAccepted || len(answer) != 1 || answer["deleted_at"] == nil {
				t.Errorf("%s: %d %v", strategy, status, answer)
			}
		}

		// A custom database may sync until it keeps its people here.
		const outside = `"enabledDatabaseCustomization":true,"set_user_root_attributes":"on_first_login"`
		status, c := ask("POST", "", `{"name":"outside","strategy":"auth0","options":{`+outside+`,"import_mode":false}}`)
		if status != http.StatusCreated {
			t.Fatalf("%d %v", status, c)
		}
		at := "/" + c["id"].(string)
		status, answer := ask("PATCH", at, `{"options":{`+outside+`,"import_mode":true}}`)
		if text, _ := answer["message"].(string); status != http.StatusBadRequest || !strings.HasPrefix(text, "options.set_user_root_attributes can be set only for") {
			t.Errorf("%d %v", status, answer)
		}
		if _, again := ask("GET", at, ""); !reflect.DeepEqual(again, c) {
			t.Errorf("the refusal changed something: %v", again)
		}
		if status, answer := ask("PATCH", at, `{"options":{"enabledDatabaseCustomization":true,"import_mode":true}}`); status != http.StatusOK {
			t.Errorf("%d %v", status, answer)
		}
	})
}

var nodeConnectionSteps = []string{
	"connections.create", "connections.computed", "connections.update", "connections.list", "connections.clients", "connections.keys",
	"connections.status", "connections.delete",
}

// The official Node.js SDK as an administrator of connections
// (test/node-sdk/connections.mjs).
func TestNodeSDKConnections(t *testing.T) {
	dir := nodeSDK(t)
	onBothEngines(t, func(t *testing.T, w *world) {
		driveNode(t, w, filepath.Join(dir, "connections.mjs"), nodeConnectionSteps, nil)
	})
}
