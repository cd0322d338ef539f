package socialtest

import (
	"embed"
	"encoding/json"
	"io/fs"
	"slices"
	"strings"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"
)

// testdata/<case>/ has:
//
//	provider.json        what the provider insists on, by endpoint (type insists)
//	options.json         further options of the connection; may be missing
//	1/, 2/               what it answers: <endpoint>.json, or .txt for a form;
//	                     id_token.json are the claims of an ID token, user.json is
//	                     what Apple posts with the code
//	golden-1.json        type First
//	golden-2.json        type Second
//
// A case is called after its strategy; variants have a dot and a word behind it.
// In all files {{origin}} is the address of the double, {{client_id}} and {{nonce}}
// what they say, "{{iat}}" and "{{exp}}" (with the quotes) numbers.
//
//go:embed all:testdata
var testdata embed.FS

// Cases are the names of all cases, sorted.
func Cases(t testing.TB) []string {
	t.Helper()
	entries, err := fs.ReadDir(testdata, "testdata")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names
}

// StrategyOf is the strategy of a case.
func StrategyOf(name string) string {
	strategy, _, _ := strings.Cut(name, ".")
	return strategy
}

// Golden profiles.
type (
	// First is what the first login makes with set 1.
	First struct {
		Subject string          `json:"subject"`
		UserID  json.RawMessage `json:"identity_user_id"` // as identities[].user_id shows it
		Profile json.RawMessage `json:"profile"`
	}
	// Second is what the login with set 2 makes of it, by sync mode.
	Second struct {
		EachLogin  json.RawMessage `json:"on_each_login"`
		FirstLogin json.RawMessage `json:"on_first_login"`
		NeverLogin json.RawMessage `json:"never_on_login"`
	}
)

// Golden reads the golden profiles of a case.
func Golden(t testing.TB, name string) (one First, two Second) {
	t.Helper()
	for file, v := range map[string]any{"golden-1.json": &one, "golden-2.json": &two} {
		b, ok := read(name, file)
		if !ok {
			t.Fatalf("%s has no %s; run the test of upstream/social with -update and read what it wrote", name, file)
		}
		if err := jsonv2.Unmarshal(b, v); err != nil {
			t.Fatalf("%s/%s: %v", name, file, err)
		}
	}
	return one, two
}

// HasGolden reports whether the case has its golden profiles.
func HasGolden(name string) bool {
	_, one := read(name, "golden-1.json")
	_, two := read(name, "golden-2.json")
	return one && two
}

func read(name, file string) ([]byte, bool) {
	b, err := testdata.ReadFile("testdata/" + name + "/" + file)
	return b, err == nil
}
