package store

import "context"

// Seen keeps messages of identity providers beside the assertions of clients: both
// are hashes of what was used, until it could not be used any more.
func (s *Store) Seen(ctx context.Context, key string, until int64) (first bool, err error) {
	return s.UseAssertion(ctx, key, until)
}
