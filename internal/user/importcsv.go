package user

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"mangrove/internal/profile"
	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
)

// Columns is what the header of a CSV file says: which property of a row of an
// import is in which column. Names are the import's own. A path like
// user_metadata.a.b is a leaf of metadata; a whole metadata object, a
// custom_password_hash or mfa_factors are JSON in their cell.
type Columns struct {
	comma byte
	width int
	root  []csvField
}

// csvField is a member of the object that a record becomes.
type csvField struct {
	name  string
	kind  csvKind
	at    int        // its column, when it is no branch
	inner []csvField // of a branch
}

type csvKind uint8

const (
	csvText     csvKind = iota
	csvFlag             // true or false
	csvDocument         // JSON
	csvLeaf             // below metadata: true, false or a number, else text
	csvBranch
)

// maxColumns bounds a header, each name of which is compared with the others. It
// is far above what a spreadsheet of people has.
const maxColumns = 1000

// ParseColumns reads a header row (RFC 4180, comma between the fields). The
// error's text is for whoever sent the file.
func ParseColumns(header []byte, comma byte) (*Columns, error) {
	names, err := splitRecord(header, comma)
	if err != nil {
		return nil, err
	}
	if !utf8.Valid(header) {
		return nil, errNotUTF8
	}
	if len(names) > maxColumns {
		return nil, fmt.Errorf("more than %d columns", maxColumns)
	}
	c := &Columns{comma: comma, width: len(names)}
	for at, name := range names {
		name = strings.TrimSpace(strings.TrimPrefix(name, "'"))
		if name == "" {
			return nil, fmt.Errorf("column %d has no name", at+1)
		}
		if readOnly[name[:strings.IndexAny(name+".", ".[")]] {
			continue
		}
		if err := c.add(name, at); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Known reports whether any column is a property of an import.
func (c *Columns) Known() bool {
	return slices.ContainsFunc(c.root, func(f csvField) bool {
		return profile.Known(f.name) || f.name == userIDMember || f.name == hashMember || f.name == customHashMember
	})
}

// add puts a column in its place.
func (c *Columns) add(name string, at int) error {
	root, path, nested := strings.Cut(name, ".")
	if root != profile.UserMetadata && root != profile.AppMetadata {
		return csvInsert(&c.root, name, csvField{name: name, kind: csvKindOf(name), at: at})
	}
	if !nested {
		return csvInsert(&c.root, name, csvField{name: name, kind: csvDocument, at: at})
	}
	level := &c.root
	steps := append([]string{root}, strings.Split(path, ".")...)
	if len(steps) > strictjson.MaxDepth {
		return fmt.Errorf("%q is too deep", csvName(name))
	}
	for i, step := range steps {
		if step == "" || strings.ContainsAny(step, "[]") {
			return fmt.Errorf("%q is no path of metadata", csvName(name))
		}
		if i == len(steps)-1 {
			return csvInsert(level, name, csvField{name: step, kind: csvLeaf, at: at})
		}
		k := slices.IndexFunc(*level, func(f csvField) bool { return f.name == step })
		switch {
		case k < 0:
			k = len(*level)
			*level = append(*level, csvField{name: step, kind: csvBranch})
		case (*level)[k].kind != csvBranch:
			return fmt.Errorf("%q is below another column", csvName(name))
		}
		level = &(*level)[k].inner
	}
	return nil
}

// csvInsert adds f to a level; the whole name is for the error.
func csvInsert(level *[]csvField, name string, f csvField) error {
	if slices.ContainsFunc(*level, func(o csvField) bool { return o.name == f.name }) {
		return fmt.Errorf("%q is there twice, or above another column", csvName(name))
	}
	*level = append(*level, f)
	return nil
}

func csvKindOf(name string) csvKind {
	if name == customHashMember || name == factorsMember {
		return csvDocument
	}
	if form := profile.Form(profile.AtImport, name); form != nil && form.Types == schema.Boolean {
		return csvFlag
	}
	return csvText
}

// csvName keeps a name that a stranger chose short enough for an error text.
func csvName(s string) string {
	if r := []rune(s); len(r) > 100 {
		return string(r[:100]) + "…"
	}
	return s
}

// Object is the JSON object that a record means, for ParseRow to judge. An
// empty cell is an absent member.
//
// A record of a guarded export (reference/users.md §6.5: every text begins with
// an apostrophe, so that no spreadsheet takes it for a formula) is told by all
// of its cells, and loses the apostrophes.
func (c *Columns) Object(record []byte) (json.RawMessage, *Problem) {
	cells, err := splitRecord(record, c.comma)
	if err == nil && !utf8.Valid(record) {
		err = errNotUTF8
	}
	if err == nil && len(cells) != c.width {
		err = fmt.Errorf("%d fields, but the header has %d", len(cells), c.width)
	}
	if err != nil {
		return nil, &Problem{Code: "INVALID_FORMAT", Message: "The row is not a valid CSV record: " + err.Error()}
	}
	w := recordWriter{cells: cells, guarded: guarded(cells), out: make([]byte, 0, 2*len(record)+64)}
	if !w.object(c.root) {
		w.out = append(w.out, "{}"...)
	}
	return w.out, nil
}

// recordWriter writes the object of one record.
type recordWriter struct {
	cells   []string
	guarded bool
	out     []byte
}

// object writes the fields that have a value; when none has, it writes nothing
// and reports false.
func (w *recordWriter) object(fields []csvField) bool {
	begin := len(w.out)
	separator := byte('{')
	for _, f := range fields {
		if f.kind != csvBranch && w.cells[f.at] == "" {
			continue
		}
		before := len(w.out)
		w.out = appendText(append(w.out, separator), f.name)
		w.out = append(w.out, ':')
		if f.kind == csvBranch {
			if !w.object(f.inner) {
				w.out = w.out[:before]
				continue
			}
		} else {
			w.value(f.kind, w.cells[f.at])
		}
		separator = ','
	}
	if len(w.out) == begin {
		return false
	}
	w.out = append(w.out, '}')
	return true
}

func (w *recordWriter) value(kind csvKind, s string) {
	bare, quoted := strings.CutPrefix(s, "'")
	quoted = quoted && w.guarded
	if quoted {
		s = bare
	}
	switch {
	case kind == csvDocument && json.Valid([]byte(s)):
		w.out = append(w.out, s...)
	case kind == csvFlag && (strings.EqualFold(s, "true") || strings.EqualFold(s, "false")):
		w.out = append(w.out, strings.ToLower(s)...)
	case kind == csvLeaf && !quoted && csvScalar(s):
		w.out = append(w.out, s...)
	default:
		w.out = appendText(w.out, s)
	}
}

// csvScalar reports whether s is spelled as a JSON boolean or number.
func csvScalar(s string) bool {
	if s == "true" || s == "false" {
		return true
	}
	return (s[0] == '-' || s[0] >= '0' && s[0] <= '9') && json.Valid([]byte(s))
}

// guarded: no cell is text without an apostrophe, and one at least has it. Times
// that a server wrote have none.
func guarded(cells []string) bool {
	some := false
	for _, s := range cells {
		switch {
		case s == "":
		case s[0] == '\'':
			some = true
		case !csvScalar(s):
			if _, err := time.Parse(time.RFC3339Nano, s); err != nil {
				return false
			}
		}
	}
	return some
}

var (
	errNotUTF8   = errors.New("invalid UTF-8")
	errBareQuote = errors.New("a quote inside a field that does not begin with one")
	errOpenQuote = errors.New("a quoted field without its end")
	errAfter     = errors.New("text behind a quoted field")
)

// splitRecord is the fields of one record (RFC 4180 §2).
func splitRecord(record []byte, comma byte) ([]string, error) {
	var cells []string
	for {
		if len(record) == 0 || record[0] != '"' {
			end := bytes.IndexByte(record, comma)
			last := end < 0
			if last {
				end = len(record)
			}
			if bytes.IndexByte(record[:end], '"') >= 0 {
				return nil, errBareQuote
			}
			cells = append(cells, string(record[:end]))
			if last {
				return cells, nil
			}
			record = record[end+1:]
			continue
		}
		text, rest, err := unquoted(record[1:])
		if err != nil {
			return nil, err
		}
		cells = append(cells, text)
		switch {
		case len(rest) == 0:
			return cells, nil
		case rest[0] != comma:
			return nil, errAfter
		}
		record = rest[1:]
	}
}

// unquoted reads up to the closing quote and returns what is behind it.
func unquoted(b []byte) (text string, rest []byte, err error) {
	var out []byte
	for {
		end := bytes.IndexByte(b, '"')
		if end < 0 {
			return "", nil, errOpenQuote
		}
		out = append(out, b[:end]...)
		b = b[end+1:]
		if len(b) == 0 || b[0] != '"' {
			return string(out), b, nil
		}
		out, b = append(out, '"'), b[1:]
	}
}
