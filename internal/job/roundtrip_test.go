package job_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"mangrove/internal/job"
	"mangrove/internal/profile"
	"mangrove/internal/user"
)

// A connection whose users sign in with anything.
const (
	flexibleID = "con_0000000000000005"
	flexible   = `{"attributes":{"email":{"profile_required":false},"phone_number":{"profile_required":false},"username":{"profile_required":false,"validation":{"min_length":1,"max_length":128}}}}`
)

// A hash of each family.
var hashes = []string{
	``,
	`"password_hash":"$2a$10$/7EqZk3/6k/wz5NNXo2Ge.RXug22omq85E42vg/Y1MGMzvk8osAWy"`,
	`"password_hash":"$2b$06$abcdefghijklmnopqrstuuweFluOTZuQ0Boo1w.y.les8URrwaTdW"`,
	`"custom_password_hash":{"algorithm":"bcrypt","hash":{"value":"$2y$06$abcdefghijklmnopqrstuuweFluOTZuQ0Boo1w.y.les8URrwaTdW"},"salt":{"value":"<&>\" é","position":"suffix"}}`,
	`"custom_password_hash":{"algorithm":"argon2","hash":{"value":"$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4","encoding":"utf8"}}`,
	`"custom_password_hash":{"algorithm":"md5","hash":{"value":"C60x1E94RO8oCCVB1/dbnw==","encoding":"base64"},"salt":{"value":"73616C7401ff","encoding":"hex","position":"suffix"},"password":{"encoding":"utf16le"}}`,
	`"custom_password_hash":{"algorithm":"hmac","hash":{"value":"j94CmfFjY26A3N8pKaxSSB35PCdGvG1vRsayvN2yfnU","encoding":"base64","digest":"sha256","key":{"value":"6b6579e282ac","encoding":"hex"}},"salt":{"value":"NaCl"}}`,
	`"custom_password_hash":{"algorithm":"ldap","hash":{"value":"{SSHA}awggp3Mj9B93GDHPllaxcOEMEHlzYWx0Af8="}}`,
	`"custom_password_hash":{"algorithm":"pbkdf2","hash":{"value":"$pbkdf2-sha256$i=1000,l=32$c29tZXNhbHQ$/FVLYwhWBII4PgXwzx8G+p6wRt3wLyCNqf8wtc3JIMg"}}`,
	`"custom_password_hash":{"algorithm":"scrypt","hash":{"value":"7IdFipPJR22_Y3r4hk-Iat_XT1CJj93XzCD_AJbRqv8=","encoding":"base64"},"salt":{"value":"c2FsdAH/","encoding":"base64"},"keylen":32,"cost":1024,"blockSize":4,"parallelization":2}`,
}

// What users have beside a sign-in name.
var details = []string{
	``,
	`"given_name":"Ann","family_name":"O'Neil \"x\"","nickname":"=cmd|' /C calc'!A0","name":"Ünï ćødé 😀"`,
	`"blocked":true,"picture":"https://cdn.example.com/%C3%BC.png?a=1&b=2"`,
	`"blocked":false,"user_metadata":{"":"empty","a b":1.50,"__proto__":{"x":[]},"é\u0301":"\u2028\t\"\\","big":12345678901234567890,"exp":1e3,"none":null,"deep":[[{"x":[1,{"y":true}]}]]}`,
	`"app_metadata":{"plan":"gold","roles":["a","b"],"limits":{"n":-0.0}},"user_metadata":{}`,
	`"mfa_factors":[{"totp":{"secret":"JBSWY3DPEHPK3PXP"}},{"phone":{"value":"+15550001"}},{"email":{"value":"second@example.com"}}]`,
}

// peopleOfAllShapes is n rows; the kinds of hashes, details and sign-in names go
// round with different periods, so that each meets each.
func peopleOfAllShapes(n int) string {
	var b strings.Builder
	for i := range n {
		members := []string{fmt.Sprintf(`"user_id":"u%d"`, i)}
		if i%2 == 1 {
			members[0] = fmt.Sprintf(`"user_id":"é|%d"`, i)
		}
		names := i % 7 // bits: e-mail, username, phone number
		if names == 0 {
			names = 7
		}
		if names&1 != 0 {
			members = append(members, fmt.Sprintf(`"email":"Person.%d@Example.com","email_verified":%v`, i, i%3 == 0))
		}
		if names&2 != 0 {
			members = append(members, fmt.Sprintf(`"username":"Person_%d"`, i))
		}
		if names&4 != 0 {
			members = append(members, fmt.Sprintf(`"phone_number":"+1555%07d","phone_verified":%v`, i, i%5 == 0))
		}
		for _, m := range []string{hashes[i%len(hashes)], details[i/3%len(details)]} {
			if m != "" {
				members = append(members, m)
			}
		}
		fmt.Fprintf(&b, "{%s}\n", strings.Join(members, ","))
	}
	return b.String()
}

// TestRoundTrip: an export with hashes, imported elsewhere, makes the same users,
// who sign in with the same passwords. MANGROVE_ROUNDTRIP_USERS is how many.
func TestRoundTrip(t *testing.T) {
	n := 2000
	if s := os.Getenv("MANGROVE_ROUNDTRIP_USERS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	from, to := newFlexible(t), newFlexible(t)
	made := from.imports(peopleOfAllShapes(n), 1<<20, there)
	run := func(w *world) {
		r := w.runner(w)
		r.BatchSize = 1000
		work(t, r)
	}
	run(from)
	if from.want(made, job.Completed, "", job.Summary{Inserted: int64(n), Total: int64(n)}); t.Failed() {
		t.Fatal(from.failures(made))
	}
	// The members that only a server writes.
	if err := from.RecordLogin(bg, "auth0|u0", user.Logins{Last: 1_700_000_000_000_000, IP: "203.0.113.7", Count: 3}, "", "", user.Effect{}); err != nil {
		t.Fatal(err)
	}
	if _, err := from.UpdateUser(bg, "auth0|u2", func(u *user.User) (user.Effect, error) {
		u.Password.SetAt = 1_700_000_000_000_001
		u.Identities = append(u.Identities, user.Identity{
			Provider: "google-oauth2", Connection: "google", ConnectionID: "con_0000000000000009", UserID: "117", Subject: "117", IsSocial: true,
			Tokens: profile.Value(`{"access_token":"upstream-secret"}`),
		})
		return user.Effect{}, nil
	}); err != nil {
		t.Fatal(err)
	}

	out := from.exports(job.ExportParams{Format: user.ExportJSON, Secrets: true}, there)
	run(from)
	from.ended(out, job.Completed, "", int64(n))
	text, _ := from.file(out)
	if strings.Contains(text, "upstream-secret") {
		t.Error("the file holds a token of an upstream")
	}
	in := to.imports(text, 1<<20, there)
	run(to)
	if to.want(in, job.Completed, "", job.Summary{Inserted: int64(n), Total: int64(n)}); t.Failed() {
		t.Fatal(to.failures(in))
	}
	same(t, from, to, n)
}

// newFlexible is a world with a connection of that kind.
func newFlexible(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.connect(flexibleID, "flexible", "auth0", flexible)
	return w
}

// there puts a job to the flexible connection.
func there(j *job.Job) { j.ConnectionID, j.Connection = flexibleID, "flexible" }

// same compares the users of two worlds in all that an import brings.
func same(t *testing.T, from, to *world, n int) {
	t.Helper()
	var after user.ID
	for seen := 0; ; {
		q := job.ExportQuery{After: after, Limit: 500, Bytes: 1 << 30, Secrets: true}
		want, more, err := from.ExportUsers(bg, q)
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := to.ExportUsers(bg, q)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(want) {
			t.Fatalf("%d users after %s, want %d", len(got), after, len(want))
		}
		for i := range want {
			w, g := &want[i], &got[i]
			if g.ID != w.ID || !bytes.Equal(g.Attributes, w.Attributes) || g.Hash != w.Hash || !bytes.Equal(g.Factors, w.Factors) || primary(t, g) != primary(t, w) {
				t.Errorf("%s:\n got %s %s %q %s %s\nwant %s %s %q %s %s", w.ID,
					g.ID, g.Attributes, g.Hash, g.Factors, g.Identities, w.ID, w.Attributes, w.Hash, w.Factors, w.Identities)
			}
			after = w.ID
		}
		if seen += len(want); t.Failed() || !more {
			if seen != n {
				t.Errorf("compared %d users of %d", seen, n)
			}
			return
		}
	}
}

// identity is what the primary identity of a user is known by; an import makes
// no other.
type identity struct {
	Connection string
	UserID     string `json:"user_id"`
	Provider   string
	IsSocial   bool
}

func primary(t *testing.T, r *user.ExportRow) identity {
	t.Helper()
	var list []identity
	if err := json.Unmarshal(r.Identities, &list); err != nil || len(list) == 0 {
		t.Fatalf("identities %s: %v", r.Identities, err)
	}
	return list[0]
}
