package script

import (
	"fmt"
	"time"

	"modernc.org/quickjs"
)

// machine is a virtual machine with the library in it, for one run. To make it takes
// far longer than most scripts do: an engine that is in use has some in reserve.
type machine struct {
	vm    *quickjs.VM
	enter quickjs.Value // the function that js/7_enter.js returns
	// host answers the library; whoever runs a script sets it.
	host func(args []any) (any, error)
}

// spareLife is how long a machine is kept in reserve.
const spareLife = time.Minute

// collectAt is how many bytes a machine holds before it looks for garbage: the library
// alone is beyond the engine's own 256 KB, and few scripts leave anything to find.
const collectAt = 4 << 20

func newMachine() (m *machine, err error) {
	code, err := library()
	if err != nil {
		return nil, err
	}
	m = &machine{}
	if m.vm, err = quickjs.NewVM(); err != nil {
		return nil, err
	}
	// The stack keeps its default: the unit of SetMaxStackSize is calls.
	m.vm.SetMemoryLimit(DefaultMemory)
	m.vm.SetGCThreshold(collectAt)
	err = m.vm.RegisterHostFunc("__host", func(args []any) (any, error) { return m.host(args) })
	if err == nil {
		m.enter, err = m.vm.EvalBytecodeValue(code)
	}
	if err != nil {
		_ = m.vm.Close() // err says more
		return nil, err
	}
	return m, nil
}

// close frees a machine, which then is nobody's. Nobody waits for that, and a panic
// of the engine in it is nobody's either: the run has its answer.
func (m *machine) close() {
	defer func() { _ = recover() }()
	m.enter.Free()
	_ = m.vm.Close()
}

// take returns a machine in reserve, or a new one.
func (e *Engine) take() (*machine, error) {
	select {
	case m := <-e.spare:
		return m, nil
	default:
		return newMachine()
	}
}

// reserve makes a machine for the next run. A run that found one leaves as many as there
// were, and one that did not leaves one more: there are as many as have been needed at
// once, up to one a core.
func (e *Engine) reserve() {
	if e.spareLife <= 0 || len(e.spare) == cap(e.spare) {
		return
	}
	m, err := spared()
	if err != nil {
		return // the next run will meet it, and say so
	}
	select {
	case e.spare <- m:
		time.AfterFunc(e.spareLife, e.forget)
	default:
		m.close()
	}
}

// forget gives up a machine in reserve: an engine that nobody uses holds nothing.
func (e *Engine) forget() {
	select {
	case m := <-e.spare:
		m.close()
	default:
	}
}

// spared is newMachine where no run would catch a panic of the engine.
func spared() (m *machine, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("script engine: %v", p)
		}
	}()
	return newMachine()
}
