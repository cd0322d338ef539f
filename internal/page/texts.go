package page

import (
	"context"
	"encoding/json"
	"fmt"
	"html/template"
	"path"
	"slices"
	"strings"

	"mangrove/internal/tenant"
)

// catalogue is the texts of one language: prompt to screen to key to text. The
// names are those of the custom texts of the Management API where it has one.
type catalogue map[string]map[string]map[string]string

// Screen "common" of prompt "common" has what other screens lack.
const common = "common"

// readCatalogues reads the embedded texts, by language.
func readCatalogues() (map[string]catalogue, error) {
	all := map[string]catalogue{}
	names, err := files.ReadDir("texts")
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		b, err := files.ReadFile("texts/" + n.Name())
		if err != nil {
			return nil, err
		}
		var c catalogue
		if err := json.Unmarshal(b, &c); err != nil {
			return nil, fmt.Errorf("%s: %w", n.Name(), err)
		}
		all[strings.TrimSuffix(n.Name(), path.Ext(n.Name()))] = c
	}
	return all, nil
}

// words are the texts of one screen in one language: the screen's own before the
// common ones, the tenant's before ours.
type words struct {
	layers []map[string]string
	// seen is told every key that was found; nil: nobody.
	seen func(layer int, key string)
}

// wordsOf gathers the words of a screen. Where the tenant's texts cannot be
// read, ours are shown.
func wordsOf(ctx context.Context, t tenant.Reader, c catalogue, lang, prompt, screen string) words {
	custom := func(prompt, screen string) map[string]string {
		if t == nil {
			return nil
		}
		texts, err := t.Texts(ctx, prompt, lang)
		if err != nil {
			return nil
		}
		return texts[screen]
	}
	return words{layers: []map[string]string{
		custom(prompt, screen), c[prompt][screen], custom(common, common), c[common][common],
	}}
}

// find is the text of a key as it was written.
func (w words) find(key string) (string, bool) {
	for i, l := range w.layers {
		if text, ok := l[key]; ok {
			if w.seen != nil {
				w.seen(i, key)
			}
			return text, true
		}
	}
	return "", false
}

// fill puts values in the places of a text, which are written ${name}. A place
// without a value stays as it is. Each value goes through show.
func fill(text string, values map[string]string, show func(string) string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "${")
		name, after, closed := strings.Cut(rest, "}")
		if !found || !closed {
			b.WriteString(text)
			return b.String()
		}
		b.WriteString(before)
		if value, ok := values[name]; ok {
			b.WriteString(show(value))
			text = after
			continue
		}
		b.WriteString("${")
		text = rest
	}
}

// plainly is fill for text.
func plainly(text string, values map[string]string) string {
	return fill(text, values, func(v string) string { return v })
}

// marked is fill for HTML: nothing of text or values is markup, and values stand
// out and keep their direction of writing to themselves.
func marked(text string, values map[string]string) template.HTML {
	return template.HTML(fill(template.HTMLEscapeString(text), values, func(v string) string { //nolint:gosec // both are escaped
		return "<bdi>" + template.HTMLEscapeString(v) + "</bdi>"
	}))
}

// places are the names of the places in a text, sorted.
func places(text string) []string {
	var names []string
	for {
		_, rest, found := strings.Cut(text, "${")
		name, after, closed := strings.Cut(rest, "}")
		if !found || !closed {
			slices.Sort(names)
			return slices.Compact(names)
		}
		names = append(names, name)
		text = after
	}
}
