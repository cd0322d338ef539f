package passwd

import (
	"encoding/json"
	"strings"
	"testing"
)

// parseExported reads what Export wrote, as an import does.
func parseExported(t *testing.T, member string, value json.RawMessage) string {
	t.Helper()
	var stored string
	var err error
	switch member {
	case "password_hash":
		var hash string
		if err := json.Unmarshal(value, &hash); err != nil {
			t.Fatal(err)
		}
		stored, err = ParseBcrypt(hash)
	case "custom_password_hash":
		stored, err = ParseCustom(value)
	default:
		t.Fatalf("member %q", member)
	}
	if err != nil {
		t.Fatalf("%s does not come back: %v", value, err)
	}
	return stored
}

// The law: what is stored comes back as it was, whatever its format.
func TestExport(t *testing.T) {
	ours, err := Hash("correct horse")
	if err != nil {
		t.Fatal(err)
	}
	for _, stored := range []string{
		ours, nobody, "$2b$06$abcdefghijklmnopqrstuuweFluOTZuQ0Boo1w.y.les8URrwaTdW", "$2y$06$abcdefghijklmnopqrstuuweFluOTZuQ0Boo1w.y.les8URrwaTdW",
	} {
		member, value := Export(stored)
		if got := parseExported(t, member, value); member != "password_hash" || got != stored {
			t.Errorf("%s: %s %s came back as %s", stored, member, value, got)
		}
	}
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			stored, err := ParseCustom([]byte(v.object))
			if err != nil {
				t.Fatal(err)
			}
			member, value := Export(stored)
			if got := parseExported(t, member, value); member != "custom_password_hash" || got != stored {
				t.Errorf("%s: %s came back as %s", stored, value, got)
			}
		})
	}
	if member, value := Export(""); member != "" || value != nil {
		t.Errorf("no hash: %s %s", member, value)
	}
}

func FuzzExport(f *testing.F) {
	for _, v := range vectors {
		f.Add([]byte(v.object))
	}
	f.Add([]byte(`{"algorithm":"md5","hash":{"value":"C60x1E94RO8oCCVB1/dbnw==","encoding":"base64"},"salt":{"value":"<&>\u2028\""}}`))
	f.Add([]byte(strings.Repeat("{", 10)))
	f.Fuzz(func(t *testing.T, object []byte) {
		stored, err := ParseCustom(object)
		if err != nil {
			return
		}
		member, value := Export(stored)
		if got := parseExported(t, member, value); got != stored {
			t.Fatalf("%s came back as %s", stored, got)
		}
	})
}
