package user

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"mangrove/internal/profile"
	"mangrove/internal/query"
)

// minWildLiterals is how many characters in a row a pattern that begins with a
// wildcard needs.
const minWildLiterals = 3

// maxSearchText is up to how many bytes a text in a pattern or a range can be
// compared with what the index keeps of a long value.
const maxSearchText = maxTermText - utf8.UTFMax

// SearchPlan is what a query means (reference/users.md §5). A field that is not
// searchable matches nobody, whatever is asked of it: neither an error nor a match
// tells what there is. The error is always a *query.Error.
func SearchPlan(n query.Node) (Plan, error) {
	switch n := n.(type) {
	case query.And:
		plans, err := searchPlans(n)
		if err != nil {
			return nil, err
		}
		return allOf(plans), nil
	case query.Or:
		plans, err := searchPlans(n)
		if err != nil {
			return nil, err
		}
		return anyOf(plans), nil
	case query.Not:
		p, err := SearchPlan(n.Node)
		if err != nil {
			return nil, err
		}
		return except(p), nil
	case *query.Clause:
		return clausePlan(n)
	}
	return Everybody{}, nil // query.All is all that is left
}

func searchPlans(nodes []query.Node) ([]Plan, error) {
	plans := make([]Plan, len(nodes))
	for i, n := range nodes {
		p, err := SearchPlan(n)
		if err != nil {
			return nil, err
		}
		plans[i] = p
	}
	return plans, nil
}

func clausePlan(c *query.Clause) (Plan, error) {
	switch c.Field {
	case "":
		plans := make([]Plan, len(bareFields))
		for i, name := range bareFields {
			p, err := condition{c, name, searchFields[name]}.plan()
			if err != nil {
				return nil, err
			}
			plans[i] = p
		}
		return anyOf(plans), nil
	case "_exists_":
		name, exact := c.Value.Text()
		if c.Range != nil || !exact {
			return nil, &query.Error{At: c.At, Text: "_exists_ takes the name of one field"}
		}
		return existence(name), nil
	}
	f, ok := fieldNamed(c.Field)
	if !ok {
		return AnyOf{}, nil
	}
	return condition{c, c.Field, f}.plan()
}

// existence is whoever has any value at the field.
func existence(name string) Plan {
	f, ok := fieldNamed(name)
	if !ok {
		return AnyOf{}
	}
	switch f.presence {
	case always:
		return Everybody{}
	case unlessLacked:
		return Except{exactly(PathExists, "-"+name)}
	case whereEmail:
		return Except{exactly(PathExists, "-"+profile.Email)}
	case whereLogin:
		return exactly(PathExists, LoggedIn)
	case whereEither:
		return exactly(name, BoolTerm(false), BoolTerm(true))
	}
	return exactly(PathExists, name)
}

// condition is what a clause asks of one field.
type condition struct {
	*query.Clause
	path string
	searchField
}

func (c condition) refuse(format string, args ...any) error {
	return &query.Error{At: c.At, Text: fmt.Sprintf(format, args...)}
}

func (c condition) plan() (Plan, error) {
	if c.Range != nil {
		return c.span()
	}
	if c.Value.Any() {
		return existence(c.path), nil
	}
	if s, exact := c.Value.Text(); exact {
		return c.exact(s)
	}
	return c.pattern()
}

func (c condition) exact(s string) (Plan, error) {
	switch c.kind {
	case asText, asFoldedText:
		return exactly(c.path, TextTerm(c.fold(s))), nil
	case asTruth:
		if s != "true" && s != "false" {
			return AnyOf{}, nil
		}
		return exactly(c.path, BoolTerm(s == "true")), nil
	case asNumber:
		f, ok := number(s)
		if !ok {
			return nil, c.refuse("expected a number")
		}
		return exactly(c.path, NumberTerm(f)), nil
	case asMoment:
		begin, end, ok := period(s)
		if !ok {
			return nil, c.refuse(noDate)
		}
		return c.during(TimeTerm(begin), TimeTerm(end)), nil
	case asMetadata, asUserMetadata:
		values := []string{TextTerm(s)}
		if f, ok := number(s); ok {
			values = append(values, NumberTerm(f))
		}
		if s == "true" || s == "false" {
			values = append(values, BoolTerm(s == "true"))
		}
		return exactly(c.path, values...), nil
	}
	return AnyOf{}, nil
}

func (c condition) pattern() (Plan, error) {
	switch c.kind {
	case asText, asFoldedText, asMetadata:
	case asUserMetadata:
		return nil, c.refuse("wildcards in user_metadata are not supported")
	case asNothing:
		return AnyOf{}, nil
	default:
		return nil, c.refuse("wildcards need a text field")
	}
	pieces := make([]string, len(c.Value.Pieces))
	longest, length := 0, 0
	for i, piece := range c.Value.Pieces {
		pieces[i] = c.fold(piece)
		longest = max(longest, utf8.RuneCountInString(piece))
		length += len(pieces[i])
	}
	if pieces[0] == "" && longest < minWildLiterals {
		return nil, c.refuse("a pattern that begins with a wildcard needs %d characters in a row", minWildLiterals)
	}
	if length > maxSearchText {
		return nil, c.refuse("a pattern is at most %d bytes", maxSearchText)
	}
	l := &Lookup{Path: c.path, Pattern: pieces}
	if slices.Contains(c.Value.Single, true) {
		l.Single = c.Value.Single
	}
	return l, nil
}

func (c condition) span() (Plan, error) {
	switch c.kind {
	case asText, asFoldedText:
		return c.texts("", "")
	case asNumber:
		if !c.numeric() {
			return nil, c.refuse("expected a number")
		}
		return c.between(numberTerm, "", ""), nil
	case asMoment:
		return c.moments()
	case asMetadata:
		// Values of all types share the path: the letter of the type is the bound
		// where there is none.
		if c.numeric() {
			return c.between(numberTerm, "n", "o"), nil
		}
		return c.texts("s", "t")
	case asUserMetadata:
		return nil, c.refuse("ranges in user_metadata are not supported")
	case asTruth:
		return nil, c.refuse("ranges need a text, a number or a date")
	}
	return AnyOf{}, nil
}

// numeric reports whether the bounds that there are are numbers.
func (c condition) numeric() bool {
	_, low := number(c.Range.Low)
	_, high := number(c.Range.High)
	return (low || c.Range.LowUnbounded) && (high || c.Range.HighUnbounded)
}

func (c condition) texts(floor, ceiling string) (Plan, error) {
	if len(c.Range.Low) > maxSearchText || len(c.Range.High) > maxSearchText {
		return nil, c.refuse("a bound is at most %d bytes", maxSearchText)
	}
	return c.between(func(s string) string { return TextTerm(c.fold(s)) }, floor, ceiling), nil
}

// between is whoever has a value in the range. Where it is open, floor is the
// least value and ceiling is above all of them; empty: none.
func (c condition) between(term func(string) string, floor, ceiling string) *Lookup {
	b := &Bounds{Low: floor, High: ceiling, LowExclusive: c.Range.LowExclusive, HighExclusive: c.Range.HighExclusive}
	if !c.Range.LowUnbounded {
		b.Low = term(c.Range.Low)
	}
	if !c.Range.HighUnbounded {
		b.High = term(c.Range.High)
	} else {
		b.HighExclusive = ceiling != ""
	}
	return &Lookup{Path: c.path, Range: b}
}

func (c condition) moments() (Plan, error) {
	var low, high string
	if !c.Range.LowUnbounded {
		begin, end, ok := period(c.Range.Low)
		if !ok {
			return nil, c.refuse(noDate)
		}
		if c.Range.LowExclusive {
			begin = end
		}
		low = TimeTerm(begin)
	}
	if !c.Range.HighUnbounded {
		begin, end, ok := period(c.Range.High)
		if !ok {
			return nil, c.refuse(noDate)
		}
		if c.Range.HighExclusive {
			end = begin
		}
		high = TimeTerm(end)
	}
	return c.during(low, high), nil
}

// during is whoever has the moment at or behind low and before high. Empty: open.
func (c condition) during(low, high string) Plan {
	return &Lookup{Path: c.path, Range: &Bounds{Low: low, High: high, HighExclusive: high != ""}}
}

func (c condition) fold(s string) string {
	if c.kind == asFoldedText {
		return strings.ToLower(s)
	}
	return s
}

var numberForm = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// number reads a number as JSON spells it.
func number(s string) (float64, bool) {
	if !numberForm.MatchString(s) {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil
}

// numberTerm is the value of a text that is a number.
func numberTerm(s string) string {
	f, _ := number(s)
	return NumberTerm(f)
}

// exactly is whoever has one of the values.
func exactly(path string, values ...string) *Lookup { return &Lookup{Path: path, Exact: values} }

// allOf is AllOf in its shortest form.
func allOf(plans []Plan) Plan {
	var out AllOf
	for _, p := range plans {
		switch p := p.(type) {
		case Everybody:
		case AllOf:
			out = append(out, p...)
		case AnyOf:
			if len(p) == 0 {
				return p
			}
			out = append(out, p)
		default:
			out = append(out, p)
		}
	}
	switch len(out) {
	case 0:
		return Everybody{}
	case 1:
		return out[0]
	}
	return out
}

// anyOf is AnyOf in its shortest form: what asks for exact values of one path is
// asked at once.
func anyOf(plans []Plan) Plan {
	out := AnyOf{}
	exact := map[string]*Lookup{}
	var add func(Plan)
	add = func(p Plan) {
		switch p := p.(type) {
		case AnyOf:
			for _, part := range p {
				add(part)
			}
			return
		case *Lookup:
			if p.Exact == nil {
				break
			}
			if l := exact[p.Path]; l != nil {
				l.Exact = append(l.Exact, p.Exact...)
				return
			}
			l := exactly(p.Path, slices.Clone(p.Exact)...)
			exact[p.Path] = l
			out = append(out, l)
			return
		}
		out = append(out, p)
	}
	for _, p := range plans {
		if all, ok := p.(Everybody); ok {
			return all
		}
		add(p)
	}
	for _, l := range exact {
		slices.Sort(l.Exact)
		l.Exact = slices.Compact(l.Exact)
	}
	if len(out) == 1 {
		return out[0]
	}
	return out
}

// except is Except in its shortest form.
func except(p Plan) Plan {
	switch p := p.(type) {
	case Everybody:
		return AnyOf{}
	case AnyOf:
		if len(p) == 0 {
			return Everybody{}
		}
	case Except:
		return p.Plan
	}
	return Except{p}
}
