package user

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
)

func TestCSVRows(t *testing.T) {
	for _, c := range []struct{ name, header, record, want string }{
		{"texts and flags", `email,email_verified,name,blocked`, `a@b.co,true,"Lee, Ann",FALSE`, `{"email":"a@b.co","email_verified":true,"name":"Lee, Ann","blocked":false}`},
		{"what is no flag stays text", `email,blocked`, `a@b.co,yes`, `{"email":"a@b.co","blocked":"yes"}`},
		{"numbers are texts at the root", `email,name`, `a@b.co,42`, `{"email":"a@b.co","name":"42"}`},
		{"empty cells are absent", `email,name,user_metadata.a`, `a@b.co,,`, `{"email":"a@b.co"}`},
		{"all empty", `email,name`, `,""`, `{}`},
		{"quotes", `email,name`, `"a@b.co","The ""Boss"""`, `{"email":"a@b.co","name":"The \"Boss\""}`},
		{"a line end in quotes", `email,user_metadata.note`, "a@b.co,\"x\r\ny\"", `{"email":"a@b.co","user_metadata":{"note":"x\r\ny"}}`},
		{"paths", `user_metadata.a.b,email,user_metadata.a.c,app_metadata.n,user_metadata.d`, `1,a@b.co,x,-1.50,true`, `{"user_metadata":{"a":{"b":1,"c":"x"},"d":true},"email":"a@b.co","app_metadata":{"n":-1.50}}`},
		{"no numbers", `user_metadata.zip,user_metadata.tel,user_metadata.x,user_metadata.y`, `007,+47,1e,null`, `{"user_metadata":{"zip":"007","tel":"+47","x":"1e","y":"null"}}`},
		{"digit for digit", `user_metadata.n`, `12345678901234567890.10`, `{"user_metadata":{"n":12345678901234567890.10}}`},
		{"JSON in a cell", `email,user_metadata,custom_password_hash`, `a@b.co,"{""a"":[1]}","{""algorithm"":""md5""}"`, `{"email":"a@b.co","user_metadata":{"a":[1]},"custom_password_hash":{"algorithm":"md5"}}`},
		{"no JSON in a cell", `email,app_metadata`, `a@b.co,{x`, `{"email":"a@b.co","app_metadata":"{x"}`},
		{"read-only columns", `user_id,email,identities[0].connection,connection,created_at,logins_count`, `auth0|1,a@b.co,theirs,theirs,2020-01-01T00:00:00.000Z,3`, `{"user_id":"auth0|1","email":"a@b.co"}`},
		{"unknown columns are for ParseRow", `email,foo,foo.bar`, `a@b.co,1,2`, `{"email":"a@b.co","foo":"1","foo.bar":"2"}`},
		{"semicolons", `email;name`, `a@b.co;a,b`, `{"email":"a@b.co","name":"a,b"}`},
		{"tabs", "email\tname", "a@b.co\tA", `{"email":"a@b.co","name":"A"}`},
		{"one column", `email`, `a@b.co`, `{"email":"a@b.co"}`},
		{"blanks around names", ` email , name`, `a@b.co, A`, `{"email":"a@b.co","name":" A"}`},

		{"a guarded record", `user_id,email,email_verified,name,created_at,user_metadata.n,user_metadata.t`, `'auth0|1,'a@b.co,true,"'O""Neil",2020-01-01T00:00:00.000Z,5,'5`, `{"user_id":"auth0|1","email":"a@b.co","email_verified":true,"name":"O\"Neil","user_metadata":{"n":5,"t":"5"}}`},
		{"an apostrophe of its own in a guarded record", `email,name`, `'a@b.co,''t Hooft`, `{"email":"a@b.co","name":"'t Hooft"}`},
		{"an apostrophe elsewhere", `email,name`, `a@b.co,'t Hooft`, `{"email":"a@b.co","name":"'t Hooft"}`},
		{"a guarded formula", `email,name`, `'a@b.co,'=1+1`, `{"email":"a@b.co","name":"=1+1"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			comma := byte(',')
			for _, b := range []byte(";\t") {
				if strings.IndexByte(c.header, b) >= 0 {
					comma = b
				}
			}
			columns, err := ParseColumns([]byte(c.header), comma)
			if err != nil {
				t.Fatal(err)
			}
			got, p := columns.Object([]byte(c.record))
			if p != nil || string(got) != c.want {
				t.Errorf("\n got %s %+v\nwant %s", got, p, c.want)
			}
		})
	}
}

// What an export of ours disarms comes back as it was.
func TestCSVOfAnExport(t *testing.T) {
	columns, err := ParseColumns([]byte("user_id,email,email_verified,name,created_at,user_metadata,app_metadata.n,app_metadata.t"), ',')
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"=1+1", "'t Hooft", "''", "@x", "a,b;c\td", "\"q\"", "line\r\nend", "true", "12", "2020-01-01T00:00:00.000Z", "Ü", "\u200b"} {
		row := appendGuarded(nil, "auth0|1")
		for _, v := range []profile.Value{profile.Text("a@b.co"), profile.Bool(true), profile.Text(name), profile.Text("2020-01-01T00:00:00.000Z"), profile.Value(`{"a":[1]}`), profile.Value("7"), profile.Text("7")} {
			row = appendCell(append(row, ','), v, string(v) == `"2020-01-01T00:00:00.000Z"` && name != "2020-01-01T00:00:00.000Z")
		}
		want := `{"user_id":"auth0|1","email":"a@b.co","email_verified":true,"name":` + string(profile.Text(name)) + `,"user_metadata":{"a":[1]},"app_metadata":{"n":7,"t":"7"}}`
		if got, p := columns.Object(row); p != nil || string(got) != want {
			t.Errorf("%q\n got %s %+v\nwant %s", row, got, p, want)
		}
	}
}

func TestCSVRowsRefused(t *testing.T) {
	columns, err := ParseColumns([]byte(`email,name`), ',')
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ record, why string }{
		{`a@b.co`, "1 fields, but the header has 2"},
		{`a@b.co,A,B`, "3 fields, but the header has 2"},
		{`a@b.co,A "B"`, "a quote inside a field that does not begin with one"},
		{`a@b.co,"A`, "a quoted field without its end"},
		{`a@b.co,"A"B`, "text behind a quoted field"},
		{"a@b.co,\xff", "invalid UTF-8"},
	} {
		got, p := columns.Object([]byte(c.record))
		if p == nil || p.Code != "INVALID_FORMAT" || p.Message != "The row is not a valid CSV record: "+c.why || got != nil {
			t.Errorf("%q: %s %+v", c.record, got, p)
		}
	}
}

func TestCSVHeaders(t *testing.T) {
	for _, c := range []struct{ header, why string }{
		{`email,`, "column 2 has no name"},
		{`email,name,email`, `"email" is there twice, or above another column`},
		{`user_metadata,user_metadata.a`, `"user_metadata.a" is below another column`},
		{`user_metadata.a,user_metadata`, `"user_metadata" is there twice, or above another column`},
		{`user_metadata.a.b,user_metadata.a`, `"user_metadata.a" is there twice, or above another column`},
		{`user_metadata.a,user_metadata.a.b`, `"user_metadata.a.b" is below another column`},
		{`user_metadata.a..b`, `"user_metadata.a..b" is no path of metadata`},
		{`app_metadata.roles[0]`, `"app_metadata.roles[0]" is no path of metadata`},
		{`"email`, "a quoted field without its end"},
		{"email,\xff", "invalid UTF-8"},
		{"email" + strings.Repeat(",", 1000), "more than 1000 columns"},
		{"user_metadata" + strings.Repeat(".a", 64), `"user_metadata` + strings.Repeat(".a", 43) + `.…" is too deep`},
	} {
		if _, err := ParseColumns([]byte(c.header), ','); err == nil || err.Error() != c.why {
			t.Errorf("%s: %v", c.header, err)
		}
	}
	deepest, err := ParseColumns([]byte("user_metadata"+strings.Repeat(".a", 63)+",user_id"), ',')
	if err != nil {
		t.Fatal(err)
	}
	if o, _ := deepest.Object([]byte("1,")); !strings.HasSuffix(string(o), strings.Repeat("}", 64)) {
		t.Errorf("as deep as a row may be: %s", o)
	} else if _, err := strictjson.Object(o); err != nil {
		t.Error(err)
	}
	for header, want := range map[string]bool{
		`email`: true, `'user_id`: true, `user_metadata.a`: true, `foo,custom_password_hash`: true, `foo`: false, `created_at,identities`: false,
	} {
		if c, err := ParseColumns([]byte(header), ','); err != nil || c.Known() != want {
			t.Errorf("%s: %v", header, err)
		}
	}
}

// The laws: never a panic; what the standard library's reader takes as one
// record is split in the same fields; an object is strict JSON, and a record of
// texts alone comes back cell by cell.
func FuzzCSV(f *testing.F) {
	f.Add([]byte(`email,name,user_metadata.a.b`), []byte(`a@b.co,"x ""y""",1`), byte(','))
	f.Add([]byte(`email;blocked`), []byte(`'a@b.co;true`), byte(';'))
	f.Add([]byte(`user_metadata,app_metadata.x`), []byte(`"{""a"":1}",'`), byte(','))
	f.Add([]byte("a\tb"), []byte("\"\n\"\t"), byte('\t'))
	f.Fuzz(func(t *testing.T, header, record []byte, comma byte) {
		if !slices.Contains([]byte(",;\t"), comma) {
			return
		}
		cells, err := splitRecord(record, comma)
		if !bytes.ContainsAny(record, "\r") && !bytes.Contains(record, []byte("\n")) && len(record) > 0 {
			r := csv.NewReader(bytes.NewReader(record))
			r.Comma = rune(comma)
			theirs, e := r.Read()
			if e == nil && (err != nil || !slices.Equal(cells, theirs)) {
				t.Fatalf("%q: fields %q, %v; want %q", record, cells, err, theirs)
			}
			if e != nil && err == nil {
				t.Fatalf("%q: fields %q, but %v", record, cells, e)
			}
		}
		columns, err := ParseColumns(header, comma)
		if err != nil {
			return
		}
		o, p := columns.Object(record)
		if p != nil {
			if p.Code == "" || p.Message == "" || o != nil {
				t.Fatalf("%q: %+v", record, p)
			}
			return
		}
		if !json.Valid(o) || o[0] != '{' {
			t.Fatalf("%q became %q", record, o)
		}
		for _, c := range columns.root {
			if c.kind != csvText || cells[c.at] == "" || guarded(cells) {
				continue
			}
			_, members, err := strictjson.Split(o)
			if err != nil { // NUL, or JSON in a cell that strictjson refuses
				return
			}
			i := slices.IndexFunc(members, func(m strictjson.Member) bool { return m.Name == c.name })
			var s string
			if i < 0 || json.Unmarshal(members[i].Value, &s) != nil || s != cells[c.at] {
				t.Fatalf("%q: %s came back as %q", record, c.name, s)
			}
		}
		ParseRow(importDatabase(`{}`), o, importOptions())
	})
}
