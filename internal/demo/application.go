package demo

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"html/template"
	"net/http"
	"net/url"
	"sync"
)

// application is the client that people sign in to. Its pages are for those who
// try the demonstration in a browser of their own.
type application struct {
	id, secret     string
	home, callback string
}

// pages is the application's web site. It keeps what it needs by state, since
// it has no other visitors than one person on this machine.
type pages struct {
	play *play

	mu      sync.Mutex
	started map[string]string // state to PKCE verifier
}

func newPages(p *play) http.Handler {
	s := &pages{play: p, started: map[string]string{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.home)
	mux.HandleFunc("GET /login", s.login)
	mux.HandleFunc("GET /callback", s.back)
	return mux
}

func (s *pages) home(w http.ResponseWriter, _ *http.Request) {
	s.show(w, page{Title: "Demo application", Text: "Nobody is signed in here."})
}

func (s *pages) login(w http.ResponseWriter, r *http.Request) {
	state, verifier := rand.Text(), rand.Text()+rand.Text()
	s.mu.Lock()
	s.started[state] = verifier
	s.mu.Unlock()
	http.Redirect(w, r, authorizeURL(s.play.base, s.play.app, state, verifier, ""), http.StatusFound)
}

func (s *pages) back(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	s.mu.Lock()
	verifier, known := s.started[q.Get("state")]
	delete(s.started, q.Get("state"))
	s.mu.Unlock()
	switch {
	case !known:
		s.show(w, page{Title: "This login was not started here", Text: "Please start again."})
	case q.Get("code") == "":
		s.show(w, page{Title: "Not signed in", Text: q.Get("error") + ": " + q.Get("error_description")})
	default:
		info, err := s.userinfo(r.Context(), q.Get("code"), verifier)
		if err != nil {
			s.show(w, page{Title: "Not signed in", Text: err.Error()})
			return
		}
		s.show(w, page{Title: "Signed in", Text: "What /userinfo tells this application:", JSON: info})
	}
}

func (s *pages) userinfo(ctx context.Context, code, verifier string) (string, error) {
	p := *s.play // its counters are the play's own
	a, err := p.form(ctx, "/oauth/token", url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {p.app.callback},
		"code_verifier": {verifier}, "client_id": {p.app.id}, "client_secret": {p.app.secret},
	})
	if err != nil {
		return "", err
	}
	if err := a.want(http.StatusOK); err != nil {
		return "", err
	}
	if a, err = p.send(ctx, "GET", "/userinfo", "", a.document().text("access_token"), nil); err != nil {
		return "", err
	}
	b, err := json.MarshalIndent(a.document(), "", "  ")
	return string(b), err
}

type page struct{ Title, Text, JSON string }

func (s *pages) show(w http.ResponseWriter, p page) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_ = layout.Execute(w, p) // the browser went away
}

var layout = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}}</title><style>body{font:1rem/1.6 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem;color-scheme:light dark}
pre{overflow:auto;padding:1rem;border:1px solid}</style></head>
<body><main><h1>{{.Title}}</h1><p>{{.Text}}</p>{{with .JSON}}<pre>{{.}}</pre>{{end}}<p><a href="/login">Sign in</a></p></main></body></html>
`))
