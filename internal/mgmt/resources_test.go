package mgmt

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"mangrove/internal/audit"
	"mangrove/internal/client"
	"mangrove/internal/connection"
	"mangrove/internal/grant"
	"mangrove/internal/resourceserver"
)

// onResources is onEngines with what grants need: the Management API.
func onResources(t *testing.T, test func(t *testing.T, w *world)) {
	onEngines(t, func(t *testing.T, w *world) {
		w.api.Grants.Scopes = w.api.ResourceServers.ScopesOf
		must(t, w.store.CreateResourceServer(t.Context(), resourceserver.ManagementAPI(publicURL, at), testEvent))
		test(t, w)
	})
}

var testEvent = audit.Event{Type: audit.APIOperation, At: at}

// member is a member of a JSON object, as its text.
func member(t *testing.T, body []byte, name string) string {
	t.Helper()
	var m map[string]json.RawMessage
	if err := json.Unmarshal(body, &m); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	var s string
	if json.Unmarshal(m[name], &s) == nil {
		return s
	}
	return string(m[name])
}

func TestConnectionGolden(t *testing.T) {
	c := connection.Default(at)
	c.ID = usersID
	c.EnabledClients = []string{machineID}
	full := &connection.Connection{
		ID: googleID, Name: "acme", Strategy: "oidc",
		Options: json.RawMessage(`{"client_id":"x","client_secret":"y","configuration":{"A":{"value":"secret","mask":"masked"}}}`),
		Realms:  []string{"a.test", "b.test"},
		Extra: json.RawMessage(`{"authentication":{"active":true},"connected_accounts":{"active":false},"cross_app_access_requesting_app":{"active":false},` +
			`"display_name":"Acme","is_domain_connection":true,"metadata":{"a":"1"},"show_as_button":true}`),
	}
	for name, row := range map[string]struct {
		c       *connection.Connection
		options bool
	}{
		"connection.json":            {c, true},
		"connection_no_options.json": {c, false},
		"connection_full.json":       {full, true},
	} {
		b, err := connectionJSON(row.c, row.options)
		must(t, err)
		golden(t, name, b)
	}
}

func TestClientGolden(t *testing.T) {
	golden(t, "client.json", clientJSON(client.Management(machineID, "secret", at)))
	golden(t, "client_global.json", clientJSON(client.Global("global00000000000000000000000000", "secret", at)))
	golden(t, "client_public.json", clientJSON(&client.Client{ID: "spa", Name: `Ann's "app"`, Doc: json.RawMessage(`{"app_type":"spa"}`)}))
}

func TestGrantAndAPIGolden(t *testing.T) {
	golden(t, "grant.json", grantJSON(&grant.Grant{
		ID: "cgr_0000000000000000", ClientID: machineID, Audience: "https://api.example/", Scope: []string{"read:a"},
		Extra: json.RawMessage(`{"subject_type":"client"}`),
	}))
	golden(t, "grant_least.json", grantJSON(&grant.Grant{ID: "cgr_0000000000000000", ClientID: machineID, Audience: "api", Extra: json.RawMessage(`{}`)}))
	rs := resourceserver.ManagementAPI(publicURL, at)
	rs.ID = "0123456789abcdef01234567"
	golden(t, "resource_server_system.json", resourceServerJSON(rs))
	golden(t, "resource_server.json", resourceServerJSON(&resourceserver.ResourceServer{
		ID: "0123456789abcdef01234567", Identifier: "https://api.example/", Doc: json.RawMessage(`{"signing_alg":"RS256"}`),
	}))
}

// step is one call of a story: what it sends, and what it gets. In path and
// body, $name is what an earlier step kept.
type step struct {
	name, scopes, method, path, body string
	status                           int
	has, hasNot                      []string
	keep, as                         string // a member of the answer, under a name
}

func (w *world) story(t *testing.T, steps []step) map[string]string {
	t.Helper()
	kept := map[string]string{}
	fill := func(s string) string {
		for name, v := range kept {
			s = strings.ReplaceAll(s, "$"+name, v)
		}
		return s
	}
	for _, s := range steps {
		t.Run(s.name, func(t *testing.T) {
			rec := w.call(t, s.method, fill(s.path), w.machine(t, s.scopes), fill(s.body))
			for i := range s.has {
				s.has[i] = fill(s.has[i])
			}
			answers(t, rec, s.status, s.has, s.hasNot)
			if s.keep != "" {
				kept[s.as] = member(t, rec.Body.Bytes(), s.keep)
			}
		})
	}
	return kept
}

const allConnections = "read:connections create:connections update:connections delete:connections read:connections_options update:connections_options"

func TestConnectionStory(t *testing.T) {
	onResources(t, func(t *testing.T, w *world) {
		w.story(t, []step{
			{
				name: "create", scopes: allConnections, method: "POST", path: "/connections", body: `{"name":"db","strategy":"auth0"}`, status: 201,
				has: []string{
					`"options":{`, `"passwordPolicy":"good"`, `"strategy_version":2`, `"brute_force_protection":true`, `"realms":["db"]`, `"enabled_clients":[]`,
					`"is_domain_connection":false`, `"authentication":{"active":true}`, `"connected_accounts":{"active":false}`,
				},
				hasNot: []string{"show_as_button", "set_user_root_attributes", "display_name", "metadata"}, keep: "id", as: "db",
			},
			{name: "the same name", scopes: allConnections, method: "POST", path: "/connections", body: `{"name":"db","strategy":"email"}`, status: 409,
				has: []string{`"A connection with the same name already exists"`, `"errorCode":"conflict"`}},
			{name: "a realm that is taken", scopes: allConnections, method: "POST", path: "/connections", body: `{"name":"db2","strategy":"auth0","realms":["db"]}`, status: 409,
				has: []string{`There is already another connection with some realms from \"realms\" parameter`}},
			{name: "enterprise", scopes: allConnections, method: "POST", path: "/connections",
				body:   `{"name":"acme","strategy":"samlp","enabled_clients":["` + machineID + `"],"metadata":{"a":"1","b":null},"options":{"set_user_root_attributes":"on_first_login","screen_name":"kept"}}`,
				status: 201, has: []string{`"show_as_button":false`, `"set_user_root_attributes":"on_first_login"`, `"screen_name":"kept"`, `"metadata":{"a":"1"}`, `"enabled_clients":["` + machineID + `"]`},
				keep: "id", as: "acme"},
			{name: "get one", scopes: allConnections, method: "GET", path: "/connections/$acme", status: 200, has: []string{`"id":"$acme"`, `"options":{`}},
			{name: "options need their scope", scopes: "read:connections", method: "GET", path: "/connections/$acme", status: 200, has: []string{`"id":"$acme"`}, hasNot: []string{`"options"`, "screen_name"}},
			{name: "also when asked for by name", scopes: "read:connections", method: "GET", path: "/connections/$acme?fields=options,name", status: 200, has: []string{`"name":"acme"`}, hasNot: []string{`"options"`}},
			{name: "also in lists", scopes: "read:connections", method: "GET", path: "/connections?fields=options", status: 200, hasNot: []string{`"options"`}},
			{name: "fields", scopes: allConnections, method: "GET", path: "/connections/$acme?fields=name,strategy", status: 200,
				has: []string{`"id":"$acme"`, `"name":"acme"`, `"strategy":"samlp"`, `"is_domain_connection"`, `"authentication"`, `"connected_accounts"`}, hasNot: []string{`"options"`, `"realms"`}},
			{name: "without fields", scopes: allConnections, method: "GET", path: "/connections/$acme?fields=options,realms,id&include_fields=false", status: 200,
				has: []string{`"id":"$acme"`, `"name"`}, hasNot: []string{`"options"`, `"realms"`}},
			{name: "patch replaces options", scopes: allConnections, method: "PATCH", path: "/connections/$acme", body: `{"options":{"cert":"x"}}`, status: 200,
				has: []string{`"options":{"cert":"x"}`, `"metadata":{"a":"1"}`, `"enabled_clients":["` + machineID + `"]`}},
			{name: "patch of options needs its scope", scopes: "update:connections", method: "PATCH", path: "/connections/$acme", body: `{"options":{"cert":"y"}}`, status: 403,
				has: []string{"Insufficient scope, expected any of: update:connections_options"}},
			{name: "patch of others does not, and shows no options", scopes: "update:connections", method: "PATCH", path: "/connections/$acme", body: `{"display_name":"Acme"}`, status: 200,
				has: []string{`"display_name":"Acme"`}, hasNot: []string{`"options"`}},
			{name: "options stayed", scopes: allConnections, method: "PATCH", path: "/connections/$acme", body: `{"is_domain_connection":true}`, status: 200,
				has: []string{`"options":{"cert":"x"}`, `"is_domain_connection":true`, `"display_name":"acme"`}},
			{name: "name is fixed", scopes: allConnections, method: "PATCH", path: "/connections/$acme", body: `{"name":"other"}`, status: 400,
				has: []string{"Additional properties not allowed: name", `"errorCode":"invalid_body"`}},
			{name: "strategy is fixed", scopes: allConnections, method: "PATCH", path: "/connections/$acme", body: `{"strategy":"oidc"}`, status: 400, has: []string{"Additional properties not allowed: strategy"}},
			{name: "an empty patch", scopes: allConnections, method: "PATCH", path: "/connections/$acme", body: `{}`, status: 400, has: []string{"invalid_body"}},
			{name: "a client that does not exist", scopes: allConnections, method: "PATCH", path: "/connections/$acme", body: `{"enabled_clients":["nobody"]}`, status: 400, has: []string{"nobody"}},
			{name: "sync mode on a database", scopes: allConnections, method: "PATCH", path: "/connections/$db", body: `{"options":{"set_user_root_attributes":"on_first_login"}}`, status: 400,
				has: []string{"options.set_user_root_attributes can be set only for enterprise connections"}},
			{name: "cross app access", scopes: allConnections, method: "PATCH", path: "/connections/$db", body: `{"cross_app_access_requesting_app":{"active":true}}`, status: 400,
				has: []string{"Cross App Access Requesting App is not supported for this connection.", `"errorCode":"operation_not_supported"`}},
			{name: "an empty database may become custom", scopes: allConnections, method: "PATCH", path: "/connections/$db", body: `{"options":{"enabledDatabaseCustomization":true}}`, status: 200,
				has: []string{`"enabledDatabaseCustomization":true`}},
			{name: "one with users may not", scopes: allConnections, method: "PATCH", path: "/connections/" + usersID, body: `{"options":{"enabledDatabaseCustomization":true}}`, status: 400,
				has: []string{`This database contains users. You cannot change \"options.enabledDatabaseCustomization\" setting.`}},
			{name: "secrets of scripts", scopes: allConnections, method: "PATCH", path: "/connections/$db", body: `{"options":{"enabledDatabaseCustomization":true,"configuration":{"URL":"hunter2"}}}`, status: 200,
				has: []string{`"configuration":{"URL":"`}, hasNot: []string{"hunter2"}},
			{name: "delete", scopes: allConnections, method: "DELETE", path: "/connections/$acme", status: 202, has: []string{`{"deleted_at":"20`}},
			{name: "it is gone", scopes: allConnections, method: "GET", path: "/connections/$acme", status: 404, has: []string{`"The connection does not exist"`, `"errorCode":"inexistent_connection"`}},
			{name: "delete again", scopes: allConnections, method: "DELETE", path: "/connections/$acme", status: 204},
			{name: "patch what is gone", scopes: allConnections, method: "PATCH", path: "/connections/$acme", body: `{"display_name":"x"}`, status: 404},
		})
	})
}

func TestConnectionBodies(t *testing.T) {
	onResources(t, func(t *testing.T, w *world) {
		for _, row := range []struct {
			name, body string
			status     int
			text       string
		}{
			{"no name", `{"strategy":"auth0"}`, 400, "Missing required property: name"},
			{"no strategy", `{"name":"a"}`, 400, "Missing required property: strategy"},
			{"unknown strategy", `{"name":"a","strategy":"telepathy"}`, 400, "No enum match for: telepathy"},
			{"the filter's alias", `{"name":"a","strategy":"auth0-adldap"}`, 400, "No enum match for: auth0-adldap"},
			{"name with an underscore", `{"name":"a_b","strategy":"auth0"}`, 400, "does not match pattern"},
			{"name with two dashes", `{"name":"a--b","strategy":"auth0"}`, 400, "does not match pattern"},
			{"name of 129", `{"name":"` + strings.Repeat("a", 129) + `","strategy":"auth0"}`, 400, "String is too long"},
			{"name of 128", `{"name":"` + strings.Repeat("a", 128) + `","strategy":"auth0"}`, 201, ""},
			{"unknown member", `{"name":"a","strategy":"auth0","foo":1}`, 400, "Additional properties not allowed: foo"},
			{"own id", `{"name":"a","strategy":"auth0","id":"con_0"}`, 400, "Additional properties not allowed: id"},
			{"options as a list", `{"name":"a","strategy":"auth0","options":[]}`, 400, "on property options"},
			{"metadata of 11", `{"name":"a","strategy":"auth0","metadata":{"a":"","b":"","c":"","d":"","e":"","f":"","g":"","h":"","i":"","j":"","k":""}}`, 400, "on property metadata"},
			{"metadata of 256", `{"name":"a","strategy":"auth0","metadata":{"a":"` + strings.Repeat("x", 256) + `"}}`, 400, "metadata.a"},
			{"metadata number", `{"name":"a","strategy":"auth0","metadata":{"a":1}}`, 400, "metadata.a"},
			{"authentication without active", `{"name":"a","strategy":"auth0","authentication":{}}`, 400, "Missing required property: active"},
			{"text for a boolean", `{"name":"a","strategy":"auth0","is_domain_connection":"true"}`, 400, "on property is_domain_connection"},
			{"duplicate key", `{"name":"a","name":"b","strategy":"auth0"}`, 400, ""},
			{"list", `[]`, 400, ""},
		} {
			t.Run(row.name, func(t *testing.T) {
				rec := w.call(t, "POST", "/connections", w.machine(t, "create:connections"), row.body)
				answers(t, rec, row.status, []string{row.text}, nil)
			})
		}
	})
}

func TestConnectionLists(t *testing.T) {
	onResources(t, func(t *testing.T, w *world) {
		const read = "read:connections read:clients"
		w.story(t, []step{
			{name: "bare", scopes: read, method: "GET", path: "/connections", status: 200, has: []string{`[{"id":"con_`, `"name":"Users"`, `"name":"sms"`, `"enabled_clients":[`}},
			{name: "by name", scopes: read, method: "GET", path: "/connections?name=sms", status: 200, has: []string{`"name":"sms"`}, hasNot: []string{`"name":"Users"`}},
			{name: "a name that nobody has", scopes: read, method: "GET", path: "/connections?name=SMS", status: 200, has: []string{`[]`}},
			{name: "by strategy, repeated", scopes: read, method: "GET", path: "/connections?strategy=sms&strategy=google-oauth2&include_totals=true", status: 200,
				has: []string{`"start":0,"limit":100,"total":2,"connections":[`, `"name":"sms"`, `"name":"google"`}, hasNot: []string{`"name":"Users"`}},
			{name: "by strategy, indexed", scopes: read, method: "GET", path: "/connections?strategy[0]=auth0&strategy[1]=sms&per_page=1&include_totals=true", status: 200, has: []string{`"limit":1,"total":3`}},
			{name: "alias", scopes: read, method: "GET", path: "/connections?strategy=auth0-adldap", status: 200, has: []string{`[]`}},
			{name: "unknown strategy", scopes: read, method: "GET", path: "/connections?strategy=x", status: 400, has: []string{"invalid_query_string"}},
			{name: "page of 101", scopes: read, method: "GET", path: "/connections?per_page=101", status: 400, has: []string{"invalid_query_string", "per_page"}},
			{name: "negative page", scopes: read, method: "GET", path: "/connections?page=-1", status: 400, has: []string{"invalid_query_string"}},
			{name: "page twice", scopes: read, method: "GET", path: "/connections?page=0&page=1", status: 400, has: []string{"invalid_query_string"}},
			{name: "beyond the last offset", scopes: read, method: "GET", path: "/connections?page=10&per_page=100", status: 400, has: []string{"invalid_paging", "maximum of 1000 records"}},
			{name: "fields of commas", scopes: read, method: "GET", path: "/connections?fields=,,", status: 400, has: []string{"invalid_query_string"}},
			{name: "foreign cursor", scopes: read, method: "GET", path: "/connections?from=AAAAAAAAAAAAAAAAAAAAAAAA", status: 400, has: []string{"invalid_query_string"}},
			{name: "take of 0", scopes: read, method: "GET", path: "/connections?take=0", status: 400, has: []string{"invalid_query_string"}},
			{name: "of a client", scopes: read, method: "GET", path: "/clients/" + machineID + "/connections", status: 200,
				has: []string{`{"connections":[`, `"name":"Users"`, `"name":"sms"`}, hasNot: []string{`"name":"Disabled"`, `"next"`, `"options"`}},
			{name: "of a client, projected", scopes: read, method: "GET", path: "/clients/" + machineID + "/connections?strategy=sms&fields=name", status: 200, has: []string{`"name":"sms"`}, hasNot: []string{`"realms"`}},
			{name: "of a client that does not exist", scopes: read, method: "GET", path: "/clients/nobody/connections", status: 404, has: []string{"inexistent_client"}},
			{name: "needs the scope of clients", scopes: "read:connections", method: "GET", path: "/clients/" + machineID + "/connections", status: 403, has: []string{"expected any of: read:clients,read:client_summary"}},
			{name: "and that of connections", scopes: "read:clients", method: "GET", path: "/clients/" + machineID + "/connections", status: 403, has: []string{"expected any of: read:connections"}},
		})
		t.Run("cursor", func(t *testing.T) {
			var got []string
			from := ""
			for range 10 {
				rec := w.call(t, "GET", "/connections?include_totals=true&take=1"+from, w.machine(t, read), "")
				var page struct {
					Connections []struct{ Name string }
					Next        string
				}
				must(t, json.Unmarshal(rec.Body.Bytes(), &page))
				for _, c := range page.Connections {
					got = append(got, c.Name)
				}
				if strings.Contains(rec.Body.String(), "total") {
					t.Error("a checkpoint page has totals")
				}
				if page.Next == "" {
					break
				}
				from = "&from=" + page.Next
			}
			slices.Sort(got)
			if want := []string{"Disabled", "Users", "google", "sms"}; !slices.Equal(got, want) {
				t.Errorf("got %v", got)
			}
		})
	})
}

func TestConnectionClients(t *testing.T) {
	onResources(t, func(t *testing.T, w *world) {
		const scopes = "read:connections update:connections"
		for _, id := range []string{"client-a", "client-b"} {
			must(t, w.store.CreateClient(t.Context(), client.Management(id, "s", at), testEvent))
		}
		path := "/connections/" + disabledID + "/clients"
		change := func(id, status string) string { return `{"client_id":"` + id + `","status":` + status + `}` }
		w.story(t, []step{
			{name: "none", scopes: scopes, method: "GET", path: path, status: 200, has: []string{`{"clients":[]}`}},
			{name: "enable", scopes: scopes, method: "PATCH", path: path, body: `[` + change("client-b", "true") + `,` + change("client-a", "true") + `]`, status: 204},
			{name: "both", scopes: scopes, method: "GET", path: path, status: 200, has: []string{`{"clients":[{"client_id":"client-a"},{"client_id":"client-b"}]}`}},
			{name: "first page", scopes: scopes, method: "GET", path: path + "?take=1", status: 200, has: []string{`{"clients":[{"client_id":"client-a"}],"next":"`}, keep: "next", as: "next"},
			{name: "second page", scopes: scopes, method: "GET", path: path + "?take=1&from=$next", status: 200, has: []string{`{"clients":[{"client_id":"client-b"}]}`}},
			{name: "a cursor of another list", scopes: scopes, method: "GET", path: "/connections/" + usersID + "/clients?from=$next", status: 400, has: []string{"invalid_query_string"}},
			{name: "again is no error", scopes: scopes, method: "PATCH", path: path, body: `[` + change("client-a", "true") + `]`, status: 204},
			{name: "disable", scopes: scopes, method: "PATCH", path: path, body: `[` + change("client-a", "false") + `,` + change("nobody", "false") + `]`, status: 204},
			{name: "one left", scopes: scopes, method: "GET", path: path, status: 200, has: []string{`{"clients":[{"client_id":"client-b"}]}`}},
			{name: "one that does not exist", scopes: scopes, method: "PATCH", path: path, body: `[` + change("client-a", "true") + `,` + change("nobody", "true") + `]`, status: 404, has: []string{"inexistent_client"}},
			{name: "and then nothing was done", scopes: scopes, method: "GET", path: path, status: 200, hasNot: []string{"client-a"}},
			{name: "empty list", scopes: scopes, method: "PATCH", path: path, body: `[]`, status: 400, has: []string{"invalid_body"}},
			{name: "object", scopes: scopes, method: "PATCH", path: path, body: `{}`, status: 400, has: []string{"invalid_body"}},
			{name: "51", scopes: scopes, method: "PATCH", path: path, body: `[` + strings.TrimSuffix(strings.Repeat(change("client-a", "true")+",", 51), ",") + `]`, status: 400, has: []string{"maximum 50"}},
			{name: "status as text", scopes: scopes, method: "PATCH", path: path, body: `[` + change("client-a", `"true"`) + `]`, status: 400, has: []string{"invalid_body"}},
			{name: "unknown member", scopes: scopes, method: "PATCH", path: path, body: `[{"client_id":"client-a","status":true,"x":1}]`, status: 400, has: []string{"Additional properties not allowed: x"}},
			{name: "key twice", scopes: scopes, method: "PATCH", path: path, body: `[{"client_id":"client-a","status":true,"status":false}]`, status: 400},
			{name: "text behind", scopes: scopes, method: "PATCH", path: path, body: `[` + change("client-a", "true") + `] x`, status: 400},
			{name: "too long", scopes: scopes, method: "PATCH", path: path, body: `[` + strings.Repeat(" ", 1<<20) + `]`, status: 413},
			{name: "no such connection", scopes: scopes, method: "GET", path: "/connections/con_0000000000000000/clients", status: 404, has: []string{"inexistent_connection"}},
			{name: "take of 1001", scopes: scopes, method: "GET", path: path + "?take=1001", status: 400, has: []string{"invalid_query_string"}},
			{name: "status of a database", scopes: scopes, method: "GET", path: "/connections/" + usersID + "/status", status: 404, has: []string{"not connected to any node"}},
			{name: "status of none", scopes: scopes, method: "GET", path: "/connections/con_0000000000000000/status", status: 404, has: []string{"The connection does not exist"}},
		})
		rec := w.call(t, "PATCH", path, w.machine(t, scopes), `[`+change("client-a", "true")+`]`, "Content-Type", "text/plain")
		answers(t, rec, http.StatusUnsupportedMediaType, nil, nil)
	})
}

const allClients = "read:clients create:clients update:clients delete:clients read:client_keys update:client_keys"

func TestClientStory(t *testing.T) {
	onResources(t, func(t *testing.T, w *world) {
		kept := w.story(t, []step{
			{name: "create", scopes: allClients, method: "POST", path: "/clients", body: `{"name":"app","callbacks":["https://a.example/cb"]}`, status: 201,
				has:    []string{`"name":"app"`, `"client_secret":"`, `"grant_types":["authorization_code","implicit","refresh_token","client_credentials"]`, `"is_first_party":true`, `"lifetime_in_seconds":36000`},
				hasNot: []string{`"global"`, `"app_type"`, `"signing_keys"`}, keep: "client_id", as: "id"},
			{name: "get with keys", scopes: allClients, method: "GET", path: "/clients/$id", status: 200, has: []string{`"client_secret":"`, `"callbacks":["https://a.example/cb"]`}, keep: "client_secret", as: "secret"},
			{name: "get without keys", scopes: "read:clients", method: "GET", path: "/clients/$id", status: 200, has: []string{`"callbacks"`}, hasNot: []string{`"client_secret":`}},
			{name: "asked for by name", scopes: "read:clients", method: "GET", path: "/clients/$id?fields=client_secret,name", status: 200, has: []string{`{"name":"app"}`}},
			{name: "summary", scopes: "read:client_summary", method: "GET", path: "/clients/$id", status: 200, has: []string{`"name":"app"`, `"client_id":"$id"`}, hasNot: []string{"client_secret", "callbacks", "grant_types"}},
			{name: "list without keys", scopes: "read:clients", method: "GET", path: "/clients", status: 200, has: []string{`"client_id":"$id"`}, hasNot: []string{`"client_secret":`}},
			{name: "list, projected", scopes: allClients, method: "GET", path: "/clients?fields=client_id&include_totals=true&per_page=1", status: 200, has: []string{`"start":0,"limit":1,"total":2,"clients":[{"client_id":"`}, hasNot: []string{`"name"`}},
			{name: "list of global ones", scopes: allClients, method: "GET", path: "/clients?is_global=true", status: 200, has: []string{`[]`}},
			{name: "list by type", scopes: allClients, method: "GET", path: "/clients?app_type=non_interactive,spa&take=5", status: 200, has: []string{`"client_id":"` + machineID + `"`}, hasNot: []string{`"name":"app"`, "next"}},
			{name: "a filter that is not there", scopes: allClients, method: "GET", path: "/clients?q=x", status: 400, has: []string{"invalid_query_string"}},
			{name: "is_global as text", scopes: allClients, method: "GET", path: "/clients?is_global=yes", status: 400, has: []string{"invalid_query_string"}},
			{name: "patch", scopes: "update:clients", method: "PATCH", path: "/clients/$id", body: `{"description":"d","callbacks":null}`, status: 200, has: []string{`"description":"d"`}, hasNot: []string{"callbacks", "client_secret"}},
			{name: "patch of the id", scopes: allClients, method: "PATCH", path: "/clients/$id", body: `{"client_id":"x"}`, status: 400, has: []string{"Additional properties not allowed: client_id"}},
			{name: "patch of global", scopes: allClients, method: "PATCH", path: "/clients/$id", body: `{"global":true}`, status: 400},
			{name: "patch of the secret needs its scope", scopes: "update:clients", method: "PATCH", path: "/clients/$id", body: `{"client_secret":"x","name":"y"}`, status: 403, has: []string{"You cannot update the following fields: client_secret", "insufficient_scope"}},
			{name: "patch of the name with the scope of keys", scopes: "update:client_keys", method: "PATCH", path: "/clients/$id", body: `{"client_secret":"x","name":"y"}`, status: 403, has: []string{"following fields: name"}},
			{name: "rotate", scopes: "update:client_keys", method: "POST", path: "/clients/$id/rotate-secret", status: 200, has: []string{`"client_secret":"`}, keep: "client_secret", as: "rotated"},
			{name: "rotate needs its scope", scopes: "update:clients", method: "POST", path: "/clients/$id/rotate-secret", status: 403},
			{name: "rotate what is not there", scopes: allClients, method: "POST", path: "/clients/nobody/rotate-secret", status: 404, has: []string{"inexistent_client", "The client does not exist"}},
			{name: "delete", scopes: allClients, method: "DELETE", path: "/clients/$id", status: 204},
			{name: "gone", scopes: allClients, method: "GET", path: "/clients/$id", status: 404, has: []string{"The client does not exist"}},
			{name: "delete again", scopes: allClients, method: "DELETE", path: "/clients/$id", status: 204},
			{name: "unknown member", scopes: allClients, method: "POST", path: "/clients", body: `{"name":"a","foo":1}`, status: 400, has: []string{"Additional properties not allowed: foo"}},
		})
		if kept["secret"] == kept["rotated"] || len(kept["rotated"]) != 64 {
			t.Error("the secret did not change")
		}
		must(t, w.store.CreateClient(t.Context(), client.Global("global", "s", at), testEvent))
		answers(t, w.call(t, "DELETE", "/clients/global", w.machine(t, allClients), ""), 400, []string{"Global client cannot be deleted."}, nil)
		answers(t, w.call(t, "GET", "/clients?is_global=true&fields=client_id", w.machine(t, allClients), ""), 200, []string{`[{"client_id":"global"}]`}, nil)
	})
}

const allGrants = "read:client_grants create:client_grants update:client_grants delete:client_grants"

func TestGrantStory(t *testing.T) {
	onResources(t, func(t *testing.T, w *world) {
		w.story(t, []step{
			{name: "create", scopes: allGrants, method: "POST", path: "/client-grants", body: `{"client_id":"` + machineID + `","audience":"` + audienceID + `","scope":["read:users"]}`, status: 201,
				has: []string{`"id":"cgr_`, `"scope":["read:users"]}`}, hasNot: []string{"organization_usage", "subject_type"}, keep: "id", as: "id"},
			{name: "twice", scopes: allGrants, method: "POST", path: "/client-grants", body: `{"client_id":"` + machineID + `","audience":"` + audienceID + `"}`, status: 409, has: []string{"A resource with those attributes already exists."}},
			{name: "a scope that is not there", scopes: allGrants, method: "POST", path: "/client-grants", body: `{"client_id":"` + machineID + `","audience":"` + audienceID + `","scope":["be:god"]}`, status: 400, has: []string{"be:god"}},
			{name: "an API that is not there", scopes: allGrants, method: "POST", path: "/client-grants", body: `{"client_id":"` + machineID + `","audience":"x"}`, status: 404, has: []string{"inexistent_resource_server"}},
			{name: "a client that is not there", scopes: allGrants, method: "POST", path: "/client-grants", body: `{"client_id":"x","audience":"` + audienceID + `"}`, status: 404, has: []string{"inexistent_client"}},
			{name: "get", scopes: allGrants, method: "GET", path: "/client-grants/$id", status: 200, has: []string{`"id":"$id"`}},
			{name: "list", scopes: allGrants, method: "GET", path: "/client-grants?client_id=" + machineID + "&audience=" + audienceID + "&include_totals=true&per_page=50", status: 200, has: []string{`{"start":0,"limit":50,"total":1,"client_grants":[{"id":"$id"`}},
			{name: "list of others", scopes: allGrants, method: "GET", path: "/client-grants?client_id=x", status: 200, has: []string{`[]`}},
			{name: "checkpoint", scopes: allGrants, method: "GET", path: "/client-grants?include_totals=true&take=50", status: 200, has: []string{`{"client_grants":[{`}, hasNot: []string{"total", "next"}},
			{name: "by subject", scopes: allGrants, method: "GET", path: "/client-grants?subject_type=user", status: 200, has: []string{`[]`}},
			{name: "patch", scopes: allGrants, method: "PATCH", path: "/client-grants/$id", body: `{"scope":["read:clients","read:users"],"organization_usage":"deny"}`, status: 200, has: []string{`"scope":["read:clients","read:users"]`, `"organization_usage":"deny"`}},
			{name: "patch of the audience", scopes: allGrants, method: "PATCH", path: "/client-grants/$id", body: `{"audience":"x"}`, status: 400, has: []string{"Additional properties not allowed: audience"}},
			{name: "delete", scopes: allGrants, method: "DELETE", path: "/client-grants/$id", status: 204},
			{name: "gone", scopes: allGrants, method: "GET", path: "/client-grants/$id", status: 404, has: []string{"The grant does not exist.", "inexistent_client_grant"}},
			{name: "patch what is gone", scopes: allGrants, method: "PATCH", path: "/client-grants/$id", body: `{"scope":[]}`, status: 404},
			{name: "delete again", scopes: allGrants, method: "DELETE", path: "/client-grants/$id", status: 204},
		})
	})
}

const allAPIs = "read:resource_servers create:resource_servers update:resource_servers delete:resource_servers"

func TestResourceServerStory(t *testing.T) {
	onResources(t, func(t *testing.T, w *world) {
		w.story(t, []step{
			{name: "create", scopes: allAPIs, method: "POST", path: "/resource-servers", body: `{"identifier":"https://api.example/"}`, status: 201,
				has: []string{`"identifier":"https://api.example/"`, `"token_lifetime":86400`, `"signing_alg":"RS256"`}, hasNot: []string{`"name"`, `"scopes"`, "is_system"}, keep: "id", as: "id"},
			{name: "twice", scopes: allAPIs, method: "POST", path: "/resource-servers", body: `{"identifier":"https://api.example/"}`, status: 409, has: []string{"A resource server with the same identifier already exists"}},
			{name: "by id", scopes: allAPIs, method: "GET", path: "/resource-servers/$id", status: 200, has: []string{`"id":"$id"`}},
			{name: "by identifier", scopes: allAPIs, method: "GET", path: "/resource-servers/https%3A%2F%2Fapi.example%2F", status: 200, has: []string{`"id":"$id"`}},
			{name: "by identifier, half escaped", scopes: allAPIs, method: "GET", path: "/resource-servers/https:%2F%2Fapi.example%2F?fields=id", status: 200, has: []string{`{"id":"$id"}`}},
			{name: "patch", scopes: allAPIs, method: "PATCH", path: "/resource-servers/https:%2F%2Fapi.example%2F", body: `{"name":"API","scopes":[{"value":"read:a","description":"Read"}]}`, status: 200,
				has: []string{`"name":"API"`, `"scopes":[{"value":"read:a","description":"Read"}]`, `"token_lifetime":86400`}},
			{name: "patch of the identifier", scopes: allAPIs, method: "PATCH", path: "/resource-servers/$id", body: `{"identifier":"x"}`, status: 400, has: []string{"Additional properties not allowed: identifier"}},
			{name: "patch of is_system", scopes: allAPIs, method: "PATCH", path: "/resource-servers/$id", body: `{"is_system":true}`, status: 400},
			{name: "list", scopes: allAPIs, method: "GET", path: "/resource-servers?page=0&per_page=100&include_totals=true&fields=id,name", status: 200, has: []string{`"total":2,"resource_servers":[`, `"name":"Auth0 Management API"`}},
			{name: "list by identifier", scopes: allAPIs, method: "GET", path: "/resource-servers?identifiers=https://api.example/&identifiers=x&fields=id", status: 200, has: []string{`[{"id":"$id"}]`}},
			{name: "the system one stays", scopes: allAPIs, method: "DELETE", path: "/resource-servers/https:%2F%2Fid.example.test%2Fapi%2Fv2%2F", status: 400, has: []string{"System resource servers cannot be deleted."}},
			{name: "and as it is", scopes: allAPIs, method: "PATCH", path: "/resource-servers/https:%2F%2Fid.example.test%2Fapi%2Fv2%2F", body: `{"scopes":[]}`, status: 400, has: []string{"System resource servers cannot be patched."}},
			{name: "but for its lifetime", scopes: allAPIs, method: "PATCH", path: "/resource-servers/https:%2F%2Fid.example.test%2Fapi%2Fv2%2F", body: `{"token_lifetime":3600}`, status: 200, has: []string{`"token_lifetime":3600`, `"is_system":true`}},
			{name: "delete", scopes: allAPIs, method: "DELETE", path: "/resource-servers/$id", status: 204},
			{name: "gone", scopes: allAPIs, method: "GET", path: "/resource-servers/$id", status: 404, has: []string{"The resource server does not exist", "inexistent_resource_server"}},
			{name: "delete again", scopes: allAPIs, method: "DELETE", path: "/resource-servers/$id", status: 204},
		})
	})
}

func TestKeepingFields(t *testing.T) {
	for _, row := range []struct {
		f    fields
		want string
	}{
		{fields{}, `{"id":1,"a":2,"b":3}`},
		{fields{names: []string{"a"}}, `{"id":1,"a":2}`},
		{fields{names: []string{"a", "id"}, exclude: true}, `{"id":1,"b":3}`},
		{fields{names: []string{"id"}, exclude: true}, `{"id":1,"a":2,"b":3}`},
	} {
		got, err := row.f.keeping("id").apply([]byte(`{"id":1,"a":2,"b":3}`))
		if err != nil || string(got) != row.want {
			t.Errorf("%+v: %s %v", row.f, got, err)
		}
	}
}
