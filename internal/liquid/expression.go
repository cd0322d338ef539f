package liquid

import (
	"strings"
	"unicode/utf8"
)

// maxDepth is how deep tags, and brackets in an expression, may be nested.
const maxDepth = 64

// operand is what an expression is made of: a literal, a variable or a range.
type operand interface {
	eval(c *context) (any, error)
}

type literal struct{ value any }

// access is a variable, or a member of something: base is nil for a variable.
type access struct {
	base operand
	path []operand
}

type span struct{ low, high operand }

// expression is operands and operators in postfix order, and filters.
type expression struct {
	items   []item
	filters []call
	text    string
}

type item struct {
	op      string // or
	operand operand
}

// call is a filter with its arguments.
type call struct {
	name  string
	apply filter
	args  []argument
}

type argument struct {
	name  string // empty: by position
	value operand
}

// cursor reads expressions from a stretch of the source.
type cursor struct {
	src    string
	at, to int
	depth  int
}

func (c *cursor) fail(format string, args ...any) error {
	return wrong(c.src, c.at, format, args...)
}

func (c *cursor) rest() string { return c.src[c.at:c.to] }

func (c *cursor) done() bool { return c.at >= c.to }

// peek is the byte n places ahead; 0 behind the end.
func (c *cursor) peek(n int) byte {
	if c.at+n >= c.to {
		return 0
	}
	return c.src[c.at+n]
}

func (c *cursor) blanks() {
	c.at = c.to - len(strings.TrimLeftFunc(c.rest(), isBlank))
}

func (c *cursor) word() string {
	c.blanks()
	w := c.rest()[:wordLen(c.rest())]
	c.at += len(w)
	return w
}

// skipPast goes on behind the next s, or to the end.
func (c *cursor) skipPast(s string) bool {
	n := strings.Index(c.rest(), s)
	if n < 0 {
		c.at = c.to
		return false
	}
	c.at += n + len(s)
	return true
}

var operators = []string{"==", "!=", ">=", "<=", ">", "<", "contains", "not", "and", "or"}

func precedence(op string) int {
	switch op {
	case "and", "or":
		return 0
	case "not":
		return 1
	}
	return 2
}

// keyword takes one of words, if it is next.
func (c *cursor) keyword(words []string) (string, bool) {
	c.blanks()
	for _, w := range words {
		if !strings.HasPrefix(c.rest(), w) {
			continue
		}
		after, _ := utf8.DecodeRuneInString(c.rest()[len(w):])
		if last, _ := utf8.DecodeLastRuneInString(w); isWord(last) && isWord(after) && len(c.rest()) > len(w) {
			continue
		}
		c.at += len(w)
		return w, true
	}
	return "", false
}

// filtered reads an expression with its filters.
func (c *cursor) filtered() (*expression, error) {
	begin := c.at
	e := &expression{}
	if err := c.terms(e); err != nil {
		return nil, err
	}
	if len(e.items) == 0 {
		return nil, c.fail("invalid value expression: %s", excerpt(c.rest()))
	}
	for {
		f, more, err := c.filter()
		if err != nil {
			return nil, err
		}
		if !more {
			break
		}
		e.filters = append(e.filters, f)
	}
	e.text = c.src[begin:c.at]
	return e, nil
}

// terms reads operands and operators; of equal rank the last binds first.
func (c *cursor) terms(e *expression) error {
	var waiting []string
	pop := func() {
		e.items = append(e.items, item{op: waiting[len(waiting)-1]})
		waiting = waiting[:len(waiting)-1]
	}
	for !c.done() {
		if op, ok := c.keyword(operators); ok {
			for len(waiting) > 0 && precedence(waiting[len(waiting)-1]) > precedence(op) {
				pop()
			}
			waiting = append(waiting, op)
			continue
		}
		o, err := c.value()
		if err != nil {
			return err
		}
		if o == nil {
			break
		}
		e.items = append(e.items, item{operand: o})
	}
	for len(waiting) > 0 {
		pop()
	}
	return nil
}

func (c *cursor) filter() (f call, more bool, err error) {
	c.blanks()
	if c.done() || c.peek(0) == ')' || c.peek(0) == ',' {
		return f, false, nil
	}
	if c.peek(0) != '|' {
		return f, false, c.fail(`expected "|" before filter`)
	}
	c.at++
	if f.name = c.word(); f.name == "" {
		if !c.done() {
			return f, false, c.fail("expected filter name")
		}
		return f, false, nil
	}
	if f.apply = filters[f.name]; f.apply == nil {
		return f, false, c.fail("undefined filter: %s", f.name)
	}
	c.blanks()
	switch {
	case c.peek(0) == ':':
		err = c.arguments(&f)
	case c.done(), strings.IndexByte("|),", c.peek(0)) >= 0:
	default:
		err = c.fail(`expected ":" after filter name`)
	}
	return f, err == nil, err
}

func (c *cursor) arguments(f *call) error {
	for {
		c.at++ // the colon, or a comma
		var a argument
		c.blanks()
		begin := c.at
		v, err := c.value()
		if err != nil {
			return err
		}
		a.value = v
		key := c.src[begin:c.at]
		if c.blanks(); v != nil && c.peek(0) == ':' {
			c.at++
			a.name = key
			if a.value, err = c.value(); err != nil {
				return err
			}
		}
		if v != nil {
			f.args = append(f.args, a)
		}
		c.blanks()
		if !c.done() && strings.IndexByte(",|)", c.peek(0)) < 0 {
			return c.fail("unexpected character %s", excerpt(c.rest()))
		}
		if c.peek(0) != ',' {
			return nil
		}
	}
}
