package action

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"mangrove/internal/foreigndb"
	"mangrove/internal/passwd"
	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
)

// Columns that are no member of a profile.
const (
	userID       = "user_id"
	passwordHash = "password_hash"
	customHash   = "custom_password_hash"
	// cursor is by what list goes on behind a row; without it that is user_id.
	cursor = "after"
)

// Members that are true or false, however a table has it, and those that are objects or
// lists, also where a table has them as text.
var (
	flags   = []string{profile.EmailVerified, profile.PhoneVerified, profile.Blocked}
	objects = []string{profile.UserMetadata, profile.AppMetadata, "address", "mfa_factors", customHash}
)

// person is one row.
type person struct {
	profile strictjson.Document
	// hash is the stored form of the password's hash; empty: there is none. unknown: the
	// row has one that cannot be read.
	hash    string
	unknown bool
	cursor  string
}

// readRow makes a profile of a row: a column is the member of its name, and behind a
// point a member of that member. NULL is no member. Errors: *customdb.Failure for columns
// that clash, or whose names are none.
func readRow(columns []foreigndb.Column, row []any) (person, error) {
	p := person{profile: strictjson.Document{}}
	seen := map[string]bool{}
	nested := map[string]strictjson.Document{}
	for i, c := range columns {
		if c.Name == "" { // SQL Server names no expression
			continue
		}
		if !utf8.ValidString(c.Name) || strings.ContainsRune(c.Name, 0) {
			return person{}, broken("the row cannot be read", fmt.Sprintf("the column %.100q has a name that no member can have", c.Name))
		}
		if seen[c.Name] {
			return person{}, broken("the row cannot be read", fmt.Sprintf("two columns have the name %.100q", c.Name))
		}
		seen[c.Name] = true
		v := cell(c, row[i])
		if v == nil {
			continue
		}
		switch object, member, dotted := strings.Cut(c.Name, "."); {
		case c.Name == cursor:
			p.cursor = spelled(v)
		case c.Name == userID:
			p.profile[userID] = profile.Text(spelled(v))
		case dotted && object != "" && member != "":
			if nested[object] == nil {
				nested[object] = strictjson.Document{}
			}
			nested[object][member] = v
		default:
			p.profile[c.Name] = v
		}
	}
	for object, members := range nested {
		if err := p.nest(object, members); err != nil {
			return person{}, err
		}
	}
	p.readHash()
	if p.cursor == "" {
		p.cursor = p.profile.Text(userID)
	}
	return p, nil
}

// nest puts members of dotted columns beside those of a column of the object itself.
func (p *person) nest(object string, members strictjson.Document) error {
	all := strictjson.Document{}
	if whole, ok := p.profile[object]; ok {
		if all = strictjson.ParseDocument(whole); all == nil {
			return broken("the row cannot be read", fmt.Sprintf("the column %.100q is no object, and there are columns of its members", object))
		}
	}
	for name, v := range members {
		all[name] = v
	}
	p.profile[object] = all.Encode()
	return nil
}

// readHash takes the password's hash out of the profile.
func (p *person) readHash() {
	text, object := p.profile.Text(passwordHash), p.profile[customHash]
	var err error
	switch {
	case text != "":
		p.hash, err = passwd.ParseText(text)
		p.unknown = err != nil && err != passwd.ErrNoPassword //nolint:errorlint // never wrapped
	case object != nil:
		p.hash, err = passwd.ParseCustom(object)
		p.unknown = err != nil
	}
}

// withHash is the profile with its hash as a row of an import has it; one that cannot be
// read stays what it is, so that the import says so.
func (p *person) withHash() json.RawMessage {
	if p.unknown {
		return p.profile.Encode()
	}
	p.drop()
	if member, value := passwd.Export(p.hash); member != "" {
		p.profile[member] = value
	}
	return p.profile.Encode()
}

// withoutHash is the profile alone.
func (p *person) withoutHash() json.RawMessage {
	p.drop()
	return p.profile.Encode()
}

func (p *person) drop() {
	delete(p.profile, passwordHash)
	delete(p.profile, customHash)
}

// cell is a value of a row as JSON; nil: there is none.
func cell(c foreigndb.Column, v any) profile.Value {
	if v == nil {
		return nil
	}
	if slices.Contains(flags, c.Name) {
		if b, ok := flag(v); ok {
			return profile.Bool(b)
		}
	}
	switch v := v.(type) {
	case bool:
		return profile.Bool(v)
	case int64:
		return strconv.AppendInt(nil, v, 10)
	case uint64:
		return strconv.AppendUint(nil, v, 10)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil
		}
		b, _ := json.Marshal(v) // finite: it encodes
		return b
	case time.Time:
		return moment(c.Type, v)
	case []byte:
		if c.Name == userID || c.Name == cursor {
			return profile.Text(hex.EncodeToString(v)) // never now this and then that
		}
		if v = trimNUL(v); !utf8.Valid(v) {
			return profile.Text(hex.EncodeToString(v))
		}
		return text(c, string(v))
	case string:
		return text(c, v)
	}
	return profile.Text(fmt.Sprint(v))
}

// spelled is the text of a value: of a string itself, of a number its digits.
func spelled(v profile.Value) string {
	if v[0] == '"' {
		return profile.TextOf(v)
	}
	return string(v)
}

// trimNUL cuts off what fills a BINARY(n).
func trimNUL(b []byte) []byte {
	n := len(b)
	for n > 0 && b[n-1] == 0 {
		n--
	}
	return b[:n]
}

// text is a string, or what it is the JSON of.
func text(c foreigndb.Column, s string) profile.Value {
	switch c.Type {
	case "char", "nchar", "bpchar": // filled up with space
		s = strings.TrimRight(s, " ")
	}
	if c.Type == "json" || c.Type == "jsonb" || slices.Contains(objects, c.Name) {
		if v, ok := parsed(s); ok {
			if profile.IsNull(v) {
				return nil
			}
			return v
		}
	}
	return profile.Text(strings.ReplaceAll(s, "\x00", "\uFFFD"))
}

// parsed is JSON that may stand in a member of a member.
func parsed(s string) (profile.Value, bool) {
	v, err := strictjson.Compact([]byte(s))
	if err != nil {
		return nil, false
	}
	_, err = strictjson.Compact(slices.Concat([]byte("[["), v, []byte("]]"))) // not too deep
	return v, err == nil
}

// moment is a time in the way in which profiles have it; of a date, the date. MySQL has
// days that are none.
func moment(kind string, t time.Time) profile.Value {
	if t.IsZero() {
		return nil
	}
	if kind == "date" {
		return profile.Text(t.Format(time.DateOnly))
	}
	return profile.Text(t.UTC().Format("2006-01-02T15:04:05.000Z"))
}

// flag is true or false as tables have it.
func flag(v any) (value, ok bool) {
	switch v := v.(type) {
	case bool:
		return v, true
	case int64:
		return v == 1, v == 0 || v == 1
	case uint64:
		return v == 1, v <= 1
	case float64:
		return v == 1, v == 0 || v == 1
	case []byte: // BIT, or text
		if len(v) > 0 && v[len(v)-1] <= 1 && len(trimNUL(v[:len(v)-1])) == 0 {
			return v[len(v)-1] == 1, true
		}
		return flag(string(v))
	case string:
		switch strings.ToLower(strings.TrimSpace(v)) {
		case "1", "t", "true", "y", "yes", "on":
			return true, true
		case "0", "f", "false", "n", "no", "off":
			return false, true
		}
	}
	return false, false
}
