package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"mangrove/internal/errs"
	"mangrove/internal/profile"
	"mangrove/internal/store/storetest"
	"mangrove/internal/user"
)

// TestSearchFromMemory: the sets that the writer keeps up are those of the database.
func TestSearchFromMemory(t *testing.T) {
	s := storetest.Open(t, storetest.SQLite)
	s.CacheEverything()
	storetest.SearchModel(t, s)
}

// TestIndexLeavesNothing: who goes takes all of the index along.
func TestIndexLeavesNothing(t *testing.T) {
	for _, engine := range storetest.Engines(t) {
		t.Run(engine, func(t *testing.T) {
			s := storetest.Open(t, engine)
			ctx := context.Background()
			for i := range 70 {
				u := someUser(i)
				u.Profile.Set(profile.UserMetadata, profile.Value(fmt.Sprintf(`{"n":%d,"of":[1,2]}`, i%5)), profile.Source{})
				if err := s.CreateUser(ctx, u, user.Effect{}); err != nil {
					t.Fatal(err)
				}
				if i%2 == 0 {
					if err := s.RecordLogin(ctx, u.ID, user.Logins{Last: 5, Count: 1}, "", "", user.Effect{}); err != nil {
						t.Fatal(err)
					}
				}
			}
			for i := range 70 {
				if err := s.DeleteUser(ctx, someUser(i).ID, 0, user.Effect{}); err != nil {
					t.Fatal(err)
				}
			}
			for _, table := range []string{"user_postings", "user_activity", "users", "identities", "user_identifiers"} {
				if n, err := s.Count(ctx, "SELECT COUNT(*) FROM "+table); err != nil || n != 0 {
					t.Errorf("%d rows of %s are left, %v", n, table, err)
				}
			}
		})
	}
}

func someUser(i int) *user.User {
	id := fmt.Sprintf("u%03d", i)
	u := &user.User{
		ID:         user.ID("auth0|" + id),
		Identities: []user.Identity{{Provider: "auth0", Connection: "users", ConnectionID: "con_0000000000000001", UserID: id, Subject: id}},
		CreatedAt:  1_000_000, UpdatedAt: 1_000_000,
	}
	u.Profile.Set(profile.Email, profile.Text(id+"@example.test"), profile.Source{})
	return u
}

var (
	narrow = &user.Lookup{Path: "email", Exact: []string{user.TextTerm("u001@example.test")}}
	across = &user.Lookup{Path: "email", Pattern: []string{"", "u001@", ""}}
)

// TestSearchEnds: a search whose time is over says so and frees its connection.
func TestSearchEnds(t *testing.T) {
	for _, engine := range storetest.Engines(t) {
		t.Run(engine, func(t *testing.T) {
			s := storetest.Open(t, engine)
			ctx, cancel := context.WithDeadline(context.Background(), time.Now())
			defer cancel()
			for range 20 {
				for _, plan := range []user.Plan{user.Everybody{}, narrow, across} {
					if _, err := s.Search(ctx, user.Search{Plan: plan, Limit: 1}); !errors.Is(err, user.ErrSearchTimeout) {
						t.Fatalf("a search without time: %v", err)
					}
				}
			}
			gone, leave := context.WithCancel(bg)
			leave()
			for _, plan := range []user.Plan{narrow, across} {
				if _, err := s.Search(gone, user.Search{Plan: plan, Limit: 1}); errs.KindOf(err) != errs.Unavailable || errors.Is(err, user.ErrSearchTimeout) {
					t.Errorf("a caller who has gone: %v", err)
				}
			}
			if _, err := s.Search(context.Background(), user.Search{Plan: across, Limit: 1}); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestSearchesTakeTurns: wide searches wait for each other, and nobody else does.
func TestSearchesTakeTurns(t *testing.T) {
	s := storetest.Open(t, storetest.SQLite)
	if err := s.CreateUser(bg, someUser(1), user.Effect{}); err != nil {
		t.Fatal(err)
	}
	free := s.HoldSearches()
	f, err := s.Search(bg, user.Search{Plan: user.AllOf{narrow, user.Except{Plan: user.AnyOf{}}}, Limit: 1, Total: true})
	if err != nil || f.Total != 1 {
		t.Errorf("a whole value beside wide searches: %+v, %v", f, err)
	}
	if _, err := s.View(bg, someUser(1).ID); err != nil {
		t.Error(err)
	}
	for _, q := range []user.Search{{Plan: user.AnyOf{narrow, user.Except{Plan: across}}}, {Plan: narrow, SortBy: "name"}} {
		ctx, cancel := context.WithDeadline(bg, time.Now())
		if _, err := s.Search(ctx, q); !errors.Is(err, user.ErrSearchTimeout) {
			t.Errorf("%+v did not wait: %v", q, err)
		}
		cancel()
	}
	free()
	if f, err := s.Search(bg, user.Search{Plan: across, Limit: 1}); err != nil || len(f.Users) != 1 {
		t.Errorf("afterwards: %+v, %v", f, err)
	}
}
