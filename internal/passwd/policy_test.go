package passwd

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/trustelem/zxcvbn/frequency"
	"golang.org/x/crypto/bcrypt"
)

func TestPolicy(t *testing.T) {
	flexible := Complexity{MinLength: 8, Types: []string{"uppercase", "number"}, Identical: true, Sequential: true}
	for _, c := range []struct {
		name     string
		policy   Policy
		password string
		personal []string
		fails    string // codes of the rules not kept, or the name of the error
	}{
		{"none, empty", Policy{Level: "none"}, "", nil, "nonEmpty"},
		{"none, one letter", Policy{Level: "none"}, "a", nil, ""},
		{"none with a length", Policy{Level: "none", MinLength: 3}, "ab", nil, "lengthAtLeast"},
		{"low, five", Policy{Level: "low"}, "abcde", nil, "lengthAtLeast"},
		{"low, six", Policy{Level: "low"}, "abcdef", nil, ""},
		{"UTF-16 units count", Policy{Level: "low"}, "😀😀😀", nil, ""},
		{"UTF-16 units, five", Policy{Level: "low"}, "😀😀a", nil, "lengthAtLeast"},
		{"fair", Policy{Level: "fair"}, "Abcdefg1", nil, ""},
		{"fair, no digit", Policy{Level: "fair"}, "Abcdefg!", nil, "shouldContain"},
		{"fair, no upper", Policy{Level: "fair"}, "abcdefg1", nil, "shouldContain"},
		{"good is the default", Policy{}, "abcdefgh", nil, "containsAtLeast"},
		{"good, three of four", Policy{Level: "good"}, "abcdef1!", nil, ""},
		{"good, both", Policy{Level: "good"}, "abc", nil, "lengthAtLeast containsAtLeast"},
		{"unknown level is good", Policy{Level: "superb"}, "abcdefgh", nil, "containsAtLeast"},
		{"blank is special", Policy{Level: "good"}, "abcdef 1", nil, ""},
		{"umlaut is no kind", Policy{Level: "good"}, "abcdefÄ1", nil, "containsAtLeast"},
		{"length override", Policy{Level: "good", MinLength: 12}, "abcdef1!xyz", nil, "lengthAtLeast"},
		{"excellent", Policy{Level: "excellent"}, "abcdefgh1!", nil, ""},
		{"excellent, two in a row", Policy{Level: "excellent"}, "aabbccdd1!", nil, ""},
		{"excellent, three in a row", Policy{Level: "excellent"}, "aaabcdef1!", nil, "identicalChars"},
		{"72 bytes", Policy{Level: "none"}, strings.Repeat("é", 36), nil, ""},
		{"73 bytes", Policy{Level: "none"}, strings.Repeat("é", 36) + "x", nil, "maxLength"},
		{"73 bytes, cut allowed", Policy{Options: &Complexity{MinLength: 1, Truncate: true}}, strings.Repeat("x", 73), nil, "maxLength"},

		{"NUL", Policy{Level: "low"}, "abcdef\x00", nil, "noNUL"},

		{"flexible", Policy{Options: &flexible}, "Xy7Xy7Xy", nil, ""},
		{"flexible, types", Policy{Options: &flexible}, "xyxyxyxy", nil, "shouldContain"},
		{"flexible, identical", Policy{Options: &flexible}, "XXX7xyxy", nil, "identicalChars"},
		{"flexible, rising", Policy{Options: &flexible}, "Xy7xaBcy", nil, "sequentialChars"},
		{"flexible, falling", Policy{Options: &flexible}, "Xyx987yx", nil, "sequentialChars"},
		{"flexible, no sequence across kinds", Policy{Options: &flexible}, "Xy9:;Xy7", nil, ""},
		{"flexible, default length", Policy{Options: &Complexity{}}, strings.Repeat("x", 14), nil, "lengthAtLeast"},
		{"flexible, three of four", Policy{Options: &Complexity{MinLength: 3, ThreeOf4: true}}, "aB", nil, "lengthAtLeast containsAtLeast"},

		{"dictionary off", Policy{Level: "low"}, "password", nil, ""},
		{"dictionary", Policy{Level: "low", Dictionary: true}, "PassWord", nil, "PasswordDictionaryError"},
		{"dictionary, whole match only", Policy{Level: "low", Dictionary: true}, "password-of-mine", nil, ""},
		{"dictionary, own word", Policy{Level: "low", Dictionary: true, Custom: []string{"Acme-Corp"}}, "aCME-corp", nil, "PasswordDictionaryError"},
		{"own words need the switch", Policy{Level: "low", Custom: []string{"Acme-Corp"}}, "aCME-corp", nil, ""},
		{"strength first", Policy{Level: "good", Dictionary: true}, "password", nil, "containsAtLeast"},

		{"personal off", Policy{Level: "low"}, "xx-ann.lee-xx", []string{"Ann.Lee"}, ""},
		{"personal", Policy{Level: "low", Personal: true}, "xx-ann.lee-xx", []string{"", "Ann.Lee"}, "PasswordNoUserInfoError"},
		{"personal, other", Policy{Level: "low", Personal: true}, "xx-bob-xx", []string{"Ann.Lee"}, ""},
		{"initials do not count", Policy{Level: "low", Personal: true}, "xxaxbxcxx", []string{"a", "bx", " "}, ""},
	} {
		err := c.policy.Check(c.password, c.personal)
		got := ""
		var w *Weak
		if errors.As(err, &w) {
			got = w.Name
			if rules, ok := w.Description.(Rules); ok {
				var codes []string
				for _, r := range rules.Rules {
					if !r.Verified {
						codes = append(codes, r.Code)
					}
				}
				got = strings.Join(codes, " ")
			}
		}
		if got != c.fails {
			t.Errorf("%s: %q, want %q (%v)", c.name, got, c.fails, err)
		}
	}
}

// The answer of reference/authentication.md §5.2.
func TestStrengthErrorOnTheWire(t *testing.T) {
	err := Policy{Level: "good"}.Check("abc1", nil)
	var w *Weak
	if !errors.As(err, &w) {
		t.Fatal(err)
	}
	if w.Error() != "PasswordStrengthError: Password is too weak" {
		t.Error(w.Error())
	}
	got, err := json.Marshal(w.Description)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"rules":[` +
		`{"message":"At least %d characters in length","format":[8],"code":"lengthAtLeast","verified":false},` +
		`{"message":"Contain at least %d of the following %d types of characters:","format":[3,4],"code":"containsAtLeast","items":[` +
		`{"message":"lower case letters (a-z)","code":"lowerCase","verified":true},` +
		`{"message":"upper case letters (A-Z)","code":"upperCase","verified":false},` +
		`{"message":"numbers (i.e. 0-9)","code":"numbers","verified":true},` +
		`{"message":"special characters (e.g. !@#$%^\u0026*)","code":"specialCharacters","verified":false}],"verified":false}` +
		`],"verified":false}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	text := "* At least 8 characters in length\n* Contain at least 3 of the following 4 types of characters:\n * lower case letters (a-z)\n * upper case letters (A-Z)\n * numbers (i.e. 0-9)\n * special characters (e.g. !@#$%^&*)"
	if w.Policy != text || (Policy{Level: "good"}).Text() != text {
		t.Errorf("policy text %q", w.Policy)
	}
	identical := `* No more than 2 identical characters in a row (e.g., "aaa" not allowed)`
	if text := (Policy{Level: "excellent"}).Text(); !strings.HasSuffix(text, identical) {
		t.Errorf("policy text of excellent: %q", text)
	}
}

func TestCommonPasswords(t *testing.T) {
	for _, row := range []struct {
		password string
		limit    int
		custom   []string
		want     bool
	}{
		{"123456", usualWords, nil, true},
		{"password", usualWords, nil, true},
		{"ILoveYou", usualWords, nil, true},
		{"acme", usualWords, []string{"ACME"}, true},
		{"acme1", usualWords, []string{"ACME"}, false},
		{"", usualWords, nil, false},
		{"correct horse battery staple", manyWords, nil, false},
		{"kT9#vmLq", manyWords, nil, false},
		{frequency.FrequencyLists["passwords"][9_999], usualWords, nil, true},
		{frequency.FrequencyLists["passwords"][10_000], usualWords, nil, false},
		{frequency.FrequencyLists["passwords"][10_000], manyWords, nil, true},
	} {
		if got := inDictionary(row.password, row.limit, row.custom); got != row.want {
			t.Errorf("%q among %d: %v", row.password, row.limit, got)
		}
	}
	for word := range common() {
		if word != strings.ToLower(word) {
			t.Errorf("%q is not in lower case", word)
		}
	}
}

// One password, however its letters are put together.
func TestNormalForm(t *testing.T) {
	composed, decomposed, wide := "caf\u00e9 noir 1", "cafe\u0301 noir 1", "\uff43af\u00e9 noir 1"
	for _, set := range []string{composed, decomposed, wide} {
		stored, err := Hash(set)
		if err != nil {
			t.Fatal(err)
		}
		for _, typed := range []string{composed, decomposed, wide} {
			if ok, rehash := Verify(stored, typed); !ok || rehash {
				t.Errorf("%q for %q: %v, rehash %v", typed, set, ok, rehash)
			}
		}
		if ok, _ := Verify(stored, "cafe noir 1"); ok {
			t.Errorf("another letter passed for %q", set)
		}
	}
	// A hash from elsewhere, of the bytes as they were; it gets the normal form.
	foreign, err := bcrypt.GenerateFromPassword([]byte(decomposed), Cost)
	if err != nil {
		t.Fatal(err)
	}
	if ok, rehash := Verify(string(foreign), decomposed); !ok || !rehash {
		t.Errorf("as received: %v, rehash %v", ok, rehash)
	}
	if err := (Policy{Level: "low", Dictionary: true}).Check("\uff50assword", nil); err == nil {
		t.Error("wide letters got a frequent password past the dictionary")
	}
	if err := (Policy{Level: "low", Personal: true}).Check("xcafe\u0301x", []string{"Caf\u00c9"}); err == nil {
		t.Error("another spelling got a personal word past the rule")
	}
}

// Nothing is cut off: what differs behind byte 72 differs (security.md 127).
func TestLongPasswords(t *testing.T) {
	for _, n := range []int{72, 73, 128, 200} {
		p := strings.Repeat("a", n-1)
		_, err := Hash(p + "1")
		if (err == nil) != (n <= MaxBytes) {
			t.Errorf("%d bytes: %v", n, err)
		}
		for _, truncate := range []bool{false, true} {
			refused := (Policy{Options: &Complexity{MinLength: 1, Truncate: truncate}}).Check(p+"1", nil)
			if (refused == nil) != (n <= MaxBytes) {
				t.Errorf("%d bytes, truncate %v: %v", n, truncate, refused)
			}
		}
	}
	stored, err := Hash(strings.Repeat("a", 71) + "1")
	if err != nil {
		t.Fatal(err)
	}
	if ok, _ := Verify(stored, strings.Repeat("a", 71)+"12"); ok {
		t.Error("a longer password passed")
	}
}
