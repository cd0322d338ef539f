package bench

import (
	"fmt"
	"io"
	"sync/atomic"
	"text/tabwriter"
	"time"
)

// Write prints the results as a table, and below it the first error of each
// kind that had any.
func Write(w io.Writer, results []*Result) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "what\tclients\tops\tops/s\tp50\tp95\tp99\tmax\terrors\t")
	for _, r := range results {
		fmt.Fprintf(t, "%s\t%d\t%d\t%.0f\t%s\t%s\t%s\t%s\t%d\t\n", r.What, r.Clients, r.Ops, r.PerSecond(),
			short(r.Latencies.Quantile(0.50)), short(r.Latencies.Quantile(0.95)), short(r.Latencies.Quantile(0.99)),
			short(r.Latencies.Max()), r.Errors)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, r := range results {
		if r.FirstErr != nil {
			if _, err := fmt.Fprintf(w, "\n%s: %d errors, the first: %v\n", r.What, r.Errors, r.FirstErr); err != nil {
				return err
			}
		}
	}
	return nil
}

// short writes a duration with three digits that matter.
func short(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.2f ms", d.Seconds()*1e3)
	case d < 100*time.Millisecond:
		return fmt.Sprintf("%.1f ms", d.Seconds()*1e3)
	case d < time.Second:
		return fmt.Sprintf("%.0f ms", d.Seconds()*1e3)
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}

// progress tells how a measurement goes: by rewriting one line on a terminal,
// elsewhere by a line every five seconds.
type progress struct {
	out      io.Writer
	terminal bool
	what     string
	total    time.Duration
	ops      atomic.Uint64
	errors   atomic.Uint64
}

func (p *progress) add(ops uint64, failed bool) {
	p.ops.Add(ops)
	if failed {
		p.errors.Add(1)
	}
}

// begin starts telling; the returned function ends it and waits until it ended.
func (p *progress) begin(start time.Time) (stop func()) {
	if p.out == nil {
		return func() {}
	}
	every := 5 * time.Second
	if p.terminal {
		every = 200 * time.Millisecond
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-done:
				if p.terminal {
					fmt.Fprint(p.out, "\r\x1b[K")
				}
				return
			case now := <-tick.C:
				p.line(now.Sub(start))
			}
		}
	}()
	return func() { close(done); <-ended }
}

func (p *progress) line(elapsed time.Duration) {
	text := fmt.Sprintf("%-8s %3.0f %%  %d done, %.0f/s, %d errors", p.what,
		min(100, 100*elapsed.Seconds()/p.total.Seconds()), p.ops.Load(), float64(p.ops.Load())/elapsed.Seconds(), p.errors.Load())
	if p.terminal {
		fmt.Fprint(p.out, "\r"+text+"\x1b[K")
		return
	}
	fmt.Fprintln(p.out, text)
}
