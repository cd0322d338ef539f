package profile

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"mangrove/internal/schema"
)

func TestKept(t *testing.T) {
	for _, row := range []struct{ raw, want string }{
		{``, ``},
		{`{}`, `{}`},
		{`{"name":"A", "n": 1.10}`, `{"name":"A", "n": 1.10}`},
		{`{"ssn":"1","name":"A","plan":{"ssn":"2"},"n": 1.10}`, `{"name":"A","plan":{"ssn":"2"},"n":1.10}`},
		{`{"ssn":"1"}`, `{}`},
		{`{"a\"b":1,"hetu":[1,2]}`, `{"a\"b":1}`},
		{`{"s\u0073n":"1"}`, `{}`}, // another spelling of the same name
		{`{"http://schemas.example/claims/ssn":"1","http://ssn/x":2}`, `{"http://ssn/x":2}`},
	} {
		if got := string(Kept(Value(row.raw), []string{"ssn", "hetu"})); got != row.want {
			t.Errorf("%s: %s, want %s", row.raw, got, row.want)
		}
	}
	if raw := Value(`{"ssn":"1"}`); string(Kept(raw, nil)) != string(raw) {
		t.Error("without a list something went")
	}
}

// The law: what is kept is an object with every member but the denied ones, in
// their order and with their values.
func FuzzKept(f *testing.F) {
	f.Add(`{"a":1,"b":{"a":2},"c":[]}`, "a")
	f.Add(`{"x\u0061":null}`, "xa")
	f.Fuzz(func(t *testing.T, raw, deny string) {
		if !json.Valid([]byte(raw)) || raw[0] != '{' {
			return
		}
		var want []string
		for m := range schema.Members(json.RawMessage(raw)) {
			if name := m.Name(); name != deny && name[strings.LastIndexByte(name, '/')+1:] != deny {
				want = append(want, m.Name()+"="+string(m.Value))
			}
		}
		kept := Kept(Value(raw), []string{deny})
		if !json.Valid(kept) {
			t.Fatalf("%s became %s", raw, kept)
		}
		var got []string
		for m := range schema.Members(kept) {
			got = append(got, m.Name()+"="+string(m.Value))
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%q became %q", want, got)
		}
	})
}
