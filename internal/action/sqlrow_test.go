package action

import (
	"math"
	"strings"
	"testing"
	"time"

	"mangrove/internal/customdb"
	"mangrove/internal/foreigndb"
	"mangrove/internal/strictjson"
)

func TestCell(t *testing.T) {
	at := time.Date(2020, 3, 4, 5, 6, 7, 890_000_000, time.FixedZone("", 3600))
	deep := strings.Repeat("[", strictjson.MaxDepth) + strings.Repeat("]", strictjson.MaxDepth)
	for _, c := range []struct {
		name, kind string
		value      any
		want       string // empty: no member
	}{
		{"name", "text", nil, ""},
		{"name", "text", "Kaï \"K\"", `"Kaï \"K\""`},
		{"name", "bpchar", "Kai  ", `"Kai"`},
		{"name", "varchar", "Kai  ", `"Kai  "`},
		{"name", "text", "a\x00b", "\"a\uFFFDb\""},
		{"name", "text", "a\xffb", "\"a\uFFFDb\""},
		{"name", "binary", []byte("Kai\x00\x00"), `"Kai"`},
		{"name", "binary", []byte{0xff, 0}, `"ff"`},
		{"user_id", "binary", []byte("AB"), `"4142"`},
		{"user_id", "int4", int64(-7), `-7`},
		{"user_id", "bigint", uint64(math.MaxUint64), `18446744073709551615`},
		{"age", "float8", 1.5, `1.5`},
		{"age", "float8", math.NaN(), ""},
		{"age", "numeric", "1.50", `"1.50"`},
		{"newsletter", "bool", true, `true`},
		{"newsletter", "tinyint", int64(1), `1`},
		{"email_verified", "bool", true, `true`},
		{"email_verified", "tinyint", int64(0), `false`},
		{"email_verified", "tinyint", int64(1), `true`},
		{"email_verified", "tinyint", int64(2), `2`},
		{"email_verified", "tinyint", uint64(1), `true`},
		{"email_verified", "bit", []byte{1}, `true`},
		{"email_verified", "bit", []byte{0}, `false`},
		{"email_verified", "bit", []byte{0, 1}, `true`},
		{"email_verified", "binary", []byte("t"), `true`},
		{"email_verified", "char", "f", `false`},
		{"email_verified", "char", "Y", `true`},
		{"email_verified", "text", "No", `false`},
		{"email_verified", "text", "maybe", `"maybe"`},
		{"phone_verified", "numeric", "1", `true`},
		{"blocked", "float8", 0.0, `false`},
		{"user_metadata", "text", `{ "lang": "fi" }`, `{"lang":"fi"}`},
		{"user_metadata", "longtext", []byte(`{"lang":"fi"}`), `{"lang":"fi"}`},
		{"user_metadata", "json", "null", ""},
		{"user_metadata", "text", "no JSON", `"no JSON"`},
		{"user_metadata", "text", deep, `"` + deep + `"`},
		{"tags", "jsonb", `["a"]`, `["a"]`},
		{"tags", "text", `["a"]`, `"[\"a\"]"`},
		{"created_at", "timestamptz", at, `"2020-03-04T04:06:07.890Z"`},
		{"birthdate", "date", time.Date(1988, 2, 29, 0, 0, 0, 0, time.UTC), `"1988-02-29"`},
		{"created_at", "datetime", time.Time{}, ""},
	} {
		if got := cell(foreigndb.Column{Name: c.name, Type: c.kind}, c.value); string(got) != c.want {
			t.Errorf("%s %s %#v: %s, want %s", c.name, c.kind, c.value, got, c.want)
		}
	}
}

func TestReadRow(t *testing.T) {
	columns := func(names ...string) (list []foreigndb.Column) {
		for _, n := range names {
			list = append(list, foreigndb.Column{Name: n, Type: "text"})
		}
		return list
	}
	for _, c := range []struct {
		columns []foreigndb.Column
		row     []any
		want    string
		cursor  string
	}{
		{columns("user_id", ""), []any{int64(7), "no name"}, `{"user_id":"7"}`, "7"},
		{columns("user_id", "after"), []any{"legacy|7", int64(7)}, `{"user_id":"legacy|7"}`, "7"},
		{columns("user_metadata.lang", "user_metadata", "user_metadata.x"), []any{"fi", `{"lang":"sv","plan":1}`, nil}, `{"user_metadata":{"lang":"fi","plan":1}}`, ""},
		{columns("address.locality", ".x", "x."), []any{"Turku", "a", "b"}, `{".x":"a","address":{"locality":"Turku"},"x.":"b"}`, ""},
		{columns("password_hash", "name"), []any{"", "K"}, `{"name":"K"}`, ""},
	} {
		p, err := readRow(c.columns, c.row)
		if err != nil {
			t.Errorf("%v: %v", c.row, err)
			continue
		}
		if got := string(p.withHash()); got != c.want || p.cursor != c.cursor {
			t.Errorf("%v: %s behind %q, want %s", c.row, got, p.cursor, c.want)
		}
	}
	for _, c := range []struct {
		columns []foreigndb.Column
		row     []any
	}{
		{columns("email", "email"), []any{nil, nil}},
		{columns("\xc1"), []any{"K"}},
		{columns("a\x00"), []any{"K"}},
		{columns("name", "name.x"), []any{"K", "y"}},
	} {
		if _, err := readRow(c.columns, c.row); err == nil {
			t.Errorf("%v was read", c.row)
		}
	}
}

// Whatever a row holds: it is refused, or it is strict JSON, and its hash leaves with an
// import alone.
func FuzzRow(f *testing.F) {
	f.Add("user_id", "text", "7", "password_hash", "text", "$2y$05$CSZx8dChD27vwNyWG1RoNOspuqSONK3Dt7/riHuRB9pJbIR8y/RFS", true)
	f.Add("user_metadata.lang", "json", `{"a":1}`, "user_metadata", "json", `{"a":[1e400]}`, false)
	f.Add("custom_password_hash", "jsonb", `{"algorithm":"md5","hash":{"value":"e38b0173a3a143a21265eb16497fc9d1","encoding":"hex"}}`, "email_verified", "bit", "\x01", true)
	f.Fuzz(func(t *testing.T, name1, type1, value1, name2, type2, value2 string, binary bool) {
		columns := []foreigndb.Column{{Name: name1, Type: type1}, {Name: name2, Type: type2}}
		row := []any{value1, value2}
		if binary {
			row[1] = []byte(value2)
		}
		p, err := readRow(columns, row)
		if err != nil {
			return
		}
		if p.hash != "" && p.unknown {
			t.Fatal("a hash is known and unknown")
		}
		for i, answer := range [][]byte{p.withHash(), p.withoutHash()} {
			if _, err := strictjson.Object(answer); err != nil {
				t.Fatalf("%q: %v", answer, err)
			}
			d := strictjson.ParseDocument(answer)
			if has := d.Has("password_hash") || d.Has("custom_password_hash"); i == 1 && has || i == 0 && !has && p.hash != "" {
				t.Fatalf("%d: %s", i, answer)
			}
			if _, err := customdb.ReadPerson(answer); err == nil && !strings.Contains(string(answer), `"user_id":"`) {
				t.Fatalf("whose is %s?", answer)
			}
		}
	})
}
