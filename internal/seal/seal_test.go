package seal

import (
	"bytes"
	"errors"
	"testing"
)

func key(b byte) []byte { return bytes.Repeat([]byte{b}, KeySize) }

func box(t testing.TB, keys ...[]byte) *Box {
	t.Helper()
	b, err := New(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestNewRefusesBadKeys(t *testing.T) {
	for name, keys := range map[string][][]byte{
		"none":       {},
		"short":      {make([]byte, 16)},
		"long":       {make([]byte, 33)},
		"second bad": {key(1), nil},
	} {
		if _, err := New(keys...); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := New(key(1), key(2)); err != nil {
		t.Errorf("two good keys refused: %v", err)
	}
}

func TestOpen(t *testing.T) {
	plain, place := []byte("canary"), "clients/a"
	old := box(t, key(1))
	sealed := old.Seal(plain, place)
	changed := bytes.Clone(sealed)
	changed[len(changed)-1] ^= 1
	otherID := bytes.Clone(sealed)
	otherID[1] ^= 1
	for name, c := range map[string]struct {
		box    *Box
		sealed []byte
		place  string
		opens  bool
	}{
		"same key":                  {old, sealed, place, true},
		"key moved to second place": {box(t, key(2), key(1)), sealed, place, true},
		"key gone":                  {box(t, key(2)), sealed, place, false},
		"another row":               {old, sealed, "clients/b", false},
		"changed":                   {old, changed, place, false},
		"key id changed":            {old, otherID, place, false},
		"cut":                       {old, sealed[:headSize+3], place, false},
		"not sealed at all":         {old, []byte(`{"client_secret":"plain text that is long enough"}`), place, false},
	} {
		got, err := c.box.Open(c.sealed, c.place)
		switch {
		case c.opens && (err != nil || !bytes.Equal(got, plain)):
			t.Errorf("%s: got %q, %v", name, got, err)
		case !c.opens && (!errors.Is(err, ErrSealed) || got != nil):
			t.Errorf("%s: opened: %q, %v", name, got, err)
		}
	}
}

func TestSealHidesAndVaries(t *testing.T) {
	b := box(t, key(7))
	plain := []byte("a secret that must not be read")
	one, two := b.Seal(plain, "p"), b.Seal(plain, "p")
	if bytes.Contains(one, plain[:8]) {
		t.Error("the plain text shows")
	}
	if bytes.Equal(one, two) {
		t.Error("two seals of one value are equal: the nonce repeats")
	}
}

func TestEmptyStaysEmpty(t *testing.T) {
	b := box(t, key(7))
	if got := b.Seal(nil, "p"); len(got) != 0 {
		t.Errorf("sealed nothing into %d bytes", len(got))
	}
	if got, err := b.Open(nil, "p"); err != nil || len(got) != 0 {
		t.Errorf("opened nothing into %q, %v", got, err)
	}
}

// Whatever bytes are stored: Open never panics, and what Seal wrote comes back.
func FuzzOpen(f *testing.F) {
	b, err := New(key(3))
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("x"), "place")
	f.Add(b.Seal([]byte("x"), "place"), "place")
	f.Fuzz(func(t *testing.T, data []byte, place string) {
		if plain, err := b.Open(data, place); err == nil && len(data) > 0 && len(data) != len(plain)+headSize+tagSize {
			t.Fatalf("opened %d bytes into %d", len(data), len(plain))
		}
		got, err := b.Open(b.Seal(data, place), place)
		if err != nil || !bytes.Equal(got, data) {
			t.Fatalf("round trip of %x: %x, %v", data, got, err)
		}
	})
}
