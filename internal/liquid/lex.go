package liquid

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

type kind uint8

const (
	textPiece kind = iota
	outputPiece
	tagPiece
)

// piece is a stretch of the source: text, {{ output }} or {% tag %}.
type piece struct {
	kind       kind
	begin, end int    // in the source
	text       string // of a text: what is left of it by whitespace control
	name       string // of a tag
	from, to   int    // what is inside; of a tag: behind its name
	trimLeft   bool
	trimRight  bool
}

func (p *piece) isTag(name string) bool { return p.kind == tagPiece && p.name == name }

// lex cuts the source into pieces. Inside of {% raw %} everything is text.
func lex(src string) ([]piece, error) {
	var pieces []piece
	for at := 0; at < len(src); {
		p, err := next(src, at)
		if err != nil {
			return nil, err
		}
		pieces = append(pieces, p)
		at = p.end
		if p.isTag("raw") {
			body, end, err := rawBody(src, p)
			if err != nil {
				return nil, err
			}
			if body.end > body.begin {
				pieces = append(pieces, body)
			}
			pieces = append(pieces, end)
			at = end.end
		}
	}
	trim(pieces)
	return pieces, nil
}

func next(src string, at int) (piece, error) {
	rest := src[at:]
	switch {
	case strings.HasPrefix(rest, "{%"):
		n := strings.Index(rest[1:], "%}")
		if n < 0 {
			return piece{}, wrong(src, at, "tag %s not closed", excerpt(rest))
		}
		return tag(src, at, at+1+n+2)
	case strings.HasPrefix(rest, "{{"):
		n := outputEnd(rest)
		if n < 0 {
			return piece{}, wrong(src, at, "output %s not closed", excerpt(rest))
		}
		p := piece{kind: outputPiece, begin: at, end: at + n}
		p.inside(src)
		return p, nil
	}
	n := strings.Index(rest, "{")
	for n >= 0 && !strings.HasPrefix(rest[n:], "{{") && !strings.HasPrefix(rest[n:], "{%") {
		more := strings.Index(rest[n+1:], "{")
		if more < 0 {
			n = -1
			break
		}
		n += 1 + more
	}
	if n < 0 {
		n = len(rest)
	}
	return piece{begin: at, end: at + n, text: rest[:n]}, nil
}

// outputEnd is where {{ … }} ends; a }} in quotes does not end it.
func outputEnd(s string) int {
	for i := 1; i < len(s); {
		if c := s[i]; c == '"' || c == '\'' {
			i += quotedEnd(s[i:])
			continue
		}
		i++
		if i >= 2 && s[i-2:i] == "}}" {
			return i
		}
	}
	return -1
}

// quotedEnd is the length of the quoted text that s begins with, the quotes
// included; all of s when it is not closed.
func quotedEnd(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case s[0]:
			return i + 1
		}
	}
	return len(s)
}

// inside finds what stands between the delimiters, and the dashes there.
func (p *piece) inside(src string) {
	from, to := p.begin+2, p.end-2
	if p.trimLeft = from < len(src) && src[from] == '-'; p.trimLeft {
		from++
	}
	if p.trimRight = to > 0 && src[to-1] == '-'; p.trimRight {
		to--
	}
	to = max(from, to)
	in := strings.TrimLeftFunc(src[from:to], isBlank)
	p.from = to - len(in)
	p.to = p.from + len(strings.TrimRightFunc(in, isBlank))
}

func tag(src string, begin, end int) (piece, error) {
	p := piece{kind: tagPiece, begin: begin, end: end}
	p.inside(src)
	return p, p.readName(src)
}

// readName takes a tag's name off what is inside.
func (p *piece) readName(src string) error {
	in := src[p.from:p.to]
	if strings.HasPrefix(in, "#") {
		p.name = "#"
	} else {
		p.name = in[:wordLen(in)]
	}
	if p.name == "" {
		return wrong(src, p.from, "illegal tag syntax, tag name expected")
	}
	rest := strings.TrimLeftFunc(in[len(p.name):], isBlank)
	p.from = p.to - len(rest)
	return nil
}

// rawBody is the text behind {% raw %}, and the {% endraw %} that ends it.
func rawBody(src string, open piece) (body, end piece, err error) {
	for at := open.end; ; {
		n := strings.Index(src[at:], "{%")
		if n < 0 {
			return body, end, wrong(src, open.begin, "raw %s not closed", excerpt(src[open.begin:]))
		}
		at += n
		in := strings.TrimLeftFunc(src[at+2:], isBlank)
		if in[:wordLen(in)] == "endraw" {
			rest, _, _ := strings.Cut(src[at+2:], "{%")
			if closed := strings.Index(rest, "%}"); closed >= 0 {
				end, err = tag(src, at, at+2+closed+2)
				return piece{begin: open.end, end: at, text: src[open.end:at]}, end, err
			}
		}
		at += 2
	}
}

// trim takes the blanks beside {%- -%} and {{- -}} away.
func trim(pieces []piece) {
	inRaw := false
	for i := range pieces {
		p := &pieces[i]
		if p.kind == textPiece {
			continue
		}
		if !inRaw && p.trimLeft && i > 0 && pieces[i-1].kind == textPiece {
			pieces[i-1].text = strings.TrimRightFunc(pieces[i-1].text, isBlank)
		}
		switch {
		case p.isTag("raw"):
			inRaw = true
		case p.isTag("endraw"):
			inRaw = false
		}
		if !inRaw && p.trimRight && i+1 < len(pieces) && pieces[i+1].kind == textPiece {
			pieces[i+1].text = strings.TrimLeftFunc(pieces[i+1].text, isBlank)
		}
	}
}

// isBlank: what separates words in a tag.
func isBlank(r rune) bool {
	switch r {
	case '\t', '\n', '\v', '\f', '\r', ' ', 0xa0, 0x1680, 0x180e, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000:
		return true
	}
	return r >= 0x2000 && r <= 0x200a
}

// isWord: what names are made of.
func isWord(r rune) bool {
	switch {
	case r == '_', r == '-', r == '?', r >= '0' && r <= '9', r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z':
		return true
	case r == 0x201c, r == 0x201d: // typographic quotes
		return false
	}
	return r >= 128 && !isBlank(r)
}

func wordLen(s string) int {
	if n := strings.IndexFunc(s, func(r rune) bool { return !isWord(r) }); n >= 0 {
		return n
	}
	return len(s)
}

// isSpace is what JavaScript's trim takes away.
func isSpace(r rune) bool {
	return r == 0xfeff || r != 0x85 && unicode.IsSpace(r)
}

// excerpt is the beginning of s, quoted.
func excerpt(s string) string {
	if len(s) > 32 {
		n := 29
		for !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n] + "..."
	}
	return jsonText(s)
}
