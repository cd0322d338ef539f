package mgmt

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/profile"
	"mangrove/internal/user"
)

// stranger is somebody of an upstream and how the wire names them
// (reference/connections.md §0.1, 8 and 9).
type stranger struct {
	strategy, subject string
	local             string // identities[].user_id, as JSON
	social            bool
}

var strangers = []stranger{
	{"samlp", "u-77", `"the-samlp|u-77"`, false},
	{"waad", "00aa-11bb", `"the-waad|00aa-11bb"`, false},
	{"google-apps", "pia@corp.example", `"pia@corp.example"`, false},
	{"ad", "f00d", `"the-ad|f00d"`, false},
	{"ip", "office", `"office"`, false},
	{"github", "1234", `1234`, true},
	{"oauth2", "x|y", `"the-oauth2|x|y"`, true},
}

func (s stranger) connection() string { return "the-" + s.strategy }
func (s stranger) connectionID() string {
	return ("con_" + strings.ReplaceAll(s.strategy, "-", "") + "0000000000000000")[:20]
}
func (s stranger) id() string { return s.strategy + "|" + strings.Trim(s.local, `"`) }

// connect makes the connection of s; sync may be empty.
func (w *world) connect(t *testing.T, s stranger, sync string) {
	t.Helper()
	options := `{}`
	if sync != "" {
		options = `{"set_user_root_attributes":"` + sync + `"}`
	}
	c := connection.Connection{
		ID: s.connectionID(), Name: s.connection(), Strategy: s.strategy, Options: json.RawMessage(options), EnabledClients: []string{machineID},
		Realms: []string{s.connection()}, Extra: json.RawMessage(`{}`), Version: 1, CreatedAt: at, UpdatedAt: at,
	}
	must(t, w.store.CreateConnection(t.Context(), &c, audit.Event{Type: audit.APIOperation, At: at}))
}

// sync changes the sync of the connection of s.
func (w *world) sync(t *testing.T, s stranger, mode string) {
	t.Helper()
	answers(t, w.call(t, "PATCH", "/connections/"+s.connectionID(), w.machine(t, "update:connections update:connections_options"),
		`{"options":{"set_user_root_attributes":"`+mode+`"}}`), 200, nil, nil)
}

// arrives signs s in, with that name.
func (w *world) arrives(t *testing.T, s stranger, name string) *user.User {
	t.Helper()
	c, err := w.store.Connection(t.Context(), s.connectionID())
	must(t, err)
	u, err := w.api.Users.Federate(t.Context(), c, profile.Claims{Subject: s.subject, Attributes: []profile.Change{
		{Name: "name", Value: profile.Text(name)},
		{Name: "email", Value: profile.Text(s.strategy + "@people.example")},
		{Name: "department", Value: profile.Text("tides")},
	}, Raw: profile.Value(`{"sub":"x"}`)}, profile.Value(`{"access_token":"upstream-secret"}`), user.Actor{ClientID: machineID, IP: "203.0.113.7"})
	must(t, err)
	return u
}

// Somebody of each upstream is read, found, linked by each way of naming them, signs
// in as the other from then on, and is parted again (reference/connections.md §3.7, §7).
func TestLinkUpstreamUsers(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		bearer := w.machine(t, "update:users read:users")
		own := w.of(t, w.ann, "update:current_user_identities")
		for _, s := range strangers {
			t.Run(s.strategy, func(t *testing.T) {
				w.connect(t, s, "")
				if u := w.arrives(t, s, "First"); string(u.ID) != s.id() {
					t.Fatalf("arrived as %s", u.ID)
				}
				path := "/users/" + url.PathEscape(s.id())
				identity := `"connection":"` + s.connection() + `","user_id":` + s.local + `,"provider":"` + s.strategy + `","isSocial":` + map[bool]string{true: "true", false: "false"}[s.social]
				alone := []string{`"identities":[{` + identity + `}]`, `"user_id":"` + s.id() + `"`, `"department":"tides"`}
				one := func(path string) {
					t.Helper()
					answers(t, w.call(t, "GET", path, bearer, ""), 200, alone, []string{"profileData", "upstream-secret"})
				}
				one(path)
				one("/users-by-email?email=" + s.strategy + "@people.example")
				for _, q := range []string{
					`identities.provider:"` + s.strategy + `"`, `identities.connection:"` + s.connection() + `"`,
					`identities.isSocial:` + map[bool]string{true: "true", false: "false"}[s.social] + ` AND email:"` + s.strategy + `@people.example"`,
					`identities.user_id:"` + strings.Trim(s.local, `"`) + `"`, `user_id:"` + s.id() + `"`,
				} {
					one("/users?search_engine=v3&q=" + url.QueryEscape(q))
				}

				local, _ := json.Marshal(strings.Trim(s.local, `"`))
				whole, _ := json.Marshal(s.id())
				unlink := annIdentities + "/" + s.strategy + "/" + url.PathEscape(strings.Trim(s.local, `"`))
				for name, link := range map[string]struct {
					bearer, body string
					again        int // the status of the same once more
				}{
					"as shown":       {bearer, `{"provider":"` + s.strategy + `","user_id":` + s.local + `}`, 409},
					"as text":        {bearer, `{"provider":"` + s.strategy + `","user_id":` + string(local) + `}`, 409},
					"the whole id":   {bearer, `{"provider":"` + s.strategy + `","user_id":` + string(whole) + `}`, 409},
					"of the one":     {bearer, `{"provider":"` + s.strategy + `","user_id":` + s.local + `,"connection_id":"` + s.connectionID() + `"}`, 409},
					"by an ID token": {own, `{"link_with":"` + w.idToken(t, s.id(), machineID, time.Hour) + `"}`, 400},
				} {
					linked := []string{
						`{"profileData":{`, `"department":"tides"`, `"name":"First"`, `},` + identity + `}]`,
						`"connection":"Users","user_id":"ann","provider":"auth0","isSocial":false}`,
					}
					rec := w.call(t, "POST", annIdentities, link.bearer, link.body)
					if answers(t, rec, 201, linked, []string{"upstream-secret"}); rec.Code != 201 {
						t.Fatal(name)
					}
					answers(t, w.call(t, "GET", path, bearer, ""), 404, nil, nil)
					answers(t, w.call(t, "POST", annIdentities, bearer, link.body), link.again, nil, nil)
					for _, q := range []string{
						`identities.connection:"` + s.connection() + `"`, `identities.user_id:"` + strings.Trim(s.local, `"`) + `"`,
						`identities.profileData.email:"` + s.strategy + `@people.example"`,
					} {
						answers(t, w.call(t, "GET", "/users?search_engine=v3&q="+url.QueryEscape(q), bearer, ""), 200, []string{`"user_id":"auth0|ann"`}, nil)
					}
					answers(t, w.call(t, "DELETE", unlink, bearer, ""), 200, nil, []string{s.connection()})
					one(path)
				}
			})
		}
	})
}

// A login through a linked identity refreshes what that identity says under its own
// connection's sync, never the root; parted again, the person is as it was last
// (reference/connections.md §3.7).
func TestLoginByALinkedIdentity(t *testing.T) {
	for mode, name := range map[string]string{"": "Second", "on_each_login": "Second", "on_first_login": "First", "never_on_login": "First"} {
		t.Run(mode, func(t *testing.T) {
			w := newWorld(t)
			s := strangers[0]
			if w.connect(t, s, mode); mode == "never_on_login" {
				w.sync(t, s, "on_first_login") // somebody has to be known to be left alone
			}
			w.arrives(t, s, "First")
			bearer := w.machine(t, "update:users read:users read:user_idp_tokens")
			answers(t, w.call(t, "POST", annIdentities, bearer, `{"provider":"samlp","user_id":"the-samlp|u-77"}`), 201, nil, nil)
			if mode != "" {
				w.sync(t, s, mode)
			}
			if u := w.arrives(t, s, "Second"); u.ID != w.ann {
				t.Fatalf("signed in as %s", u.ID)
			}
			answers(t, w.call(t, "GET", "/users/auth0%7Cann", bearer, ""), 200,
				[]string{`"name":"Ann"`, `"email":"ann@example.com"`, `"name":"` + name + `"`, `"logins_count":1`}, []string{`"department":"tides","email":"ann`})
			answers(t, w.call(t, "DELETE", annIdentities+"/samlp/the-samlp%7Cu-77", bearer, ""), 200, nil, []string{"samlp"})
			answers(t, w.call(t, "GET", "/users/samlp%7Cthe-samlp%7Cu-77", bearer, ""), 200, []string{`"name":"` + name + `"`, `"department":"tides"`}, []string{"profileData", "logins_count"})
		})
	}
}

// The record of an upstream's login says where and who, as long as the person is there.
func TestLogsOfUpstreamLogins(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		bearer := w.machine(t, "read:logs delete:users")
		for _, s := range strangers {
			w.connect(t, s, "")
			w.arrives(t, s, "First")
			id := url.PathEscape(s.id())
			has := []string{
				`"type":"s"`, `"connection":"` + s.connection() + `","connection_id":"` + s.connectionID() + `"`, `"user_id":"` + s.id() + `"`,
				`"user_name":"` + s.strategy + `@people.example"`, `"strategy":"` + s.strategy + `"`,
				`"strategy_type":"` + map[bool]string{true: "social", false: "enterprise"}[s.social] + `"`,
			}
			answers(t, w.call(t, "GET", "/users/"+id+"/logs", bearer, ""), 200, has, []string{"upstream-secret"})
			answers(t, w.call(t, "GET", "/logs?per_page=1", bearer, ""), 200, has, nil)
			answers(t, w.call(t, "DELETE", "/users/"+id, bearer, ""), 204, nil, nil)
			answers(t, w.call(t, "GET", "/users/"+id+"/logs", bearer, ""), 200, []string{`"type":"s"`, `"user_name":""`}, []string{"@people.example"})
		}
	})
}

func TestLogName(t *testing.T) {
	for attributes, want := range map[string]string{
		`{"username":"ann1","email":"a@b.co","name":"Ann"}`: "ann1",
		`{"username":7,"email":"a@b.co","name":"Ann"}`:      "a@b.co",
		`{"phone_number":"+15550100","name":"Ann"}`:         "+15550100",
		`{"email":"","name":"Ann \"A\""}`:                   `Ann "A"`,
		`{"name":null}`:                                     "",
		``:                                                  "",
	} {
		if got := logName([]byte(attributes)); got != want {
			t.Errorf("%s: %q, want %q", attributes, got, want)
		}
	}
}

// What may be edited of somebody of each kind of upstream, in each mode, and what a
// refusal says (reference/connections.md §3.6, reference/users.md §1.7).
func TestPatchUpstreamUsers(t *testing.T) {
	w := newWorld(t)
	bearer := w.machine(t, "update:users read:users")
	const synced = `"The following user attributes cannot be updated: %s. The connection (%c) must either be a database connection (using the Auth0 store), a passwordless connection (email or sms) or has disabled 'Sync user profile attributes at each login'.`
	const kept = `"The following user attributes cannot be removed: %s. The connection (%c) should have disabled 'Sync user profile attributes at each login' (see <a href='https://auth0.com/docs/users/configure-connection-sync-with-auth0'>`
	for _, s := range strangers {
		w.connect(t, s, "")
		w.arrives(t, s, "First")
		path := "/users/" + url.PathEscape(s.id())
		text := func(form, list string) string {
			return strings.NewReplacer("%s", list, "%c", s.connection()).Replace(form)
		}
		proof := `"Email verification is not supported for enterprise users."`
		if s.social {
			proof = ""
		}
		for _, row := range []struct {
			name, body      string
			synced, unasked string // the refusal on_each_login, and otherwise; empty: none
		}{
			{"all five", `{"picture":"https://x.example/p","nickname":"n","name":"x","given_name":"g","family_name":"f"}`, text(synced, "family_name, given_name, name, nickname, picture"), ""},
			{"with the value that it has", `{"name":"First"}`, text(synced, "name"), ""},
			{"null", `{"nickname":null,"given_name":null}`, text(synced, "given_name, nickname"), ""},
			{"other names, null", `{"locale":null,"department":null}`, text(kept, "department, locale"), ""},
			{"e-mail", `{"email":"x@y.example"}`, `"Cannot update email for non-database user."`, `"Cannot update email for non-database user."`},
			{"e-mail, null", `{"email":null}`, `"Cannot update email for non-database user."`, `"Cannot update email for non-database user."`},
			{"e-mail, verified", `{"email_verified":true}`, proof, proof},
			{"password", `{"password":"` + password + `"}`, `"Cannot update password for non-database user."`, `"Cannot update password for non-database user."`},
			{"metadata beside a refusal", `{"user_metadata":{"n":1},"name":"y"}`, text(synced, "name"), ""},
			{"metadata", `{"user_metadata":{"a":1},"app_metadata":{"b":2},"blocked":false}`, "", ""},
		} {
			for _, mode := range []string{"on_each_login", "on_first_login", "never_on_login"} {
				t.Run(s.strategy+" "+mode+" "+row.name, func(t *testing.T) {
					w.sync(t, s, mode)
					before := w.stored(t, user.ID(s.id()))
					refusal := row.unasked
					if mode == "on_each_login" {
						refusal = row.synced
					}
					rec := w.call(t, "PATCH", path, bearer, row.body)
					if refusal == "" {
						answers(t, rec, 200, nil, nil)
						return
					}
					answers(t, rec, 400, []string{refusal, `"errorCode":"operation_not_supported"`}, nil)
					if w.stored(t, user.ID(s.id())) != before {
						t.Error("the refusal changed the user")
					}
				})
			}
		}
		answers(t, w.call(t, "GET", path, bearer, ""), 200, []string{`"name":"y"`, `"user_metadata":{"n":1,"a":1}`}, []string{`"department"`, `"given_name"`, `"nickname"`})
	}
}
