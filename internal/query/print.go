package query

import "strings"

// Print writes a tree in its one canonical spelling, which Parse reads back to
// the same tree.
func Print(n Node) string {
	var b strings.Builder
	write(&b, n)
	return b.String()
}

func write(b *strings.Builder, n Node) {
	switch n := n.(type) {
	case And:
		for i, part := range n {
			if i > 0 {
				b.WriteString(" AND ")
			}
			_, or := part.(Or)
			writeWithin(b, part, or)
		}
	case Or:
		for i, part := range n {
			if i > 0 {
				b.WriteString(" OR ")
			}
			write(b, part)
		}
	case Not:
		b.WriteString("NOT ")
		clause := false
		switch n.Node.(type) {
		case *Clause, All:
			clause = true
		}
		writeWithin(b, n.Node, !clause)
	case All:
		b.WriteString("*:*")
	case *Clause:
		n.write(b)
	}
}

func writeWithin(b *strings.Builder, n Node, parentheses bool) {
	if !parentheses {
		write(b, n)
		return
	}
	b.WriteByte('(')
	write(b, n)
	b.WriteByte(')')
}

func (c *Clause) write(b *strings.Builder) {
	if c.Field != "" {
		writeWord(b, c.Field)
		b.WriteByte(':')
	}
	if c.Range != nil {
		c.Range.write(b)
		return
	}
	if s, exact := c.Value.Text(); exact {
		writeQuoted(b, s)
		return
	}
	for i, piece := range c.Value.Pieces {
		switch {
		case i == 0:
		case c.Value.Single[i-1]:
			b.WriteByte('?')
		default:
			b.WriteByte('*')
		}
		writeWord(b, piece)
	}
}

func (r *Range) write(b *strings.Builder) {
	b.WriteByte("[{"[flag(r.LowExclusive)])
	writeBound(b, r.Low, r.LowUnbounded)
	b.WriteString(" TO ")
	writeBound(b, r.High, r.HighUnbounded)
	b.WriteByte("]}"[flag(r.HighExclusive)])
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

func writeBound(b *strings.Builder, s string, unbounded bool) {
	if unbounded {
		b.WriteByte('*')
	} else {
		writeQuoted(b, s)
	}
}

func writeQuoted(b *strings.Builder, s string) {
	b.WriteByte('"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	b.WriteByte('"')
}

// writeWord escapes whatever could mean something in a word.
func writeWord(b *strings.Builder, s string) {
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '.':
		case r < 0x80, string(r) == ideographicSpace:
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
}
