package query

import "fmt"

// Error is what is wrong with a query, and where.
type Error struct {
	At   int    // the byte of the query, from 0
	Text string // without the place; does not repeat the query's values
}

func (e *Error) Error() string { return fmt.Sprintf("%s at position %d", e.Text, e.At) }
