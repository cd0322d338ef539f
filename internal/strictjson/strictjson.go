package strictjson

import (
	"encoding/json"
	"sync"
)

// MaxDepth of nesting.
const MaxDepth = 64

// Member of an object. Value is compact; numbers keep their digits; strings are
// in one canonical spelling (no needless escapes), so equal strings are equal bytes.
type Member struct {
	Name  string
	Value json.RawMessage
}

// Error says what is wrong and where. Text never repeats the input.
type Error struct {
	Offset int64 // bytes from the start
	Text   string
	// Syntax: the text is no JSON at all (RFC 8259). Otherwise it is JSON that we
	// refuse: a duplicate key, bad UTF-8, a lone surrogate, NUL, too deep.
	Syntax bool
}

func (e *Error) Error() string { return e.Text }

var scanners = sync.Pool{New: func() any { return newScanner() }}

// Object splits one object; anything else, or anything behind it, is an *Error.
// The values do not share memory with data.
func Object(data []byte) ([]Member, error) {
	_, members, err := Split(data)
	return members, err
}

// Split is Object that also returns the object's canonical text, of which the
// values are parts.
func Split(data []byte) (json.RawMessage, []Member, error) {
	s := scanners.Get().(*scanner)
	defer scanners.Put(s)
	s.start(data, make([]byte, 0, len(data)))
	s.blank()
	if s.i >= len(s.in) || s.in[s.i] != '{' {
		if _, err := s.whole(); err != nil {
			return nil, nil, err
		}
		return nil, nil, &Error{Text: "expected an object"}
	}
	s.splitting = true
	out, err := s.whole()
	if err != nil {
		return nil, nil, err
	}
	// One string holds all names: one allocation instead of one for each.
	names := string(s.nameText)
	members := make([]Member, len(s.members))
	for i, m := range s.members {
		members[i] = Member{Name: names[m.nameStart:m.nameEnd], Value: out[m.start:m.end:m.end]}
	}
	return out, members, nil
}

// Compact checks one value of any type and returns its canonical text, which
// does not share memory with data.
func Compact(data []byte) (json.RawMessage, error) {
	s := scanners.Get().(*scanner)
	defer scanners.Put(s)
	s.start(data, make([]byte, 0, len(data)))
	return s.whole()
}

// Append is Compact that writes behind dst.
func Append(dst, data []byte) ([]byte, error) {
	s := scanners.Get().(*scanner)
	defer scanners.Put(s)
	s.start(data, dst)
	out, err := s.whole()
	if err != nil {
		return dst, err
	}
	return out, nil
}
