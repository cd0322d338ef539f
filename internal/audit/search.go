package audit

import (
	"slices"
	"strings"
	"time"

	"mangrove/internal/query"
)

// Search is what a q asks of the log (reference/authentication.md §7.7). The
// zero Search finds everything.
type Search struct {
	// All conditions of the whole query that are worth something to an index.
	userID, kind string
	from, to     int64 // [from, to) in microseconds; to 0: open
	// root is nil when those are the whole query.
	root matcher
}

// OfUser finds what concerns a user.
func OfUser(id string) *Search { return &Search{userID: id} }

const (
	fieldDate = "date"
	exists    = "_exists_"
)

// texts are the fields that hold a text. They match as they are written, case
// included; an empty one is no value, which only "" matches.
var texts = map[string]func(*Event) string{
	"_id": (*Event).idOf, "log_id": (*Event).idOf, "type": (*Event).typeOf, "description": (*Event).descriptionOf,
	"user_id": (*Event).userOf, "client_id": (*Event).clientOf, "connection": (*Event).connectionOf,
	"connection_id": (*Event).connectionIDOf, "ip": (*Event).addressOf, "user_agent": (*Event).agentOf,
}

func (e *Event) idOf() string           { return e.ID }
func (e *Event) typeOf() string         { return e.Type }
func (e *Event) descriptionOf() string  { return e.Description }
func (e *Event) userOf() string         { return e.UserID }
func (e *Event) clientOf() string       { return e.ClientID }
func (e *Event) connectionOf() string   { return e.Connection }
func (e *Event) connectionIDOf() string { return e.ConnectionID }
func (e *Event) addressOf() string      { return e.IP }
func (e *Event) agentOf() string        { return e.UserAgent }

// matcher decides about one event.
type matcher func(*Event) bool

// ParseSearch reads a q. Errors: *query.Error.
func ParseSearch(q string) (*Search, error) {
	n, err := query.Parse(q)
	if err != nil {
		return nil, err
	}
	return NewSearch(n)
}

// NewSearch gives a parsed query its meaning. Errors: *query.Error, for a field
// that the log cannot be searched by, a bare term, and what is no date.
func NewSearch(n query.Node) (*Search, error) {
	root, err := compile(n)
	if err != nil {
		return nil, err
	}
	s := &Search{root: root}
	parts := []query.Node{n}
	if and, ok := n.(query.And); ok {
		parts = and
	}
	whole := true
	for _, p := range parts {
		if !s.absorb(p) {
			whole = false
		}
	}
	if whole {
		s.root = nil
	}
	return s, nil
}

// absorb takes a condition that every result must meet into the span, if it
// fits there; what was absorbed need not be asked of each event again.
func (s *Search) absorb(n query.Node) bool {
	if _, ok := n.(query.All); ok {
		return true
	}
	c, ok := n.(*query.Clause)
	if !ok {
		return false
	}
	if c.Field == fieldDate {
		from, to, err := moments(c)
		if err != nil {
			return false
		}
		s.from = max(s.from, from)
		if to != 0 && (s.to == 0 || to < s.to) {
			s.to = to
		}
		return true
	}
	value, ok := exact(c)
	switch {
	case !ok || value == "":
	case c.Field == "user_id" && s.userID == "":
		s.userID = value
		return true
	case c.Field == "type" && s.kind == "" && !slices.Contains(Common, value):
		s.kind = value
		return true
	}
	return false
}

// span is where the events are that s can find.
func (s *Search) span() Span {
	var out Span
	if out.UserID = s.userID; s.userID == "" {
		out.Type = s.kind
	}
	if s.from > 0 {
		out.Above = Mark(s.from)
	}
	if s.to > 0 {
		out.Below = Mark(s.to)
	}
	return out
}

// exact reports whether every event of the span is a find.
func (s *Search) exact() bool { return s.root == nil && (s.userID == "" || s.kind == "") }

// Matches decides about an event of the span.
func (s *Search) Matches(e *Event) bool {
	if s.kind != "" && e.Type != s.kind {
		return false
	}
	return s.root == nil || s.root(e)
}

// compile is the meaning of a tree. It is as deep as the parser lets a query be.
func compile(n query.Node) (matcher, error) {
	switch n := n.(type) {
	case query.All:
		return func(*Event) bool { return true }, nil
	case query.And:
		list, err := compileAll(n)
		return func(e *Event) bool {
			return !slices.ContainsFunc(list, func(m matcher) bool { return !m(e) })
		}, err
	case query.Or:
		list, err := compileAll(n)
		return func(e *Event) bool {
			return slices.ContainsFunc(list, func(m matcher) bool { return m(e) })
		}, err
	case query.Not:
		m, err := compile(n.Node)
		return func(e *Event) bool { return !m(e) }, err
	case *query.Clause:
		return clause(n)
	}
	return nil, &query.Error{Text: "unsupported expression"}
}

func compileAll(nodes []query.Node) ([]matcher, error) {
	list := make([]matcher, len(nodes))
	for i, n := range nodes {
		var err error
		if list[i], err = compile(n); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func clause(c *query.Clause) (matcher, error) {
	switch c.Field {
	case "":
		return nil, &query.Error{At: c.At, Text: "a term without a field is not supported"}
	case exists:
		return existence(c)
	case fieldDate:
		from, to, err := moments(c)
		return func(e *Event) bool { return e.At >= from && (to == 0 || e.At < to) }, err
	}
	text, ok := texts[c.Field]
	if !ok {
		return nil, unknownField(c, c.Field)
	}
	if r := c.Range; r != nil {
		return func(e *Event) bool { return text(e) != "" && within(r, text(e)) }, nil
	}
	if value, ok := exact(c); ok {
		return func(e *Event) bool { return text(e) == value }, nil
	}
	pattern := glob(&c.Value)
	return func(e *Event) bool { return text(e) != "" && matches(pattern, []rune(text(e))) }, nil
}

func unknownField(c *query.Clause, name string) error {
	const most = 64
	if len(name) > most {
		name = strings.ToValidUTF8(name[:most], "") + "…"
	}
	return &query.Error{At: c.At, Text: `unknown field "` + name + `"`}
}

// existence is whether an event has a value that is not empty.
func existence(c *query.Clause) (matcher, error) {
	name, ok := exact(c)
	if !ok {
		return nil, &query.Error{At: c.At, Text: "_exists_ takes the name of a field"}
	}
	if name == fieldDate {
		return func(*Event) bool { return true }, nil
	}
	text, ok := texts[name]
	if !ok {
		return nil, unknownField(c, name)
	}
	return func(e *Event) bool { return text(e) != "" }, nil
}

// exact is the value of a clause that asks for just that.
func exact(c *query.Clause) (string, bool) {
	if c.Range != nil {
		return "", false
	}
	return c.Value.Text()
}

// within compares texts byte by byte.
func within(r *query.Range, s string) bool {
	if !r.LowUnbounded && (s < r.Low || r.LowExclusive && s == r.Low) {
		return false
	}
	return r.HighUnbounded || s < r.High || !r.HighExclusive && s == r.High
}

// What a pattern has where it has no character.
const (
	anyOne  = -1 - iota // ?
	anyMany             // *
)

// glob is a pattern character by character.
func glob(p *query.Pattern) []rune {
	var out []rune
	for i, piece := range p.Pieces {
		if i > 0 {
			gap := rune(anyMany)
			if p.Single[i-1] {
				gap = anyOne
			}
			out = append(out, gap)
		}
		out = append(out, []rune(piece)...)
	}
	return out
}

// matches decides whether pattern is all of text. When it does not go on, the
// latest * takes one character more; an earlier one never needs to, so the cost
// is at most the product of the lengths.
func matches(pattern, text []rune) bool {
	star, taken := -1, 0
	p, t := 0, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == anyMany:
			star, taken = p, t
			p++
		case p < len(pattern) && (pattern[p] == anyOne || pattern[p] == text[t]):
			p++
			t++
		case star >= 0:
			taken++
			p, t = star+1, taken
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == anyMany {
		p++
	}
	return p == len(pattern)
}

// periods are the forms of a moment, and what comes behind the one it names.
var periods = []struct {
	layout string
	next   func(time.Time) time.Time
}{
	{"2006", func(t time.Time) time.Time { return t.AddDate(1, 0, 0) }},
	{"2006-01", func(t time.Time) time.Time { return t.AddDate(0, 1, 0) }},
	{"2006-01-02", func(t time.Time) time.Time { return t.AddDate(0, 0, 1) }},
	{"2006-01-02T15:04", func(t time.Time) time.Time { return t.Add(time.Minute) }},
	{"2006-01-02T15:04Z07:00", func(t time.Time) time.Time { return t.Add(time.Minute) }},
	{"2006-01-02T15:04:05", second},
	{"2006-01-02T15:04:05Z07:00", second},
}

func second(t time.Time) time.Time { return t.Add(time.Second) }

// period is the stretch of time that a text names, [start, end) in
// microseconds. A fraction of a second names a millisecond, which is as fine as
// an event shows its date.
func period(s string) (start, end int64, ok bool) {
	for _, p := range periods {
		t, err := time.Parse(p.layout, s)
		if err != nil {
			continue
		}
		next := p.next(t)
		if strings.Contains(s, ".") {
			t = t.Truncate(time.Millisecond)
			next = t.Add(time.Millisecond)
		}
		return t.UnixMicro(), next.UnixMicro(), true
	}
	return 0, 0, false
}

// moments is the stretch that a clause on date allows, [from, to) in
// microseconds, to 0 for no end: nothing was logged before 1970. A bound names a period, which an inclusive
// bound takes in as a whole and an exclusive one leaves out as a whole.
func moments(c *query.Clause) (from, to int64, err error) {
	wrong := func(s string) error {
		if len(s) > 40 {
			s = strings.ToValidUTF8(s[:40], "") + "…"
		}
		return &query.Error{At: c.At, Text: `"` + s + `" is not a date`}
	}
	if c.Range == nil {
		s, ok := exact(c)
		if !ok {
			return 0, 0, &query.Error{At: c.At, Text: "a date has no wildcards"}
		}
		if from, to, ok = period(s); !ok {
			return 0, 0, wrong(s)
		}
		return from, max(to, 1), nil
	}
	if r := c.Range; !r.LowUnbounded {
		start, end, ok := period(r.Low)
		if !ok {
			return 0, 0, wrong(r.Low)
		}
		if from = start; r.LowExclusive {
			from = end
		}
	}
	if r := c.Range; !r.HighUnbounded {
		start, end, ok := period(r.High)
		if !ok {
			return 0, 0, wrong(r.High)
		}
		if to = end; r.HighExclusive {
			to = start
		}
		to = max(to, 1)
	}
	return from, to, nil
}
