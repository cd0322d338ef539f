package store_test

import (
	"io/fs"
	"strings"
	"testing"

	"mangrove/internal/audit"
	"mangrove/internal/store"
	"mangrove/internal/store/storetest"
)

// TestRareTypes: a partial index is used by queries that repeat its condition.
func TestRareTypes(t *testing.T) {
	text, err := fs.ReadFile(store.Migrations(), "migrations/00004_records.sql")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "WHERE "+store.RareTypes()+";") {
		t.Errorf("no index has the condition %s: a change of audit.Common needs a migration", store.RareTypes())
	}
}

// TestRecordsUseIndexes: each read walks along an index and sorts nothing, so
// that it steps over no more rows than its limit.
func TestRecordsUseIndexes(t *testing.T) {
	s := storetest.Open(t, storetest.SQLite)
	check := func(index, q string, args []any) {
		t.Helper()
		plan, err := s.Plan(q, args...)
		if err != nil || len(plan) != 1 || !strings.Contains(plan[0], index) || strings.HasPrefix(plan[0], "SCAN") {
			t.Errorf("%s: %q, %v", q, plan, err)
		}
	}
	for index, span := range map[string]audit.Span{
		"PRIMARY KEY":       {Limit: 10},
		"logs_by_user":      {UserID: "auth0|a", Limit: 10},
		"logs_by_rare_type": {Type: audit.LoginFailed, Limit: 10},
	} {
		for _, newest := range []bool{true, false} {
			span.Newest = newest
			q, args := store.LogQuery(span)
			check(index, q, args)
		}
	}
	for index, q := range store.SessionQueries() {
		args := make([]any, strings.Count(q, "?"))
		for i := range args {
			args[i] = int64(2)
		}
		check(index, q, args)
	}
}
