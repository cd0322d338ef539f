package script

import (
	"runtime"
	"sync"
)

// watch bounds what scripts cost that nothing stops: the engine has walks that see no
// interrupt, and some end after the server does. Each takes a core and its memory.
//
// While a run of a script is lost, the script is not run again; so no more of it are
// lost than were under way at that moment, which is its share of the slots. A lost
// run gives its place to others, unless too many are lost already.
type watch struct {
	mu       sync.Mutex
	programs map[string]*program // by source, as long as a run is under way
	lost     int
	share    int // runs of one script at a time
	most     int // lost runs that give back their place
}

// program is a script of which runs are under way.
type program struct {
	source string
	share  chan struct{}
	// working are its runs in which JavaScript is at work: each takes a core, and they
	// must leave some of them to everybody else. hashing are the password hashes that are
	// computed for it.
	working, hashing chan struct{}
	runs             int // under way or waiting
	lost             int
}

// fate of a run: it ends, or it is lost first.
type fate struct{ ended, lost bool }

func newWatch(atOnce int) watch {
	return watch{programs: map[string]*program{}, share: (atOnce + 1) / 2, most: atOnce}
}

// cores are those that one script may use at a time: half of them.
func cores() int { return (runtime.GOMAXPROCS(0) + 1) / 2 }

// enter counts a run that begins. A *Failure when an earlier one does not stop.
func (w *watch) enter(source string) (*program, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.programs[source]
	if p == nil {
		p = &program{source: source, share: make(chan struct{}, w.share)}
		p.working, p.hashing = make(chan struct{}, cores()), make(chan struct{}, runtime.GOMAXPROCS(0))
		w.programs[source] = p
	}
	if err := p.stuck(); err != nil {
		return nil, err
	}
	p.runs++
	return p, nil
}

// admit is asked again when a run that waited has its place.
func (w *watch) admit(p *program) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return p.stuck()
}

func (p *program) stuck() error {
	if p.lost == 0 {
		return nil
	}
	return &Failure{Kind: Busy, Message: "an earlier run of this script does not stop and uses a core: change the script, and restart the server"}
}

func (w *watch) leave(p *program) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p.runs--; p.runs == 0 {
		delete(w.programs, p.source)
	}
}

// lose gives a run up, unless it has just ended, and reports whether its place is free.
func (w *watch) lose(p *program, f *fate) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if f.ended {
		return false
	}
	f.lost = true
	p.lost++
	w.lost++
	return w.lost <= w.most
}

// ended says that a run is over, lost or not.
func (w *watch) ended(p *program, f *fate) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if f.ended = true; f.lost {
		p.lost--
		w.lost--
	}
}
