package page

import (
	"bytes"
	"context"
	"html/template"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mangrove/internal/tenant"
)

// Brands are the looks in which the gallery is shown.
var Brands = []Brand{
	{"plain", tenant.Settings{}},
	{"branded", tenant.Settings{
		FriendlyName: "Harbour Trust", SupportEmail: "help@harbour.example", SupportURL: "https://harbour.example/help",
		Branding: tenant.Branding{PrimaryColor: "#5b3df5", PageBackground: "#e9e6fb"},
	}},
	{"pale", tenant.Settings{FriendlyName: "Lemonade", Branding: tenant.Branding{PrimaryColor: "#ffd400", PageBackground: "#1b1b2f"}}},
}

// Brand is the settings of a tenant, by a name of the gallery.
type Brand struct {
	Name     string
	Settings tenant.Settings
}

// Exhibit serves the gallery: "/" is the index, "/BRAND/LANGUAGE/SAMPLE.html" a
// sample. No database is needed.
type Exhibit struct {
	rooms   map[string]*Renderer // by "brand/language"
	samples []Sample
	index   []byte
}

// NewExhibit prepares the pages. publicURL is where they are served; empty: nowhere.
func NewExhibit(publicURL string) (*Exhibit, error) {
	e := &Exhibit{rooms: map[string]*Renderer{}, samples: Gallery()}
	plain, err := New(Config{PublicURL: publicURL})
	if err != nil {
		return nil, err
	}
	for _, b := range Brands {
		for _, lang := range plain.languages {
			room, settings := *plain, b.Settings
			settings.EnabledLocales = []string{lang}
			room.tenant = fixed{&settings}
			e.rooms[b.Name+"/"+lang] = &room
		}
	}
	var out bytes.Buffer
	err = plain.templates.ExecuteTemplate(&out, "exhibit.html", map[string]any{
		"Style": template.CSS(plain.style + lookOf(&tenant.Settings{}, "Mangrove", false).css()), //nolint:gosec // ours alone
		"Nonce": indexNonce, "Brands": Brands, "Languages": plain.languages, "Samples": e.samples,
	})
	if err != nil {
		return nil, err
	}
	e.index = out.Bytes()
	return e, nil
}

// indexNonce may be the same for ever: nothing in the index comes from outside.
const indexNonce = "index"

// fixed is a tenant that nobody edits.
type fixed struct{ settings *tenant.Settings }

func (f fixed) Settings(context.Context) (*tenant.Settings, error) { return f.settings, nil }

func (fixed) Texts(context.Context, string, string) (map[string]map[string]string, error) {
	return nil, nil
}

// Paths are those of all samples, without the first slash.
func (e *Exhibit) Paths() []string {
	var all []string
	for _, room := range slices.Sorted(maps.Keys(e.rooms)) {
		for _, s := range e.samples {
			all = append(all, room+"/"+s.Name+".html")
		}
	}
	return all
}

// find is the sample at a path.
func (e *Exhibit) find(path string) (p *Renderer, s Sample, ok bool) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return nil, Sample{}, false
	}
	name, html := strings.CutSuffix(path[i+1:], ".html")
	at := slices.IndexFunc(e.samples, func(s Sample) bool { return s.Name == name })
	if p = e.rooms[path[:i]]; p == nil || !html || at < 0 {
		return nil, Sample{}, false
	}
	return p, e.samples[at], true
}

// ServeHTTP answers a GET.
func (e *Exhibit) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/")
	if path == "" {
		policy{nonce: indexNonce}.set(w.Header())
		_, _ = w.Write(e.index)
		return
	}
	p, s, ok := e.find(path)
	if !ok {
		http.NotFound(w, r)
		return
	}
	if err := p.Show(w, r, s.Status, s.View); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// Write writes the gallery as files below dir; index.html is the first of them.
func (e *Exhibit) Write(dir string) error {
	if err := write(filepath.Join(dir, "index.html"), e.index); err != nil {
		return err
	}
	for _, path := range e.Paths() {
		p, s, _ := e.find(path)
		c, err := p.compose(context.Background(), "", s.View)
		if err != nil {
			return err
		}
		if err := write(filepath.Join(dir, filepath.FromSlash(path)), c.body); err != nil {
			return err
		}
	}
	return nil
}

func write(file string, b []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, b, 0o644)
}
