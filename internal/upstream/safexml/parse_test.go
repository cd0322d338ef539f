package safexml

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	rows := []struct {
		name, in string
		want     error // nil: accepted
	}{
		{"plain", `<a b="c">d<!-- e --><f/></a>`, nil},
		{"declaration and byte order mark", "\ufeff<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<a/>\n", nil},
		{"CDATA", `<a><![CDATA[<b>&]]></a>`, nil},
		{"namespaces", `<p:a xmlns:p="urn:p" p:b="1" b="2"><c xmlns="urn:c"/></p:a>`, nil},
		{"xml:lang", `<a xml:lang="en"/>`, nil},
		{"character references", `<a b="&#10;&#13;&#9;">&#x26;&lt;</a>`, nil},
		{"another language", `<имя a="ü">名</имя>`, nil},
		{"too large", strings.Repeat(" ", 1<<16) + `<a/>`, ErrTooLarge},
		{"DOCTYPE", `<!DOCTYPE a><a/>`, ErrDirective},
		{"DOCTYPE in lower case", `<!doctype a><a/>`, ErrDirective},
		{"entities", `<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>`, ErrDirective},
		{"DOCTYPE inside", `<a><!DOCTYPE a></a>`, ErrDirective},
		{"an entity that nobody declares", `<a>&b;</a>`, ErrUnsafe},
		{"processing instruction", `<?php a?><a/>`, ErrUnsafe},
		{"processing instruction inside", `<a><?b c?></a>`, ErrUnsafe},
		{"late declaration", `<a><?xml version="1.0"?></a>`, ErrUnsafe},
		{"UTF-16", "\xff\xfe<\x00a\x00/\x00>\x00", ErrUnsafe},
		{"Latin-1 by name", `<?xml version="1.0" encoding="ISO-8859-1"?><a/>`, ErrUnsafe},
		{"not UTF-8", "<a>\xc3\x28</a>", ErrUnsafe},
		{"NUL", "<a>\x00</a>", ErrUnsafe},
		{"nothing", ``, ErrUnsafe},
		{"text alone", `a`, ErrUnsafe},
		{"text before", `b<a/>`, ErrUnsafe},
		{"text after", `<a/>b`, ErrUnsafe},
		{"two roots", `<a/><b/>`, ErrUnsafe},
		{"not closed", `<a><b></a>`, ErrUnsafe},
		{"one end too many", `<a/></a>`, ErrUnsafe},
		{"an attribute twice", `<a b="1" b="2"/>`, ErrUnsafe},
		{"an attribute twice by two prefixes", `<a xmlns:p="urn:x" xmlns:q="urn:x" p:b="1" q:b="2"/>`, ErrUnsafe},
		{"a namespace twice", `<a xmlns="urn:x" xmlns="urn:y"/>`, ErrUnsafe},
		{"prefix not declared", `<p:a/>`, ErrUnsafe},
		{"attribute prefix not declared", `<a p:b="1"/>`, ErrUnsafe},
		{"prefix out of scope", `<a><b xmlns:p="urn:p"/><p:c/></a>`, ErrUnsafe},
		{"prefix taken back", `<p:a xmlns:p="urn:p"><b xmlns:p=""/></p:a>`, ErrUnsafe},
		{"xmlns rebound", `<a xmlns:xmlns="urn:x"/>`, ErrUnsafe},
		{"xml rebound", `<a xmlns:xml="urn:x"/>`, ErrUnsafe},
		{"another name for xml", `<a xmlns:x="http://www.w3.org/XML/1998/namespace"/>`, ErrUnsafe},
		{"colon first", `<:a/>`, ErrUnsafe},
		{"colon last", `<a:/>`, ErrUnsafe},
		{"two colons", `<p:a:b xmlns:p="urn:p"/>`, ErrUnsafe},
		{"attribute with colon first", `<a :b="1"/>`, ErrUnsafe},
		{"CVE-2020-29509", `<x xmlns:a="urn:a" a:="1"/>`, ErrUnsafe},
		{"CVE-2020-29511", `<x::Root/>`, ErrUnsafe},
		{"too deep", strings.Repeat("<a>", 65) + strings.Repeat("</a>", 65), ErrUnsafe},
		{"deep", strings.Repeat("<a>", 64) + strings.Repeat("</a>", 64), nil},
		{"too many elements", `<a>` + strings.Repeat("<b/>", maxElements) + `</a>`, ErrTooLarge},
		{"too many attributes", `<a` + attrs(maxAttrs+1) + `/>`, ErrUnsafe},
		{"too many namespaces", nested(3, 25), ErrUnsafe},
		{"many namespaces", nested(2, 25), nil},
		{"many attributes", `<a` + attrs(maxAttrs) + `/>`, nil},
	}
	for _, row := range rows {
		doc, err := Parse([]byte(row.in), 1<<16)
		if !errors.Is(err, row.want) || (err == nil) != (row.want == nil) || (doc == nil) != (err != nil) {
			t.Errorf("%s: %v, want %v", row.name, err, row.want)
		}
	}
	if _, err := Parse([]byte(`<a>`+strings.Repeat("<b/>", maxElements)+`</a>`), 1<<20); !errors.Is(err, ErrUnsafe) {
		t.Errorf("too many elements: %v", err)
	}
}

func attrs(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(" a" + strings.Repeat("x", i) + `=""`)
	}
	return b.String()
}

// nested elements each declare so many prefixes of their own.
func nested(levels, prefixes int) string {
	var b strings.Builder
	for l := range levels {
		b.WriteString("<a")
		for p := range prefixes {
			fmt.Fprintf(&b, ` xmlns:p%d-%d="urn:p"`, l, p)
		}
		b.WriteString(">")
	}
	return b.String() + strings.Repeat("</a>", levels)
}

func TestRead(t *testing.T) {
	doc, err := Parse([]byte(`<p:a xmlns:p="urn:p" xmlns="urn:d" p:x="1" y="2"> b<!-- c -->d<![CDATA[ & ]]><e>f</e> <e xmlns="urn:e"/><p:e/><p:e/></p:a>`), 1<<16)
	if err != nil {
		t.Fatal(err)
	}
	root := doc.Root()
	if got := Text(root); got != "bd & f" {
		t.Errorf("text %q", got)
	}
	if Attr(root, "x") != "" || Attr(root, "y") != "2" || Attr(nil, "y") != "" {
		t.Error("attributes")
	}
	if Child(root, "urn:d", "e") == nil || Child(root, "urn:p", "e") != nil || Child(root, "urn:x", "e") != nil || Child(nil, "urn:d", "e") != nil {
		t.Error("child")
	}
	if len(Children(root, "urn:p", "e")) != 2 || len(Descendants(root, "urn:p", "a")) != 1 || Text(nil) != "" {
		t.Error("children")
	}
}

// The law: what is accepted is written and read again as the same tree, has one root,
// and neither directives nor instructions; nothing panics.
func FuzzParse(f *testing.F) {
	for _, s := range []string{`<a b="c">d<!-- e --><f/></a>`, `<p:a xmlns:p="urn:p"><![CDATA[x]]></p:a>`, `<x::Root/>`, `<a:b:c/>`, "<?xml version='1.0'?><a>\r\n&#13;</a>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		doc, err := Parse([]byte(s), 1<<16)
		if err != nil {
			return
		}
		b, err := doc.WriteToBytes()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(b, 1<<20)
		if err != nil || !same(&doc.Element, &again.Element) || len(doc.ChildElements()) != 1 {
			t.Errorf("%q became %q: %v", s, b, err)
		}
	})
}
