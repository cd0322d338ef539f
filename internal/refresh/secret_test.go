package refresh

import (
	"strings"
	"testing"
)

func TestSecret(t *testing.T) {
	text, s := New()
	if len(text) != 67 || !strings.HasPrefix(text, "v1.") || s.Family == s.Leaf {
		t.Errorf("%d characters: %+v", len(text), s)
	}
	if got, ok := Parse(text); !ok || got != s {
		t.Errorf("%+v, %v; want %+v", got, ok, s)
	}
	next, n := Successor(text)
	if n.Family != s.Family || n.Leaf == s.Leaf || next == text {
		t.Errorf("successor %+v of %+v", n, s)
	}
	other, o := New()
	if o.Family == s.Family || other == text {
		t.Error("two families are one")
	}
	for _, bad := range []string{"", "x", text + "A", text[:len(text)-1], "v2" + text[2:], text[:10] + "." + text[11:], text[:10] + "\n" + text[11:]} {
		if s, ok := Parse(bad); ok || s != (Secret{}) {
			t.Errorf("%q is read", bad)
		}
	}
}

// The law: what is read has the form of what is made, and one bit more or less is
// another token.
func FuzzParse(f *testing.F) {
	text, _ := New()
	f.Add(text)
	f.Add("v1.")
	f.Add(strings.Repeat("A", 67))
	f.Fuzz(func(t *testing.T, text string) {
		s, ok := Parse(text)
		if ok != (s != Secret{}) {
			t.Fatalf("%q: %+v, %v", text, s, ok)
		}
		if !ok {
			return
		}
		next, n := Successor(text)
		if len(text) != len(next) || n.Family != s.Family || n.Leaf == s.Leaf {
			t.Fatalf("%q: %+v, then %q %+v", text, s, next, n)
		}
		last := text[len(text)-1]
		other := byte('A')
		if last == other {
			other = 'B'
		}
		if o, ok := Parse(text[:len(text)-1] + string(other)); ok && o == s {
			t.Fatal("two texts are one token")
		}
	})
}
