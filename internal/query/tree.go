package query

// Node is a query or a part of one: And, Or, Not, *Clause, or All.
type Node interface{ node() }

// And matches what all of its nodes match. There are at least two, none of them an And.
type And []Node

// Or matches what one of its nodes matches. There are at least two, none of them an Or.
type Or []Node

// Not matches what its node does not.
type Not struct{ Node Node }

// All matches everybody: the empty query, * and *:*.
type All struct{}

// Clause is one condition on one field.
type Clause struct {
	// Field as written, escapes undone, with its dots; empty: a bare term. _exists_
	// is the field of an existence test, whose Value is the name it asks for.
	Field string
	// Value, for everything but a range.
	Value Pattern
	// Range, when not nil, is asked instead of Value. It has a bound: without one
	// it is written as the Value *.
	Range *Range
	// At is the byte of the query where the clause begins; not part of what it means.
	At int
}

// Pattern is a value cut at its wildcards: one piece means exactly that text,
// "j*" is {"j", ""}, "*ohn*" is {"", "ohn", ""}. A pattern has at least one piece.
type Pattern struct {
	Pieces []string
	// Single has, for each gap between two pieces, whether it stands for exactly
	// one character (?) instead of any number (*). Between wildcards that follow one
	// another the piece is empty; of those, ? stands before *, and * stands once.
	Single []bool
}

// Text is the value of a pattern without wildcards.
func (p Pattern) Text() (s string, exact bool) {
	if len(p.Pieces) != 1 {
		return "", false
	}
	return p.Pieces[0], true
}

// Any reports whether the pattern is *: whatever value there is.
func (p Pattern) Any() bool {
	return len(p.Pieces) == 2 && p.Pieces[0] == "" && p.Pieces[1] == "" && !p.Single[0]
}

// Range is from Low to High. An unbounded side has no bound and excludes nothing.
type Range struct {
	Low, High                   string
	LowUnbounded, HighUnbounded bool
	LowExclusive, HighExclusive bool
}

func (And) node()     {}
func (Or) node()      {}
func (Not) node()     {}
func (All) node()     {}
func (*Clause) node() {}

// conjunction is what all of the nodes match.
func conjunction(nodes []Node) Node {
	if len(nodes) == 1 {
		return nodes[0]
	}
	var out And
	for _, n := range nodes {
		if inner, ok := n.(And); ok {
			out = append(out, inner...)
		} else {
			out = append(out, n)
		}
	}
	return out
}

// disjunction is what one of the nodes matches.
func disjunction(nodes []Node) Node {
	if len(nodes) == 1 {
		return nodes[0]
	}
	var out Or
	for _, n := range nodes {
		if inner, ok := n.(Or); ok {
			out = append(out, inner...)
		} else {
			out = append(out, n)
		}
	}
	return out
}
