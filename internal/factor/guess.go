package factor

// GuessKind tells the buckets of a user apart.
type GuessKind string

// The buckets.
const (
	Guessing GuessKind = "guess" // at codes, recovery codes, keys
	Sending  GuessKind = "send"  // of codes
)

// The limit of both buckets (reference/authentication.md §7.7, security.md 79):
// ten, and then one each six minutes. What is right empties the count.
const (
	burst     = 10
	comesBack = 6 * 60 * 1_000_000 // microseconds
)

// Admit is the rule of a bucket kept as one number: the time at which it will be
// full again. It returns that time after one more was taken; no: it is empty. The
// store does the same in one statement.
func Admit(full, now int64) (next int64, ok bool) {
	if full < now {
		full = now
	}
	if full > now+Slack {
		return full, false
	}
	return full + comesBack, true
}

// Slack is how far ahead a bucket may be for another one to be admitted, and
// Interval what one costs; microseconds.
const (
	Slack    = (burst - 1) * comesBack
	Interval = comesBack
)
