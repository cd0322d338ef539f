package op

import "testing"

func TestReturnTo(t *testing.T) {
	list := []string{"https://*.wild.example.test/", "https://app.example.test/bye?x=1", "javascript:alert(1)", "//evil.test"}
	for _, row := range []struct {
		name  string
		wish  string
		first bool
		want  string
		ok    bool
	}{
		{"listed", "https://app.example.test/bye?x=1", true, "https://app.example.test/bye?x=1", true},
		{"wildcard", "https://a.wild.example.test/", true, "https://a.wild.example.test/", true},
		{"no wish", "", true, "https://app.example.test/bye?x=1", true},
		{"no wish, no client", "", false, "", true},
		{"other query", "https://app.example.test/bye", true, "", false},
		{"longer", "https://app.example.test/bye?x=1&y", true, "", false},
		{"prefix of a listed one", "https://app.example.test/", true, "", false},
		{"other host", "https://app.example.test.evil.test/bye?x=1", true, "", false},
		{"relative to the scheme, though listed", "//evil.test", true, "", false},
		{"script, though listed", "javascript:alert(1)", true, "", false},
		{"line break", "https://app.example.test/bye?x=1\r\nA: b", true, "", false},
	} {
		got, err := returnTo(list, row.wish, row.first)
		if got != row.want || (err == nil) != row.ok {
			t.Errorf("%s: %q, %v", row.name, got, err)
		}
	}
	if got, err := returnTo(nil, "", true); got != "" || err != nil {
		t.Errorf("nothing listed: %q, %v", got, err)
	}
}
