package mgmt

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"mangrove/internal/profile"
	"mangrove/internal/schema"
)

// query is the query string of a call. Parameters are checked as they are read;
// the first violation is kept, and err tells it. Parameters that nobody reads
// are ignored (reference/users.md §6.1).
type query struct {
	values url.Values
	bad    error
}

// errQuery: a query string that is not text.
var errQuery = queryError(schema.Violation{Code: schema.InvalidFormat, Message: "Invalid query string"})

func queryOf(r *http.Request) *query {
	if r.URL.RawQuery == "" {
		return &query{}
	}
	v, err := url.ParseQuery(r.URL.RawQuery)
	q := &query{values: v}
	if err != nil {
		q.bad = errQuery
	}
	for name, list := range v {
		for _, s := range append(list, name) {
			if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
				q.bad = errQuery
			}
		}
	}
	return q
}

// err is what is wrong with the parameters read so far.
func (q *query) err() error { return q.bad }

// refuse keeps the first violation.
func (q *query) refuse(name, description, code, message string) {
	if q.bad == nil {
		q.bad = queryError(schema.Violation{Code: code, Message: message, Path: name, Description: description})
	}
}

// one is the only value of a parameter. A repeated one is refused: two readers
// of one request would pick different ones.
func (q *query) one(name, description, kind string) (string, bool) {
	switch list := q.values[name]; len(list) {
	case 0:
		return "", false
	case 1:
		return list[0], true
	default:
		q.refuse(name, description, schema.InvalidType, "Expected type "+kind+" but found type array")
		return "", false
	}
}

// text is a string parameter, checked against p where p describes more than its
// name; empty when absent.
func (q *query) text(p schema.Property) string {
	s, ok := q.one(p.Name, p.Description, "string")
	if !ok {
		return ""
	}
	p.Types = schema.String
	if vs := p.Check(p.Name, profile.Text(s)); len(vs) > 0 && q.bad == nil {
		q.bad = queryError(vs[0])
	}
	return s
}

// required is text for a parameter that has to be there.
func (q *query) required(p schema.Property) string {
	if !q.values.Has(p.Name) {
		if q.bad == nil {
			q.bad = queryError(schema.Missing(p.Name))
		}
		return ""
	}
	return q.text(p)
}

// flag is a boolean parameter; fallback when absent.
func (q *query) flag(name, description string, fallback bool) bool {
	s, ok := q.one(name, description, "boolean")
	switch {
	case !ok:
		return fallback
	case s == "true":
		return true
	case s == "false":
		return false
	}
	q.refuse(name, description, schema.InvalidType, "Expected type boolean but found type string")
	return fallback
}

// number is an integer parameter from min to max; fallback when absent.
func (q *query) number(name, description string, min, max, fallback int) int {
	s, ok := q.one(name, description, "integer")
	if !ok {
		return fallback
	}
	n, err := strconv.Atoi(s)
	switch {
	case err != nil || s[0] == '+' || len(s) > 10:
		q.refuse(name, description, schema.InvalidType, "Expected type integer but found type string")
	case n < min:
		q.refuse(name, description, schema.Minimum, "Value "+s+" is less than minimum "+strconv.Itoa(min))
	case n > max:
		q.refuse(name, description, schema.Maximum, "Value "+s+" is greater than maximum "+strconv.Itoa(max))
	default:
		return n
	}
	return fallback
}

// list is an array parameter: repeated (strategy=a&strategy=b) or indexed
// (strategy[0]=a&strategy[1]=b), each item checked against item
// (reference/authentication.md §6.3). Indexed items come in the order of their numbers.
func (q *query) list(item schema.Property) []string {
	out := slices.Clone(q.values[item.Name])
	out = append(out, q.values[item.Name+"[]"]...)
	out = append(out, q.indexed(item.Name)...)
	item.Types = schema.String
	for i, s := range out {
		path := item.Name + "[" + strconv.Itoa(i) + "]"
		if vs := item.Check(path, profile.Text(s)); len(vs) > 0 && q.bad == nil {
			q.bad = queryError(vs[0])
		}
	}
	return out
}

// maxIndex bounds the numbers of an indexed parameter.
const maxIndex = 1000

func (q *query) indexed(name string) []string {
	var at []int
	for k := range q.values {
		rest, ok := strings.CutPrefix(k, name+"[")
		digits, closed := strings.CutSuffix(rest, "]")
		if !ok || !closed || digits == "" {
			continue
		}
		n, err := strconv.Atoi(digits)
		if err != nil || n < 0 || n > maxIndex || strconv.Itoa(n) != digits {
			q.refuse(name, "", schema.InvalidType, "Expected type array but found type object")
			continue
		}
		at = append(at, n)
	}
	slices.Sort(at)
	var out []string
	for _, n := range at {
		k := name + "[" + strconv.Itoa(n) + "]"
		if s, ok := q.one(k, "", "string"); ok {
			out = append(out, s)
		}
	}
	return out
}
