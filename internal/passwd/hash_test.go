package passwd

import (
	"errors"
	"strings"
	"testing"
)

// What was good elsewhere counts with every byte of it, whatever its length.
func TestHashAny(t *testing.T) {
	for _, password := range []string{"short", strings.Repeat("x", 72), strings.Repeat("x", 73), strings.Repeat("long ", 100)} {
		stored, err := HashAny(password)
		if err != nil {
			t.Fatal(err)
		}
		if ok, _ := Verify(stored, password); !ok {
			t.Errorf("%d bytes: does not verify", len(password))
		}
		if ok, _ := Verify(stored, password[:len(password)-1]+"?"); ok {
			t.Errorf("%d bytes: verifies with another end", len(password))
		}
	}
	for password, want := range map[string]error{
		"with a \x00 in it": ErrNUL, strings.Repeat("x", maxPassword+1): ErrTooLong, "\x00" + strings.Repeat("x", 100): ErrTooLong,
	} {
		if stored, err := HashAny(password); !errors.Is(err, want) {
			t.Errorf("%.20q: %q, %v", password, stored, err)
		}
	}
}
