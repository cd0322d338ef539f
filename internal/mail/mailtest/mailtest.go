package mailtest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"mangrove/internal/parttest"
)

// Env names the directory test/mail with its packages installed.
const Env = "MANGROVE_TEST_MAILDEV"

// patience is how long a test waits for a mail that does not come.
const patience = 30 * time.Second

// Server is a running mail server without TLS and login, on this machine alone.
type Server struct {
	Host string
	Port int

	tb      testing.TB
	api     string
	arrived chan struct{} // something came, since somebody last looked

	mu   sync.Mutex
	read map[string]bool
}

// Mail as it was received.
type Mail struct {
	ID, Subject, From, To string // From and To are addresses
	Text, HTML            string
}

// Start runs a server until the test ends. Without Env the test is skipped, or
// fails where MANGROVE_REQUIRE_PARTS is 1.
func Start(tb testing.TB) *Server {
	tb.Helper()
	dir := parttest.Need(tb, "maildev", Env)
	for range 5 { // somebody else may take a port that was free
		if s := start(tb, dir); s != nil {
			return s
		}
	}
	tb.Fatal("maildev does not start")
	return nil
}

func start(tb testing.TB, dir string) *Server {
	tb.Helper()
	smtp, web := freePorts(tb)
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "node", filepath.Join(dir, "node_modules", "maildev", "dist", "bin", "maildev.js"),
		"--ip", "127.0.0.1", "--smtp", strconv.Itoa(smtp), "--web-ip", "127.0.0.1", "--web", strconv.Itoa(web), "--mail-directory", tb.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		stop()
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		stop()
		tb.Fatal(err)
	}
	s := &Server{
		Host: "127.0.0.1", Port: smtp, tb: tb, api: fmt.Sprintf("http://127.0.0.1:%d/api/email", web),
		arrived: make(chan struct{}, 1), read: map[string]bool{},
	}
	up, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			switch text := lines.Text(); {
			case strings.Contains(text, "Press Ctrl+C"):
				close(up)
			case strings.Contains(text, "Received: "):
				select {
				case s.arrived <- struct{}{}:
				default:
				}
			}
		}
	}()
	tb.Cleanup(func() {
		stop()
		<-ended
		_ = cmd.Wait() // it was killed
	})
	select {
	case <-up:
		return s
	case <-ended:
		return nil
	}
}

func freePorts(tb testing.TB) (smtp, web int) {
	tb.Helper()
	var ports [2]int
	for i := range ports {
		l, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			tb.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports[0], ports[1]
}

// Setting is the server as --mail has it.
func (s *Server) Setting() string { return fmt.Sprintf("smtp://%s:%d?tls=none", s.Host, s.Port) }

// Mail waits for a mail to that address which was not asked for before; of
// several it is the oldest.
func (s *Server) Mail(to string) Mail {
	s.tb.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		for _, m := range s.All() {
			s.mu.Lock()
			known := s.read[m.ID]
			if m.To == to {
				s.read[m.ID] = true
			}
			s.mu.Unlock()
			if m.To == to && !known {
				return m
			}
		}
		select {
		case <-s.arrived:
		case <-late.C:
			s.tb.Fatalf("no mail to %s came", to)
		}
	}
}

// All is every mail that came, oldest first.
func (s *Server) All() []Mail {
	s.tb.Helper()
	req, err := http.NewRequestWithContext(s.tb.Context(), http.MethodGet, s.api, http.NoBody)
	if err != nil {
		s.tb.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.tb.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	type address struct{ Address string }
	var list []struct {
		ID, Subject, Text, HTML string
		From, To                []address
	}
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil {
		s.tb.Fatal(err)
	}
	first := func(a []address) string {
		if len(a) == 0 {
			return ""
		}
		return a[0].Address
	}
	mails := make([]Mail, len(list))
	for i, m := range list {
		mails[i] = Mail{ID: m.ID, Subject: m.Subject, From: first(m.From), To: first(m.To), Text: m.Text, HTML: m.HTML}
	}
	return mails
}
