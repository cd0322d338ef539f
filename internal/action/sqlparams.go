package action

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mangrove/internal/customdb"
	"mangrove/internal/foreigndb"
	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
)

// statement is one of options.sql, read for its engine.
type statement struct {
	text string   // with placeholders of the engine
	args []string // what goes in them, by name
	verb string   // the first word, in upper case
}

// takes reports whether the statement has the parameter.
func (s *statement) takes(name string) bool { return slices.Contains(s.args, name) }

// CheckStatement refuses what is no statement of an action: a parameter that the action
// does not have, or none that says who is meant; two statements; a placeholder of the
// engine, whose argument nobody knows. Its errors are sentences for whoever wrote it.
func CheckStatement(engine foreigndb.Engine, action customdb.Action, text string) error {
	_, err := readStatement(engine, action, text)
	return err
}

// Parameters that only statements have: bcrypt, cost 10, of the password that came.
const (
	argPasswordHash    = "password_hash"
	argNewPasswordHash = "new_password_hash"
)

// members of user that the statement of create can name. Behind user_metadata and
// app_metadata may be a point and the name of a member.
var members = []string{
	"user", "client_id", "tenant", "connection", "email", "password", argPasswordHash, "username", "phone_number",
	"given_name", "family_name", "name", "nickname", "picture", "email_verified", "phone_verified", "blocked",
	"user_metadata", "app_metadata",
}

// allowed are the parameters of an action.
func allowed(a customdb.Action) []string {
	switch a {
	case customdb.Create:
		return members
	case customdb.ChangePassword:
		return append(a.Parameters(), argNewPasswordHash)
	}
	return a.Parameters()
}

// needed are lists of parameters of which a statement must have one each. Without them
// it would mean everybody.
func needed(a customdb.Action) [][]string {
	switch a {
	case customdb.Login, customdb.GetUser, customdb.ChangeUsername, customdb.ChangePhoneNumber:
		return [][]string{{customdb.ArgIdentifier}}
	case customdb.Create:
		return [][]string{{"email", "username", "phone_number", "user"}}
	case customdb.Verify, customdb.ChangeEmail:
		return [][]string{{customdb.ArgEmail}}
	case customdb.ChangePassword:
		return [][]string{{customdb.ArgIdentifier}, {customdb.ArgNewPassword, argNewPasswordHash}}
	case customdb.Delete:
		return [][]string{{customdb.ArgID}}
	case customdb.List:
		return [][]string{{customdb.ArgAfter}, {customdb.ArgLimit}}
	}
	return nil
}

func isParameter(a customdb.Action, name string) bool {
	if object, member, ok := strings.Cut(name, "."); ok {
		return a == customdb.Create && member != "" && (object == profile.UserMetadata || object == profile.AppMetadata)
	}
	return slices.Contains(allowed(a), name)
}

func readStatement(engine foreigndb.Engine, a customdb.Action, text string) (*statement, error) {
	pieces, err := split(engine, text)
	if err != nil {
		return nil, err
	}
	s := &statement{}
	var out strings.Builder
	ended := false
	for _, p := range pieces {
		if ended && p.kind != blank && p.kind != end {
			return nil, errors.New("there is something behind the semicolon; only one statement is run")
		}
		switch p.kind {
		case word:
			if s.verb == "" {
				s.verb = strings.ToUpper(p.text)
			}
		case end:
			ended = true
		case parameter:
			name := p.text[1:]
			if !isParameter(a, name) {
				return nil, fmt.Errorf("the action has no parameter %s, only :%s", p.text, strings.Join(allowed(a), " :"))
			}
			out.WriteString(s.place(engine, name))
			continue
		}
		out.WriteString(p.text)
	}
	if s.verb == "" {
		return nil, errors.New("there is no statement")
	}
	for _, names := range needed(a) {
		if !slices.ContainsFunc(names, s.takes) {
			return nil, fmt.Errorf("there is no parameter :%s in it", strings.Join(names, " or :"))
		}
	}
	s.text = out.String()
	return s, nil
}

// place takes note of a parameter and is its placeholder. One that PostgreSQL and SQL
// Server have seen keeps its number, and so its type.
func (s *statement) place(engine foreigndb.Engine, name string) string {
	i := slices.Index(s.args, name)
	if i < 0 || engine == foreigndb.MySQL {
		i = len(s.args)
		s.args = append(s.args, name)
	}
	switch engine {
	case foreigndb.MySQL:
		return "?"
	case foreigndb.SQLServer:
		return "@p" + strconv.Itoa(i+1)
	}
	return "$" + strconv.Itoa(i+1)
}

// kind of a piece of a statement.
type kind int

const (
	other kind = iota // a sign, or what is quoted
	blank             // space and comments
	word              // a word or a number
	end               // a semicolon
	parameter
)

type piece struct {
	kind kind
	text string
}

// split takes a statement apart. Its pieces together are the text.
func split(engine foreigndb.Engine, text string) ([]piece, error) {
	var list []piece
	for i := 0; i < len(text); {
		var before piece
		if len(list) > 0 {
			before = list[len(list)-1]
		}
		p, err := next(engine, text[i:], before)
		if err != nil {
			return nil, err
		}
		list = append(list, p)
		i += len(p.text)
	}
	return list, nil
}

// next is the first piece of what is left; before is the one before it.
func next(engine foreigndb.Engine, s string, before piece) (piece, error) {
	n, err := comment(engine, s)
	if err != nil {
		return piece{}, err
	}
	if n > 0 {
		return piece{blank, s[:n]}, nil
	}
	if n, err = quoted(engine, s, before); err != nil {
		return piece{}, err
	}
	if n > 0 {
		return piece{other, s[:n]}, nil
	}
	switch c := s[0]; {
	case strings.IndexByte(" \t\r\n\f\v", c) >= 0:
		return piece{blank, s[:1]}, nil
	case c == ';':
		return piece{end, s[:1]}, nil
	case c == ':':
		return colon(s, before)
	case isWord(c):
		return piece{word, s[:run(s)]}, nil
	case c == '@' && engine != foreigndb.Postgres: // a variable
		n := 1 + run(s[1:])
		if engine == foreigndb.SQLServer && n > 2 && strings.EqualFold(s[:2], "@p") && strings.Trim(s[2:n], "0123456789") == "" {
			return piece{}, placeholderIn(s[:n])
		}
		return piece{other, s[:n]}, nil
	case c == '?' && engine == foreigndb.MySQL:
		return piece{}, placeholderIn("?")
	case c == '$' && engine == foreigndb.Postgres && len(s) > 1 && s[1] >= '0' && s[1] <= '9':
		return piece{}, placeholderIn("$" + s[1:2])
	}
	return piece{other, s[:1]}, nil
}

func placeholderIn(text string) error {
	return fmt.Errorf("there is the placeholder %s in it; parameters have names here, like :identifier", text)
}

// isWord reports the characters of words and numbers. The others that an engine allows
// in names do no harm apart.
func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c >= 0x80
}

// run is the length of the word at the start of s. A $ may be within.
func run(s string) int {
	n := 0
	for n < len(s) && (isWord(s[n]) || n > 0 && s[n] == '$') {
		n++
	}
	return n
}

// colon reads what begins with a colon: a parameter, a cast (::), an assignment (:=), a
// slice of an array.
func colon(s string, before piece) (piece, error) {
	n := len(s) - len(strings.TrimLeft(s, ":"))
	if n > 1 || n == len(s) || !isWord(s[n]) || s[n] >= '0' && s[n] <= '9' {
		return piece{other, s[:n]}, nil
	}
	n += run(s[n:])
	for n+1 < len(s) && s[n] == '.' && isWord(s[n+1]) {
		n += 1 + run(s[n+1:])
	}
	if before.kind == word || before.kind == parameter {
		return piece{}, fmt.Errorf("there must be a space before %s", s[:n])
	}
	return piece{parameter, s[:n]}, nil
}

// comment is the length of the comment at the start of s; zero: there is none.
func comment(engine foreigndb.Engine, s string) (int, error) {
	switch {
	case strings.HasPrefix(s, "/*"):
		return block(engine, s)
	case s[0] == '#' && engine == foreigndb.MySQL:
	case strings.HasPrefix(s, "--") && (engine != foreigndb.MySQL || len(s) == 2 || s[2] <= ' '):
	default:
		return 0, nil
	}
	ends := "\n"
	if engine == foreigndb.Postgres {
		ends = "\r\n"
	}
	if n := strings.IndexAny(s, ends); n >= 0 {
		return n, nil
	}
	return len(s), nil
}

// block is the length of a comment between /* and */, which is nested but in MySQL.
func block(engine foreigndb.Engine, s string) (int, error) {
	depth := 0
	for n := 0; n+1 < len(s); n++ {
		switch s[n : n+2] {
		case "/*":
			if depth == 0 || engine != foreigndb.MySQL {
				depth++
			}
			n++
		case "*/":
			n++
			if depth--; depth == 0 {
				return n + 1, nil
			}
		}
	}
	return 0, errors.New("a comment in it has no end")
}

// quoted is the length of the text or name in quotes at the start of s; zero: there is
// none. before tells the texts of PostgreSQL in which a backslash escapes.
func quoted(engine foreigndb.Engine, s string, before piece) (int, error) {
	mysql := engine == foreigndb.MySQL
	switch s[0] {
	case '\'':
		escapes := mysql || engine == foreigndb.Postgres && before.kind == word && strings.EqualFold(before.text, "e")
		return upTo(s, '\'', escapes)
	case '"':
		return upTo(s, '"', mysql)
	case '`':
		if mysql {
			return upTo(s, '`', false)
		}
	case '[':
		if engine == foreigndb.SQLServer {
			return upTo(s, ']', false)
		}
	case '$':
		if engine == foreigndb.Postgres {
			return dollars(s)
		}
	}
	return 0, nil
}

// upTo is the length of a text up to its closing quote, of which two stand for one.
func upTo(s string, quote byte, escapes bool) (int, error) {
	for n := 1; n < len(s); n++ {
		switch {
		case escapes && s[n] == '\\':
			n++
		case s[n] != quote:
		case n+1 < len(s) && s[n+1] == quote:
			n++
		default:
			return n + 1, nil
		}
	}
	return 0, fmt.Errorf("a text in it that begins with %c has no end", s[0])
}

// dollars is the length of a text between $tag$ and $tag$; zero: it is none.
func dollars(s string) (int, error) {
	n := 1
	if n < len(s) && (s[n] < '0' || s[n] > '9') {
		for n < len(s) && isWord(s[n]) {
			n++
		}
	}
	if n == len(s) || s[n] != '$' {
		return 0, nil
	}
	tag := s[:n+1]
	i := strings.Index(s[n+1:], tag)
	if i < 0 {
		return 0, fmt.Errorf("a text in it that begins with %s has no end", tag)
	}
	return n + 1 + i + len(tag), nil
}

// arguments are the values of parameters by name. Those of user are the members of its
// object, and an empty :after is none.
func arguments(call customdb.Call) map[string]any {
	values := map[string]any{}
	user := strictjson.ParseDocument(call.Arg(customdb.ArgUser))
	for _, name := range members {
		values[name] = argument(user[name])
	}
	for _, a := range call.Args {
		values[a.Name] = argument(a.Value)
	}
	if values[customdb.ArgAfter] == "" {
		values[customdb.ArgAfter] = nil
	}
	for _, object := range []string{profile.UserMetadata, profile.AppMetadata} {
		for name, v := range user.Object(object) {
			values[object+"."+name] = argument(v)
		}
	}
	return values
}

// argument is a JSON value for a database: objects and lists as text.
func argument(v json.RawMessage) any {
	switch {
	case len(v) == 0 || profile.IsNull(v):
		return nil
	case v[0] == '"':
		return profile.TextOf(v)
	case v[0] == '{', v[0] == '[':
		return string(v)
	case string(v) == "true":
		return true
	case string(v) == "false":
		return false
	}
	if n, err := strconv.ParseInt(string(v), 10, 64); err == nil {
		return n
	}
	f, _ := strconv.ParseFloat(string(v), 64) // JSON has no other numbers
	return f
}
