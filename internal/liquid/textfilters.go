package liquid

import (
	"errors"
	"math"
	"net/url"
	"strings"
	"unicode/utf8"
)

var newlines = strings.NewReplacer("\r\n", "", "\n", "")

// onText makes a filter of a function of texts.
func onText(f func(string) string) filter {
	return func(_ *context, v any, _ arguments) (any, error) { return f(display(v)), nil }
}

func appendText(c *context, v any, a arguments) (any, error) {
	if len(a.list) != 1 {
		return nil, errors.New("append expect 2 arguments")
	}
	return c.mix(asText(v), asText(a.at(0))), nil
}

func prependText(c *context, v any, a arguments) (any, error) {
	if len(a.list) != 1 {
		return nil, errors.New("prepend expect 2 arguments")
	}
	return c.mix(asText(a.at(0)), asText(v)), nil
}

func capitalize(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return ""
	}
	first := s[:n]
	if r <= 0xffff {
		first = strings.ReplaceAll(strings.ToUpper(first), "ß", "SS")
	}
	return first + strings.ToLower(s[n:])
}

func strip(left, right bool) filter {
	return func(_ *context, v any, a arguments) (any, error) {
		s, in := display(v), isSpace
		if chars := a.text(0); truthy(a.at(0)) && chars != "" {
			in = func(r rune) bool { return strings.ContainsRune(chars, r) }
		}
		if left {
			s = strings.TrimLeftFunc(s, in)
		}
		if right {
			s = strings.TrimRightFunc(s, in)
		}
		return s, nil
	}
}

func split(c *context, v any, a arguments) (any, error) {
	s, by := display(v), a.text(0)
	n := len(s)
	if by != "" {
		n = strings.Count(s, by)
	}
	if err := c.room(16 * n); err != nil {
		return nil, err
	}
	parts := strings.Split(s, by)
	for len(parts) > 0 && parts[len(parts)-1] == "" {
		parts = parts[:len(parts)-1]
	}
	return valueOf(parts), nil
}

func replace(n int) filter {
	return func(c *context, v any, a arguments) (any, error) {
		by := asText(a.at(1))
		s, old, size := display(v), a.text(0), len(display(by))
		times := strings.Count(s, old)
		if n == 1 {
			times = min(times, 1)
		}
		if err := c.room(len(s) + times*size); err != nil {
			return nil, err
		}
		var pieces []string
		switch {
		case n < 0:
			pieces = strings.Split(s, old)
		case old == "":
			pieces = []string{"", s}
		default:
			pieces = strings.SplitN(s, old, 2)
		}
		return c.joined(v, pieces, by), nil
	}
}

// joined puts pieces of a text together again, with something of the template or
// of the caller between them.
func (c *context) joined(v any, pieces []string, by any) any {
	_, ours := v.(markup)
	parts := make([]any, 0, 2*len(pieces))
	for i, p := range pieces {
		if i > 0 {
			parts = append(parts, by)
		}
		if ours {
			parts = append(parts, markup(p))
		} else {
			parts = append(parts, p)
		}
	}
	return c.mix(parts...)
}

func remove(n int) filter {
	return func(_ *context, v any, a arguments) (any, error) {
		if a.text(0) == "" {
			return display(v), nil
		}
		return strings.Replace(display(v), a.text(0), "", n), nil
	}
}

func truncate(c *context, v any, a arguments) (any, error) {
	s, most, more := display(v), a.or(0, 50), any(markup("..."))
	if a.at(1) != nil {
		more = asText(a.at(1))
	}
	r := []rune(s)
	if float64(len(r)) <= most || float64(units(s)) <= most {
		return v, nil
	}
	keep := max(0, most-float64(utf8.RuneCountInString(display(more))))
	if math.IsNaN(keep) {
		keep = 0
	}
	return c.joined(v, []string{string(r[:min(len(r), int(math.Ceil(keep)))]), ""}, more), nil
}

func truncateWords(c *context, v any, a arguments) (any, error) {
	words, more := a.or(0, 15), any(markup("..."))
	if a.at(1) != nil {
		more = asText(a.at(1))
	}
	if words <= 0 {
		words = 1
	}
	s := strings.TrimLeftFunc(display(v), isSpace)
	all := strings.FieldsFunc(s, isSpace)
	if s == "" || strings.TrimRightFunc(s, isSpace) != s {
		all = append(all, "")
	}
	n := min(len(all), index(words))
	text := strings.Join(all[:n], " ")
	if float64(len(all)) >= words {
		return c.joined(v, []string{text, ""}, more), nil
	}
	return text, nil
}

func escape(before func(string) string) filter {
	return func(_ *context, v any, _ arguments) (any, error) {
		return markup(escaper.Replace(before(display(v)))), nil
	}
}

func raw(_ *context, v any, _ arguments) (any, error) { return makeOurs(v), nil }

func breakLines(c *context, v any, _ arguments) (any, error) {
	s := display(v)
	if _, ours := v.(markup); !ours && c.html {
		s = escaper.Replace(s)
	}
	return markup(strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\n", "<br />\n")), nil
}

// encodeURL is encodeURIComponent with + for blanks.
func encodeURL(s string) string {
	return uriKept.Replace(url.QueryEscape(s))
}

var uriKept = strings.NewReplacer("%21", "!", "%27", "'", "%28", "(", "%29", ")", "%2A", "*")

func decodeURL(_ *context, v any, _ arguments) (any, error) {
	s, err := url.QueryUnescape(display(v))
	if err != nil || !utf8.ValidString(s) {
		return nil, errors.New("URI malformed")
	}
	return s, nil
}

// stripHTML takes tags, comments, scripts and styles away, and what is not
// closed stays.
func stripHTML(s string) string {
	blocks := [][2]string{{"<script", "</script>"}, {"<style", "</style>"}, {"<!--", "-->"}, {"<", ">"}}
	var b strings.Builder
	for {
		lt := strings.IndexByte(s, '<')
		if lt < 0 {
			return b.String() + s
		}
		b.WriteString(s[:lt])
		s = s[lt:]
		end := -1
		for i := 0; i < len(blocks) && end < 0; i++ {
			if blocks[i][0] == "" || !strings.HasPrefix(s, blocks[i][0]) {
				continue
			}
			if n := strings.Index(s[len(blocks[i][0]):], blocks[i][1]); n >= 0 {
				end = len(blocks[i][0]) + n + len(blocks[i][1])
			} else {
				blocks[i][0] = "" // and nowhere behind: the search is not repeated
			}
		}
		if end < 0 {
			return b.String() + s
		}
		s = s[end:]
	}
}

func slice(_ *context, v any, a arguments) (any, error) {
	begin, length := orZero(a.at(0)), a.or(1, 1)
	cut := func(n int) (int, int, bool) {
		if begin < 0 {
			begin += float64(n)
		}
		if begin < 0 || length < 0 {
			return 0, 0, false
		}
		from := min(index(math.Ceil(begin)), n)
		return from, min(from+index(math.Ceil(length)), n), true
	}
	if v == nil {
		return []any(nil), nil
	}
	if list, ok := v.([]any); ok {
		if from, to, ok := cut(len(list)); ok {
			return list[from:to], nil
		}
		return []any(nil), nil
	}
	r := []rune(display(v))
	if from, to, ok := cut(len(r)); ok {
		return string(r[from:to]), nil
	}
	return "", nil
}
