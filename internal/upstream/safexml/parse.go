package safexml

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/beevik/etree"
)

// Bounds of a document. None that an identity provider makes comes near them.
const (
	maxDepth    = 64
	maxAttrs    = 32 // of one element
	maxPrefixes = 64 // in scope at one place
	maxElements = 20_000
)

// Refusals of documents. Parse adds what was wrong, never what the document says.
var (
	ErrTooLarge  = errors.New("XML document too large")
	ErrDirective = errors.New("XML document with a DOCTYPE")
	ErrUnsafe    = errors.New("unsafe XML document")
)

// Parse reads a document of at most limit bytes that all parsers understand alike:
// UTF-8, one root, no DOCTYPE and so no entities, no processing instructions, each
// prefix declared, no attribute twice (whatever its prefix), and nothing that
// changes when it is written and read again (CVE-2020-26290). CDATA is text.
func Parse(b []byte, limit int) (*etree.Document, error) {
	if len(b) > limit {
		return nil, ErrTooLarge
	}
	b = bytes.TrimPrefix(b, []byte("\ufeff"))
	if !utf8.Valid(b) {
		return nil, unsafe("not UTF-8")
	}
	if err := scan(b); err != nil {
		return nil, err
	}
	doc, err := read(b)
	if err != nil {
		return nil, unsafe("not well-formed")
	}
	// Only so are line ends and tabs written as the references that they have to be.
	doc.WriteSettings.CanonicalText, doc.WriteSettings.CanonicalAttrVal = true, true
	again, err := doc.WriteToBytes()
	if err != nil {
		return nil, unsafe("cannot be written")
	}
	copied, err := read(again)
	if err != nil || !same(&doc.Element, &copied.Element) {
		return nil, unsafe("does not survive a round trip")
	}
	return doc, nil
}

func unsafe(why string) error { return fmt.Errorf("%w: %s", ErrUnsafe, why) }

func read(b []byte) (*etree.Document, error) {
	doc := etree.NewDocument()
	doc.ReadSettings.PreserveDuplicateAttrs = true
	doc.ReadSettings.MaxDepth = maxDepth
	if err := doc.ReadFromBytes(b); err != nil {
		return nil, err
	}
	return doc, nil
}

// scope is what prefixes mean within an element.
type scope map[string]string

const (
	xmlNamespace   = "http://www.w3.org/XML/1998/namespace"
	xmlnsNamespace = "http://www.w3.org/2000/xmlns/"
)

// scan judges a document by its raw tokens, before a tree is made of it.
func scan(b []byte) error {
	d := xml.NewDecoder(bytes.NewReader(b)) // without a CharsetReader only UTF-8 is read
	scopes := []scope{{"": "", "xml": xmlNamespace}}
	roots, elements := 0, 0
	for {
		t, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return unsafe("not well-formed")
		}
		switch t := t.(type) {
		case xml.Directive:
			return ErrDirective
		case xml.ProcInst:
			if t.Target != "xml" || roots > 0 {
				return unsafe("processing instruction")
			}
		case xml.CharData:
			if len(scopes) == 1 && len(bytes.TrimSpace(t)) > 0 {
				return unsafe("text outside of the root")
			}
		case xml.StartElement:
			if len(scopes) == 1 {
				roots++
			}
			elements++
			if roots > 1 || elements > maxElements || len(scopes) > maxDepth || len(t.Attr) > maxAttrs {
				return unsafe("too many roots, elements, levels or attributes")
			}
			inner, err := enter(scopes[len(scopes)-1], t)
			if err != nil {
				return err
			}
			scopes = append(scopes, inner)
		case xml.EndElement:
			if len(scopes) == 1 {
				return unsafe("not well-formed")
			}
			scopes = scopes[:len(scopes)-1]
		}
	}
	if roots != 1 || len(scopes) != 1 {
		return unsafe("no root")
	}
	return nil
}

// enter returns the scope within an element, whose names it judges.
func enter(outer scope, e xml.StartElement) (scope, error) {
	inner := outer
	declare := func(prefix, uri string) error {
		switch {
		case prefix == "xml" && uri == xmlNamespace:
			return nil
		case prefix == "xml", prefix == "xmlns", uri == xmlNamespace, uri == xmlnsNamespace, prefix != "" && uri == "":
			return unsafe("namespace declaration")
		}
		inner[prefix] = uri
		return nil
	}
	for _, a := range e.Attr {
		if a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns" {
			inner = maps.Clone(outer)
			break
		}
	}
	for _, a := range e.Attr {
		var err error
		switch {
		case a.Name.Space == "xmlns":
			err = declare(a.Name.Local, a.Value)
		case a.Name.Space == "" && a.Name.Local == "xmlns":
			err = declare("", a.Value)
		}
		if err != nil {
			return nil, err
		}
	}
	if len(inner) > maxPrefixes {
		return nil, unsafe("too many namespaces")
	}
	if _, ok := inner[e.Name.Space]; !ok || !plainName(e.Name) {
		return nil, unsafe("element name")
	}
	seen := make([]xml.Name, 0, len(e.Attr))
	for _, a := range e.Attr {
		name := a.Name
		if name.Space != "" && name.Space != "xmlns" {
			uri, ok := inner[name.Space]
			if !ok {
				return nil, unsafe("attribute name")
			}
			name.Space = uri
		}
		if !plainName(a.Name) || slices.Contains(seen, name) {
			return nil, unsafe("attribute name")
		}
		seen = append(seen, name)
	}
	return inner, nil
}

// plainName reports whether a name has at most one colon, between two parts: what
// the decoder leaves of others is read differently the next time.
func plainName(n xml.Name) bool {
	return n.Local != "" && !strings.Contains(n.Local, ":") && !strings.Contains(n.Space, ":")
}

// same compares trees. Text that is split by nothing counts as one.
func same(a, b *etree.Element) bool {
	if a.Space != b.Space || a.Tag != b.Tag || len(a.Attr) != len(b.Attr) {
		return false
	}
	for i := range a.Attr {
		if a.Attr[i].Space != b.Attr[i].Space || a.Attr[i].Key != b.Attr[i].Key || a.Attr[i].Value != b.Attr[i].Value {
			return false
		}
	}
	left, right := children(a), children(b)
	return slices.EqualFunc(left, right, func(x, y any) bool {
		switch x := x.(type) {
		case *etree.Element:
			y, ok := y.(*etree.Element)
			return ok && same(x, y)
		default:
			return x == y
		}
	})
}

type (
	text    string
	comment string
)

// children are the elements, texts and comments of an element.
func children(e *etree.Element) []any {
	var list []any
	for _, c := range e.Child {
		switch c := c.(type) {
		case *etree.Element:
			list = append(list, c)
		case *etree.Comment:
			list = append(list, comment(c.Data))
		case *etree.CharData:
			if n := len(list); n > 0 {
				if before, ok := list[n-1].(text); ok {
					list[n-1] = before + text(c.Data)
					continue
				}
			}
			list = append(list, text(c.Data))
		}
	}
	return list
}
