package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"mangrove/internal/client"
	"mangrove/internal/config"
	"mangrove/internal/mgmt"
	"mangrove/internal/resourceserver"
	"mangrove/internal/store"
	"mangrove/internal/token"
)

// Failures of OpenLocal that its caller can give advice about.
var (
	// ErrInUse: the database is embedded, and a server runs on it.
	ErrInUse = store.ErrInUse
	// ErrNoDatabase: there is nothing where the settings say.
	ErrNoDatabase = errors.New("there is no database")
)

// Local is a server without a listener, for a command that works on the
// database itself. Its jobs progress while it is open.
type Local struct {
	server *Server
	issuer token.Issuer
	actor  string // the client that the records name: the one that stands for all
	stop   func()
	closed error
	once   sync.Once
}

// OpenLocal opens a database that is there already. What the settings say about
// the network is not used: the public URL is the one that the database has.
func OpenLocal(ctx context.Context, cfg config.Config, o Options) (_ *Local, err error) {
	if cfg.SQLite() && !exists(cfg.DatabaseURL()) {
		return nil, fmt.Errorf("%w at %s", ErrNoDatabase, cfg.DatabaseURL())
	}
	cfg.TLSDev, cfg.TLSCert, cfg.TLSKey = false, "", ""
	o.local = true
	s, err := New(ctx, cfg, o)
	if err != nil {
		return nil, err
	}
	l := &Local{server: s, issuer: token.Issuer{Keys: s.keys, URL: s.cfg.Issuer(), Now: s.now}}
	yes := true
	list, _, err := s.store.Clients(ctx, client.Filter{Global: &yes}, client.Page{Limit: 1})
	if err == nil && len(list) == 0 {
		err = errors.New("the database has no client that stands for all")
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	l.actor = list[0].ID
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() { s.runner.Run(work) })
	l.stop = func() {
		stop()
		running.Wait()
	}
	return l, nil
}

// URL is the public URL, without a slash at the end.
func (l *Local) URL() string { return l.server.cfg.PublicURL }

// Bootstrapped is Server's, for a database that was empty.
func (l *Local) Bootstrapped() (Credentials, bool) { return l.server.Bootstrapped() }

// Close finishes the batch that is under way, gives unfinished jobs back, and
// closes the database. It may be called twice.
func (l *Local) Close() error {
	l.once.Do(func() {
		l.stop()
		l.closed = l.server.Close()
	})
	return l.closed
}

// tokenLifetime is that of the token that each request gets.
const tokenLifetime = time.Minute

// RoundTrip answers a request by the server's handler. Requests of the Management
// API that bring no token may do everything.
func (l *Local) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, err
	}
	in := r.Clone(r.Context())
	if in.Body == nil {
		in.Body = http.NoBody
	}
	in.RequestURI, in.RemoteAddr, in.Host = r.URL.RequestURI(), "127.0.0.1:0", r.URL.Host
	in.URL = &url.URL{Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}
	if strings.HasPrefix(r.URL.Path, mgmt.Prefix+"/") && in.Header.Get("Authorization") == "" {
		raw, err := l.issuer.AccessToken(r.Context(), token.Access{
			Subject: l.actor + "@clients", ClientID: l.actor, Audience: []string{l.server.cfg.ManagementAudience()},
			Scopes: resourceserver.ManagementScopeValues(), Lifetime: tokenLifetime, GrantType: token.GrantClientCredentials,
		})
		if err != nil {
			return nil, err
		}
		in.Header.Set("Authorization", "Bearer "+raw)
	}
	body, out := io.Pipe()
	w := &answer{header: http.Header{}, body: out, ready: make(chan struct{})}
	go func() {
		defer in.Body.Close()
		defer func() {
			if p := recover(); p != nil {
				if p != http.ErrAbortHandler { //nolint:errorlint // net/http compares it, too
					l.server.log.Error("a handler panicked", "stack", string(debug.Stack()))
				}
				w.status(http.StatusInternalServerError)
				out.CloseWithError(io.ErrUnexpectedEOF)
			}
		}()
		l.server.handler.ServeHTTP(w, in)
		w.status(http.StatusOK)
		_ = out.Close() // it always succeeds
	}()
	select {
	case <-w.ready:
	case <-r.Context().Done():
		body.CloseWithError(r.Context().Err())
		return nil, r.Context().Err()
	}
	return &http.Response{
		Status: fmt.Sprintf("%d %s", w.code, http.StatusText(w.code)), StatusCode: w.code,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.sent, Body: body, ContentLength: -1, Request: r,
	}, nil
}

// answer is a response on its way through a pipe.
type answer struct {
	header http.Header
	sent   http.Header // as it was when the status was written
	body   *io.PipeWriter
	code   int
	once   sync.Once
	ready  chan struct{}
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(code int) {
	if code >= 200 {
		a.status(code)
	}
}

func (a *answer) status(code int) {
	a.once.Do(func() {
		a.code, a.sent = code, a.header.Clone()
		close(a.ready)
	})
}

func (a *answer) Write(b []byte) (int, error) {
	a.status(http.StatusOK)
	return a.body.Write(b)
}

// keepPublicURL takes the public URL from the database: a command does not know
// it, and the server that does must find everything as it was.
func (s *Server) keepPublicURL(ctx context.Context) error {
	api, err := s.systemAPI(ctx)
	if err != nil || api == nil {
		return err
	}
	if at, ok := strings.CutSuffix(api.Identifier, mgmt.Prefix+"/"); ok {
		s.cfg.PublicURL = at
	}
	return nil
}
