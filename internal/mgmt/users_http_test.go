package mgmt

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"mangrove/internal/user"
)

func TestReadUsers(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		const byEmail = "/users-by-email?email="
		for _, row := range []struct {
			name, path, scopes string
			status             int
			has, hasNot        []string
		}{
			{"by id", "/users/auth0%7Cann", "read:users", 200,
				[]string{`{"user_id":"auth0|ann"`, `"email":"ann@example.com","email_verified":false`, `"user_metadata":{"a":1}`, `"identities":[{"connection":"Users","user_id":"ann","provider":"auth0","isSocial":false}]`, `"created_at":"2023-01-25T19:00:26.187Z"`},
				[]string{"null", "blocked", "app_metadata", "last_login", "logins_count", "last_ip", "last_password_reset", "password", "$2"}},
			{"of an upstream", "/users/google-oauth2%7C117", "read:users", 200, []string{`"logins_count":1`, `"last_ip":"203.0.113.7"`, `"isSocial":true`}, []string{"upstream-secret", "access_token"}},
			{"with tokens", "/users/google-oauth2%7C117", "read:users read:user_idp_tokens", 200, []string{`"access_token":"upstream-secret"`}, nil},
			{"tokens scope alone", "/users/google-oauth2%7C117", "read:user_idp_tokens", 200, []string{`"access_token":"upstream-secret"`}, nil},
			{"tokens by fields without the scope", "/users/google-oauth2%7C117?fields=identities", "read:users", 200, []string{`{"identities":[{`}, []string{"upstream-secret"}},
			{"fields", "/users/auth0%7Cann?fields=email,name", "read:users", 200, []string{`{"email":"ann@example.com","name":"Ann"}`}, nil},
			{"fields left out", "/users/auth0%7Cann?fields=email,name&include_fields=false", "read:users", 200, []string{`"user_id":"auth0|ann"`}, []string{`"email":`, `"name":`}},
			{"hidden field", "/users/auth0%7Cann?fields=password_hash", "read:users", 400, []string{"invalid_query_string", "Must be a comma separated list of the following values: phone_number,"}, nil},
			{"commas only", "/users/auth0%7Cann?fields=,,", "read:users", 400, []string{"invalid_query_string"}, nil},
			{"repeated parameter", "/users/auth0%7Cann?include_fields=true&include_fields=false", "read:users", 400, []string{"invalid_query_string"}, nil},
			{"NUL in the query", "/users/auth0%7Cann?fields=%00", "read:users", 400, []string{"invalid_query_string"}, nil},
			{"nobody", "/users/auth0%7Cnobody", "read:users", 404, []string{`{"statusCode":404,"error":"Not Found","message":"The user does not exist.","errorCode":"inexistent_user"}`}, nil},
			{"machine with a user's scope", "/users/auth0%7Cann", "read:current_user", 403, []string{"User to be acted on does not match subject in bearer token."}, nil},

			{"by email", byEmail + "ann@example.com", "read:users", 200, []string{`[{"user_id":"auth0|ann"`}, nil},
			{"by email, encoded", byEmail + "ann%40example.com&fields=user_id", "read:users", 200, []string{`[{"user_id":"auth0|ann"}]`}, nil},
			{"by email, other case", byEmail + "Ann@example.com", "read:users", 200, []string{`[]`}, []string{"auth0"}},
			{"by email without tokens", byEmail + "gus@example.com", "read:users", 200, []string{`"google-oauth2|117"`}, []string{"upstream-secret"}},
			{"by email with tokens", byEmail + "gus@example.com", "read:users read:user_idp_tokens", 200, []string{"upstream-secret"}, nil},
			{"by email, tokens scope alone", byEmail + "gus@example.com", "read:user_idp_tokens", 403, []string{"expected any of: read:users"}, nil},
			{"by no email", "/users-by-email", "read:users", 400, []string{`"Query validation error: 'Missing required property: email'."`, "invalid_query_string"}, nil},
			{"by two", byEmail + "a@example.com&email=b@example.com", "read:users", 400, []string{"found type array' on property email"}, nil},
			{"by a bad text", byEmail + "%c3%28", "read:users", 400, []string{"invalid_query_string"}, nil},
		} {
			t.Run(row.name, func(t *testing.T) {
				answers(t, w.call(t, "GET", row.path, w.machine(t, row.scopes), ""), row.status, row.has, row.hasNot)
			})
		}
	})
}

func TestCreateUser(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		bearer := w.machine(t, "create:users")
		const secret = `"password":"` + password + `"`
		for _, row := range []struct {
			name, body  string
			status      int
			has, hasNot []string
		}{
			{"all", `{"connection":"Users","email":"Bob@Example.com",` + secret + `,"user_id":"bob","given_name":"Bob","user_metadata":{"n":1.50},"app_metadata":{"plan":"x"},"blocked":false,"verify_email":false}`, 201,
				[]string{`{"user_id":"auth0|bob"`, `"email":"bob@example.com"`, `"user_metadata":{"n":1.50}`, `"name":"bob@example.com"`, `"nickname":"bob"`, `"blocked":false`}, []string{password, "$2", "verify_email"}},
			{"taken", `{"connection":"Users","email":"ANN@example.com",` + secret + `}`, 409, []string{`"message":"The user already exists."`, `"errorCode":"auth0_idp_error"`}, nil},
			{"taken id", `{"connection":"Users","email":"else@example.com",` + secret + `,"user_id":"ann"}`, 409, []string{"The user already exists."}, nil},
			{"weak password", `{"connection":"Users","email":"c@example.com","password":"x"}`, 400, []string{`{"statusCode":400,"error":"Bad Request","message":"PasswordStrengthError: Password is too weak"}`}, []string{"errorCode"}},
			{"no password", `{"connection":"Users","email":"c@example.com"}`, 400, []string{"Missing required property: password", "invalid_body"}, nil},
			{"no such connection", `{"connection":"Nowhere","email":"c@example.com",` + secret + `}`, 400, []string{"Connection does not exist."}, nil},
			{"disabled connection", `{"connection":"Disabled","email":"c@example.com",` + secret + `}`, 400, []string{"Connection is disabled."}, nil},
			{"upstream connection", `{"connection":"google","email":"c@example.com"}`, 400, []string{"Connection does not support user creation through the API. It must either be a database or passwordless connection."}, nil},
			{"unknown member", `{"connection":"Users","foo":1}`, 400, []string{"Additional properties not allowed: foo", "invalid_body"}, nil},
			{"no connection", `{}`, 400, []string{"Missing required property: connection", "invalid_body"}, nil},
		} {
			t.Run(row.name, func(t *testing.T) {
				answers(t, w.call(t, "POST", "/users", bearer, row.body), row.status, row.has, row.hasNot)
			})
		}
	})
}

func TestPatchUser(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		const ann, gus = "/users/auth0%7Cann", "/users/google-oauth2%7C117"
		for _, row := range []struct {
			name, path, scopes, body string
			status                   int
			has, hasNot              []string
		}{
			{"root attributes", ann, "update:users", `{"name":"Ann Lee","given_name":"Ann"}`, 200, []string{`"name":"Ann Lee"`, `"given_name":"Ann"`, `"user_metadata":{"a":1}`}, nil},
			{"null removes", ann, "update:users", `{"given_name":null}`, 200, []string{`"name":"Ann Lee"`}, []string{"given_name"}},
			{"metadata merges", ann, "update:users", `{"user_metadata":{"b":{"c":1.0}}}`, 200, []string{`"user_metadata":{"a":1,"b":{"c":1.0}}`}, nil},
			{"password", ann, "update:users", `{"password":"another ` + password + `","connection":"Users"}`, 200, []string{`"last_password_reset":"`}, []string{password, "$2"}},
			{"app_metadata by the narrow scope", ann, "update:users_app_metadata", `{"app_metadata":{"plan":"gold"}}`, 200, []string{`"app_metadata":{"plan":"gold"}`}, nil},
			{"more by the narrow scope", ann, "update:users_app_metadata", `{"app_metadata":{"plan":"x"},"name":"x"}`, 403, []string{"You cannot update the following fields: name", "insufficient_scope"}, nil},
			{"machine with a user's scope", ann, "update:current_user_metadata", `{"user_metadata":{}}`, 403, []string{"does not match subject"}, nil},
			{"synced attribute", gus, "update:users", `{"user_metadata":{"x":1},"picture":"https://example.com/p","name":"Gus","given_name":"G"}`, 400,
				[]string{"The following user attributes cannot be updated: given_name, name, picture. The connection (google) must either be", `"errorCode":"operation_not_supported"`}, nil},
			{"metadata of an upstream user", gus, "update:users", `{"user_metadata":{"x":1}}`, 200, []string{`"user_metadata":{"x":1}`}, []string{"upstream-secret"}},
			{"empty", ann, "update:users", `{}`, 400, []string{"None of the valid schemas were met", "invalid_body"}, nil},
			{"what was read", ann, "update:users", `{"user_id":"auth0|ann","identities":[],"created_at":"x","updated_at":"x","last_login":"x","last_ip":"x","logins_count":1}`, 400,
				[]string{"Additional properties not allowed: user_id,identities,created_at,updated_at,last_login,last_ip,logins_count (consider storing them in app_metadata or user_metadata."}, nil},
			{"together", ann, "update:users", `{"password":"` + password + `","email":"x@example.com"}`, 400, []string{"Cannot update password and email simultaneously"}, nil},
			{"nobody", "/users/auth0%7Cnobody", "update:users", `{"name":"x"}`, 404, []string{"inexistent_user"}, nil},
			{"nobody, bad body", "/users/auth0%7Cnobody", "update:users", `{"blocked":"x"}`, 400, []string{"invalid_body"}, nil},
			{"bad id", "/users/nobody", "update:users", `{"name":"x"}`, 400, []string{"invalid_uri"}, nil},
		} {
			t.Run(row.name, func(t *testing.T) {
				before := map[user.ID]string{w.ann: w.stored(t, w.ann), w.gus: w.stored(t, w.gus)}
				answers(t, w.call(t, "PATCH", row.path, w.machine(t, row.scopes), row.body), row.status, row.has, row.hasNot)
				for id, old := range before {
					if row.status >= 400 && w.stored(t, id) != old {
						t.Errorf("%s was changed by a refused call", id)
					}
				}
			})
		}
	})
}

// reference/users.md §1.11: POST says 409, PATCH 400.
func TestPatchToWhatIsTaken(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		bearer := w.machine(t, "create:users update:users")
		for _, body := range []string{
			`{"connection":"Users","email":"bob@example.com","user_id":"bob","password":"` + password + `"}`,
			`{"connection":"sms","phone_number":"+15550100","user_id":"sue"}`,
			`{"connection":"sms","phone_number":"+15550101","user_id":"tom"}`,
		} {
			answers(t, w.call(t, "POST", "/users", bearer, body), 201, nil, nil)
		}
		for _, row := range []struct{ name, id, body, message string }{
			{"e-mail", "auth0|bob", `{"email":"ANN@example.com","given_name":"B"}`, "The specified new email already exists"},
			{"phone number", "sms|tom", `{"phone_number":"+15550100"}`, "The user already exists."},
		} {
			t.Run(row.name, func(t *testing.T) {
				before := w.stored(t, user.ID(row.id))
				answers(t, w.call(t, "PATCH", "/users/"+url.PathEscape(row.id), bearer, row.body), 400,
					[]string{`{"statusCode":400,"error":"Bad Request","message":"` + row.message + `","errorCode":"auth0_idp_error"}`}, nil)
				if w.stored(t, user.ID(row.id)) != before {
					t.Error("the user was changed by a refused call")
				}
			})
		}
	})
}

// security.md items 15, 19 to 26: one bad thing refuses all of it.
func TestBadBodies(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		bearer := w.machine(t, "update:users")
		const jsonType = "application/json"
		before := w.stored(t, w.ann)
		for _, row := range []struct {
			name, contentType, body string
			status                  int
			text                    string
		}{
			{"double key", jsonType, `{"name":"a","name":"b"}`, 400, "Invalid request payload JSON format"},
			{"double key by an escape", jsonType, `{"name":"a","na\u006de":"b"}`, 400, "Invalid request payload JSON format"},
			{"double key inside", jsonType, `{"user_metadata":{"a":{"b":1,"b":2}}}`, 400, "Invalid request payload JSON format"},
			{"bad UTF-8", jsonType, "{\"name\":\"\xc3\x28\"}", 400, "invalid_body"},
			{"overlong UTF-8", jsonType, "{\"name\":\"\xc0\xaf\"}", 400, "invalid_body"},
			{"lone surrogate", jsonType, `{"name":"\ud800"}`, 400, "invalid_body"},
			{"NUL in a value", jsonType, `{"name":"a\u0000b"}`, 400, "invalid_body"},
			{"NUL in a key", jsonType, `{"user_metadata":{"a\u0000b":1}}`, 400, "invalid_body"},
			{"too large", jsonType, `{"user_metadata":{"a":"` + strings.Repeat("x", 1<<20) + `"}}`, 413, "Payload content length greater than maximum allowed: 1048576"},
			{"too deep", jsonType, `{"user_metadata":{"a":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + `}}`, 400, "invalid_body"},
			{"empty", jsonType, ``, 400, "invalid_body"},
			{"array", jsonType, `[]`, 400, "invalid_body"},
			{"string", jsonType, `"x"`, 400, "invalid_body"},
			{"two objects", jsonType, `{"name":"a"}{"name":"b"}`, 400, "invalid_body"},
			{"text behind", jsonType, `{"name":"a"} x`, 400, "invalid_body"},
			{"text", "text/plain", `{"name":"a"}`, 415, "Unsupported Media Type"},
			{"form", "application/x-www-form-urlencoded", `name=a`, 415, "Unsupported Media Type"},
			{"other charset", "application/json; charset=utf-16", `{"name":"a"}`, 415, "Unsupported Media Type"},
			{"text for a boolean", jsonType, `{"email_verified":"true"}`, 400, "Expected type boolean but found type string' on property email_verified"},
			{"number for a boolean", jsonType, `{"blocked":1}`, 400, "on property blocked"},
			{"list for an object", jsonType, `{"user_metadata":[]}`, 400, "on property user_metadata"},
			{"one bad member", jsonType, `{"user_metadata":{"z":1},"blocked":"yes"}`, 400, "on property blocked"},
			{"e-mail with a line break", jsonType, `{"email":"a@example.com\r\nBcc: x"}`, 400, "on property email"},
			{"e-mail with two at", jsonType, `{"email":"a@b@example.com"}`, 400, "on property email"},
			{"long e-mail", jsonType, `{"email":"a@` + strings.Repeat("x", 300) + `.com"}`, 400, "on property email"},
			{"long name", jsonType, `{"name":"` + strings.Repeat("x", 301) + `"}`, 400, "String is too long (301 chars), maximum 300' on property name"},
			{"bidi override", jsonType, `{"nickname":"a\u202eb"}`, 400, "on property nickname"},
			{"nothing visible", jsonType, `{"nickname":"\u200b\u200b"}`, 400, "on property nickname"},
			{"key with a dot", jsonType, `{"user_metadata":{"a.b":1}}`, 400, "invalid_body"},
			{"key with a dollar", jsonType, `{"app_metadata":{"$set":1}}`, 400, "invalid_body"},
			{"reserved key", jsonType, `{"app_metadata":{"user_id":"x"}}`, 400, "invalid_body"},
		} {
			t.Run(row.name, func(t *testing.T) {
				rec := w.call(t, "PATCH", "/users/auth0%7Cann", bearer, row.body, "Content-Type", row.contentType)
				text := []string{row.text}
				answers(t, rec, row.status, text, []string{"\x00", "\ufffd"})
				if w.stored(t, w.ann) != before {
					t.Error("the user was changed")
				}
			})
		}
		rec := w.call(t, "PATCH", "/users/auth0%7Cann", bearer, `{"user_metadata":{"n":12345678901234567890.10,"__proto__":{"a":1},"constructor":"x"}}`, "Content-Type", "application/json; charset=UTF-8")
		answers(t, rec, 200, []string{`"n":12345678901234567890.10`, `"__proto__":{"a":1}`, `"constructor":"x"`}, nil)
	})
}

func TestDeleteUser(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		bearer := w.machine(t, "delete:users read:users")
		for _, row := range []struct {
			name, method, path string
			status             int
		}{
			{"there", "GET", "/users/auth0%7Cann", 200},
			{"deletes", "DELETE", "/users/auth0%7Cann", 204},
			{"gone", "GET", "/users/auth0%7Cann", 404},
			{"deletes nobody", "DELETE", "/users/auth0%7Cann", 204},
			{"bad id", "DELETE", "/users/ann", 400},
		} {
			t.Run(row.name, func(t *testing.T) {
				rec := w.call(t, row.method, row.path, bearer, "")
				answers(t, rec, row.status, nil, nil)
				if row.status == 204 && rec.Body.Len() != 0 {
					t.Errorf("has a body: %s", rec.Body)
				}
			})
		}
	})
}

func TestIfMatch(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		bearer := w.machine(t, "update:users read:users")
		const path = "/users/auth0%7Cann"
		tag := w.call(t, "GET", path, bearer, "").Header().Get("ETag")
		if tag == "" {
			t.Fatal("no ETag")
		}
		patch := func(name, match string) *httptest.ResponseRecorder {
			return w.call(t, "PATCH", path, bearer, `{"name":"`+name+`"}`, "If-Match", match)
		}
		answers(t, patch("one", `"999"`), 412, []string{`"error":"Precondition Failed"`}, nil)
		answers(t, patch("one", "W/"+tag), 412, nil, nil)
		rec := patch("one", tag)
		answers(t, rec, 200, []string{`"name":"one"`}, nil)
		fresh := rec.Header().Get("ETag")
		if fresh == "" || fresh == tag {
			t.Errorf("ETag %s after %s", fresh, tag)
		}
		answers(t, patch("two", tag), 412, nil, nil)
		answers(t, patch("two", tag+", "+fresh), 200, []string{`"name":"two"`}, nil)
		answers(t, patch("three", "*"), 200, []string{`"name":"three"`}, nil)
		answers(t, w.call(t, "PATCH", "/users/auth0%7Cnobody", bearer, `{"name":"x"}`, "If-Match", `"1"`), 404, []string{"inexistent_user"}, nil)
	})
}

func BenchmarkGetUser(b *testing.B) {
	w := newWorld(b)
	r := httptest.NewRequest("GET", Prefix+"/users/auth0%7Cann", nil)
	r.Header.Set("Authorization", "Bearer "+w.machine(b, "read:users"))
	b.ReportAllocs()
	for b.Loop() {
		rec := httptest.NewRecorder()
		w.ServeHTTP(rec, r)
		if rec.Code != 200 {
			b.Fatal(rec.Body)
		}
	}
}

func BenchmarkPatchUser(b *testing.B) {
	w := newWorld(b)
	bearer := w.machine(b, "update:users")
	names := [2]string{`{"name":"Ann"}`, `{"name":"Ann Lee"}`}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if rec := w.call(b, "PATCH", "/users/auth0%7Cann", bearer, names[i&1]); rec.Code != 200 {
			b.Fatal(rec.Body)
		}
	}
}
