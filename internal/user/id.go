package user

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"sync/atomic"
	"time"
)

var idCounter atomic.Uint32

// idNode tells apart what several processes make in one second.
var idNode = func() (b [5]byte) {
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return
}()

// NewLocalID makes the 24 hex digits of an id of ours: four bytes of time, five
// of the process, three of a counter (reference/users.md §1.4). Ids grow with
// time, so that a bulk insert goes to one end of the index.
func NewLocalID(now time.Time) string {
	var b [12]byte
	binary.BigEndian.PutUint32(b[:4], uint32(now.Unix()))
	copy(b[4:9], idNode[:])
	n := idCounter.Add(1)
	b[9], b[10], b[11] = byte(n>>16), byte(n>>8), byte(n)
	return hex.EncodeToString(b[:])
}
