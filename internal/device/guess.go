package device

import (
	"context"
	"errors"
	"net/netip"
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

// Find looks for the code that a person typed at the address, and for no more than
// MaxGuesses wrong ones. It counts before it looks, so that guesses at the same
// moment are counted too. Errors: ErrUnknown, ErrGuessing.
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

// Origin is under what the guesses of an address are counted: one network is one
// origin, since whoever has an IPv6 address has all of its /64.
func Origin(ip string) string {
	a, err := netip.ParseAddr(ip)
	if err != nil {
		return ip
	}
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return a.String()
	}
	p, err := a.Prefix(64)
	if err != nil {
		return a.String()
	}
	return p.String()
}
