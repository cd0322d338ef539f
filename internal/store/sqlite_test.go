package store_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"mangrove/internal/audit"
	"mangrove/internal/client"
	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/factor"
	"mangrove/internal/job"
	"mangrove/internal/key"
	"mangrove/internal/letter"
	"mangrove/internal/profile"
	"mangrove/internal/seal"
	"mangrove/internal/session"
	"mangrove/internal/store"
	"mangrove/internal/store/storetest"
	"mangrove/internal/user"
)

func TestAnotherKeyIsRefused(t *testing.T) {
	path := storetest.URL(t, storetest.SQLite)
	other, err := seal.New(bytes.Repeat([]byte{1}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	s, err := open(t, store.Options{URL: path, Box: other})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Migrate(bg); !errors.Is(err, store.ErrOtherKey) {
		t.Errorf("got %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = open(t, store.Options{URL: path}); err != nil {
		t.Fatal(err)
	}
	if err := s.Migrate(bg); err != nil {
		t.Errorf("the right key: %v", err)
	}
}

func TestOneProcessPerFile(t *testing.T) {
	path := storetest.URL(t, storetest.SQLite)
	first, err := open(t, store.Options{URL: path})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, store.Options{URL: path}); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("a second one: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, store.Options{URL: path}); err != nil {
		t.Errorf("after the first closed: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	for name, o := range map[string]store.Options{
		"no URL":       {Box: storetest.Box()},
		"memory":       {URL: ":memory:", Box: storetest.Box()},
		"no folder":    {URL: filepath.Join(t.TempDir(), "none", "x.db"), Box: storetest.Box()},
		"bad URL":      {URL: "postgres://%zz:secret@host/x", Box: storetest.Box()},
		"nobody there": {URL: "postgres://u:secret@127.0.0.1:1/x?connect_timeout=1", Box: storetest.Box()},
	} {
		s, err := store.Open(bg, o)
		if err == nil {
			_ = s.Close()
			t.Errorf("%s: opened", name)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error tells the password: %v", name, err)
		}
	}
	if _, err := store.Open(bg, store.Options{URL: filepath.Join(t.TempDir(), "x.db")}); err == nil {
		t.Error("opened without a key")
	}
}

func TestFilesArePrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "with space?and#odd.db")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	s, err := open(t, store.Options{URL: path})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Migrate(bg); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
		info, err := os.Stat(path + suffix)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%q: %v, %v", suffix, info, err)
		}
	}
}

// What a thief of the file must not read.
func TestSecretsAreSealed(t *testing.T) {
	path := storetest.URL(t, storetest.SQLite)
	s, err := open(t, store.Options{URL: path})
	if err != nil {
		t.Fatal(err)
	}
	canary := func(what string) string { return "CANARY-" + what }
	object := func(what string) json.RawMessage { return json.RawMessage(`{"x":"` + canary(what) + `"}`) }
	u := testUser("u", canary("plain")+"@example.com")
	u.MFAFactors = object("factor")
	u.Identities = append(u.Identities, user.Identity{
		Provider: "oidc", Connection: "o", ConnectionID: "con_2", UserID: "o|s", Subject: "s", Tokens: object("token"),
	})
	for what, err := range map[string]error{
		"user":       s.CreateUser(bg, u, user.Effect{}),
		"client":     s.CreateClient(bg, &client.Client{ID: "c", Secret: canary("client")}, audit.Event{}),
		"connection": s.CreateConnection(bg, &connection.Connection{ID: "con_1", Name: "n", Options: object("options")}, audit.Event{}),
		"transaction": s.SaveTransaction(bg, session.Transaction{
			Hash: "h", Request: json.RawMessage(`{}`), Progress: object("upstream"), ExpiresAt: 1 << 60,
		}),
		"job":   s.CreateJob(bg, &job.Job{ID: "job_1", Status: job.Receiving}, audit.Event{}),
		"piece": s.AppendInput(bg, "job_1", 0, object("input")),
		"enrolled": s.ChangeFactors(bg, factor.Change{UserID: "auth0|u", Add: []factor.Factor{{
			Device: "dev_a", Kind: factor.TOTP, Confirmed: true, Detail: factor.Detail{Name: canary("name"), Secret: canary("seed"), Address: canary("phone")},
		}}}),
		"enrollment": s.SaveEnrollmentTicket(bg, factor.Ticket{Hash: "k", UserID: "auth0|u", Seed: canary("ticket"), ExpiresAt: 1 << 60}, nil, audit.Event{}),
		"passkey":    s.SavePasskeySession(bg, factor.PasskeySession{Hash: "p", ClientID: "c", Session: object("challenge"), New: object("newcomer"), ExpiresAt: 1 << 60}),
		"letter":     s.SendLetters(bg, []letter.Letter{{To: canary("address"), Code: canary("letter")}}),
	} {
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	if _, err := s.Bootstrap(bg, func() (store.Seed, error) {
		return store.Seed{Keys: []key.Key{{ID: "k", Private: []byte(canary("key"))}}}, nil
	}); err != nil {
		t.Fatal(err)
	}
	var files []byte
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, data...)
	}
	for _, what := range []string{
		"factor", "token", "client", "options", "upstream", "input", "key", "name", "seed", "phone", "ticket", "challenge", "newcomer",
	} {
		if bytes.Contains(files, []byte(canary(what))) {
			t.Errorf("%s can be read in the file", what)
		}
	}
	if !bytes.Contains(files, []byte(canary("plain"))) {
		t.Error("the scan does not even find what is not sealed")
	}
}

func TestHotStatementsUseIndexes(t *testing.T) {
	s := storetest.Open(t, storetest.SQLite)
	for name, q := range store.Hot() {
		args := make([]any, strings.Count(q, "?"))
		for i := range args {
			args[i] = int64(2)
		}
		plan, err := s.Plan(q, args...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, step := range plan {
			if strings.HasPrefix(step, "SCAN") {
				t.Errorf("%s steps over a whole table: %q", name, plan)
			}
		}
	}
}

func TestDiskFull(t *testing.T) {
	s := storetest.Open(t, storetest.SQLite)
	if err := s.CreateUser(bg, testUser("first", "first@example.com"), user.Effect{}); err != nil {
		t.Fatal(err)
	}
	s.LimitPages(s.Pages() + 20)
	var wg sync.WaitGroup
	var mu sync.Mutex
	kept := map[string]bool{}
	refused := 0
	for i := range 40 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			id := fmt.Sprintf("big%02d", i)
			u := testUser(id, id+"@example.com")
			u.Profile.Set(profile.UserMetadata, profile.Text(strings.Repeat("x", 8000)), profile.Source{})
			err := s.CreateUser(bg, u, user.Effect{})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				kept[id] = true
			case errs.KindOf(err) == errs.Unavailable:
				refused++
			default:
				t.Errorf("%s: %v", id, err)
			}
		}()
	}
	wg.Wait()
	if refused == 0 {
		t.Error("the disk was never full")
	}
	if _, err := s.View(bg, "auth0|first"); err != nil {
		t.Errorf("reading on a full disk: %v", err)
	}
	s.LimitPages(0)
	if err := s.CreateUser(bg, testUser("after", "after@example.com"), user.Effect{}); err != nil {
		t.Errorf("after space was made: %v", err)
	}
	page, err := s.Users(bg, "auth0|big", 100)
	if err != nil {
		t.Fatal(err)
	}
	if len(page) != len(kept)+1 { // and the first
		t.Errorf("%d users, acknowledged %d", len(page), len(kept)+1)
	}
	for id := range kept {
		if _, err := s.View(bg, user.ID("auth0|"+id)); err != nil {
			t.Errorf("%s was acknowledged: %v", id, err)
		}
	}
}

func TestCloseFinishesWhatItAccepted(t *testing.T) {
	path := storetest.URL(t, storetest.SQLite)
	s, err := open(t, store.Options{URL: path})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	acknowledged := 0
	started := make(chan struct{}, 100)
	for i := range 100 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			started <- struct{}{}
			id := fmt.Sprintf("u%03d", i)
			err := s.CreateUser(bg, testUser(id, id+"@example.com"), user.Effect{})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				acknowledged++
			} else if errs.KindOf(err) != errs.Unavailable {
				t.Errorf("%v", err)
			}
		}()
	}
	for range 50 {
		<-started
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if _, err := s.View(bg, "auth0|x"); errs.KindOf(err) != errs.Unavailable {
		t.Errorf("reading a closed store: %v", err)
	}
	if s, err = open(t, store.Options{URL: path}); err != nil {
		t.Fatal(err)
	}
	page, err := s.Users(bg, "", 200)
	if err != nil || len(page) != acknowledged {
		t.Errorf("%d users, acknowledged %d, %v", len(page), acknowledged, err)
	}
}

func TestCheckpointUnderWrites(t *testing.T) {
	s := storetest.Open(t, storetest.SQLite)
	done := make(chan error, 1)
	go func() {
		for i := range 300 {
			id := fmt.Sprintf("u%03d", i)
			if err := s.CreateUser(bg, testUser(id, id+"@example.com"), user.Effect{}); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for range 5 {
		if err := s.Checkpoint(); err != nil {
			t.Errorf("checkpoint: %v", err)
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if page, err := s.Users(bg, "", 1000); err != nil || len(page) != 300 {
		t.Errorf("%d users, %v", len(page), err)
	}
}
