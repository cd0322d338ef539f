package audit

import (
	"errors"
	"strings"
	"testing"
	"time"

	"mangrove/internal/query"
)

func TestSearch(t *testing.T) {
	at := time.Date(2026, 2, 1, 10, 0, 0, 123_456_000, time.UTC)
	e := &Event{
		ID: Mark(at.UnixMicro()) + "0000000000", At: at.UnixMicro(), Type: "fp", UserID: "auth0|ann", ClientID: "c1",
		Connection: "Users", ConnectionID: "con_1", IP: "203.0.113.9", UserAgent: "curl/8", Description: "Wrong email or password.",
	}
	for q, want := range map[string]bool{
		`*`:                                      true,
		`type:fp`:                                true,
		`type:FP`:                                false,
		`type:(s OR fp)`:                         true,
		`type:fp AND user_id:"auth0|ann"`:        true,
		`type:fp AND NOT user_id:"auth0|ann"`:    false,
		`user_id:auth0*`:                         true,
		`user_id:*|ann`:                          true,
		`user_id:auth0?ann`:                      true,
		`user_id:auth?ann`:                       false,
		`description:"Wrong email or password."`: true,
		`description:Wrong*`:                     true,
		`connection:Users AND connection_id:con_1`: true,
		`ip:203.0.113.9`:                         true,
		`ip:203.0.113.*`:                         true,
		`ip:[203.0.113.0 TO 203.0.113.9]`:        true,
		`ip:{203.0.113.9 TO *}`:                  false,
		`user_agent:curl*`:                       true,
		`log_id:` + e.ID:                         true,
		`_id:` + e.ID:                            true,
		`_exists_:user_id`:                       true,
		`_exists_:date`:                          true,
		`NOT _exists_:connection`:                false,
		`date:[2026-01-01 TO *]`:                 true,
		`date:[2026-02-02 TO *]`:                 false,
		`date:[* TO 2026-02-01]`:                 true,
		`date:[* TO 2026-02-01}`:                 false,
		`date:{2026-02-01 TO *]`:                 false,
		`date:[2026 TO 2026]`:                    true,
		`date:2026-02`:                           true,
		`date:2026-03`:                           false,
		`NOT date:2026-03`:                       true,
		`date:"2026-02-01T10:00:00.123Z"`:        true,
		`date:"2026-02-01T10:00:00.124Z"`:        false,
		`date:{"2026-02-01T10:00:00.123Z" TO *]`: false,
		`date:"2026-02-01T11:00:00+01:00"`:       true,
		`date:["2026-02-01T10:00" TO *]`:         true,
	} {
		n, err := query.Parse(q)
		if err != nil {
			t.Errorf("%s: %v", q, err)
			continue
		}
		s, err := NewSearch(n)
		if err != nil {
			t.Errorf("%s: %v", q, err)
			continue
		}
		if got := find(t, s, e); got != want {
			t.Errorf("%s: %v", q, got)
		}
	}
}

// find asks for e as a whole search does: the span, and what is left of the query.
func find(t *testing.T, s *Search, e *Event) bool {
	t.Helper()
	list, _, err := List(t.Context(), &memory{events: []Event{*e}}, s, Page{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	return len(list) == 1
}

func TestSearchRefusals(t *testing.T) {
	for q, want := range map[string]string{
		`user_email:a`:                 `unknown field "user_email" at position 0`,
		`type:s AND user_email:a`:      `unknown field "user_email" at position 11`,
		`_exists_:user_email`:          `unknown field "user_email" at position 0`,
		`ann`:                          `a term without a field is not supported at position 0`,
		`date:yesterday`:               `"yesterday" is not a date at position 0`,
		`date:2026*`:                   `a date has no wildcards at position 0`,
		`date:[2026-13 TO *]`:          `"2026-13" is not a date at position 0`,
		`NOT date:[* TO tomorrow]`:     `"tomorrow" is not a date at position 4`,
		`_exists_:*`:                   `_exists_ takes the name of a field at position 0`,
		strings.Repeat("ä", 60) + `:a`: `unknown field "` + strings.Repeat("ä", 32) + `…" at position 0`,
	} {
		n, err := query.Parse(q)
		if err != nil {
			if q == `_exists_:*` {
				continue // refused as syntax
			}
			t.Errorf("%s: %v", q, err)
			continue
		}
		_, err = NewSearch(n)
		var e *query.Error
		if !errors.As(err, &e) || e.Error() != want {
			t.Errorf("%s: %v", q, err)
		}
	}
}

func TestMatches(t *testing.T) {
	pattern := func(s string) []rune {
		var out []rune
		for _, c := range s {
			switch c {
			case '*':
				c = anyMany
			case '?':
				c = anyOne
			}
			out = append(out, c)
		}
		return out
	}
	for _, row := range []struct {
		pattern, text string
		want          bool
	}{
		{"", "", true}, {"", "a", false}, {"*", "", true}, {"*", "abc", true}, {"?", "", false}, {"?", "ä", true}, {"?", "ab", false},
		{"a*", "a", true}, {"a*", "ba", false}, {"*a", "ba", true}, {"*a", "ab", false}, {"*a*", "bab", true}, {"a*b*c", "aXbXbXc", true},
		{"a*b*c", "aXbXbX", false}, {"*aab", "aaab", true}, {"a?c", "abc", true}, {"a?*c", "ac", false}, {"a?*c", "abc", true},
		{"*ab?d*", "abcababd", false}, {"*ab?d*", "ababcd", true}, {"**", "x", true},
	} {
		if got := matches(pattern(row.pattern), []rune(row.text)); got != row.want {
			t.Errorf("%s on %s: %v", row.pattern, row.text, got)
		}
	}
	// Stars that all might take more: the cost stays a product.
	if matches(pattern(strings.Repeat("a*", 500)+"b"), []rune(strings.Repeat("a", 5000))) {
		t.Error("found a b")
	}
}

// FuzzSearch: whatever parses either has a meaning or is refused with a place
// within the query, and what the span leaves to be asked agrees with asking all.
func FuzzSearch(f *testing.F) {
	for _, q := range []string{
		`type:fp AND user_id:"auth0|ann"`, `date:[2026-01-01 TO *] AND NOT type:s`, `ip:1.2.3.* OR (_exists_:user_id -type:s)`,
		`date:2026 AND date:{2026-02 TO 2027]`, `ann`, `*`, ``, `client_name:x`,
	} {
		f.Add(q)
	}
	events := []*Event{
		{ID: Mark(1), At: 1}, {ID: Mark(1_769_940_000_123_456), At: 1_769_940_000_123_456, Type: "fp", UserID: "auth0|ann", IP: "1.2.3.4"},
		{ID: Mark(1_800_000_000_000_000), At: 1_800_000_000_000_000, Type: "s", ClientID: "c", Connection: "Users"},
	}
	f.Fuzz(func(t *testing.T, q string) {
		n, err := query.Parse(q)
		if err != nil {
			return
		}
		s, err := NewSearch(n)
		if err != nil {
			var e *query.Error
			if !errors.As(err, &e) || e.At < 0 || e.At > len(q) {
				t.Fatalf("%s: %v", q, err)
			}
			return
		}
		all, err := compile(n)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if got := find(t, s, e); got != all(e) {
				t.Errorf("%s: found %v, matches %v", q, got, !got)
			}
		}
	})
}
