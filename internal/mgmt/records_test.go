package mgmt

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/profile"
	"mangrove/internal/session"
	"mangrove/internal/user"
)

const readLogs = "read:logs"

// log writes events of ann, a second apart from the world's moment on.
func (w *world) log(t *testing.T, n int) {
	t.Helper()
	events := make([]audit.Event, n)
	for i := range events {
		events[i] = audit.Event{
			Type: audit.LoginOK, At: at + int64(i+1)*1_000_000, Description: fmt.Sprintf("login %d", i), ClientID: machineID, UserID: string(w.ann),
			Connection: "Users", ConnectionID: usersID, IP: "203.0.113.9", UserAgent: "Mozilla/5.0 (iPhone) Mobile/15E148",
		}
	}
	must(t, w.store.AppendEvents(t.Context(), events...))
}

func TestLogGolden(t *testing.T) {
	e := audit.Event{
		ID: "0005f3c6d1b1c00000000001", Type: audit.WrongPassword, At: at, Description: `Wrong "email" or password.`, ClientID: machineID,
		UserID: "auth0|ann", Connection: "Users", ConnectionID: usersID, IP: "203.0.113.9", UserAgent: "curl/8", Details: []byte(`{"a":1}`),
	}
	strategy, _ := connection.StrategyOf("auth0")
	golden(t, "log.json", logJSON(&e, surroundings{clientName: "Management", strategy: strategy}))
	golden(t, "log_least.json", logJSON(&audit.Event{ID: e.ID, Type: audit.ClientGrantOK, At: at}, surroundings{}))
	golden(t, "log_token.json", logJSON(&audit.Event{
		ID: e.ID, Type: audit.ClientGrantOK, At: at, ClientID: machineID, Details: []byte(`{"audience":"https://api.example/","scope":"a b"}`),
	}, surroundings{clientName: "Management"}))
	golden(t, "log_mail.json", logJSON(&audit.Event{
		ID: e.ID, Type: audit.VerificationSent, At: at, UserID: "auth0|ann", ConnectionID: usersID,
	}, surroundings{connection: "Users", strategy: strategy}))
}

func TestLogs(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		w.log(t, 60)
		must(t, w.store.AppendEvents(t.Context(), audit.Event{
			Type: audit.WrongPassword, At: at + 100_000_000, UserID: string(w.gus), ClientID: "gone", ConnectionID: "con_gone", Details: []byte(`{"error":"x"}`),
		}))
		const limitText = `"You can only page through the first 1000 records. See https://auth0.com/docs/logs/retrieve-log-events-using-mgmt-api#limitations"`
		for _, row := range []struct {
			name, path  string
			status      int
			has, hasNot []string
		}{
			{"newest first", "/logs?per_page=2", 200, []string{`[{"_id":"`, `"type":"fp"`, `"client_name":""`, `"strategy":""`, `"details":{"error":"x"}`, `"login 59"`, `"client_name":"`, `"strategy":"auth0"`, `"strategy_type":"database"`, `"isMobile":true`}, []string{"login 58"}},
			{"oldest first", "/logs?per_page=100&sort=date:1&q=type:s", 200, []string{`"login 0"`}, []string{`"sapi"`}},
			{"totals", "/logs?per_page=1&page=1&include_totals=true&q=type:fp", 200, []string{`{"start":1,"limit":1,"length":0,"total":1,"logs":[]}`}, nil},
			{"totals without items", "/logs?per_page=0&include_totals=true&q=type:fp", 200, []string{`{"start":0,"limit":0,"length":0,"total":1,"logs":[]}`}, nil},
			{"fields", "/logs?q=type:fp&fields=type,user_id", 200, []string{`[{"type":"fp","user_id":"google-oauth2|117"}]`}, nil},
			{"without fields", "/logs?q=type:fp&fields=details,_id&include_fields=false", 200, []string{`"log_id"`}, []string{`"_id"`, `"details"`}},
			{"q", "/logs?q=" + `type:s+AND+user_id:%22auth0%7Cann%22+AND+ip:203.0.113.*&per_page=1`, 200, []string{`"login 59"`}, nil},
			{"the older name of q", "/logs?search=description:%22login+7%22", 200, []string{`"login 7"`}, []string{`"login 8"`}},
			{"dates", "/logs?q=date:%5B2023-01-25T19:00:27Z+TO+2023-01-25T19:00:27Z%5D", 200, []string{`"login 0"`}, []string{`"login 1"`}},
			{"an unknown field", "/logs?q=user_email:a", 400, []string{`"The search query string has an error: unknown field \"user_email\" at position 0"`, "invalid_query_string"}, nil},
			{"no syntax", "/logs?q=type:(", 400, []string{"The search query string has an error: ", "invalid_query_string"}, nil},
			{"a bare term", "/logs?q=ann", 400, []string{"a term without a field is not supported"}, nil},
			{"the last page", "/logs?page=9&per_page=100", 200, []string{`[]`}, nil},
			{"behind it", "/logs?page=10&per_page=100", 400, []string{limitText, `"errorCode":"invalid_paging"`}, nil},
			{"a page of 101", "/logs?per_page=101", 400, []string{"Value 101 is greater than maximum 100", "invalid_query_string"}, nil},
			{"sorted by another field", "/logs?sort=type:1&q=user_id:%22google-oauth2%7C117%22&per_page=1", 200, []string{`"type":"fp"`}, nil},
			{"sorted by what is not stored", "/logs?sort=client_name:1", 400, []string{"Logs cannot be sorted by client_name", "invalid_query_string"}, nil},
			{"sorted by nothing known", "/logs?sort=name:1", 400, []string{"does not match pattern", "on property sort"}, nil},
			{"of a user", "/users/auth0%7Cann/logs?per_page=1", 200, []string{`"login 59"`}, nil},
			{"of a user, totals", "/users/auth0%7Cann/logs?per_page=1&include_totals=true", 200, []string{`{"start":0,"limit":1,"length":1,"total":61,"logs":[{`}, nil},
			{"of a user, sorted", "/users/auth0%7Cann/logs?sort=date:1&per_page=1", 200, []string{`"Create a User"`}, nil},
			{"of nobody", "/users/auth0%7Cnobody/logs", 200, []string{`[]`}, nil},
			{"of no id", "/users/ann/logs", 400, []string{"invalid_uri"}, nil},
			{"of a user, no items", "/users/auth0%7Cann/logs?per_page=0", 400, []string{"Value 0 is less than minimum 1"}, nil},
			{"of a user, too far", "/users/auth0%7Cann/logs?page=20", 400, []string{limitText}, nil},
			{"take 0", "/logs?take=0", 400, []string{"Value 0 is less than minimum 1"}, nil},
			{"take 101", "/logs?take=101", 400, []string{"Value 101 is greater than maximum 100"}, nil},
			{"from another service", "/logs?from=90020260201100000", 400, []string{"on property from", "invalid_query_string"}, nil},
			{"no such record", "/logs/000000000000000000000000", 404, []string{`"Log not found."`}, nil},
			{"no such id", "/logs/%27", 404, []string{`"Log not found."`}, nil},
		} {
			t.Run(row.name, func(t *testing.T) {
				answers(t, w.call(t, "GET", row.path, w.machine(t, readLogs), ""), row.status, row.has, row.hasNot)
			})
		}
		rec := w.call(t, "GET", "/logs?per_page=1", w.machine(t, "read:logs_users"), "")
		answers(t, rec, 200, nil, nil)
		one := strings.Trim(rec.Body.String(), "[]")
		id := member(t, []byte(one), "log_id")
		answers(t, w.call(t, "GET", "/logs/"+id, w.machine(t, readLogs), ""), 200, []string{one}, nil)
	})
}

// TestLogsByCheckpoint: whoever follows the links sees every event once, and
// none before it has settled.
func TestLogsByCheckpoint(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		w.log(t, 60)
		follow := func(path string) (seen []string, last string) {
			for range 30 {
				rec := w.call(t, "GET", path, w.machine(t, readLogs), "")
				answers(t, rec, 200, nil, nil)
				for _, s := range strings.Split(rec.Body.String(), `"description":"login `)[1:] {
					n, _, _ := strings.Cut(s, `"`)
					seen = append(seen, n)
				}
				link := rec.Header().Get("Link")
				if rec.Body.String() == "[]" {
					if link != "" {
						t.Errorf("a link behind the end: %s", link)
					}
					return seen, path
				}
				next, ok := strings.CutPrefix(link, "<"+publicURL+Prefix)
				next, ok2 := strings.CutSuffix(next, `>; rel="next"`)
				if !ok || !ok2 {
					t.Fatalf("link %s", link)
				}
				path = next
			}
			t.Fatal("the links never end")
			return nil, ""
		}
		w.clock.forward(30 * time.Second)
		seen, path := follow("/logs?take=7&q=ignored&page=99999")
		w.clock.forward(41 * time.Second)
		more, _ := follow(path)
		if len(seen) != 19 || len(more) != 41 {
			t.Errorf("%d settled, then %d", len(seen), len(more))
		}
		for i, n := range append(seen, more...) {
			if n != fmt.Sprint(i) {
				t.Errorf("event %d is %s", i, n)
			}
		}
	})
}

// texts are n members of an object.
func texts(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(`"k%d":"v"`, i)
	}
	return strings.Join(list, ",")
}

// signIn makes a session of a user that began n seconds after the world's moment.
func (w *world) signIn(t *testing.T, id string, u user.ID, n int64) {
	t.Helper()
	created := at + n*1_000_000
	must(t, w.store.CreateSession(t.Context(), session.Session{
		Hash: "hash of " + id, ID: id, UserID: string(u), ConnectionID: usersID, AuthTime: created, CreatedAt: created, LastSeen: created,
		ExpiresAt: created + 168*3600*1_000_000, IdleUntil: created + 72*3600*1_000_000,
		Methods: []string{session.Password, session.OTP, session.MFA},
		Device:  session.Device{InitialIP: "192.0.2.1", InitialUserAgent: "first", LastIP: "192.0.2.2", LastUserAgent: "last"},
	}))
	must(t, w.store.AddSessionClient(t.Context(), id, "app", created, created+168*3600*1_000_000))
}

const (
	readSessions  = "read:sessions"
	endsSessions  = "delete:sessions"
	annSessions   = "/users/auth0%7Cann/sessions"
	revokesAccess = "/users/auth0%7Cann/revoke-access"
)

func TestSessions(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		w.signIn(t, "s1", w.ann, 1)
		w.signIn(t, "s2", w.ann, 2)
		w.signIn(t, "s3", w.ann, 3)
		w.signIn(t, "s4", w.ann, 4)
		w.signIn(t, "other", w.gus, 5)
		w.signIn(t, "old", w.ann, -int64(72*3600*1_000_000/1_000_000))
		w.story(t, []step{
			{name: "list", scopes: readSessions, method: "GET", path: annSessions, status: 200,
				has: []string{
					`{"sessions":[{"id":"s4","user_id":"auth0|ann","created_at":"2023-01-25T19:00:30.187Z","updated_at":"2023-01-25T19:00:30.187Z",` +
						`"authenticated_at":"2023-01-25T19:00:30.187Z","idle_expires_at":"2023-01-28T19:00:30.187Z","expires_at":"2023-02-01T19:00:30.187Z",` +
						`"last_interacted_at":"2023-01-25T19:00:30.187Z","device":{"initial_user_agent":"first","initial_ip":"192.0.2.1","last_user_agent":"last","last_ip":"192.0.2.2"},"clients":[{"client_id":"app"}],` +
						`"authentication":{"methods":[{"name":"pwd","timestamp":"2023-01-25T19:00:30.187Z"},{"name":"mfa","timestamp":"2023-01-25T19:00:30.187Z","type":"otp"}]},"cookie":{"mode":"non-persistent"}},{"id":"s3"`,
					`{"id":"s1"`,
				}, hasNot: []string{`"next"`, `"other"`, `"old"`, "hash of"}},
			{name: "a page", scopes: readSessions, method: "GET", path: annSessions + "?take=3&include_totals=true", status: 200,
				has: []string{`"s4"`, `"s2"`, `"next":"`}, hasNot: []string{`"s1"`}, keep: "next", as: "next"},
			{name: "the next", scopes: readSessions, method: "GET", path: annSessions + "?take=3&from=$next", status: 200, has: []string{`"s1"`}, hasNot: []string{`"s2"`, `"next"`}},
			{name: "a cursor of another list", scopes: readSessions, method: "GET", path: "/users/google-oauth2%7C117/sessions?from=$next", status: 400, has: []string{"invalid_query_string"}},
			{name: "take 0", scopes: readSessions, method: "GET", path: annSessions + "?take=0", status: 400, has: []string{"Value 0 is less than minimum 1"}},
			{name: "of nobody", scopes: readSessions, method: "GET", path: "/users/auth0%7Cnobody/sessions", status: 404, has: []string{"inexistent_user"}},
			{name: "one", scopes: readSessions, method: "GET", path: "/sessions/s1", status: 200, has: []string{`{"id":"s1","user_id":"auth0|ann"`}, hasNot: []string{"hash of"}},
			{name: "one that is over", scopes: readSessions, method: "GET", path: "/sessions/old", status: 404, has: []string{`"The session does not exist."`}},
			{name: "none", scopes: readSessions, method: "GET", path: "/sessions/nobody", status: 404, has: []string{`"The session does not exist."`}},
			{name: "no id", scopes: endsSessions, method: "POST", path: "/sessions/" + strings.Repeat("x", 51) + "/revoke", status: 400, has: []string{"String is too long (51 chars), maximum 50", "invalid_uri"}},
			{name: "metadata", scopes: "update:sessions", method: "PATCH", path: "/sessions/s1", body: `{"session_metadata":{"a":"b"}}`, status: 200, has: []string{`{"id":"s1"`, `"session_metadata":{"a":"b"}`}},
			{name: "metadata without its scope", scopes: readSessions, method: "PATCH", path: "/sessions/s1", body: `{"session_metadata":null}`, status: 403, has: []string{"update:sessions"}},
			{name: "metadata, no text", scopes: "update:sessions", method: "PATCH", path: "/sessions/s1", body: `{"session_metadata":{"a":1}}`, status: 400, has: []string{"session_metadata.a", "invalid_body"}},
			{name: "metadata, too long", scopes: "update:sessions", method: "PATCH", path: "/sessions/s1", body: `{"session_metadata":{"a":"` + strings.Repeat("x", 256) + `"}}`, status: 400, has: []string{"invalid_body"}},
			{name: "metadata, too many", scopes: "update:sessions", method: "PATCH", path: "/sessions/s1", body: `{"session_metadata":{` + texts(26) + `}}`, status: 400, has: []string{"invalid_body"}},
			{name: "metadata: nothing", scopes: "update:sessions", method: "PATCH", path: "/sessions/s1", body: `{}`, status: 400, has: []string{"invalid_body"}},
			{name: "metadata: something else", scopes: "update:sessions", method: "PATCH", path: "/sessions/s1", body: `{"user_id":"auth0|gus"}`, status: 400, has: []string{"Additional properties not allowed: user_id"}},
			{name: "metadata of none", scopes: "update:sessions", method: "PATCH", path: "/sessions/nobody", body: `{"session_metadata":null}`, status: 404, has: []string{`"The session does not exist."`}},
			{name: "metadata of one that is over", scopes: "update:sessions", method: "PATCH", path: "/sessions/old", body: `{"session_metadata":null}`, status: 404},
			{name: "it stayed", scopes: readSessions, method: "GET", path: "/sessions/s1", status: 200, has: []string{`"session_metadata":{"a":"b"}`}},
			{name: "emptied", scopes: "update:sessions", method: "PATCH", path: "/sessions/s1", body: `{"session_metadata":{}}`, status: 200, hasNot: []string{"session_metadata"}},
			{name: "delete", scopes: endsSessions, method: "DELETE", path: "/sessions/s1", status: 202, has: []string{`{}`}},
			{name: "delete again", scopes: endsSessions, method: "DELETE", path: "/sessions/s1", status: 202, has: []string{`{}`}},
			{name: "it is gone", scopes: readSessions, method: "GET", path: "/sessions/s1", status: 404},
			{name: "revoke", scopes: "delete:refresh_tokens", method: "POST", path: "/sessions/s2/revoke", status: 202, has: []string{`{}`}},
			{name: "revoke again", scopes: endsSessions, method: "POST", path: "/sessions/s2/revoke", status: 404, has: []string{`"The session does not exist."`}},
			{name: "revoke access by a foreign session", scopes: endsSessions, method: "POST", path: revokesAccess, body: `{"session_id":"other"}`, status: 202},
			{name: "that one goes on", scopes: readSessions, method: "GET", path: "/sessions/other", status: 200},
			{name: "revoke access: unknown member", scopes: endsSessions, method: "POST", path: revokesAccess, body: `{"session":"s3"}`, status: 400, has: []string{"Additional properties not allowed: session", "invalid_body"}},
			{name: "revoke access: no text", scopes: endsSessions, method: "POST", path: revokesAccess, body: `{"session_id":3}`, status: 400, has: []string{"on property session_id", "invalid_body"}},
			{name: "nothing ended", scopes: readSessions, method: "GET", path: "/sessions/s3", status: 200},
			{name: "revoke access of one", scopes: endsSessions, method: "POST", path: revokesAccess, body: `{"session_id":"s3","preserve_refresh_tokens":true}`, status: 202, has: []string{`{}`}},
			{name: "the other goes on", scopes: readSessions, method: "GET", path: annSessions, status: 200, has: []string{`"s4"`}, hasNot: []string{`"s3"`}},
			{name: "revoke all access", scopes: "delete:refresh_tokens", method: "POST", path: revokesAccess, status: 202},
			{name: "nothing is left", scopes: readSessions, method: "GET", path: annSessions, status: 200, has: []string{`{"sessions":[]}`}},
			{name: "revoke access with an empty body", scopes: endsSessions, method: "POST", path: revokesAccess, body: `{}`, status: 202},
			{name: "revoke access of nobody", scopes: endsSessions, method: "POST", path: "/users/auth0%7Cnobody/revoke-access", status: 202},
			{name: "delete of a user", scopes: endsSessions, method: "DELETE", path: "/users/google-oauth2%7C117/sessions", status: 202, has: []string{`{}`}},
			{name: "also gone", scopes: readSessions, method: "GET", path: "/sessions/other", status: 404},
			{name: "delete of nobody", scopes: endsSessions, method: "DELETE", path: "/users/auth0%7Cnobody/sessions", status: 404, has: []string{"inexistent_user"}},
			{name: "what was logged", scopes: readLogs, method: "GET", path: "/users/auth0%7Cann/logs?per_page=5", status: 200,
				has:    []string{`"Delete session"`, `"Revokes a session"`, `"Revokes selected resources from a user"`, `"type":"sapi"`, `"client_id":"` + machineID + `"`},
				hasNot: []string{`"Delete sessions for user"`}},
			{name: "of the other", scopes: readLogs, method: "GET", path: "/users/google-oauth2%7C117/logs?per_page=1", status: 200, has: []string{`"Delete sessions for user"`}},
		})
	})
}

const methods = "/users/auth0%7Cann/authentication-methods"

func TestAuthenticationMethods(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		factors := func(text string) {
			t.Helper()
			_, err := w.store.UpdateUser(t.Context(), w.ann, func(u *user.User) (user.Effect, error) {
				u.MFAFactors = profile.Value(text)
				return user.Effect{}, nil
			})
			must(t, err)
		}
		const all = `[{"totp":{"secret":"GEZDGNBVGY3TQOJQ"}},{"phone":{"value":"+15551239167"}},{"email":{"value":"ann@example.com"}}]`
		factors(all)
		u, err := w.store.User(t.Context(), w.ann)
		must(t, err)
		list := user.Factors(u, w.api.Factors.DeviceKey)
		totp, phone := list[0].ID(), list[1].ID()
		path := func(id string) string { return methods + "/" + strings.ReplaceAll(id, "|", "%7C") }
		const reads, deletes = "read:authentication_methods", "delete:authentication_methods"

		rec := w.call(t, "GET", methods, w.machine(t, reads), "")
		answers(t, rec, 200, []string{
			`[{"id":"` + totp + `","type":"totp","confirmed":true,"created_at":"2023-01-25T19:00:26.187Z","enrolled_at":"2023-01-25T19:00:26.187Z"},`,
			`{"id":"` + phone + `","type":"phone","confirmed":true,"authentication_methods":[{"type":"sms","id":"sms|` + list[1].Device + `"}],"preferred_authentication_method":"sms","phone_number":"XXXXXXXX9167"`,
			`"type":"email","confirmed":true,"email":"a***@***.com"`,
		}, []string{"GEZDGNBVGY3TQOJQ", "5551", "ann@"})
		before := w.stored(t, w.ann)
		for _, row := range []struct {
			name, method, path, scopes string
			status                     int
			has, hasNot                []string
		}{
			{"totals", "GET", methods + "?include_totals=true&per_page=2&page=1", reads, 200, []string{`{"start":2,"limit":2,"total":3,"authenticators":[{"id":"email|dev_`}, []string{"totp|"}},
			{"none of a page", "GET", methods + "?page=7", reads, 200, []string{`[]`}, nil},
			{"of nobody", "GET", "/users/auth0%7Cnobody/authentication-methods", reads, 404, []string{"inexistent_user"}, nil},
			{"one", "GET", path(phone), reads, 200, []string{`{"id":"` + phone + `"`}, []string{"5551"}},
			{"one that is not there", "GET", path("totp|dev_0000000000000000"), reads, 404, []string{`"The authentication method could not be found."`}, nil},
			{"one of another kind", "GET", path("email|" + list[0].Device), reads, 404, nil, nil},
			{"one of nobody", "GET", "/users/auth0%7Cnobody/authentication-methods/x", reads, 404, []string{"inexistent_user"}, nil},
			{"delete what is not there", "DELETE", path("totp|dev_0000000000000000"), deletes, 404, []string{`"The authentication method could not be found."`}, nil},
			{"delete of nobody", "DELETE", "/users/auth0%7Cnobody/authentication-methods/x", deletes, 404, []string{"inexistent_user"}, nil},
			{"delete all of nobody", "DELETE", "/users/auth0%7Cnobody/authentication-methods", deletes, 204, nil, nil},
			{"authenticators of nobody", "DELETE", "/users/auth0%7Cnobody/authenticators", "delete:guardian_enrollments", 204, nil, nil},
			{"a provider that is none", "DELETE", "/users/auth0%7Cann/multifactor/guardian", "update:users", 400, []string{"No enum match for: guardian", "invalid_uri"}, nil},
			{"a provider that nobody has", "DELETE", "/users/auth0%7Cann/multifactor/duo", "update:users", 204, nil, nil},
			{"a provider of nobody", "DELETE", "/users/auth0%7Cnobody/multifactor/duo", "update:users", 404, []string{"inexistent_user"}, nil},
			{"remembered browsers", "POST", "/users/auth0%7Cann/multifactor/actions/invalidate-remember-browser", "update:users", 204, nil, nil},
			{"deleting needs its scope", "DELETE", methods, reads, 403, []string{"Insufficient scope, expected any of: delete:authentication_methods"}, nil},
		} {
			t.Run(row.name, func(t *testing.T) {
				answers(t, w.call(t, row.method, row.path, w.machine(t, row.scopes), ""), row.status, row.has, row.hasNot)
			})
		}
		if after := w.stored(t, w.ann); after != before {
			t.Errorf("refusals changed the user: %s, was %s", after, before)
		}

		left := func(has, hasNot []string) {
			t.Helper()
			answers(t, w.call(t, "GET", methods, w.machine(t, reads), ""), 200, has, hasNot)
		}
		logged := func(description string) {
			t.Helper()
			answers(t, w.call(t, "GET", "/users/auth0%7Cann/logs?per_page=1", w.machine(t, readLogs), ""), 200, []string{description}, nil)
		}
		answers(t, w.call(t, "DELETE", path(phone), w.machine(t, deletes), ""), 204, nil, nil)
		left([]string{totp, "email|"}, []string{phone})
		logged(`"Delete an authentication method by ID"`)
		answers(t, w.call(t, "DELETE", path(phone), w.machine(t, deletes), ""), 404, nil, nil)
		answers(t, w.call(t, "DELETE", "/users/auth0%7Cann/multifactor/google-authenticator", w.machine(t, "update:users"), ""), 204, nil, nil)
		left([]string{"email|"}, []string{totp})
		logged(`"Delete a User's Multi-factor Provider"`)
		answers(t, w.call(t, "DELETE", methods, w.machine(t, deletes), ""), 204, nil, nil)
		left([]string{`[]`}, nil)
		logged(`"Delete all authentication methods for the given user"`)
		factors(all)
		answers(t, w.call(t, "DELETE", "/users/auth0%7Cann/authenticators", w.machine(t, "delete:guardian_enrollments"), ""), 204, nil, nil)
		left([]string{`[]`}, nil)
		logged(`"Delete All Authenticators"`)
	})
}

// TestNothingHangsThere: what this server does not have, it says so truthfully.
func TestNothingHangsThere(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		before := w.stored(t, w.ann)
		for _, row := range []struct {
			name, method, path, scopes string
			status                     int
			has                        []string
		}{
			{"refresh tokens", "GET", "/users/auth0%7Cann/refresh-tokens?take=5", "read:refresh_tokens", 200, []string{`{"tokens":[]}`}},
			{"refresh tokens of nobody", "GET", "/users/auth0%7Cnobody/refresh-tokens", "read:refresh_tokens", 404, []string{"inexistent_user"}},
			{"refresh tokens from nowhere", "GET", "/users/auth0%7Cann/refresh-tokens?from=x", "read:refresh_tokens", 400, []string{"invalid_query_string"}},
			{"delete refresh tokens", "DELETE", "/users/auth0%7Cann/refresh-tokens", "delete:refresh_tokens", 202, []string{`{}`}},
			{"delete refresh tokens of nobody", "DELETE", "/users/auth0%7Cnobody/refresh-tokens", "delete:refresh_tokens", 404, []string{"inexistent_user"}},
			{"enrollments", "GET", "/users/auth0%7Cann/enrollments", "read:users", 200, []string{`[]`}},
			{"enrollments of nobody", "GET", "/users/auth0%7Cnobody/enrollments", "read:users", 404, []string{"inexistent_user"}},
			{"blocks", "GET", "/user-blocks/auth0%7Cann?consider_brute_force_enablement=true", "read:users", 200, []string{`{"blocked_for":[]}`}},
			{"blocks, wrong flag", "GET", "/user-blocks/auth0%7Cann?consider_brute_force_enablement=1", "read:users", 400, []string{"invalid_query_string"}},
			{"blocks of nobody", "GET", "/user-blocks/auth0%7Cnobody", "read:users", 404, []string{"inexistent_user"}},
			{"blocks by identifier", "GET", "/user-blocks?identifier=ann%40example.com", "read:users", 200, []string{`{"blocked_for":[]}`}},
			{"blocks by a strange identifier", "GET", "/user-blocks?identifier=nobody", "read:users", 200, []string{`{"blocked_for":[]}`}},
			{"blocks without identifier", "GET", "/user-blocks", "read:users", 400, []string{"Missing required property: identifier", "invalid_query_string"}},
			{"unblock", "DELETE", "/user-blocks/auth0%7Cann", "update:users", 204, nil},
			{"unblock nobody", "DELETE", "/user-blocks/auth0%7Cnobody", "update:users", 404, []string{"inexistent_user"}},
			{"unblock by identifier", "DELETE", "/user-blocks?identifier=ann%40example.com", "update:users", 204, nil},
			{"unblock without identifier", "DELETE", "/user-blocks", "update:users", 400, []string{"Missing required property: identifier"}},
			{"organizations", "GET", "/users/auth0%7Cann/organizations", "read:organizations", 200, []string{`[]`}},
			{"organizations with totals", "GET", "/users/auth0%7Cann/organizations?include_totals=true&page=1&per_page=5", "read:organizations", 200, []string{`{"start":5,"limit":5,"total":0,"organizations":[]}`}},
			{"organizations, no page", "GET", "/users/auth0%7Cann/organizations?per_page=0", "read:organizations", 400, []string{"Value 0 is less than minimum 1"}},
			{"organizations of nobody", "GET", "/users/auth0%7Cnobody/organizations", "read:organizations", 404, []string{"inexistent_user"}},
		} {
			t.Run(row.name, func(t *testing.T) {
				answers(t, w.call(t, row.method, row.path, w.machine(t, row.scopes), ""), row.status, row.has, nil)
			})
		}
		if after := w.stored(t, w.ann); after != before {
			t.Errorf("the user changed: %s, was %s", after, before)
		}
	})
}

func TestRecordScopes(t *testing.T) {
	w := newWorld(t)
	for _, rt := range w.api.recordRoutes() {
		path := strings.NewReplacer("{id}", "auth0%7Cann", "{method}", "x", "{provider}", "duo").Replace(rt.path)
		rec := w.call(t, rt.method, path, w.machine(t, "read:nothing"), "")
		answers(t, rec, http.StatusForbidden, []string{"Insufficient scope, expected any of: " + strings.Join(rt.scopes, ","), "insufficient_scope"}, nil)
	}
	own := w.of(t, w.ann, "read:current_user read:users read:logs read:sessions delete:sessions")
	for path, status := range map[string]int{
		"/users/auth0%7Cann/enrollments":            200,
		"/users/google-oauth2%7C117/enrollments":    403,
		"/users/auth0%7Cann/logs":                   403,
		"/users/auth0%7Cann/sessions":               403,
		"/logs":                                     403,
		"/users/auth0%7Cann/authentication-methods": 403,
	} {
		answers(t, w.call(t, "GET", path, own, ""), status, nil, nil)
	}
}
