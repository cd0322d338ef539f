package user

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"

	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
)

func exported() *ExportRow {
	return &ExportRow{View: View{
		ID: "auth0|1",
		Attributes: []byte(`{"app_metadata":{"a.b":1,"n":1.50,"plan":"=1+1","seats":[[1,2],{"x":"y"}]},"blocked":false,"email":"ann@example.com","https://example.com/roles":["a"],` +
			`"name":"O\"Neil","nickname":"@x\ty","odd[0]":"literal","user_metadata":{"a":{"b":"deep"},"none":null,"updated_at":"2020-01-01T00:00:00.000Z"},"user_metadata.a":"root"}`),
		Identities: []byte(`[{"connection":"Users","user_id":"1","provider":"auth0","isSocial":false},{"connection":"google","user_id":"117","provider":"google-oauth2","isSocial":true}]`),
		CreatedAt:  1_674_673_226_187_654, UpdatedAt: 1_674_673_226_187_654, Logins: Logins{Last: 1_674_673_227_000_000, IP: "203.0.113.7", Count: 3},
	}}
}

// Each row is the fields, by name or name>title, and what they give.
func TestSheet(t *testing.T) {
	for _, c := range []struct{ about, fields, json, head, line string }{
		{"chosen", "email name>full blocked", `{"email":"ann@example.com","full":"O\"Neil","blocked":false}`, "email,full,blocked", `"'ann@example.com","'O""Neil",false`},
		{"formulas", "app_metadata.plan nickname", `{"app_metadata.plan":"=1+1","nickname":"@x\ty"}`, "app_metadata.plan,nickname", "\"'=1+1\",\"'@x\ty\""},
		{"an index", "identities[0].connection>c identities[1].isSocial identities[2].provider identities[1]>i", `{"c":"Users","identities[1].isSocial":true,"i":{"connection":"google","user_id":"117","provider":"google-oauth2","isSocial":true}}`, "c,identities[1].isSocial,identities[2].provider,i", `"'Users",true,,"'{""connection"":""google"",""user_id"":""117"",""provider"":""google-oauth2"",""isSocial"":true}"`},
		{"an index of an index", "app_metadata.seats[0][1] app_metadata.seats[1].x app_metadata.seats[0][1].x", `{"app_metadata.seats[0][1]":2,"app_metadata.seats[1].x":"y"}`, "app_metadata.seats[0][1],app_metadata.seats[1].x,app_metadata.seats[0][1].x", `2,"'y",`},
		{"a leaf", "user_metadata.a.b app_metadata.n", `{"user_metadata.a.b":"deep","app_metadata.n":1.50}`, "user_metadata.a.b,app_metadata.n", `"'deep",1.50`},
		{"a name that has the dots itself", "user_metadata.a https://example.com/roles[0] https://example.com/roles", `{"user_metadata.a":"root","https://example.com/roles":["a"]}`, "user_metadata.a,https://example.com/roles[0],https://example.com/roles", `"'root",,"'[""a""]"`},
		{"a name that has the brackets itself", "odd[0] odd[1] odd[x]", `{"odd[0]":"literal"}`, "odd[0],odd[1],odd[x]", `"'literal",,`},
		{"null and nothing", "user_metadata.none missing user_metadata.none.x", `{"user_metadata.none":null}`, "user_metadata.none,missing,user_metadata.none.x", `,,`},
		{"nothing alone", "missing", `{}`, "missing", `""`},
		{"times of the server", "created_at last_login user_metadata.updated_at", `{"created_at":"2023-01-25T19:00:26.187Z","last_login":"2023-01-25T19:00:27.000Z","user_metadata.updated_at":"2020-01-01T00:00:00.000Z"}`, "created_at,last_login,user_metadata.updated_at", `2023-01-25T19:00:26.187Z,2023-01-25T19:00:27.000Z,"'2020-01-01T00:00:00.000Z"`},
		{"what no read shows", "password_hash custom_password_hash mfa_factors identities[0].access_token version", `{}`, "password_hash,custom_password_hash,mfa_factors,identities[0].access_token,version", `,,,,`},
		{"odd titles", "email>=x name>a,b logins_count>'", `{"=x":"ann@example.com","a,b":"O\"Neil","'":3}`, `"'=x","a,b","'"`, `"'ann@example.com","'O""Neil",3`},
		{"broken paths", "a..b .a a. ] [ [0] a[-1] a[99999999999]", `{}`, `a..b,.a,a.,],[,[0],a[-1],a[99999999999]`, `,,,,,,,`},
	} {
		t.Run(c.about, func(t *testing.T) {
			var fields []ExportField
			for f := range strings.FieldsSeq(c.fields) {
				name, title, _ := strings.Cut(f, ">")
				fields = append(fields, ExportField{Name: name, As: title})
			}
			r := exported()
			r.Hash, r.Factors = "$2a$10$secret", profile.Value(`[{"totp":{"secret":"ABC"}}]`)
			lines := NewSheet(ExportJSON, fields)
			cells := NewSheet(ExportCSV, fields)
			for range 2 { // nothing of one user stays for the next
				if got := string(lines.Append(lines.Head(nil), r)); got != c.json+"\n" {
					t.Errorf("json\n got %swant %s", got, c.json)
				}
				if got := string(cells.Append(cells.Head(nil), r)); got != c.head+"\n"+c.line+"\n" {
					t.Errorf("csv\n got %swant %s\n%s", got, c.head, c.line)
				}
				if got := string(cells.Append(nil, &ExportRow{View: View{ID: "a|b", Identities: []byte("[]"), Attributes: []byte("{}")}})); strings.ContainsAny(got, "'1") {
					t.Errorf("the next user: %s", got)
				}
			}
		})
	}
}

func TestSheetDefaults(t *testing.T) {
	r := exported()
	whole := string(AppendWire(nil, &r.View, r.Identities))
	if got := string(NewSheet(ExportJSON, nil).Append(nil, r)); got != whole+"\n" {
		t.Errorf("json: %s", got)
	}
	const table = "user_id,nickname,name,email,connection,created_at,updated_at\n" +
		"\"'auth0|1\",\"'@x\ty\",\"'O\"\"Neil\",\"'ann@example.com\",\"'Users\",2023-01-25T19:00:26.187Z,2023-01-25T19:00:27.000Z\n"
	s := NewSheet(ExportCSV, nil)
	if got := string(s.Append(s.Head(nil), r)); got != table {
		t.Errorf("csv: %s", got)
	}
	r.Hash, r.Factors = "$2a$10$x", profile.Value(`[{"totp":{"secret":"ABC"}}]`)
	want := strings.TrimSuffix(whole, "}") + `,"password_hash":"$2a$10$x","mfa_factors":[{"totp":{"secret":"ABC"}}]}` + "\n"
	if got := string(NewSheet(ExportJSON, nil).Append(nil, r)); got != want {
		t.Errorf("with secrets: %s", got)
	}
}

func TestCheckExport(t *testing.T) {
	many := make([]ExportField, MaxExportFields+1)
	for i := range many {
		many[i].Name = strings.Repeat("x", i+1)
	}
	for _, c := range []struct {
		about, format string
		fields        []ExportField
		want          string
	}{
		{"none", ExportCSV, nil, ""},
		{"30 columns", ExportCSV, many[:30], ""},
		{"31 columns", ExportCSV, many[:31], "Payload validation error: 'Array is too long (31), maximum 30' on property fields."},
		{"31 members", ExportJSON, many[:31], ""},
		{"too many members", ExportJSON, many, "Payload validation error: 'Array is too long (201), maximum 200' on property fields."},
		{"metadata in JSON", ExportJSON, []ExportField{{Name: "user_metadata"}}, ""},
		{"metadata in CSV", ExportCSV, []ExportField{{Name: "email"}, {Name: "app_metadata", As: "a"}}, "Payload validation error: 'A CSV file takes metadata by the path of one value, such as app_metadata.key' on property fields[1].name."},
		{"a leaf in CSV", ExportCSV, []ExportField{{Name: "app_metadata.x"}}, ""},
		{"a name twice", ExportJSON, []ExportField{{Name: "email"}, {Name: "email", As: "mail"}}, ""},
		{"a title twice", ExportJSON, []ExportField{{Name: "email"}, {Name: "name", As: "email"}}, "Payload validation error: 'Array items are not unique (indexes 0 and 1)' on property fields."},
	} {
		got := ""
		if err := CheckExport(c.format, c.fields); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.about, got, c.want)
		}
	}
}

// The laws: a line of CSV is one record with a cell for each column, of which
// none can be a formula, and text comes back; a line of JSON is one object
// without doubles.
func FuzzSheet(f *testing.F) {
	f.Add(`{"a":"=1+1\"\r\n","b":{"c":[1,{"d":-2}]}}`, "a", "b.c[1].d", "=t")
	f.Add(`{"created_at":"=cmd|' /C calc'!A0"}`, "created_at", "user_id", "")
	f.Add(`{"a":null}`, "a", "a", ",")
	f.Fuzz(func(t *testing.T, attributes, one, two, title string) {
		object, members, err := strictjson.Split([]byte(attributes))
		if err != nil {
			return
		}
		for _, m := range members {
			if m.Name == "user_id" || m.Name == "identities" { // nobody can bring these
				return
			}
		}
		fields := []ExportField{{Name: one}, {Name: two, As: title}}
		for _, f := range fields {
			if !json.Valid(profile.Text(f.title())) || f.Name == "" || CheckExport(ExportCSV, fields) != nil || strings.Contains(f.title(), "\r") || strings.ToValidUTF8(f.title(), "") != f.title() {
				return
			}
		}
		r := &ExportRow{View: View{ID: "auth0|1", Attributes: object, Identities: []byte(`[]`)}}
		lines := NewSheet(ExportJSON, fields)
		if line := lines.Append(nil, r); bytes.Count(line, []byte("\n")) != 1 {
			t.Fatalf("not one line: %s", line)
		} else if _, err := strictjson.Object(line); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		cells := NewSheet(ExportCSV, fields)
		file := cells.Append(cells.Head(nil), r)
		records, err := csv.NewReader(bytes.NewReader(file)).ReadAll()
		if err != nil || len(records) != 2 || len(records[0]) != 2 || len(records[1]) != 2 {
			t.Fatalf("%v, %d records: %s", err, len(records), file)
		}
		for i, f := range fields {
			if strings.TrimPrefix(records[0][i], "'") != strings.TrimPrefix(f.title(), "'") {
				t.Fatalf("title %q became %q", f.title(), records[0][i])
			}
			cell := records[1][i]
			switch v := cells.values[i]; {
			case len(v) > 0 && v[0] == '"' && strings.HasPrefix(cell, "'"):
				if want := strings.ReplaceAll(profile.TextOf(v), "\r\n", "\n"); cell[1:] != want {
					t.Fatalf("%q became %q", want, cell)
				}
			case cell == "" || strings.HasPrefix(cell, "'") || cell == "true" || cell == "false" || json.Valid([]byte(cell)) || isTime(cell):
			default:
				t.Fatalf("a bare cell %q", cell)
			}
		}
	})
}
