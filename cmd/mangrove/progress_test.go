package main

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"
)

func TestJobText(t *testing.T) {
	rows := func(total, failed int64) *jobSummary { return &jobSummary{Total: total, Failed: failed} }
	for _, c := range []struct {
		name    string
		job     jobState
		elapsed time.Duration
		want    string
	}{
		{"waiting", jobState{Status: "pending"}, time.Minute, "pending"},
		{"just begun", jobState{Status: "processing"}, time.Second, "processing"},
		{"the server tells what is left", jobState{Status: "processing", Percentage: 50, Left: 75}, time.Minute, "[###############---------------]  50 %  1m15s left"},
		{"it does not", jobState{Status: "processing", Percentage: 25}, 10 * time.Second, "[#######-----------------------]  25 %  30s left"},
		{"too early to tell", jobState{Status: "processing", Percentage: 25}, time.Second, "[#######-----------------------]  25 %"},
		{"rows", jobState{Status: "processing", Percentage: 10, Left: 9, Summary: rows(5000, 0)}, 2 * time.Second, "[###---------------------------]  10 %  5000 rows  2500/s  9s left"},
		{"failures", jobState{Status: "processing", Summary: rows(100, 7)}, 0, "processing  100 rows  7 failed"},
		{"a server that counts badly", jobState{Status: "processing", Percentage: 250, Left: 1}, 0, "[##############################] 250 %  1s left"},
	} {
		if got := jobText(c.job, c.elapsed); got != c.want {
			t.Errorf("%s: %q", c.name, got)
		}
	}
	for n, want := range map[int64]string{0: "uploading [------------------------------]   0 %", 50: "uploading [###############---------------]  50 %"} {
		if got := uploadText(n, 100); got != want {
			t.Errorf("%d: %q", n, got)
		}
	}
	if got := uploadText(3<<20, 0); got != "uploading, 3 MB" {
		t.Errorf("%q", got)
	}
}

func TestProgress(t *testing.T) {
	for _, c := range []struct {
		name     string
		terminal bool
		quiet    bool
		want     string
	}{
		{"a terminal", true, false, "\r0s\x1b[K\r1s\x1b[K\r4s\x1b[K\r5s\x1b[K\r11s\x1b[K\r\x1b[K"},
		{"a file", false, false, "5s\n11s\n"},
		{"quiet", true, true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			now := time.Unix(1_750_000_000, 0)
			p := newProgress(&out, c.quiet)
			p.terminal, p.start, p.now = c.terminal, now, func() time.Time { return now }
			for _, pause := range []time.Duration{0, time.Second, 3 * time.Second, time.Second, 6 * time.Second} {
				now = now.Add(pause)
				p.show(p.elapsed().String())
				now = now.Add(time.Millisecond) // sooner than anybody reads
				p.show("too soon")
				now = now.Add(-time.Millisecond)
			}
			p.clear()
			p.clear()
			if out.String() != c.want {
				t.Errorf("%q", out.String())
			}
		})
	}
}

func TestRowErrorLine(t *testing.T) {
	for row, want := range map[string]string{
		`{"user":{"email":"a@b","user_id":"x"},"errors":[{"code":"FORMAT","message":"m1","path":"email"},{"code":"PATTERN","message":"m2"}]}`: "a@b  FORMAT: m1; PATTERN: m2",
		`{"user":{"user_id":"auth0|1"},"errors":[{"code":"X","message":"m"}]}`:                                                                "auth0|1  X: m",
		`{"user":{},"errors":[{"code":"X","message":"m (row 7)"}]}`:                                                                           "a row  X: m (row 7)",
		`{"user":{"email":7},"errors":[{"code":"INVALID_TYPE","message":"m"}]}`:                                                               "a row  INVALID_TYPE: m",
	} {
		var e rowError
		if err := json.Unmarshal([]byte(row), &e); err != nil {
			t.Fatal(err)
		}
		if got := e.line(); got != want {
			t.Errorf("%s: %q", row, got)
		}
	}
}
