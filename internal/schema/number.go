package schema

import (
	"cmp"
	"encoding/json"
	"strconv"
	"strings"
)

// safeInteger is the largest integer that every reader of JSON holds exactly.
const safeInteger = 1<<53 - 1

// Int is the integer that the JSON number v holds, in whatever spelling (1,
// 1.0, 1e3), and whether v is an integer between ±(2⁵³−1).
func Int(v json.RawMessage) (int64, bool) {
	d, ok := parseDecimal(v)
	if !ok || !d.isInteger() || d.compare(decimalOf(safeInteger)) > 0 || d.compare(decimalOf(-safeInteger)) < 0 {
		return 0, false
	}
	digits := d.digits + strings.Repeat("0", int(d.point)-len(d.digits))
	if digits == "" {
		return 0, true
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if d.negative {
		n = -n
	}
	return n, err == nil
}

// decimal is a number exactly as written: ±0.DIGITS × 10^point, DIGITS without
// zeros at either end. Nothing is rounded and nothing is computed from it, so
// 1e999999999 costs as little as 1.
type decimal struct {
	negative bool
	digits   string // empty: zero
	point    int64
}

// pointMax bounds the exponent; beyond it all numbers are alike too large or too small.
const pointMax = 1 << 40

func decimalOf(n int) decimal {
	d, _ := parseDecimal([]byte(strconv.Itoa(n)))
	return d
}

// parseDecimal reads a number by the grammar of RFC 8259 §6.
func parseDecimal(v []byte) (d decimal, ok bool) {
	s := string(v)
	s, d.negative = strings.CutPrefix(s, "-")
	whole, s := digitsOf(s)
	if whole == "" || len(whole) > 1 && whole[0] == '0' {
		return decimal{}, false
	}
	fraction := ""
	if after, is := strings.CutPrefix(s, "."); is {
		if fraction, s = digitsOf(after); fraction == "" {
			return decimal{}, false
		}
	}
	var exponent int64
	if s != "" && (s[0] == 'e' || s[0] == 'E') {
		s = s[1:]
		minus := strings.HasPrefix(s, "-")
		if minus || strings.HasPrefix(s, "+") {
			s = s[1:]
		}
		var text string
		if text, s = digitsOf(s); text == "" {
			return decimal{}, false
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n > pointMax {
			n = pointMax
		}
		if exponent = n; minus {
			exponent = -n
		}
	}
	if s != "" {
		return decimal{}, false
	}
	all := whole + fraction
	d.digits = strings.TrimLeft(all, "0")
	d.point = int64(len(whole)-(len(all)-len(d.digits))) + exponent
	if d.digits = strings.TrimRight(d.digits, "0"); d.digits == "" {
		return decimal{}, true
	}
	return d, true
}

func digitsOf(s string) (digits, rest string) {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return s[:n], s[n:]
}

func (d decimal) isInteger() bool { return d.point >= int64(len(d.digits)) }

// compare is -1, 0 or 1, as d is less than, equal to or greater than o.
func (d decimal) compare(o decimal) int {
	if c := cmp.Compare(d.sign(), o.sign()); c != 0 || d.digits == "" {
		return c
	}
	c := cmp.Compare(d.point, o.point)
	if c == 0 {
		c = strings.Compare(d.digits, o.digits)
	}
	return c * d.sign()
}

func (d decimal) sign() int {
	switch {
	case d.digits == "":
		return 0
	case d.negative:
		return -1
	}
	return 1
}
