package liquid

import (
	"strings"
	"unicode/utf8"
)

var literals = map[string]any{"true": true, "false": false, "nil": nil, "null": nil, "empty": empty, "blank": blank}

var literalWords = []string{"true", "false", "nil", "null", "empty", "blank"}

// value reads an operand; nil when there is none.
func (c *cursor) value() (operand, error) {
	c.blanks()
	var base operand
	if w, ok := c.keyword(literalWords); ok {
		base = literal{literals[w]}
	} else if q := c.peek(0); q == '"' || q == '\'' {
		n := quotedEnd(c.rest())
		base = literal{markup(unquote(c.rest()[:n]))}
		c.at += n
	} else if n, ok := c.number(); ok {
		base = literal{n}
	} else if q == '(' {
		r, err := c.span()
		if err != nil {
			return nil, err
		}
		base = r
	}
	path, err := c.path(base == nil)
	if err != nil {
		return nil, err
	}
	if len(path) == 0 {
		return base, nil
	}
	return &access{base, path}, nil
}

// path reads members: .name and ["name"]; first allows a plain name in front.
func (c *cursor) path(first bool) ([]operand, error) {
	if c.depth++; c.depth > maxDepth {
		return nil, c.fail("brackets are nested too deeply")
	}
	defer func() { c.depth-- }()
	var path []operand
	for {
		switch {
		case c.peek(0) == '[':
			c.at++
			o, err := c.value()
			if err != nil {
				return nil, err
			}
			if o == nil {
				o = literal{markup("")}
			}
			if !c.skipPast("]") {
				return nil, c.fail("[ not closed")
			}
			path = append(path, o)
			continue
		case first && len(path) == 0:
			if w := c.rest()[:wordLen(c.rest())]; w != "" {
				c.at += len(w)
				path = append(path, literal{markup(w)})
				continue
			}
		}
		if c.peek(0) != '.' || c.peek(1) == '.' { // two begin the other end of a range
			return path, nil
		}
		c.at++
		w := c.word()
		if w == "" {
			return path, nil
		}
		path = append(path, literal{markup(w)})
	}
}

func (c *cursor) number() (float64, bool) {
	n, digits, point := 0, false, false
	if b := c.peek(0); b == '+' || b == '-' {
		n++
	}
	for ; ; n++ {
		b := c.peek(n)
		if b >= '0' && b <= '9' {
			digits = true
		} else if b == '.' && c.peek(n+1) != '.' {
			if point || !digits {
				return 0, false
			}
			point = true
		} else {
			break
		}
	}
	after, _ := utf8.DecodeRuneInString(c.rest()[min(n, len(c.rest())):])
	if !digits || c.peek(n) != 0 && isWord(after) {
		return 0, false
	}
	v := numberOf(c.rest()[:n])
	c.at += n
	return v, true
}

func (c *cursor) span() (operand, error) {
	if c.depth++; c.depth > maxDepth {
		return nil, c.fail("brackets are nested too deeply")
	}
	defer func() { c.depth-- }()
	c.at++
	low, err := c.mustValue()
	if err != nil {
		return nil, err
	}
	if c.blanks(); c.peek(0) != '.' || c.peek(1) != '.' {
		return nil, c.fail("invalid range syntax")
	}
	c.at += 2
	high, err := c.mustValue()
	if err != nil {
		return nil, err
	}
	if c.blanks(); c.peek(0) != ')' {
		return nil, c.fail("invalid range syntax")
	}
	c.at++
	return &span{low, high}, nil
}

func (c *cursor) mustValue() (operand, error) {
	o, err := c.value()
	if err == nil && o == nil {
		err = c.fail("unexpected token %s, value expected", excerpt(c.rest()))
	}
	return o, err
}

// options reads the modifiers of a loop: name, or name: value.
func (c *cursor) options() (map[string]operand, error) {
	m := map[string]operand{}
	for {
		if c.blanks(); c.peek(0) == ',' {
			c.at++
		}
		name := c.word()
		if name == "" {
			return m, nil
		}
		var o operand = literal{true}
		if c.blanks(); c.peek(0) == ':' {
			c.at++
			v, err := c.value()
			if err != nil {
				return nil, err
			}
			if v != nil {
				o = v
			}
		}
		m[name] = o
	}
}

// unquote takes the quotes and the escapes of JavaScript away.
func unquote(s string) string {
	if len(s) < 2 {
		return ""
	}
	_, last := utf8.DecodeLastRuneInString(s) // not a quote where none closes it
	s = s[1 : len(s)-last]
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 >= len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch e := s[i]; {
		case strings.IndexByte("bfnrtv", e) >= 0:
			b.WriteByte("\b\f\n\r\t\v"[strings.IndexByte("bfnrtv", e)])
		case e == 'u':
			r, n := digits(s[i+1:], 16, 4)
			b.WriteRune(r)
			i += n
		case e >= '0' && e <= '7':
			r, n := digits(s[i:], 8, 3)
			b.WriteRune(r)
			i += n - 1
		default:
			b.WriteByte(e)
		}
	}
	return b.String()
}

// digits reads up to most digits of a base.
func digits(s string, base rune, most int) (r rune, n int) {
	for n < len(s) && n < most {
		d := strings.IndexByte("0123456789abcdefABCDEF", s[n])
		if d >= 16 {
			d -= 6
		}
		if d < 0 || rune(d) >= base {
			break
		}
		r = r*base + rune(d)
		n++
	}
	return r, n
}
