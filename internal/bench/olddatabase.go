package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// script signs in people of an external store whose script answers at once: what a
// sandbox costs beside the sign-in.
func (s *stage) script(ctx context.Context) (op, int, error) {
	return s.external(ctx, "-script", map[string]any{"customScripts": s.scripts(`callback(null, person(identifier))`)})
}

// webhook does the same by a webhook of its own on loopback.
func (s *stage) webhook(ctx context.Context) (op, int, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, 0, err
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked struct {
			Args struct {
				Identifier string `json:"identifier"`
			} `json:"args"`
		}
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{ // who is gone hears nothing
			"user_id": s.oldID(asked.Args.Identifier), "email": asked.Args.Identifier, "email_verified": true,
			"name": "Bench Mark", "given_name": "Bench", "family_name": "Mark", "user_metadata": map[string]any{"language": "en"},
		})
	})}
	go func() { _ = server.Serve(listener) }() // it ends with Close
	s.cleanups = append(s.cleanups, func(context.Context) error { return server.Close() })
	return s.external(ctx, "-webhook", map[string]any{
		"configuration": map[string]any{"WEBHOOK_SECRET": password},
		"webhook":       map[string]any{"url": "http://" + listener.Addr().String(), "secret": "${WEBHOOK_SECRET}", "actions": []string{"login", "get_user"}},
	})
}

// migrate signs in people of an old database, each for the first time. Its script
// compares a bcrypt hash, and another one is made here: the two are most of the cost.
func (s *stage) migrate(ctx context.Context, run string) (op, int, error) {
	name, err := s.oldDatabase(ctx, "-migrate", map[string]any{
		"import_mode": true,
		"customScripts": s.scripts(`require('bcrypt').compare(password, '` + s.hash + `', (err, ok) => {
			if (err || !ok) return callback(err || new WrongUsernameOrPasswordError(identifier));
			callback(null, person(identifier));
		})`),
	})
	if err != nil {
		return nil, 0, err
	}
	return func(ctx context.Context, n uint64) (uint64, error) {
		return one(s.signInBy(ctx, name, s.email(run, int(n))))
	}, s.Clients, nil
}

// external is the work of a connection in external mode: everybody has been there
// before, and their profiles do not change.
func (s *stage) external(ctx context.Context, suffix string, options map[string]any) (op, int, error) {
	name, err := s.oldDatabase(ctx, suffix, options)
	if err != nil {
		return nil, 0, err
	}
	email := func(n int) string { return s.email("old"+suffix, n) }
	err = s.settled(ctx, func(n int) string { return "auth0|" + s.oldID(email(n)) }, func(n int) error { return s.signInBy(ctx, name, email(n)) })
	if err != nil {
		return nil, 0, err
	}
	return func(ctx context.Context, n uint64) (uint64, error) {
		return one(s.signInBy(ctx, name, email(int(n)%s.Users)))
	}, s.Clients, nil
}

// scripts are customScripts whose login does that.
func (s *stage) scripts(login string) map[string]any {
	who := fmt.Sprintf(`function person(identifier) {
		return {
			user_id: %q + identifier.split('@')[0], email: identifier, email_verified: true,
			name: 'Bench Mark', given_name: 'Bench', family_name: 'Mark', user_metadata: {language: 'en'},
		};
	}
	`, s.oldID(""))
	return map[string]any{
		"login":    who + "function login(identifier, password, callback) { " + login + "; }",
		"get_user": "function getByEmail(identifier, callback) { callback(null); }",
	}
}

// oldID is the user_id that an old database gives the owner of an address.
func (s *stage) oldID(email string) string {
	local, _, _ := strings.Cut(email, "@")
	return s.connection + "-" + local
}

// oldDatabase makes a connection to a custom database, and returns its name.
func (s *stage) oldDatabase(ctx context.Context, suffix string, options map[string]any) (string, error) {
	name := s.connection + suffix
	options["enabledDatabaseCustomization"] = true
	var conn struct {
		ID string `json:"id"`
	}
	err := s.call(ctx, "POST", "/api/v2/connections", map[string]any{"name": name, "strategy": "auth0", "enabled_clients": []string{s.appID}, "options": options}, &conn)
	if err != nil {
		return "", err
	}
	s.cleanups = append(s.cleanups, func(ctx context.Context) error {
		return s.call(ctx, "DELETE", "/api/v2/connections/"+conn.ID, nil, nil)
	})
	return name, nil
}

// signInBy signs somebody in with the password that everybody has.
func (s *stage) signInBy(ctx context.Context, connection, email string) error {
	return s.post(ctx, "/oauth/token", url.Values{
		"grant_type": {realmGrant}, "realm": {connection}, "scope": {"openid"},
		"client_id": {s.appID}, "client_secret": {s.appSecret}, "username": {email}, "password": {password},
	}, nil)
}
