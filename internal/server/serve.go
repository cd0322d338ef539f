package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"mangrove/internal/key"
	"mangrove/internal/web"
)

// grace is how long requests that were accepted may take after the end was
// asked for.
const grace = 10 * time.Second

// sweepEvery is the pause between two clean-ups of what is over.
const sweepEvery = 5 * time.Minute

// Serve answers on l until ctx ends; then it accepts nothing new, finishes the
// requests it has within 10 s, hands jobs back to whoever runs next, and closes
// the database. It returns nil when it was ended by ctx.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	srv := &http.Server{
		Handler:   s.handler,
		TLSConfig: s.tls,
		ErrorLog:  slog.NewLogLogger(s.log.Handler(), slog.LevelDebug), // broken handshakes and the like: peers' faults
	}
	web.Bound(srv)

	// Background work ends after the last request, which may have started some.
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	var background sync.WaitGroup
	background.Go(func() { s.runner.Run(work) })
	background.Go(func() { s.sweep(work) })
	background.Go(func() { s.prepareKey(work) })

	failed := make(chan error, 1)
	go func() {
		if s.tls != nil {
			failed <- srv.ServeTLS(l, "", "")
			return
		}
		failed <- srv.Serve(l)
	}()
	// What the start needed and nobody needs again is most of the memory of an
	// idle server.
	background.Go(debug.FreeOSMemory)
	s.log.Info("ready", "address", l.Addr().String(), "url", s.cfg.PublicURL, "database", s.store.Engine())

	var err error
	select {
	case err = <-failed: // the listener broke
	case <-ctx.Done():
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if err == nil {
		s.stopping.Store(true)
		s.log.Info("ending: finishing what was accepted")
		if err = srv.Shutdown(limited); errors.Is(err, context.DeadlineExceeded) {
			s.log.Warn("requests that took too long were cut off")
			err = srv.Close()
		}
	}
	stopWork()
	background.Wait()
	s.later.finish(limited)
	s.shadow.Finish(limited)
	s.directories.Close()
	s.databases.Close()
	err = errors.Join(err, s.store.Close())
	s.log.Info("ended")
	return err
}

// prepareKey sees to it that there is a key to rotate to. Its primes are looked
// for when the server is ready.
func (s *Server) prepareKey(ctx context.Context) {
	keys := key.Service{Store: s.store, Ring: s.keys, Host: s.host(), Now: s.now}
	if err := keys.Prepare(ctx); err != nil && ctx.Err() == nil {
		s.log.ErrorContext(ctx, "the next signing key could not be made", "error", err)
	}
}

// sweep cleans up every now and then until ctx ends.
func (s *Server) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := s.store.Sweep(ctx, s.now().UnixMicro()); err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "clean-up failed", "error", err)
		}
		if err := s.post.Refresh(ctx); err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "the mail provider cannot be read", "error", err)
		}
	}
}
