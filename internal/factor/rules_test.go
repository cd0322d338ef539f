package factor

import (
	"bytes"
	"image/png"
	"strings"
	"testing"

	"github.com/pquerna/otp/hotp"
)

func TestMatchingStep(t *testing.T) {
	const seed = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" // of RFC 6238
	at := func(seconds int64) string {
		code, err := hotp.GenerateCode(seed, uint64(seconds/period))
		if err != nil {
			t.Fatal(err)
		}
		return code
	}
	if got := at(59); got != "287082" {
		t.Fatalf("the code of RFC 6238 is %s", got)
	}
	for _, row := range []struct {
		name string
		code string
		now  int64
		step int64
		ok   bool
	}{
		{"this step", at(59), 59, 1, true},
		{"its first second", at(30), 30, 1, true},
		{"one step early", at(60), 59, 2, true},
		{"one step late", at(29), 59, 0, true},
		{"two steps early", at(90), 59, 0, false},
		{"two steps late", at(0), 60, 0, false},
		{"empty", "", 59, 0, false},
		{"another", "000000", 59, 0, false},
	} {
		if step, ok := matchingStep(seed, row.code, row.now); step != row.step || ok != row.ok {
			t.Errorf("%s: %d %t", row.name, step, ok)
		}
	}
	if _, ok := matchingStep("not base32!", "287082", 59); ok {
		t.Error("a seed that is none matches")
	}
}

func TestTypedCode(t *testing.T) {
	for in, want := range map[string]string{
		"123456": "123456", "123 456": "123456", " 123-456 ": "123456", "12345": "", "1234567": "", "12345a": "", "": "", "１２３４５６": "",
	} {
		if got, ok := typedCode(in); got != want || ok != (want != "") {
			t.Errorf("%q: %q %t", in, got, ok)
		}
	}
}

func TestRecoveryCode(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		code := NewRecoveryCode()
		if got, ok := typedRecovery(strings.ToLower(code[:12]) + " - " + code[12:]); !ok || got != code || seen[code] {
			t.Fatalf("%s is typed as %s %t", code, got, ok)
		}
		seen[code] = true
	}
	for _, bad := range []string{"", "ABC", strings.Repeat("A", 25), strings.Repeat("A", 23) + "!", strings.Repeat(" ", 200)} {
		if _, ok := typedRecovery(bad); ok {
			t.Errorf("%q passes", bad)
		}
	}
}

func TestNewCode(t *testing.T) {
	for range 200 {
		if c := newCode(); len(c) != 6 {
			t.Fatalf("%q", c)
		} else if _, ok := typedCode(c); !ok {
			t.Fatalf("%q", c)
		}
	}
}

func TestSeedURI(t *testing.T) {
	const want = "otpauth://totp/My%20House:ann@example.com?secret=ABC&issuer=My+House&algorithm=SHA1&digits=6&period=30"
	uri := SeedURI("ABC", "My House", "ann@example.com")
	if uri != want {
		t.Errorf("%s", uri)
	}
	b, err := QRCode(uri)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := png.Decode(bytes.NewReader(b)); err != nil {
		t.Fatal(err)
	}
	if !ValidSeed(NewSeed()) || ValidSeed("ABCDEFGHIJKLMNO1") || ValidSeed("ABC") || ValidSeed(strings.Repeat("A", 257)) {
		t.Error("seeds")
	}
}

func TestAdmit(t *testing.T) {
	const start = 1_000_000_000_000
	full, now := int64(0), int64(start)
	for i := range burst {
		var ok bool
		if full, ok = Admit(full, now); !ok {
			t.Fatalf("try %d is refused", i+1)
		}
	}
	for _, row := range []struct {
		after int64
		ok    bool
	}{{0, false}, {comesBack - 1, false}, {comesBack, true}, {comesBack, false}, {2*comesBack - 1, false}, {2 * comesBack, true}} {
		next, ok := Admit(full, start+row.after)
		if ok != row.ok {
			t.Errorf("after %d: %t", row.after, ok)
		}
		if ok {
			full = next
		}
	}
	if next, ok := Admit(full, start+100*comesBack); !ok || next != start+101*comesBack {
		t.Errorf("a full bucket: %d %t", next, ok)
	}
}

func TestKinds(t *testing.T) {
	for k, want := range map[Kind][3]bool{ // second, key, out of band
		TOTP: {true, false, false}, Phone: {true, false, true}, Email: {true, false, true}, Roaming: {true, true, false},
		Platform: {true, true, false}, Passkey: {false, true, false}, Recovery: {false, false, false}, "": {false, false, false},
	} {
		if got := [3]bool{k.Second(), k.Key(), k.OutOfBand()}; got != want {
			t.Errorf("%s: %v", k, got)
		}
	}
}

// TestAsked: what waits to be confirmed is asked for only while there is nothing
// else, so that a stranger's enrollment never stands beside the owner's.
func TestAsked(t *testing.T) {
	own := Factor{Device: "own", Kind: TOTP, Confirmed: true}
	waiting := Factor{Device: "waiting", Kind: TOTP}
	for _, row := range []struct {
		name string
		all  []Factor
		want string
	}{
		{"none", nil, ""},
		{"confirmed", []Factor{own}, "own"},
		{"waiting", []Factor{waiting}, "waiting"},
		{"both", []Factor{waiting, own}, "own"},
		{"beside another kind", []Factor{waiting, {Device: "mail", Kind: Email, Confirmed: true}}, ""},
		{"beside a passkey", []Factor{waiting, {Device: "key", Kind: Passkey, Confirmed: true}}, "waiting"},
	} {
		got := ""
		for _, f := range asked(row.all, func(k Kind) bool { return k == TOTP }) {
			got += f.Device
		}
		if got != row.want {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
	}
}
