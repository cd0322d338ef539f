package mgmt

import (
	"encoding/json"
	"flag"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"mangrove/internal/job"
	"mangrove/internal/profile"
	"mangrove/internal/user"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares got with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	if !json.Valid(got) {
		t.Fatalf("not JSON: %s", got)
	}
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != string(got)+"\n" {
		t.Errorf("%s:\n got %s\nwant %s", name, got, want)
	}
}

const at = 1_674_673_226_187_654 // 2023-01-25T19:00:26.187654Z

// ann is a user of a database with everything that a user can have.
func ann() *user.User {
	src := profile.Source{Origin: profile.FromManagement, At: at}
	return &user.User{
		ID: "auth0|63d17c4a8869daf88ed7db97", Version: 7,
		Profile: profile.Of(
			profile.Attribute{Name: "email", Value: profile.Text("ann@example.com"), Source: src},
			profile.Attribute{Name: "email_verified", Value: profile.Bool(true), Source: src},
			profile.Attribute{Name: "name", Value: profile.Text(`Ann "A" Lée & <Co>`), Source: src},
			profile.Attribute{Name: "user_metadata", Value: profile.Value(`{"n":1.50}`), Source: src},
			profile.Attribute{Name: "app_metadata", Value: profile.Value(`{"plan":"gold"}`), Source: src},
		),
		Identities: []user.Identity{
			{Provider: "auth0", Connection: "Users", ConnectionID: "con_1", UserID: "63d17c4a8869daf88ed7db97", Subject: "63d17c4a8869daf88ed7db97"},
			{
				Provider: "google-oauth2", Connection: "google", ConnectionID: "con_2", UserID: "117", Subject: "117", IsSocial: true,
				ProfileData: profile.Of(profile.Attribute{Name: "email", Value: profile.Text("ann@gmail.example"), Source: src}),
				Tokens:      profile.Value(`{"access_token":"ya29","expires_in":3599}`),
			},
		},
		Password:  user.Password{Hash: "$2b$10$x", SetAt: at + 1},
		Logins:    user.Logins{Last: at + 5_000_000, IP: "203.0.113.7", Count: 3},
		CreatedAt: at, UpdatedAt: at + 1_000_000,
	}
}

func wire(u *user.User, identities []byte) []byte {
	v := user.ViewOf(u)
	if identities == nil {
		identities = v.Identities
	}
	return appendUser(nil, &v, identities)
}

func TestUserGolden(t *testing.T) {
	fresh := &user.User{
		ID: "sms|1", Version: 1, CreatedAt: at, UpdatedAt: at,
		Identities: []user.Identity{{Provider: "sms", Connection: "sms", UserID: "1", Subject: "1"}},
	}
	golden(t, "user.json", wire(ann(), nil))
	golden(t, "user_with_tokens.json", wire(ann(), fullIdentities(ann(), true)))
	golden(t, "user_fresh.json", wire(fresh, nil))
}

func TestWriteUser(t *testing.T) {
	v := user.ViewOf(ann())
	w := httptest.NewRecorder()
	if err := writeUser(w, 200, &v, v.Identities, fields{names: []string{"email", "last_ip"}}); err != nil {
		t.Fatal(err)
	}
	if w.Body.String() != `{"email":"ann@example.com","last_ip":"203.0.113.7"}` || w.Header().Get("ETag") != `"7"` {
		t.Errorf("got %s, ETag %s", w.Body, w.Header().Get("ETag"))
	}
}

func TestJobGolden(t *testing.T) {
	j := job.Job{
		ID: "job_iSjvljNtsTMmSpRW", Type: job.UsersImport, Status: job.Pending, ConnectionID: "con_1", Connection: "Users",
		Params: json.RawMessage(`{"upsert":true,"send_completion_email":true}`), CreatedAt: at,
	}
	done := j
	done.Status, done.Summary = job.Completed, job.Summary{Inserted: 1, Total: 1}
	done.Params = json.RawMessage(`{"external_id":"ext"}`)
	failed := j
	failed.Status, failed.StatusDetails = job.Failed, "The file is not a JSON array (byte 3)."
	for name, j := range map[string]job.Job{"job_pending.json": j, "job_completed.json": done, "job_failed.json": failed} {
		b, err := json.Marshal(shownJob(&j))
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, b)
	}
	e := job.RowError{User: json.RawMessage(`{"email":"c@example.com","email_verified":true}`), Errors: []job.Problem{
		{Code: "DUPLICATED_USER", Message: "The user already exist and upsert parameter is false"},
		{Code: "FORMAT", Message: "Error in email property - Object didn't pass validation for format email: foo@", Path: "email"},
	}}
	golden(t, "job_errors.json", appendRowError(nil, &e))
}

// The law: a string is written as the standard library reads it back.
func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "a", `"\`, "é", "\x00\x1f", " "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want, err := json.Marshal(s)
		if err != nil {
			t.Skip()
		}
		var a, b string
		if err := json.Unmarshal(appendString(nil, s), &a); err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if err := json.Unmarshal(want, &b); err != nil || a != b {
			t.Fatalf("%q became %q, want %q", s, a, b)
		}
	})
}
