package liquid

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// A value is nil, bool, float64, string, markup, []any, map[string]any, special,
// or a *turns.

// markup is a text that a template's author wrote, or that is escaped already.
// Any other string came from outside.
type markup string

// special is the literal empty or blank, which only comparisons know.
type special uint8

const (
	empty special = iota + 1
	blank
)

// turns is forloop, and with cols tablerowloop.
type turns struct {
	i, length int
	name      string
	cols      float64
	table     bool
}

// member of a loop's variable.
func (t *turns) member(name string) any {
	col := math.Mod(float64(t.i), t.cols)
	switch name {
	case "index":
		return float64(t.i + 1)
	case "index0", "i":
		return float64(t.i)
	case "rindex":
		return float64(t.length - t.i)
	case "rindex0":
		return float64(t.length - t.i - 1)
	case "first":
		return t.i == 0
	case "last":
		return t.i == t.length-1
	case "length":
		return float64(t.length)
	case "name":
		return markup(t.name)
	}
	if !t.table {
		return nil
	}
	switch name {
	case "row":
		return t.row()
	case "col0":
		return col
	case "col":
		return col + 1
	case "col_first":
		return col == 0
	case "col_last":
		return col+1 == t.cols
	case "cols":
		return t.cols
	}
	return nil
}

func (t *turns) row() float64 { return math.Floor(float64(t.i)/t.cols) + 1 }

func (t *turns) String() string {
	s := fmt.Sprintf(`{"i":%d,"length":%d,"name":%s`, t.i, t.length, jsonText(t.name))
	if t.table {
		s += `,"cols":` + numberText(t.cols)
	}
	return s + "}"
}

// valueOf makes a value of what a caller handed in.
func valueOf(v any) any {
	switch v := v.(type) {
	case nil, bool, float64, string, markup, []any, map[string]any, special, *turns:
		return v
	case int:
		return float64(v)
	case int64:
		return float64(v)
	case json.Number:
		return numberOf(string(v))
	case []string:
		list := make([]any, len(v))
		for i := range v {
			list[i] = v[i]
		}
		return list
	case map[string]string:
		m := make(map[string]any, len(v))
		for k := range v {
			m[k] = v[k]
		}
		return m
	}
	return nil
}

// textOf is the text of a string or markup.
func textOf(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case markup:
		return string(v), true
	case special:
		return "", true
	case *turns:
		return v.String(), true
	}
	return "", false
}

func truthy(v any) bool { return v != nil && v != false }

// display is how a value is put out.
func display(v any) string {
	if s, ok := textOf(v); ok {
		return s
	}
	switch v := v.(type) {
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return numberText(v)
	case []any:
		var b strings.Builder
		for _, e := range v {
			b.WriteString(display(valueOf(e)))
		}
		return b.String()
	case map[string]any:
		return "[object Object]"
	}
	return ""
}

// script is JavaScript's String(v).
func script(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			if e != nil {
				parts[i] = script(valueOf(e))
			}
		}
		return strings.Join(parts, ",")
	}
	return display(v)
}

// numberText is JavaScript's text of a number.
func numberText(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case f == 0:
		return "0"
	}
	if abs := math.Abs(f); abs >= 1e-6 && abs < 1e21 {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	s := strconv.FormatFloat(f, 'e', -1, 64)
	mantissa, exponent, _ := strings.Cut(s, "e")
	return mantissa + "e" + exponent[:1] + strings.TrimLeft(exponent[1:], "0")
}

// numberOf is JavaScript's Number(text); NaN when it is none.
func numberOf(s string) float64 {
	s = strings.TrimFunc(s, isSpace)
	switch s {
	case "":
		return 0
	case "Infinity", "+Infinity":
		return math.Inf(1)
	case "-Infinity":
		return math.Inf(-1)
	}
	if len(s) > 2 && s[0] == '0' && strings.IndexByte("xXoObB", s[1]) >= 0 {
		if n, err := strconv.ParseUint(s, 0, 64); err == nil && strings.IndexByte(s, '_') < 0 {
			return float64(n)
		}
		return math.NaN()
	}
	if strings.Trim(s, "0123456789+-.eE") != "" {
		return math.NaN()
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 0) {
		return math.NaN()
	}
	return f
}

// number is JavaScript's +v.
func number(v any) float64 {
	switch v := v.(type) {
	case float64:
		return v
	case bool:
		if v {
			return 1
		}
		return 0
	case nil:
		return math.NaN()
	}
	return numberOf(script(v))
}

// orZero is a number for arithmetic: 0 where there is none.
func orZero(v any) float64 {
	if f := number(v); !math.IsNaN(f) {
		return f
	}
	return 0
}

// index is how JavaScript takes a number for a position.
func index(f float64) int {
	switch {
	case math.IsNaN(f):
		return 0
	case f > math.MaxInt32:
		return math.MaxInt32
	case f < math.MinInt32:
		return math.MinInt32
	}
	return int(f)
}

// part is list.slice(from, to) of JavaScript; a negative place counts from the end.
func part(list []any, from, to int) []any {
	clamp := func(i int) int {
		if i < 0 {
			i += len(list)
		}
		return min(max(i, 0), len(list))
	}
	from, to = clamp(from), clamp(to)
	if from >= to {
		return nil
	}
	return list[from:to]
}

// jsonText is a text as JSON.
func jsonText(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return `""`
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// jsonOf is a value as JSON, indented when indent is not empty.
func jsonOf(b *strings.Builder, v any, indent, margin string) {
	line, colon := "", ":"
	if indent != "" {
		line, colon = "\n"+margin+indent, ": "
	}
	list := func(open, shut string, n int, each func(i int)) {
		b.WriteString(open)
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(line)
			each(i)
		}
		if n > 0 && indent != "" {
			b.WriteString("\n" + margin)
		}
		b.WriteString(shut)
	}
	switch v := valueOf(v).(type) {
	case nil:
		b.WriteString("null")
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			b.WriteString("null")
			return
		}
		b.WriteString(numberText(v))
	case []any:
		list("[", "]", len(v), func(i int) { jsonOf(b, v[i], indent, margin+indent) })
	case map[string]any:
		keys := slices.Sorted(maps.Keys(v))
		list("{", "}", len(keys), func(i int) {
			b.WriteString(jsonText(keys[i]) + colon)
			jsonOf(b, v[keys[i]], indent, margin+indent)
		})
	case bool:
		b.WriteString(strconv.FormatBool(v))
	case *turns:
		b.WriteString(v.String())
	default:
		s, _ := textOf(v)
		b.WriteString(jsonText(s))
	}
}
