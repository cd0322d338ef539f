package script

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"modernc.org/quickjs"

	"mangrove/internal/strictjson"
)

// run is one script in its virtual machine. All of it but event senders belongs
// to one goroutine.
type run struct {
	engine *Engine
	call   Call
	limits Limits
	mask   mask

	*machine
	ctx  context.Context
	busy stopwatch

	// abroad is the context of what goes on outside; it may outlive an answer (linger).
	abroad   context.Context
	leave    context.CancelFunc // ends abroad
	sessions sessions
	queried  int // operations of databases, ever

	derivations int           // password hashes, ever
	working     chan struct{} // that of its program; hashing likewise
	hashing     chan struct{}
	ciphers     []*ciphering

	soon     bool // js/1_host.js has something to do later
	timers   alarms
	set      int         // timers, ever
	asked    int         // requests, ever
	pending  int         // requests without an answer
	held     map[int]int // bytes of what is under way outside, by the number of its event
	holding  int         // the sum of them
	happened chan event
	outside  sync.WaitGroup

	settled  bool
	outcome  string
	fatal    *Failure // set by the host while JavaScript is at work
	late     bool     // likewise: the context ended while JavaScript waited
	result   json.RawMessage
	console  []Line
	consoled int // bytes
}

// event is the answer to something that went on outside.
type event struct {
	id   int
	text string // JSON
}

// whole is the work of a run. Its machine is left to whoever called.
func (r *run) whole(ctx context.Context) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r.ctx = ctx
	r.abroad, r.leave = context.WithCancel(context.WithoutCancel(ctx))
	follow := context.AfterFunc(ctx, r.leave)
	defer func() {
		if !r.settled || err != nil || !follow() {
			r.leave()
		}
	}()
	defer r.caught(&err)
	if r.machine, err = r.engine.take(); err != nil {
		return r.judge(err)
	}
	r.machine.host = r.host
	r.busy.limit, r.busy.ring = r.limits.Busy, r.vm.Interrupt
	defer r.busy.stop()
	r.vm.SetMemoryLimit(uintptr(r.limits.Memory))
	stop := context.AfterFunc(ctx, r.vm.Interrupt)
	defer stop()
	if err := r.start(); err != nil {
		return err
	}
	if err := r.loop(); err != nil {
		return err
	}
	return r.read()
}

// lingers is how long what a script did not wait for may go on after its answer: the
// request or the UPDATE that it started and forgot.
const lingers = 2 * time.Second

// linger lets what is under way outside end, and closes what the script left open.
func (r *run) linger() {
	if r.leave == nil {
		return
	}
	last := time.AfterFunc(lingers, r.leave)
	r.outside.Wait()
	last.Stop()
	r.leave()
	r.sessions.close()
}

// beside does work outside; its answer, JSON, becomes the event of that number.
func (r *run) beside(id int, work func(ctx context.Context) string) {
	r.pending++
	r.outside.Go(func() {
		e := event{id, work(r.abroad)}
		select {
		case r.happened <- e:
		case <-r.abroad.Done():
		}
	})
}

// caught makes of a panic of the engine an error.
func (r *run) caught(err *error) {
	if p := recover(); p != nil {
		*err = &Failure{Kind: Broken, Message: clip(r.mask.hide(fmt.Sprint(p)), maxMessage)}
	}
}

// start evaluates the source and calls its function.
func (r *run) start() error {
	globals, err := json.Marshal(r.call.Globals)
	if err != nil {
		return err
	}
	if len(r.call.Globals) > 0 {
		if err := r.into("set", string(globals)); err != nil {
			return err
		}
	}
	fn, err := r.evaluate()
	if err != nil {
		return err
	}
	defer fn.Free()
	args := r.call.Args
	if args == nil {
		args = []any{}
	}
	names := r.call.Names
	if names == nil {
		names = []string{}
	}
	call, err := json.Marshal(map[string]any{"args": args, "names": names, "fold": r.call.Fold})
	if err != nil {
		return err
	}
	return r.into("run", fn, string(call))
}

func (r *run) evaluate() (quickjs.Value, error) {
	v, err := reading(r.call.Source, r.call.Names, r.eval)
	return v, r.judge(err)
}

func (r *run) eval(source string) (v quickjs.Value, err error) {
	err = r.timed(func() error {
		v, err = r.vm.EvalValue(source, quickjs.EvalGlobal)
		return err
	})
	return v, err
}

// into calls the library and then what it has left to do.
func (r *run) into(args ...any) error {
	err := r.timed(func() error {
		v, err := r.enter.CallValue(quickjs.UndefinedValue, args...)
		if err == nil {
			v.Free()
		}
		return err
	})
	for n := 1; err == nil && n > 0 && !r.settled; {
		err = r.timed(func() (e error) {
			n, e = r.vm.ExecutePendingJobs()
			return e
		})
	}
	if r.settled && r.fatal == nil && !r.late {
		return nil // whatever happened after the answer
	}
	return r.judge(err)
}

// timed lets JavaScript work for what is left of its time.
func (r *run) timed(work func() error) error {
	if r.ctx.Err() != nil || r.busy.over() {
		return errInterrupted
	}
	select {
	case r.working <- struct{}{}:
	case <-r.ctx.Done():
		return errInterrupted
	}
	defer func() { <-r.working }() // after a panic of the engine too
	r.busy.start()
	err := work()
	r.busy.stop()
	if r.fatal != nil {
		return r.fatal
	}
	if r.late {
		return errInterrupted
	}
	return err
}

var errInterrupted = errors.New("interrupted")

// loop waits for timers and answers until the script has settled.
func (r *run) loop() error {
	for !r.settled {
		if r.soon {
			r.soon = false
			if err := r.into("soon"); err != nil {
				return err
			}
			continue
		}
		wait, armed := r.timers.next(time.Now())
		if !armed && r.pending == 0 {
			return &Failure{Kind: NoAnswer, Message: "the script has nothing left to do and did not call its callback"}
		}
		var ring <-chan time.Time
		var timer *time.Timer
		if armed {
			timer = time.NewTimer(wait)
			ring = timer.C
		}
		var err error
		select {
		case <-r.ctx.Done():
			err = r.judge(errInterrupted)
		case e := <-r.happened:
			r.pending--
			r.holding -= r.held[e.id]
			delete(r.held, e.id)
			err = r.into("event", e.id, e.text)
		case <-ring:
			err = r.into("timer", r.timers.take())
		}
		if timer != nil {
			timer.Stop()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// read makes of what the script settled on the result or the failure.
func (r *run) read() error {
	if len(r.outcome) > r.limits.Result+len(`{"result":}`) {
		if strings.HasPrefix(r.outcome, `{"result":`) {
			return tooMuch("the result is larger than %d bytes", r.limits.Result)
		}
		return (&Failure{Kind: Threw, Message: "an error larger than a result may be"}).clip(r.mask)
	}
	// The script may have replaced what writes JSON, so nothing is taken for granted.
	raw, err := strictjson.Compact([]byte(r.outcome))
	o := strictjson.ParseDocument(raw)
	if err != nil || o == nil {
		return &Failure{Kind: BadResult, Message: "the result is not JSON that can be stored"}
	}
	switch {
	case o["error"] != nil:
		e := o.Object("error")
		f := judge(e.Text("name"), e.Text("message"), e.Text("stack"), e.Flag("null"))
		if members := e.Object("members"); len(members) > 0 {
			f.Members = members.Encode()
		}
		if f.Kind == Syntax { // the script's own eval or JSON.parse
			f.Kind = Threw
		}
		return f.clip(r.mask)
	case o.Flag("none"):
		return &Failure{Kind: NoFunction, Message: "the script is no function"}
	case o["result"] == nil:
		return &Failure{Kind: BadResult, Message: "the result is not JSON that can be stored"}
	}
	r.result = o["result"]
	return nil
}

// judge says what an error of the engine means.
func (r *run) judge(err error) error {
	if err == nil {
		return nil
	}
	var f *Failure
	if errors.As(err, &f) {
		return f.clip(r.mask)
	}
	var e *quickjs.Error
	stopped := errors.Is(err, errInterrupted) || errors.As(err, &e) && e.Name == "InternalError" && e.Message == "interrupted"
	switch {
	case stopped && r.fatal != nil:
		return r.fatal.clip(r.mask)
	case stopped && errors.Is(r.ctx.Err(), context.Canceled):
		return r.ctx.Err()
	case stopped && r.ctx.Err() != nil:
		return tooLong(e, "no answer within %s", r.limits.Time).clip(r.mask)
	case stopped:
		return tooLong(e, "more than %s of work", r.limits.Busy).clip(r.mask)
	case e != nil:
		f = judge(e.Name, e.Message, e.Stack, e.Name == "" && err.Error() == "null")
		if e.Name == "" && f.Message == "" {
			f.Message = err.Error()
		}
		if f.Kind == Syntax || e.Name == "SyntaxError" && e.LineNumber > 0 {
			f.Kind, f.Line = Syntax, max(e.LineNumber, 1)
			f.Message = fmt.Sprintf("line %d: %s", f.Line, f.Message)
		}
		return f.clip(r.mask)
	}
	return (&Failure{Kind: Broken, Message: err.Error()}).clip(r.mask)
}
