package liquid

import "strings"

// node is a part of a parsed template.
type node interface {
	render(c *context) error
}

type parser struct {
	src    string
	pieces []piece
	depth  int
}

// all reads to the end of the source.
func (p *parser) all() ([]node, error) {
	var nodes []node
	for {
		t, ok := p.next()
		if !ok {
			return nodes, nil
		}
		n, err := p.node(t)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
	}
}

func (p *parser) next() (piece, bool) {
	if len(p.pieces) == 0 {
		return piece{}, false
	}
	t := p.pieces[0]
	p.pieces = p.pieces[1:]
	return t, true
}

func (p *parser) cursor(t piece) *cursor { return &cursor{src: p.src, at: t.from, to: t.to} }

func (p *parser) args(t piece) string { return p.src[t.from:t.to] }

func (p *parser) fail(t piece, format string, args ...any) error {
	return wrong(p.src, t.begin, format, args...)
}

// node parses what begins with t.
func (p *parser) node(t piece) (node, error) {
	switch t.kind {
	case textPiece:
		return text(t.text), nil
	case outputPiece:
		e, err := p.cursor(t).filtered()
		return &output{e, t.begin}, err
	}
	parse := tags[t.name]
	if parse == nil {
		return nil, p.fail(t, "tag %s not found", jsonText(t.name))
	}
	if p.depth++; p.depth > maxDepth {
		return nil, p.fail(t, "tags are nested too deeply")
	}
	defer func() { p.depth-- }()
	return parse(p, t)
}

var tags map[string]func(p *parser, t piece) (node, error)

func init() { // the functions below lead back to the table
	tags = map[string]func(p *parser, t piece) (node, error){
		"assign": parseAssign, "capture": parseCapture, "increment": parseIncrement, "decrement": parseIncrement,
		"if": parseIf, "unless": parseIf, "case": parseCase,
		"for": parseFor, "tablerow": parseTablerow, "cycle": parseCycle, "break": parseJump, "continue": parseJump,
		"comment": parseComment, "#": parseRemark, "raw": parseRaw, "echo": parseEcho, "liquid": parseLines, "debug": parseDebug,
		"include": refuse, "render": refuse, "layout": refuse, "block": refuse,
	}
}

// refuse: a template is one text; there are no files for it to open.
func refuse(p *parser, t piece) (node, error) {
	return nil, p.fail(t, "tag %s is not available: a template cannot use other files", jsonText(t.name))
}

// end is what a tag within a block means to the block.
type end uint8

const (
	other  end = iota // nothing
	branch            // what follows belongs elsewhere
	closed
)

// block reads until on says closed. Nodes go where into points at that time.
func (p *parser) block(open piece, into **[]node, on func(t piece) (end, error)) error {
	for {
		t, ok := p.next()
		if !ok {
			return p.fail(open, "tag %s not closed", p.src[open.begin:open.end])
		}
		if t.kind == tagPiece {
			e, err := on(t)
			if err != nil {
				return err
			}
			if e == closed {
				return nil
			}
			if e == branch {
				continue
			}
		}
		n, err := p.node(t)
		if err != nil {
			return err
		}
		if *into != nil {
			**into = append(**into, n)
		}
	}
}

// bare refuses arguments of a tag that has none.
func (p *parser) bare(t piece) error {
	if a := p.args(t); a != "" {
		return p.fail(t, "unexpected %s", jsonText(a))
	}
	return nil
}

func parseAssign(p *parser, t piece) (node, error) {
	c := p.cursor(t)
	n := &assign{at: t.begin}
	if n.name = c.word(); n.name == "" {
		return nil, c.fail("expected variable name")
	}
	if c.blanks(); c.peek(0) != '=' {
		return nil, c.fail(`expected "="`)
	}
	c.at++
	var err error
	n.value, err = c.filtered()
	return n, err
}

func parseCapture(p *parser, t piece) (node, error) {
	c := p.cursor(t)
	n := &capture{}
	if n.name = c.word(); n.name == "" {
		q := c.peek(0)
		if q != '"' && q != '\'' {
			return nil, c.fail("invalid capture name")
		}
		n.name = unquote(c.rest()[:quotedEnd(c.rest())])
	}
	into := &n.body
	return n, p.block(t, &into, func(t piece) (end, error) {
		if t.isTag("endcapture") {
			return closed, nil
		}
		return other, nil
	})
}

func parseIncrement(p *parser, t piece) (node, error) {
	return &increment{p.cursor(t).word(), t.name == "decrement"}, nil
}

func parseIf(p *parser, t piece) (node, error) {
	n := &conditional{at: t.begin}
	first, err := p.cursor(t).filtered()
	if err != nil {
		return nil, err
	}
	unless, last := t.name == "unless", "end"+t.name
	n.branches = []*guarded{{test: first, negated: unless}}
	into, elses := &n.branches[0].body, 0
	return n, p.block(t, &into, func(t piece) (end, error) {
		switch {
		case t.isTag(last):
			if unless {
				return closed, nil
			}
			return closed, p.bare(t)
		case t.isTag("elsif"):
			if elses > 0 && !unless {
				return branch, p.fail(t, "unexpected elsif after else")
			}
			if into = nil; elses == 0 {
				e, err := p.cursor(t).filtered()
				if err != nil {
					return branch, err
				}
				g := &guarded{test: e}
				n.branches = append(n.branches, g)
				into = &g.body
			}
			return branch, nil
		case t.isTag("else"):
			if elses++; elses > 1 && !unless {
				return branch, p.fail(t, "duplicated else")
			}
			if into = &n.otherwise; elses > 1 {
				into = nil
			}
			if unless {
				return branch, nil
			}
			return branch, p.bare(t)
		}
		return other, nil
	})
}

func parseCase(p *parser, t piece) (node, error) {
	subject, err := p.cursor(t).filtered()
	if err != nil {
		return nil, err
	}
	n := &choice{subject: subject, at: t.begin}
	var into *[]node // nowhere, until the first when
	elses := 0
	return n, p.block(t, &into, func(t piece) (end, error) {
		switch {
		case t.isTag("endcase"):
			return closed, nil
		case t.isTag("else"):
			if elses++; elses > 1 {
				into = nil
			} else {
				into = &n.otherwise
			}
			return branch, nil
		case t.isTag("when") && elses > 0:
			return branch, nil
		case t.isTag("when"):
			w := &when{}
			c := p.cursor(t)
			for !c.done() {
				o, err := c.mustValue()
				if err != nil {
					return branch, err
				}
				w.values = append(w.values, o)
				if c.blanks(); c.peek(0) == ',' {
					c.at++
				} else {
					c.skipPast("or")
				}
			}
			n.branches = append(n.branches, w)
			into = &w.body
			return branch, nil
		}
		return other, nil
	})
}

// loopHead reads "item in items modifiers".
func (p *parser) loopHead(t piece) (l loop, err error) {
	c := p.cursor(t)
	l.at = t.begin
	l.variable = c.word()
	in := c.word()
	c.blanks()
	begin := c.at
	if l.items, err = c.value(); err != nil {
		return l, err
	}
	l.text = c.src[begin:c.at]
	if in != "in" || l.items == nil || t.name == "for" && l.variable == "" {
		return l, p.fail(t, "illegal tag: %s", p.src[t.begin:t.end])
	}
	l.options, err = c.options()
	return l, err
}

func parseFor(p *parser, t piece) (node, error) {
	l, err := p.loopHead(t)
	if err != nil {
		return nil, err
	}
	n := &forLoop{loop: l}
	into := &n.body
	return n, p.block(t, &into, func(t piece) (end, error) {
		switch {
		case t.isTag("endfor"):
			return closed, p.bare(t)
		case t.isTag("else"):
			into = &n.otherwise
			return branch, p.bare(t)
		}
		return other, nil
	})
}

func parseTablerow(p *parser, t piece) (node, error) {
	l, err := p.loopHead(t)
	if err != nil {
		return nil, err
	}
	n := &tablerow{loop: l}
	into := &n.body
	return n, p.block(t, &into, func(t piece) (end, error) {
		if t.isTag("endtablerow") {
			return closed, nil
		}
		return other, nil
	})
}

func parseCycle(p *parser, t piece) (node, error) {
	c := p.cursor(t)
	n := &cycle{at: t.begin}
	begin := c.at
	group, err := c.value()
	if err != nil {
		return nil, err
	}
	if c.blanks(); group != nil && c.peek(0) == ':' {
		n.group = group
		c.at++
	} else {
		c.at = begin
	}
	var key strings.Builder
	for !c.done() {
		e, err := c.filtered()
		if err != nil {
			return nil, err
		}
		n.candidates = append(n.candidates, e)
		key.WriteString(e.text + ",")
		c.skipPast(",")
	}
	n.key = key.String()
	if len(n.candidates) == 0 {
		return nil, p.fail(t, "empty candidates: %s", jsonText(p.src[t.begin:t.end]))
	}
	return n, nil
}

func parseJump(_ *parser, t piece) (node, error) { return jump(t.name), nil }

func parseComment(p *parser, t piece) (node, error) {
	for {
		c, ok := p.next()
		if !ok {
			return nil, p.fail(t, "tag %s not closed", p.src[t.begin:t.end])
		}
		if c.isTag("endcomment") {
			return text(""), nil
		}
	}
}

// parseRemark is {% # … %}, every line of which begins with #.
func parseRemark(p *parser, t piece) (node, error) {
	for i, line := range strings.Split(p.args(t), "\n") {
		if line = strings.TrimLeftFunc(line, isSpace); i > 0 && line != "" && line[0] != '#' {
			return nil, p.fail(t, "every line of an inline comment must start with a '#' character")
		}
	}
	return text(""), nil
}

func parseRaw(p *parser, t piece) (node, error) {
	body, _ := p.next()
	if body.isTag("endraw") {
		return text(""), nil
	}
	_, ok := p.next()
	if !ok {
		return nil, p.fail(t, "tag %s not closed", p.src[t.begin:t.end])
	}
	return text(p.src[body.begin:body.end]), nil
}

func parseEcho(p *parser, t piece) (node, error) {
	if p.args(t) == "" {
		return text(""), nil
	}
	e, err := p.cursor(t).filtered()
	return &output{e, t.begin}, err
}

// parseLines is {% liquid %}: a tag on each line.
func parseLines(p *parser, t piece) (node, error) {
	inner := &parser{src: p.src, depth: p.depth}
	for at := t.from; at < t.to; {
		line := p.src[at:t.to]
		if n := strings.IndexByte(line, '\n'); n >= 0 {
			line = line[:n+1]
		}
		l := piece{kind: tagPiece, begin: at, end: at + len(line)}
		l.from = l.end - len(strings.TrimLeftFunc(line, isBlank))
		l.to = max(l.from, at+len(strings.TrimRightFunc(line, isBlank)))
		at = l.end
		if l.from == l.to {
			continue
		}
		if err := l.readName(p.src); err != nil {
			return nil, err
		}
		if l.name == "raw" {
			return nil, p.fail(l, "raw within liquid is not available")
		}
		inner.pieces = append(inner.pieces, l)
	}
	nodes, err := inner.all()
	return group(nodes), err
}

func parseDebug(*parser, piece) (node, error) { return debug{}, nil }
