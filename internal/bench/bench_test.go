package bench_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"mangrove/internal/bench"
	"mangrove/internal/config"
	"mangrove/internal/server"
)

// Every kind of work succeeds on a real server, and nothing of it is left.
func TestRun(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := config.Config{PublicURL: "http://" + l.Addr().String(), Data: t.TempDir(), OutboundAllow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	s, err := server.New(t.Context(), cfg, server.Options{})
	if err != nil {
		t.Fatal(err)
	}
	made, _ := s.Bootstrapped()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()

	results, err := bench.Run(t.Context(), bench.Options{
		URL: cfg.PublicURL, ClientID: made.ClientID, Secret: made.Secret,
		What: bench.Kinds, Clients: 2, Duration: time.Millisecond, Users: 3, Rows: 5,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if r.Errors > 0 || r.Ops == 0 || r.PerSecond() <= 0 || r.Latencies.Count() == 0 {
			t.Errorf("%s: %d done, %d errors, first %v", r.What, r.Ops, r.Errors, r.FirstErr)
		}
	}
	if len(results) != len(bench.Kinds) {
		t.Errorf("%d results", len(results))
	}
	var out bytes.Buffer
	if err := bench.Write(&out, results); err != nil || strings.Count(out.String(), "\n") != 1+len(results) {
		t.Errorf("%v:\n%s", err, out.String())
	}

	token := tokenOf(t, cfg, made)
	for path, left := range map[string]int{"/api/v2/connections": 1, "/api/v2/clients?is_global=false": 1} {
		var list []map[string]any
		getJSON(t, cfg.PublicURL+path, token, &list)
		if len(list) != left {
			t.Errorf("%s: %d are left, %d were there before: %v", path, len(list), left, list)
		}
	}
}

func TestCheck(t *testing.T) {
	err := bench.Options{What: []string{"get", "dance"}, Clients: 1, Duration: time.Second, Users: 1}.Check()
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range []string{"--url", "--client-id", "MANGROVE_BENCH_CLIENT_SECRET", `"dance"`, "--rows"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("not told: %s in\n%v", part, err)
		}
	}
	ok := bench.Options{URL: "u", ClientID: "c", Secret: "s", What: bench.Kinds, Clients: 1, Duration: 1, Users: 1, Rows: 1}
	if err := ok.Check(); err != nil {
		t.Error(err)
	}
}

// A server that is not there, or refuses, is an error and no table of zeros.
func TestRunWithoutServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + l.Addr().String()
	l.Close()
	_, err = bench.Run(t.Context(), bench.Options{
		URL: url, ClientID: "c", Secret: "s", What: []string{"get"}, Clients: 1, Duration: time.Second, Users: 1, Rows: 1,
	})
	if err == nil || !strings.Contains(err.Error(), "preparing") {
		t.Errorf("%v", err)
	}
}

func tokenOf(t *testing.T, cfg config.Config, c server.Credentials) string {
	t.Helper()
	body, err := json.Marshal(map[string]string{
		"grant_type": "client_credentials", "audience": cfg.ManagementAudience(), "client_id": c.ClientID, "client_secret": c.Secret,
	})
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.Post(cfg.PublicURL+"/oauth/token", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return answer.Token
}

func getJSON(t *testing.T, url, token string, into any) {
	t.Helper()
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(into); err != nil {
		t.Fatalf("%s: %s: %v", url, res.Status, err)
	}
}
