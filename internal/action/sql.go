package action

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"mangrove/internal/connection"
	"mangrove/internal/customdb"
	"mangrove/internal/foreigndb"
	"mangrove/internal/passwd"
	"mangrove/internal/profile"
	"mangrove/internal/script"
	"mangrove/internal/strictjson"
)

const (
	// statementTime is how long a statement may take, with the opening of a connection.
	statementTime = 10 * time.Second
	// maxPerson is how large a profile may be, as an answer of a script.
	maxPerson = 100 << 10
)

// statements are those of options.sql, read.
type statements struct {
	target foreigndb.Target
	all    map[customdb.Action]*statement
	errs   map[customdb.Action]error
	err    error // of the URL
	// last is the stored form of a password that was checked last: what is checked for
	// somebody who is not there takes as long.
	last atomic.Pointer[string]
}

func readStatements(c *connection.Connection) *statements {
	o := customdb.OptionsOf(c)
	s := &statements{all: map[customdb.Action]*statement{}, errs: map[customdb.Action]error{}}
	if s.target, s.err = foreigndb.ParseURL(o.SQLURL); s.err != nil {
		return s
	}
	for a, text := range o.SQL {
		s.all[a], s.errs[a] = readStatement(s.target.Engine, a, text)
	}
	return s
}

// sql runs the statement of an action (ours). What it answers is, by action:
//
//	login            the person of the row without its hash, whose password is right;
//	                 Wrong for no row, a wrong password, and a person without a hash
//	get_user         the person of the row with its hash; null for no row
//	list             users and next, where a full page has a next
//	create, delete   null
//	the others       whether there was a row to change
//
// A row of login brings password_hash (passwd.ParseText) or custom_password_hash, unless
// the statement takes :password: then a row means that it is right. A value that is
// taken already is Invalid with the code user_exists. Where the database cannot be reached
// or the rows mean nothing, it is Broken; every other error of the server is Failed.
func (r *Runner) sql(ctx context.Context, c *connection.Connection, o *customdb.Options, call customdb.Call) (customdb.Answer, error) {
	all := connection.Memo(c, readStatements)
	a := call.Action
	if all.err != nil {
		return customdb.Answer{}, broken("options.sql.url cannot be read", all.err.Error())
	}
	if err := all.errs[a]; err != nil {
		return customdb.Answer{}, broken("the statement of "+string(a)+" cannot be read", err.Error())
	}
	st := all.all[a]
	values := arguments(call)
	if err := r.addHash(ctx, st, values); err != nil {
		return customdb.Answer{}, err
	}
	password := profile.TextOf(call.Arg(customdb.ArgPassword))
	result, err := r.query(ctx, all.target, st, a, values)
	if err != nil {
		if customdb.IsWrong(err) && !st.takes(customdb.ArgPassword) {
			if _, busy := r.verify(ctx, all, nil, password); busy != nil {
				return customdb.Answer{}, busy
			}
		}
		return customdb.Answer{}, err
	}
	var value json.RawMessage
	switch a {
	case customdb.Login:
		value, err = r.signIn(ctx, all, st, result, password)
	case customdb.GetUser:
		value, err = getUser(result)
	case customdb.List:
		value, err = list(result, values[customdb.ArgLimit])
	case customdb.Create:
		// SQL Server can be told not to count.
		if st.verb == "INSERT" && result.Affected == 0 && len(result.Rows) == 0 && all.target.Engine != foreigndb.SQLServer {
			err = taken("the statement inserted nothing") // IGNORE, or ON CONFLICT DO NOTHING
		}
	case customdb.Delete:
	default:
		value = profile.Bool(changed(result))
	}
	return customdb.Answer{Value: value}, err
}

// addHash makes the hash of a password that the statement wants to keep.
func (r *Runner) addHash(ctx context.Context, st *statement, values map[string]any) error {
	for _, p := range [][2]string{{customdb.ArgPassword, argPasswordHash}, {customdb.ArgNewPassword, argNewPasswordHash}} {
		password, ok := values[p[0]].(string)
		if !ok || !st.takes(p[1]) {
			continue
		}
		hash, err := r.hashing.Hash(ctx, password)
		switch {
		case errors.Is(err, passwd.ErrTooLong), errors.Is(err, passwd.ErrNUL):
			return &customdb.Failure{Kind: customdb.Failed, Message: err.Error()}
		case err != nil:
			return err
		}
		values[p[1]] = hash
	}
	return nil
}

func (r *Runner) query(ctx context.Context, t foreigndb.Target, st *statement, a customdb.Action, values map[string]any) (foreigndb.Result, error) {
	args := make([]any, len(st.args))
	for i, name := range st.args {
		args[i] = values[name]
	}
	limited, cancel := context.WithTimeout(ctx, statementTime)
	defer cancel()
	ask := r.databases.Query
	if reads(a) && st.verb == "SELECT" { // behind WITH there may be what writes
		ask = r.databases.Read
	}
	result, err := ask(limited, t, st.text, args)
	switch {
	case err == nil:
		return result, nil
	case ctx.Err() != nil:
		return result, ctx.Err()
	case limited.Err() != nil:
		return result, broken("the database did not answer in time", "limit: 10 s for a statement")
	}
	f := failure(a, err)
	var made []string // hashes of ours: what came with the call is masked by Run
	for _, name := range []string{argPasswordHash, argNewPasswordHash} {
		if hash, ok := values[name].(string); ok && hash != "" {
			made = append(made, hash)
		}
	}
	hide := script.Hide(made)
	f.Message, f.Detail = hide(f.Message), hide(f.Detail)
	return result, f
}

// reads reports whether an action asks without changing anything.
func reads(a customdb.Action) bool {
	return a == customdb.Login || a == customdb.GetUser || a == customdb.List
}

// refusals are the states of a server that did not let us in, or goes down.
var refusals = []string{"08", "28", "3D", "53", "57P"}

// Numbers of MySQL (1040 …) and of SQL Server that say the same; those of a value that is
// taken; and, with the states of PostgreSQL, those of a value that a column cannot hold,
// so that nobody has it.
var (
	refusalNumbers = []int{1040, 1044, 1045, 1049, 1129, 1130, 1203, 1226, 4060, 18456}
	takenNumbers   = []int{1062, 1586, 2601, 2627}
	unfitNumbers   = []int{241, 245, 248, 1267, 1270, 1271, 3988, 8114, 8169}
	unfitStates    = []string{"22P02", "22003", "22007", "22021", "22P05"}
)

// failure says what an error of a database means.
func failure(a customdb.Action, err error) *customdb.Failure {
	var e *foreigndb.Error
	if !errors.As(err, &e) {
		return broken("the database cannot be asked", err.Error())
	}
	var said []string
	for _, p := range [][2]string{{"code ", e.Code}, {"SQLSTATE ", e.State}, {"", e.Detail}} {
		if p[1] != "" {
			said = append(said, p[0]+p[1])
		}
	}
	if e.Number != 0 {
		said = append(said, fmt.Sprintf("number %d", e.Number))
	}
	detail := strings.Join(said, ", ")
	refused := func(prefix string) bool { return strings.HasPrefix(e.State, prefix) }
	switch {
	case !reads(a) && (e.State == "23505" || slices.Contains(takenNumbers, e.Number)):
		f := taken("the database says that it is there already")
		f.Detail = detail
		return f
	case e.State == "" && e.Number == 0, slices.ContainsFunc(refusals, refused), slices.Contains(refusalNumbers, e.Number):
		return broken("the database cannot be reached: "+e.Message, detail)
	case a == customdb.Login && (slices.Contains(unfitStates, e.State) || slices.Contains(unfitNumbers, e.Number)):
		return &customdb.Failure{Kind: customdb.Wrong, Message: "no column can hold this identifier: " + e.Message, Detail: detail}
	}
	return &customdb.Failure{Kind: customdb.Failed, Message: e.Message, Detail: detail}
}

func taken(message string) *customdb.Failure {
	return &customdb.Failure{Kind: customdb.Invalid, Code: "user_exists", Message: message}
}

// signIn is the answer of login.
func (r *Runner) signIn(ctx context.Context, all *statements, st *statement, result foreigndb.Result, password string) (json.RawMessage, error) {
	byStatement := st.takes(customdb.ArgPassword)
	has := func(c foreigndb.Column) bool { return c.Name == passwordHash || c.Name == customHash }
	if !byStatement && !slices.ContainsFunc(result.Columns, has) {
		return nil, broken("the statement of login does not say whether a password is right",
			"it has no column password_hash or custom_password_hash, and takes no :password")
	}
	p, err := one(result)
	if err != nil {
		return nil, err
	}
	id := ""
	if p != nil {
		id = p.profile.Text(userID)
	}
	right := p != nil
	if !byStatement {
		if right, err = r.verify(ctx, all, p, password); err != nil {
			return nil, err
		}
	}
	if right {
		return sized(p.withoutHash())
	}
	f := &customdb.Failure{Kind: customdb.Wrong, UserID: id, Message: "wrong password"}
	switch {
	case p == nil && byStatement:
		f.Message = "no row has this identifier and password"
	case p == nil:
		f.Message = "nobody is known by this identifier"
	case p.unknown:
		f.Message = "the password's hash is of no form that is known here"
	case p.hash == "":
		f.Message = "the row has no password hash"
	}
	return nil, f
}

// verify checks the password of a row. For nobody, and for a row without a hash, it
// checks another, so that time does not tell.
func (r *Runner) verify(ctx context.Context, all *statements, p *person, password string) (bool, error) {
	if p != nil && p.hash != "" {
		all.last.Store(&p.hash)
		return r.hashing.Matches(ctx, p.hash, password)
	}
	stored := ""
	if last := all.last.Load(); last != nil {
		stored = *last
	}
	_, err := r.hashing.Matches(ctx, stored, another(password))
	return false, err
}

// another is a password of the same length that nobody has: whose hash it is checked
// against must not be told by whether it matches.
func another(password string) string {
	_, n := utf8.DecodeRuneInString(password)
	return "\x01" + password[n:]
}

// one is the person of the only row; nil: there is none.
func one(result foreigndb.Result) (*person, error) {
	switch len(result.Rows) {
	case 0:
		return nil, nil //nolint:nilnil // nobody is an answer
	case 1:
		p, err := readRow(result.Columns, result.Rows[0])
		return &p, err
	}
	return nil, broken("the identifier is ambiguous", fmt.Sprintf("the statement found %d rows where there must be one", len(result.Rows)))
}

func getUser(result foreigndb.Result) (json.RawMessage, error) {
	p, err := one(result)
	if p == nil || err != nil {
		return nil, err
	}
	return sized(p.withHash())
}

func sized(answer json.RawMessage) (json.RawMessage, error) {
	if len(answer) > maxPerson {
		return nil, broken("the row is too large", fmt.Sprintf("limit: %d KB for a profile, and this has %d bytes", maxPerson>>10, len(answer)))
	}
	return answer, nil
}

// list is one page. A full one has a next.
func list(result foreigndb.Result, limit any) (json.RawMessage, error) {
	most, _ := limit.(int64)
	if int64(len(result.Rows)) > most {
		return nil, broken("the statement found more rows than :limit", fmt.Sprintf("%d rows where there may be %d", len(result.Rows), most))
	}
	page := strictjson.Document{}
	users := []byte{'['}
	var last string
	for i, row := range result.Rows {
		p, err := readRow(result.Columns, row)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			users = append(users, ',')
		}
		users = append(users, p.withHash()...)
		last = p.cursor
	}
	page["users"] = append(users, ']')
	if int64(len(result.Rows)) == most && last != "" {
		page["next"] = profile.Text(last)
	}
	return page.Encode(), nil
}

// changed reports whether a statement found what to change: rows that it affected, or one
// that it returned, unless all that this one says is false.
func changed(result foreigndb.Result) bool {
	if len(result.Rows) == 0 {
		return result.Affected > 0
	}
	row := result.Rows[0]
	return len(row) != 1 || row[0] != false
}
