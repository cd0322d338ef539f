package mgmt

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"mangrove/internal/audit"
	"mangrove/internal/refresh"
)

// refreshToken gives a user a token of the machine's, newer by n seconds than the
// clock, and returns its id.
func (w *world) refreshToken(t *testing.T, userID string, n int64, change func(*refresh.Token)) string {
	t.Helper()
	_, secret := refresh.New()
	v := &refresh.Token{
		Hash: secret.Family, ID: "rft_" + strconv.FormatInt(n, 10), UserID: userID, ClientID: machineID, Leaves: []refresh.Leaf{{Hash: secret.Leaf}},
		Scope: []string{"openid", "offline_access", "read:a"}, Audience: "https://api.example/", SessionID: "sid-" + strconv.FormatInt(n, 10),
		Device:    refresh.Device{InitialIP: "192.0.2.1", InitialUserAgent: "phone", LastIP: "192.0.2.2", LastUserAgent: "phone 2"},
		CreatedAt: w.clock.now().UnixMicro() + n*1_000_000,
	}
	if change != nil {
		change(v)
	}
	must(t, w.store.StartRefresh(t.Context(), v, audit.Event{}))
	return v.ID
}

func TestRefreshTokens(t *testing.T) {
	const (
		reads, updates, deletes = "read:refresh_tokens", "update:refresh_tokens", "delete:refresh_tokens"
		ofAnn                   = "/users/auth0%7Cann/refresh-tokens"
	)
	onEngines(t, func(t *testing.T, w *world) {
		w.refreshToken(t, string(w.ann), 1, nil)
		w.refreshToken(t, string(w.ann), 2, func(v *refresh.Token) {
			v.SessionID, v.Audience, v.ExpiresAt, v.IdleUntil = "", "", v.CreatedAt+200_000_000, v.CreatedAt+100_000_000
		})
		w.refreshToken(t, string(w.ann), 3, func(v *refresh.Token) { v.ClientID = "another" })
		w.refreshToken(t, string(w.ann), 4, func(v *refresh.Token) { v.ExpiresAt = w.clock.now().UnixMicro() })
		w.refreshToken(t, string(w.gus), 5, nil)
		w.story(t, []step{
			{name: "list", scopes: reads, method: "GET", path: ofAnn, status: 200,
				has: []string{`{"tokens":[{"id":"rft_3"`, `{"id":"rft_2","user_id":"auth0|ann","created_at":"2023-01-25T19:00:28.187Z","idle_expires_at":"2023-01-25T19:02:08.187Z","expires_at":"2023-01-25T19:03:48.187Z",` +
					`"device":{"initial_ip":"192.0.2.1","initial_user_agent":"phone","last_ip":"192.0.2.2","last_user_agent":"phone 2"},` +
					`"client_id":"` + machineID + `","session_id":null,"rotating":false,"resource_servers":[],"last_exchanged_at":null}`,
					`"idle_expires_at":null,"expires_at":null,`, `"session_id":"sid-1","rotating":false,"resource_servers":[{"audience":"https://api.example/","scopes":"openid offline_access read:a"}]`},
				hasNot: []string{"rft_4", "rft_5", `"next"`}},
			{name: "a page", scopes: reads, method: "GET", path: ofAnn + "?take=2&include_totals=true", status: 200, has: []string{"rft_3", "rft_2", `"next":"`}, hasNot: []string{"rft_1"}, keep: "next", as: "next"},
			{name: "the next", scopes: reads, method: "GET", path: ofAnn + "?take=2&from=$next", status: 200, has: []string{"rft_1"}, hasNot: []string{"rft_2", `"next"`}},
			{name: "a cursor of another list", scopes: reads, method: "GET", path: "/refresh-tokens?user_id=auth0%7Cann&from=$next", status: 400, has: []string{"invalid_query_string"}},
			{name: "by user", scopes: reads, method: "GET", path: "/refresh-tokens?user_id=auth0%7Cann", status: 200, has: []string{`{"refresh_tokens":[{"id":"rft_3"`, "rft_1"}, hasNot: []string{"rft_5"}},
			{name: "by user and client", scopes: reads, method: "GET", path: "/refresh-tokens?user_id=auth0%7Cann&client_id=another&fields=id,client_id", status: 200, has: []string{`{"refresh_tokens":[{"id":"rft_3","client_id":"another"}]}`}},
			{name: "by nobody", scopes: reads, method: "GET", path: "/refresh-tokens", status: 400, has: []string{"Missing required property: user_id", "invalid_query_string"}},
			{name: "one", scopes: reads, method: "GET", path: "/refresh-tokens/rft_1", status: 200, has: []string{`{"id":"rft_1","user_id":"auth0|ann"`}},
			{name: "none", scopes: reads, method: "GET", path: "/refresh-tokens/rft_0", status: 404, has: []string{`"The refresh token does not exist."`}},
			{name: "one that is over", scopes: reads, method: "GET", path: "/refresh-tokens/rft_4", status: 404},
			{name: "no id", scopes: reads, method: "GET", path: "/refresh-tokens/" + strings.Repeat("x", 31), status: 400, has: []string{"invalid_uri"}},

			{name: "metadata", scopes: updates, method: "PATCH", path: "/refresh-tokens/rft_1", body: `{"refresh_token_metadata":{"a":"b"}}`, status: 200, has: []string{`{"id":"rft_1"`, `"refresh_token_metadata":{"a":"b"}`}},
			{name: "metadata, no text", scopes: updates, method: "PATCH", path: "/refresh-tokens/rft_1", body: `{"refresh_token_metadata":{"a":1}}`, status: 400, has: []string{"invalid_body"}},
			{name: "metadata, too long", scopes: updates, method: "PATCH", path: "/refresh-tokens/rft_1", body: `{"refresh_token_metadata":{"a":"` + strings.Repeat("x", 256) + `"}}`, status: 400, has: []string{"invalid_body"}},
			{name: "nothing", scopes: updates, method: "PATCH", path: "/refresh-tokens/rft_1", body: `{}`, status: 400, has: []string{"invalid_body"}},
			{name: "something else", scopes: updates, method: "PATCH", path: "/refresh-tokens/rft_1", body: `{"user_id":"auth0|gus"}`, status: 400, has: []string{"Additional properties not allowed: user_id"}},
			{name: "of none", scopes: updates, method: "PATCH", path: "/refresh-tokens/rft_0", body: `{"refresh_token_metadata":null}`, status: 404},
			{name: "it stayed", scopes: reads, method: "GET", path: "/refresh-tokens/rft_1", status: 200, has: []string{`"refresh_token_metadata":{"a":"b"}`}},
			{name: "emptied", scopes: updates, method: "PATCH", path: "/refresh-tokens/rft_1", body: `{"refresh_token_metadata":null}`, status: 200, hasNot: []string{"refresh_token_metadata"}},

			{name: "revoke: nothing named", scopes: deletes, method: "POST", path: "/refresh-tokens/revoke", body: `{}`, status: 400, has: []string{"Exactly one of the following combinations", "invalid_body"}},
			{name: "revoke: a client alone", scopes: deletes, method: "POST", path: "/refresh-tokens/revoke", body: `{"client_id":"another"}`, status: 400, has: []string{"invalid_body"}},
			{name: "revoke: two ways", scopes: deletes, method: "POST", path: "/refresh-tokens/revoke", body: `{"ids":["rft_1"],"user_id":"auth0|ann"}`, status: 400, has: []string{"invalid_body"}},
			{name: "revoke: no list", scopes: deletes, method: "POST", path: "/refresh-tokens/revoke", body: `{"ids":"rft_1"}`, status: 400, has: []string{"on property ids", "invalid_body"}},
			{name: "all are there", scopes: reads, method: "GET", path: ofAnn, status: 200, has: []string{"rft_3", "rft_2", "rft_1"}},
			{name: "revoke by id", scopes: deletes, method: "POST", path: "/refresh-tokens/revoke", body: `{"ids":["rft_1","rft_0"]}`, status: 202, has: []string{`{}`}},
			{name: "revoke by client", scopes: deletes, method: "POST", path: "/refresh-tokens/revoke", body: `{"user_id":"auth0|ann","client_id":"another","audience":"https://api.example/"}`, status: 202},
			{name: "one is left", scopes: reads, method: "GET", path: ofAnn, status: 200, has: []string{"rft_2"}, hasNot: []string{"rft_1", "rft_3"}},
			{name: "delete", scopes: deletes, method: "DELETE", path: "/refresh-tokens/rft_2", status: 202, has: []string{`{}`}},
			{name: "delete again", scopes: deletes, method: "DELETE", path: "/refresh-tokens/rft_2", status: 202},
			{name: "none is left", scopes: reads, method: "GET", path: ofAnn, status: 200, has: []string{`{"tokens":[]}`}},
			{name: "the other's", scopes: deletes, method: "DELETE", path: "/users/google-oauth2%7C117/refresh-tokens", status: 202, has: []string{`{}`}},
			{name: "is gone", scopes: reads, method: "GET", path: "/refresh-tokens/rft_5", status: 404},
			{name: "logged", scopes: readLogs, method: "GET", path: "/users/google-oauth2%7C117/logs?per_page=1", status: 200, has: []string{`"Delete refresh tokens for user"`}},
		})
	})
}

func TestRevocationOf(t *testing.T) {
	for body, want := range map[string]bool{
		`{"ids":["a"]}`: true, `{"user_id":"u"}`: true, `{"user_id":"u","client_id":"c"}`: true, `{"user_id":"u","client_id":"c","audience":"a"}`: true,
		`{}`: false, `{"ids":["a"],"client_id":"c"}`: false, `{"ids":["a"],"user_id":"u"}`: false, `{"client_id":"c"}`: false, `{"user_id":"u","audience":"a"}`: false,
		`{"ids":["a"],"audience":"a"}`: false,
	} {
		var v revocationOf
		must(t, json.Unmarshal([]byte(body), &v))
		if v.valid() != want {
			t.Errorf("%s: %v", body, !want)
		}
	}
}

// What an administrator takes from a user, tokens included or not.
func TestRevokedAccessTakesTokens(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		for i, row := range []struct{ path, body string }{
			{"/sessions/SID/revoke", ""}, {revokesAccess, `{"session_id":"SID"}`}, {revokesAccess, ""},
		} {
			for _, keep := range []bool{false, true} {
				if keep && row.body == "" && i == 0 {
					continue
				}
				n := int64(10*i + 1)
				if keep {
					n++
				}
				sid := "sid-" + strconv.FormatInt(n, 10)
				w.signIn(t, sid, w.ann, 1)
				id := w.refreshToken(t, string(w.ann), n, nil)
				body := strings.ReplaceAll(row.body, "SID", sid)
				if keep {
					body = strings.Replace("{"+strings.Trim(body, "{}")+`,"preserve_refresh_tokens":true}`, "{,", "{", 1)
				}
				path := strings.ReplaceAll(row.path, "SID", sid)
				answers(t, w.call(t, "POST", path, w.machine(t, endsSessions), body), 202, nil, nil)
				status := 404
				if keep {
					status = 200
				}
				answers(t, w.call(t, "GET", "/refresh-tokens/"+id, w.machine(t, "read:refresh_tokens"), ""), status, nil, nil)
			}
		}
	})
}

func TestDeviceCredentials(t *testing.T) {
	const reads, deletes = "read:device_credentials", "delete:device_credentials"
	onEngines(t, func(t *testing.T, w *world) {
		w.refreshToken(t, string(w.ann), 1, nil)
		w.refreshToken(t, string(w.ann), 2, nil)
		w.refreshToken(t, string(w.gus), 3, nil)
		w.story(t, []step{
			{name: "list", scopes: reads, method: "GET", path: "/device-credentials?user_id=auth0%7Cann", status: 200,
				has: []string{`[{"id":"rft_2","device_name":"phone","type":"refresh_token","user_id":"auth0|ann","client_id":"` + machineID + `"},{"id":"rft_1"`}, hasNot: []string{"rft_3"}},
			{name: "with totals", scopes: reads, method: "GET", path: "/device-credentials?user_id=auth0%7Cann&page=1&per_page=1&include_totals=true&type=refresh_token", status: 200,
				has: []string{`{"start":1,"limit":1,"total":2,"device_credentials":[{"id":"rft_1"`}},
			{name: "rotating", scopes: reads, method: "GET", path: "/device-credentials?user_id=auth0%7Cann&type=rotating_refresh_token", status: 200, has: []string{`[]`}},
			{name: "public keys", scopes: reads, method: "GET", path: "/device-credentials?user_id=auth0%7Cann&type=public_key", status: 200, has: []string{`[]`}},
			{name: "another type", scopes: reads, method: "GET", path: "/device-credentials?user_id=auth0%7Cann&type=x", status: 400, has: []string{"invalid_query_string"}},
			{name: "of whom", scopes: reads, method: "GET", path: "/device-credentials", status: 400, has: []string{"Missing required property: user_id"}},
			{name: "delete", scopes: deletes, method: "DELETE", path: "/device-credentials/rft_1", status: 204},
			{name: "delete again", scopes: deletes, method: "DELETE", path: "/device-credentials/rft_1", status: 204},
			{name: "gone", scopes: reads, method: "GET", path: "/device-credentials?user_id=auth0%7Cann", status: 200, hasNot: []string{"rft_1"}},
		})
		own := w.of(t, w.ann, "delete:current_user_device_credentials")
		answers(t, w.call(t, "DELETE", "/device-credentials/rft_3", own, ""), 403, []string{"User to be acted on does not match subject in bearer token."}, nil)
		answers(t, w.call(t, "DELETE", "/device-credentials/rft_2", own, ""), 204, nil, nil)
		answers(t, w.call(t, "GET", "/refresh-tokens/rft_3", w.machine(t, "read:refresh_tokens"), ""), 200, nil, nil)
	})
}
