package passwd

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"
)

func TestHashAndVerify(t *testing.T) {
	for _, p := range []string{"", "pässwörd Ω 😀"} {
		stored, err := Hash(p)
		if err != nil {
			t.Fatal(err)
		}
		if ok, rehash := Verify(stored, p); !ok || rehash {
			t.Errorf("%q: %v, rehash %v", p, ok, rehash)
		}
		for _, wrong := range []string{p + "x", " " + p, p + "\x00"} {
			if ok, _ := Verify(stored, wrong); ok {
				t.Errorf("%q passed for %q", wrong, p)
			}
		}
	}
	a, _ := Hash("same")
	b, _ := Hash("same")
	if a == b {
		t.Error("two hashes of one password are equal: no salt")
	}
}

// Passwords that differ only behind byte 72 (security.md 127).
func TestNoTruncation(t *testing.T) {
	long := strings.Repeat("x", 72)
	if _, err := Hash(long + "y"); !errors.Is(err, ErrTooLong) {
		t.Errorf("73 bytes: %v", err)
	}
	stored, err := Hash(long)
	if err != nil {
		t.Fatal(err)
	}
	if ok, _ := Verify(stored, long+"y"); ok {
		t.Error("73 bytes passed for 72")
	}
	prefixed, err := ParseCustom([]byte(`{"algorithm":"bcrypt","hash":{"value":"` + stored + `"},"salt":{"value":"xx"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if ok, _ := Verify(prefixed, long[2:]); !ok {
		t.Error("70 bytes behind a salt of two were refused")
	}
	if ok, _ := Verify(prefixed, long[2:]+"y"); ok {
		t.Error("71 bytes behind a salt of two passed")
	}
}

func TestBcrypt(t *testing.T) {
	for _, c := range []struct {
		name, hash, password string
		ok, rehash           bool
		refused              string // code
	}{
		{"jBCrypt, empty", "$2a$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s.", "", true, true, ""},
		{"jBCrypt, abc", "$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i", "abc", true, true, ""},
		{"crypt(3), 2b", "$2b$06$abcdefghijklmnopqrstuuweFluOTZuQ0Boo1w.y.les8URrwaTdW", "correct horse é", true, true, ""},
		{"crypt(3), 2y", "$2y$06$abcdefghijklmnopqrstuuweFluOTZuQ0Boo1w.y.les8URrwaTdW", "correct horse é", true, true, ""},
		{"wrong", "$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i", "abd", false, false, ""},
		{"empty", "", "", false, false, "FORMAT"},
		{"cost 15", "$2a$15$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i", "abc", false, false, "MAXIMUM"},
		{"cost 31", "$2a$31$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i", "abc", false, false, "MAXIMUM"},
		{"cost 3", "$2a$03$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i", "abc", false, false, "FORMAT"},
		{"cost +6", "$2a$+6$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i", "abc", false, false, "FORMAT"},
		{"2x", "$2x$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i", "abc", false, false, "FORMAT"},
		{"cut", "$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0", "abc", false, false, "FORMAT"},
		{"longer", "$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0ii", "abc", false, false, "FORMAT"},
		{"line break", "$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0\n", "abc", false, false, "FORMAT"},
		{"plain text", "abc", "abc", false, false, "FORMAT"},
	} {
		stored, err := ParseBcrypt(c.hash)
		var r *Refused
		if c.refused == "" && (err != nil || stored != c.hash) || c.refused != "" && (!errors.As(err, &r) || r.Code != c.refused) {
			t.Errorf("%s: ParseBcrypt %q, %v", c.name, stored, err)
		}
		if ok, rehash := Verify(c.hash, c.password); ok != c.ok || rehash != c.rehash {
			t.Errorf("%s: Verify %v, rehash %v", c.name, ok, rehash)
		}
	}
}

// A stronger hash than ours is not replaced by a weaker one.
func TestStrongerIsKept(t *testing.T) {
	stored, err := bcrypt.GenerateFromPassword([]byte("pw"), Cost+1)
	if err != nil {
		t.Fatal(err)
	}
	if ok, rehash := Verify(string(stored), "pw"); !ok || rehash {
		t.Errorf("%v, rehash %v", ok, rehash)
	}
}

// bcrypt repeats password and a NUL over and over: "a" and "a\x00a" are one to it.
func TestNUL(t *testing.T) {
	if _, err := Hash("a\x00a"); !errors.Is(err, ErrNUL) {
		t.Errorf("Hash: %v", err)
	}
	stored, err := Hash("a")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"a\x00a", "a\x00"} {
		if ok, _ := Verify(stored, p); ok {
			t.Errorf("%q passed for a", p)
		}
	}
}

func TestUnreadableNeverVerifies(t *testing.T) {
	for _, stored := range []string{"", "{", "{}", "null", "$2a$", "$", "\x00", `{"algorithm":"md5"}`, strings.Repeat("{", 1<<20)} {
		for _, p := range []string{"", stored, "x"} {
			if ok, _ := Verify(stored, p); ok {
				t.Errorf("%.20q verified %.20q", stored, p)
			}
		}
	}
	if Dummy("") || Dummy("secret") {
		t.Error("Dummy verified")
	}
	if cost, err := bcryptCost(nobody); err != nil || cost != Cost {
		t.Errorf("Dummy's hash has cost %d, %v; ours %d", cost, err, Cost)
	}
}

func FuzzVerify(f *testing.F) {
	f.Add("$2a$04$zVHmKQtGGQob.b/Nc7l9NO8UlrYcW05FiuCj/SxsFO/ZtiN9.mNzy", "x")
	f.Add(`{"algorithm":"md5","hash":{"value":"aea6d98bd4b3b95b5d9d6ef1224309ff","encoding":"hex"}}`, "x")
	f.Fuzz(func(t *testing.T, stored, password string) {
		if strings.Contains(stored, "scrypt") || strings.Contains(stored, "argon") || strings.Contains(stored, "pbkdf2") {
			return // within the ceilings, and still too slow for a fuzzer
		}
		if cost, err := bcryptCost(stored); err == nil && cost > 5 {
			return
		}
		ok, rehash := Verify(stored, password)
		if rehash && !ok {
			t.Fatal("rehash without a match")
		}
		if ok && len(Normalize(password)) > MaxBytes && stored[0] == '$' {
			t.Fatal("a bcrypt form took a password over 72 bytes")
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	stored, err := Hash("secret")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if ok, _ := Verify(stored, "secret"); !ok {
			b.Fatal("refused")
		}
	}
}

func BenchmarkDummy(b *testing.B) {
	for b.Loop() {
		Dummy("secret")
	}
}

func BenchmarkParseCustom(b *testing.B) {
	object := []byte(vectors[0].object)
	for b.Loop() {
		if _, err := ParseCustom(object); err != nil {
			b.Fatal(err)
		}
	}
}
