package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// jobState is what the commands read of a job.
type jobState struct {
	ID         string      `json:"id"`
	Status     string      `json:"status"`
	Details    string      `json:"status_details"`
	Percentage float64     `json:"percentage_done"`
	Left       float64     `json:"time_left_seconds"`
	Summary    *jobSummary `json:"summary"`
	Location   string      `json:"location"`
}

// jobSummary counts rows.
type jobSummary struct {
	Failed   int64 `json:"failed"`
	Updated  int64 `json:"updated"`
	Inserted int64 `json:"inserted"`
	Total    int64 `json:"total"`
}

func (s *jobSummary) String() string {
	return fmt.Sprintf("inserted %d  updated %d  failed %d  total %d", s.Inserted, s.Updated, s.Failed, s.Total)
}

func (j *jobState) ended() bool { return j.Status == "completed" || j.Status == "failed" }

// pollEvery is the pause between two looks at a job.
const pollEvery = 300 * time.Millisecond

// follow looks at a job until it ends, and shows how it goes.
func (m *management) follow(ctx context.Context, id string, p *progress) (jobState, error) {
	defer p.clear()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	misses := 0
	for {
		var j jobState
		err := m.get(ctx, "/jobs/"+id, &j)
		switch {
		case ctx.Err() != nil:
			return j, ctx.Err()
		case err != nil:
			// A server that restarts goes on with the job: it may be away for a while.
			if misses++; !mayPass(err) || misses > 200 {
				return j, err
			}
		case j.ended():
			return j, nil
		default:
			misses = 0
			p.show(jobText(j, p.elapsed()))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return j, ctx.Err()
		}
	}
}

// mayPass reports whether an error may be gone at the next try.
func mayPass(err error) bool {
	var r *refused
	return !errors.As(err, &r) || r.status >= 500 || r.status == 429
}

// progress is the one line that says how it goes: rewritten on a terminal, and
// elsewhere a new line every five seconds. A nil out is quiet.
type progress struct {
	out      io.Writer
	terminal bool
	now      func() time.Time
	start    time.Time
	last     time.Time
	shown    bool
}

func newProgress(out io.Writer, quiet bool) *progress {
	p := &progress{out: out, terminal: isTerminal(out), now: time.Now, start: time.Now()}
	if quiet {
		p.out = nil
	}
	return p
}

func (p *progress) elapsed() time.Duration { return p.now().Sub(p.start) }

// show replaces what was shown, not too often.
func (p *progress) show(text string) {
	pause := 5 * time.Second
	if p.terminal {
		pause = 100 * time.Millisecond
	}
	now := p.now()
	if p.out == nil || now.Sub(p.start) < pause && !p.terminal || now.Sub(p.last) < pause {
		return
	}
	p.last = now
	if p.terminal {
		fmt.Fprint(p.out, "\r"+text+"\x1b[K")
		p.shown = true
		return
	}
	fmt.Fprintln(p.out, text)
}

// clear takes the line away.
func (p *progress) clear() {
	if p.shown {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.shown = false
	}
}

// jobText is the line about a job that has been followed for so long.
func jobText(j jobState, elapsed time.Duration) string {
	if j.Status != "processing" {
		return j.Status
	}
	var parts []string
	if j.Percentage > 0 {
		parts = append(parts, fmt.Sprintf("%s %3.0f %%", bar(j.Percentage), j.Percentage))
	} else {
		parts = append(parts, j.Status)
	}
	if s := j.Summary; s != nil && s.Total > 0 {
		parts = append(parts, fmt.Sprintf("%d rows", s.Total))
		if elapsed >= time.Second {
			parts = append(parts, fmt.Sprintf("%.0f/s", float64(s.Total)/elapsed.Seconds()))
		}
		if s.Failed > 0 {
			parts = append(parts, fmt.Sprintf("%d failed", s.Failed))
		}
	}
	switch {
	case j.Left > 0:
		parts = append(parts, left(time.Duration(j.Left*float64(time.Second))))
	case j.Percentage >= 1 && elapsed >= 2*time.Second:
		parts = append(parts, left(time.Duration(float64(elapsed)*(100-j.Percentage)/j.Percentage)))
	}
	return strings.Join(parts, "  ")
}

func left(d time.Duration) string { return d.Round(time.Second).String() + " left" }

// bar draws a percentage.
func bar(percentage float64) string {
	const width = 30
	n := int(min(100, max(0, percentage)) * width / 100)
	return "[" + strings.Repeat("#", n) + strings.Repeat("-", width-n) + "]"
}

// uploadText is the line about n bytes of a file on their way; size is zero when
// it is not known.
func uploadText(n, size int64) string {
	if size > 0 {
		percentage := 100 * float64(n) / float64(size)
		return fmt.Sprintf("uploading %s %3.0f %%", bar(percentage), percentage)
	}
	return fmt.Sprintf("uploading, %d MB", n>>20)
}

// counted tells how much of a file was read.
type counted struct {
	io.Reader
	n, size int64
	p       *progress
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.n += int64(n)
	c.p.show(uploadText(c.n, c.size))
	return n, err
}

// rowError is an element of a job's errors.
type rowError struct {
	User   json.RawMessage `json:"user"`
	Errors []struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Path    string `json:"path"`
	} `json:"errors"`
}

// line is one line about a row that failed.
func (e *rowError) line() string {
	var u struct {
		Email    string `json:"email"`
		UserID   string `json:"user_id"`
		Username string `json:"username"`
		Phone    string `json:"phone_number"`
	}
	_ = json.Unmarshal(e.User, &u) // a row that names nobody says so by its number
	who := "a row"
	for _, s := range []string{u.Email, u.UserID, u.Username, u.Phone} {
		if s != "" {
			who = s
			break
		}
	}
	texts := make([]string, len(e.Errors))
	for i, p := range e.Errors {
		texts[i] = p.Code + ": " + p.Message
	}
	return who + "  " + strings.Join(texts, "; ")
}
