package profile

import (
	"encoding/json"
	"testing"
)

func TestText(t *testing.T) {
	for s, want := range map[string]string{
		"":                    `""`,
		"a<b>&'c":             `"a<b>&'c"`,
		`"\` + "/":            `"\"\\/"`,
		"\b\f\n\r\t\x00\x1f":  `"\b\f\n\r\t\u0000\u001f"`,
		"é\u2028\U0001F600":   "\"é\u2028\U0001F600\"",
		"\x7f":                "\"\x7f\"",
		"not UTF-8: \xff\xc3": "\"not UTF-8: \ufffd\ufffd\"",
	} {
		v := Text(s)
		if string(v) != want {
			t.Errorf("%q is %s, want %s", s, v, want)
		}
		var back string
		if err := json.Unmarshal(v, &back); err != nil || back != TextOf(v) {
			t.Errorf("%s reads as %q and as %q (%v)", v, back, TextOf(v), err)
		}
	}
	for _, v := range []string{``, `"`, `1`, `null`, `{"a":1}`, `"\`} {
		if s := TextOf(Value(v)); s != "" {
			t.Errorf("%s is no text, not %q", v, s)
		}
	}
}

// A Profile is a value: what one holder changes, another does not see.
func TestProfileIsAValue(t *testing.T) {
	p := has(`{"b":1,"a":2,"c":3}`, FromSignup)
	q := p
	src := Source{Origin: FromManagement}
	if !q.Set("b", Value("9"), src) || !q.Set("d", Value("4"), src) || !q.Remove("a") || !q.Set("c", Null, src) {
		t.Error("a change says it was none")
	}
	same(t, p, `{"a":2,"b":1,"c":3}`)
	same(t, q, `{"b":9,"d":4}`)
	if q.Set("b", Value("9"), Source{Origin: FromImport}) || q.Remove("x") {
		t.Error("no change says it was one")
	}
	if a, _ := q.Get("b"); a.Source != src {
		t.Errorf("an equal value took the source %v", a.Source)
	}
}

func TestDiff(t *testing.T) {
	for _, row := range []struct{ a, b, want string }{
		{`{}`, `{}`, ""},
		{`{"a":1,"b":2,"d":4}`, `{"b":3,"c":1,"d":4}`, "a b c"},
		{`{}`, `{"z":1,"y":1}`, "y z"},
		{`{"z":1,"y":1}`, `{}`, "y z"},
	} {
		got := ""
		for i, n := range Diff(has(row.a, ""), has(row.b, "")) {
			if i > 0 {
				got += " "
			}
			got += n
		}
		if got != row.want {
			t.Errorf("%s to %s: %s, want %s", row.a, row.b, got, row.want)
		}
	}
}
