package user

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"mangrove/internal/passwd"
	"mangrove/internal/profile"
	"mangrove/internal/schema"
)

// Formats of an export (reference/users.md §6.5).
const (
	ExportJSON = "json" // one user per line
	ExportCSV  = "csv"
)

// MaxCSVFields is the most columns of a CSV file. MaxExportFields bounds what
// one user may cost in the other format.
const (
	MaxCSVFields    = 30
	MaxExportFields = 200
)

// ExportField is one column of an export: where its value is, and its title.
type ExportField struct {
	// Name is a path in the wire form of a user: email, identities[0].connection,
	// user_metadata.a.b. A member whose name has the dots or brackets itself comes
	// first.
	Name string `json:"name"`
	// As is the title; empty: Name.
	As string `json:"export_as,omitempty"`
}

func (f ExportField) title() string {
	if f.As != "" {
		return f.As
	}
	return f.Name
}

// ExportRow is a user as an export reads it.
type ExportRow struct {
	View
	// Hash and Factors are read only for an export with secrets.
	Hash    string
	Factors profile.Value
}

// csvDefault is what a CSV file has when nobody chose (reference/users.md §6.5).
var csvDefault = []ExportField{
	{Name: "user_id"}, {Name: "nickname"}, {Name: "name"}, {Name: "email"},
	{Name: "identities[0].connection", As: "connection"}, {Name: "created_at"}, {Name: "updated_at"},
}

// CheckExport decides whether a file may have these fields: not too many, of
// different titles, and in CSV no metadata as a whole, since a cell is one value.
func CheckExport(format string, fields []ExportField) error {
	most := MaxExportFields
	if format == ExportCSV {
		most = MaxCSVFields
	}
	if n := len(fields); n > most {
		return violation(schema.ArrayLengthLong, "fields", "Array is too long (%d), maximum %d", n, most)
	}
	first := make(map[string]int, len(fields))
	for i, f := range fields {
		if format == ExportCSV && (f.Name == profile.UserMetadata || f.Name == profile.AppMetadata) {
			return violation(schema.NotPassed, fmt.Sprintf("fields[%d].name", i),
				"A CSV file takes metadata by the path of one value, such as %s.key", f.Name)
		}
		if j, twice := first[f.title()]; twice {
			return violation(schema.ArrayUnique, "fields", "Array items are not unique (indexes %d and %d)", j, i)
		}
		first[f.title()] = i
	}
	return nil
}

func violation(code, path, format string, args ...any) error {
	return schema.Error{{Code: code, Path: path, Message: fmt.Sprintf(format, args...)}}
}

// Sheet writes users in the form of one file. It is for one goroutine.
type Sheet struct {
	csv     bool
	columns []column
	at      map[string][]int // columns by the names that their first step may have
	whole   []byte           // the wire form of the user under way
	values  []json.RawMessage
	literal []bool // the value is of a member that has the whole name
}

// NewSheet is a file of the format. Without fields a CSV file has a set of its
// own, and JSON the whole user.
func NewSheet(format string, fields []ExportField) *Sheet {
	s := &Sheet{csv: format == ExportCSV, at: map[string][]int{}}
	if s.csv && len(fields) == 0 {
		fields = csvDefault
	}
	for i, f := range fields {
		c := columnOf(f)
		s.columns = append(s.columns, c)
		names := []string{f.Name}
		if first := c.path[0]; first.name != f.Name {
			names = append(names, first.name)
		}
		if first := c.path[0]; first.array != "" {
			names = append(names, first.array)
		}
		for _, n := range names {
			s.at[n] = append(s.at[n], i)
		}
	}
	s.values = make([]json.RawMessage, len(s.columns))
	s.literal = make([]bool, len(s.columns))
	return s
}

// column is a field, ready to be looked up.
type column struct {
	name  string
	title []byte // as JSON
	head  string
	path  []step
}

// step is one part of a path: a member, or elements of the array of that name.
type step struct {
	name  string // as written
	array string // name without its indexes; empty when it has none
	index []int
}

func columnOf(f ExportField) column {
	c := column{name: f.Name, title: profile.Text(f.title()), head: f.title()}
	for part := range strings.SplitSeq(f.Name, ".") {
		c.path = append(c.path, stepOf(part))
	}
	return c
}

// stepOf reads a[0][1]. What has no such form is a name.
func stepOf(part string) step {
	s := step{name: part}
	rest := part
	var index []int
	for strings.HasSuffix(rest, "]") {
		open := strings.LastIndexByte(rest, '[')
		if open < 0 {
			return s
		}
		n, err := strconv.ParseUint(rest[open+1:len(rest)-1], 10, 16)
		if err != nil {
			return s
		}
		rest, index = rest[:open], append([]int{int(n)}, index...)
	}
	if rest != "" && len(index) > 0 {
		s.array, s.index = rest, index
	}
	return s
}

// Head is what a file begins with: the titles of a CSV file.
func (s *Sheet) Head(b []byte) []byte {
	if !s.csv {
		return b
	}
	for i, c := range s.columns {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendTitle(b, c.head)
	}
	return append(b, '\n')
}

// Append writes one user as one line. Of a user's secrets a line of JSON with
// the whole user has those that the row has, in the members of an import; other
// lines have none.
func (s *Sheet) Append(b []byte, r *ExportRow) []byte {
	if len(s.columns) == 0 {
		b = AppendWire(b, &r.View, r.Identities)
		return append(appendSecrets(b, r), '\n')
	}
	s.whole = AppendWire(s.whole[:0], &r.View, r.Identities)
	s.find()
	if s.csv {
		return s.appendCells(b)
	}
	return s.appendMembers(b)
}

// appendSecrets puts the members of an import into the object that ends b.
func appendSecrets(b []byte, r *ExportRow) []byte {
	add := func(name string, value []byte) {
		b = append(b[:len(b)-1], `,"`...)
		b = append(append(append(append(b, name...), `":`...), value...), '}')
	}
	if member, value := passwd.Export(r.Hash); member != "" {
		add(member, value)
	}
	if len(r.Factors) > 0 {
		add("mfa_factors", r.Factors)
	}
	return b
}

// find looks up the values of all columns in one pass over the user.
func (s *Sheet) find() {
	clear(s.values)
	clear(s.literal)
	for m := range schema.Members(s.whole) {
		name := m.Name()
		for _, i := range s.at[name] {
			c := &s.columns[i]
			switch {
			case name == c.name:
				s.values[i], s.literal[i] = m.Value, true
			case s.literal[i]:
			case name == c.path[0].name:
				s.values[i] = follow(m.Value, c.path[1:])
			default:
				s.values[i] = follow(elements(m.Value, c.path[0].index), c.path[1:])
			}
		}
	}
}

// follow goes down a path; nil where it leads nowhere.
func follow(v json.RawMessage, path []step) json.RawMessage {
	for _, s := range path {
		var direct, array json.RawMessage
		for m := range schema.Members(v) {
			switch m.Name() {
			case s.name:
				direct = m.Value
			case s.array:
				array = m.Value
			}
		}
		if v = direct; v == nil && s.array != "" {
			v = elements(array, s.index)
		}
		if v == nil {
			return nil
		}
	}
	return v
}

func elements(v json.RawMessage, index []int) json.RawMessage {
	for _, want := range index {
		var found json.RawMessage
		for i, e := range schema.Elements(v) {
			if i == want {
				found = e
				break
			}
		}
		if v = found; v == nil {
			return nil
		}
	}
	return v
}

func (s *Sheet) appendMembers(b []byte) []byte {
	b = append(b, '{')
	some := false
	for i, v := range s.values {
		if v == nil {
			continue
		}
		if some {
			b = append(b, ',')
		}
		some = true
		b = append(append(append(b, s.columns[i].title...), ':'), v...)
	}
	return append(b, '}', '\n')
}

func (s *Sheet) appendCells(b []byte) []byte {
	start := len(b)
	for i, v := range s.values {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendCell(b, v, serverTimes[s.columns[i].name])
	}
	if len(b) == start { // readers skip a blank line
		b = append(b, `""`...)
	}
	return append(b, '\n')
}
