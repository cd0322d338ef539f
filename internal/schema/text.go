package schema

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text is the string that the JSON text v holds, and whether v is one. Text
// without escapes is not decoded, only looked through.
func Text(v json.RawMessage) (string, bool) {
	if len(v) < 2 || v[0] != '"' || v[len(v)-1] != '"' {
		return "", false
	}
	inner := v[1 : len(v)-1]
	if bytes.IndexByte(inner, '\\') >= 0 {
		var s string
		if !utf8.Valid(inner) || json.Unmarshal(v, &s) != nil {
			return "", false
		}
		return s, true
	}
	for _, c := range inner {
		if c < ' ' || c == '"' {
			return "", false
		}
	}
	if !utf8.Valid(inner) {
		return "", false
	}
	return string(inner), true
}

// length is what a text has more than most of: characters, that is code points.
func length(s string) int { return utf8.RuneCountInString(s) }

// Clean reports whether a person could read s as it is stored: no control
// character, nothing that turns the direction of the text around it or breaks
// its line, and something to see. The empty text passes: its length is ruled
// by Min.
func Clean(s string) bool {
	seen := s == ""
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if c < ' ' || c == 0x7F {
				return false
			}
			seen = seen || c != ' '
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if disturbs(r) {
			return false
		}
		seen = seen || visible(r)
		i += n
	}
	return seen
}

// disturbs are characters that no single-line text for people needs and that
// have been used to make one text look like another.
func disturbs(r rune) bool {
	switch {
	case r >= 0x80 && r <= 0x9F: // C1 controls
	case r >= 0x202A && r <= 0x202E, r >= 0x2066 && r <= 0x2069: // bidi embeddings, overrides, isolates
	case r == 0x2028, r == 0x2029: // line and paragraph separator
	case r == 0xFEFF: // byte order mark
	case r >= 0xFFF9 && r <= 0xFFFB: // interlinear annotation
	case r&0xFFFE == 0xFFFE, r >= 0xFDD0 && r <= 0xFDEF: // noncharacters
	default:
		return false
	}
	return true
}

// visible reports whether r alone puts something on the screen. Joiners and
// marks do not: they are fine beside a letter and nothing without one.
func visible(r rune) bool {
	switch r {
	case 0x115F, 0x1160, 0x3164, 0xFFA0, 0x2800: // fillers and the blank of braille count as letters and signs, and are empty
		return false
	}
	return unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S)
}

// echoMax bounds how much of a refused value an error repeats, in characters.
const echoMax = 512

// echo is s as an error may repeat it: invisible characters spelled out, cut
// where it gets long.
func echo(s string) string {
	if len(s) <= echoMax && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 {
		return s
	}
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n == echoMax {
			b.WriteString("…")
			break
		}
		n++
		if unicode.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		q := strconv.QuoteRuneToASCII(r)
		b.WriteString(q[1 : len(q)-1])
	}
	return b.String()
}
