package legacytest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mangrove/internal/foreigndb"
	"mangrove/internal/parttest"
)

// Environment: the programs.
const (
	EnvPostgres = "MANGROVE_TEST_POSTGRES_BIN" // the directory of initdb and postgres
	EnvMariaDB  = "MANGROVE_TEST_MARIADBD"     // /usr/sbin/mariadbd; mariadb-install-db is found by PATH
)

// Server is a running database server.
type Server struct {
	Engine foreigndb.Engine
	// Host, Port, User, Password and Database are those of an application's account.
	Host               string
	Port               int
	User, Password, DB string

	log  string
	once sync.Once
	stop func()
}

// URL is where the database is; password is put in as it is.
func (s *Server) URL(password string) string {
	return fmt.Sprintf("%s://%s:%s@%s:%d/%s", s.Engine, s.User, password, s.Host, s.Port, s.DB)
}

// Target is the same, for foreigndb.
func (s *Server) Target() foreigndb.Target {
	return foreigndb.Target{Engine: s.Engine, Host: s.Host, Port: s.Port, User: s.User, Password: s.Password, Database: s.DB, TLS: foreigndb.Plain}
}

// Stop ends the server; the test's end does it otherwise.
func (s *Server) Stop() { s.once.Do(s.stop) }

// Asked is everything that the server was asked since it began, one statement after
// another as its own log has them.
func (s *Server) Asked(t testing.TB) string {
	t.Helper()
	b, err := os.ReadFile(s.log)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// StartPostgres starts a PostgreSQL server that writes down each statement.
func StartPostgres(t testing.TB) *Server {
	t.Helper()
	bin := parttest.Need(t, "PostgreSQL's programs", EnvPostgres)
	s, dir := newServer(t, foreigndb.Postgres)
	data, as := filepath.Join(dir, "data"), owner(t, "postgres", dir)
	secret := filepath.Join(dir, "password")
	write(t, secret, s.Password)
	as.own(t, secret)
	run(t, as, filepath.Join(bin, "initdb"), "-D", data, "-U", s.User, "-A", "scram-sha-256", "--pwfile", secret, "-E", "UTF8", "--locale=C", "--no-sync")
	s.start(t, as, filepath.Join(bin, "postgres"), "-D", data, "-p", strconv.Itoa(s.Port), "-c", "listen_addresses="+s.Host, "-c", "unix_socket_directories="+dir,
		"-c", "fsync=off", "-c", "log_statement=all", "-c", "log_min_messages=log", "-c", "max_connections=100")
	s.DB = "postgres"
	return s
}

// StartMariaDB starts a MariaDB server that writes down each statement.
func StartMariaDB(t testing.TB) *Server {
	t.Helper()
	program := parttest.Need(t, "MariaDB's server", EnvMariaDB)
	s, dir := newServer(t, foreigndb.MySQL)
	data, as := filepath.Join(dir, "data"), owner(t, "mysql", dir)
	run(t, as, "mariadb-install-db", "--no-defaults", "--datadir="+data, "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve")
	setup := filepath.Join(dir, "setup.sql")
	write(t, setup, fmt.Sprintf("CREATE DATABASE shop CHARACTER SET utf8mb4;\nCREATE USER '%s'@'%%' IDENTIFIED BY '%s';\nGRANT ALL ON shop.* TO '%[1]s'@'%%';\n", s.User, s.Password))
	as.own(t, setup)
	s.start(t, as, program, "--no-defaults", "--datadir="+data, "--port="+strconv.Itoa(s.Port), "--bind-address="+s.Host, "--socket="+filepath.Join(dir, "s"),
		"--pid-file="+filepath.Join(dir, "pid"), "--skip-name-resolve", "--skip-log-bin", "--init-file="+setup, "--general-log=1", "--general-log-file="+s.log,
		"--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=32M", "--max-connections=100")
	s.DB = "shop"
	return s
}

func newServer(t testing.TB, engine foreigndb.Engine) (*Server, string) {
	t.Helper()
	// Not below the test's own directory, which may be closed to the servers' users.
	dir, err := os.MkdirTemp("/tmp", "mangrove-legacy-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return &Server{
		Engine: engine, Host: "127.0.0.1", Port: freePort(t), User: "shopkeeper", Password: "a-password-of-the-old-shop", log: filepath.Join(dir, "statements.log"),
	}, dir
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port //nolint:forcetypeassert // of tcp
}

// account is as whom a server runs: these refuse to be root.
type account struct{ credential *syscall.Credential }

func owner(t testing.TB, name, dir string) account {
	t.Helper()
	if os.Geteuid() != 0 {
		return account{}
	}
	u, err := user.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	a := account{&syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	a.own(t, dir)
	return a
}

func (a account) own(t testing.TB, path string) {
	t.Helper()
	if a.credential == nil {
		return
	}
	if err := os.Chown(path, int(a.credential.Uid), int(a.credential.Gid)); err != nil {
		t.Fatal(err)
	}
}

func (a account) command(program string, args ...string) *exec.Cmd {
	c := exec.CommandContext(context.Background(), program, args...) // ended by stop
	c.Dir = "/"
	c.SysProcAttr = &syscall.SysProcAttr{Credential: a.credential}
	return c
}

func run(t testing.TB, as account, program string, args ...string) {
	t.Helper()
	if out, err := as.command(program, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", filepath.Base(program), err, out)
	}
}

// start runs the server and waits until it answers.
func (s *Server) start(t testing.TB, as account, program string, args ...string) {
	t.Helper()
	c := as.command(program, args...)
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	as.own(t, s.log)
	c.Stdout, c.Stderr = log, log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = c.Wait() // that it was killed is no news
		_ = log.Close()
	}()
	s.stop = func() {
		_ = c.Process.Signal(syscall.SIGQUIT) // of postgres: at once
		if s.Engine == foreigndb.MySQL {
			_ = c.Process.Signal(syscall.SIGTERM)
		}
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			_ = c.Process.Kill()
			<-ended
		}
	}
	t.Cleanup(s.Stop)
	address := net.JoinHostPort(s.Host, strconv.Itoa(s.Port))
	for began := time.Now(); time.Since(began) < time.Minute; {
		select {
		case <-ended:
			t.Fatalf("the server does not start\n%s", s.Asked(t))
		default:
		}
		if conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(t.Context(), "tcp", address); err == nil {
			_ = conn.Close()
			if s.Engine == foreigndb.Postgres && !strings.Contains(s.Asked(t), "ready to accept connections") {
				continue
			}
			return
		}
	}
	t.Fatal("the server does not answer")
}

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
