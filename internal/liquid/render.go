package liquid

import (
	"errors"
	"math"
	"slices"
	"strings"
)

// context is one rendering.
type context struct {
	limits Limits
	html   bool
	src    string
	steps  int
	said   int // bytes, captured ones included
	out    *strings.Builder
	vars   map[string]any // a copy of the caller's, which increment changes
	scopes []map[string]any
	// Which loop is left, or which turn.
	breaks, goesOn bool
	cycles         map[string]int
	continues      map[string]float64 // where offset:continue goes on
}

// spend counts steps.
func (c *context) spend(n int) error {
	if c.steps += 1 + n/64; c.steps > c.limits.Steps || c.steps < 0 {
		return ErrLimit
	}
	return nil
}

// room is an error where a text or list of that size does not fit.
func (c *context) room(n int) error {
	if n > c.limits.Output || n < 0 {
		return ErrLimit
	}
	return c.spend(n)
}

func (c *context) write(s string) error {
	if c.said += len(s); c.said > c.limits.Output {
		return ErrLimit
	}
	c.out.WriteString(s)
	return nil
}

// put writes a value. Of what came from outside, HTML is escaped.
func (c *context) put(v any) error {
	if list, ok := v.([]any); ok {
		for _, e := range list {
			if err := c.spend(0); err != nil {
				return err
			}
			if err := c.put(valueOf(e)); err != nil {
				return err
			}
		}
		return nil
	}
	s := display(v)
	if _, outside := v.(string); outside && c.html {
		s = escaper.Replace(s)
	}
	return c.write(s)
}

func (c *context) run(nodes []node) error {
	for _, n := range nodes {
		if err := c.spend(0); err != nil {
			return err
		}
		if err := n.render(c); err != nil {
			return err
		}
		if c.breaks || c.goesOn {
			return nil
		}
	}
	return nil
}

// at gives an error of a value the place of its tag.
func (c *context) at(place int, err error) error {
	var e *Error
	if err == nil || errors.Is(err, ErrLimit) || errors.As(err, &e) {
		return err
	}
	return wrong(c.src, place, "%s", err.Error())
}

// bottom is where assign and capture write.
func (c *context) bottom() map[string]any { return c.scopes[0] }

func (c *context) push(scope map[string]any) { c.scopes = append(c.scopes, scope) }

func (c *context) pop() { c.scopes = c.scopes[:len(c.scopes)-1] }

func (c *context) lookup(name string) any {
	for _, s := range slices.Backward(c.scopes) {
		if v, ok := s[name]; ok {
			return v
		}
	}
	return valueOf(c.vars[name])
}

func (l literal) eval(*context) (any, error) { return l.value, nil }

func (a *access) eval(c *context) (any, error) {
	var v any
	path := a.path
	if a.base != nil {
		var err error
		if v, err = a.base.eval(c); err != nil {
			return nil, err
		}
	} else {
		key, err := path[0].eval(c)
		if err != nil {
			return nil, err
		}
		v = c.lookup(script(key))
		path = path[1:]
	}
	for _, p := range path {
		key, err := p.eval(c)
		if err != nil {
			return nil, err
		}
		if err := c.spend(0); err != nil {
			return nil, err
		}
		v = member(v, key)
	}
	return v, nil
}

func (s *span) eval(c *context) (any, error) {
	low, err := s.low.eval(c)
	if err != nil {
		return nil, err
	}
	high, err := s.high.eval(c)
	if err != nil {
		return nil, err
	}
	from, to := number(low), number(high)
	if math.IsNaN(from) || math.IsNaN(to) || from > to {
		return []any(nil), nil
	}
	n := to - from + 1
	if n > float64(c.limits.Output/16) {
		return nil, ErrLimit
	}
	if err := c.room(16 * int(n)); err != nil {
		return nil, err
	}
	list := make([]any, 0, int(n))
	for f := from; f < to+1 && len(list) < int(n)+1; f++ {
		list = append(list, f)
	}
	return list, nil
}

func (e *expression) eval(c *context) (any, error) {
	if err := c.spend(len(e.items)); err != nil {
		return nil, err
	}
	var stack []any
	pop := func() any {
		if len(stack) == 0 {
			return nil
		}
		v := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		return v
	}
	for _, it := range e.items {
		if it.operand != nil {
			v, err := it.operand.eval(c)
			if err != nil {
				return nil, err
			}
			stack = append(stack, v)
			continue
		}
		right := pop()
		if it.op == "not" {
			stack = append(stack, !truthy(right))
			continue
		}
		left := pop()
		if err := c.spend(weight(left) + weight(right)); err != nil {
			return nil, err
		}
		stack = append(stack, operate(it.op, left, right))
	}
	v := any(nil)
	if len(stack) > 0 {
		v = stack[0]
	}
	for i := range e.filters {
		var err error
		if v, err = c.filter(&e.filters[i], v); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func operate(op string, l, r any) bool {
	switch op {
	case "==":
		return equal(l, r)
	case "!=":
		return !equal(l, r)
	case "and":
		return truthy(l) && truthy(r)
	case "or":
		return truthy(l) || truthy(r)
	case "contains":
		if list, ok := l.([]any); ok {
			return slices.ContainsFunc(list, func(e any) bool { return equal(valueOf(e), r) })
		}
		s, ok := textOf(l)
		if _, is := r.(special); is {
			r = ""
		}
		return ok && strings.Contains(s, script(r))
	}
	order, ok := compare(l, r)
	switch op {
	case "<":
		return ok && order < 0
	case ">":
		return ok && order > 0
	case "<=":
		return ok && order <= 0
	}
	return ok && order >= 0
}

// weight is about how much there is to look at in a value.
func weight(v any) int {
	switch v := v.(type) {
	case string:
		return len(v)
	case markup:
		return len(v)
	case []any:
		n := 16 * len(v)
		for _, e := range v {
			n += weight(e)
		}
		return n
	case map[string]any:
		return 32 * len(v)
	}
	return 0
}
