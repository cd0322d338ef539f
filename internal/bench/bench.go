package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options of a run. URL, ClientID and Secret are required.
type Options struct {
	URL      string // of the server, without a slash at the end
	ClientID string // a management client
	Secret   string
	What     []string // names of Kinds, measured in this order
	Clients  int      // at once
	Duration time.Duration
	Users    int // how many users are there to be read, patched and signed in
	Rows     int // of an import file
	// Progress is told how it goes; nil: nobody is.
	Progress io.Writer
	// Terminal says that Progress can rewrite its line.
	Terminal bool
	// HTTP is the client to use; nil: one with a connection for each of Clients.
	HTTP *http.Client
}

// Kinds of work, in the order in which they are measured by default.
var Kinds = []string{"create", "get", "search", "patch", "import", "login", "upstream", "script", "webhook", "migrate", "token", "refresh"}

// Result of one kind of work.
type Result struct {
	What      string
	Clients   int
	Ops       uint64 // successful operations; rows of an import
	Errors    uint64
	FirstErr  error // of Errors
	Elapsed   time.Duration
	Latencies Histogram // of requests, or of whole import jobs; failed ones included
}

// PerSecond is the rate of successful operations.
func (r *Result) PerSecond() float64 {
	if r.Elapsed <= 0 {
		return 0
	}
	return float64(r.Ops) / r.Elapsed.Seconds()
}

// Check tells what is wrong with the options, all at once.
func (o Options) Check() error {
	var wrong []error
	for name, s := range map[string]string{"--url": o.URL, "--client-id": o.ClientID, "MANGROVE_BENCH_CLIENT_SECRET": o.Secret} {
		if s == "" {
			wrong = append(wrong, fmt.Errorf("%s is needed", name))
		}
	}
	slices.SortFunc(wrong, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	for _, w := range o.What {
		if !slices.Contains(Kinds, w) {
			wrong = append(wrong, fmt.Errorf("--what: %q is none of %s", w, strings.Join(Kinds, ", ")))
		}
	}
	for _, n := range []struct {
		name string
		n    int64
	}{{"--clients", int64(o.Clients)}, {"--duration", int64(o.Duration)}, {"--users", int64(o.Users)}, {"--rows", int64(o.Rows)}} {
		if n.n < 1 {
			wrong = append(wrong, fmt.Errorf("%s has to be more than nothing", n.name))
		}
	}
	return errors.Join(wrong...)
}

// Run measures one kind after the other. It works in a connection and with a
// client of its own, both removed at the end, so that a server in use is left
// as it was. The results so far come along with an error.
func Run(ctx context.Context, o Options) (results []*Result, err error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	s, err := prepare(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("preparing: %w", err)
	}
	defer func() { err = errors.Join(err, s.cleanUp(context.WithoutCancel(ctx))) }()
	for _, what := range o.What {
		r, err := s.measure(ctx, what)
		if err != nil {
			return results, fmt.Errorf("%s: %w", what, err)
		}
		results = append(results, r)
	}
	return results, nil
}

// op does one piece of work; n numbers the pieces. It returns how much was done.
type op func(ctx context.Context, n uint64) (done uint64, err error)

func (s *stage) measure(ctx context.Context, what string) (*Result, error) {
	s.verify = nil
	do, clients, err := s.work(ctx, what)
	if err != nil {
		return nil, err
	}
	result := &Result{What: what, Clients: clients}
	live := &progress{out: s.Progress, terminal: s.Terminal, what: what, total: s.Duration}

	timed, cancel := context.WithTimeout(ctx, s.Duration)
	defer cancel()
	var (
		next  atomic.Uint64
		mu    sync.Mutex
		group sync.WaitGroup
	)
	start := time.Now()
	stop := live.begin(start)
	for range clients {
		group.Go(func() {
			var own Result
			// What has begun is finished: a request that is cut off in the middle
			// would count as an error of the server.
			// However short the time, each client does something: no result is empty.
			for first := true; ctx.Err() == nil && (first || timed.Err() == nil); first = false {
				begin := time.Now()
				done, err := do(ctx, next.Add(1))
				own.Latencies.Add(time.Since(begin))
				own.Ops += done
				live.add(done, err != nil)
				if err != nil {
					own.Errors++
					if own.FirstErr == nil {
						own.FirstErr = err
					}
				}
			}
			mu.Lock()
			defer mu.Unlock()
			result.Ops += own.Ops
			result.Errors += own.Errors
			result.Latencies.Merge(&own.Latencies)
			if result.FirstErr == nil {
				result.FirstErr = own.FirstErr
			}
		})
	}
	group.Wait()
	result.Elapsed = time.Since(start)
	stop()
	if err := ctx.Err(); err != nil || s.verify == nil {
		return result, err
	}
	return result, s.verify(ctx)
}
