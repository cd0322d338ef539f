package job

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/letter"
	"mangrove/internal/profile"
	"mangrove/internal/user"
)

// Runner leases jobs and drives them: two long ones at a time, as the reference
// does with imports, and messages beside them, which must not wait for hours. Store and Connections
// are required; the zero value of everything else is a good choice. Several
// runners, of several processes, may share a store: each job is one runner's at a
// time, and one whose runner died goes on where it was as soon as the lease ends.
type Runner struct {
	Store       Store
	Connections connection.Store
	Defaults    profile.Defaults
	// Users judges bulk updates, with a Hashing that is patient; nil: they fail.
	Users *user.Service
	Now   func() time.Time // nil: time.Now
	// Mail sends, and Letters writes, verification mails; nil: there is no mail server.
	Mail    Mailer
	Letters Writer
	// Outbox has the other mails; nil: there are none.
	Outbox letter.Outbox
	// Teller tells clients of sessions that ended; nil: they are not told.
	Teller Teller
	// NewID makes the user ids of rows that have none, without prefix; nil: user.NewLocalID.
	NewID func() string
	// Owner names this runner in leases; empty: a random text.
	Owner string
	Log   *slog.Logger // nil: discarded
	// Workers is how many rows are parsed at the same time; 0: one per processor.
	Workers int
	// BatchSize is how many rows go into one transaction; 0: 1,000, which keeps
	// everybody else's writes below some 50 ms (performance.md, design 9).
	BatchSize int
	// Pace is how long a batch of an import should take, where everybody else's
	// writes wait for it; batches get fewer rows until they do. 0: no matter.
	Pace time.Duration
	// Lease is how long a job stays ours without a sign of life; 0: 30 s.
	Lease time.Duration
	// Poll is how often to look for jobs that nobody woke us for; 0: 1 s.
	Poll time.Duration

	ready sync.Once
	wake  [len(lanes) + letterLanes]chan struct{}

	mu       sync.Mutex
	failures map[string]failure // by job
	stop     context.CancelFunc // of Start
	abort    context.CancelFunc // of Run: breaks off what is under way
	done     chan struct{}
}

// failure counts how often a job failed at one place.
type failure struct {
	cursor int64
	times  int
}

// attempts is how often a job may fail at one place, before it counts as failed.
// A database that is away does not count.
const attempts = 5

func (r *Runner) init() {
	r.ready.Do(func() {
		for i := range r.wake {
			r.wake[i] = make(chan struct{}, 1)
		}
		r.failures = make(map[string]failure)
		if r.Now == nil {
			r.Now = time.Now
		}
		if r.NewID == nil {
			r.NewID = func() string { return user.NewLocalID(r.Now()) }
		}
		if r.Owner == "" {
			r.Owner = rand.Text()
		}
		if r.Log == nil {
			r.Log = slog.New(slog.DiscardHandler)
		}
		if r.Workers <= 0 {
			r.Workers = runtime.GOMAXPROCS(0)
		}
		if r.BatchSize <= 0 {
			r.BatchSize = 1000
		}
		if r.Lease <= 0 {
			r.Lease = 30 * time.Second
		}
		if r.Poll <= 0 {
			r.Poll = time.Second
		}
	})
}

// Wake tells the runner that there may be a job. It never blocks.
func (r *Runner) Wake() {
	r.init()
	rouse(r.wake[:])
}

// WakeLetters tells the runner that there may be a letter. It never blocks.
func (r *Runner) WakeLetters() {
	r.init()
	rouse(r.wake[len(lanes):])
}

func rouse(loops []chan struct{}) {
	for _, wake := range loops {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
}

// lanes are the types of job that each loop of a runner takes.
var lanes = [...][]string{long, long, {VerificationEmail}, {BackchannelLogout}}

var long = []string{UsersImport, UsersExport, UsersUpdate, ConnectionDelete}

// Run works until ctx is done. Then it finishes the batch that is under way,
// gives the job back and returns.
func (r *Runner) Run(ctx context.Context) {
	r.init()
	work, abort := context.WithCancel(context.WithoutCancel(ctx))
	defer abort()
	r.mu.Lock()
	r.abort = abort
	r.mu.Unlock()
	var loops sync.WaitGroup
	for i := range lanes {
		loops.Go(func() {
			r.loop(ctx, r.wake[i], func() (bool, error) { return r.work(ctx, work, lanes[i]) })
		})
	}
	for i := range letterLanes {
		loops.Go(func() {
			r.loop(ctx, r.wake[len(lanes)+i], func() (bool, error) { return r.workLetter(work) })
		})
	}
	loops.Wait()
}

// loop works as long as there is something to do, and looks again when it is
// woken or has waited.
func (r *Runner) loop(ctx context.Context, wake <-chan struct{}, work func() (bool, error)) {
	timer := time.NewTimer(r.Poll)
	defer timer.Stop()
	for ctx.Err() == nil {
		found, err := work()
		if err != nil {
			r.Log.Error("job runner", "error", err)
		}
		if found && err == nil {
			continue // there may be another one
		}
		timer.Reset(r.Poll)
		select {
		case <-ctx.Done():
		case <-wake:
		case <-timer.C:
		}
	}
}

// Start runs the runner in the background. A second call does nothing.
func (r *Runner) Start() {
	r.init()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.done != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	r.stop, r.done = cancel, done
	go func() {
		defer close(done)
		r.Run(ctx)
	}()
}

// Stop returns when the runner that Start began has stopped: it finishes its
// batch and gives its job back. When ctx ends before, the batch is broken off
// (and was either written or not), and ctx's error is returned. It may be called
// twice, or before Start.
func (r *Runner) Stop(ctx context.Context) error {
	r.mu.Lock()
	stop, done := r.stop, r.done
	r.mu.Unlock()
	if done == nil {
		return nil
	}
	stop()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	r.mu.Lock()
	if r.abort != nil {
		r.abort()
	}
	r.mu.Unlock()
	<-done
	return ctx.Err()
}

// Work claims one job and drives it to its end, or until ctx is done. It reports
// whether there was one. Run calls it all the time.
func (r *Runner) Work(ctx context.Context) (found bool, err error) {
	r.init()
	return r.work(ctx, context.WithoutCancel(ctx), nil)
}

// Why a job is left in the middle.
var (
	errStopped  = errors.New("stopped")  // the runner was asked to stop
	errCanceled = errors.New("canceled") // somebody canceled the job
)

// work ends after the current batch when stopping is done; ctx is for the work
// itself. No types: any.
func (r *Runner) work(stopping, ctx context.Context, types []string) (bool, error) {
	now := r.Now()
	j, l, err := r.Store.Claim(ctx, r.Owner, now.UnixMicro(), now.Add(r.Lease).UnixMicro(), types...)
	if err != nil || j == nil {
		return false, err
	}
	t := &task{Runner: r, stopping: stopping, ctx: ctx, job: j, lease: *l, seen: now, summary: j.Summary}
	t.size.Store(int64(r.BatchSize))
	if r.Pace > 0 {
		t.size.Store(int64(max(1, r.BatchSize/4))) // the first batches are no worse than the rest
	}
	r.Log.Info("job begins", "job", j.ID, "type", j.Type, "cursor", j.Cursor)
	err = t.drive()
	if errors.Is(err, errCanceled) {
		err = t.finish(Failed, CanceledDetails)
	}
	switch {
	case err == nil:
		r.forget(j.ID)
		r.Log.Info("job ends", "job", j.ID, "type", j.Type, "inserted", t.summary.Inserted, "updated", t.summary.Updated,
			"failed", t.summary.Failed, "seconds", r.Now().Sub(now).Seconds())
		return true, nil
	case errors.Is(err, ErrLeaseLost), errors.Is(err, errLater):
		r.forget(j.ID)
		return true, nil
	case errors.Is(err, errStopped):
		return true, t.release()
	}
	return true, t.failed(err)
}

// failed decides about a job that failed for a reason which is not in its file.
func (t *task) failed(err error) error {
	r := t.Runner
	if errs.KindOf(err) != errs.Unavailable && t.ctx.Err() == nil {
		r.mu.Lock()
		f := r.failures[t.job.ID]
		if f.cursor != t.job.Cursor {
			f = failure{cursor: t.job.Cursor}
		}
		f.times++
		r.failures[t.job.ID] = f
		r.mu.Unlock()
		if f.times >= attempts {
			r.forget(t.job.ID)
			return errors.Join(err, t.finish(Failed, "Internal error."))
		}
	}
	return errors.Join(err, t.release())
}

func (r *Runner) forget(jobID string) {
	r.mu.Lock()
	delete(r.failures, jobID)
	r.mu.Unlock()
}

// task is one job while it is ours.
type task struct {
	*Runner
	stopping context.Context // done: stop after this batch
	ctx      context.Context // of the work itself
	job      *Job
	lease    Lease
	seen     time.Time // when the lease was last extended
	summary  Summary
	size     atomic.Int64 // rows of the next batch
}

func (t *task) drive() error {
	if t.job.CanceledAt != 0 {
		return errCanceled
	}
	switch t.job.Type {
	case UsersImport:
		return t.importUsers()
	case UsersExport:
		return t.exportUsers()
	case UsersUpdate:
		return t.updateUsers()
	case VerificationEmail:
		return t.sendVerification()
	case BackchannelLogout:
		return t.tellLogout()
	case ConnectionDelete:
		return t.deleteUsers()
	default:
		return t.finish(Failed, "Unknown type of job.")
	}
}

// release gives the job back, so that another runner need not wait for the lease
// to end. It works after ctx was broken off, too.
func (t *task) release() error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.ctx), 5*time.Second)
	defer cancel()
	if err := t.Store.Release(ctx, t.lease); err != nil && !errors.Is(err, ErrLeaseLost) {
		return err
	}
	return nil
}

// goOn is asked between batches: it extends the lease when a third of it has
// passed, and says when it is time to stop.
func (t *task) goOn() error {
	if t.stopping.Err() != nil {
		return errStopped
	}
	j, err := t.Store.Job(t.ctx, t.job.ID)
	if err != nil {
		return err
	}
	if j.CanceledAt != 0 {
		return errCanceled
	}
	now := t.Now()
	if now.Sub(t.seen) < t.Runner.Lease/3 {
		return nil
	}
	t.seen = now
	return t.Store.Extend(t.ctx, t.lease, now.Add(t.Runner.Lease).UnixMicro())
}

// finish ends the job with its record in the tenant log.
func (t *task) finish(status, details string) error {
	now := t.Now().UnixMicro()
	var events []audit.Event
	if t.job.Type == UsersImport {
		events = append(events, t.importEvent(status, details, now))
	}
	if err := t.Store.Finish(t.ctx, t.lease, status, details, now, events...); err != nil {
		return err
	}
	if t.job.Type == UsersImport {
		t.reportImport(status, details)
	}
	return nil
}
