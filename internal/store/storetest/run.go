package storetest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"mangrove/internal/audit"
	"mangrove/internal/profile"
	"mangrove/internal/store"
	"mangrove/internal/user"
)

// Run is the conformance suite: what these tests say is what the store does.
// open gives a fresh migrated database.
func Run(t *testing.T, open func(testing.TB) *store.Store) {
	for _, group := range []struct {
		name string
		run  func(*testing.T, func(testing.TB) *store.Store)
	}{
		{"users", runUsers},
		{"changes", runChanges},
		{"logins", runLogins},
		{"federate", runFederate},
		{"links", runLinks},
		{"connections", runConnections},
		{"connection keys", runConnectionKeys},
		{"applications", runApplications},
		{"roles", runRoles},
		{"tenant", runTenant},
		{"credentials", runCredentials},
		{"keys", runKeys},
		{"tokens", runTokens},
		{"refresh tokens", runRefresh},
		{"devices", runDevices},
		{"approvals", runApprovals},
		{"tickets", runTickets},
		{"letters", runLetters},
		{"guard", runGuard},
		{"passwordless", runPasswordless},
		{"factors", runFactors},
		{"consents", runConsents},
		{"pushed requests", runPushed},
		{"messages seen", runReplay},
		{"back-channel logout", runBackchannel},
		{"sessions at providers", runForeign},
		{"tokens of custom databases", runCustomDatabaseTokens},
		{"sessions", runSessions},
		{"records", runRecords},
		{"migrations", runMigrations},
		{"jobs", runJobs},
		{"exports", runExports},
		{"import", runImport},
		{"import reports", runImportReports},
		{"job control", runJobControl},
		{"updates", runUpdates},
		{"search", runSearch},
		{"seed", runSeed},
	} {
		t.Run(group.name, func(t *testing.T) {
			t.Parallel()
			group.run(t, open)
		})
	}
}

var bg = context.Background()

// day is a moment with microseconds that a float or a second would lose.
const day = int64(1_753_900_000_123_457)

const (
	ourConnection   = "con_0000000000000001"
	otherConnection = "con_0000000000000002"
	upstream        = "con_0000000000000003"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func src(at int64) profile.Source {
	return profile.Source{Origin: profile.FromManagement, Actor: "client", At: at}
}

// ourUser makes a user of a database of ours.
func ourUser(id, email string) *user.User {
	u := &user.User{
		ID:         user.ID("auth0|" + id),
		Identities: []user.Identity{{Provider: "auth0", Connection: "users", ConnectionID: ourConnection, UserID: id, Subject: id}},
		Password:   user.Password{Hash: "$2a$10$hash-of-" + id},
		CreatedAt:  day, UpdatedAt: day,
	}
	if email != "" {
		u.Profile.Set(profile.Email, profile.Text(email), src(day))
		u.Profile.Set(profile.EmailVerified, profile.Bool(false), src(day))
	}
	return u
}

// upstreamUser makes a user of an identity provider.
func upstreamUser(subject, email string) *user.User {
	u := &user.User{
		ID: user.ID("google-oauth2|" + subject),
		Identities: []user.Identity{{
			Provider: "google-oauth2", Connection: "google", ConnectionID: upstream, UserID: subject, Subject: subject, IsSocial: true,
			Claims: profile.Value(`{"sub":"` + subject + `"}`), ClaimsAt: day, Tokens: profile.Value(`{"access_token":"at-` + subject + `"}`),
		}},
		CreatedAt: day, UpdatedAt: day,
	}
	u.Profile.Set(profile.Email, profile.Text(email), profile.Source{Origin: profile.FromUpstream, Connection: upstream, At: day})
	return u
}

func event(userID user.ID) audit.Event {
	return audit.Event{Type: audit.APIOperation, At: day, UserID: string(userID), Description: "test"}
}

func create(t testing.TB, s *store.Store, users ...*user.User) {
	t.Helper()
	for _, u := range users {
		if err := s.CreateUser(bg, u, user.Effect{}); err != nil {
			t.Fatalf("creating %s: %v", u.ID, err)
		}
	}
}

func set(name, text string) func(*user.User) (user.Effect, error) {
	return func(u *user.User) (user.Effect, error) {
		u.Profile.Set(name, profile.Text(text), src(day+1))
		return user.Effect{}, nil
	}
}

// race runs fn n times at once and counts what each error says.
func race(n int, fn func(int) error) map[string]int {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var ready atomic.Int64
	start := make(chan struct{})
	out := make(map[string]int)
	for i := range n {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if ready.Add(1) == int64(n) {
				close(start)
			}
			<-start
			err := fn(i)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				out["ok"]++
			} else {
				out[err.Error()]++
			}
		}()
	}
	wg.Wait()
	return out
}

func ids(views []user.View) []string {
	out := make([]string, len(views))
	for i, v := range views {
		out[i] = string(v.ID)
	}
	return out
}

func numbered(format string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf(format, i)
	}
	return out
}

func cancelled() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(bg)
	cancel()
	return ctx, cancel
}
