package strictjson

import (
	"bytes"
	"io"
)

// NewRecords reads a CSV file (RFC 4180) from its start. The first row is the
// header. What is between its names, a comma, a semicolon or a tab, is between
// all fields.
func NewRecords(in io.Reader) *Rows { return &Rows{in: in, format: Records, row: -1} }

// ResumeRecords is ResumeRows for records; comma is that of the file.
func ResumeRecords(in io.Reader, comma byte, offset, row int64) *Rows {
	return &Rows{in: in, format: Records, inside: true, comma: comma, base: offset, row: row}
}

// Comma is what is between the fields, known as soon as the header was read.
func (r *Rows) Comma() byte { return r.comma }

func (r *Rows) record() (Row, error) {
	if !r.inside {
		if err := r.header(); err != nil {
			return Row{}, err
		}
		r.inside = true
	}
	if ok, err := r.lineEnds(); !ok {
		if err == nil {
			err = io.EOF
		}
		return Row{}, err
	}
	r.row++
	f := recordFramer{comma: r.comma, first: true}
	row, n, err := r.span(f.scan, func() string {
		if f.open() {
			return "Unexpected end of the file in a quoted field"
		}
		return ""
	})
	if err != nil {
		return Row{}, err
	}
	text := bytes.TrimSuffix(r.buf[r.lo:r.lo+n], []byte("\r"))
	r.lo += len(text)
	return r.found(row, text), nil
}

// header finds what is between the fields, by the names of the header.
func (r *Rows) header() error {
	if ok, err := r.begin(); err != nil {
		return err
	} else if !ok {
		return r.fail(r.lo, 1, "The file is empty")
	}
	for {
		comma, whole := sniffComma(r.buf[r.lo:r.hi])
		if r.comma = comma; whole {
			return nil
		}
		if r.hi-r.lo > MaxRow {
			return r.fail(r.lo, 1, "The header is too long")
		}
		if ok, err := r.more(); !ok {
			return err
		}
	}
}

// sniffComma counts what may be between the names outside of quotes; whole:
// the line's end is there.
func sniffComma(b []byte) (comma byte, whole bool) {
	const may = ",;\t"
	var counts [len(may)]int
	quoted := false
	for _, c := range b {
		switch {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '\n':
			whole = true
		default:
			if i := bytes.IndexByte([]byte(may), c); i >= 0 {
				counts[i]++
			}
		}
		if whole {
			break
		}
	}
	best := 0
	for i, n := range counts {
		if n > counts[best] {
			best = i
		}
	}
	return may[best], whole
}

// lineEnds steps over empty lines and reports whether something follows.
func (r *Rows) lineEnds() (bool, error) {
	for {
		for r.lo < r.hi {
			if c := r.buf[r.lo]; c != '\r' && c != '\n' {
				return true, nil
			}
			r.lo++
		}
		if ok, err := r.more(); !ok {
			return false, err
		}
	}
}

// recordFramer is the state inside a record.
type recordFramer struct {
	comma  byte
	first  bool // at the first byte of a field, where a quote opens
	quoted bool
	quote  bool // the byte before was a quote within quotes: the end, or half of a pair
}

// open reports whether a quoted field has not ended.
func (f *recordFramer) open() bool { return f.quoted && !f.quote }

// scan consumes bytes of the record and reports whether it is complete: the
// byte at n ends its line.
func (f *recordFramer) scan(b []byte) (n int, done bool) {
	for i, c := range b {
		if f.quoted {
			switch {
			case f.quote && c == '"':
				f.quote = false
				continue
			case !f.quote:
				f.quote = c == '"'
				continue
			}
			f.quoted, f.quote = false, false
		}
		switch c {
		case '\n':
			return i, true
		case f.comma:
			f.first = true
		case '"':
			f.quoted, f.first = f.first, false
		default:
			f.first = false
		}
	}
	return len(b), false
}
