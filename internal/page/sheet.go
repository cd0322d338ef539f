package page

import (
	"fmt"
	"html/template"
	"maps"
	"strconv"
)

// sheet is what the templates get: a screen, and its words and looks.
type sheet struct {
	screen
	Lang, Dir string
	Nonce     string
	Style     template.CSS
	Script    template.JS
	Look      look

	secure bool // served over https
	words  words
	// english are the words of the same screen in English.
	english words
}

// raw is the text of a key. One that is nowhere is a mistake of ours.
func (s *sheet) raw(key string) (string, error) {
	text, ok := s.words.find(key)
	if !ok {
		return "", fmt.Errorf("no text %q for %s/%s in %s", key, s.prompt, s.name, s.Lang)
	}
	return text, nil
}

// known are the values for places in every text, and more of one.
func (s *sheet) known(more ...map[string]string) map[string]string {
	v := map[string]string{"clientName": s.Frame.Application, "companyName": s.Look.Company}
	if s.Frame.Application == "" {
		v["clientName"] = s.Look.Company
	}
	maps.Copy(v, s.values)
	for _, m := range more {
		maps.Copy(v, m)
	}
	return v
}

// T is a text.
func (s *sheet) T(key string) (string, error) {
	text, err := s.raw(key)
	return plainly(text, s.known()), err
}

// M is a text as HTML in which names stand out.
func (s *sheet) M(key string) (template.HTML, error) {
	text, err := s.raw(key)
	return marked(text, s.known()), err
}

// Has: there is such a text.
func (s *sheet) Has(key string) bool {
	_, ok := s.words.find(key)
	return ok
}

// Named is the text of a name that comes from elsewhere, with the prefix of its
// kind; a name that has none is shown as it is.
func (s *sheet) Named(prefix, name string) string {
	if text, ok := s.words.find(prefix + name); ok {
		return plainly(text, s.known())
	}
	return name
}

// Title is the title of the document. That something is wrong comes first, since
// it is what a screen reader reads first.
func (s *sheet) Title() (string, error) {
	if e, ok := s.View.(Error); ok {
		return s.Known(e.Title, "title")
	}
	title, err := s.T("pageTitle")
	if err != nil || !s.wrong() {
		return title, err
	}
	with, err := s.raw("errorTitle")
	return plainly(with, map[string]string{"title": title}), err
}

// wrong: the last try failed.
func (s *sheet) wrong() bool {
	if s.Problem != "" {
		return true
	}
	for _, in := range s.Inputs {
		if in.Problem != "" {
			return true
		}
	}
	return false
}

// Known is a text of ours in the language of the page: callers have it in
// English. Empty stands for the text of fallback; any other is shown as it is.
func (s *sheet) Known(text, fallback string) (string, error) {
	if text == "" {
		return s.T(fallback)
	}
	for key, english := range s.english.layers[1] {
		if english == text {
			return s.T(key)
		}
	}
	return text, nil
}

// Way is the label of the way to a connection.
func (s *sheet) Way(l Link) (template.HTML, error) {
	text, err := s.raw("federatedConnectionButtonText")
	return marked(text, s.known(map[string]string{"connectionName": l.Label})), err
}

// Icon is the image of a connection, made safe to stand in an attribute; empty: none.
func (s *sheet) Icon(l Link) string { return foreign(l.Icon, s.secure) }

// Rule is one rule of a password.
func (s *sheet) Rule(r Rule) string {
	text, ok := s.words.find("rule-" + r.Code)
	if !ok {
		return r.Code
	}
	values := map[string]string{}
	for i, a := range r.Args {
		values[strconv.Itoa(i)] = fmt.Sprint(a)
	}
	return plainly(text, s.known(values))
}

// Scope is one line of a consent.
func (s *sheet) Scope(c ConsentScope) string {
	if c.Description != "" {
		return c.Description
	}
	return s.Named("scope-", c.Name)
}
