package script

import (
	"embed"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"modernc.org/quickjs"
)

//go:embed js/*.js
var sources embed.FS

// core are the files that every machine begins with; the others are read when a
// script needs something of them.
var core = []string{"0_length", "1_host", "7_enter"}

// libraryLine is the line at which the library begins: traces do not say of which text
// a line is, and ours begins where no script gets to.
const libraryLine = 1 << 18

// library is what every machine begins with, compiled.
var library = sync.OnceValues(func() ([]byte, error) {
	index, err := parts()
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(index)
	if err != nil {
		return nil, err
	}
	text := "(function () { 'use strict'; const index = " + string(b) + ";\n"
	for _, name := range core {
		text += index.text(name)
	}
	return compile(text + "})()")
})

// parting is which file has what.
type parting struct {
	// Modules and Shares say in which file a module is defined, or a name shared.
	Modules map[string]string `json:"modules"`
	Shares  map[string]string `json:"shares"`

	kit   []string // what the core offers to the files
	files map[string]*part
}

// part is a file: the text, and its compiled form.
type part struct {
	text string
	code func() ([]byte, error)
}

func (p *parting) text(name string) string { return p.files[name].text }

var (
	defines  = regexp.MustCompile(`(?m)^define\('([^']+)'`)
	shares   = regexp.MustCompile(`(?ms)^share\(\{(.*?)\}\);`)
	kitNames = regexp.MustCompile(`(?ms)^const kit = \{(.*?)\};`)
	word     = regexp.MustCompile(`[A-Za-z_$][\w$]*`)
	literal  = regexp.MustCompile(`'[A-Za-z_$][\w$]*'`) // a text that might be taken for a name
)

// parts reads which file has what, from their texts.
var parts = sync.OnceValues(func() (*parting, error) {
	p := &parting{Modules: map[string]string{}, Shares: map[string]string{}, files: map[string]*part{}}
	list, err := sources.ReadDir("js")
	if err != nil {
		return nil, err
	}
	for _, f := range list {
		text, err := sources.ReadFile("js/" + f.Name())
		if err != nil {
			return nil, err
		}
		p.add(strings.TrimSuffix(f.Name(), ".js"), string(text))
	}
	return p, nil
})

func (p *parting) add(name, text string) {
	one := &part{text: text}
	one.code = sync.OnceValues(func() ([]byte, error) {
		code, err := compile(p.wrap(name))
		if err != nil {
			return nil, fmt.Errorf("script library: %s: %w", name, err)
		}
		return code, nil
	})
	p.files[name] = one
	for _, m := range defines.FindAllStringSubmatch(text, -1) {
		p.Modules[m[1]] = name
	}
	for _, s := range shares.FindAllStringSubmatch(text, -1) {
		for _, shared := range word.FindAllString(s[1], -1) {
			p.Shares[shared] = name
		}
	}
	if kit := kitNames.FindStringSubmatch(text); kit != nil {
		p.kit = word.FindAllString(kit[1], -1)
	}
}

// wrap makes of a file a function of the kit, in which the names that it uses of the
// core and of other files are known. Those of a file that is not yet read are read with it.
func (p *parting) wrap(name string) string {
	used := map[string]bool{}
	for _, w := range word.FindAllString(literal.ReplaceAllString(p.text(name), ""), -1) {
		used[w] = true
	}
	var b strings.Builder
	b.WriteString("(function (kit) { 'use strict'; ")
	for _, w := range p.kit {
		if used[w] {
			b.WriteString("const " + w + " = kit." + w + "; ")
		}
	}
	for _, w := range slices.Sorted(maps.Keys(p.Shares)) {
		if used[w] && p.Shares[w] != name {
			b.WriteString("const " + w + " = kit.need('" + w + "'); ")
		}
	}
	b.WriteString("\n" + p.text(name) + "\n})")
	return b.String()
}

func compile(text string) ([]byte, error) {
	vm, err := quickjs.NewVM()
	if err != nil {
		return nil, err
	}
	defer func() { _ = vm.Close() }() // nothing depends on it any more
	return vm.Compile(strings.Repeat("\n", libraryLine)+text, quickjs.EvalGlobal)
}

// file reads a file into the machine: a function in an array, since what a host
// function returns is no function.
func (m *machine) file(name string) (any, error) {
	p, err := parts()
	if err != nil {
		return nil, err
	}
	one := p.files[name]
	if one == nil {
		return nil, fmt.Errorf("no file %q", name)
	}
	code, err := one.code()
	if err != nil {
		return nil, err
	}
	fn, err := m.vm.EvalBytecodeValue(code)
	if err != nil {
		return nil, err
	}
	return []any{fn}, nil // whose reference goes with it
}
