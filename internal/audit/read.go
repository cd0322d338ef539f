package audit

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"mangrove/internal/errs"
)

// Failures of reading.
var (
	ErrNotFound = errs.New(errs.NotFound, "", "Log not found.")
	// ErrBroad refuses what would take too many events to answer. The alternative
	// would be an answer that silently lacks some.
	ErrBroad = errs.New(errs.Invalid, "invalid_query_string",
		"The search goes through too many log events. Please narrow it by user_id or by a range of date.")
	// ErrSearchTimeout ends a search that has so many conditions that it would hold
	// a processor for minutes.
	ErrSearchTimeout = errs.New(errs.Unavailable, "query_timeout", "The query exceeded the timeout. Please try refining your search criteria.")
)

// Window is how far a list reaches by page (reference/users.md §3.9).
const Window = 1000

// Step is the most events that one read of the store goes through.
const Step = 1000

// maxSteps bounds what a search goes through in all.
const maxSteps = 20

// searchLimit is how long one search may take.
const searchLimit = 2 * time.Second

// Settled is how old, in microseconds, an event is before a checkpoint shows
// it. An event is dated when its cause begins and seen when that commits: a
// reader who goes on behind the newest event would otherwise skip one that is
// older and still on its way.
const Settled = 10 * 1_000_000

// Span is a stretch of the log in the order of ids, which is that of time.
type Span struct {
	UserID string // empty: whoever
	// Type is one that is not Common, empty: any. Not together with UserID.
	Type string
	// Above and Below bound the ids, both exclusive; empty: no bound.
	Above, Below string
	Newest       bool // newest first, otherwise oldest first
	Limit        int  // at most Step
}

// Reader is what reading the log needs of storage.
type Reader interface {
	// Event finds one; ErrNotFound when there is none.
	Event(ctx context.Context, id string) (Event, error)
	// Events is the beginning of a span.
	Events(ctx context.Context, s Span) ([]Event, error)
	// CountEvents counts a span, at most to its limit.
	CountEvents(ctx context.Context, s Span) (int, error)
}

// Common are the types of which a busy log is full. Looking for one of them
// needs no index, and the log pays for none when it is written.
var Common = []string{APIOperation, LoginOK, SignupOK, CodeExchangeOK, ClientGrantOK, PasswordGrantOK}

// idLength is that of an id: 14 hex digits of microseconds, then ten more.
const idLength = 24

// IsID reports whether s has the form of an id.
func IsID(s string) bool {
	if len(s) != idLength {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// Mark is what stands, in the order of ids, before every event of that
// microsecond and behind every earlier one.
func Mark(at int64) string {
	const digits = "0123456789abcdef"
	var b [14]byte
	t := uint64(max(at, 0))
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = digits[t&15]
		t >>= 4
	}
	return string(b[:])
}

// Page is which of the events that a search finds are wanted.
type Page struct {
	Offset, Limit int // together at most Window
	// SortBy is one of the Sortable fields; empty: date.
	SortBy     string
	Descending bool
	// Total asks how many there are, counted up to Window: no page shows more.
	Total bool
}

// Sortable reports whether a list can be sorted by that field.
func Sortable(field string) bool { return field == fieldDate || sortKeys[field] != nil }

var sortKeys = map[string]func(*Event) string{
	"type": (*Event).typeOf, "description": (*Event).descriptionOf, "connection": (*Event).connectionOf, "client_id": (*Event).clientOf,
	"ip": (*Event).addressOf, "user_id": (*Event).userOf, "user_agent": (*Event).agentOf,
}

// List is a page of the events that search finds, and how many there are if the
// page asks for that. The answer is exact, or it is ErrBroad or ErrSearchTimeout.
func List(ctx context.Context, r Reader, search *Search, p Page) ([]Event, int, error) {
	ctx, cancel := context.WithTimeout(ctx, searchLimit)
	defer cancel()
	page, total, err := list(ctx, r, search, p)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = ErrSearchTimeout.Because(err)
	}
	return page, total, err
}

func list(ctx context.Context, r Reader, search *Search, p Page) ([]Event, int, error) {
	key := sortKeys[p.SortBy]
	span := search.span()
	span.Newest = p.Descending || key != nil
	want := p.Offset + p.Limit
	if p.Total || key != nil {
		want = Window
	}
	if search.exact() && key == nil {
		return listSpan(ctx, r, span, p)
	}
	found, all, err := collect(ctx, r, span, search, want)
	if err != nil {
		return nil, 0, err
	}
	if key != nil {
		if !all {
			return nil, 0, ErrBroad // what sorts first may be among the rest
		}
		slices.SortStableFunc(found, func(a, b Event) int {
			if p.Descending {
				return cmp.Compare(key(&b), key(&a))
			}
			return cmp.Compare(key(&a), key(&b))
		})
	}
	total := len(found)
	return found[min(p.Offset, total):min(p.Offset+p.Limit, total)], total, nil
}

// listSpan is List where every event of the span counts.
func listSpan(ctx context.Context, r Reader, span Span, p Page) (page []Event, total int, err error) {
	if p.Limit > 0 {
		span.Limit = p.Offset + p.Limit
		if page, err = r.Events(ctx, span); err != nil {
			return nil, 0, err
		}
		page = page[min(p.Offset, len(page)):]
	}
	if p.Total {
		span.Limit = Window
		total, err = r.CountEvents(ctx, span)
	}
	return page, total, err
}

// collect gathers the first events that match; all reports that there are no more.
func collect(ctx context.Context, r Reader, span Span, search *Search, want int) (found []Event, all bool, err error) {
	span.Limit = Step
	for range maxSteps {
		step, err := r.Events(ctx, span)
		if err != nil {
			return nil, false, err
		}
		for i := range step {
			// Thousands of conditions on one event take a while.
			if err := ctx.Err(); err != nil {
				return nil, false, err
			}
			if !search.Matches(&step[i]) {
				continue
			}
			if len(found) == want {
				return found, false, nil
			}
			found = append(found, step[i])
		}
		if len(step) < span.Limit {
			return found, true, nil
		}
		if last := step[len(step)-1].ID; span.Newest {
			span.Below = last
		} else {
			span.Above = last
		}
	}
	return nil, false, ErrBroad
}

// Since is what comes behind the event of that id, oldest first, as far as it
// has settled by now; behind an empty id: from the beginning.
func Since(ctx context.Context, r Reader, id string, limit int, now int64) ([]Event, error) {
	return r.Events(ctx, Span{Above: id, Below: Mark(now - Settled), Limit: limit})
}
