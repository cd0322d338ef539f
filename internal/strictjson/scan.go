package strictjson

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// scanner reads one text in one pass: it checks and writes the canonical form
// as it goes. It is on the path of every request, which is why it is not made
// of a general tokenizer.
type scanner struct {
	in    []byte
	i     int
	out   []byte
	depth int
	names nameSet

	// refused is the first thing that is JSON but not accepted. Scanning goes on
	// behind it, since a syntax error anywhere outranks it.
	refused *Error

	splitting bool     // note the members of the outermost object
	members   []member // offsets into out
	nameText  []byte   // their names, unescaped, one behind the other
}

type member struct{ nameStart, nameEnd, start, end int }

// keptNameText is how much scratch memory a pooled scanner may hold on to.
const keptNameText = 64 << 10

func newScanner() *scanner { return &scanner{} }

// start begins a text whose canonical form goes behind dst.
func (s *scanner) start(in, dst []byte) {
	s.in, s.i, s.depth, s.refused, s.splitting = in, 0, 0, nil, false
	s.out = dst
	s.members = s.members[:0]
	s.nameText = s.nameText[:0]
	if cap(s.nameText) > keptNameText {
		s.nameText, s.members = nil, nil
	}
	s.names.reset()
}

// whole reads one value with nothing but blanks around it.
func (s *scanner) whole() ([]byte, error) {
	s.blank()
	err := s.value()
	if err == nil {
		s.blank()
		if s.i < len(s.in) {
			err = s.syntax("unexpected text after the value")
		}
	}
	out := s.out
	s.in, s.out = nil, nil // the pool must not keep the caller's memory
	if err == nil {
		err = s.refused
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (s *scanner) syntax(text string) *Error {
	return &Error{Offset: int64(s.i), Text: text, Syntax: true}
}

// refuse notes the first refusal; it is at byte i.
func (s *scanner) refuse(i int, text string) {
	if s.refused == nil {
		s.refused = &Error{Offset: int64(i), Text: text}
	}
}

func (s *scanner) blank() {
	for s.i < len(s.in) {
		switch s.in[s.i] {
		case ' ', '\t', '\r', '\n':
			s.i++
		default:
			return
		}
	}
}

func (s *scanner) value() *Error {
	if s.i >= len(s.in) {
		return s.syntax("unexpected end of the text")
	}
	switch c := s.in[s.i]; c {
	case '"':
		return s.text()
	case '{':
		return s.object()
	case '[':
		return s.array()
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	default:
		if c == '-' || c >= '0' && c <= '9' {
			return s.number()
		}
		return s.syntax("expected a value")
	}
}

func (s *scanner) literal(word string) *Error {
	if len(s.in)-s.i < len(word) || string(s.in[s.i:s.i+len(word)]) != word {
		return s.syntax("expected a value")
	}
	s.out = append(s.out, word...)
	s.i += len(word)
	return nil
}

// number is RFC 8259 §6, copied digit for digit.
func (s *scanner) number() *Error {
	begin := s.i
	if s.in[s.i] == '-' {
		s.i++
	}
	switch {
	case s.i < len(s.in) && s.in[s.i] == '0':
		s.i++
	case !s.digits():
		return s.syntax("expected a digit")
	}
	if s.i < len(s.in) && s.in[s.i] == '.' {
		s.i++
		if !s.digits() {
			return s.syntax("expected a digit")
		}
	}
	if s.i < len(s.in) && s.in[s.i]|0x20 == 'e' {
		s.i++
		if s.i < len(s.in) && (s.in[s.i] == '+' || s.in[s.i] == '-') {
			s.i++
		}
		if !s.digits() {
			return s.syntax("expected a digit")
		}
	}
	s.out = append(s.out, s.in[begin:s.i]...)
	return nil
}

func (s *scanner) digits() bool {
	begin := s.i
	for s.i < len(s.in) && s.in[s.i] >= '0' && s.in[s.i] <= '9' {
		s.i++
	}
	return s.i > begin
}

func (s *scanner) enter() *Error {
	s.depth++
	if s.depth > MaxDepth {
		// Going on would let a stranger choose our stack depth.
		return &Error{Offset: int64(s.i), Text: "nested too deeply"}
	}
	s.out = append(s.out, s.in[s.i])
	s.i++
	s.blank()
	return nil
}

func (s *scanner) leave() {
	s.out = append(s.out, s.in[s.i])
	s.i++
	s.depth--
}

func (s *scanner) array() *Error {
	if err := s.enter(); err != nil {
		return err
	}
	if s.i < len(s.in) && s.in[s.i] == ']' {
		s.leave()
		return nil
	}
	for {
		if err := s.value(); err != nil {
			return err
		}
		s.blank()
		switch {
		case s.i >= len(s.in):
			return s.syntax("unexpected end of the text")
		case s.in[s.i] == ']':
			s.leave()
			return nil
		case s.in[s.i] != ',':
			return s.syntax("expected a comma or the end of the array")
		}
		s.out = append(s.out, ',')
		s.i++
		s.blank()
	}
}

func (s *scanner) object() *Error {
	if err := s.enter(); err != nil {
		return err
	}
	if s.i < len(s.in) && s.in[s.i] == '}' {
		s.leave()
		return nil
	}
	splitting := s.splitting && s.depth == 1
	id := s.names.object()
	for {
		if s.i >= len(s.in) {
			return s.syntax("unexpected end of the text")
		}
		if s.in[s.i] != '"' {
			return s.syntax("expected a member name")
		}
		at, name := s.i, len(s.out)
		if err := s.text(); err != nil {
			return err
		}
		// The canonical spelling is the name: two spellings of one name are equal here.
		if !s.names.add(id, s.out, name, len(s.out)) {
			s.refuse(at, "duplicate member name")
		}
		var m member
		if splitting {
			m.nameStart = len(s.nameText)
			s.nameText = appendUnquoted(s.nameText, s.out[name:])
			m.nameEnd = len(s.nameText)
		}
		s.blank()
		if s.i >= len(s.in) {
			return s.syntax("unexpected end of the text")
		}
		if s.in[s.i] != ':' {
			return s.syntax("expected a colon")
		}
		s.out = append(s.out, ':')
		s.i++
		s.blank()
		m.start = len(s.out)
		if err := s.value(); err != nil {
			return err
		}
		if splitting {
			m.end = len(s.out)
			s.members = append(s.members, m)
		}
		s.blank()
		switch {
		case s.i >= len(s.in):
			return s.syntax("unexpected end of the text")
		case s.in[s.i] == '}':
			s.leave()
			return nil
		case s.in[s.i] != ',':
			return s.syntax("expected a comma or the end of the object")
		}
		s.out = append(s.out, ',')
		s.i++
		s.blank()
	}
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// plain returns the index of the first byte from i on that is not printable
// ASCII without quote and backslash. It looks at eight bytes at a time.
func plain(b []byte, i int) int {
	for i+8 <= len(b) {
		w := binary.LittleEndian.Uint64(b[i:])
		quote := w ^ ones*'"'
		slash := w ^ ones*'\\'
		// A byte that is zero, or below 0x20, borrows into its high bit. A borrow may
		// also mark a byte behind a marked one, never one before it: the first is true.
		if m := (((w-ones*0x20)|(quote-ones)|(slash-ones))&^w | w) & highs; m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
		i += 8
	}
	for i < len(b) && b[i] >= 0x20 && b[i] < 0x80 && b[i] != '"' && b[i] != '\\' {
		i++
	}
	return i
}

// text reads a string and writes its canonical spelling: everything as it is,
// but quote, backslash and control characters.
func (s *scanner) text() *Error {
	in, begin := s.in, s.i // what is not written yet begins here
	i := begin + 1
	for {
		i = plain(in, i)
		if i >= len(in) {
			s.i = i
			return s.syntax("unexpected end of the text")
		}
		switch c := in[i]; {
		case c == '"':
			i++
			s.out = append(s.out, in[begin:i]...)
			s.i = i
			return nil
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRune(in[i:])
			if r == utf8.RuneError && n == 1 {
				s.refuse(i, "invalid UTF-8")
			}
			i += n
		case c == '\\':
			s.out = append(s.out, in[begin:i]...)
			s.i = i
			if err := s.escape(); err != nil {
				return err
			}
			i = s.i
			begin = i
		default:
			s.i = i
			return s.syntax("control character in a string")
		}
	}
}

func (s *scanner) escape() *Error {
	if s.i+1 >= len(s.in) {
		s.i = len(s.in)
		return s.syntax("unexpected end of the text")
	}
	switch c := s.in[s.i+1]; c {
	case '"', '\\', 'b', 'f', 'n', 'r', 't':
		s.out = append(s.out, '\\', c)
		s.i += 2
		return nil
	case '/':
		s.out = append(s.out, '/')
		s.i += 2
		return nil
	case 'u':
	default:
		return s.syntax("unknown escape")
	}
	r, ok := hex4(s.in, s.i+2)
	if !ok {
		return s.syntax("bad \\u escape")
	}
	at := s.i
	s.i += 6
	if utf16.IsSurrogate(r) {
		pair := rune(utf8.RuneError)
		if s.i+1 < len(s.in) && s.in[s.i] == '\\' && s.in[s.i+1] == 'u' {
			if low, ok := hex4(s.in, s.i+2); ok {
				pair = utf16.DecodeRune(r, low)
			}
		}
		if pair == utf8.RuneError {
			s.refuse(at, "lone surrogate")
			return nil
		}
		r = pair
		s.i += 6
	}
	if r == 0 {
		s.refuse(at, "NUL in a string")
	}
	s.out = appendRune(s.out, r)
	return nil
}

func hex4(b []byte, i int) (rune, bool) {
	if i+4 > len(b) {
		return 0, false
	}
	var r rune
	for _, c := range b[i : i+4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

const hexDigits = "0123456789abcdef"

// appendRune writes r in the canonical spelling.
func appendRune(b []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(b, '\\', byte(r))
	case '\b':
		return append(b, '\\', 'b')
	case '\f':
		return append(b, '\\', 'f')
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	}
	if r < 0x20 {
		return append(b, '\\', 'u', '0', '0', hexDigits[r>>4], hexDigits[r&15])
	}
	return utf8.AppendRune(b, r)
}

// appendUnquoted writes what a canonical string means.
func appendUnquoted(b, quoted []byte) []byte {
	text := quoted[1 : len(quoted)-1]
	for {
		i := bytes.IndexByte(text, '\\')
		if i < 0 {
			return append(b, text...)
		}
		b = append(b, text[:i]...)
		c := text[i+1]
		text = text[i+2:]
		switch c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'u':
			r, _ := hex4(text, 0) // canonical: a control character
			c = byte(r)
			text = text[4:]
		}
		b = append(b, c)
	}
}
