package strictjson

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// MaxRow is the longest row of an import file in bytes. A longer one is
// stepped over, so that memory is bounded whatever the file.
const MaxRow = 1 << 20

// Format is how the rows of a file follow each other.
type Format uint8

// The formats. The first byte that is not blank decides.
const (
	Array   Format = iota + 1 // one JSON array of rows
	Lines                     // one row a line (NDJSON)
	Records                   // a header and records (CSV, RFC 4180), for NewRecords alone
)

// FileError says why a file cannot be read any further. What was read before it counts.
type FileError struct {
	Row    int64 // from 1; the row in or before which it happened
	Offset int64 // bytes from the start of the file
	Text   string
}

func (e *FileError) Error() string {
	return fmt.Sprintf("%s at byte %d, row %d", e.Text, e.Offset, e.Row)
}

// Row is one element of an array or one line.
type Row struct {
	// Text is the row as it stands in the file, without blanks around it. It is
	// valid until the next call of Next, and nil when the row is TooLong. In an
	// array it is JSON (RFC 8259), though maybe JSON that Object refuses; a line
	// may be anything, and a record is all between two line ends that are not
	// within quotes.
	Text    []byte
	Number  int64 // from 1; 0 is the header before records
	End     int64 // bytes from the start of the file to right behind the row
	TooLong bool  // over MaxRow
}

// Rows reads an import file, row by row.
type Rows struct {
	in     io.Reader
	buf    []byte // buf[lo:hi] is read and not consumed
	lo, hi int
	base   int64 // where in the file buf[0] is
	ended  bool  // in gave io.EOF
	format Format
	inside bool // the opening bracket and a row, or the header, are behind us
	comma  byte // between the fields of a record
	row    int64
	err    error
	// scratch is memory to check rows in.
	scratch []byte
}

// NewRows reads a file from its start.
func NewRows(in io.Reader) *Rows { return &Rows{in: in} }

// ResumeRows goes on behind a row: in stands at the byte offset (a Row's End),
// and row is that row's number.
func ResumeRows(in io.Reader, format Format, offset, row int64) *Rows {
	return &Rows{in: in, format: format, inside: true, base: offset, row: row}
}

// Sniff tells the format from the first bytes of a file; 0 when they are blank,
// or begin neither an array nor an object. The header of records begins with a
// letter or a quote, which no JSON text of rows does.
func Sniff(head []byte) Format {
	head = bytes.TrimLeft(bytes.TrimPrefix(head, bom), " \t\r\n")
	switch {
	case len(head) == 0:
		return 0
	case head[0] == '[':
		return Array
	case head[0] == '{':
		return Lines
	case head[0] == '"', head[0] == '\'', head[0]|0x20 >= 'a' && head[0]|0x20 <= 'z':
		return Records
	}
	return 0
}

var bom = []byte("\xef\xbb\xbf")

// Next is the next row. At the end it is io.EOF; where the file is broken, a
// *FileError; where reading fails, the reader's error.
func (r *Rows) Next() (Row, error) {
	if r.err != nil {
		return Row{}, r.err
	}
	row, err := r.next()
	r.err = err
	return row, err
}

func (r *Rows) next() (Row, error) {
	if r.format == 0 {
		if err := r.open(); err != nil {
			return Row{}, err
		}
	}
	switch r.format {
	case Lines:
		return r.line()
	case Records:
		return r.record()
	}
	return r.element()
}

// fail is a FileError at buf[i].
func (r *Rows) fail(i int, row int64, text string) error {
	return &FileError{Row: row, Offset: r.base + int64(i), Text: text}
}

// more reads something behind hi and reports whether there was anything. It may
// move buf[lo:hi] to the front.
func (r *Rows) more() (bool, error) {
	if r.ended {
		return false, nil
	}
	if r.lo > 0 {
		r.base += int64(r.lo)
		r.hi = copy(r.buf, r.buf[r.lo:r.hi])
		r.lo = 0
	}
	if r.hi == len(r.buf) {
		bigger := make([]byte, max(64<<10, 2*len(r.buf)))
		copy(bigger, r.buf[:r.hi])
		r.buf = bigger
	}
	for range 100 {
		n, err := r.in.Read(r.buf[r.hi:])
		r.hi += n
		if errors.Is(err, io.EOF) {
			r.ended = true
			return n > 0, nil
		}
		if err != nil {
			return false, err
		}
		if n > 0 {
			return true, nil
		}
	}
	return false, io.ErrNoProgress
}

// blank steps over blanks and reports whether something follows.
func (r *Rows) blank() (bool, error) {
	for {
		for r.lo < r.hi {
			switch r.buf[r.lo] {
			case ' ', '\t', '\r', '\n':
				r.lo++
			default:
				return true, nil
			}
		}
		if ok, err := r.more(); !ok {
			return false, err
		}
	}
}

// open steps over a byte order mark and finds the format.
func (r *Rows) open() error {
	if ok, err := r.begin(); err != nil {
		return err
	} else if !ok {
		return r.fail(r.lo, 1, "The file is empty")
	}
	r.format = Sniff(r.buf[r.lo : r.lo+1])
	if r.format == 0 || r.format == Records {
		r.format = 0
		return r.fail(r.lo, 1, "Expected a JSON array, or one JSON object per line,")
	}
	return nil
}

// begin steps over a byte order mark and blanks, and reports whether something follows.
func (r *Rows) begin() (bool, error) {
	for r.hi-r.lo < len(bom) {
		ok, err := r.more()
		if err != nil {
			return false, err
		}
		if !ok {
			break
		}
	}
	if bytes.HasPrefix(r.buf[r.lo:r.hi], bom) {
		r.lo += len(bom)
	}
	return r.blank()
}

func (r *Rows) line() (Row, error) {
	if ok, err := r.blank(); !ok {
		if err == nil {
			err = io.EOF
		}
		return Row{}, err
	}
	r.row++
	row := Row{Number: r.row}
	for seen := 0; ; {
		if i := bytes.IndexByte(r.buf[r.lo+seen:r.hi], '\n'); i >= 0 {
			seen += i
		} else {
			seen = r.hi - r.lo
			if seen > MaxRow {
				row.TooLong = true
				r.lo, seen = r.hi, 0
			}
			ok, err := r.more()
			if err != nil {
				return Row{}, err
			}
			if ok {
				continue
			}
		}
		row.TooLong = row.TooLong || seen > MaxRow
		text := bytes.TrimRight(r.buf[r.lo:r.lo+seen], " \t\r")
		r.lo += len(text)
		return r.found(row, text), nil
	}
}

// found completes a row whose text ends at lo.
func (r *Rows) found(row Row, text []byte) Row {
	row.End = r.base + int64(r.lo)
	if !row.TooLong {
		row.Text = text
	}
	return row
}

func (r *Rows) element() (Row, error) {
	ok, err := r.blank()
	if err != nil {
		return Row{}, err
	}
	if !ok {
		return Row{}, r.fail(r.lo, r.row, "Unexpected end of the file")
	}
	first := !r.inside
	switch c := r.buf[r.lo]; {
	case first: // c is the bracket that decided the format
	case c == ']':
		return Row{}, r.end()
	case c != ',':
		return Row{}, r.fail(r.lo, r.row, "Expected a comma or the end of the array")
	}
	r.lo++
	r.inside = true
	ok, err = r.blank()
	if err != nil {
		return Row{}, err
	}
	if !ok {
		return Row{}, r.fail(r.lo, r.row+1, "Unexpected end of the file")
	}
	if first && r.buf[r.lo] == ']' {
		return Row{}, r.end()
	}
	r.row++
	start := r.base + int64(r.lo)
	row, err := r.frame()
	if err != nil || row.TooLong {
		return row, err
	}
	if e := r.checkSyntax(row.Text); e != nil {
		return Row{}, &FileError{Row: r.row, Offset: start + e.Offset, Text: "Broken JSON: " + e.Text}
	}
	return row, nil
}

// end is io.EOF when nothing but blanks is behind the closing bracket.
func (r *Rows) end() error {
	r.lo++
	ok, err := r.blank()
	if err != nil {
		return err
	}
	if ok {
		return r.fail(r.lo, r.row, "Unexpected text after the array")
	}
	return io.EOF
}

// frame finds where the element at lo ends, by brackets and quotes alone.
func (r *Rows) frame() (Row, error) {
	var f framer
	row, n, err := r.span(f.scan, func() string { return "Unexpected end of the file" })
	if err != nil {
		return Row{}, err
	}
	text := r.buf[r.lo : r.lo+n]
	r.lo += n
	return r.found(row, text), nil
}

// span is how many bytes the row at lo has: scan goes over them, piece by piece,
// until it says that the row is done. Of a row longer than MaxRow the beginning is
// dropped as it comes. unfinished is asked at the end of the file why the row
// cannot end there; empty: it can.
func (r *Rows) span(scan func([]byte) (int, bool), unfinished func() string) (row Row, n int, err error) {
	row.Number = r.row
	for {
		seen, done := scan(r.buf[r.lo+n : r.hi])
		n += seen
		if !done {
			if n > MaxRow {
				row.TooLong = true
				r.lo, n = r.hi, 0
			}
			ok, err := r.more()
			if err != nil {
				return row, n, err
			}
			if ok {
				continue
			}
			if why := unfinished(); why != "" {
				return row, n, r.fail(r.hi, r.row, why)
			}
		}
		row.TooLong = row.TooLong || n > MaxRow
		return row, n, nil
	}
}

// framer is the state inside an element.
type framer struct {
	depth   int
	quoted  bool
	escaped bool // the byte before was a backslash, in a string
	scalar  bool // a number or literal, or what should be one
}

// scan consumes bytes of the element and reports whether it is complete.
func (f *framer) scan(b []byte) (n int, done bool) {
	for i := 0; i < len(b); i++ {
		c := b[i]
		if f.quoted {
			switch {
			case f.escaped:
				f.escaped = false
			case c == '\\':
				f.escaped = true
			case c == '"':
				f.quoted = false
				if f.depth == 0 {
					return i + 1, true
				}
			}
			continue
		}
		switch c {
		case '"':
			if f.scalar {
				return i, true
			}
			f.quoted = true
		case '{', '[':
			if f.scalar {
				return i, true
			}
			f.depth++
		case '}', ']':
			if f.depth == 0 {
				return i, true
			}
			if f.depth--; f.depth == 0 {
				return i + 1, true
			}
		default:
			if f.depth > 0 {
				continue
			}
			if c == ',' || c == ' ' || c == '\t' || c == '\r' || c == '\n' {
				return i, true
			}
			f.scalar = true
		}
	}
	return len(b), false
}

// checkSyntax is the error that makes text no JSON at all.
func (r *Rows) checkSyntax(text []byte) *Error {
	out, err := Append(r.scratch[:0], text)
	r.scratch = out[:0]
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) && e.Syntax {
		return e
	}
	return nil
}
