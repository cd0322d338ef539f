package login_test

import (
	"encoding/json"
	"net/url"
	"testing"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/oauth"
)

// security.md 92: what changes while an answer is judged that nobody asked for counts:
// the connection is read again.
func TestUnaskedIsReadAgain(t *testing.T) {
	const begins = `{"idpinitiated":{"enabled":true,"client_id":"` + appID + `"}`
	for _, row := range []struct {
		name   string
		during func(r *rig)
		want   url.Values
	}{
		{"nothing", func(*rig) {}, url.Values{"user": {"samlp|corp|pia"}}},
		{"disabled for the application", func(r *rig) {
			r.change(corpID, func(c *connection.Connection) { c.EnabledClients = nil })
		}, url.Values{"error": {"invalid_request"}, "error_description": {"the connection was disabled"}}},
		{"not for signing in", func(r *rig) {
			r.change(corpID, func(c *connection.Connection) { c.Extra = json.RawMessage(`{"authentication":{"active":false}}`) })
		}, url.Values{"error": {"invalid_request"}, "error_description": {"the connection was disabled"}}},
		{"the provider may not begin", func(r *rig) {
			r.change(corpID, func(c *connection.Connection) {
				c.Options = json.RawMessage(`{"idpinitiated":{"enabled":false,"client_id":"` + appID + `"}}`)
			})
		}, url.Values{"error": {"invalid_request"}, "error_description": {"the identity provider may not begin logins of the connection"}}},
		{"none is created any more", func(r *rig) {
			r.change(corpID, func(c *connection.Connection) {
				c.Options = json.RawMessage(begins + `,"set_user_root_attributes":"never_on_login"}`)
			})
		}, url.Values{"error": {"access_denied"}}},
		{"deleted", func(r *rig) {
			if err := r.store.DeleteConnection(t.Context(), corpID, 0, r.now().UnixMicro(), audit.Event{}); err != nil {
				t.Fatal(err)
			}
		}, url.Values{"error": {"invalid_request"}, "error_description": {"the connection was not found"}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newRig(t)
			r.database()
			r.corp(map[string]any{"idpinitiated": map[string]any{"enabled": true, "client_id": appID}})
			r.validate = func(url.Values) (oauth.AuthorizeRequest, error) {
				return oauth.AuthorizeRequest{ClientID: appID, ResponseType: "code", ResponseMode: "query", RedirectURI: redirect}, nil
			}
			r.during = func() { row.during(r) }
			b := r.browser()
			a := b.post("/login/callback?connection=corp", url.Values{"SAMLResponse": {"pia"}})
			for name := range row.want {
				if a.app.Get(name) != row.want.Get(name) {
					t.Errorf("%s is %q, %d %.200s", name, a.app.Get(name), a.status, a.body)
				}
			}
			if row.want.Has("error") && (b.get("/whoami").body != "" || len(r.refusals()) != 1) {
				t.Errorf("a session of %q, the records %q", b.get("/whoami").body, r.refusals())
			}
		})
	}
}
