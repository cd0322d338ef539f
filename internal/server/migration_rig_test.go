package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"mangrove/internal/foreigndb"
	"mangrove/internal/foreigndb/legacytest"
)

// club is an old database with a table of members, and the statements that ask it.
type club struct {
	*legacytest.Server
	t *testing.T
}

// newClub starts a PostgreSQL server with so many members.
func newClub(t *testing.T, members int) *club {
	t.Helper()
	c := &club{legacytest.StartPostgres(t), t}
	c.Do(t, `CREATE TABLE members (id SERIAL PRIMARY KEY, email VARCHAR(200) NOT NULL UNIQUE, hash VARCHAR(100), name VARCHAR(100),
		verified BOOLEAN NOT NULL DEFAULT false, city VARCHAR(50))`)
	for n := range members {
		c.join(n + 1)
	}
	return c
}

// join adds a member; n is the number that this one will have.
func (c *club) join(n int) {
	c.t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(passwordOf(n)), bcrypt.MinCost)
	if err != nil {
		c.t.Fatal(err)
	}
	c.Do(c.t, fmt.Sprintf(`INSERT INTO members (id, email, hash, name, city) VALUES (%d, '%s', '%s', 'Member %[1]d', 'Oulu')`, n, member(n), hash))
	c.Do(c.t, fmt.Sprintf(`SELECT setval('members_id_seq', %d)`, n))
}

func member(n int) string     { return fmt.Sprintf("member%d@old.example", n) }
func passwordOf(n int) string { return fmt.Sprintf("the password of member %d", n) }
func memberID(n int) string   { return fmt.Sprintf("auth0|m%d", n) }

// options are those of a connection to it at an address, by statements.
func (c *club) options(at string, more map[string]any) map[string]any {
	const person = `SELECT 'm' || id AS user_id, email, verified AS email_verified, name, hash AS password_hash, city AS "user_metadata.city" FROM members WHERE lower(email) = lower(:identifier)`
	all := map[string]any{
		"enabledDatabaseCustomization": true, "passwordPolicy": "none", "configuration": map[string]any{"DB_PASSWORD": c.Password},
		"sql": map[string]any{
			"url": fmt.Sprintf("postgres://%s:${DB_PASSWORD}@%s/%s?sslmode=disable", c.User, at, c.DB), "login": person, "get_user": person,
			"create":          "INSERT INTO members (email, hash, name) VALUES (:email, :password_hash, :name)",
			"verify":          "UPDATE members SET verified = true WHERE email = :email",
			"change_password": "UPDATE members SET hash = :new_password_hash WHERE email = :identifier",
			"change_email":    "UPDATE members SET email = :new_email, verified = :verified WHERE email = :email",
			"delete":          "DELETE FROM members WHERE 'm' || id = :id",
		},
	}
	maps.Copy(all, more)
	return all
}

// scripted asks it by a script, as people have them.
func (c *club) scripted(at string, more map[string]any) map[string]any {
	all := map[string]any{
		"enabledDatabaseCustomization": true, "passwordPolicy": "none",
		"configuration": map[string]any{"DATABASE_URL": fmt.Sprintf("postgres://%s:%s@%s/%s?sslmode=disable", c.User, c.Password, at, c.DB)},
		"customScripts": map[string]any{"login": `async function login(email, password, callback) {
			const { Client } = require('pg');
			const client = new Client({ connectionString: configuration.DATABASE_URL });
			await client.connect();
			const { rows } = await client.query('SELECT id, email, name, hash FROM members WHERE email = $1', [email]);
			await client.end();
			if (!rows.length) return callback(new WrongUsernameOrPasswordError(null));
			if (!await require('bcrypt').compare(password, rows[0].hash)) return callback(new WrongUsernameOrPasswordError('m' + rows[0].id));
			callback(null, { user_id: 'm' + rows[0].id, email: rows[0].email, name: rows[0].name });
		}`},
	}
	maps.Copy(all, more)
	return all
}

func (c *club) address() string { return net.JoinHostPort(c.Host, fmt.Sprint(c.Port)) }

// asks is what the old database was asked about its members while do ran.
func (c *club) asks(do func()) string {
	c.t.Helper()
	before := len(c.Asked(c.t))
	do()
	var lines []string
	for line := range strings.Lines(c.Asked(c.t)[before:]) {
		if strings.Contains(line, "members") || strings.Contains(line, "old.example") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

// seat is a session in the old database.
type seat struct {
	t    *testing.T
	conn foreigndb.Conn
}

func (c *club) sit() seat {
	c.t.Helper()
	conn, err := foreigndb.New((&net.Dialer{}).DialContext).Connect(context.WithoutCancel(c.t.Context()), c.Target())
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = conn.Close() })
	return seat{c.t, conn}
}

// ask runs a statement and returns how many rows it has found.
func (s seat) ask(statement string) int {
	s.t.Helper()
	r, err := s.conn.Query(context.WithoutCancel(s.t.Context()), statement, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return len(r.Rows)
}

// until asks until there is a row; the database has no other signal.
func (s seat) until(statement string) {
	s.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); s.ask(statement) == 0; <-tick.C {
		if time.Since(began) > 8*time.Second {
			s.t.Fatalf("never: %s", statement)
		}
	}
}

// customDatabase makes a connection, and returns its id.
func (w *world) customDatabase(name string, options map[string]any) (id string) {
	w.t.Helper()
	id, _ = w.made("/api/v2/connections", map[string]any{"name": name, "strategy": "auth0", "options": options})["id"].(string)
	return id
}

// setOptions replaces its options.
func (w *world) setOptions(id string, options map[string]any) {
	w.t.Helper()
	b, err := json.Marshal(map[string]any{"options": options})
	if err != nil {
		w.t.Fatal(err)
	}
	if status, body := w.call("PATCH", "/api/v2/connections/"+id, string(b)); status != 200 {
		w.t.Fatalf("%d %s", status, body)
	}
}

// deleteUser deletes a user.
func (w *world) deleteUser(id string) {
	w.t.Helper()
	if status, body := w.call("DELETE", "/api/v2/users/"+url.PathEscape(id), ""); status != 204 {
		w.t.Fatalf("%d %s", status, body)
	}
}

// line is the way to a server, which can be held and cut.
type line struct {
	listen net.Listener

	mu    sync.Mutex
	to    string
	held  bool
	open  map[net.Conn]bool
	came  int // connections that were held
	waits *sync.Cond
}

func newLine(t *testing.T, to string) *line {
	t.Helper()
	listen, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &line{to: to, listen: listen, open: map[net.Conn]bool{}}
	l.waits = sync.NewCond(&l.mu)
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := listen.Accept()
			if err != nil {
				return
			}
			all.Go(func() { l.pass(c) })
		}
	})
	t.Cleanup(func() {
		_ = listen.Close()
		l.cut()
		all.Wait()
	})
	return l
}

func (l *line) address() string { return l.listen.Addr().String() }

// pass carries one connection; a held one is open and silent.
func (l *line) pass(c net.Conn) {
	l.mu.Lock()
	held, to := l.held, l.to
	l.open[c] = true
	if held {
		l.came++
		l.waits.Broadcast()
	}
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		delete(l.open, c)
		l.mu.Unlock()
		_ = c.Close()
	}()
	if held {
		_, _ = io.Copy(io.Discard, c)
		return
	}
	there, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer there.Close()
	go func() {
		_, _ = io.Copy(there, c)
		_ = there.Close()
	}()
	_, _ = io.Copy(c, there)
}

// nowhere is an address that nobody answers at.
const nowhere = "127.0.0.1:1"

// lead makes connections that come from now on go to another address.
func (l *line) lead(to string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.to = to
}

// hold makes connections that come from now on silent.
func (l *line) hold(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held, l.came = on, 0
}

// holds waits until so many are held.
func (l *line) holds(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.came < n {
		l.waits.Wait()
	}
}

// cut closes what is open.
func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.open {
		_ = c.Close()
	}
}
