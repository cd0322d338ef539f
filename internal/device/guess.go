package device

import (
	"context"
	"errors"
	"time"
)

// Guesses that one address may make in GuessWindow (security.md 79): of 20^8 codes
// nobody finds one like this.
const (
	MaxGuesses  = 20
	GuessWindow = 10 * time.Minute
)

// ErrGuessing refuses an address that typed too many wrong codes. It is no
// answer to a poll.
var ErrGuessing = errors.New("device: too many wrong codes")

// Find looks for the code that a person typed, and for no more than MaxGuesses
// wrong ones of an origin, the name under which the person's address is counted
// (guard.Network). It counts before it looks, so that guesses at the same moment
// are counted too. Errors: ErrUnknown, ErrGuessing.
func Find(ctx context.Context, s Store, typed, origin string, now time.Time) (Code, error) {
	at, until := now.UnixMicro(), now.Add(GuessWindow).UnixMicro()
	n, err := s.CountGuess(ctx, origin, 1, at, until)
	if err != nil {
		return Code{}, err
	}
	if n > MaxGuesses {
		return Code{}, ErrGuessing
	}
	c, err := s.DeviceByUserCode(ctx, Normalize(typed))
	if err == nil && !c.Usable(at) {
		err = ErrUnknown
	}
	if err != nil {
		return Code{}, err
	}
	_, err = s.CountGuess(ctx, origin, -1, at, until)
	return c, err
}
