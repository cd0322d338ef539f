package liquid

import (
	"math"
	"reflect"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// equal is ==.
func equal(a, b any) bool {
	if s, ok := a.(special); ok {
		return s.matches(b)
	}
	if s, ok := b.(special); ok {
		return s.matches(a)
	}
	if x, ok := textOf(a); ok {
		y, ok := textOf(b)
		return ok && x == y
	}
	switch a := a.(type) {
	case nil:
		return b == nil
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !equal(valueOf(a[i]), valueOf(b[i])) {
				return false
			}
		}
		return true
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && reflect.ValueOf(a).Pointer() == reflect.ValueOf(b).Pointer()
	}
	if _, ok := textOf(b); ok {
		return false
	}
	switch b.(type) {
	case []any, map[string]any:
		return false
	}
	return a == b
}

func (s special) matches(v any) bool {
	if s == blank {
		if t, ok := v.(string); ok {
			return strings.TrimFunc(t, isSpace) == ""
		}
		if t, ok := v.(markup); ok {
			return strings.TrimFunc(string(t), isSpace) == ""
		}
		if v == nil || v == false {
			return true
		}
	}
	switch v := v.(type) {
	case string:
		return v == ""
	case markup:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// compare is <, and how it went; ok is false where there is no order.
func compare(a, b any) (order int, ok bool) {
	if _, is := a.(special); is {
		return 0, false
	}
	if _, is := b.(special); is {
		return 0, false
	}
	x, isText := textOf(a)
	if y, both := textOf(b); isText && both {
		return compareTexts(x, y), true
	}
	m, n := number(a), number(b)
	switch {
	case math.IsNaN(m) || math.IsNaN(n):
		return 0, false
	case m < n:
		return -1, true
	case m > n:
		return 1, true
	}
	return 0, true
}

// compareTexts orders by UTF-16, as JavaScript does.
func compareTexts(a, b string) int {
	for a != "" && b != "" {
		x, m := utf8.DecodeRuneInString(a)
		y, n := utf8.DecodeRuneInString(b)
		if x != y {
			if (x > 0xffff) != (y > 0xffff) { // a surrogate against a plain character
				x1, _ := utf16.EncodeRune(x)
				y1, _ := utf16.EncodeRune(y)
				if x <= 0xffff {
					x1 = x
				}
				if y <= 0xffff {
					y1 = y
				}
				x, y = x1, y1
			}
			return int(x) - int(y)
		}
		a, b = a[m:], b[n:]
	}
	return len(a) - len(b)
}

// units is the length of a text in JavaScript.
func units(s string) int {
	n := 0
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}
