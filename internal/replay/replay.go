package replay

import (
	"context"

	"mangrove/internal/token"
)

// Memory is kept in the database: a message that one instance took is refused by
// the others, and after a restart.
type Memory interface {
	// Seen remembers the key until then (microseconds) and reports whether it was
	// new: of any number of calls with one key one is first.
	Seen(ctx context.Context, key string, until int64) (first bool, err error)
}

// Key is what a message is remembered by: a hash of the connection and of the id
// that the provider gave the message. What two connections receive are two messages.
func Key(connectionID, messageID string) string {
	// No client has an id that begins with NUL: the hashes of client assertions,
	// which are in the same table, are of other texts.
	return token.HashOf("\x00" + connectionID + "\x00" + messageID)
}
