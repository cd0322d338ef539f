package action

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"mangrove/internal/customdb"
	"mangrove/internal/foreigndb"
	"mangrove/internal/profile"
)

const (
	pg    = foreigndb.Postgres
	my    = foreigndb.MySQL
	mssql = foreigndb.SQLServer
)

var engines = []foreigndb.Engine{pg, my, mssql}

func TestReadStatement(t *testing.T) {
	for _, c := range []struct {
		name   string
		engine foreigndb.Engine
		action customdb.Action
		text   string
		want   string
		args   string
	}{
		{"postgres", pg, customdb.GetUser, `SELECT id FROM users WHERE email = :identifier`, `SELECT id FROM users WHERE email = $1`, "identifier"},
		{"mysql", my, customdb.GetUser, `SELECT id FROM users WHERE email = :identifier`, `SELECT id FROM users WHERE email = ?`, "identifier"},
		{"sql server", mssql, customdb.GetUser, `SELECT id FROM users WHERE email = :identifier`, `SELECT id FROM users WHERE email = @p1`, "identifier"},
		{"twice, by number", pg, customdb.Login, `SELECT 1 WHERE a=:identifier OR b=:identifier AND c=:password`, `SELECT 1 WHERE a=$1 OR b=$1 AND c=$2`, "identifier password"},
		{"twice, by number", mssql, customdb.Login, `SELECT 1 WHERE a=:identifier OR b=:identifier AND c=:password`, `SELECT 1 WHERE a=@p1 OR b=@p1 AND c=@p2`, "identifier password"},
		{"twice, by position", my, customdb.Login, `SELECT 1 WHERE a=:identifier OR b=:identifier AND c=:password`, `SELECT 1 WHERE a=? OR b=? AND c=?`, "identifier identifier password"},
		{"text", pg, customdb.Delete, `DELETE FROM u WHERE id=:id AND x=':id it''s :id'`, `DELETE FROM u WHERE id=$1 AND x=':id it''s :id'`, "id"},
		{"a backslash is one", pg, customdb.Delete, `DELETE FROM u WHERE x='\' AND id=:id`, `DELETE FROM u WHERE x='\' AND id=$1`, "id"},
		{"a backslash escapes", my, customdb.Delete, `DELETE FROM u WHERE x='\':id' AND id=:id`, `DELETE FROM u WHERE x='\':id' AND id=?`, "id"},
		{"a backslash escapes behind E", pg, customdb.Delete, `DELETE FROM u WHERE x=E'\':id' AND id=:id`, `DELETE FROM u WHERE x=E'\':id' AND id=$1`, "id"},
		{"E is another word", pg, customdb.Delete, `DELETE FROM u WHERE CASE WHEN true THEN e ELSE '\' END=:id`, `DELETE FROM u WHERE CASE WHEN true THEN e ELSE '\' END=$1`, "id"},
		{"quoted name", pg, customdb.Delete, `DELETE FROM "a:id""b" WHERE id=:id`, `DELETE FROM "a:id""b" WHERE id=$1`, "id"},
		{"text in double quotes", my, customdb.Delete, `DELETE FROM u WHERE x="\":id" AND id=:id`, `DELETE FROM u WHERE x="\":id" AND id=?`, "id"},
		{"backquotes", my, customdb.Delete, "DELETE FROM `a:id``b` WHERE id=:id", "DELETE FROM `a:id``b` WHERE id=?", "id"},
		{"brackets", mssql, customdb.Delete, `DELETE FROM [a:id]]b] WHERE id=:id`, `DELETE FROM [a:id]]b] WHERE id=@p1`, "id"},
		{"brackets of an array", pg, customdb.Delete, `DELETE FROM u WHERE id=(ARRAY[ :id ])[1]`, `DELETE FROM u WHERE id=(ARRAY[ $1 ])[1]`, "id"},
		{"casts", pg, customdb.Delete, `DELETE FROM u WHERE id=:id::int AND x::text='1'`, `DELETE FROM u WHERE id=$1::int AND x::text='1'`, "id"},
		{"cast to a type of the name", pg, customdb.Delete, `DELETE FROM u WHERE x::id=:id`, `DELETE FROM u WHERE x::id=$1`, "id"},
		{"slices", pg, customdb.Delete, `DELETE FROM u WHERE a[1:2]=:id`, `DELETE FROM u WHERE a[1:2]=$1`, "id"},
		{"assignment", my, customdb.Delete, `DELETE FROM u WHERE (@x := 1) AND id=:id`, `DELETE FROM u WHERE (@x := 1) AND id=?`, "id"},
		{"operators of json", pg, customdb.Delete, `DELETE FROM u WHERE d ? 'x' AND d #>> '{a}' = :id`, `DELETE FROM u WHERE d ? 'x' AND d #>> '{a}' = $1`, "id"},
		{"comments", pg, customdb.Delete, "DELETE FROM u -- :email; it's\nWHERE /* :x ' /* ; */ */ id=:id", "DELETE FROM u -- :email; it's\nWHERE /* :x ' /* ; */ */ id=$1", "id"},
		{"comments are not nested", my, customdb.Delete, "DELETE FROM u /* /* ' */ WHERE id=:id", "DELETE FROM u /* /* ' */ WHERE id=?", "id"},
		{"comment with #", my, customdb.Delete, "DELETE FROM u # it's :x\nWHERE id=:id", "DELETE FROM u # it's :x\nWHERE id=?", "id"},
		{"two minuses are no comment", my, customdb.Delete, "DELETE FROM u WHERE x=1--1 AND id=:id", "DELETE FROM u WHERE x=1--1 AND id=?", "id"},
		{"two minuses are a comment", mssql, customdb.Delete, "DELETE FROM u WHERE id=:id --1 :x", "DELETE FROM u WHERE id=@p1 --1 :x", "id"},
		{"dollars", pg, customdb.Delete, `DELETE FROM u WHERE x=$$:id;'$$ AND y=$a$ $$ :id $b$ $a$ AND id=:id`, `DELETE FROM u WHERE x=$$:id;'$$ AND y=$a$ $$ :id $b$ $a$ AND id=$1`, "id"},
		{"a dollar in a name", pg, customdb.Delete, `DELETE FROM u$a$ WHERE id=:id AND x$a$=1`, `DELETE FROM u$a$ WHERE id=$1 AND x$a$=1`, "id"},
		{"variables", mssql, customdb.Delete, `DELETE FROM u WHERE id=:id AND @@ROWCOUNT=0 AND @page=1`, `DELETE FROM u WHERE id=@p1 AND @@ROWCOUNT=0 AND @page=1`, "id"},
		{"semicolon at the end", pg, customdb.Delete, "DELETE FROM u WHERE id=:id; -- done\n ", "DELETE FROM u WHERE id=$1; -- done\n ", "id"},
		{"semicolon in a text", pg, customdb.Delete, "DELETE FROM u WHERE id=:id AND x=';'", "DELETE FROM u WHERE id=$1 AND x=';'", "id"},
		{"members of user", pg, customdb.Create, `INSERT INTO u VALUES (:email,:password_hash,:user_metadata.lang,:user)`, `INSERT INTO u VALUES ($1,$2,$3,$4)`, "email password_hash user_metadata.lang user"},
		{"hash of a password", my, customdb.ChangePassword, `UPDATE u SET h=:new_password_hash WHERE e=:identifier`, `UPDATE u SET h=? WHERE e=?`, "new_password_hash identifier"},
		{"a point behind", pg, customdb.Delete, `SELECT :id.`, `SELECT $1.`, "id"},
		{"other alphabets", pg, customdb.Delete, `DELETE FROM käufer WHERE "名":id=1 OR id=:id`, ``, ""},
	} {
		t.Run(string(c.engine)+" "+c.name, func(t *testing.T) {
			s, err := readStatement(c.engine, c.action, c.text)
			if c.want == "" {
				if err == nil {
					return // what stands beside a name in quotes is the engine's to judge
				}
				t.Fatal(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			if s.text != c.want || strings.Join(s.args, " ") != c.args {
				t.Errorf("%s\n%v", s.text, s.args)
			}
		})
	}
}

func TestStatementRefused(t *testing.T) {
	for _, c := range []struct {
		engine       foreigndb.Engine
		action       customdb.Action
		text, reason string
	}{
		{pg, customdb.GetUser, ``, "there is no statement"},
		{pg, customdb.GetUser, ` /* :identifier */ ; `, "there is no statement"},
		{pg, customdb.GetUser, `SELECT :email`, "the action has no parameter :email, only :identifier"},
		{pg, customdb.GetUser, `SELECT :identifier, :password`, "the action has no parameter :password, only :identifier"},
		{pg, customdb.Create, `SELECT :email, :picture.url`, "the action has no parameter :picture.url"},
		{pg, customdb.ChangePassword, `UPDATE u SET p=:password WHERE e=:identifier`, "the action has no parameter :password, only :identifier :new_password :new_password_hash"},
		{pg, customdb.Delete, `DELETE FROM u WHERE id=:id; DROP TABLE u`, "only one statement is run"},
		{pg, customdb.Delete, `DELETE FROM u WHERE id=:id;;`, ""},
		{pg, customdb.Delete, `DELETE FROM u WHERE id=$1`, "there is the placeholder $1 in it"},
		{my, customdb.Delete, `DELETE FROM u WHERE id=?`, "there is the placeholder ? in it"},
		{mssql, customdb.Delete, `DELETE FROM u WHERE id=@P1`, "there is the placeholder @P1 in it"},
		{pg, customdb.Delete, `DELETE FROM u WHERE id=id:id`, "there must be a space before :id"},
		{pg, customdb.Delete, `DELETE FROM u WHERE id=:id:id`, "there must be a space before :id"},
		{pg, customdb.Delete, `DELETE FROM u WHERE id=:id$1`, "the action has no parameter :id$1"},
		{pg, customdb.Delete, `DELETE FROM u WHERE id=:idé`, "the action has no parameter :idé"},
		{pg, customdb.Delete, `DELETE FROM u WHERE id=:id AND x='`, "that begins with ' has no end"},
		{pg, customdb.Delete, `DELETE FROM u WHERE id=:id AND x=$a$ $$`, "that begins with $a$ has no end"},
		{pg, customdb.Delete, `DELETE FROM u WHERE id=:id /* /* */`, "a comment in it has no end"},
		{my, customdb.Delete, `DELETE FROM u WHERE id=:id AND x='\'`, "that begins with ' has no end"},
		{mssql, customdb.Delete, `DELETE FROM [u WHERE id=:id`, "that begins with [ has no end"},
		// What would mean everybody.
		{pg, customdb.Login, `SELECT * FROM users`, "there is no parameter :identifier in it"},
		{pg, customdb.Delete, `DELETE FROM users`, "there is no parameter :id in it"},
		{pg, customdb.Verify, `UPDATE users SET verified = true`, "there is no parameter :email in it"},
		{pg, customdb.ChangeEmail, `UPDATE users SET email = :new_email`, "there is no parameter :email in it"},
		{pg, customdb.ChangePassword, `UPDATE users SET p = :new_password`, "there is no parameter :identifier in it"},
		{pg, customdb.ChangePassword, `UPDATE users SET p = 1 WHERE e=:identifier`, "there is no parameter :new_password or :new_password_hash in it"},
		{pg, customdb.ChangeUsername, `UPDATE users SET u = :username`, "there is no parameter :identifier in it"},
		{pg, customdb.Create, `INSERT INTO users VALUES (:password)`, "there is no parameter :email or :username or :phone_number or :user in it"},
		{pg, customdb.List, `SELECT * FROM users LIMIT :limit`, "there is no parameter :after in it"},
		{pg, customdb.List, `SELECT * FROM users WHERE id > :after`, "there is no parameter :limit in it"},
	} {
		err := CheckStatement(c.engine, c.action, c.text)
		if c.reason == "" {
			if err != nil {
				t.Errorf("%s: %v", c.text, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.reason) {
			t.Errorf("%s: %v", c.text, err)
		}
	}
}

// Every action has parameters, and what it needs is among them.
func TestParametersOfActions(t *testing.T) {
	for _, a := range customdb.Actions {
		names := needed(a)
		if len(names) == 0 {
			t.Errorf("%s needs nothing", a)
		}
		for _, n := range slices.Concat(names...) {
			if !isParameter(a, n) {
				t.Errorf("%s needs %s and does not have it", a, n)
			}
		}
	}
}

func TestArguments(t *testing.T) {
	user := `{"email":"k@x.example","password":"p","email_verified":true,"user_metadata":{"lang":"fi","n":[1]},"after":"x",
		"password_hash":"theirs","user_metadata.lang":"no","username":null}`
	values := arguments(customdb.NewUser(profile.Value(user)))
	for name, want := range map[string]any{
		"email": "k@x.example", "password": "p", "email_verified": true, "user_metadata": `{"lang":"fi","n":[1]}`, "user": user,
		"user_metadata.lang": "fi", "user_metadata.n": "[1]", "username": nil, "phone_number": nil, "app_metadata.x": nil,
	} {
		if values[name] != want {
			t.Errorf("%s: %#v, want %#v", name, values[name], want)
		}
	}
	values = arguments(customdb.Page("", 50))
	if values["after"] != nil || values["limit"] != int64(50) {
		t.Errorf("page: %v", values)
	}
	values = arguments(customdb.NewEmail("a", "b", false))
	if values["email"] != "a" || values["new_email"] != "b" || values["verified"] != false {
		t.Errorf("e-mail: %v", values)
	}
	if v := argument(profile.Value("1.5")); v != 1.5 {
		t.Errorf("1.5: %v", v)
	}
}

// Whatever a statement is: it is refused, or nothing of it changes but its parameters,
// there is an argument for each placeholder, and what stands in its quotes and comments
// stays.
func FuzzStatement(f *testing.F) {
	for _, s := range []string{
		`SELECT a FROM u WHERE x = :identifier AND y = :password`, `SELECT ':identifier' , E'\':password', :identifier::text`,
		"-- :identifier\n:identifier/* :password */", "$a$ :identifier $a$ :identifier `:password` [:x] \":y\"", `:identifier;`, `#:identifier`,
	} {
		for i := range engines {
			f.Add(i, s)
		}
	}
	f.Fuzz(func(t *testing.T, i int, text string) {
		engine := engines[uint(i)%uint(len(engines))]
		pieces, err := split(engine, text)
		if err != nil {
			return
		}
		var all strings.Builder
		for _, p := range pieces {
			if p.text == "" {
				t.Fatalf("%q: an empty piece", text)
			}
			all.WriteString(p.text)
		}
		if all.String() != text {
			t.Fatalf("%q came apart as %q", text, all.String())
		}
		s, err := readStatement(engine, customdb.Login, text)
		if err != nil {
			return
		}
		// Back again: the placeholders, in their order, are the parameters.
		rest, back, next := s.text, "", 0
		for _, p := range pieces {
			if p.kind != parameter {
				if !strings.HasPrefix(rest, p.text) {
					t.Fatalf("%q became %q", text, s.text)
				}
				rest, back = rest[len(p.text):], back+p.text
				continue
			}
			place, number := "?", next
			if engine != my {
				number = slices.Index(s.args, p.text[1:])
				place = map[foreigndb.Engine]string{pg: "$", mssql: "@p"}[engine] + strconv.Itoa(number+1)
			}
			if number < 0 || number >= len(s.args) || !strings.HasPrefix(rest, place) {
				t.Fatalf("%q became %q with %v", text, s.text, s.args)
			}
			rest, back = rest[len(place):], back+":"+s.args[number]
			next++
		}
		if rest != "" || back != text {
			t.Fatalf("%q came back as %q", text, back)
		}
		if engine == my && next != len(s.args) {
			t.Fatalf("%d placeholders and %d arguments", next, len(s.args))
		}
	})
}
