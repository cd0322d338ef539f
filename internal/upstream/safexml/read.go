package safexml

import (
	"strings"

	"github.com/beevik/etree"
)

// Is reports whether e has the name in the namespace.
func Is(e *etree.Element, namespace, name string) bool {
	return e != nil && e.Tag == name && e.NamespaceURI() == namespace
}

// Children are the elements directly within e that have the name in the namespace.
func Children(e *etree.Element, namespace, name string) []*etree.Element {
	if e == nil {
		return nil
	}
	var list []*etree.Element
	for _, c := range e.ChildElements() {
		if Is(c, namespace, name) {
			list = append(list, c)
		}
	}
	return list
}

// Child is the one such element directly within e; nil when there is none or more
// than one.
func Child(e *etree.Element, namespace, name string) *etree.Element {
	if list := Children(e, namespace, name); len(list) == 1 {
		return list[0]
	}
	return nil
}

// Descendants are all such elements within e at any depth, e itself included, in
// the order of the document.
func Descendants(e *etree.Element, namespace, name string) []*etree.Element {
	if e == nil {
		return nil
	}
	var list []*etree.Element
	if Is(e, namespace, name) {
		list = append(list, e)
	}
	for _, c := range e.ChildElements() {
		list = append(list, Descendants(c, namespace, name)...)
	}
	return list
}

// Text is all text within e, without what comments say and as if they were not
// there: "a<!-- -->b" is ab. White space around it goes. nil has none.
func Text(e *etree.Element) string {
	var b strings.Builder
	write(&b, e)
	return strings.TrimSpace(b.String())
}

func write(b *strings.Builder, e *etree.Element) {
	if e == nil {
		return
	}
	for _, c := range e.Child {
		switch c := c.(type) {
		case *etree.CharData:
			b.WriteString(c.Data)
		case *etree.Element:
			write(b, c)
		}
	}
}

// Attr is the attribute without a prefix; empty when it is not there.
func Attr(e *etree.Element, name string) string {
	if e == nil {
		return ""
	}
	for _, a := range e.Attr {
		if a.Space == "" && a.Key == name {
			return a.Value
		}
	}
	return ""
}
