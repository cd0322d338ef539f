package page

import (
	"bytes"
	"crypto/rand"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"strings"
)

//go:embed templates
var files embed.FS

// Renderer draws pages. It is safe for concurrent use.
type Renderer struct {
	templates *template.Template
	style     template.CSS
	secure    bool
	rand      io.Reader
}

// Config of a Renderer.
type Config struct {
	PublicURL string    // https switches HSTS on
	Rand      io.Reader // of nonces; nil: crypto/rand
}

// New parses the embedded templates.
func New(c Config) (*Renderer, error) {
	t, err := template.ParseFS(files, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("page templates: %w", err)
	}
	style, err := files.ReadFile("templates/style.css")
	if err != nil {
		return nil, fmt.Errorf("page style: %w", err)
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	return &Renderer{
		templates: t,
		style:     template.CSS(style), // our own file, never input
		secure:    strings.HasPrefix(c.PublicURL, "https://"),
		rand:      c.Rand,
	}, nil
}

// frame is what the layout needs around a page.
type frame struct {
	Title string
	Nonce string
	Style template.CSS
	Page  any
}

// draw renders the named template and only then writes, so that a failure
// never leaves half a page.
func (p *Renderer) draw(w http.ResponseWriter, status int, name, title string, page any, policy policy) error {
	nonce := make([]byte, 16)
	if _, err := io.ReadFull(p.rand, nonce); err != nil {
		return fmt.Errorf("page nonce: %w", err)
	}
	policy.nonce = base64.RawURLEncoding.EncodeToString(nonce)
	var out bytes.Buffer
	err := p.templates.ExecuteTemplate(&out, name, frame{Title: title, Nonce: policy.nonce, Style: p.style, Page: page})
	if err != nil {
		return fmt.Errorf("page %s: %w", name, err)
	}
	h := w.Header()
	policy.set(h)
	if p.secure {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes()) // the browser went away: nobody is left to tell
	return nil
}
