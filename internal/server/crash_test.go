package server_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"mangrove/internal/seal"
	"mangrove/internal/store"
	"mangrove/internal/store/storetest"
	"mangrove/internal/user"
)

// crashScale is how hard TestKill9 tries. The defaults keep the suite short;
// the full rig is MANGROVE_CRASH_KILLS=20 MANGROVE_CRASH_USERS=100000.
func crashScale(t *testing.T) (kills, users int) {
	t.Helper()
	read := func(name string, fallback int) int {
		s := os.Getenv(name)
		if s == "" {
			return fallback
		}
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return n
	}
	return read("MANGROVE_CRASH_KILLS", 3), read("MANGROVE_CRASH_USERS", 10_000)
}

// TestKill9 kills the server at random moments of a run of PATCHes and an
// import, and starts it again. A checker that knows every acknowledged write
// finds each of them; the import goes on by itself and ends with the right
// count, no row twice.
func TestKill9(t *testing.T) {
	kills, users := crashScale(t)
	bin := builtProgram(t)
	for _, engine := range storetest.Engines(t) {
		t.Run(engine, func(t *testing.T) {
			c := newCrashRig(t, bin, storetest.EmptyURL(t, engine))
			c.start()
			c.prepare(users)
			for n := range kills {
				c.round(n)
				t.Logf("kill %d: %d writes acknowledged so far, none lost; the import is %s", n+1, c.writes, c.importStatus())
			}
			c.finish(users)
		})
	}
}

// crashRig is a server in a process of its own, and what it acknowledged.
type crashRig struct {
	t         *testing.T
	bin, addr string
	data, db  string
	key       []byte
	cmd       *exec.Cmd
	token     string
	people    []string // user ids that are patched
	jobID     string
	acked     map[string]string // "user_id key" to the last value
	writes    int
	http      http.Client
}

func newCrashRig(t *testing.T, bin, db string) *crashRig {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := &crashRig{
		t: t, bin: bin, addr: l.Addr().String(), data: t.TempDir(), db: db,
		key: bytes.Repeat([]byte{7}, 32), acked: map[string]string{},
		http: http.Client{Timeout: 30 * time.Second},
	}
	t.Cleanup(c.kill)
	return c
}

// start runs the server and returns when it says that it is ready.
func (c *crashRig) start() {
	c.t.Helper()
	c.cmd = exec.Command(c.bin, "serve", "--listen", c.addr, "--data", c.data, "--log-format", "json")
	c.cmd.Env = append(os.Environ(),
		"MANGROVE_DATABASE="+c.db,
		"MANGROVE_SECRETS_KEY="+base64.StdEncoding.EncodeToString(c.key),
		"MANGROVE_BOOTSTRAP_CLIENT_ID=crash-rig", "MANGROVE_BOOTSTRAP_CLIENT_SECRET=crash-rig-secret-that-is-long-enough-to-pass")
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	c.cmd.Stderr = c.cmd.Stdout
	if err := c.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	var said []string
	for lines.Scan() {
		said = append(said, lines.Text())
		if strings.Contains(lines.Text(), `"msg":"ready"`) {
			go io.Copy(io.Discard, out) // the pipe ends with the process
			c.token = c.newToken()
			return
		}
	}
	c.t.Fatalf("the server ended before it was ready:\n%s", strings.Join(said, "\n"))
}

func (c *crashRig) kill() {
	if c.cmd != nil && c.cmd.Process != nil {
		_ = c.cmd.Process.Signal(syscall.SIGKILL)
		_ = c.cmd.Wait()
	}
}

func (c *crashRig) newToken() string {
	base := "http://" + c.addr
	res, err := c.http.PostForm(base+"/oauth/token", url.Values{
		"grant_type": {"client_credentials"}, "audience": {base + "/api/v2/"},
		"client_id": {"crash-rig"}, "client_secret": {"crash-rig-secret-that-is-long-enough-to-pass"},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	var body struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(res.Body).Decode(&body); err != nil || body.AccessToken == "" {
		c.t.Fatalf("no token: %d %v", res.StatusCode, err)
	}
	return body.AccessToken
}

// call is one request; the error is that of the connection.
func (c *crashRig) call(method, path, contentType string, body io.Reader, into any) (int, error) {
	req, err := http.NewRequestWithContext(c.t.Context(), method, "http://"+c.addr+path, body)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err
	}
	if into != nil && res.StatusCode < 300 {
		return res.StatusCode, json.Unmarshal(b, into)
	}
	return res.StatusCode, nil
}

func (c *crashRig) must(status int, err error) {
	c.t.Helper()
	if err != nil || status >= 300 {
		c.t.Fatalf("status %d, %v", status, err)
	}
}

// prepare makes the people to patch and starts the import.
func (c *crashRig) prepare(users int) {
	for i := range 16 {
		var u struct {
			ID string `json:"user_id"`
		}
		c.must(c.call("POST", "/api/v2/users", "application/json", strings.NewReader(fmt.Sprintf(
			`{"connection":"Username-Password-Authentication","email":"patched%d@example.com","password":"long enough for the policy %d"}`, i, i)), &u))
		c.people = append(c.people, u.ID)
	}
	var list []struct {
		ID string `json:"id"`
	}
	c.must(c.call("GET", "/api/v2/connections?name=Username-Password-Authentication", "", nil, &list))
	pr, pw := io.Pipe()
	form := multipart.NewWriter(pw)
	go func() {
		pw.CloseWithError(writeImport(form, list[0].ID, users))
	}()
	var job struct {
		ID string `json:"id"`
	}
	c.must(c.call("POST", "/api/v2/jobs/users-imports", form.FormDataContentType(), pr, &job))
	c.jobID = job.ID
}

func writeImport(form *multipart.Writer, connectionID string, users int) error {
	if err := form.WriteField("connection_id", connectionID); err != nil {
		return err
	}
	file, err := form.CreateFormFile("users", "users.json")
	if err != nil {
		return err
	}
	for i := range users {
		sep := ",\n"
		if i == 0 {
			sep = "["
		}
		if _, err := fmt.Fprintf(file, `%s{"email":"imported%d@example.com","name":"Imported %d","given_name":"I","family_name":"N%d","user_metadata":{"n":%d}}`, sep, i, i, i, i); err != nil {
			return err
		}
	}
	if _, err := io.WriteString(file, "]"); err != nil {
		return err
	}
	return form.Close()
}

// round writes from 16 sides until the server is killed, starts it again and
// looks for everything that was acknowledged.
func (c *crashRig) round(n int) {
	enough := int64(50 + rand.IntN(950))
	var done atomic.Int64
	var mu sync.Mutex
	var wg sync.WaitGroup
	ctx, stop := context.WithCancel(c.t.Context())
	defer stop()
	for w, id := range c.people {
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				key, value := fmt.Sprintf("r%d_w%d", n, w), strconv.Itoa(i)
				status, err := c.call("PATCH", "/api/v2/users/"+url.PathEscape(id), "application/json",
					strings.NewReader(fmt.Sprintf(`{"user_metadata":{%q:%q}}`, key, value)), nil)
				if err != nil || status != 200 {
					return // killed in between: not acknowledged, may or may not be there
				}
				mu.Lock()
				c.acked[id+" "+key] = value
				c.writes++
				mu.Unlock()
				if done.Add(1) == enough {
					_ = c.cmd.Process.Signal(syscall.SIGKILL)
				}
			}
		})
	}
	_ = c.cmd.Wait()
	stop()
	wg.Wait()
	c.start()
	c.check()
}

// check reads every patched user back. A value may be newer than the last that
// was acknowledged (the answer was lost), never older or absent.
func (c *crashRig) check() {
	c.t.Helper()
	docs := map[string]map[string]string{}
	for _, id := range c.people {
		var u struct {
			Metadata map[string]string `json:"user_metadata"`
		}
		c.must(c.call("GET", "/api/v2/users/"+url.PathEscape(id), "", nil, &u))
		docs[id] = u.Metadata
	}
	for k, want := range c.acked {
		id, key, _ := strings.Cut(k, " ")
		got, err := strconv.Atoi(docs[id][key])
		least, _ := strconv.Atoi(want)
		if err != nil || got < least || got > least+1 {
			c.t.Fatalf("acknowledged %s=%s of %s, found %q", key, want, id, docs[id][key])
		}
	}
}

func (c *crashRig) importStatus() string {
	c.t.Helper()
	var job struct {
		Status string `json:"status"`
	}
	c.must(c.call("GET", "/api/v2/jobs/"+c.jobID, "", nil, &job))
	return job.Status
}

// finish waits for the import and counts what is in the database.
func (c *crashRig) finish(users int) {
	var job struct {
		Status  string           `json:"status"`
		Summary map[string]int64 `json:"summary"`
	}
	deadline := time.Now().Add(5*time.Minute + time.Duration(users)*time.Millisecond)
	tick := time.NewTicker(50 * time.Millisecond) // the API has no other signal
	defer tick.Stop()
	for job.Status != "completed" {
		if time.Now().After(deadline) || job.Status == "failed" {
			c.t.Fatalf("the import did not end: %+v", job)
		}
		<-tick.C
		c.must(c.call("GET", "/api/v2/jobs/"+c.jobID, "", nil, &job))
	}
	if job.Summary["inserted"] != int64(users) || job.Summary["total"] != int64(users) || job.Summary["failed"] != 0 {
		c.t.Fatalf("summary %v, want %d inserted", job.Summary, users)
	}
	c.check()
	c.kill()

	box, err := seal.New(c.key)
	if err != nil {
		c.t.Fatal(err)
	}
	s, err := store.Open(c.t.Context(), store.Options{URL: c.db, Box: box, Now: time.Now})
	if err != nil {
		c.t.Fatal(err)
	}
	defer s.Close()
	seen := map[string]bool{}
	for after := user.ID(""); ; {
		page, err := s.Users(c.t.Context(), after, 1000)
		if err != nil {
			c.t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, v := range page {
			var attrs struct {
				Email string `json:"email"`
			}
			if err := json.Unmarshal(v.Attributes, &attrs); err != nil {
				c.t.Fatal(err)
			}
			if seen[attrs.Email] {
				c.t.Fatalf("%s is there twice", attrs.Email)
			}
			seen[attrs.Email] = true
		}
		after = page[len(page)-1].ID
	}
	if want := users + len(c.people); len(seen) != want {
		c.t.Fatalf("%d users in the database, want %d", len(seen), want)
	}
}
