package demo

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"
)

// width of a line; most terminals have more.
const width = 96

// Styles, by their SGR parameters.
const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
	cyan   = "36"
)

// printer writes the play for people. A failed write ends nothing: the checks
// go on.
type printer struct {
	w      io.Writer
	colour bool
}

func (p *printer) style(sgr, s string) string {
	if !p.colour || s == "" {
		return s
	}
	return "\x1b[" + sgr + "m" + s + "\x1b[0m"
}

func (p *printer) line(format string, args ...any) { fmt.Fprintf(p.w, format+"\n", args...) }

// act is the heading of a part of the mission.
func (p *printer) act(n int, title string) {
	head := fmt.Sprintf("── %d  %s ", n, title)
	p.line("\n%s%s", p.style(bold, head), p.style(dim, strings.Repeat("─", max(3, width-utf8.RuneCountInString(head)))))
}

// say is a sentence about what comes, wrapped.
func (p *printer) say(text string) {
	p.line("")
	for _, l := range wrapWords(text, width-3) {
		p.line("   %s", p.style(dim, l))
	}
}

// request is a request line and its body.
func (p *printer) request(method, path string, body []string) {
	p.line("\n   %s %s", p.style(cyan, fmt.Sprintf("%-5s", method)), path)
	for _, l := range body {
		p.line("         %s", p.style(dim, l))
	}
}

// status is the answer's status.
func (p *printer) status(code int, extra string) {
	if extra != "" {
		extra = "  " + extra
	}
	p.line("   %s%s", p.statusText(code), extra)
}

func (p *printer) statusText(code int) string {
	sgr := green
	switch {
	case code >= 500 || code == 0:
		sgr = red
	case code >= 400:
		sgr = yellow
	}
	return p.style(sgr, strings.TrimSpace(fmt.Sprintf("%d   %s", code, http.StatusText(code))))
}

// brief is a request and its answer on one line.
func (p *printer) brief(method, path string, code int, extra string) {
	p.line("   %s %s  %s", p.style(cyan, fmt.Sprintf("%-5s", method)), pad(path, 44), p.style(green, fmt.Sprint(code))+"  "+extra)
}

// indented is text that belongs to the answer, wrapped.
func (p *printer) indented(text string) {
	for _, l := range wrapWords(text, width-9) {
		p.line("         %s", l)
	}
}

// table prints rows in columns under dim headings. The last column may be of
// any width.
func (p *printer) table(heads []string, rows [][]cell) {
	widths := make([]int, len(heads))
	for i, h := range heads {
		widths[i] = utf8.RuneCountInString(h)
		for _, r := range rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(r[i].text))
		}
	}
	var b strings.Builder
	emit := func(r []cell) {
		b.Reset()
		b.WriteString("        ")
		for i, c := range r {
			text := c.text
			if i < len(r)-1 {
				text = pad(text, widths[i])
			}
			b.WriteString(" " + p.style(c.sgr, text) + " ")
		}
		p.line("%s", strings.TrimRight(b.String(), " "))
	}
	hs := make([]cell, len(heads))
	for i, h := range heads {
		hs[i] = cell{h, dim}
	}
	if strings.Join(heads, "") != "" {
		emit(hs)
	}
	for _, r := range rows {
		emit(r)
	}
}

// cell is a styled text.
type cell struct{ text, sgr string }

// check is one thing that was looked at.
func (p *printer) check(ok bool, text string) {
	mark := p.style(green, "✓")
	if !ok {
		mark = p.style(red, "✗")
	}
	for i, l := range wrapWords(text, width-5) {
		if i > 0 {
			mark = " "
		}
		p.line("   %s %s", mark, l)
	}
}

// short cuts a text that is longer than n characters.
func short(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

func pad(s string, n int) string {
	return s + strings.Repeat(" ", max(0, n-utf8.RuneCountInString(s)))
}

// wrapWords breaks at blanks. A word that is longer than the line stays whole:
// it may be a URL that somebody copies.
func wrapWords(s string, n int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(s) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > n {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// wrapJSON writes an object over lines of about n characters, broken between
// its members; anything else is cut at the end of one line.
func wrapJSON(b []byte, n int) []string {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return []string{short(string(b), n)}
	}
	var lines []string
	line := "{ "
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return []string{short(string(b), n)}
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return []string{short(string(b), n)}
		}
		member := fmt.Sprintf("%q: %s", key, value)
		if len(line) > 2 {
			line += ","
			if utf8.RuneCountInString(line)+1+utf8.RuneCountInString(member) > n {
				lines = append(lines, line)
				line = " "
			}
			line += " "
		}
		line += short(member, n-4)
	}
	return append(lines, line+" }")
}
