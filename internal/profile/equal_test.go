package profile

import (
	"encoding/json"
	"reflect"
	"testing"
)

func TestEqual(t *testing.T) {
	for _, row := range []struct {
		a, b string
		want bool
	}{
		{`"a"`, `"a"`, true}, {`"a"`, `"b"`, false}, {`1`, `1.0`, false}, {`1`, `"1"`, false}, {``, `null`, false},
		{`{"a":1,"b":2}`, `{"b":2,"a":1}`, true}, {`{"a":1}`, `{"a":1,"b":2}`, false}, {`{"a":1,"b":2}`, `{"a":1}`, false},
		{`{"a":{"x":[1,{"p":1,"q":2}],"y":2}}`, `{"a":{"y":2,"x":[1,{"q":2,"p":1}]}}`, true},
		{`[1,2]`, `[2,1]`, false}, {`[1,2]`, `[1,2,3]`, false}, {`[]`, `{}`, false}, {`{}`, `{}`, true}, {`{ }`, `{}`, true},
		{`{"a":1,"a":2}`, `{"a":2,"a":1}`, false}, {`{"a":1,"a":2}`, `{"a":2}`, false}, {`{"a":2}`, `{"a":1,"a":2}`, false},
		{`[1, 2]`, `[1,2]`, true}, {`{"\u0061":1}`, `{"a":1}`, true},
	} {
		if got := equal(Value(row.a), Value(row.b)); got != row.want {
			t.Errorf("%s and %s: %v", row.a, row.b, got)
		}
	}
}

// The law: what is equal decodes to the same, and equality has no direction.
func FuzzEqual(f *testing.F) {
	f.Add(`{"a":1,"b":[2]}`, `{"b":[2],"a":1}`)
	f.Add(`{"a":1,"a":2}`, `{"a":2}`)
	f.Fuzz(func(t *testing.T, a, b string) {
		var x, y any
		if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil || a[0] == ' ' || b[0] == ' ' {
			return
		}
		got := equal(Value(a), Value(b))
		if got && !reflect.DeepEqual(x, y) {
			t.Fatalf("%s and %s are not the same", a, b)
		}
		if got != equal(Value(b), Value(a)) {
			t.Fatalf("%s and %s: a direction", a, b)
		}
	})
}
