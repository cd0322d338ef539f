package job_test

import (
	"context"
	"testing"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
	"mangrove/internal/job"
	"mangrove/internal/store"
	"mangrove/internal/store/storetest"
)

type teller func(clientID, userID, sessionID string) error

func (f teller) TellLogout(_ context.Context, clientID, userID, sessionID string) error {
	return f(clientID, userID, sessionID)
}

// TestBackchannelLogout: each outcome ends the job with its record, and a client
// that is away is tried again, ever more seldom, until it is given up.
func TestBackchannelLogout(t *testing.T) {
	away := errs.New(errs.Unavailable, "", "away")
	for _, row := range []struct {
		name    string
		answers []error
		pauses  []time.Duration // before each try
		event   string          // empty: none
		tries   int
	}{
		{"told", []error{nil}, []time.Duration{0}, audit.BackchannelOK, 1},
		{"refused", []error{errs.New(errs.Invalid, "", "no")}, []time.Duration{0}, audit.BackchannelFailed, 1},
		{"nobody listens", []error{job.ErrNobody}, []time.Duration{0}, "", 1},
		{"away, then told", []error{away, away, nil}, []time.Duration{0, 5 * time.Second, 5 * time.Second, 10 * time.Second}, audit.BackchannelOK, 3},
		{"away for good", []error{away, away}, []time.Duration{0, 2 * time.Hour}, audit.BackchannelFailed, 2},
	} {
		t.Run(row.name, func(t *testing.T) {
			ctx := t.Context()
			at := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
			s := storetest.OpenURL(t, storetest.URL(t, storetest.SQLite), func(o *store.Options) { o.Now = func() time.Time { return at } })
			if err := s.CreateJob(ctx, job.ForLogout("app", "auth0|ann", "sid", at.UnixMicro()), audit.Event{}); err != nil {
				t.Fatal(err)
			}
			tries := 0
			r := &job.Runner{Store: s, Connections: s, Now: func() time.Time { return at }, Teller: teller(func(clientID, userID, sessionID string) error {
				if clientID != "app" || userID != "auth0|ann" || sessionID != "sid" {
					t.Errorf("told %s %s %s", clientID, userID, sessionID)
				}
				err := row.answers[tries]
				tries++
				return err
			})}
			for _, pause := range row.pauses {
				at = at.Add(pause)
				if _, err := r.Work(ctx); err != nil {
					t.Fatal(err)
				}
			}
			at = at.Add(24 * time.Hour)
			if found, err := r.Work(ctx); found || err != nil {
				t.Errorf("not over: %v, %v", found, err)
			}
			if tries != row.tries {
				t.Errorf("%d tries", tries)
			}
			list, err := s.Events(ctx, audit.Span{Limit: 10})
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, e := range list {
				if e.Type != "" {
					got += e.Type
				}
				if e.ClientID != "app" || e.UserID != "auth0|ann" {
					t.Errorf("recorded %+v", e)
				}
			}
			if got != row.event {
				t.Errorf("recorded %q, want %q", got, row.event)
			}
		})
	}
}
