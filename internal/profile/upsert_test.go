package profile

import "testing"

// What an import row may change of a user who is there (reference/users.md §6.2).
func TestUpsert(t *testing.T) {
	const user = `{"email":"a@b.co","email_verified":false,"name":"A","blocked":true,"username":"ada","user_metadata":{"a":1,"b":2},"app_metadata":{"x":1}}`
	for _, row := range []struct {
		about   string
		c       Connection
		in      string
		want    string
		refusal string
	}{
		{
			"the five and email_verified", dbNames, `{"email":"A@b.co","email_verified":true,"name":"B","nickname":"n","given_name":"g","family_name":"f","picture":"https://a.example/"}`,
			`{"email":"a@b.co","email_verified":true,"name":"B","nickname":"n","given_name":"g","family_name":"f","picture":"https://a.example/","blocked":true,"username":"ada","user_metadata":{"a":1,"b":2},"app_metadata":{"x":1}}`, "",
		},
		{
			"metadata is replaced", dbNames, `{"email":"a@b.co","user_metadata":{"c":3},"app_metadata":{}}`,
			`{"email":"a@b.co","email_verified":false,"name":"A","blocked":true,"username":"ada","user_metadata":{"c":3}}`, "",
		},
		{"the rest stays", dbNames, `{"email":"a@b.co","blocked":false,"username":"bob","phone_number":"+1","phone_verified":true}`, user, ""},
		{"e-mail alone", dbNames, `{"email":"a@b.co"}`, user, ""},
		{"another user", dbNames, `{"email":"b@b.co","name":"B"}`, "", "CONFLICT_EMAIL: The user has another email."},
		{"one bad member refuses all", dbNames, `{"email":"a@b.co","name":"B","nickname":""}`, "", "Payload validation error: 'String is too short (0 chars), minimum 1' on property nickname (Preferred nickname or alias of this user)."},
		{"unknown member", dbNames, `{"email":"a@b.co","locale":"en"}`, "", "Payload validation error: 'Additional properties not allowed: locale'."},
		{"null", dbNames, `{"email":"a@b.co","name":null}`, "", "Payload validation error: 'Expected type string but found type null' on property name (Name of this user)."},
		{"not ours", google, `{"email":"a@b.co"}`, "", "operation_not_supported: Connection must be a database connection."},
	} {
		t.Run(row.about, func(t *testing.T) {
			before := has(user, FromSignup)
			p, changed, err := Upsert(row.c, before, body(row.in), UpsertOptions{}, Source{Origin: FromImport})
			if told(err) != row.refusal {
				t.Fatalf("refusal\n got %s\nwant %s", told(err), row.refusal)
			}
			same(t, before, user)
			if row.refusal != "" {
				same(t, p, user)
				return
			}
			same(t, p, row.want)
			if len(changed) != len(Diff(before, p)) {
				t.Errorf("changed %v", changed)
			}
		})
	}
}

// What the options of ours widen.
func TestUpsertOptions(t *testing.T) {
	const user = `{"email":"a@b.co","email_verified":false,"name":"A","blocked":true,"username":"ada","user_metadata":{"a":1,"b":2},"app_metadata":{"x":1}}`
	all, merge := UpsertOptions{All: true}, UpsertOptions{Merge: true}
	flexible := Connection{Class: Database, Name: "flex", PhoneAllowed: true, Username: UsernameRule{Allowed: true}}
	for _, row := range []struct {
		about   string
		c       Connection
		o       UpsertOptions
		in      string
		want    string
		refusal string
	}{
		{
			"merge: first level, null removes, {} empties", dbNames, merge, `{"email":"a@b.co","user_metadata":{"b":null,"c":{"d":null}},"app_metadata":{}}`,
			`{"email":"a@b.co","email_verified":false,"name":"A","blocked":true,"username":"ada","user_metadata":{"a":1,"c":{"d":null}}}`, "",
		},
		{"merge leaves identifiers", dbNames, merge, `{"email":"a@b.co","username":"bob","blocked":false}`, user, ""},
		{
			"all: username in lower case, blocked, metadata replaced", dbNames, all, `{"email":"A@B.co","username":"BOB","blocked":false,"user_metadata":{"c":3}}`,
			`{"email":"a@b.co","email_verified":false,"name":"A","blocked":false,"username":"bob","user_metadata":{"c":3},"app_metadata":{"x":1}}`, "",
		},
		{
			"all: a new number is unverified", flexible, all, `{"email":"a@b.co","phone_number":"+12025550100"}`,
			`{"email":"a@b.co","email_verified":false,"name":"A","blocked":true,"username":"ada","user_metadata":{"a":1,"b":2},"app_metadata":{"x":1},"phone_number":"+12025550100","phone_verified":false}`, "",
		},
		{
			"all: unless given", flexible, all, `{"email":"a@b.co","phone_number":"+12025550100","phone_verified":true}`,
			`{"email":"a@b.co","email_verified":false,"name":"A","blocked":true,"username":"ada","user_metadata":{"a":1,"b":2},"app_metadata":{"x":1},"phone_number":"+12025550100","phone_verified":true}`, "",
		},
		{"all: a proof without a number", flexible, all, `{"email":"a@b.co","phone_verified":true}`, "", "invalid_body: Cannot set phone_verified for a user without phone_number."},
		{"all: false says nothing", flexible, all, `{"email":"a@b.co","phone_verified":false}`, user, ""},
		{"all: no phones here", dbNames, all, `{"email":"a@b.co","phone_number":"+1"}`, "", "operation_not_supported: Cannot set phone_number for connection without phone numbers."},
		{"all: no usernames here", db, all, `{"email":"a@b.co","username":"bob"}`, "", "invalid_body: Cannot set username for connection without requires_username."},
		{"all: the e-mail stays the key", dbNames, all, `{"email":"b@b.co"}`, "", "CONFLICT_EMAIL: The user has another email."},
	} {
		t.Run(row.about, func(t *testing.T) {
			before := has(user, FromSignup)
			p, changed, err := Upsert(row.c, before, body(row.in), row.o, Source{Origin: FromImport})
			if told(err) != row.refusal {
				t.Fatalf("refusal\n got %s\nwant %s", told(err), row.refusal)
			}
			same(t, before, user)
			if row.refusal != "" {
				same(t, p, user)
				return
			}
			same(t, p, row.want)
			if len(changed) != len(Diff(before, p)) {
				t.Errorf("changed %v", changed)
			}
			again, changed, err := Upsert(row.c, p, body(row.in), row.o, Source{Origin: FromImport, At: 1})
			if err != nil || len(changed) > 0 || !again.Equal(p) {
				t.Errorf("the same row again changes %v, %v", changed, err)
			}
		})
	}
}
