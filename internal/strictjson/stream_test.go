package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// read collects the texts and ends of all rows. A row that is too long has the text "…".
func read(r *Rows) (texts []string, ends []int64, err error) {
	for {
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			return texts, ends, nil
		}
		if err != nil {
			return texts, ends, err
		}
		text := string(row.Text)
		if row.TooLong {
			text = "…"
		}
		texts, ends = append(texts, text), append(ends, row.End)
	}
}

func TestRows(t *testing.T) {
	for _, c := range []struct {
		name, file string
		rows       []string
		fails      string // the whole error; empty: read to the end
	}{
		{"array", ` [ {"a":1} , {"b":"]}\"["},[{}] ] ` + "\n", []string{`{"a":1}`, `{"b":"]}\"["}`, `[{}]`}, ""},
		{"empty array", `[ ]`, nil, ""},
		{"mark before array", "\xef\xbb\xbf[{}]", []string{`{}`}, ""},
		{"scalars in an array", `[1,"x]",null, true ]`, []string{"1", `"x]"`, "null", "true"}, ""},
		{"duplicate keys are the row's affair", `[{"a":1,"a":2},{}]`, []string{`{"a":1,"a":2}`, `{}`}, ""},
		{"bad UTF-8 is the row's affair", "[{\"a\":\"\xff\"},{}]", []string{"{\"a\":\"\xff\"}", `{}`}, ""},
		{"lines", "{\"a\":1}\r\n\n  {\"b\":2}  \n{\"c\":3}", []string{`{"a":1}`, `{"b":2}`, `{"c":3}`}, ""},
		{"mark before lines", "\xef\xbb\xbf\n{}\n", []string{`{}`}, ""},
		{"a broken line is its own affair", "{\"a\":1}\n{\"b\":\nnonsense\n{}\n", []string{`{"a":1}`, `{"b":`, `nonsense`, `{}`}, ""},

		{"empty file", "", nil, "The file is empty at byte 0, row 1"},
		{"blank file", " \n ", nil, "The file is empty at byte 3, row 1"},
		{"text", "a,b\n1,2", nil, "Expected a JSON array, or one JSON object per line, at byte 0, row 1"},
		{"UTF-16", "\xff\xfe[\x00]\x00", nil, "Expected a JSON array, or one JSON object per line, at byte 0, row 1"},
		{"cut after a row", `[{"a":1}`, []string{`{"a":1}`}, "Unexpected end of the file at byte 8, row 1"},
		{"cut after a comma", `[{"a":1}, `, []string{`{"a":1}`}, "Unexpected end of the file at byte 10, row 2"},
		{"cut in a row", `[{"a":1},{"b":"`, []string{`{"a":1}`}, "Unexpected end of the file at byte 15, row 2"},
		{"cut at the bracket", `[`, nil, "Unexpected end of the file at byte 1, row 1"},
		{"no comma", `[{"a":1} {"b":2}]`, []string{`{"a":1}`}, "Expected a comma or the end of the array at byte 9, row 1"},
		{"comma at the end", `[{"a":1},]`, []string{`{"a":1}`}, "Broken JSON: unexpected end of the text at byte 9, row 2"},
		{"broken row", `[{"a":1},{"b":tru},{}]`, []string{`{"a":1}`}, "Broken JSON: expected a value at byte 14, row 2"},
		{"crossed brackets", `[{"a":[1}],{}]`, nil, "Broken JSON: expected a comma or the end of the array at byte 8, row 1"},
		{"text behind", `[{}] x`, []string{`{}`}, "Unexpected text after the array at byte 5, row 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, in := range []io.Reader{strings.NewReader(c.file), iotest.OneByteReader(strings.NewReader(c.file)), iotest.DataErrReader(strings.NewReader(c.file))} {
				rows, ends, err := read(NewRows(in))
				if !slices.Equal(rows, c.rows) {
					t.Errorf("rows %q, want %q", rows, c.rows)
				}
				for i, end := range ends {
					if !strings.HasSuffix(c.file[:end], rows[i]) {
						t.Errorf("row %d ends at %d, which is not behind %s", i, end, rows[i])
					}
				}
				var e *FileError
				switch {
				case c.fails == "" && err != nil:
					t.Errorf("failed: %v", err)
				case c.fails != "" && (!errors.As(err, &e) || e.Error() != c.fails):
					t.Errorf("error %v, want %s", err, c.fails)
				}
			}
		})
	}
}

// A row over the limit is stepped over, and one of exactly the limit is read.
func TestRowsTooLong(t *testing.T) {
	long := `{"a":"` + strings.Repeat("x", MaxRow-8) + `"}`
	longer := `{"a":"]}\"` + strings.Repeat("x", 2*MaxRow) + `"}`
	for _, c := range []struct{ name, file string }{
		{"array", `[{"n":1},` + longer + `,` + long + `,{"n":2}]`},
		{"lines", `{"n":1}` + "\n" + longer + "\n" + long + "\n" + `{"n":2}`},
	} {
		r := NewRows(strings.NewReader(c.file))
		rows, ends, err := read(r)
		if err != nil || !slices.Equal(rows, []string{`{"n":1}`, "…", long, `{"n":2}`}) {
			t.Errorf("%s: %d rows, %v", c.name, len(rows), err)
			continue
		}
		if got := c.file[ends[0]+1 : ends[1]]; got != longer {
			t.Errorf("%s: the long row ends at %d", c.name, ends[1])
		}
		if cap(r.buf) > 4*MaxRow {
			t.Errorf("%s: buffer of %d bytes", c.name, cap(r.buf))
		}
	}
}

func TestRowsReaderFails(t *testing.T) {
	broken := errors.New("disk gone")
	r := NewRows(io.MultiReader(strings.NewReader(`[{"a":1},{"b`), iotest.ErrReader(broken)))
	rows, _, err := read(r)
	if len(rows) != 1 || !errors.Is(err, broken) {
		t.Errorf("rows %q, %v", rows, err)
	}
	if _, again := r.Next(); !errors.Is(again, broken) {
		t.Errorf("the error did not last: %v", again)
	}
}

// The laws: rows of a good array are what encoding/json decodes; rows of lines
// are the lines; reading in small pieces gives the same; resuming behind any row
// gives exactly the rest, and the same error.
func FuzzRows(f *testing.F) {
	for _, s := range []string{
		`[{"a":1},{"b":2}]`, "{\"a\":1}\n{\"b\":2}\n", `[1,2`, `[ ] x`, "\xef\xbb\xbf[{}]", `[{"a":[1}],{}]`, `["\"",{"x":"}"}]`, "{\n{\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		whole := NewRows(bytes.NewReader(file))
		rows, ends, err := read(whole)
		small, smallEnds, smallErr := read(NewRows(iotest.OneByteReader(bytes.NewReader(file))))
		if !slices.Equal(rows, small) || !slices.Equal(ends, smallEnds) || fmt.Sprint(err) != fmt.Sprint(smallErr) {
			t.Fatalf("in pieces: %q %v, at once: %q %v", small, smallErr, rows, err)
		}
		for i, end := range ends {
			rest, restEnds, restErr := read(ResumeRows(bytes.NewReader(file[end:]), whole.format, end, int64(i+1)))
			if !slices.Equal(rest, rows[i+1:]) || !slices.Equal(restEnds, ends[i+1:]) || fmt.Sprint(err) != fmt.Sprint(restErr) {
				t.Fatalf("resumed at %d: %q %v, want %q %v", end, rest, restErr, rows[i+1:], err)
			}
		}
		text := bytes.TrimPrefix(file, bom)
		switch whole.format {
		case Array:
			var want []json.RawMessage
			werr := json.Unmarshal(text, &want)
			if (werr == nil) != (err == nil) && !tooDeep(text) {
				t.Fatalf("%q: %v, encoding/json %v", file, err, werr)
			}
			if werr != nil {
				return
			}
			if len(want) != len(rows) {
				t.Fatalf("%d rows, encoding/json %d", len(rows), len(want))
			}
			for i := range want {
				if string(want[i]) != rows[i] {
					t.Fatalf("row %d is %q, encoding/json %q", i, rows[i], want[i])
				}
			}
		case Lines:
			var want []string
			for l := range strings.Lines(string(text)) {
				if l = strings.Trim(l, " \t\r\n"); l != "" {
					want = append(want, l)
				}
			}
			if !slices.Equal(rows, want) || err != nil {
				t.Fatalf("rows %q, %v; lines %q", rows, err, want)
			}
		default:
			if len(rows) > 0 || err == nil {
				t.Fatalf("rows %q of an unknown format, %v", rows, err)
			}
		}
	})
}

// tooDeep: our check of a row stops where it is too deep, encoding/json's does not.
func tooDeep(text []byte) bool {
	_, err := Compact(text)
	return err != nil && err.Error() == "nested too deeply"
}

func BenchmarkRows(b *testing.B) {
	var file bytes.Buffer
	file.WriteByte('[')
	for i := range 1000 {
		if i > 0 {
			file.WriteString(",\n")
		}
		file.Write(body)
	}
	file.WriteByte(']')
	b.SetBytes(int64(file.Len()))
	b.ReportAllocs()
	for b.Loop() {
		r := NewRows(bytes.NewReader(file.Bytes()))
		n := 0
		for {
			if _, err := r.Next(); err != nil {
				break
			}
			n++
		}
		if n != 1000 {
			b.Fatal(n)
		}
	}
}
