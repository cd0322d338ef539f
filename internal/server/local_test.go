package server_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"mangrove/internal/config"
	"mangrove/internal/server"
	"mangrove/internal/store/storetest"
)

func localConfig(dir, databaseURL, url string) config.Config {
	return config.Config{
		PublicURL: url, Data: dir, Database: databaseURL, ImportLimit: 1 << 20,
		BootstrapClientID: managementID, BootstrapClientSecret: managementSecret,
	}
}

// A command works on a database as the server left it, and leaves it so.
func TestLocal(t *testing.T) {
	for _, engine := range storetest.Engines(t) {
		t.Run(engine, func(t *testing.T) {
			dir, db := t.TempDir(), storetest.EmptyURL(t, engine)
			const url = "https://id.example.com"
			s, err := server.New(t.Context(), localConfig(dir, db, url), server.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			cfg := localConfig(dir, db, "http://localhost:8080") // what the flags make up
			cfg.TLSDev = true
			l, err := server.OpenLocal(t.Context(), cfg, server.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if l.URL() != url {
				t.Errorf("public URL %s", l.URL())
			}
			c := &http.Client{Transport: l}
			get := func(path, token string) (int, string) {
				t.Helper()
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, l.URL()+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				if token != "" {
					req.Header.Set("Authorization", token)
				}
				res, err := c.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				b, err := io.ReadAll(res.Body)
				if err != nil {
					t.Fatal(err)
				}
				return res.StatusCode, string(b)
			}
			for _, c := range []struct {
				path, token string
				status      int
				says        string
			}{
				{"/api/v2/connections?fields=name", "", 200, database},
				{"/api/v2/resource-servers", "", 200, url + "/api/v2/"},
				{"/api/v2/users/auth0%7Cnobody", "", 404, "The user does not exist."},
				{"/api/v2/connections", "Bearer x", 401, "Invalid token"},
				{"/userinfo", "", 401, ""}, // the token is for the Management API alone
				{"/nowhere", "", 404, ""},
			} {
				if status, body := get(c.path, c.token); status != c.status || !strings.Contains(body, c.says) {
					t.Errorf("%s: %d %s", c.path, status, body)
				}
			}
			gone, cancel := context.WithCancel(t.Context())
			cancel()
			req, err := http.NewRequestWithContext(gone, http.MethodGet, l.URL()+"/api/v2/connections", nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Do(req); !errors.Is(err, context.Canceled) {
				t.Errorf("a request of nobody: %v", err)
			}
			for range 2 {
				if err := l.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestLocalRefuses(t *testing.T) {
	dir := t.TempDir()
	if _, err := server.OpenLocal(t.Context(), localConfig(dir, "", "http://localhost:8080"), server.Options{}); !errors.Is(err, server.ErrNoDatabase) {
		t.Errorf("nothing there: %v", err)
	}
	if list, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(list) > 0 {
		t.Errorf("made %q, %v", list, err)
	}
	s, err := server.New(t.Context(), localConfig(dir, "", "http://localhost:8080"), server.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := server.OpenLocal(t.Context(), localConfig(dir, "", "http://localhost:8080"), server.Options{}); !errors.Is(err, server.ErrInUse) {
		t.Errorf("in use: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
