// Package internal_test holds the house together: the rings, the doc files,
// the names, the index of rules, the SQL that both engines share.
package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "mangrove/internal/"

// rings: an import goes to a lower ring, or stays within the ring where the
// doc.go of the importing package names the other ("May import").
var rings = [][]string{
	{"errs", "opt", "schema", "profile", "oauth", "passwd", "seal", "query", "liquid", "legal"},
	{"strictjson", "audit", "user", "connection", "customdb", "client", "grant", "resourceserver", "token", "key", "session", "job", "role", "ticket",
		"tenant", "letter", "refresh", "device", "approval", "consent", "pushed", "guard", "passwordless", "factor", "factor/factortest", "replay", "parttest"},
	{"store", "store/storetest", "upstream", "upstream/oidc", "upstream/social", "upstream/social/socialtest", "upstream/saml",
		"upstream/wsfed", "upstream/ldap", "upstream/ip", "upstream/safexml", "upstream/fetched", "upstream/idptest", "upstream/ldaptest", "script", "foreigndb", "foreigndb/legacytest", "foreigndb/tdstest", "action", "outbound", "mail", "mail/mailtest", "sms", "web", "page", "op", "login", "mgmt"},
	{"config", "server", "fakeidp", "demo", "bench", "browsertest"},
}

// never lists arrows that no doc.go can allow, with the reason.
var never = []struct{ from, to, because string }{
	{"op", "store", "surfaces use nouns; only server knows the store"},
	{"op", "login", "surfaces are siblings: server hands each the functions of the other"},
	{"op", "mgmt", "surfaces are siblings"},
	{"login", "store", "surfaces use nouns; only server knows the store"},
	{"login", "op", "surfaces are siblings: server hands each the functions of the other"},
	{"login", "mgmt", "surfaces are siblings"},
	{"mgmt", "store", "surfaces use nouns; only server knows the store"},
	{"mgmt", "op", "surfaces are siblings"},
	{"mgmt", "login", "surfaces are siblings"},
}

// pureImports are what ring 0 has of others: tables and functions without context,
// clock or I/O. Each has one package that uses it.
var pureImports = map[string]string{
	"golang.org/x/text/unicode/norm":        "passwd", // passwords have one spelling (security.md 127)
	"github.com/trustelem/zxcvbn/frequency": "passwd", // a list of words: frequent passwords, by frequency
}

// forbiddenImports outside the packages that own them.
var forbiddenImports = []struct {
	prefix  string
	owners  []string
	because string
}{
	{"database/sql", []string{"store", "store/storetest", "foreigndb"}, "our SQL lives in store alone, other people's in foreigndb"},
	{"github.com/jackc/pgx", []string{"store", "store/storetest", "foreigndb"}, "our SQL lives in store alone, other people's in foreigndb"},
	{"github.com/go-sql-driver/mysql", []string{"foreigndb"}, "other people's databases are opened by foreigndb, through the guard"},
	{"github.com/microsoft/go-mssqldb", []string{"foreigndb"}, "other people's databases are opened by foreigndb, through the guard"},
	{"go.mongodb.org/mongo-driver", []string{"foreigndb"}, "other people's databases are opened by foreigndb, through the guard"},
	{"modernc.org/sqlite", []string{"store", "store/storetest"}, "SQL lives in store alone"},
	{"github.com/go-chi/chi/v5/middleware", nil, "its RealIP trusts anybody; web has its own middleware"},
	{"encoding/gob", nil, "stored forms are JSON"},
	{"math/rand", []string{"store", "store/storetest", "web"}, "secrets and ids come from crypto/rand; only the pause before a retry, request ids and made-up test users do not matter"},
}

type pkg struct {
	name  string // below internal/
	ring  int
	files map[string]*ast.File // non-test
	doc   string
}

func TestTheHouse(t *testing.T) {
	pkgs := load(t)
	for _, p := range pkgs {
		t.Run(strings.ReplaceAll(p.name, "/", "."), func(t *testing.T) {
			p.checkDoc(t)
			p.checkImports(t)
		})
	}
}

func load(t *testing.T) []pkg {
	t.Helper()
	var out []pkg
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() || path == "." {
			return err
		}
		if d.Name() == "testdata" {
			return filepath.SkipDir
		}
		p := pkg{name: filepath.ToSlash(path), files: map[string]*ast.File{}, ring: -1}
		entries, err := os.ReadDir(path)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(path, e.Name()), nil, parser.ImportsOnly|parser.ParseComments)
			if err != nil {
				return err
			}
			p.files[e.Name()] = f
			if f.Doc != nil {
				p.doc += f.Doc.Text()
			}
		}
		if len(p.files) == 0 {
			return nil
		}
		for i, r := range rings {
			if slices.Contains(r, p.name) {
				p.ring = i
			}
		}
		if p.ring < 0 {
			t.Errorf("internal/%s is in no ring: give it a place in house_test.go and in internal/README.md", p.name)
		}
		out = append(out, p)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 20 {
		t.Fatalf("found only %d packages: the walk is broken", len(out))
	}
	return out
}

func (p pkg) checkDoc(t *testing.T) {
	docs := 0
	for name, f := range p.files {
		if f.Doc != nil {
			docs++
			if name != "doc.go" {
				t.Errorf("%s has a package comment; it belongs into doc.go", name)
			}
		}
	}
	if docs != 1 {
		t.Errorf("has %d package comments, want one, in doc.go", docs)
	}
	for _, want := range []string{"Owns:", "Does not own:", "May import:"} {
		if !strings.Contains(p.doc, want) {
			t.Errorf("doc.go does not say %q", want)
		}
	}
}

func (p pkg) checkImports(t *testing.T) {
	_, may, _ := strings.Cut(p.doc, "May import:")
	allowed := regexp.MustCompile(`[a-z0-9/_-]+`).FindAllString(may, -1)
	for name, f := range p.files {
		for _, spec := range f.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			for _, rule := range forbiddenImports {
				if strings.HasPrefix(path, rule.prefix) && !slices.Contains(rule.owners, p.name) {
					t.Errorf("%s imports %s: %s", name, path, rule.because)
				}
			}
			if to, ours := strings.CutPrefix(path, module); ours {
				p.checkArrow(t, name, to, allowed)
				continue
			}
			if p.ring == 0 && strings.Contains(path, ".") && !strings.HasPrefix(path, "golang.org/x/crypto/") && pureImports[path] != p.name {
				t.Errorf("%s imports %s: ring 0 is rules, on the standard library and x/crypto alone", name, path)
			}
		}
	}
}

func (p pkg) checkArrow(t *testing.T, file, to string, allowed []string) {
	for _, n := range never {
		if n.from == p.name && n.to == to {
			t.Errorf("%s imports %s: %s", file, to, n.because)
		}
	}
	ring := -1
	for i, r := range rings {
		if slices.Contains(r, to) {
			ring = i
		}
	}
	switch {
	case ring > p.ring:
		t.Errorf("%s imports %s: arrows go inward (ring %d to ring %d)", file, to, p.ring, ring)
	case ring == p.ring && p.ring < 3 && !slices.Contains(allowed, to):
		t.Errorf("%s imports %s of the same ring, which doc.go does not name under May import", file, to)
	}
}

func TestNoDrawerForEverything(t *testing.T) {
	banned := regexp.MustCompile(`^(util|utils|common|helper|helpers|model|models|type|types|misc|base|shared)(\.go)?$`)
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == ".git" || d.Name() == "node_modules" || d.Name() == ".tools") {
			return filepath.SkipDir
		}
		if banned.MatchString(d.Name()) {
			t.Errorf("%s: the name does not say what is in it", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestRulesIndex: what RULES.md points at is there.
func TestRulesIndex(t *testing.T) {
	b, err := os.ReadFile("RULES.md")
	if err != nil {
		t.Fatal(err)
	}
	paths := regexp.MustCompile("`([a-z0-9_/]+\\.(?:go|sql|md))`").FindAllStringSubmatch(string(b), -1)
	if len(paths) < 20 {
		t.Fatalf("RULES.md names %d files; it is the index of all rules", len(paths))
	}
	for _, m := range paths {
		if _, err := os.Stat(m[1]); err != nil {
			t.Errorf("RULES.md names %s, which is not there", m[1])
		}
	}
}

// TestWalks: the files through which README.md leads are there.
func TestWalks(t *testing.T) {
	b, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("`([a-z0-9_]+/[a-z0-9_/]+\\.(?:go|sql|md))`").FindAllStringSubmatch(string(b), -1) {
		if _, err := os.Stat(m[1]); err != nil {
			t.Errorf("README.md leads to %s, which is not there", m[1])
		}
	}
	for _, ring := range rings {
		for _, name := range ring {
			if !strings.Contains(string(b), "`"+name+"`") && !strings.Contains(name, "/") {
				t.Errorf("README.md does not show the package %s", name)
			}
		}
	}
}

// TestLinks: what the documents point at is there.
func TestLinks(t *testing.T) {
	files, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, "../README.md", "../CONTRIBUTING.md")
	links := 0
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\]\(([^):#]+)(?:#[^)]*)?\)`).FindAllStringSubmatch(string(b), -1) {
			links++
			if _, err := os.Stat(filepath.Join(filepath.Dir(f), m[1])); err != nil {
				t.Errorf("%s points at %s, which is not there", f, m[1])
			}
		}
	}
	if links < 20 {
		t.Errorf("%d links were found", links)
	}
}

// TestSQLBothEnginesSpeak: words on which the engines differ stay in dialect.go.
func TestSQLBothEnginesSpeak(t *testing.T) {
	forbidden := regexp.MustCompile(`(?i)\bFOR UPDATE\b|\bANY\s*\(|->>|\bI?LIKE\s+[?'$]|\bLOWER\s*\(|SELECT \*`)
	files, err := filepath.Glob("store/*.go")
	if err != nil {
		t.Fatal(err)
	}
	sqlFiles, err := filepath.Glob("store/migrations/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, f := range append(files, sqlFiles...) {
		if strings.HasSuffix(f, "_test.go") || filepath.Base(f) == "dialect.go" {
			continue
		}
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		checked++
		for i, line := range strings.Split(string(b), "\n") {
			if strings.HasPrefix(strings.TrimSpace(line), "//") {
				continue
			}
			if w := forbidden.FindString(line); w != "" {
				t.Errorf("%s:%d says %q: the engines disagree about it; find common ground or move it to dialect.go", f, i+1, w)
			}
		}
	}
	if checked < 5 {
		t.Fatalf("checked only %d files", checked)
	}
}

// TestOneWayOut: requests that leave the house go through outbound. foreigndb has a client
// that refuses all of them, for a driver that would ask by itself.
func TestOneWayOut(t *testing.T) {
	word := regexp.MustCompile(`http\.(DefaultClient|DefaultTransport|Get\(|Post\(|PostForm\(|Head\()|&http\.Client\{`)
	nobodyUses(t, word, "take the guarded client that server hands in (outbound)", "outbound", "demo", "bench", "fakeidp", "store/storetest", "mail/mailtest", "foreigndb")
}

// TestUserAgentsAreText: a header may hold bytes that a store of texts refuses.
func TestUserAgentsAreText(t *testing.T) {
	nobodyUses(t, regexp.MustCompile(`\.UserAgent\(\)|"User-Agent"`), "take web.UserAgent", "web", "outbound", "demo", "bench", "fakeidp", "upstream/social", "action", "script")
}

// nobodyUses looks for a word in all sources but those of the packages that may
// have it.
func nobodyUses(t *testing.T, word *regexp.Regexp, instead string, may ...string) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		if slices.Contains(may, filepath.ToSlash(filepath.Dir(path))) {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if w := word.Find(b); w != nil {
			t.Errorf("%s uses %s: %s", path, w, instead)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
