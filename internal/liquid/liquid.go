package liquid

import (
	"strings"
	"time"
	"unicode/utf8"
)

// MaxLength is how long the source of a template may be, bytes.
const MaxLength = 256 << 10

// Limits bound a rendering. A zero member is a good choice.
type Limits struct {
	// Steps are tags, values, filters and turns of loops; a text or list that is
	// worked on counts by its length. 0: 100,000, some ten milliseconds.
	Steps int
	// Output is how long the text, and any text or list on the way to it, may get,
	// bytes. 0: 1 MiB.
	Output int
	// Now is what the date filter takes for "now" and "today"; zero: they are no dates.
	Now time.Time
}

// Template is a parsed template. It may be rendered by many at once.
type Template struct {
	src   string
	nodes []node
}

// Parse reads a template. The error is always an *Error.
func Parse(src string) (*Template, error) {
	if len(src) > MaxLength {
		return nil, wrong(src, MaxLength, "longer than %d bytes", MaxLength)
	}
	if !utf8.ValidString(src) {
		return nil, wrong(src, 0, "not UTF-8")
	}
	pieces, err := lex(src)
	if err != nil {
		return nil, err
	}
	p := &parser{src: src, pieces: pieces}
	nodes, err := p.all()
	if err != nil {
		return nil, err
	}
	return &Template{src, nodes}, nil
}

// Render fills vars in. They are JSON-like: nil, bool, string, numbers, and maps
// and lists of these. The text says what the template and the vars say: escaping
// is the template's business, as in LiquidJS.
//
// The error is ErrLimit, or an *Error at the place of the tag.
func (t *Template) Render(vars map[string]any, l Limits) (string, error) {
	return t.render(vars, l, false)
}

// RenderHTML is Render for a template of HTML: what came from vars is escaped
// where it is put out, unless the template says `raw` last. What the template
// itself says, literals included, stays as it is.
func (t *Template) RenderHTML(vars map[string]any, l Limits) (string, error) {
	return t.render(vars, l, true)
}

func (t *Template) render(vars map[string]any, l Limits, html bool) (string, error) {
	if l.Steps <= 0 {
		l.Steps = 100_000
	}
	if l.Output <= 0 {
		l.Output = 1 << 20
	}
	c := &context{
		limits: l, html: html, src: t.src, out: &strings.Builder{}, vars: make(map[string]any, len(vars)),
		scopes: []map[string]any{{}}, cycles: map[string]int{}, continues: map[string]float64{},
	}
	for k, v := range vars {
		c.vars[k] = v
	}
	if err := c.run(t.nodes); err != nil {
		return "", err
	}
	return c.out.String(), nil
}
