package script

import (
	"regexp"
	"slices"
	"testing"
)

// needed are the names that a file, wrapped, reads other files for.
func needed(t *testing.T, p *parting, name string) []string {
	t.Helper()
	var names []string
	for _, m := range regexp.MustCompile(`kit\.need\('(.*?)'\)`).FindAllStringSubmatch(p.wrap(name), -1) {
		names = append(names, m[1])
	}
	return names
}

// A file is read together with those whose names it uses, which texts do not.
func TestWrap(t *testing.T) {
	p := &parting{Modules: map[string]string{}, Shares: map[string]string{}, files: map[string]*part{}}
	p.add("a", "share({\n  Buffer, URL,\n});")
	p.add("b", "new URL(x); Buffer.from('Buffer');")
	p.add("c", "x === 'URL';")
	for name, want := range map[string][]string{"a": nil, "b": {"Buffer", "URL"}, "c": nil} {
		if got := needed(t, p, name); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

// What every driver of a database needs does not bring the addresses along.
func TestUtilIsReadAlone(t *testing.T) {
	p, err := parts()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range needed(t, p, "6_util") {
		if file := p.Shares[name]; file != "2_buffer" {
			t.Errorf("%s of %s", name, file)
		}
	}
}
