package user

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Term is one entry of the search index: the user has this value at this path.
//
// Path is the name of a search field (reference/users.md §5.1), metadata with
// its prefix and a dot for each level: email, identities.connection,
// user_metadata.address.city. Two paths are the index's own: PathAll, which
// every user has with an empty value, and PathExists, whose values are the paths
// of which a user has any value at all.
//
// Value begins with a letter for its type, so that a text, a number and a truth
// value never meet: s text, n number, b truth value, d moment. Within a type,
// values order as what they mean.
type Term struct{ Path, Value string }

// The paths that are no field.
const (
	PathAll    = ""
	PathExists = "?"
)

// maxTermText is how many bytes of a text are indexed as they are: every root
// attribute whole, and no more than an index of PostgreSQL takes. The rest stands for
// itself by a hash: whole values are told apart, and beginnings are found.
const maxTermText = 1200

// TextTerm is the value of a text.
func TextTerm(s string) string {
	if len(s) <= maxTermText {
		return "s" + s
	}
	n := maxTermText
	for !utf8.RuneStart(s[n]) {
		n--
	}
	sum := sha256.Sum256([]byte(s))
	return "s" + s[:n] + "\x01" + hex.EncodeToString(sum[:16])
}

// TermText is the value of a text without the hash that stands for its rest.
func TermText(value string) string {
	if len(value) > maxTermText+1 {
		if at := strings.LastIndexByte(value, 1); at >= 0 {
			return value[:at]
		}
	}
	return value
}

// NumberTerm is the value of a number. Minus zero is zero.
func NumberTerm(f float64) string {
	bits := math.Float64bits(f + 0)
	if bits>>63 != 0 {
		bits = ^bits
	} else {
		bits |= 1 << 63
	}
	return fmt.Sprintf("n%016x", bits)
}

// BoolTerm is the value of a truth value.
func BoolTerm(b bool) string {
	if b {
		return "b1"
	}
	return "b0"
}

// TimeTerm is the value of a moment in microseconds, to the millisecond, as it
// is shown. Moments before 1970 count as 1970.
func TimeTerm(micro int64) string { return fmt.Sprintf("d%016x", max(micro, 0)/1000) }

// TermBounds are the smallest and the largest stored number, or microsecond, that
// the value of a number or a moment stands for; they cross when there is none.
// It reports false for other values.
func TermBounds(value string) (low, high int64, ok bool) {
	if len(value) != 17 {
		return 0, 0, false
	}
	n, err := strconv.ParseUint(value[1:], 16, 64)
	switch {
	case err != nil:
		return 0, 0, false
	case value[0] == 'd':
		if n > math.MaxInt64/1000-1 {
			return math.MaxInt64, math.MaxInt64, true
		}
		return int64(n) * 1000, int64(n)*1000 + 999, true
	case value[0] != 'n':
		return 0, 0, false
	}
	if n>>63 != 0 {
		n &^= 1 << 63
	} else {
		n = ^n
	}
	f := math.Float64frombits(n)
	return clamp(math.Ceil(f)), clamp(math.Floor(f)), true
}

// clamp is f as an integer, the nearest there is.
func clamp(f float64) int64 {
	switch {
	case f >= math.MaxInt64:
		return math.MaxInt64
	case f <= math.MinInt64:
		return math.MinInt64
	}
	return int64(f)
}
