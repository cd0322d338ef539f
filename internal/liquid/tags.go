package liquid

import (
	"math"
	"slices"
	"strings"
)

type text string

func (t text) render(c *context) error { return c.write(string(t)) }

type output struct {
	value *expression
	at    int
}

func (o *output) render(c *context) error {
	v, err := o.value.eval(c)
	if err == nil {
		err = c.put(v)
	}
	return c.at(o.at, err)
}

type group []node

func (g group) render(c *context) error { return c.run(g) }

type assign struct {
	name  string
	value *expression
	at    int
}

func (a *assign) render(c *context) error {
	v, err := a.value.eval(c)
	if err != nil {
		return c.at(a.at, err)
	}
	c.bottom()[a.name] = v
	return nil
}

type capture struct {
	name string
	body []node
}

func (n *capture) render(c *context) error {
	outer := c.out
	c.out = &strings.Builder{}
	err := c.run(n.body)
	c.bottom()[n.name] = markup(c.out.String())
	c.out = outer
	return err
}

type increment struct {
	name string
	down bool
}

func (n *increment) render(c *context) error {
	v, _ := valueOf(c.vars[n.name]).(float64)
	if n.down {
		c.vars[n.name] = v - 1
		return c.write(numberText(v - 1))
	}
	c.vars[n.name] = v + 1
	return c.write(numberText(v))
}

type conditional struct {
	branches  []*guarded
	otherwise []node
	at        int
}

type guarded struct {
	test    *expression
	negated bool
	body    []node
}

func (n *conditional) render(c *context) error {
	for _, b := range n.branches {
		v, err := b.test.eval(c)
		if err != nil {
			return c.at(n.at, err)
		}
		if truthy(v) != b.negated {
			return c.run(b.body)
		}
	}
	return c.run(n.otherwise)
}

type choice struct {
	subject   *expression
	branches  []*when
	otherwise []node
	at        int
}

type when struct {
	values []operand
	body   []node
}

// render runs every branch that matches.
func (n *choice) render(c *context) error {
	subject, err := n.subject.eval(c)
	if err != nil {
		return c.at(n.at, err)
	}
	if _, is := subject.(special); is {
		subject = markup("")
	}
	hit := false
	for _, b := range n.branches {
		for _, o := range b.values {
			v, err := o.eval(c)
			if err == nil {
				err = c.spend(weight(v))
			}
			if err != nil {
				return c.at(n.at, err)
			}
			if equal(subject, v) {
				hit = true
				if err := c.run(b.body); err != nil {
					return err
				}
				break
			}
		}
	}
	if hit {
		return nil
	}
	return c.run(n.otherwise)
}

// loop is what for and tablerow have in common.
type loop struct {
	variable, text string
	items          operand
	options        map[string]operand
	body           []node
	at             int
}

// start evaluates the collection and the modifiers.
func (l *loop) start(c *context) (list []any, options map[string]any, err error) {
	v, err := l.items.eval(c)
	if err != nil {
		return nil, nil, err
	}
	if t, ok := v.(*turns); ok {
		v = t.String()
	}
	list = items(v)
	if err := c.room(16 * len(list)); err != nil {
		return nil, nil, err
	}
	options = make(map[string]any, len(l.options))
	c.push(map[string]any{"continue": c.continues[l.variable+"-"+l.text]})
	defer c.pop()
	for name, o := range l.options {
		if options[name], err = o.eval(c); err != nil {
			return nil, nil, err
		}
	}
	return list, options, nil
}

type forLoop struct {
	loop

	otherwise []node
}

func (n *forLoop) render(c *context) error {
	list, options, err := n.start(c)
	if err != nil {
		return c.at(n.at, err)
	}
	if len(list) == 0 {
		return c.run(n.otherwise)
	}
	if v := options["offset"]; v != nil {
		list = part(list, index(number(v)), len(list))
	}
	if v := options["limit"]; v != nil {
		list = part(list, 0, index(number(v)))
	}
	if options["reversed"] != nil {
		list = slices.Clone(list)
		slices.Reverse(list)
	}
	c.continues[n.variable+"-"+n.text] = orZero(options["offset"]) + float64(len(list))
	t := &turns{length: len(list), name: n.variable + "-" + n.text}
	scope := map[string]any{"forloop": t}
	c.push(scope)
	defer c.pop()
	for _, e := range list {
		scope[n.variable] = valueOf(e)
		c.breaks, c.goesOn = false, false
		if err := c.spend(0); err != nil {
			return err
		}
		if err := c.run(n.body); err != nil {
			return err
		}
		if c.breaks {
			break
		}
		t.i++
	}
	c.breaks, c.goesOn = false, false
	return nil
}

type tablerow struct{ loop }

func (n *tablerow) render(c *context) error {
	list, options, err := n.start(c)
	if err != nil {
		return c.at(n.at, err)
	}
	offset := index(orZero(options["offset"]))
	limit := len(list)
	if v, ok := options["limit"]; ok && v != nil {
		limit = index(number(v))
	}
	list = part(list, offset, offset+limit)
	t := &turns{length: len(list), name: n.variable + "-" + n.text, table: true, cols: orZero(options["cols"])}
	if t.cols == 0 {
		t.cols = float64(len(list))
	}
	scope := map[string]any{"tablerowloop": t}
	c.push(scope)
	defer c.pop()
	for ; t.i < len(list); t.i++ {
		scope[n.variable] = valueOf(list[t.i])
		open := `<td class="col` + numberText(math.Mod(float64(t.i), t.cols)+1) + `">`
		if math.Mod(float64(t.i), t.cols) == 0 {
			open = `<tr class="row` + numberText(t.row()) + `">` + open
			if t.row() != 1 {
				open = "</tr>" + open
			}
		}
		if err := c.spend(0); err != nil {
			return err
		}
		if err := c.write(open); err != nil {
			return err
		}
		if err := c.run(n.body); err != nil {
			return err
		}
		if err := c.write("</td>"); err != nil {
			return err
		}
	}
	if len(list) > 0 {
		return c.write("</tr>")
	}
	return nil
}

type cycle struct {
	group      operand
	key        string
	candidates []*expression
	at         int
}

func (n *cycle) render(c *context) error {
	key := n.key
	if n.group != nil {
		v, err := n.group.eval(c)
		if err != nil {
			return c.at(n.at, err)
		}
		key = script(v) + ":" + key
		if err := c.room(len(key)); err != nil {
			return err
		}
	}
	i := c.cycles[key]
	c.cycles[key] = (i + 1) % len(n.candidates)
	v, err := n.candidates[i].eval(c)
	if err != nil {
		return c.at(n.at, err)
	}
	if v == false || v == 0.0 { // LiquidJS writes what is truthy to JavaScript
		return nil
	}
	return c.put(v)
}

// jump is break or continue.
type jump string

func (j jump) render(c *context) error {
	if j == "break" {
		c.breaks = true
	} else {
		c.goesOn = true
	}
	return nil
}

// debug is the variables, for whoever writes a template.
type debug struct{}

func (debug) render(c *context) error {
	var b strings.Builder
	jsonOf(&b, c.vars, "  ", "")
	if err := c.room(b.Len()); err != nil {
		return err
	}
	if !c.html {
		return c.write(b.String())
	}
	return c.write("<pre>" + escaper.Replace(b.String()) + "</pre>")
}
