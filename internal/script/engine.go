package script

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
)

// Engine runs scripts, so many at a time. It keeps nothing of a run: each has a
// virtual machine of its own.
type Engine struct {
	// Databases are what the database modules of scripts reach; nil: none. It is set
	// before the first run.
	Databases Databases

	client *http.Client
	rand   io.Reader
	slots  chan struct{}
	// hashing are the places in which password hashes are computed: one more than a script
	// may have, so that none keeps the others waiting.
	hashing chan struct{}
	grace   time.Duration // after Limits.Time, before a run is given up
	watch   watch
	// spare holds machines that no script has seen, for spareLife at most.
	spare     chan *machine
	spareLife time.Duration
}

// DefaultAtOnce is how many scripts run at a time where nothing else is set;
// most of them wait for the network.
const DefaultAtOnce = 32

// New makes an engine whose scripts reach the network through client (package
// outbound) alone. atOnce bounds the runs at a time; zero: DefaultAtOnce.
func New(client *http.Client, rand io.Reader, atOnce int) *Engine {
	if atOnce <= 0 {
		atOnce = DefaultAtOnce
	}
	return &Engine{
		client: client, rand: rand, slots: make(chan struct{}, atOnce), grace: time.Second, watch: newWatch(atOnce),
		hashing: make(chan struct{}, runtime.GOMAXPROCS(0)+1),
		spare:   make(chan *machine, min(atOnce, runtime.GOMAXPROCS(0))), spareLife: spareLife,
	}
}

// Call is one script to run.
type Call struct {
	// Source is a function expression, or a program that declares one of Names,
	// or that sets module.exports.
	Source string
	Names  []string
	// Args are the arguments, as JSON; the callback is put behind them.
	Args []any
	// Fold: a function that declares as many parameters as there are Args takes
	// the callback for the last one, which then carries the members of the last of
	// Args too (the two-argument form of old profile scripts).
	Fold bool
	// Globals are further names that the script sees, as JSON (configuration).
	Globals map[string]any
	// Secrets are hidden wherever the script's words go: console and errors.
	Secrets []string
	Limits  Limits
}

// Line is a line of the console.
type Line struct {
	Level string `json:"level"` // debug, info, warn, error
	Text  string `json:"text"`
}

// Outcome is what came of a run, whether or not it has an answer.
type Outcome struct {
	Result  json.RawMessage // strict JSON, compact; null: the callback was called without a value
	Console []Line
}

// Run runs a script. The first answer counts: a call of the callback, or what a
// returned promise yields other than undefined. Errors are *Failure, or that of ctx.
func (e *Engine) Run(ctx context.Context, c Call) (Outcome, error) {
	limits := c.Limits.orDefaults()
	ctx, cancel := context.WithTimeout(ctx, limits.Time)
	defer cancel()
	p, err := e.watch.enter(c.Source)
	if err != nil {
		return Outcome{}, err
	}
	free, err := e.slot(ctx, p)
	if err != nil {
		e.watch.leave(p)
		return Outcome{}, err
	}
	var fate fate
	r := &run{
		engine: e, call: c, limits: limits, mask: newMask(c.Secrets),
		happened: make(chan event, limits.Requests+limits.Queries), working: p.working, hashing: p.hashing,
	}
	done := make(chan error, 1)
	// A goroutine of its own: the stack that a deep recursion makes grow goes with it.
	go func() {
		// A wild pointer of the engine is a panic of this run, not the end of the server.
		debug.SetPanicOnFault(true)
		defer free()
		defer e.watch.leave(p)
		answer := r.whole(ctx)
		e.watch.ended(p, &fate)
		done <- answer
		if r.machine != nil {
			r.machine.close()
		}
		r.linger()
		e.reserve()
	}()
	ended, err := e.await(ctx, done)
	if !ended {
		if e.watch.lose(p, &fate) {
			free()
		}
		return Outcome{}, &Failure{Kind: TooLong, Message: fmt.Sprintf("no answer within %s, and it does not stop: it uses a core until it does, or the server restarts", limits.Time)}
	}
	if err != nil {
		return Outcome{Console: r.console}, err
	}
	return Outcome{Result: r.result, Console: r.console}, nil
}

// slot waits for a place for a run: its script's share first, then one of all. The
// function gives both back, once, however often it is called.
func (e *Engine) slot(ctx context.Context, p *program) (free func(), err error) {
	taken := 0
	free = func() {
		if taken > 1 {
			<-e.slots
		}
		if taken > 0 {
			<-p.share
		}
	}
	for _, place := range []chan struct{}{p.share, e.slots} {
		select {
		case place <- struct{}{}:
			taken++
		case <-ctx.Done():
			free()
			if errors.Is(ctx.Err(), context.Canceled) {
				return nil, ctx.Err()
			}
			return nil, &Failure{Kind: Busy, Message: "all sandboxes are in use"}
		}
	}
	if err := e.watch.admit(p); err != nil { // it may have been lost while this one waited
		free()
		return nil, err
	}
	return sync.OnceFunc(free), nil
}

// await waits for the end of a run. There are walks within the engine that see no
// interrupt; nobody has to wait for one of these (watch.go).
func (e *Engine) await(ctx context.Context, done <-chan error) (ended bool, err error) {
	select {
	case err = <-done:
		return true, err
	case <-ctx.Done():
	}
	last := time.NewTimer(e.grace)
	defer last.Stop()
	select {
	case err = <-done:
		return true, err
	case <-last.C:
		return false, nil
	}
}
