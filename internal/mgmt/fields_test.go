package mgmt

import (
	"encoding/json"
	"testing"
)

func TestFields(t *testing.T) {
	const object = `{"user_id":"auth0|1","email":"a@example.com","n":1.50,"identities":[{"a":{"b":[]}}],"user_metadata":{}}`
	for _, row := range []struct {
		raw, want, wrong string
	}{
		{"", object, ""},
		{"fields=", object, ""},
		{"include_fields=false", object, ""},
		{"fields=email", `{"email":"a@example.com"}`, ""},
		{"fields=identities,user_id", `{"user_id":"auth0|1","identities":[{"a":{"b":[]}}]}`, ""},
		{"fields=email,%20name", `{"email":"a@example.com"}`, ""},
		{"fields=name", `{}`, ""},
		{"fields=email,identities&include_fields=false", `{"user_id":"auth0|1","n":1.50,"user_metadata":{}}`, ""},
		{"fields=,", "", "Query validation error: 'String ',' does not match pattern. Must be a comma separated list of the following values: phone_number,email,email_verified,"},
		{"fields=,,,", "", "does not match pattern"},
		{"fields=email,", "", "does not match pattern"},
		{"fields=password_hash", "", "String 'password_hash' does not match pattern"},
		{"fields=email&fields=name", "", "found type array' on property fields"},
		{"fields=email&include_fields=1", "", "on property include_fields"},
	} {
		t.Run(row.raw, func(t *testing.T) {
			q := queryFrom(row.raw)
			f := q.fields(userFields)
			refused(t, q.err(), "invalid_query_string", row.wrong)
			if row.wrong != "" {
				return
			}
			got, err := f.apply([]byte(object))
			if err != nil || string(got) != row.want {
				t.Errorf("got %s, %v; want %s", got, err, row.want)
			}
		})
	}
}

// The law: a projection and its complement are JSON objects that share no
// member and have all members between them.
func FuzzFields(f *testing.F) {
	f.Add(`{"a":1,"b":{"c":[]}}`, "a")
	f.Add(`{}`, "a,b")
	f.Add(`{"\u0061":1,"é":"x"}`, "a,é")
	f.Fuzz(func(t *testing.T, object, names string) {
		var all map[string]json.RawMessage
		if json.Unmarshal([]byte(object), &all) != nil || all == nil {
			return
		}
		q := &query{values: map[string][]string{"fields": {names}}}
		only := q.fields(nil)
		if q.err() != nil || only.none() {
			return
		}
		rest := fields{names: only.names, exclude: true}
		a, errA := only.apply([]byte(object))
		b, errB := rest.apply([]byte(object))
		if errA != nil || errB != nil {
			return // what encoding/json forgives and jsontext does not: never ours
		}
		var left, right map[string]json.RawMessage
		if json.Unmarshal(a, &left) != nil || json.Unmarshal(b, &right) != nil {
			t.Fatalf("%s and %s are not JSON", a, b)
		}
		if len(left)+len(right) != len(all) {
			t.Fatalf("%s: %s and %s", object, a, b)
		}
	})
}
