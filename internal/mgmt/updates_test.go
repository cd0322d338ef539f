package mgmt

import (
	"encoding/json"
	"strings"
	"testing"

	"mangrove/internal/job"
	"mangrove/internal/user"
)

// working drives all jobs that there are.
func (w *world) working(t *testing.T) {
	t.Helper()
	patient := *w.api.Users
	patient.Hashing = patient.Hashing.Patient()
	r := &job.Runner{Store: w.store, Connections: w.store, Users: &patient, Now: w.clock.now}
	for {
		found, err := r.Work(t.Context())
		must(t, err)
		if !found {
			return
		}
	}
}

func TestUpdateManyUsers(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		bearer := w.machine(t, "update:users read:users")
		file := func(lines ...string) part { return part{"users", "updates.ndjson", strings.Join(lines, "\n")} }
		send := func(parts ...part) string {
			t.Helper()
			contentType, body := form(t, parts...)
			rec := w.call(t, "POST", "/jobs/users-updates", bearer, body, "Content-Type", contentType)
			answers(t, rec, 202, []string{`{"type":"users_update","status":"pending"`}, []string{"summary", "upsert", "send_completion_email"})
			var j struct{ ID string }
			must(t, json.Unmarshal(rec.Body.Bytes(), &j))
			w.working(t)
			return j.ID
		}

		gus := w.stored(t, w.gus)
		id := send(part{name: "connection_id", text: usersID}, part{name: "external_id", text: "mine"}, file(
			`{"email":"ANN@example.com","patch":{"name":"Ann Lee","user_metadata":{"b":2}}}`,
			`{"user_id":"`+string(w.gus)+`","patch":{"name":"Gus"}}`,
			`{"user_id":"auth0|nobody","patch":{"name":"x"}}`,
			`{"user_id":"auth0|ann","patch":{"password":"short"}}`))
		answers(t, w.call(t, "GET", "/jobs/"+id, bearer, ""), 200, []string{
			`"type":"users_update","status":"completed","connection_id":"` + usersID + `"`, `"external_id":"mine"`,
			`"summary":{"failed":3,"updated":1,"inserted":0,"total":4}`,
		}, nil)
		// What PATCH says of a synced attribute is what the row says.
		refusal := w.call(t, "PATCH", "/users/"+strings.ReplaceAll(string(w.gus), "|", "%7C"), bearer, `{"name":"Gus"}`)
		var told struct{ Message string }
		must(t, json.Unmarshal(refusal.Body.Bytes(), &told))
		message, err := json.Marshal(told.Message)
		must(t, err)
		answers(t, w.call(t, "GET", "/jobs/"+id+"/errors", bearer, ""), 200, []string{
			`[{"user":{"user_id":"` + string(w.gus) + `","patch":{"name":"Gus"}},"errors":[{"code":"NOT_PASSED","message":` + string(message) + `}]}`,
			`{"user":{"user_id":"auth0|nobody","patch":{"name":"x"}},"errors":[{"code":"USER_NOT_FOUND","message":"The user does not exist."}]}`,
			`"patch":{"password":"*****"}},"errors":[{"code":"NOT_PASSED","message":"Error in patch.password property - PasswordStrengthError: `,
		}, []string{`"short"`})
		answers(t, w.call(t, "GET", "/jobs/"+id+"/outcomes", bearer, ""), 200, []string{
			`{"row":1,"outcome":"updated","user_id":"auth0|ann"}` + "\n" + `{"row":2,"outcome":"failed","errors":[`,
		}, nil)
		answers(t, w.call(t, "GET", "/users/auth0%7Cann", bearer, ""), 200, []string{`"name":"Ann Lee"`, `"user_metadata":{"a":1,"b":2}`}, nil)
		if got := w.stored(t, w.gus); got != gus {
			t.Errorf("a refused row changed its user: %s, was %s", got, gus)
		}

		again := send(file(`[{"user_id":"auth0|ann","patch":{"blocked":true}},`, `{"email":"ann@example.com","patch":{"name":"x"}}]`))
		answers(t, w.call(t, "GET", "/jobs/"+again, bearer, ""), 200, []string{`"summary":{"failed":1,"updated":1,"inserted":0,"total":2}`}, []string{"connection"})
		answers(t, w.call(t, "GET", "/users/auth0%7Cann", bearer, ""), 200, []string{`"blocked":true`}, nil)
		if u, err := w.store.User(t.Context(), user.ID("auth0|ann")); err != nil || u.Version < 3 {
			t.Errorf("%+v, %v", u, err)
		}
	})
}

func TestUpdateManyUsersRefused(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		jobs := &watched{Store: w.api.Jobs}
		w.api.Jobs = jobs
		bearer := w.machine(t, "update:users")
		file := part{"users", "u", `{"user_id":"auth0|ann","patch":{"name":"x"}}`}
		for _, row := range []struct {
			name   string
			parts  []part
			status int
			text   string
		}{
			{"no file", []part{{name: "connection_id", text: usersID}}, 400, "Must provide 'users' file as multipart part."},
			{"empty file", []part{{"users", "u", ""}}, 400, "Users file must not be empty."},
			{"connection of another form", []part{{name: "connection_id", text: "Users"}, file}, 400, "String does not match pattern ^con_"},
			{"unknown connection", []part{file, {name: "connection_id", text: "con_0000000000000000"}}, 400, "The connection does not exist."},
			{"two files", []part{file, file}, 400, "Invalid multipart payload format"},
		} {
			t.Run(row.name, func(t *testing.T) {
				*jobs = watched{Store: jobs.Store}
				contentType, body := form(t, row.parts...)
				answers(t, w.call(t, "POST", "/jobs/users-updates", bearer, body, "Content-Type", contentType), row.status, []string{row.text}, nil)
				if jobs.published != 0 || jobs.created != jobs.dropped || len(w.wakes) != 0 {
					t.Errorf("left behind: %+v, %d wakes", jobs, len(w.wakes))
				}
			})
		}
		contentType, body := form(t, file)
		for _, scopes := range []string{"read:users", "create:users", "update:users_app_metadata"} {
			rec := w.call(t, "POST", "/jobs/users-updates", w.machine(t, scopes), body, "Content-Type", contentType)
			answers(t, rec, 403, []string{"Insufficient scope, expected any of: update:users"}, nil)
		}
		if jobs.published != 0 {
			t.Errorf("%d jobs of callers without scope", jobs.published)
		}
	})
}
