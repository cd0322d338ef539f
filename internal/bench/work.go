package bench

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/bcrypt"
)

const (
	password   = "Correct-horse-battery-9"
	realmGrant = "http://auth0.com/oauth/grant-type/password-realm"
)

// stage is what a run needs to be there.
type stage struct {
	Options
	token        string
	connection   string // name
	connectionID string
	appID        string // the client that signs users in
	appSecret    string
	hash         string // of password
	ids          []string
	emails       []string
	cleanups     []func(context.Context) error // newest last
	// verify looks, after a kind of work, whether it left what it should; nil: nothing to see.
	verify func(context.Context) error
}

func prepare(ctx context.Context, o Options) (s *stage, err error) {
	if o.HTTP == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConnsPerHost = o.Clients
		o.HTTP = &http.Client{Transport: t, Timeout: time.Minute}
	}
	s = &stage{Options: o}
	made := s // s is nil when we fail
	if err := s.signIn(ctx); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, made.cleanUp(context.WithoutCancel(ctx)))
		}
	}()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), 10)
	if err != nil {
		return nil, err
	}
	s.hash = string(hash)
	s.connection = "bench-" + strings.ToLower(rand.Text()[:10])

	var app struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	if err := s.call(ctx, "POST", "/api/v2/clients", map[string]any{
		"name": s.connection, "app_type": "regular_web", "grant_types": []string{realmGrant, "refresh_token", "authorization_code"}, "callbacks": []string{appCallback},
		"refresh_token": map[string]any{
			"rotation_type": "rotating", "expiration_type": "expiring", "leeway": 0, "token_lifetime": 86400, "idle_token_lifetime": 86400,
			"infinite_token_lifetime": false, "infinite_idle_token_lifetime": false,
		},
	}, &app); err != nil {
		return nil, err
	}
	s.appID, s.appSecret = app.ID, app.Secret

	var conn struct {
		ID string `json:"id"`
	}
	if err := s.call(ctx, "POST", "/api/v2/connections", map[string]any{
		"name": s.connection, "strategy": "auth0", "enabled_clients": []string{s.appID, s.ClientID},
	}, &conn); err != nil {
		return nil, err
	}
	s.connectionID = conn.ID

	if _, err := s.importUsers(ctx, "ready", o.Users); err != nil {
		return nil, err
	}
	for n := range o.Users {
		s.ids = append(s.ids, "auth0|"+s.userID("ready", n))
		s.emails = append(s.emails, s.email("ready", n))
	}
	return s, nil
}

// cleanUp removes the connection, with everybody in it, and the client.
func (s *stage) cleanUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var errs []error
	for _, undo := range slices.Backward(s.cleanups) {
		errs = append(errs, undo(ctx))
	}
	if s.connectionID != "" {
		errs = append(errs, s.call(ctx, "DELETE", "/api/v2/connections/"+s.connectionID, nil, nil))
	}
	if s.appID != "" {
		errs = append(errs, s.call(ctx, "DELETE", "/api/v2/clients/"+s.appID, nil, nil))
	}
	return errors.Join(errs...)
}

// work makes the op of a kind, and says how many clients it is for.
func (s *stage) work(ctx context.Context, what string) (op, int, error) {
	run := strings.ToLower(rand.Text()[:8])
	switch what {
	case "create":
		return func(ctx context.Context, n uint64) (uint64, error) {
			return one(s.call(ctx, "POST", "/api/v2/users", map[string]any{
				"connection": s.connection, "email": s.email(run, int(n)), "password": password,
				"given_name": "Bench", "family_name": "Mark", "name": "Bench Mark", "verify_email": false,
			}, nil))
		}, s.Clients, nil
	case "get":
		return func(ctx context.Context, n uint64) (uint64, error) {
			return one(s.call(ctx, "GET", s.user(n), nil, nil))
		}, s.Clients, nil
	case "search":
		// By e-mail and by nickname in turn; each finds one user and counts.
		return func(ctx context.Context, n uint64) (uint64, error) {
			q := `email:"` + s.emails[n%uint64(len(s.emails))] + `"`
			if n%2 == 0 {
				q = fmt.Sprintf(`nickname:"ready-%d"`, n%uint64(s.Users))
			}
			return one(s.call(ctx, "GET", "/api/v2/users?include_totals=true&q="+url.QueryEscape(q), nil, nil))
		}, s.Clients, nil
	case "patch":
		return func(ctx context.Context, n uint64) (uint64, error) {
			return one(s.call(ctx, "PATCH", s.user(n), map[string]any{"nickname": fmt.Sprintf("%s-%d", run, n)}, nil))
		}, s.Clients, nil
	case "import":
		// A tenant runs two imports at once; one at a time measures one.
		return func(ctx context.Context, n uint64) (uint64, error) {
			return s.importUsers(ctx, fmt.Sprintf("%s%d", run, n), s.Rows)
		}, 1, nil
	case "login":
		return func(ctx context.Context, n uint64) (uint64, error) {
			return one(s.signInBy(ctx, s.connection, s.emails[n%uint64(len(s.emails))]))
		}, s.Clients, nil
	case "upstream":
		return s.upstream(ctx)
	case "script":
		return s.script(ctx)
	case "webhook":
		return s.webhook(ctx)
	case "migrate":
		return s.migrate(ctx, run)
	case "token":
		return func(ctx context.Context, _ uint64) (uint64, error) {
			return one(s.post(ctx, "/oauth/token", url.Values{
				"grant_type": {"client_credentials"}, "audience": {s.URL + "/api/v2/"}, "scope": {"read:users"},
				"client_id": {s.ClientID}, "client_secret": {s.Secret},
			}, nil))
		}, s.Clients, nil
	case "refresh":
		return s.refreshing(ctx)
	}
	return nil, 0, fmt.Errorf("unknown kind %q", what)
}

// one is an op of one piece of work.
func one(err error) (done uint64, _ error) {
	if err != nil {
		return 0, err
	}
	return 1, nil
}

// refreshing signs one user in for each client, and then exchanges their refresh
// tokens, each of which is good once.
func (s *stage) refreshing(ctx context.Context) (op, int, error) {
	type tokens struct {
		Refresh string `json:"refresh_token"`
	}
	pool := make(chan string, s.Clients)
	for n := range s.Clients {
		var t tokens
		if err := s.post(ctx, "/oauth/token", url.Values{
			"grant_type": {realmGrant}, "realm": {s.connection}, "scope": {"openid offline_access"}, "client_id": {s.appID}, "client_secret": {s.appSecret},
			"username": {s.emails[n%len(s.emails)]}, "password": {password},
		}, &t); err != nil {
			return nil, 0, err
		}
		pool <- t.Refresh
	}
	return func(ctx context.Context, _ uint64) (uint64, error) {
		t := tokens{<-pool}
		err := s.post(ctx, "/oauth/token", url.Values{
			"grant_type": {"refresh_token"}, "refresh_token": {t.Refresh}, "client_id": {s.appID}, "client_secret": {s.appSecret},
		}, &t)
		pool <- t.Refresh // of a failure it is the old one, and the failure is told again
		return one(err)
	}, s.Clients, nil
}

func (s *stage) user(n uint64) string {
	return "/api/v2/users/" + url.PathEscape(s.ids[n%uint64(len(s.ids))])
}

func (s *stage) userID(run string, n int) string {
	return fmt.Sprintf("%s-%s-%d", s.connection, run, n)
}

func (s *stage) email(run string, n int) string {
	return fmt.Sprintf("%s-%d@%s.example.com", run, n, s.connection)
}

// importUsers imports rows users, waits for the job, and returns how many came in.
func (s *stage) importUsers(ctx context.Context, run string, rows int) (uint64, error) {
	body, typ, err := s.file(run, rows)
	if err != nil {
		return 0, err
	}
	var job struct {
		ID      string `json:"id"`
		Status  string `json:"status"`
		Details string `json:"status_details"`
		Summary struct {
			Inserted uint64 `json:"inserted"`
			Failed   uint64 `json:"failed"`
		} `json:"summary"`
	}
	if err := s.send(ctx, "POST", "/api/v2/jobs/users-imports", typ, body, &job); err != nil {
		return 0, err
	}
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for job.Status != "completed" && job.Status != "failed" {
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-poll.C:
		}
		if err := s.call(ctx, "GET", "/api/v2/jobs/"+job.ID, nil, &job); err != nil {
			return 0, err
		}
	}
	if job.Status == "failed" || job.Summary.Failed > 0 {
		return job.Summary.Inserted, fmt.Errorf("import %s: %d rows failed %s", job.Status, job.Summary.Failed, job.Details)
	}
	return job.Summary.Inserted, nil
}

func (s *stage) file(run string, rows int) (io.Reader, string, error) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	err := errors.Join(w.WriteField("connection_id", s.connectionID), w.WriteField("send_completion_email", "false"))
	part, perr := w.CreateFormFile("users", "users.json")
	if err = errors.Join(err, perr); err != nil {
		return nil, "", err
	}
	e := json.NewEncoder(part)
	sep := "["
	for n := range rows {
		if _, err := io.WriteString(part, sep); err != nil {
			return nil, "", err
		}
		sep = ","
		if err := e.Encode(map[string]any{
			"user_id": s.userID(run, n), "email": s.email(run, n), "email_verified": true, "password_hash": s.hash,
			"given_name": "Bench", "family_name": fmt.Sprintf("Mark %d", n), "name": fmt.Sprintf("Bench Mark %d", n),
			"user_metadata": map[string]any{"language": "en"}, "app_metadata": map[string]any{"plan": "free"},
		}); err != nil {
			return nil, "", err
		}
	}
	_, err = io.WriteString(part, "]")
	if err = errors.Join(err, w.Close()); err != nil {
		return nil, "", err
	}
	return &b, w.FormDataContentType(), nil
}

func (s *stage) signIn(ctx context.Context) error {
	var answer struct {
		Token string `json:"access_token"`
	}
	err := s.post(ctx, "/oauth/token", url.Values{
		"grant_type": {"client_credentials"}, "audience": {s.URL + "/api/v2/"},
		"client_id": {s.ClientID}, "client_secret": {s.Secret},
	}, &answer)
	s.token = answer.Token
	return err
}

func (s *stage) post(ctx context.Context, path string, form url.Values, into any) error {
	return s.send(ctx, "POST", path, "application/x-www-form-urlencoded", strings.NewReader(form.Encode()), into)
}

func (s *stage) call(ctx context.Context, method, path string, body, into any) error {
	if body == nil {
		return s.send(ctx, method, path, "", nil, into)
	}
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return s.send(ctx, method, path, "application/json", bytes.NewReader(b), into)
}

// send fails for every status that is not 2xx, with the beginning of the answer.
func (s *stage) send(ctx context.Context, method, path, typ string, body io.Reader, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, s.URL+path, body)
	if err != nil {
		return err
	}
	if typ != "" {
		req.Header.Set("Content-Type", typ)
	}
	if s.token != "" {
		req.Header.Set("Authorization", "Bearer "+s.token)
	}
	res, err := s.HTTP.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s: %.300s", method, path, res.Status, b)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(b, into)
}
