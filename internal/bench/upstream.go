package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"time"

	"mangrove/internal/fakeidp"
)

// appCallback is where a sign-in of the bench ends; nobody is there.
const appCallback = "https://app.bench.invalid/callback"

// upstream signs people in through an OpenID provider of its own on loopback: the
// whole way of a browser from /authorize to the application's address. Their
// profiles do not change, and at the end none may have been written.
func (s *stage) upstream(ctx context.Context) (op, int, error) {
	idp, err := s.provider(ctx)
	if err != nil {
		return nil, 0, err
	}
	name := s.connection + "-up"
	var conn struct {
		ID string `json:"id"`
	}
	err = s.call(ctx, "POST", "/api/v2/connections", map[string]any{
		"name": name, "strategy": "oidc", "enabled_clients": []string{s.appID},
		"options": map[string]any{
			"type": "back_channel", "issuer": idp, "discovery_url": idp + "/.well-known/openid-configuration",
			"client_id": "bench", "client_secret": "bench", "upstream_params": map[string]any{"person": map[string]any{"alias": "login_hint"}},
		},
	}, &conn)
	if err != nil {
		return nil, 0, err
	}
	s.cleanups = append(s.cleanups, func(ctx context.Context) error {
		return s.call(ctx, "DELETE", "/api/v2/connections/"+conn.ID, nil, nil)
	})
	err = s.settled(ctx, func(n int) string { return "oidc|" + name + "|" + person(n) }, func(n int) error { return s.signInUpstream(ctx, name, n) })
	if err != nil {
		return nil, 0, err
	}
	return func(ctx context.Context, n uint64) (uint64, error) {
		return one(s.signInUpstream(ctx, name, int(n)%s.Users))
	}, s.Clients, nil
}

// settled signs everybody in once, and sees to it that no login that is measured writes
// the profile of one of them: what they are does not change. id is of the n-th person.
func (s *stage) settled(ctx context.Context, id func(n int) string, signIn func(n int) error) (err error) {
	versions := make([]string, s.Users)
	for n := range s.Users {
		if err := signIn(n); err != nil {
			return fmt.Errorf("first login: %w (does the server allow outbound requests to 127.0.0.0/8?)", err)
		}
		if versions[n], err = s.version(ctx, id(n)); err != nil {
			return err
		}
	}
	s.verify = func(ctx context.Context) error {
		for n, before := range versions {
			after, err := s.version(ctx, id(n))
			if err != nil {
				return err
			}
			if after != before {
				return fmt.Errorf("the profile of %s was written: version %s, before %s", id(n), after, before)
			}
		}
		return nil
	}
	return nil
}

func person(n int) string { return fmt.Sprintf("person-%d", n) }

// provider starts the OpenID provider and returns its issuer.
func (s *stage) provider(ctx context.Context) (string, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	issuer := "http://" + listener.Addr().String()
	idp := fakeidp.New(fakeidp.Options{Issuer: issuer, Clients: []fakeidp.Client{
		{ID: "bench", Secret: "bench", RedirectURIs: []string{s.URL + "/login/callback"}},
	}})
	for n := range s.Users {
		idp.SetPerson(person(n), map[string]any{
			"name": fmt.Sprintf("Bench Mark %d", n), "given_name": "Bench", "family_name": fmt.Sprintf("Mark %d", n), "nickname": "bench",
			"picture": "https://idp.bench.invalid/p.png", "email": fmt.Sprintf("%s@bench.example.com", person(n)), "email_verified": true, "locale": "en",
		})
	}
	server := &http.Server{Handler: idp, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }() // it ends with Close
	s.cleanups = append(s.cleanups, func(context.Context) error { return server.Close() })
	return issuer, nil
}

// signInUpstream is a browser without cookies that signs one person in.
func (s *stage) signInUpstream(ctx context.Context, connection string, n int) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	browser := &http.Client{Jar: jar, Transport: s.HTTP.Transport, Timeout: s.HTTP.Timeout, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if r.URL.Host == "app.bench.invalid" {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	q := url.Values{
		"client_id": {s.appID}, "response_type": {"code"}, "scope": {"openid profile email"}, "redirect_uri": {appCallback},
		"connection": {connection}, "login_hint": {person(n)}, "state": {"bench"},
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/authorize?"+q.Encode(), nil)
	if err != nil {
		return err
	}
	res, err := browser.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	to, err := res.Location()
	if err != nil {
		return fmt.Errorf("%s: no way to the application", res.Status)
	}
	if to.Query().Get("code") == "" {
		return errors.New(to.Query().Get("error") + ": " + to.Query().Get("error_description"))
	}
	return nil
}

// version is the ETag of a user.
func (s *stage) version(ctx context.Context, id string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/api/v2/users/"+url.PathEscape(id), nil)
	if err != nil {
		return "", err
	}
	r.Header.Set("Authorization", "Bearer "+s.token)
	res, err := s.HTTP.Do(r)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s", id, res.Status)
	}
	return res.Header.Get("ETag"), nil
}
