package query

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// The language (reference/users.md §5.2) is that of Lucene 2.9, without fuzzy
// terms, boosts and scores:
//
//	query   = side { ("OR" | "||") side } .
//	side    = chain { chain } .
//	chain   = operand { ("AND" | "&&") operand } .
//	operand = [ "+" | "-" | "!" | "NOT" ] ( "(" query ")" | clause ) .
//	clause  = [ field ":" ] ( word | quoted | range | "(" query ")" ) .
//
// NOT binds tighter than AND, that tighter than standing side by side, and that
// tighter than OR. Chains side by side are alternatives, unless signs say more, as
// in Lucene: with + one is required, and then those without a sign no longer
// matter; with -, ! or NOT one is excluded from whatever the others find. A side
// of which all is excluded finds all the rest. Each side of an OR stands for itself.

// Bounds of a query. They keep the work for any text small.
const (
	MaxLength  = 16 << 10 // bytes
	MaxDepth   = 64       // parentheses within one another
	MaxClauses = 1024
)

type limits struct{ length, depth, clauses int }

// Parse reads a query. The error is always an *Error.
func Parse(q string) (Node, error) {
	return parse(q, limits{MaxLength, MaxDepth, MaxClauses})
}

func parse(q string, most limits) (Node, error) {
	if len(q) > most.length {
		return nil, &Error{At: most.length, Text: fmt.Sprintf("longer than %d bytes", most.length)}
	}
	if at := strings.IndexByte(q, 0); at >= 0 {
		return nil, &Error{At: at, Text: "NUL is not allowed"}
	}
	for at, r := range q {
		if r == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(q[at:]); n == 1 {
				return nil, &Error{At: at, Text: "invalid UTF-8"}
			}
		}
	}
	p := &parser{q: q, most: most}
	if p.blanks(); p.done() {
		return All{}, nil
	}
	n, err := p.query("")
	if err == nil && !p.done() {
		err = p.fail(p.i, "closing parenthesis without an opening one")
	}
	if err != nil {
		return nil, err
	}
	return n, nil
}

type parser struct {
	q              string
	i              int
	most           limits
	depth, clauses int
}

func (p *parser) fail(at int, text string) error { return &Error{At: at, Text: text} }

func (p *parser) done() bool { return p.i >= len(p.q) }

// at reports whether the next byte is one of chars.
func (p *parser) at(chars string) bool {
	return !p.done() && strings.IndexByte(chars, p.q[p.i]) >= 0
}

const ideographicSpace = "\u3000"

// blank is the length of the blank at byte i; zero: there is none.
func (p *parser) blank(i int) int {
	switch rest := p.q[i:]; {
	case rest == "":
		return 0
	case strings.IndexByte(" \t\r\n", rest[0]) >= 0:
		return 1
	case strings.HasPrefix(rest, ideographicSpace):
		return len(ideographicSpace)
	}
	return 0
}

func (p *parser) blanks() {
	for n := p.blank(p.i); n > 0; n = p.blank(p.i) {
		p.i += n
	}
}

// ahead is the length of the operator that comes next, spelled as a word or with
// two signs; zero: it does not.
func (p *parser) ahead(word, signs string) int {
	rest := p.q[p.i:]
	if signs != "" && strings.HasPrefix(rest, signs) {
		return len(signs)
	}
	if !strings.HasPrefix(rest, word) {
		return 0
	}
	end := p.i + len(word)
	if end == len(p.q) || strings.IndexByte(`()"`, p.q[end]) >= 0 || p.blank(end) > 0 {
		return len(word)
	}
	return 0
}

func (p *parser) aheadAnd() int { return p.ahead("AND", "&&") }
func (p *parser) aheadOr() int  { return p.ahead("OR", "||") }

// query reads up to the end of the text or of the parenthesis. Bare terms get
// the field, when there is one.
func (p *parser) query(field string) (Node, error) {
	var sides []Node
	for {
		n, err := p.side(field)
		if err != nil {
			return nil, err
		}
		sides = append(sides, n)
		or := p.aheadOr()
		if or == 0 {
			return disjunction(sides), nil
		}
		p.i += or
	}
}

// sign is what an operand is marked with.
type sign byte

const (
	unmarked sign = iota
	required
	excluded
)

// side reads what stands side by side.
func (p *parser) side(field string) (Node, error) {
	var all, optional []Node
	needed := false
	for {
		n, mark, err := p.chain(field)
		if err != nil {
			return nil, err
		}
		switch mark {
		case unmarked:
			optional = append(optional, n)
		case required:
			needed = true
			all = append(all, n)
		case excluded:
			all = append(all, Not{n})
		}
		if p.blanks(); p.done() || p.at(")") || p.aheadOr() > 0 {
			break
		}
	}
	if len(optional) > 0 && !needed {
		all = append([]Node{disjunction(optional)}, all...)
	}
	return conjunction(all), nil
}

// chain reads operands with AND between them. A chain of one keeps its mark; a
// longer one is required when one of its operands is.
func (p *parser) chain(field string) (Node, sign, error) {
	n, mark, err := p.operand(field)
	if err != nil {
		return nil, unmarked, err
	}
	p.blanks()
	if p.aheadAnd() == 0 {
		return n, mark, nil
	}
	var all []Node
	whole := unmarked
	for {
		switch mark {
		case required:
			whole = required
		case excluded:
			n = Not{n}
		}
		all = append(all, n)
		p.blanks()
		and := p.aheadAnd()
		if and == 0 {
			return conjunction(all), whole, nil
		}
		p.i += and
		if n, mark, err = p.operand(field); err != nil {
			return nil, unmarked, err
		}
	}
}

func (p *parser) operand(field string) (Node, sign, error) {
	p.blanks()
	mark := unmarked
	if n := p.ahead("NOT", "!"); n > 0 {
		mark, p.i = excluded, p.i+n
	} else if p.at("-") {
		mark, p.i = excluded, p.i+1
	} else if p.at("+") {
		mark, p.i = required, p.i+1
	}
	p.blanks()
	switch {
	case p.done(), p.at(")"), p.aheadAnd() > 0, p.aheadOr() > 0:
		return nil, mark, p.fail(p.i, "expected a condition")
	case p.at("+-!"), p.ahead("NOT", "") > 0:
		return nil, mark, p.fail(p.i, "a condition takes one sign")
	}
	n, err := p.clause(field)
	return n, mark, err
}

// clause reads a condition, or a query in parentheses. The field is that of the
// group in which it stands.
func (p *parser) clause(field string) (Node, error) {
	begin := p.i
	if p.at(`("[{`) {
		return p.value(begin, field)
	}
	word, err := p.word()
	if err != nil {
		return nil, err
	}
	if !p.at(":") {
		if field == "" && word.Any() {
			return All{}, p.count(begin)
		}
		return p.condition(Clause{Field: field, Value: word, At: begin})
	}
	p.i++
	name, exact := word.Text()
	switch {
	case word.Any() && p.at("*"):
		if all, err := p.word(); err != nil || !all.Any() {
			return nil, p.fail(begin, "wildcards in a field name are not supported")
		}
		return All{}, p.count(begin)
	case !exact:
		return nil, p.fail(begin, "wildcards in a field name are not supported")
	case name == "":
		return nil, p.fail(begin, "expected a field name before the colon")
	}
	p.blanks()
	return p.value(begin, name)
}

// value reads what a clause asks of its field; without a field, a bare one.
func (p *parser) value(begin int, field string) (Node, error) {
	switch {
	case p.done(), p.at(")"), p.aheadAnd() > 0, p.aheadOr() > 0, p.ahead("NOT", "") > 0:
		return nil, p.fail(p.i, "expected a value; an operator as text has to be quoted")
	case p.at("("):
		return p.group(field)
	case p.at("[{"):
		if field == "" {
			return nil, p.fail(p.i, "a range needs a field")
		}
		r, err := p.span()
		if err != nil {
			return nil, err
		}
		if r.LowUnbounded && r.HighUnbounded {
			return p.condition(Clause{Field: field, Value: anything(), At: begin})
		}
		return p.condition(Clause{Field: field, Range: r, At: begin})
	case p.at(`"`):
		s, err := p.quoted()
		if err != nil {
			return nil, err
		}
		return p.condition(Clause{Field: field, Value: Pattern{Pieces: []string{s}}, At: begin})
	}
	if p.at("+-") && p.i+1 < len(p.q) && !isDigit(p.q[p.i+1]) || p.at("!") {
		return nil, p.fail(p.i, "a sign stands before the field, or is escaped")
	}
	word, err := p.word()
	if err != nil {
		return nil, err
	}
	if p.at(":") {
		return nil, p.fail(p.i, "a colon within a value has to be quoted or escaped")
	}
	return p.condition(Clause{Field: field, Value: word, At: begin})
}

func anything() Pattern { return Pattern{Pieces: []string{"", ""}, Single: []bool{false}} }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// group reads a query in parentheses.
func (p *parser) group(field string) (Node, error) {
	open := p.i
	if p.depth++; p.depth > p.most.depth {
		return nil, p.fail(open, fmt.Sprintf("more than %d parentheses within one another", p.most.depth))
	}
	p.i++
	n, err := p.query(field)
	if err != nil {
		return nil, err
	}
	if p.done() {
		return nil, p.fail(open, "the parenthesis is not closed")
	}
	p.i++
	p.depth--
	return n, p.unsupported()
}

// condition ends a clause: behind it comes a blank, a parenthesis, or nothing.
func (p *parser) condition(c Clause) (Node, error) {
	if err := p.count(c.At); err != nil {
		return nil, err
	}
	if err := p.unsupported(); err != nil {
		return nil, err
	}
	if p.at(":") {
		return nil, p.fail(p.i, "a field name is not quoted")
	}
	if !p.done() && !p.at("()") && p.blank(p.i) == 0 {
		return nil, p.fail(p.i, "expected a blank")
	}
	return &c, nil
}

func (p *parser) count(at int) error {
	if p.clauses++; p.clauses > p.most.clauses {
		return p.fail(at, fmt.Sprintf("more than %d conditions", p.most.clauses))
	}
	return nil
}

// unsupported refuses what Lucene could have behind a value.
func (p *parser) unsupported() error {
	switch {
	case p.at("~"):
		return p.fail(p.i, "~ (fuzzy search) is not supported; quote or escape it as text")
	case p.at("^"):
		return p.fail(p.i, "^ (boost) is not supported; quote or escape it as text")
	}
	return nil
}

// word reads an unquoted text with its wildcards. It ends at a blank, a
// parenthesis or a colon.
func (p *parser) word() (Pattern, error) {
	if p.at("/") {
		return Pattern{}, p.fail(p.i, "regular expressions are not supported; quote or escape the / as text")
	}
	if p.at("<>") {
		return Pattern{}, p.fail(p.i, "comparisons are written as ranges: [5 TO *], {5 TO *]")
	}
	var out Pattern
	var piece []byte
	for !p.done() && !p.at("():") && p.blank(p.i) == 0 {
		switch c := p.q[p.i]; c {
		case '*', '?':
			out.Pieces = append(out.Pieces, string(piece))
			piece = piece[:0]
			p.wildcards(&out)
			continue
		case '\\':
			if err := p.escape(); err != nil {
				return Pattern{}, err
			}
		case '~', '^':
			return Pattern{}, p.unsupported()
		case '"', '[', ']', '{', '}':
			return Pattern{}, p.fail(p.i, fmt.Sprintf("%c within a value has to be quoted or escaped", c))
		}
		piece = append(piece, p.q[p.i])
		p.i++
	}
	out.Pieces = append(out.Pieces, string(piece))
	return out, nil
}

// wildcards reads all that follow one another, and writes them in the one order
// that all orders mean.
func (p *parser) wildcards(out *Pattern) {
	gaps, star := 0, false
	for ; p.at("*?"); p.i++ {
		if p.q[p.i] == '?' {
			gaps++
		} else {
			star = true
		}
	}
	for range gaps {
		out.Single = append(out.Single, true)
	}
	if star {
		out.Single = append(out.Single, false)
	}
	for len(out.Pieces) < len(out.Single) {
		out.Pieces = append(out.Pieces, "")
	}
}

// escape steps over a backslash, to the byte that it makes a text.
func (p *parser) escape() error {
	switch p.i++; {
	case p.done():
		return p.fail(p.i-1, "nothing behind the backslash")
	case p.at("u"):
		return p.fail(p.i-1, `\u is not supported; write the character itself, or \\ for a backslash`)
	}
	return nil
}

func (p *parser) quoted() (string, error) {
	open := p.i
	var text []byte
	for p.i++; !p.done(); p.i++ {
		switch p.q[p.i] {
		case '"':
			p.i++
			return string(text), nil
		case '\\':
			if err := p.escape(); err != nil {
				return "", err
			}
		}
		text = append(text, p.q[p.i])
	}
	return "", p.fail(open, "the quotation mark is not closed")
}

// span reads a range.
func (p *parser) span() (*Range, error) {
	open := p.i
	var r Range
	var err error
	r.LowExclusive = p.at("{")
	p.i++
	if r.Low, r.LowUnbounded, err = p.bound(open); err != nil {
		return nil, err
	}
	p.blanks()
	if p.ahead("TO", "") == 0 {
		return nil, p.fail(p.i, "expected TO between the bounds")
	}
	p.i += len("TO")
	if r.High, r.HighUnbounded, err = p.bound(open); err != nil {
		return nil, err
	}
	if p.blanks(); p.done() {
		return nil, p.fail(open, "the range is not closed")
	}
	if !p.at("]}") {
		return nil, p.fail(p.i, "expected the end of the range")
	}
	r.HighExclusive = p.at("}") && !r.HighUnbounded
	r.LowExclusive = r.LowExclusive && !r.LowUnbounded
	p.i++
	return &r, nil
}

// bound reads one side of the range that opened at byte open.
func (p *parser) bound(open int) (text string, unbounded bool, err error) {
	p.blanks()
	if p.done() {
		return "", false, p.fail(open, "the range is not closed")
	}
	if p.at(`"`) {
		text, err = p.quoted()
		return text, false, err
	}
	begin := p.i
	var b []byte
	wild := 0
	for !p.done() && !p.at(`]}"`) && p.blank(p.i) == 0 {
		if p.at("*?") {
			wild++
		} else if p.at(`\`) {
			if err := p.escape(); err != nil {
				return "", false, err
			}
		}
		b = append(b, p.q[p.i])
		p.i++
	}
	switch s := p.q[begin:p.i]; {
	case s == "*":
		return "", true, nil
	case s == "" || s == "TO":
		return "", false, p.fail(begin, "expected a bound")
	case wild > 0:
		return "", false, p.fail(begin, "a bound has no wildcards; quote or escape them as text")
	}
	return string(b), false, nil
}
