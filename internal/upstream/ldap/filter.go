package ldap

import (
	"errors"
	"regexp"
	"strings"

	ldapv3 "github.com/go-ldap/ldap/v3"
	"golang.org/x/text/unicode/norm"
)

// place is where a filter takes a name or a DN, as in the reference's connector.
const place = "{0}"

// assertion is "the attribute has this value", with a place in it when it is one
// of a template.
type assertion struct{ Attribute, Value string }

// filter is what is searched for: Text, and the assertions of which an entry must
// fulfil one to the letter.
type filter struct {
	Text string
	Any  []assertion
}

// template is a filter with places.
type template struct {
	text string
	any  []assertion
}

// equality is one equality match; its value may have places.
var equality = regexp.MustCompile(`\(\s*([A-Za-z0-9.-]+)\s*=([^()*]*)\)`)

// parseTemplate reads a user_filter. A place must be the value, or a part of it, of
// an equality match: whoever the filter finds has to have the typed name.
func parseTemplate(text string) (*template, error) {
	if !validFilter(text) {
		return nil, errors.New("is not a filter with {0}")
	}
	t, places := &template{text: text}, 0
	for _, m := range equality.FindAllStringSubmatch(text, -1) {
		if n := strings.Count(m[2], place); n > 0 {
			places += n
			t.any = append(t.any, assertion{m[1], m[2]})
		}
	}
	if places != strings.Count(text, place) {
		return nil, errors.New("has {0} elsewhere than in (attribute={0})")
	}
	return t, nil
}

func validFilter(text string) bool {
	if !strings.Contains(text, place) {
		return false
	}
	_, err := ldapv3.CompileFilter(fill(text, "x"))
	return err == nil
}

// of is the filter for a name.
func (t *template) of(name string) filter {
	f := filter{Text: fill(t.text, name)}
	for _, a := range t.any {
		f.Any = append(f.Any, assertion{a.Attribute, strings.ReplaceAll(a.Value, place, name)})
	}
	return f
}

// fill puts the value into a filter, escaped by RFC 4515 §3.
func fill(text, value string) string {
	return strings.ReplaceAll(text, place, ldapv3.EscapeFilter(value))
}

// anyOf is a filter of one or more assertions.
func anyOf(list ...assertion) filter {
	f := filter{Any: list}
	for _, a := range list {
		f.Text += "(" + a.Attribute + "=" + ldapv3.EscapeFilter(a.Value) + ")"
	}
	if len(list) > 1 {
		f.Text = "(|" + f.Text + ")"
	}
	return f
}

// literally reports whether the entry has one of the values that were asked for, but
// for the case of letters. Servers compare more loosely (blanks, accents, widths):
// as many spellings would be as many names to guess passwords under.
func (f filter) literally(e *ldapv3.Entry) bool {
	for _, a := range f.Any {
		for _, v := range e.GetEqualFoldAttributeValues(a.Attribute) {
			if spelled(v) == spelled(a.Value) {
				return true
			}
		}
	}
	return false
}

// attributes are those that literally looks at.
func (f filter) attributes() (names []string) {
	for _, a := range f.Any {
		names = append(names, a.Attribute)
	}
	return names
}

func spelled(s string) string { return strings.ToLower(norm.NFC.String(s)) }
