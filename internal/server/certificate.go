package server

import (
	"crypto/tls"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificate is a pair of files that may be replaced while the server runs, as
// renewal tools do: at most once a minute the files are looked at, and read
// again when one is newer.
type certificate struct {
	certFile, keyFile string
	now               func() time.Time
	log               *slog.Logger

	mu      sync.Mutex
	loaded  *tls.Certificate
	stamp   [2]time.Time // modification times of what is loaded
	checked time.Time
}

// fileTLS fails if the pair cannot be read at the start.
func fileTLS(certFile, keyFile string, now func() time.Time, log *slog.Logger) (*tls.Config, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, now: now, log: log}
	if err := c.load(); err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}, nil
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.now(); now.Sub(c.checked) >= time.Minute {
		c.checked = now
		// A pair that is being replaced may not fit together for a moment; the old
		// one serves until it does.
		if c.stamps() != c.stamp {
			if err := c.load(); err != nil {
				c.log.Error("the new certificate cannot be read; the old one stays", "error", err)
			}
		}
	}
	return c.loaded, nil
}

func (c *certificate) load() error {
	stamp := c.stamps()
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	c.loaded, c.stamp, c.checked = &pair, stamp, c.now()
	return nil
}

func (c *certificate) stamps() (s [2]time.Time) {
	for i, path := range []string{c.certFile, c.keyFile} {
		if info, err := os.Stat(path); err == nil {
			s[i] = info.ModTime()
		}
	}
	return s
}
