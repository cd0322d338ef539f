package store

import "mangrove/internal/audit"

// What the tests of logs and sessions may reach.

// LogQuery is the text and the arguments that read a span.
func LogQuery(s audit.Span) (string, []any) { return logQuery(s) }

// RareTypes is the condition of the index of types.
func RareTypes() string { return rareTypes() }

// SessionQueries are the statements that find sessions other than by their cookie.
func SessionQueries() map[string]string {
	return map[string]string{
		"sessions_by_id": selectSessionByID, "sessions_of_user": sessionsOf,
	}
}
