package guard

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"strings"
	"time"

	"mangrove/internal/tenant"
	"mangrove/internal/user"
)

// Memory is how long failures count after the last one; a block ends with them.
const Memory = 30 * 24 * time.Hour

// The buckets.
const (
	loginBucket  = "login"
	signupBucket = "signup"
)

// Limit is a token bucket: Burst at once, then one for each Every.
type Limit struct {
	Burst int64
	Every time.Duration
}

// The bounds keep the arithmetic of buckets within an integer.
const (
	maxBurst = 100_000
	maxEvery = 24 * time.Hour
)

func limitOf(s tenant.Stage) Limit {
	return Limit{
		Burst: min(max(s.MaxAttempts, 1), maxBurst),
		Every: time.Duration(min(max(s.Rate, 1), maxEvery.Milliseconds())) * time.Millisecond,
	}
}

// room is the latest moment, relative to now, at which a bucket may be full again
// and still give a token.
func (l Limit) room() time.Duration { return time.Duration(l.Burst-1) * l.Every }

// wait is how long a bucket that is full again at fullAt gives nothing.
func (l Limit) wait(fullAt, now int64) time.Duration {
	return max(0, time.Duration(fullAt-now)*time.Microsecond-l.room())
}

// Network is how an address is counted: IPv6 by the /64 that one household has.
// What is no address is counted as it is.
func Network(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return address
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

// allowed reports whether an address is in a list of addresses and CIDRs.
func allowed(list []string, address string) bool {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return false
	}
	a = a.Unmap().WithZone("")
	for _, entry := range list {
		if p, err := netip.ParsePrefix(entry); err == nil && p.Contains(a) {
			return true
		}
		if x, err := netip.ParseAddr(entry); err == nil && x.Unmap() == a {
			return true
		}
	}
	return false
}

// nobody is the subject of a name that is nobody's at a connection.
func nobody(connectionID, identifier string) string { return user.Stranger(connectionID, identifier) }

func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:])
}
