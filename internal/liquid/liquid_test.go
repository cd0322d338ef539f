package liquid

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// What people bring is escaped in HTML, what the template says is not.
func TestRenderHTML(t *testing.T) {
	vars := map[string]any{
		"x": `<b>"A" & 'B'</b>`, "list": []any{"<1>", "2"}, "lines": "a<\nb", "url": "https://id.example.com/u?a=1&b=2", "n": 3,
		"obj": map[string]any{"<k>": "<v>"}, "deep": map[string]any{"x": map[string]any{"y": "<y>"}},
	}
	escaped := "&lt;b&gt;&#34;A&#34; &amp; &#39;B&#39;&lt;/b&gt;"
	rows := []struct{ template, want string }{
		{"{{ x }}", escaped},
		{"{{ x | escape }}", escaped},
		{"{{ x | escape_once }}", escaped},
		{"{{ x | raw }}", `<b>"A" & 'B'</b>`},
		{"<a href='{{ url }}'>", "<a href='https://id.example.com/u?a=1&amp;b=2'>"},
		{"{{ '<br>' }}", "<br>"},
		{"{{ '<br>' | upcase }}", "<BR>"},
		{"{{ missing | default: '<i>you</i>' }}", "<i>you</i>"},
		{"{{ missing | default: x }}", escaped},
		{"{{ x | append: '<br>' }}", escaped + "<br>"},
		{"{{ x | prepend: 'to ' }}", "to " + escaped},
		{"{{ '<hr>' | append: x }}", "<hr>" + escaped},
		{"{{ x | append: x }}", escaped + escaped},
		{"{{ x | upcase }}", strings.ReplaceAll(escaped, "b&gt;", "B&gt;")},
		{"{{ x | replace: 'A', '<i>' }}", "&lt;b&gt;&#34;<i>&#34; &amp; &#39;B&#39;&lt;/b&gt;"},
		{"{{ x | remove: 'b' }}", "&lt;&gt;&#34;A&#34; &amp; &#39;B&#39;&lt;/&gt;"},
		{"{{ list }}", "&lt;1&gt;2"},
		{"{{ list | join: '<br>' }}", "&lt;1&gt;<br>2"},
		{"{{ list | join }}", "&lt;1&gt; 2"},
		{"{{ list | first }}{{ list.first }}{{ list[0] }}", "&lt;1&gt;&lt;1&gt;&lt;1&gt;"},
		{"{{ '<1>,2' | split: ',' | first }}", "<1>"},
		{"{{ lines | newline_to_br }}", "a&lt;<br />\nb"},
		{"{{ x | truncate: 4, '&hellip;' }}", "&hellip;"},
		{"{{ x | truncate: 12, '&#8230;' }}", "&lt;b&gt;&#34;A&#8230;"},
		{"{{ x | truncate: 4 }}", "&lt;..."},
		{"{{ x | strip_html }}", "&#34;A&#34; &amp; &#39;B&#39;"},
		{"{{ x | json }}", "&#34;&lt;b&gt;\\&#34;A\\&#34; &amp; &#39;B&#39;&lt;/b&gt;&#34;"},
		{"{% assign y = x %}{{ y }}", escaped},
		{"{% capture y %}<p>{{ x }}</p>{% endcapture %}{{ y }}", "<p>" + escaped + "</p>"},
		{"{% for m in obj %}{{ m[0] }}={{ m[1] }}{% endfor %}", "&lt;k&gt;=&lt;v&gt;"},
		{"{% for i in list %}{{ i }}{% endfor %}", "&lt;1&gt;2"},
		{"{% cycle x, '<u>' %}{% cycle x, '<u>' %}", escaped + "<u>"},
		{"{% echo x %}", escaped},
		{"{{ deep.x.y }}{{ deep['x']['y'] }}", "&lt;y&gt;&lt;y&gt;"},
		{"{% if x == '<b>\"A\" & \\'B\\'</b>' %}same{% endif %}", "same"},
		{"{{ x.size }} {{ x | size }} {{ n }}", "16 16 3"},
		{"{{ x | url_encode }}", "%3Cb%3E%22A%22+%26+&#39;B&#39;%3C%2Fb%3E"},
		{"{{ x[0] }}{{ 'a<'[1] }}", "&lt;<"},
		{"{% debug %}", `<pre>{
  &#34;deep&#34;: {
    &#34;x&#34;: {
      &#34;y&#34;: &#34;&lt;y&gt;&#34;
    }
  }`},
	}
	for _, row := range rows {
		tpl, err := Parse(row.template)
		if err != nil {
			t.Errorf("%s: %v", row.template, err)
			continue
		}
		got, err := tpl.RenderHTML(vars, Limits{})
		if err != nil || got != row.want && !(strings.Contains(row.template, "debug") && strings.HasPrefix(got, row.want)) {
			t.Errorf("%s\n got %s (%v)\nwant %s", row.template, got, err, row.want)
		}
	}
}

func TestErrorsSayWhere(t *testing.T) {
	rows := []struct{ template, want string }{
		{"a\nb {% nope %}", `tag "nope" not found, line:2, col:3`},
		{"{{ x", `output "{{ x" not closed, line:1, col:1`},
		{"\n\n{% if x %}\n", `tag {% if x %} not closed, line:3, col:1`},
		{"{{ x | nope }}", `undefined filter: nope, line:1, col:12`},
		{"{% include 'secrets' %}", `tag "include" is not available: a template cannot use other files, line:1, col:1`},
		{"{% render 'a' %}", `tag "render" is not available: a template cannot use other files, line:1, col:1`},
		{"{% layout 'a' %}", `tag "layout" is not available: a template cannot use other files, line:1, col:1`},
		{"{% block a %}{% endblock %}", `tag "block" is not available: a template cannot use other files, line:1, col:1`},
		{"\xff", "not UTF-8, line:1, col:1"},
		{strings.Repeat("{% if x %}", 65) + strings.Repeat("{% endif %}", 65), "tags are nested too deeply, line:1, col:641"},
		{"{{ " + strings.Repeat("a[", 65) + strings.Repeat("]", 65) + " }}", "brackets are nested too deeply, line:1, col:132"},
		{"{{ " + strings.Repeat("(", 65) + " }}", "brackets are nested too deeply, line:1, col:68"},
		{strings.Repeat("x", MaxLength+1), "longer than 262144 bytes, line:1, col:262145"},
	}
	for _, row := range rows {
		_, err := Parse(row.template)
		var e *Error
		if !errors.As(err, &e) || err.Error() != row.want {
			t.Errorf("%.60q: %v", row.template, err)
		}
	}
	rendered := []struct{ template, want string }{
		{"\n{{ 'x' | append }}", "append expect 2 arguments, line:2, col:1"},
		{"{% assign x = '%zz' | url_decode %}", "URI malformed, line:1, col:1"},
		{"{{ 0 | date: '%Y', 'Europe/Oslo' }}", "date knows the time zones UTC and GMT, and offsets in minutes, line:1, col:1"},
	}
	for _, row := range rendered {
		tpl, err := Parse(row.template)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tpl.Render(nil, Limits{}); err == nil || err.Error() != row.want {
			t.Errorf("%s: %v", row.template, err)
		}
	}
}

// However a template wastes time or room, it ends.
func TestLimits(t *testing.T) {
	for _, template := range []string{
		"{% for i in (1..1000000000) %}{% endfor %}",
		"{% for a in (1..1000) %}{% for b in (1..1000) %}{% endfor %}{% endfor %}",
		"{% assign x = 'aaaaaaaaaaaaaaaa' %}{% for i in (1..99) %}{% assign x = x | append: x %}{% endfor %}",
		"{% assign x = 'aaaaaaaaaaaaaaaa' %}{% for i in (1..99) %}{% assign x = x | replace: 'a', x %}{% endfor %}",
		"{% assign x = 'a,a' | split: ',' %}{% for i in (1..99) %}{% assign x = x | concat: x %}{% endfor %}",
		"{% assign x = 'a,a' | split: ',' %}{% for i in (1..99) %}{% assign x = x | join: x %}{% assign x = x | split: '' %}{% endfor %}",
		"{% for i in (1..9999) %}{% capture x %}{{ x }}{{ x }}x{% endcapture %}{% endfor %}",
		"{% for i in (1..100000) %}0123456789012345{% endfor %}",
		"{{ 0 | date: '%999999999999d' }}", "{{ 0 | date: '%99999999999999999999d' }}", "{{ 0 | date: '%9999999N' }}",
		"{% tablerow i in (1..60000) %}{% endtablerow %}",
		"{% for i in (1..50000) %}{% assign x = y | sort %}{% endfor %}",
	} {
		tpl, err := Parse(template)
		if err != nil {
			t.Fatal(err)
		}
		if s, err := tpl.Render(map[string]any{"y": make([]any, 1000)}, Limits{}); !errors.Is(err, ErrLimit) || s != "" {
			t.Errorf("%s: %d bytes, %v", template, len(s), err)
		}
	}
}

// A text that comes in is never a template (reference security.md 118).
func TestValuesAreNotTemplates(t *testing.T) {
	tpl, err := Parse("{{ a }}{% assign b = a %}{{ b }}{% capture c %}{{ b }}{% endcapture %}{{ c }}")
	if err != nil {
		t.Fatal(err)
	}
	for _, evil := range []string{"{{ secret }}", "{% include 'x' %}", "{{", "%}", "{% raw %}", "@@password@@"} {
		got, err := tpl.Render(map[string]any{"a": evil, "secret": "s"}, Limits{})
		if err != nil || got != evil+evil+evil {
			t.Errorf("%q: %q, %v", evil, got, err)
		}
	}
}

// A template cannot change what it was given, nor learn the time unasked.
func TestVarsAndClock(t *testing.T) {
	vars := map[string]any{"n": int64(1), "names": []string{"a", "b"}, "m": map[string]string{"k": "v"}, "odd": struct{}{}}
	tpl, err := Parse("{% increment n %}{% assign names = 1 %}{{ m.k }}{{ odd }}{{ 'now' | date: '%Y' }}")
	if err != nil {
		t.Fatal(err)
	}
	got, err := tpl.Render(vars, Limits{})
	if err != nil || got != "1vnow" || vars["n"] != int64(1) || len(vars["names"].([]string)) != 2 {
		t.Errorf("%q %v %v", got, err, vars)
	}
	got, err = tpl.Render(vars, Limits{Now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)})
	if err != nil || got != "1v2026" {
		t.Errorf("%q %v", got, err)
	}
}

// Whatever is a template renders or fails within its limits, alike each time, and
// in HTML puts out no markup that only a value had. What is none says where.
func FuzzTemplate(f *testing.F) {
	for _, s := range templates {
		f.Add(s, "<script>{{ n }}")
	}
	for _, use := range uses {
		f.Add("{{ v | "+use+" }}", "a,<b>&\n")
	}
	f.Fuzz(func(t *testing.T, src, value string) {
		tpl, err := Parse(src)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Line < 1 || e.Column < 1 {
				t.Fatalf("%q: %v", src, err)
			}
			return
		}
		value = strings.ToValidUTF8(value, "")
		vars := map[string]any{"v": value, "name": value, "list": []any{value, 1.0, nil}, "user": map[string]any{"email": value}, "n": 3}
		l := Limits{Steps: 2000, Output: 1 << 14}
		one, err1 := tpl.Render(vars, l)
		two, err2 := tpl.Render(vars, l)
		if one != two || (err1 == nil) != (err2 == nil) || len(one) > l.Output {
			t.Fatalf("%q: %q %v, then %q %v", src, one, err1, two, err2)
		}
		if !strings.Contains(src, "{{") && !strings.Contains(src, "{%") && one != src {
			t.Fatalf("%q became %q", src, one)
		}
		html, err := tpl.RenderHTML(vars, l)
		if err == nil && !strings.ContainsRune(src, '<') && !strings.Contains(src, "raw") && !strings.Contains(src, "\\") &&
			!strings.Contains(src, "tablerow") && !strings.Contains(src, "debug") && !strings.Contains(src, "newline_to_br") &&
			!strings.Contains(src, "decode") && !strings.Contains(src, "&lt;") && strings.ContainsRune(html, '<') {
			t.Fatalf("%q with %q: %q", src, value, html)
		}
	})
}
