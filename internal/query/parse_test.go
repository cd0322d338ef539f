package query

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

// The canonical spelling has every operator and every parenthesis that counts,
// so it tells what a query was taken for.
func TestParse(t *testing.T) {
	for _, c := range []struct{ name, q, want string }{
		{"nothing", ``, `*:*`},
		{"blanks", " \t\r\n\u3000", `*:*`},
		{"star", `*`, `*:*`},
		{"stars", `**`, `*:*`},
		{"star of star", `*:*`, `*:*`},
		{"everybody but", `* AND NOT blocked:true`, `*:* AND NOT blocked:"true"`},

		{"exact, quoted", `name:"jane smith"`, `name:"jane smith"`},
		{"exact, escaped blank", `name:jane\ smith`, `name:"jane smith"`},
		{"unescaped blank", `name:John Doe`, `name:"John" OR "Doe"`},
		{"a bar is text", `user_id:auth0|123`, `user_id:"auth0|123"`},
		{"two bars within a word are text", `user_id:samlp||x`, `user_id:"samlp||x"`},
		{"an address", `email:ann+tag@exa-mple.com`, `email:"ann+tag@exa-mple.com"`},
		{"single signs are text", `a&b|c!d/e=f<g>h'i,j;k#l$m%n`, `"a&b|c!d/e=f<g>h'i,j;k#l$m%n"`},
		{"dotted name", `user_metadata.address.city:Oslo`, `user_metadata.address.city:"Oslo"`},
		{"escaped name", `user_metadata.my\ own\:key:x`, `user_metadata.my\ own\:key:"x"`},
		{"blank behind the colon", `name: "jane"`, `name:"jane"`},
		{"empty text", `name:""`, `name:""`},
		{"letters of the world", `name:Łódź　name:"東京　都"`, "name:\"Łódź\" OR name:\"東京　都\""},
		{"negative number", `app_metadata.t:-5`, `app_metadata.t:"-5"`},
		{"phone number", `phone_number:+4790000000`, `phone_number:"+4790000000"`},
		{"small words are text", `and or not to`, `"and" OR "or" OR "not" OR "to"`},
		{"a word that begins like an operator", `ANDY ORlando NOTE`, `"ANDY" OR "ORlando" OR "NOTE"`},
		{"a field of that name", `AND:x`, `AND:"x"`},

		{"every escape", `name:\+\-\&&\||\!\(\)\{\}\[\]\^\"\~\*\?\:\\`, `name:"+-&&||!(){}[]^\"~*?:\\"`},
		{"escape of a letter", `name:\a\N`, `name:"aN"`},
		{"escapes in quotes", `name:"a\"b\\c\*"`, `name:"a\"b\\c*"`},
		{"escape of a wide blank", "name:a\\\u3000b", "name:\"a\u3000b\""},
		{"no wildcards in quotes", `name:"j*?"`, `name:"j*?"`},

		{"prefix", `name:j*`, `name:j*`},
		{"suffix", `name:*usa`, `name:*usa`},
		{"contains", `name:*ohn*`, `name:*ohn*`},
		{"infix", `name:jane*smith`, `name:jane*smith`},
		{"one character", `name:j?ne`, `name:j?ne`},
		{"many wildcards", `name:a**b*?*?c`, `name:a*b??*c`},
		{"blank in a pattern", `name:jane\ s*`, `name:jane\ s*`},
		{"star as text in a pattern", `name:a\**`, `name:a\**`},
		{"any value", `name:*`, `name:*`},
		{"bare pattern", `j*`, `j*`},

		{"and", `a AND b && c`, `"a" AND "b" AND "c"`},
		{"or", `a OR b || c`, `"a" OR "b" OR "c"`},
		{"and before or", `a OR b AND c OR d`, `"a" OR "b" AND "c" OR "d"`},
		{"parentheses", `(a OR b) AND c`, `("a" OR "b") AND "c"`},
		{"needless parentheses", `((a) AND ((b AND c)))`, `"a" AND "b" AND "c"`},
		{"operators at parentheses", `(a)AND(b)OR(c)&&(d)`, `"a" AND "b" OR "c" AND "d"`},
		{"operators at quotes", `"a" AND"b" OR"c" AND NOT"d"`, `"a" AND "b" OR "c" AND NOT "d"`},
		{"not before and", `NOT a AND b`, `NOT "a" AND "b"`},
		{"not before or", `NOT a OR b`, `NOT "a" OR "b"`},
		{"not a group", `NOT (a AND b)`, `NOT ("a" AND "b")`},
		{"not of not", `NOT (NOT a)`, `NOT (NOT "a")`},
		{"or not", `a OR NOT b`, `"a" OR NOT "b"`},
		{"and not", `a AND NOT b AND !c AND -d`, `"a" AND NOT "b" AND NOT "c" AND NOT "d"`},

		{"side by side", `a b c`, `"a" OR "b" OR "c"`},
		{"excluded", `a -b`, `"a" AND NOT "b"`},
		{"excluded in words", `a NOT b`, `"a" AND NOT "b"`},
		{"excluded with a mark", `a !b`, `"a" AND NOT "b"`},
		{"excluded first", `-a b c`, `("b" OR "c") AND NOT "a"`},
		{"all excluded", `-a NOT b`, `NOT "a" AND NOT "b"`},
		{"one excluded", `-a`, `NOT "a"`},
		{"required", `+a +b`, `"a" AND "b"`},
		{"required beside optional", `+a b c`, `"a"`},
		{"all three", `a +b -c`, `"b" AND NOT "c"`},
		{"signs apart", `- a + b`, `NOT "a" AND "b"`},
		{"and beside others", `a b AND c -d`, `("a" OR "b" AND "c") AND NOT "d"`},
		{"required within and", `a +b AND c`, `"b" AND "c"`},
		{"sides of or stand for themselves", `a -b OR +c d`, `"a" AND NOT "b" OR "c"`},
		{"sign before a group", `a -(b c)`, `"a" AND NOT ("b" OR "c")`},
		{"sign before a field", `-name:a +name:b`, `NOT name:"a" AND name:"b"`},

		{"group of a field", `email:("a@x" OR "b@x")`, `email:"a@x" OR email:"b@x"`},
		{"group with its own fields", `email:(a AND (name:b OR c*)) AND d`, `email:"a" AND (name:"b" OR email:c*) AND "d"`},
		{"group side by side", `name:(+ann -bob)`, `name:"ann" AND NOT name:"bob"`},
		{"star in a group", `name:(*)`, `name:*`},
		{"everybody in a group", `name:(*:* AND a)`, `*:* AND name:"a"`},
		{"ranges in a group", `logins_count:([1 TO 2] [5 TO 6])`, `logins_count:["1" TO "2"] OR logins_count:["5" TO "6"]`},

		{"exists", `_exists_:user_metadata.color`, `_exists_:"user_metadata.color"`},
		{"never logged in", `NOT _exists_:logins_count OR logins_count:0`, `NOT _exists_:"logins_count" OR logins_count:"0"`},
		{"unverified", `email_verified:false OR NOT _exists_:email_verified`, `email_verified:"false" OR NOT _exists_:"email_verified"`},

		{"inclusive", `logins_count:[1 TO 2]`, `logins_count:["1" TO "2"]`},
		{"exclusive", `logins_count:{1 TO 2}`, `logins_count:{"1" TO "2"}`},
		{"mixed", `a:[1 TO 2} b:{1 TO 2]`, `a:["1" TO "2"} OR b:{"1" TO "2"]`},
		{"open", `a:[1 TO *] b:{* TO 2}`, `a:["1" TO *] OR b:[* TO "2"}`},
		{"open at both ends", `a:[* TO *]`, `a:*`},
		{"moments", `created_at:[2020-01-01T10:00:00.000Z TO 2020-01]`, `created_at:["2020-01-01T10:00:00.000Z" TO "2020-01"]`},
		{"quoted bounds", `name:["a b" TO "*"]`, `name:["a b" TO "*"]`},
		{"escaped bounds", `name:[a\ b TO \*]`, `name:["a b" TO "*"]`},
		{"roomy range", `name:[ a  TO  b ]`, `name:["a" TO "b"]`},
		{"empty bound", `name:["" TO b]`, `name:["" TO "b"]`},
	} {
		n, err := Parse(c.q)
		if err != nil {
			t.Errorf("%s: %s: %v", c.name, c.q, err)
			continue
		}
		if got := Print(n); got != c.want {
			t.Errorf("%s: %s\nmeans %s\nwant  %s", c.name, c.q, got, c.want)
		}
		again, err := Parse(c.want)
		if err != nil || !reflect.DeepEqual(placeless(again), placeless(n)) {
			t.Errorf("%s: %s does not read back: %v", c.name, c.want, err)
		}
	}
}

func TestParseTree(t *testing.T) {
	n, err := Parse(` a AND (b:"c" -d:[1 TO *}) x*?`)
	if err != nil {
		t.Fatal(err)
	}
	want := Or{
		And{
			&Clause{Value: Pattern{Pieces: []string{"a"}}, At: 1},
			&Clause{Field: "b", Value: Pattern{Pieces: []string{"c"}}, At: 8},
			Not{&Clause{Field: "d", Range: &Range{Low: "1", HighUnbounded: true}, At: 15}},
		},
		&Clause{Value: Pattern{Pieces: []string{"x", "", ""}, Single: []bool{true, false}}, At: 27},
	}
	if !reflect.DeepEqual(n, want) {
		t.Errorf("got  %s\nwant %s", Print(n), Print(want))
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct {
		q    string
		at   int
		text string
	}{
		{`(`, 1, "expected a condition"},
		{`()`, 1, "expected a condition"},
		{`a AND`, 5, "expected a condition"},
		{`AND`, 0, "expected a condition"},
		{`OR a`, 0, "expected a condition"},
		{`a OR`, 4, "expected a condition"},
		{`a AND OR b`, 6, "expected a condition"},
		{`a || && b`, 5, "expected a condition"},
		{`NOT`, 3, "expected a condition"},
		{`a -`, 3, "expected a condition"},
		{`NOT NOT a`, 4, "a condition takes one sign"},
		{`+-a`, 1, "a condition takes one sign"},
		{`)`, 0, "expected a condition"},
		{`a)`, 1, "closing parenthesis without an opening one"},
		{`(a`, 0, "the parenthesis is not closed"},
		{`x (a (b)`, 2, "the parenthesis is not closed"},
		{`name:"`, 5, "the quotation mark is not closed"},
		{`name:"a\"`, 5, "the quotation mark is not closed"},
		{`"a"b`, 3, "expected a blank"},
		{`"a":b`, 3, "a field name is not quoted"},
		{`a"b"`, 1, `" within a value has to be quoted or escaped`},
		{`name:a]`, 6, "] within a value has to be quoted or escaped"},
		{`:a`, 0, "expected a field name before the colon"},
		{`(a):b`, 3, "expected a field name before the colon"},
		{`_exists_:`, 9, "expected a value; an operator as text has to be quoted"},
		{`(name:)`, 6, "expected a value; an operator as text has to be quoted"},
		{`name: AND b`, 6, "expected a value; an operator as text has to be quoted"},
		{`created_at:2020-01-01T10:00:00Z`, 24, "a colon within a value has to be quoted or escaped"},
		{`na*e:a`, 0, "wildcards in a field name are not supported"},
		{`*:a`, 0, "wildcards in a field name are not supported"},
		{`*:*a`, 0, "wildcards in a field name are not supported"},
		{`name:-a`, 5, "a sign stands before the field, or is escaped"},
		{`name:!a`, 5, "a sign stands before the field, or is escaped"},
		{`name:a\`, 6, "nothing behind the backslash"},
		{`name:CORP\user`, 9, `\u is not supported; write the character itself, or \\ for a backslash`},
		{`[a TO b]`, 0, "a range needs a field"},
		{`name:[a TO`, 5, "the range is not closed"},
		{`name:[a TO b`, 5, "the range is not closed"},
		{`name:[`, 5, "the range is not closed"},
		{`name:[a b]`, 8, "expected TO between the bounds"},
		{`name:[a to b]`, 8, "expected TO between the bounds"},
		{`name:[TO b]`, 6, "expected a bound"},
		{`name:[ TO b]`, 7, "expected a bound"},
		{`name:[a TO ]`, 11, "expected a bound"},
		{`name:[a* TO b]`, 6, "a bound has no wildcards; quote or escape them as text"},
		{`name:[a TO b c]`, 13, "expected the end of the range"},
		{`name:[a TO b]c`, 13, "expected a blank"},
		{`roam~`, 4, "~ (fuzzy search) is not supported; quote or escape it as text"},
		{`"a b"~4`, 5, "~ (fuzzy search) is not supported; quote or escape it as text"},
		{`~a`, 0, "~ (fuzzy search) is not supported; quote or escape it as text"},
		{`name:a^2`, 6, "^ (boost) is not supported; quote or escape it as text"},
		{`(a)^2`, 3, "^ (boost) is not supported; quote or escape it as text"},
		{`name:/a.*/`, 5, "regular expressions are not supported; quote or escape the / as text"},
		{`logins_count:>=5`, 13, "comparisons are written as ranges: [5 TO *], {5 TO *]"},
		{`logins_count:<5`, 13, "comparisons are written as ranges: [5 TO *], {5 TO *]"},
		{"a\x00b", 1, "NUL is not allowed"},
		{"name:\"a\xff\"", 7, "invalid UTF-8"},
	} {
		n, err := Parse(c.q)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%s: %v, %v", c.q, n, err)
			continue
		}
		if e.At != c.at || e.Text != c.text {
			t.Errorf("%s: %q at %d, want %q at %d", c.q, e.Text, e.At, c.text, c.at)
		}
	}
	if got := (&Error{At: 3, Text: "expected a blank"}).Error(); got != "expected a blank at position 3" {
		t.Errorf("said %q", got)
	}
}

// Each bound has a neighbour that is still accepted.
func TestParseBounds(t *testing.T) {
	for _, c := range []struct {
		name, q string
		text    string // empty: accepted
	}{
		{"length", `"` + strings.Repeat("a", MaxLength-2) + `"`, ""},
		{"length and one", `"` + strings.Repeat("a", MaxLength-1) + `"`, "longer than 16384 bytes"},
		{"100 kB", strings.Repeat("name:a OR ", 10_000), "longer than 16384 bytes"},
		{"depth", strings.Repeat("(", MaxDepth) + "a" + strings.Repeat(")", MaxDepth), ""},
		{"depth and one", strings.Repeat("(", MaxDepth+1) + "a" + strings.Repeat(")", MaxDepth+1), "more than 64 parentheses within one another"},
		{"2,000 parentheses", strings.Repeat("(", 2000), "more than 64 parentheses within one another"},
		{"2,000 negated parentheses", strings.Repeat("NOT(", 2000), "more than 64 parentheses within one another"},
		{"2,000 parentheses of fields", strings.Repeat("a:(", 2000), "more than 64 parentheses within one another"},
		{"groups side by side", strings.Repeat("(a)", 1000), ""},
		{"conditions", strings.Repeat("a ", MaxClauses), ""},
		{"conditions and one", strings.Repeat("a ", MaxClauses+1), "more than 1024 conditions"},
		{"stars", strings.Repeat("* ", MaxClauses+1), "more than 1024 conditions"},
		{"stars of stars", strings.Repeat("*:* ", MaxClauses+1), "more than 1024 conditions"},
		{"conditions that do not count", "+a" + strings.Repeat(" a", MaxClauses), "more than 1024 conditions"},
	} {
		_, err := Parse(c.q)
		var e *Error
		switch {
		case c.text == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.text != "" && (!errors.As(err, &e) || e.Text != c.text):
			t.Errorf("%s: %v, want %q", c.name, err, c.text)
		}
	}
}

// placeless is a tree without the places of its clauses.
func placeless(n Node) Node {
	switch n := n.(type) {
	case And:
		out := make(And, len(n))
		for i := range n {
			out[i] = placeless(n[i])
		}
		return out
	case Or:
		out := make(Or, len(n))
		for i := range n {
			out[i] = placeless(n[i])
		}
		return out
	case Not:
		return Not{placeless(n.Node)}
	case *Clause:
		c := *n
		c.At = 0
		return &c
	}
	return n
}

// The laws: never a panic; what parses is printed to a text that parses to the
// same tree, and is printed the same; a refusal names a place in the text. The
// printed text may be longer and deeper than Parse allows: it repeats the field of
// a group for each of its terms, and writes out what signs mean.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		``, `*`, `*:*`, `name:"jane smith"`, `name:jane\ smith`, `a AND NOT b OR (c d)`, `+a -b c`, `x (b c) AND y -d`,
		`email:("a@x" OR b*)`, `a:[1 TO *}`, `_exists_:a.b`, `a:?*b`, `a\:b:c`, `NOT (NOT a)`, `a && !b || c`, "a\u3000b", `name:-5`, `AND:x`, `\AND`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, q string) {
		n, err := Parse(q)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Text == "" || e.At < 0 || e.At > len(q) {
				t.Fatalf("%q: %v", q, err)
			}
			return
		}
		printed := Print(n)
		again, err := parse(printed, limits{length: len(printed), depth: 4 * MaxDepth, clauses: MaxClauses})
		if err != nil {
			t.Fatalf("%q is printed as %q: %v", q, printed, err)
		}
		if !reflect.DeepEqual(placeless(again), placeless(n)) {
			t.Fatalf("%q is printed as %q, which means %q", q, printed, Print(again))
		}
	})
}

func BenchmarkParse(b *testing.B) {
	const q = `(name:"jane smith" OR email:*example.com) AND created_at:[2020-01 TO *] -blocked:true`
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(q); err != nil {
			b.Fatal(err)
		}
	}
}
