package schema

import (
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"unicode/utf8"
)

// Law: whatever the bytes, Check answers; and a string is accepted exactly when
// encoding/json reads it and a slow reading of the rules finds nothing.
func FuzzCheckText(f *testing.F) {
	for _, s := range []string{`"a"`, `""`, `"\u202e"`, `"a\u0000"`, `"\ud800"`, `"a@b.co"`, `"https://a.example/"`, "\"\xff\"", `{"a":[1,{"b":"c"}]}`, `[`, `"\`, `1e400`, `{"a":}`} {
		f.Add([]byte(s))
	}
	text := Property{Types: String, Min: 1, Max: 5, NoControls: true}
	any := Property{Types: Object | Array, Min: 1, Max: 3, Unique: true, Closed: true, Items: &text, Members: []Property{{Name: "a", Types: Array, Items: &text}}}
	f.Fuzz(func(t *testing.T, v []byte) {
		any.Check("", v)
		for m := range Members(v) {
			m.Name()
		}
		got := len(text.Check("x", v)) == 0
		if want := slowText(v); got != want {
			t.Errorf("%q: Check says %v, the oracle %v", v, got, want)
		}
		for _, format := range []Format{FormatEmail, FormatStrictURI} {
			s, ok := Text(v)
			if ok && format.has(s) && !slowFormat(format, s) {
				t.Errorf("%s accepts %q", format, s)
			}
		}
	})
}

func slowText(v []byte) bool {
	var s string
	if !utf8.Valid(v) || !json.Valid(v) || len(v) == 0 || v[0] != '"' || v[len(v)-1] != '"' || json.Unmarshal(v, &s) != nil {
		return false
	}
	runes := []rune(s)
	if len(runes) < 1 || len(runes) > 5 {
		return false
	}
	seen := false
	for _, r := range runes {
		if r < 0x20 || r >= 0x7F && r < 0xA0 || strings.ContainsRune("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029\ufeff\ufff9\ufffa\ufffb", r) || disturbs(r) {
			return false
		}
		seen = seen || r != ' ' && visible(r)
	}
	return seen
}

// slowFormat are properties that every accepted text has, read off the text.
func slowFormat(f Format, s string) bool {
	if strings.ContainsAny(s, " \t\r\n\x00\"<>\\") {
		return false
	}
	if f == FormatEmail {
		at := strings.IndexByte(s, '@')
		return strings.Count(s, "@") == 1 && at >= 1 && at <= 64 && len(s) <= 254 && strings.Contains(s[at:], ".")
	}
	low := strings.ToLower(s)
	return len(s) <= 2048 && (strings.HasPrefix(low, "http://") || strings.HasPrefix(low, "https://"))
}

// Law: Int agrees with exact arithmetic, and the type of a number with whether
// it is whole.
func FuzzInt(f *testing.F) {
	for _, s := range []string{"0", "-0.0", "1e3", "1.50e1", "9007199254740991", "1e-3", "00", "1e+2", "120e-1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, ok := Int(json.RawMessage(s))
		if !json.Valid([]byte(s)) || s == "" || strings.TrimSpace(s) != s || !strings.ContainsRune("-0123456789", rune(s[0])) {
			if ok {
				t.Errorf("%q is %d", s, n)
			}
			return
		}
		if i := strings.IndexAny(s, "eE"); i >= 0 && len(s)-i > 4 {
			return // exact arithmetic would fill the memory
		}
		r, _ := new(big.Rat).SetString(s)
		want := r.IsInt() && r.Num().CmpAbs(big.NewInt(safeInteger)) <= 0
		if ok != want || ok && r.Num().Int64() != n {
			t.Errorf("%q is %d, %v", s, n, ok)
		}
		if kind, _ := typeOf([]byte(s)); (kind == Integer) != r.IsInt() {
			t.Errorf("%q: type is %v", s, kind)
		}
	})
}
