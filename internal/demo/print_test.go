package demo

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestWrapWords(t *testing.T) {
	for _, tc := range []struct {
		in   string
		n    int
		want []string
	}{
		{"", 10, nil},
		{"one", 10, []string{"one"}},
		{"one two three", 7, []string{"one two", "three"}},
		{"  many   blanks ", 20, []string{"many blanks"}},
		{"https://example.com/long a", 8, []string{"https://example.com/long", "a"}},
		{"ééé ééé", 7, []string{"ééé ééé"}},
	} {
		if got := wrapWords(tc.in, tc.n); !slices.Equal(got, tc.want) {
			t.Errorf("wrapWords(%q, %d) = %q, want %q", tc.in, tc.n, got, tc.want)
		}
	}
}

func TestWrapJSON(t *testing.T) {
	for _, tc := range []struct {
		in   string
		n    int
		want []string
	}{
		{`{}`, 40, []string{`{  }`}},
		{`{"a":1}`, 40, []string{`{ "a": 1 }`}},
		{`{"name":"Ann Lee","nickname":null}`, 22, []string{`{ "name": "Ann Lee",`, `  "nickname": null }`}},
		{`[1,2,3]`, 5, []string{`[1,2…`}},
		{`not json at all`, 40, []string{`not json at all`}},
		{`{"a":`, 40, []string{`{"a":`}},
		{`{"long":"` + strings.Repeat("x", 50) + `"}`, 20, []string{`{ "long": "xxxxxx… }`}},
	} {
		if got := wrapJSON([]byte(tc.in), tc.n); !slices.Equal(got, tc.want) {
			t.Errorf("wrapJSON(%s, %d) = %q, want %q", tc.in, tc.n, got, tc.want)
		}
	}
}

// Without colour there is no escape sequence, and columns are aligned.
func TestTable(t *testing.T) {
	var b strings.Builder
	p := &printer{w: &b}
	p.table([]string{"attribute", "was", "is"}, [][]cell{
		{{"name", bold}, {"Zoë", ""}, {"Zoe", green}},
		{{"family_name", bold}, {"–", ""}, {"King", green}},
	})
	out := b.String()
	if strings.Contains(out, "\x1b") {
		t.Errorf("escape sequences in %q", out)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 3 {
		t.Fatalf("%d lines: %q", len(lines), lines)
	}
	column := func(line, word string) int {
		i := strings.Index(line, word)
		if i < 0 {
			t.Fatalf("%q is not in %q", word, line)
		}
		return utf8.RuneCountInString(line[:i])
	}
	indent := strings.Index(out, "attribute")
	if a, b := column(lines[0], "is")+indent, column(lines[1], "Zoe"); a != b {
		t.Errorf("the third column is at %d and at %d:\n%s", a, b, out)
	}
	p.colour = true
	b.Reset()
	p.check(false, "x")
	if !strings.Contains(b.String(), "\x1b[31m✗\x1b[0m") {
		t.Errorf("no colour in %q", b.String())
	}
}
