package oidc

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"mangrove/internal/connection"
	"mangrove/internal/profile"
	"mangrove/internal/upstream"
)

var update = flag.Bool("update", false, "write the golden files anew")

// outcome is what a login did to a profile.
type outcome struct {
	Action  string          `json:"action"`
	Subject string          `json:"subject"`
	Dropped []string        `json:"dropped,omitempty"`
	Profile json.RawMessage `json:"profile,omitempty"`
}

var actions = map[profile.Action]string{
	profile.Refused: "refused", profile.Created: "created", profile.Updated: "updated", profile.Unchanged: "unchanged",
}

// threeModes lets a person sign in twice under each sync mode, changed in
// between, and once more unchanged, and compares what becomes of the profile with
// testdata/<name>.json. login is one login as the provider is now.
func threeModes(t *testing.T, name string, options map[string]any, login func() (*connection.Connection, upstream.Result), change, back func()) {
	t.Helper()
	got := map[string][]outcome{}
	for _, mode := range []string{"on_each_login", "on_first_login", "never_on_login"} {
		options["set_user_root_attributes"] = mode
		var known *profile.Profile
		if mode == "never_on_login" { // somebody whom an administrator made
			made := profile.Profile{}
			made.Set(profile.Name, profile.Text("Made by hand"), profile.Source{Origin: profile.FromManagement})
			known = &made
		}
		var raw string
		for turn := range 3 {
			if turn == 1 {
				change()
			}
			c, result := login()
			src := profile.Source{Origin: profile.FromUpstream, Connection: c.ID}
			o := profile.Login(c.Facts(), known, result.Claims, src, profile.Defaults{})
			known = &o.Profile
			got[mode] = append(got[mode], outcome{actions[o.Action], result.Claims.Subject, dropped(o), attributesJSON(t, o.Profile)})
			if turn == 2 && (o.Action != profile.Unchanged || string(result.Claims.Raw) != raw) {
				t.Errorf("%s: an unchanged person changes %v; said\n%s\nthen\n%s", mode, o.Changed, raw, result.Claims.Raw)
			}
			raw = string(result.Claims.Raw)
		}
		back()
	}
	delete(options, "set_user_root_attributes")
	golden(t, name+".json", got)
}

func dropped(o profile.Outcome) []string {
	var names []string
	for _, d := range o.Dropped {
		names = append(names, d.Name)
	}
	return names
}

func attributesJSON(t *testing.T, p profile.Profile) json.RawMessage {
	t.Helper()
	m := map[string]json.RawMessage{}
	for _, a := range p.All() {
		m[a.Name] = a.Value
	}
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func golden(t *testing.T, name string, v any) {
	t.Helper()
	got, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
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

func TestThreeModes(t *testing.T) {
	for _, strategy := range []string{"oidc", "okta", "auth0-oidc", "office365"} {
		t.Run(strategy, func(t *testing.T) {
			r := newRig(t, plainOptions())
			r.strategy = strategy
			pia := map[string]any{
				"email": "p@x.example", "email_verified": true, "name": "Pia Lind", "given_name": "Pia", "family_name": "Lind",
				"preferred_username": "pia", "groups": []string{"a"}, "dept": "R&D", "sid": "s-1",
			}
			changed := map[string]any{
				"email": "pia@y.example", "name": "Pia Holm", "given_name": "Pia", "family_name": nil,
				"preferred_username": "pia", "dept": []string{"R&D", "Law"}, "sid": "s-2",
			}
			set := func(claims map[string]any) func() { return func() { r.idp.SetPerson("u-77", claims) } }
			set(pia)()
			threeModes(t, strategy, r.options, func() (*connection.Connection, upstream.Result) {
				return r.connection(), r.mustLogin()
			}, set(changed), set(pia))
		})
	}
}
