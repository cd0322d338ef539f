package liquid

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
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
