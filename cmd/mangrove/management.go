package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"mangrove/internal/config"
	"mangrove/internal/server"
)

// access is how a command reaches the Management API: of a running server, or,
// without --server, of the database that the settings name.
type access struct {
	Server       string `help:"URL of a running server. Without it the command opens the database itself, which must not be in use if it is SQLite." placeholder:"URL" env:"MANGROVE_SERVER" group:"Server"`
	ClientID     string `help:"A client with a grant on the Management API." placeholder:"ID" env:"MANGROVE_CLIENT_ID" group:"Server"`
	ClientSecret string `help:"Its secret; better set by the variable than by the flag." placeholder:"SECRET" env:"MANGROVE_CLIENT_SECRET" group:"Server"`
	Token        string `help:"An access token instead of a client; better set by the variable." placeholder:"TOKEN" env:"MANGROVE_TOKEN" group:"Server"`

	config.Flags `embed:""`
}

// management is the Management API as a command calls it.
type management struct {
	http   *http.Client
	url    string // of the server, without a slash at the end
	remote bool

	id, secret string // of the client; empty with a token
	token      string
	until      time.Time // when a token of ours must be renewed; zero: never

	close func() error
}

// open reaches the API. Warnings and what an empty database was given go to std.err.
func (a *access) open(ctx context.Context, file *config.File, std streams) (*management, error) {
	if a.Server != "" {
		return a.remote()
	}
	if a.Token != "" || a.ClientID != "" {
		return nil, errors.New("--client-id and --token are for a running server: add --server URL")
	}
	cfg, err := a.Parse(file, os.Getenv)
	if err != nil {
		return nil, err
	}
	// The lines of each request would run through the progress.
	if cfg.LogLevel == slog.LevelInfo {
		cfg.LogLevel = slog.LevelWarn
	}
	local, err := server.OpenLocal(ctx, cfg, server.Options{Log: newLog(std.err, cfg)})
	switch {
	case errors.Is(err, server.ErrInUse):
		return nil, fmt.Errorf("%w\nIf that is a running Mangrove, let it do the work: add --server URL, --client-id and MANGROVE_CLIENT_SECRET", err)
	case errors.Is(err, server.ErrNoDatabase):
		return nil, fmt.Errorf("%w: is --data right? The first `mangrove serve` makes one; for a server elsewhere add --server URL", err)
	case err != nil:
		return nil, err
	}
	if made, ok := local.Bootstrapped(); ok && !made.Given {
		fmt.Fprintf(std.err, "The database was empty. Its management client, told this once:\n  client id          %s\n  client secret      %s\n", made.ClientID, made.Secret)
	}
	return &management{http: &http.Client{Transport: local}, url: local.URL(), close: local.Close}, nil
}

func (a *access) remote() (*management, error) {
	u, err := url.Parse(a.Server)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("--server: %q is not the URL of a server", a.Server)
	}
	if a.Token == "" && (a.ClientID == "" || a.ClientSecret == "") {
		return nil, errors.New("--server needs --client-id and MANGROVE_CLIENT_SECRET, or MANGROVE_TOKEN")
	}
	m := &management{
		http: &http.Client{}, url: strings.TrimSuffix(a.Server, "/"), remote: true, token: a.Token,
		close: func() error { return nil },
	}
	if m.token == "" {
		m.id, m.secret = a.ClientID, a.ClientSecret
	}
	return m, nil
}

// authorize puts a token on the request; one of ours is renewed in time.
func (m *management) authorize(ctx context.Context, r *http.Request) error {
	if m.id != "" && !time.Now().Before(m.until) {
		b, err := json.Marshal(map[string]string{
			"grant_type": "client_credentials", "client_id": m.id, "client_secret": m.secret, "audience": m.url + "/api/v2/",
		})
		if err != nil {
			return err
		}
		var got struct {
			Token   string `json:"access_token"`
			Seconds int64  `json:"expires_in"`
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.url+"/oauth/token", bytes.NewReader(b))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/json")
		if err := m.send(req, &got); err != nil {
			return fmt.Errorf("asking for a token: %w", err)
		}
		m.token, m.until = got.Token, time.Now().Add(time.Duration(got.Seconds)*time.Second/2)
	}
	if m.token != "" {
		r.Header.Set("Authorization", "Bearer "+m.token)
	}
	return nil
}

// request makes a call of the API; path begins behind /api/v2.
func (m *management) request(ctx context.Context, method, path, contentType string, body io.Reader) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, method, m.url+"/api/v2"+path, body)
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	return r, m.authorize(ctx, r)
}

// get reads a JSON answer.
func (m *management) get(ctx context.Context, path string, into any) error {
	r, err := m.request(ctx, http.MethodGet, path, "", nil)
	if err != nil {
		return err
	}
	return m.send(r, into)
}

// post sends a JSON body.
func (m *management) post(ctx context.Context, path string, body, into any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	r, err := m.request(ctx, http.MethodPost, path, "application/json", bytes.NewReader(b))
	if err != nil {
		return err
	}
	return m.send(r, into)
}

// maxAnswer bounds an answer that is held in memory.
const maxAnswer = 4 << 20

func (m *management) send(r *http.Request, into any) error {
	res, err := m.stream(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return err
	}
	return json.Unmarshal(b, into)
}

// stream sends a request and returns a good answer, whose body is the caller's
// to close.
func (m *management) stream(r *http.Request) (*http.Response, error) {
	res, err := m.http.Do(r)
	if err != nil {
		return nil, err
	}
	if res.StatusCode < 300 {
		return res, nil
	}
	defer res.Body.Close()
	return nil, refusalOf(res)
}

// refused is an answer that is no good one.
type refused struct {
	status int
	text   string
}

func (e *refused) Error() string { return fmt.Sprintf("the server says %d: %s", e.status, e.text) }

func refusalOf(res *http.Response) error {
	b, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10)) // an error without its text is one still
	var problem struct {
		Message     string `json:"message"`
		Description string `json:"error_description"`
	}
	e := &refused{status: res.StatusCode, text: http.StatusText(res.StatusCode)}
	if json.Unmarshal(b, &problem) == nil {
		if problem.Message != "" {
			e.text = problem.Message
		} else if problem.Description != "" {
			e.text = problem.Description
		}
	}
	return e
}

// namedConnection is a connection by its id and name.
type namedConnection struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

var connectionID = regexp.MustCompile(`^con_[A-Za-z0-9]{16}$`)

// defaultDatabase is the name of the database that a first start makes.
const defaultDatabase = "Username-Password-Authentication"

// connection finds a connection by name or id; the only or default database for
// an empty one.
func (m *management) connection(ctx context.Context, name string) (c namedConnection, err error) {
	if connectionID.MatchString(name) {
		return c, m.get(ctx, "/connections/"+name+"?fields=id,name", &c)
	}
	q := url.Values{"fields": {"id,name"}, "per_page": {"100"}}
	if name != "" {
		q.Set("name", name)
	} else {
		q.Set("strategy", "auth0")
	}
	var list []namedConnection
	if err := m.get(ctx, "/connections?"+q.Encode(), &list); err != nil {
		return c, err
	}
	if c, ok := choose(list, name); ok {
		return c, nil
	}
	if name != "" {
		return c, fmt.Errorf("there is no connection %q", name)
	}
	names := make([]string, len(list))
	for i, c := range list {
		names[i] = c.Name
	}
	return c, fmt.Errorf("which database? Add --connection with one of: %s", strings.Join(names, ", "))
}

// choose is the connection of that name; for an empty name the only one, or the
// default database.
func choose(list []namedConnection, name string) (c namedConnection, ok bool) {
	if name == "" {
		if len(list) == 1 {
			return list[0], true
		}
		name = defaultDatabase
	}
	for _, c := range list {
		if c.Name == name {
			return c, true
		}
	}
	return c, false
}
