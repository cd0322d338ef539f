package strictjson

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func TestRecords(t *testing.T) {
	for _, c := range []struct {
		name, file string
		comma      byte
		rows       []string // the header first
		fails      string
	}{
		{"plain", "a,b\n1,2\n3,4", ',', []string{"a,b", "1,2", "3,4"}, ""},
		{"line ends of all kinds", "\xef\xbb\xbfa;b\r\n1;2\r\n\r\n\n3;4\r\n", ';', []string{"a;b", "1;2", "3;4"}, ""},
		{"tabs, and a blank at the end", "a\tb\n1\t\n\t2 \n", '\t', []string{"a\tb", "1\t", "\t2 "}, ""},
		{"commas win", "a,b,c;d\n1", ',', []string{"a,b,c;d", "1"}, ""},
		{"in quotes nothing counts", "\"a;;;\",b\n1,2", ',', []string{"\"a;;;\",b", "1,2"}, ""},
		{"one column", "a\n1\n", ',', []string{"a", "1"}, ""},
		{"header alone", "a,b", ',', []string{"a,b"}, ""},
		{"line ends in quotes", "a,b\n\"x\ny\",\"\"\"\n\"\n1,2", ',', []string{"a,b", "\"x\ny\",\"\"\"\n\"", "1,2"}, ""},
		{"a quote inside a field opens nothing", "a,b\n5\" disk,1\n1,2", ',', []string{"a,b", "5\" disk,1", "1,2"}, ""},
		{"text behind quotes is its own affair", "a,b\n\"x\"y\",1\n1,2", ',', []string{"a,b", "\"x\"y\",1", "1,2"}, ""},
		{"a quoted end", "a\n\"x\"", ',', []string{"a", "\"x\""}, ""},

		{"empty", "", 0, nil, "The file is empty at byte 0, row 1"},
		{"blank", " \r\n", 0, nil, "The file is empty at byte 3, row 1"},
		{"cut in quotes", "a,b\n1,2\n\"x\n", ',', []string{"a,b", "1,2"}, "Unexpected end of the file in a quoted field at byte 11, row 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, in := range []io.Reader{strings.NewReader(c.file), iotest.OneByteReader(strings.NewReader(c.file))} {
				r := NewRecords(in)
				rows, ends, err := read(r)
				if !slices.Equal(rows, c.rows) || r.Comma() != c.comma {
					t.Errorf("rows %q by %q, want %q", rows, r.Comma(), c.rows)
				}
				for i, end := range ends {
					if !strings.HasSuffix(c.file[:end], rows[i]) {
						t.Errorf("row %d ends at %d", i, end)
					}
				}
				var e *FileError
				if c.fails == "" && err != nil || c.fails != "" && (!errors.As(err, &e) || e.Error() != c.fails) {
					t.Errorf("error %v, want %s", err, c.fails)
				}
			}
		})
	}
}

func TestRecordsTooLong(t *testing.T) {
	long := strings.Repeat("x", MaxRow)
	longer := `"` + strings.Repeat("x\n", MaxRow) + `"`
	r := NewRecords(strings.NewReader("a\n1\n" + longer + "\n" + long + "\n2\n"))
	rows, _, err := read(r)
	if err != nil || !slices.Equal(rows, []string{"a", "1", "…", long, "2"}) || cap(r.buf) > 4*MaxRow {
		t.Errorf("%d rows, %v, buffer of %d bytes", len(rows), err, cap(r.buf))
	}
	_, _, err = read(NewRecords(strings.NewReader(long + long)))
	if e := new(FileError); !errors.As(err, &e) || e.Text != "The header is too long" {
		t.Errorf("header: %v", err)
	}
}

// The laws: never a panic; however the file comes in, the rows are the same;
// behind any row a reader can go on with the rows that follow; and what the
// standard library reads as records without line ends at the start is framed in
// as many.
func FuzzRecords(f *testing.F) {
	f.Add([]byte("a,b\n1,\"2\n\"\n\r\n3,4\r\n"))
	f.Add([]byte("\"a\";b\n\"\"\"\n;\""))
	f.Add([]byte("a\tb\n\n\t\n\"x"))
	f.Fuzz(func(t *testing.T, file []byte) {
		r := NewRecords(bytes.NewReader(file))
		rows, ends, err := read(r)
		again, _, err2 := read(NewRecords(iotest.OneByteReader(bytes.NewReader(file))))
		if !slices.Equal(rows, again) || (err == nil) != (err2 == nil) {
			t.Fatalf("%q: rows %q %v, byte by byte %q %v", file, rows, err, again, err2)
		}
		for i, end := range ends {
			rest, _, err2 := read(ResumeRecords(bytes.NewReader(file[end:]), r.Comma(), end, int64(i)))
			if !slices.Equal(rest, rows[i+1:]) || (err == nil) != (err2 == nil) {
				t.Fatalf("%q: behind row %d %q %v, want %q %v", file, i, rest, err2, rows[i+1:], err)
			}
		}
		if err != nil || bytes.ContainsAny(file, "\r\xef") || bytes.ContainsAny(file[:min(1, len(file))], " \n\t") {
			return
		}
		theirs := csv.NewReader(bytes.NewReader(file))
		theirs.Comma, theirs.FieldsPerRecord = rune(r.Comma()), -1
		if all, err := theirs.ReadAll(); err == nil && len(all) != len(rows) {
			t.Fatalf("%q: rows %q, the standard library %q", file, rows, all)
		}
	})
}
