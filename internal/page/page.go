package page

import (
	"bytes"
	"context"
	"crypto/rand"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mangrove/internal/tenant"
)

//go:embed templates texts
var files embed.FS

// Renderer draws pages. It is safe for concurrent use.
type Renderer struct {
	templates  *template.Template
	style      string
	scripts    map[string]template.JS
	catalogues map[string]catalogue
	languages  []string
	tenant     tenant.Reader
	host       string
	secure     bool
	rand       io.Reader
	// seen is told every text that is drawn; nil: nobody.
	seen func(prompt, screen string, layer int, key string)
}

// Config of a Renderer.
type Config struct {
	PublicURL string        // https switches HSTS on
	Tenant    tenant.Reader // nil: the defaults
	Rand      io.Reader     // of nonces; nil: crypto/rand
}

// New parses the embedded templates and texts.
func New(c Config) (*Renderer, error) {
	t, err := template.ParseFS(files, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("page templates: %w", err)
	}
	style, err := files.ReadFile("templates/style.css")
	if err != nil {
		return nil, fmt.Errorf("page style: %w", err)
	}
	scripts := map[string]template.JS{}
	for _, name := range []string{"passkey.js", "formpost.js"} {
		b, err := files.ReadFile("templates/" + name)
		if err != nil {
			return nil, fmt.Errorf("page script: %w", err)
		}
		scripts[name] = template.JS(b) //nolint:gosec // a file of ours, never input
	}
	catalogues, err := readCatalogues()
	if err != nil {
		return nil, fmt.Errorf("page texts: %w", err)
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	public, err := url.Parse(c.PublicURL)
	if err != nil {
		return nil, fmt.Errorf("public URL: %w", err)
	}
	host := public.Hostname()
	if host == "" {
		host = "Mangrove"
	}
	return &Renderer{
		templates: t, style: string(style), scripts: scripts,
		catalogues: catalogues, languages: languagesOf(catalogues),
		tenant: c.Tenant, host: host, secure: strings.HasPrefix(c.PublicURL, "https://"), rand: c.Rand,
	}, nil
}

// languagesOf lists the catalogues, English first.
func languagesOf(catalogues map[string]catalogue) []string {
	list := []string{"en"}
	for _, lang := range slices.Sorted(maps.Keys(catalogues)) {
		if lang != "en" {
			list = append(list, lang)
		}
	}
	return list
}

// Show draws a view with a status, in the language and the looks that the
// tenant and the browser ask for. A failure writes nothing.
func (p *Renderer) Show(w http.ResponseWriter, r *http.Request, status int, v View) error {
	return p.draw(r.Context(), w, r.Header.Get("Accept-Language"), status, v)
}

// settings are the tenant's, or the defaults while those cannot be read: a page
// that tells of a failure has to come all the same.
func (p *Renderer) settings(ctx context.Context) *tenant.Settings {
	if p.tenant != nil {
		if s, err := p.tenant.Settings(ctx); err == nil {
			return s
		}
	}
	return &tenant.Settings{EnabledLocales: p.languages}
}

// draw composes the page and only then writes, so that a failure never leaves
// half of one.
func (p *Renderer) draw(ctx context.Context, w http.ResponseWriter, accept string, status int, v View) error {
	c, err := p.compose(ctx, accept, v)
	if err != nil {
		return err
	}
	h := w.Header()
	c.policy.set(h)
	h.Set("Content-Language", c.lang)
	if p.secure {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
	w.WriteHeader(status)
	_, _ = w.Write(c.body) // the browser went away: nobody is left to tell
	return nil
}

// composed is a page and what its headers say.
type composed struct {
	body   []byte
	lang   string
	policy policy
}

func (p *Renderer) compose(ctx context.Context, accept string, v View) (composed, error) {
	if err := possible(v); err != nil {
		return composed{}, err
	}
	screen := v.screen()
	b := make([]byte, 16)
	if _, err := io.ReadFull(p.rand, b); err != nil {
		return composed{}, fmt.Errorf("page nonce: %w", err)
	}
	nonce := base64.RawURLEncoding.EncodeToString(b)
	settings := p.settings(ctx)
	lang := negotiate(offered(settings.EnabledLocales, p.languages), screen.Frame.Locales, accept)
	l := lookOf(settings, p.host, p.secure)
	s := &sheet{
		screen: screen, secure: p.secure, Lang: lang, Dir: direction(lang), Nonce: nonce, Look: l,
		Style:   template.CSS(p.style + l.css()), //nolint:gosec // a file of ours, colours that were parsed, URLs that were escaped
		Script:  p.scripts[screen.script],
		words:   wordsOf(ctx, p.tenant, p.catalogues[lang], lang, screen.prompt, screen.name),
		english: wordsOf(ctx, nil, p.catalogues["en"], "en", screen.prompt, screen.name),
	}
	if p.seen != nil {
		s.words.seen = func(layer int, key string) { p.seen(screen.prompt, screen.name, layer, key) }
	}
	var out bytes.Buffer
	if err := p.templates.ExecuteTemplate(&out, screen.template+".html", s); err != nil {
		return composed{}, fmt.Errorf("page %s: %w", screen.template, err)
	}
	return composed{out.Bytes(), lang, policy{
		nonce: nonce, script: screen.script != "", framed: screen.foreign,
		images: append(iconOrigins(screen.Ways, p.secure), l.origins.images...), fonts: l.origins.fonts,
		targets: append(screen.Frame.targets(), screen.targets...),
	}}, nil
}
