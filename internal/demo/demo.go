package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	netmail "net/mail"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"mangrove/internal/config"
	"mangrove/internal/fakeidp"
	"mangrove/internal/mail"
	"mangrove/internal/server"
)

// Options of Run.
type Options struct {
	Out    io.Writer
	Colour bool
	Once   bool // end after the play
	// Log gets the server's failures; nil: discarded.
	Log *slog.Logger
}

// Run starts everything, plays, and without Once stays up until ctx ends.
// Everything lives in a temporary directory that is deleted at the end. The
// error says how many checks failed.
func Run(ctx context.Context, o Options) (err error) {
	dir, err := os.MkdirTemp("", "mangrove-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	s, err := open(ctx, dir, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()

	start := time.Now()
	p := s.play
	p.intro()
	if err := p.setUp(ctx); err != nil {
		return fmt.Errorf("setting up: %w", err)
	}
	played := p.run(ctx, mission())
	if ctx.Err() != nil {
		return nil // somebody had seen enough
	}
	p.summary(len(mission()), time.Since(start))
	if o.Once {
		return played
	}
	p.invite()
	select {
	case <-ctx.Done():
		return played
	case err := <-s.failed:
		return errors.Join(played, err)
	}
}

// stand is the servers of the demonstration.
type stand struct {
	play   *play
	stop   context.CancelFunc
	group  sync.WaitGroup
	failed chan error
}

// open starts the server, the upstream and the application on free loopback ports.
func open(ctx context.Context, dir string, o Options) (s *stand, err error) {
	listen := func() (net.Listener, string, error) {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, "", err
		}
		return l, "http://" + l.Addr().String(), nil
	}
	var listeners []net.Listener
	var urls []string
	for range 3 {
		l, u, err := listen()
		if err != nil {
			return nil, err
		}
		defer func() {
			if s == nil {
				l.Close()
			}
		}()
		listeners, urls = append(listeners, l), append(urls, u)
	}
	data := filepath.Join(dir, "data")
	mangrove, err := server.New(ctx, config.Config{
		PublicURL: urls[0], Data: data, ImportLimit: 10 << 20,
		Mail: mail.Server{Directory: true}, MailFrom: netmail.Address{Name: "Mangrove", Address: "id@example.com"},
		OutboundAllow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	}, server.Options{Log: o.Log})
	if err != nil {
		return nil, err
	}
	made, ok := mangrove.Bootstrapped()
	if !ok {
		return nil, errors.Join(errors.New("the temporary database is not fresh"), mangrove.Close())
	}
	idp := fakeidp.New(fakeidp.Options{Issuer: urls[1], Interactive: true, PKCEMethods: []string{"S256"}})
	p := &play{
		printer: &printer{w: o.Out, colour: o.Colour}, http: &http.Client{Timeout: 30 * time.Second},
		base: urls[0], upstream: idp, clientID: made.ClientID, clientSecret: made.Secret,
		app: application{home: urls[2] + "/", callback: urls[2] + "/callback"}, mails: filepath.Join(data, "mail"),
	}
	// The servers end when the demonstration does, not when somebody presses
	// Ctrl-C: then it still closes in good order.
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	s = &stand{play: p, stop: stop, failed: make(chan error, 3)}
	s.group.Go(func() { s.failed <- mangrove.Serve(running, listeners[0]) })
	s.serve(running, listeners[1], idp)
	s.serve(running, listeners[2], newPages(p))
	return s, nil
}

func (s *stand) serve(ctx context.Context, l net.Listener, h http.Handler) {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { srv.Close() })
	s.group.Go(func() {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- err
		}
	})
}

func (s *stand) close() error {
	s.play.http.CloseIdleConnections()
	s.stop()
	s.group.Wait()
	close(s.failed)
	var all error
	for err := range s.failed {
		all = errors.Join(all, err)
	}
	return all
}

func (p *play) intro() {
	p.line("%s", p.style(bold, "Mangrove: many roots, one profile"))
	p.line("")
	p.table([]string{"", ""}, [][]cell{
		{{"server", bold}, {p.base, ""}},
		{{"upstream", bold}, {p.upstream.Issuer() + "   an OpenID provider, called Acme", ""}},
		{{"application", bold}, {p.app.home, ""}},
	})
	p.line("\n%s", p.style(bold, "Setting up"))
}

func (p *play) summary(acts int, took time.Duration) {
	result := p.style(green, "all as the mission says")
	if p.failed > 0 {
		result = p.style(red, fmt.Sprintf("%d NOT AS THE MISSION SAYS", p.failed))
	}
	p.line("\n%s %s", p.style(bold, fmt.Sprintf("── %d acts, %d requests, %d checks in %.1f s:", acts, p.requests, p.checks, took.Seconds())), result)
}

// invite says what can be tried while the servers stay up.
func (p *play) invite() {
	p.line("\n%s\n", p.style(bold, "It stays up until Ctrl-C. To try:"))
	p.table([]string{"", ""}, [][]cell{
		{{"sign in, in a browser", bold}, {p.app.home, cyan}},
		{{"  through the upstream", ""}, {"choose a connection, then a person; no password is asked", dim}},
		{{"  in the database", ""}, {"ann@example.com, password " + password, dim}},
		{{"mails, as files", bold}, {p.mails, ""}},
		{{"discovery", bold}, {p.base + "/.well-known/openid-configuration", cyan}},
		{{"Management API", bold}, {p.base + "/api/v2/", cyan}},
		{{"  client_id", ""}, {p.clientID, ""}},
		{{"  client_secret", ""}, {p.clientSecret, ""}},
	})
	p.line("\n   %s", p.style(dim, "A token, then a user:"))
	p.line("   TOKEN=$(curl -s %s/oauth/token -d grant_type=client_credentials \\", p.base)
	p.line("     -d client_id=%s -d client_secret=%s \\", p.clientID, p.clientSecret)
	p.line("     -d audience=%s | sed 's/.*\"access_token\":\"\\([^\"]*\\).*/\\1/')", url.QueryEscape(p.base+"/api/v2/"))
	p.line("   curl -s '%s/api/v2/users-by-email?email=ada@acme.test' -H \"authorization: Bearer $TOKEN\"\n", p.base)
}
