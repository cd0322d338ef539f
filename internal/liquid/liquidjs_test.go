package liquid

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"mangrove/internal/parttest"
)

// world is what the templates of this test talk about. Members stand in the order
// of their names, in which we go through them.
const world = `{
	"name": "Ann <b>& \"Co\"</b>", "text": "one two  three\nfour", "empty_text": "", "blank_text": "  \t", "umlaut": "Grüße, Jürgen 😀!",
	"n": 7, "f": 2.5, "neg": -3.75, "zero": 0, "big": 1e21, "small": 1e-7, "digits": "42", "yes": true, "no": false,
	"list": ["b", "a", "C", "b"], "numbers": [3, 1, 2], "nothing": [], "object": {}, "nested": [[1, [2]], ["x"]],
	"user": {"email": "ann@example.com", "first": "F", "tags": ["x", "y"], "user_metadata": {"a-b": 1, "lang": "de"}},
	"people": [{"age": 3, "name": "Zed"}, {"age": 1, "name": "amy"}, {"name": "Bob"}],
	"key": "email", "date": "2026-11-26T04:05:06.789Z", "day": "2024-02-29", "stamp": 1700000000
}`

var values = []string{
	"name", "text", "empty_text", "blank_text", "umlaut", "n", "f", "neg", "zero", "big", "small", "digits", "yes", "no", "missing",
	"list", "numbers", "nothing", "object", "nested", "user", "'a,b,,c,,'", "'  x y  '", "(1..3)", "1.005", "-0.5", "nil", "empty", "blank",
}

// uses are filters, each to be tried on every value.
var uses = []string{
	"abs", "plus: 1", "plus: '3'", "minus: 2.5", "times: 3", "modulo: 4", "divided_by: 2", "divided_by: 0", "divided_by: 2, true", "floor", "ceil",
	"round", "round: 2", "round: -1", "at_least: 3", "at_most: 3", "append: '!'", "append: n", "prepend: '<i>'", "capitalize", "upcase", "downcase",
	"strip", "lstrip", "rstrip", "strip_newlines", "strip: 'AnxT '", "split: ','", "split: ',' | size", "split: '' | join: '|'", "split: ' ' | last",
	"replace: 'e', 'E'", "replace: '', '-'", "replace_first: 'e', '$&'", "remove: 'o'", "remove_first: 'o'", "truncate", "truncate: 5", "truncate: 8, '…'",
	"truncate: 5, ''", "truncatewords: 2", "truncatewords: 2, '-'", "truncatewords: 0", "escape", "escape_once", "escape | escape_once",
	"url_encode", "url_encode | url_decode", "strip_html", "newline_to_br", "slice: 1", "slice: 1, 2", "slice: -2, 2", "slice: -9", "slice: 9, 9",
	"map: 'name' | join", "sort | join: ','", "sort_natural | join: ','", "first", "last", "join", "join: '-'", "reverse | join", "size",
	"default: 'd'", "default: 'd', allow_false: true", "json", "uniq | join: ','", "compact | size", "concat: numbers | join: ','", "raw",
}

var templates = []string{
	"", "plain", "{ not { a tag } }", "{{ name }}", "{{name}}", "{{- name -}}", "a {{- name -}} b", " a \n{%- if yes -%} \n b {%- endif -%}\n c",
	"{{ user.email }}", "{{ user['email'] }}", "{{ user[key] }}", "{{ user.user_metadata.lang }}", "{{ user.user_metadata['a-b'] }}", "{{ user.user_metadata.a-b }}",
	"{{ user.tags[0] }}{{ user.tags[-1] }}{{ user.tags.first }}{{ user.tags.last }}{{ user.tags.size }}", "{{ user.first }}", "{{ user.size }}", "{{ name.size }}",
	"{{ umlaut.size }}", "{{ list.length }}", "{{ list.0 }}{{ list.9 }}", "{{ user.missing.deeper }}", "{{ missing.deeper.still }}", "{{ 'literal' }}", `{{ "a\nb\"c" }}`,
	`{{ "\u0041\101" }}`, "{{ 1 }}{{ -2.50 }}{{ 1e3 }}", "{{ true }}{{ false }}{{ nil }}", "{{ (1..4) }}", "{{ (1..n) }}", "{{ (3..1) }}", "{{ people }}", "{{ object }}", "{{ nested }}",
	"{{ n > 3 }}", "{{ n == '7' }}", "{{ digits == 42 }}", "{{ digits > 41 }}", "{{ 'a' < 'b' }}", "{{ list contains 'a' }}", "{{ name contains 'Ann' }}", "{{ user contains 'email' }}",
	"{{ yes and no }}", "{{ yes or no and no }}", "{{ no and no or yes }}", "{{ not yes }}", "{{ not no and yes }}", "{{ empty_text == empty }}", "{{ nothing == empty }}", "{{ object == empty }}",
	"{{ blank_text == blank }}", "{{ missing == nil }}", "{{ missing == blank }}", "{{ no == blank }}", "{{ zero == blank }}", "{{ empty == empty }}", "{{ list == list }}", "{{ nothing == nothing }}",
	"{{ n >= 7 }}{{ n <= 7 }}{{ n != 7 }}", "{{ missing > 1 }}", "{{ name > 1 }}", "{{ nil < 1 }}", "{{ a b }}", "{{ name | upcase | downcase }}", "{{ name | default: 'x' | append: 'y' }}",
	"{% if yes %}1{% else %}2{% endif %}", "{% if no %}1{% elsif n == 7 %}2{% else %}3{% endif %}", "{% if zero %}1{% endif %}", "{% if empty_text %}1{% endif %}", "{% if missing %}1{% else %}2{% endif %}",
	"{% unless yes %}1{% else %}2{% endunless %}", "{% unless no %}1{% elsif yes %}2{% endunless %}", "{% unless yes %}1{% elsif yes %}2{% endunless %}", "{% if nothing %}t{% endif %}",
	"{% case n %}{% when 7 %}seven{% when 8 %}eight{% else %}none{% endcase %}", "{% case key %}x{% when 'a' or 'email' %}1{% when 'email', 'b' %}2{% else %}3{% endcase %}",
	"{% case n %}{% when 1 %}1{% else %}2{% when 7 %}3{% endcase %}", "{% case missing %}{% when nil %}1{% endcase %}", "{% case empty_text %}{% when empty %}1{% endcase %}",
	"{% case n %}{% when 1 %}a{% else %}b{% else %}c{% endcase %}", "{% case n | plus: 1 %}{% when 8 %}eight{% endcase %}",
	"{% for i in list %}{{ i }}{% endfor %}", "{% for i in (1..5) %}{{ i }}{% unless forloop.last %},{% endunless %}{% endfor %}", "{% for i in nothing %}x{% else %}none{% endfor %}",
	"{% for i in missing %}x{% else %}none{% endfor %}", "{% for i in list limit:2 %}{{ i }}{% endfor %}", "{% for i in list offset:1 limit:2 reversed %}{{ i }}{% endfor %}",
	"{% for i in list reversed %}{{ i }}{% endfor %}", "{% for i in list limit:2 %}{{ i }}{% endfor %}-{% for i in list offset:continue %}{{ i }}{% endfor %}", "{% for i in list, limit: 1, offset: 1 %}{{ i }}{% endfor %}",
	"{% for i in (1..9) %}{% if i == 3 %}{% continue %}{% endif %}{% if i > 5 %}{% break %}{% endif %}{{ i }}{% endfor %}", "{% for p in user.user_metadata %}{{ p[0] }}={{ p[1] }};{% endfor %}",
	"{% for p in people %}{{ forloop.index }}/{{ forloop.length }}:{{ p.name }}{{ forloop.rindex }}{{ forloop.rindex0 }}{{ forloop.index0 }}{{ forloop.first }}{{ forloop.last }} {% endfor %}",
	"{% for i in 'abc' %}[{{ i }}]{% endfor %}", "{% for a in (1..2) %}{% for b in (1..2) %}{{ a }}{{ b }}{{ forloop.index }} {% endfor %}{{ forloop.index }}{% endfor %}", "{% for i in list limit:n offset:-1 %}{{ i }}{% endfor %}",
	"{% for i in list limit:0 %}{{ i }}{% else %}e{% endfor %}", "{% for i in list limit:-1 %}{{ i }}{% endfor %}", "{% for i in list offset:9 %}{{ i }}{% else %}e{% endfor %}", "{% for i in (1..2) %}{{ forloop }}{{ forloop.name }}{% endfor %}",
	"a{% break %}b", "a{% continue %}b", "{% for i in (1..3) %}{% capture x %}{{ i }}{% break %}z{% endcapture %}{{ x }}{% endfor %}{{ x }}",
	"{% assign x = 'a' %}{{ x }}", "{% assign x = n | plus: 1 %}{{ x }}{{ n }}", "{% assign name = 'me' %}{{ name }}", "{% for i in (1..2) %}{% assign x = i %}{% endfor %}{{ x }}{{ i }}", "{% assign x = n > 3 and yes %}{{ x }}",
	"{% capture x %}<{{ n }}>{% endcapture %}{{ x }}{{ x }}", "{% capture 'my x' %}1{% endcapture %}{{ ['my x'] }}", "{% increment a %}{% increment a %}{{ a }}{% decrement a %}{{ a }}", "{% decrement b %}{% decrement b %}", "{% increment n %}{{ n }}", "{% increment name %}",
	"{% assign a = 5 %}{% increment a %}{{ a }}", "{% cycle 'a', 'b' %}{% cycle 'a', 'b' %}{% cycle 'a', 'b' %}", "{% cycle 'g': 'a', 'b' %}{% cycle 'h': 'a', 'b' %}{% cycle 'g': 'a', 'b' %}", "{% for i in (1..4) %}{% cycle n, name, 0 %};{% endfor %}", "{% cycle no, yes %}{% cycle no, yes %}",
	"{% tablerow i in list cols:2 %}{{ i }}{% endtablerow %}", "{% tablerow i in list %}{{ tablerowloop.index }}{{ tablerowloop.col }}{{ tablerowloop.row }}{% endtablerow %}", "{% tablerow i in (1..7) cols:3 limit:5 offset:1 %}{{ i }}{{ tablerowloop.col_first }}{{ tablerowloop.col_last }}{{ tablerowloop.col0 }}{% endtablerow %}",
	"{% tablerow i in nothing %}x{% endtablerow %}", "{% tablerow i in list cols:3 %}{{ tablerowloop }}{% if i == 'a' %}{% break %}{% endif %}{{ i }}{% endtablerow %}", "{% tablerow i in list limit:0 %}x{% endtablerow %}", "{% tablerow i in (1..3) cols:1.5 %}{{ i }}{% endtablerow %}",
	"{% raw %}{{ a }}{% if %}{% endraw %}{{ n }}", "{% raw %}{% endraw %}x", "a {%- raw -%} b {% endraw -%} c", "{% raw %} {{ {% endraw %}", "{% raw %}{% endraw", "{% raw %}a{%- endraw -%}b", "{% comment %}{{ a }} {% if %}{% endcomment %}x", "{% comment %}a{% comment %}b{% endcomment %}c",
	"{% # remark %}x", "{% # a\n # b %}x", "{% # a\n b %}x", "{%- # a -%} x", "{% echo n %}{% echo name | upcase %}{% echo %}", "{% liquid\n assign x = 1\n echo x | plus: 1\n if x == 1\n echo 'one'\n endif %}!", "{% liquid %}", "{% liquid\n for i in (1..3)\n echo i\n endfor\n%}",
	"{{ '{{ n }}' }}", "{{ \"}}\" }}", "{{ '%}' }}", "{% assign x = '%}' %}", "{{ 'a' | append: 'b', 'c' }}", "{{ n | plus }}", "{{ n | append }}", "{{ name | | upcase }}", "{{ name | upcase: }}", "{{ name | upcase ! }}", "{{ | upcase }}", "{{ }}", "{{}}", "{{ n", "{% if", "{%%}", "{% if yes %}",
	"{% endif %}", "{% nope %}", "{{ name | slice }}", "{% for %}{% endfor %}", "{% for a of b %}{% endfor %}", "{% for a in %}{% endfor %}", "{% if yes %}{% else x %}{% endif %}", "{% if yes %}{% else %}{% else %}{% endif %}", "{% if yes %}{% else %}{% elsif no %}{% endif %}", "{% if yes %}{% endif x %}",
	"{% unless no %}a{% else %}b{% else %}c{% endunless %}", "{% unless yes %}a{% else %}b{% elsif yes %}c{% else %}d{% endunless %}", "{% assign %}", "{% assign x %}", "{% assign x = %}", "{% assign x.y = 1 %}", "{% capture %}{% endcapture %}", "{% cycle %}", "{% case %}{% endcase %}", "{% when 1 %}", "{{ (1..) }}", "{{ (1) }}", "{{ a[ }}", "{{ 'open }}",
	"{{ date | date: '%Y-%m-%d %H:%M:%S.%L' }}", "{{ date | date }}", "{{ date | date: '%a %A %b %B %C %d %e %j %k %l %I %p %P %q %s %u %U %w %W %y %z %Z %% %t|%n|%N %3N %h' }}", "{{ date | date: '%-d/%-m %_d %05d %^a %#p %:z %10Y %Q' }}", "{{ day | date: '%F %b %d' }}", "{{ stamp | date: '%Y-%m-%d %H:%M' }}", "{{ '1700000000' | date: '%s' }}",
	"{{ date | date: '%H:%M %z %Z', 60 }}", "{{ date | date: '%H:%M %z', -330 }}", "{{ 'no date' | date: '%Y' }}", "{{ missing | date: '%Y' }}", "{{ 'March 3, 2024' | date: '%Y-%m-%d' }}", "{{ '2024-01-01T00:00:00+02:00' | date: '%Y-%m-%d %H' }}", "{{ yes | date: '%Y' }}", "{{ date | date: '' }}", "{{ '1999-12-31' | date: '%U %W %j %C %y' }}", "{{ date | date: '%x' }}",
	"{{ people | map: 'name' | join: ',' }}", "{{ people | sort: 'name' | map: 'name' | join: ',' }}", "{{ people | sort_natural: 'name' | map: 'name' | join: ',' }}", "{{ people | sort: 'age' | map: 'name' | join: ',' }}", "{{ people | map: 'user.x' | size }}", "{{ user | map: 'user_metadata.lang' | join }}", "{{ user | json }}", "{{ people | json: 2 }}", "{{ nothing | json: 2 }}",
	"{{ '%41+b' | url_decode }}", "{{ '%zz' | url_decode }}", "{{ \"ä!*'()~ &\" | url_encode }}", "{{ '<script>x</script>a<!-- b -->c<style>d</style><e' | strip_html }}", "{{ '<script>x' | strip_html }}", "{{ 'a\\r\\nb\\nc' | newline_to_br }}", "{{ 'a\\r\\nb\\nc' | strip_newlines }}", "{{ '&lt;<' | escape_once }}", "{{ 'ß' | upcase }}{{ 'ß' | capitalize }}",
	"{{ 'abc' | slice: 1, 9 }}", "{{ list | slice: 1, 2 | join }}", "{{ 'a b c' | truncatewords: 3 }}", "{{ 'a b c d' | truncatewords: 3 }}", "{{ '😀😀😀😀' | truncate: 3, '' }}", "{{ '😀b' | slice: 0 }}", "{{ n | times: f | round: 1 }}", "{{ 5 | divided_by: 3 }}", "{{ 1e400 }}", "{{ 0.1 | plus: 0.2 }}", "{{ '0x1f' | plus: 1 }}", "{{ ' 12 ' | plus: 1 }}", "{{ '1_000' | plus: 1 }}",
	"{{ nested | join: ',' }}", "{{ nested | first | last }}", "{{ list | concat: nested | size }}", "{{ list | uniq | size }}", "{{ -1 | abs }}{{ +1 }}", "{{ user.tags | join: ', ' | upcase }}", "{{ a | b: c: 1 }}", "{{ name | default: fallback: 1 }}", "{% for i in list limit:'2' %}{{ i }}{% endfor %}", "{{ 5 | at_least: 7, 9 }}", "{{ name, text }}", "{{ name ) }}", "{{ [key] }}", "{{ 'x'.size }}", "{{ list['size'] }}", "{{ list[n] }}", "{{ list[0.5] }}",
	"{% if n > 3 and name contains 'Ann' or missing %}y{% endif %}", "{% if not missing %}y{% endif %}", "{% if 'a' == 'a' | upcase %}y{% else %}n{% endif %}", "{% assign a = 'x' | append: 'y' %}{% assign b = a | append: a %}{{ b }}", "{{ umlaut | downcase }}{{ umlaut | upcase }}", "{{ umlaut | truncate: 9 }}", "{{ true_name }}{{ nilly }}", "{{ ordinary }}{{ android }}",
}

type compared struct {
	Template string          `json:"template"`
	Vars     json.RawMessage `json:"vars"`
}

// LiquidJS and ours say the same, or both refuse the template.
func TestSameAsLiquidJS(t *testing.T) {
	dir := parttest.Need(t, "LiquidJS", "MANGROVE_TEST_LIQUID")
	var cases []compared
	for _, s := range templates {
		cases = append(cases, compared{s, json.RawMessage(world)})
	}
	for _, v := range values {
		for _, f := range uses {
			cases = append(cases, compared{"{{ " + v + " | " + f + " }}", json.RawMessage(world)})
		}
	}
	in, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", filepath.Join(dir, "render.mjs"))
	cmd.Env = append(os.Environ(), "TZ=UTC")
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var answers []struct {
		Text  *string
		Error string
	}
	if err := json.Unmarshal(out, &answers); err != nil || len(answers) != len(cases) {
		t.Fatalf("%v, %d answers to %d templates", err, len(answers), len(cases))
	}
	var vars map[string]any
	if err := json.Unmarshal([]byte(world), &vars); err != nil {
		t.Fatal(err)
	}
	for i, a := range answers {
		want := a.Text
		if different, ok := differs[cases[i].Template]; ok {
			if a.Text != nil && *a.Text == different {
				t.Errorf("%s: no longer differs", cases[i].Template)
			}
			if want = &different; different == refused {
				want = nil
			}
		}
		tpl, err := Parse(cases[i].Template)
		var got string
		if err == nil {
			got, err = tpl.Render(vars, Limits{})
		}
		if want == nil && err == nil || want != nil && (err != nil || got != *want) {
			theirs := a.Error
			if a.Text != nil {
				theirs = *a.Text
			}
			t.Errorf("%s\nours:   %q %v\ntheirs: %q", cases[i].Template, got, err, theirs)
		}
	}
}

// differs is where we mean to say something else, or with refused nothing.
var differs = map[string]string{
	"{{ yes | date: '%Y' }}": "true",
	"{{ a | b: c: 1 }}":      refused, // an unknown filter does nothing there, for whoever mistyped it
	// There is no half of a character.
	"{{ umlaut | split: '' | join: '|' }}": "G|r|ü|ß|e|,| |J|ü|r|g|e|n| |😀|!",
	"{{ umlaut | replace: '', '-' }}":      "G-r-ü-ß-e-,- -J-ü-r-g-e-n- -😀-!",
	"{{ nil | json }}":                     "",
	"{{ empty | json }}":                   `""`,
	"{{ blank | json }}":                   `""`,
}

const refused = "refused"
