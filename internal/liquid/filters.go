package liquid

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// filter makes a value of another one.
type filter func(c *context, v any, a arguments) (any, error)

// arguments of a filter, evaluated.
type arguments struct {
	list  []any
	named map[string]any
}

// at is an argument; nil when there is none.
func (a arguments) at(i int) any {
	if i >= len(a.list) {
		return nil
	}
	return a.list[i]
}

func (a arguments) text(i int) string { return display(a.at(i)) }

// or is an argument as a number, or what it is by default.
func (a arguments) or(i int, standard float64) float64 {
	if a.at(i) == nil {
		return standard
	}
	return number(a.at(i))
}

// filter applies one. What is made of the template's own words only is the
// template's word as well.
func (c *context) filter(f *call, v any) (any, error) {
	a := arguments{}
	ours, size := isOurs(v), weight(v)
	for _, arg := range f.args {
		var e any
		if arg.value != nil {
			var err error
			if e, err = arg.value.eval(c); err != nil {
				return nil, err
			}
		}
		ours, size = ours && isOurs(e), size+weight(e)
		if arg.name == "" {
			a.list = append(a.list, e)
			continue
		}
		if a.named == nil {
			a.named = map[string]any{}
		}
		a.named[arg.name] = e
	}
	if err := c.spend(size); err != nil {
		return nil, err
	}
	r, err := f.apply(c, v, a)
	if err != nil {
		return nil, err
	}
	if err := c.room(weight(r)); err != nil {
		return nil, err
	}
	if ours {
		r = makeOurs(r)
	}
	return r, nil
}

// isOurs reports whether a value holds nothing from outside.
func isOurs(v any) bool {
	switch v := v.(type) {
	case string, map[string]any:
		return false
	case []any:
		return !slices.ContainsFunc(v, func(e any) bool { return !isOurs(valueOf(e)) })
	}
	return true
}

func makeOurs(v any) any {
	switch v := v.(type) {
	case string:
		return markup(v)
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = makeOurs(valueOf(v[i]))
		}
		return list
	}
	return v
}

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;")
var unescaper = strings.NewReplacer("&amp;", "&", "&lt;", "<", "&gt;", ">", "&#34;", `"`, "&#39;", "'")

// mix puts texts together. In HTML, markup of the template among them makes
// markup of the whole, and the others are escaped.
func (c *context) mix(parts ...any) any {
	marked := false
	for _, p := range parts {
		if m, ok := p.(markup); ok && c.html && strings.ContainsAny(string(m), `<>&"'`) {
			marked = true
		}
	}
	var b strings.Builder
	for _, p := range parts {
		s := display(p)
		if _, ours := p.(markup); marked && !ours {
			s = escaper.Replace(s)
		}
		b.WriteString(s)
	}
	if marked {
		return markup(b.String())
	}
	return b.String()
}

// asText is v as one text, which remembers where it came from.
func asText(v any) any {
	switch v := v.(type) {
	case string, markup:
		return v
	}
	return display(v)
}

var filters = map[string]filter{
	"abs":        arithmetic(1, func(n []float64) float64 { return math.Abs(n[0]) }),
	"at_least":   extreme(math.Max),
	"at_most":    extreme(math.Min),
	"ceil":       arithmetic(1, func(n []float64) float64 { return math.Ceil(n[0]) }),
	"floor":      arithmetic(1, func(n []float64) float64 { return math.Floor(n[0]) }),
	"plus":       arithmetic(2, func(n []float64) float64 { return n[0] + n[1] }),
	"minus":      arithmetic(2, func(n []float64) float64 { return n[0] - n[1] }),
	"times":      arithmetic(2, func(n []float64) float64 { return n[0] * n[1] }),
	"modulo":     arithmetic(2, func(n []float64) float64 { return math.Mod(math.Mod(n[0], n[1])+n[1], n[1]) }),
	"divided_by": divide,
	"round":      round,

	"append":         appendText,
	"prepend":        prependText,
	"capitalize":     onText(capitalize),
	"upcase":         onText(func(s string) string { return strings.ReplaceAll(strings.ToUpper(s), "ß", "SS") }),
	"downcase":       onText(strings.ToLower),
	"strip":          strip(true, true),
	"lstrip":         strip(true, false),
	"rstrip":         strip(false, true),
	"strip_newlines": onText(func(s string) string { return newlines.Replace(s) }),
	"split":          split,
	"replace":        replace(-1),
	"replace_first":  replace(1),
	"remove":         remove(-1),
	"remove_first":   remove(1),
	"truncate":       truncate,
	"truncatewords":  truncateWords,

	"escape":        escape(func(s string) string { return s }),
	"escape_once":   escape(unescaper.Replace),
	"url_encode":    onText(encodeURL),
	"url_decode":    decodeURL,
	"strip_html":    onText(stripHTML),
	"newline_to_br": breakLines,
	"raw":           raw,

	"slice":        slice,
	"map":          mapMember,
	"sort":         sorted(func(a, b any) int { o, _ := compare(a, b); return o }),
	"sort_natural": sorted(func(a, b any) int { return compareTexts(strings.ToLower(display(a)), strings.ToLower(display(b))) }),
	"first":        func(_ *context, v any, _ arguments) (any, error) { return end0(v, 0), nil },
	"last":         func(_ *context, v any, _ arguments) (any, error) { return end0(v, -1), nil },
	"join":         join,
	"reverse":      reverse,
	"concat":       concat,
	"compact":      compact,
	"uniq":         uniq,
	"size":         size,

	"date":    date,
	"default": standard,
	"json":    asJSON,
}

var newlines = strings.NewReplacer("\r\n", "", "\n", "")

// onText makes a filter of a function of texts.
func onText(f func(string) string) filter {
	return func(_ *context, v any, _ arguments) (any, error) { return f(display(v)), nil }
}

// arithmetic is a filter of n numbers; one that is missing makes no number.
func arithmetic(n int, f func([]float64) float64) filter {
	return func(_ *context, v any, a arguments) (any, error) {
		numbers := []float64{orZero(v), math.NaN()}
		if n > 1 && len(a.list) > 0 {
			numbers[1] = orZero(a.list[0])
		}
		return f(numbers), nil
	}
}

func extreme(f func(a, b float64) float64) filter {
	return func(_ *context, v any, a arguments) (any, error) {
		n := orZero(v)
		for _, e := range a.list {
			n = f(n, orZero(e))
		}
		return n, nil
	}
}

func divide(_ *context, v any, a arguments) (any, error) {
	if len(a.list) == 0 {
		return math.NaN(), nil
	}
	n := orZero(v) / orZero(a.at(0))
	if orZero(a.at(1)) != 0 {
		n = math.Floor(n)
	}
	return n, nil
}

// round goes by the digits of the number, as LiquidJS does: 1.005 to two digits is 1.01.
func round(_ *context, v any, a arguments) (any, error) {
	n, places := orZero(v), orZero(a.at(0))
	shift := func(f, by float64) float64 {
		mantissa, power, _ := strings.Cut(numberText(f), "e")
		p, _ := strconv.ParseFloat("0"+strings.TrimLeft(power, "+-"), 64)
		if strings.HasPrefix(power, "-") {
			p = -p
		}
		return numberOf(mantissa + "e" + numberText(p+by))
	}
	scaled := shift(math.Abs(n), places)
	if !(scaled <= 1<<53-1) {
		return n, nil
	}
	r := shift(math.Floor(scaled+0.5), -places)
	if n < 0 {
		r = -r
	}
	return r, nil
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

// through is item.a.b.
func through(item any, path string) any {
	v := valueOf(item)
	for name := range strings.SplitSeq(path, ".") {
		v = member(v, markup(name))
	}
	return v
}

func mapMember(_ *context, v any, a arguments) (any, error) {
	list := listOf(v)
	out := make([]any, len(list))
	for i := range list {
		out[i] = through(list[i], a.text(0))
	}
	return out, nil
}

// sorted sorts by a member, or by the items themselves; nil comes last.
func sorted(order func(a, b any) int) filter {
	return func(c *context, v any, a arguments) (any, error) {
		list := listOf(v)
		if err := c.spend(64 * len(list)); err != nil {
			return nil, err
		}
		type keyed struct{ key, item any }
		all := make([]keyed, len(list))
		for i := range list {
			all[i] = keyed{valueOf(list[i]), list[i]}
			if truthy(a.at(0)) && a.text(0) != "" {
				all[i].key = through(list[i], a.text(0))
			}
		}
		slices.SortStableFunc(all, func(x, y keyed) int {
			switch {
			case x.key == nil && y.key == nil:
				return 0
			case x.key == nil:
				return 1
			case y.key == nil:
				return -1
			}
			return order(x.key, y.key)
		})
		out := make([]any, len(all))
		for i := range all {
			out[i] = all[i].item
		}
		return out, nil
	}
}

// end0 is the first or the last item, or character.
func end0(v any, at float64) any {
	if list, ok := v.([]any); ok {
		return element(list, at)
	}
	s, ok := v.(string)
	if m, ours := v.(markup); ours {
		s, ok = string(m), true
	}
	if !ok || s == "" {
		return ""
	}
	if at < 0 {
		_, n := utf8.DecodeLastRuneInString(s)
		return s[len(s)-n:]
	}
	_, n := utf8.DecodeRuneInString(s)
	return s[:n]
}

func join(c *context, v any, a arguments) (any, error) {
	list, by := listOf(v), any(markup(" "))
	if a.at(0) != nil {
		by = asText(a.at(0))
	}
	if err := c.room(weight(v) + len(list)*len(display(by))); err != nil {
		return nil, err
	}
	parts := make([]any, 0, 2*len(list))
	for i, e := range list {
		if i > 0 {
			parts = append(parts, by)
		}
		switch e := valueOf(e).(type) {
		case nil:
		case string, markup:
			parts = append(parts, e)
		default:
			parts = append(parts, script(e))
		}
	}
	return c.mix(parts...), nil
}

func reverse(_ *context, v any, _ arguments) (any, error) {
	list := slices.Clone(listOf(v))
	slices.Reverse(list)
	return list, nil
}

func concat(c *context, v any, a arguments) (any, error) {
	x, y := listOf(v), listOf(a.at(0))
	if err := c.room(16 * (len(x) + len(y))); err != nil {
		return nil, err
	}
	return slices.Concat(x, y), nil
}

func compact(_ *context, v any, _ arguments) (any, error) {
	return slices.DeleteFunc(slices.Clone(listOf(v)), func(e any) bool { return e == nil }), nil
}

// uniq keeps the first of equal items; lists and objects are equal to nothing.
func uniq(_ *context, v any, _ arguments) (any, error) {
	seen := map[any]bool{}
	return slices.DeleteFunc(slices.Clone(listOf(v)), func(e any) bool {
		key := valueOf(e)
		if s, ok := textOf(key); ok {
			key = s
		}
		switch key.(type) {
		case []any, map[string]any:
			return false
		}
		was := seen[key]
		seen[key] = true
		return was
	}), nil
}

func size(_ *context, v any, _ arguments) (any, error) {
	if list, ok := v.([]any); ok {
		return float64(len(list)), nil
	}
	switch v.(type) {
	case string, markup:
		return float64(units(display(v))), nil
	}
	return 0.0, nil
}

func standard(_ *context, v any, a arguments) (any, error) {
	switch t := v.(type) {
	case string, markup:
		if display(t) == "" {
			return a.at(0), nil
		}
		return v, nil
	case special:
		return a.at(0), nil
	case []any:
		if len(t) == 0 {
			return a.at(0), nil
		}
		return v, nil
	case bool:
		if !t && truthy(a.named["allow_false"]) {
			return v, nil
		}
	}
	if !truthy(v) {
		return a.at(0), nil
	}
	return v, nil
}

func asJSON(_ *context, v any, a arguments) (any, error) {
	if v == nil {
		return nil, nil //nolint:nilnil // nothing is the JSON of nothing
	}
	var b strings.Builder
	jsonOf(&b, v, strings.Repeat(" ", min(10, max(0, index(orZero(a.at(0)))))), "")
	return b.String(), nil
}

func date(c *context, v any, a arguments) (any, error) {
	offset, err := zoneOf(a.at(1))
	if err != nil {
		return nil, err
	}
	t, ok := dateOf(v, c.limits.Now)
	if !ok {
		return v, nil
	}
	format := "%A, %B %-e, %Y at %-l:%M %P %z"
	if a.at(0) != nil {
		format = a.text(0)
	}
	return strftime(t.In(offset), format, a.at(1) != nil, c.limits.Output)
}

// errZone: only fixed offsets are known; the names of places need files.
var errZone = fmt.Errorf("date knows the time zones UTC and GMT, and offsets in minutes")
