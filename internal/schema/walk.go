package schema

import (
	"bytes"
	"encoding/json"
	"iter"
)

// Member of a JSON object, in place: both parts are slices of the object's text.
type Member struct {
	Key   json.RawMessage // the name as written, in quotes
	Value json.RawMessage
}

// Name is the name, unescaped.
func (m Member) Name() string {
	s, _ := Text(m.Key)
	return s
}

// Members yields the members of the object v in their order. v is valid JSON;
// of other bytes it yields what looks like members and stops.
func Members(v json.RawMessage) iter.Seq[Member] {
	return func(yield func(Member) bool) {
		i, ok := open(v, '{')
		for ok && i < len(v) && v[i] == '"' {
			k := textEnd(v, i)
			if k < 0 {
				return
			}
			colon := skipSpace(v, k)
			if colon >= len(v) || v[colon] != ':' {
				return
			}
			start := skipSpace(v, colon+1)
			stop := valueEnd(v, start)
			if stop < 0 || !yield(Member{v[i:k], v[start:stop]}) {
				return
			}
			i, ok = comma(v, stop)
		}
	}
}

// Elements yields the elements of the array v with their indexes; as Members.
func Elements(v json.RawMessage) iter.Seq2[int, json.RawMessage] {
	return func(yield func(int, json.RawMessage) bool) {
		i, ok := open(v, '[')
		if ok && i < len(v) && v[i] == ']' {
			return
		}
		for n := 0; ok; n++ {
			stop := valueEnd(v, i)
			if stop < 0 || !yield(n, v[i:stop]) {
				return
			}
			i, ok = comma(v, stop)
		}
	}
}

// open is the place of the first thing behind the opening bracket.
func open(v []byte, bracket byte) (int, bool) {
	i := skipSpace(v, 0)
	if i >= len(v) || v[i] != bracket {
		return 0, false
	}
	return skipSpace(v, i+1), true
}

// comma is the place of the next thing behind a comma, if one comes.
func comma(v []byte, i int) (int, bool) {
	i = skipSpace(v, i)
	if i >= len(v) || v[i] != ',' {
		return 0, false
	}
	return skipSpace(v, i+1), true
}

func skipSpace(v []byte, i int) int {
	for i < len(v) && (v[i] == ' ' || v[i] == '\t' || v[i] == '\n' || v[i] == '\r') {
		i++
	}
	return i
}

// textEnd is the place behind the string that opens at v[i]; -1 where it does not close.
func textEnd(v []byte, i int) int {
	for i++; i < len(v); i++ {
		switch v[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

// valueEnd is the place behind the value that begins at v[i]; -1 where none does.
// It counts brackets instead of recursing, so that depth costs no stack.
func valueEnd(v []byte, i int) int {
	depth := 0
	for start := i; i < len(v); i++ {
		switch v[i] {
		case '"':
			i = textEnd(v, i)
			if i < 0 {
				return -1
			}
			if depth == 0 {
				return i
			}
			i--
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 { // the bracket around a bare literal
				return orNone(start, i)
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return orNone(start, i)
			}
		}
		if i == len(v)-1 && depth == 0 {
			return i + 1
		}
	}
	return -1
}

func orNone(start, end int) int {
	if start == end {
		return -1
	}
	return end
}

// size counts members or elements.
func size(v json.RawMessage) (n int) {
	if bytes.HasPrefix(v, []byte("{")) {
		for range Members(v) {
			n++
		}
		return n
	}
	for range Elements(v) {
		n++
	}
	return n
}
