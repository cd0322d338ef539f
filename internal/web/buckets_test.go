package web

import (
	"strconv"
	"testing"
	"time"
)

// A bucket of three calls that gets one back each 400 ms.
func TestSpend(t *testing.T) {
	const ms = int64(time.Millisecond)
	const burst, each = 3, 400 * ms
	const base = int64(1_000_000_000_000) // 1000 s
	for _, tc := range []struct {
		name      string
		full, now int64 // ms after base
		next      int64
		want      Standing
	}{
		{"never used", -1_000_000, 0, 400, Standing{true, 0, 2, 1001, 0}},
		{"full since long", -5000, 100, 500, Standing{true, 0, 2, 1001, 0}},
		{"second", 400, 0, 800, Standing{true, 0, 1, 1001, 0}},
		{"third", 800, 0, 1200, Standing{true, 0, 0, 1002, 0}},
		{"fourth", 1200, 0, 1200, Standing{false, 0, 0, 1002, 1}},
		{"almost one back", 1200, 399, 1200, Standing{false, 0, 0, 1002, 1}},
		{"one back", 1200, 400, 1600, Standing{true, 0, 0, 1002, 0}},
		{"one and a half back", 1200, 600, 1600, Standing{true, 0, 0, 1002, 0}},
		{"two back", 1200, 800, 1600, Standing{true, 0, 1, 1002, 0}},
		{"a clock that jumped back an hour", 3_600_000, 0, 1200, Standing{false, 0, 0, 1002, 1}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			next, got := spend(base+tc.full*ms, base+tc.now*ms, burst, each)
			if next != base+tc.next*ms || got != tc.want {
				t.Errorf("next %d, %+v; want %d, %+v", (next-base)/ms, got, tc.next, tc.want)
			}
		})
	}
	if _, s := spend(base, base, 1, 30*int64(time.Second)); s.Wait != 0 || s.Reset != 1030 {
		t.Errorf("a slow bucket: %+v", s)
	}
	if _, s := spend(base+30*int64(time.Second), base, 1, 30*int64(time.Second)); s.Admitted || s.Wait != 30 {
		t.Errorf("a slow bucket, again: %+v", s)
	}
}

// Memory is bounded, and the busy keep their buckets when many others come.
func TestBucketsAreBounded(t *testing.T) {
	var l Buckets[string]
	b, now := NewBucket(1, 0.001), time.Unix(1_000_000, 0)
	l.Draw("busy", b, now)
	for i := range 5 * maxBuckets {
		l.Draw("client"+strconv.Itoa(i), b, now)
		if i%100 == 0 && l.Draw("busy", b, now).Admitted {
			t.Fatalf("the busy client was forgotten after %d others", i)
		}
	}
	if n := len(l.late) + len(l.early); n > 2*maxBuckets {
		t.Errorf("%d buckets", n)
	}
}

func TestNewBucket(t *testing.T) {
	for _, b := range []Bucket{NewBucket(0, 0), NewBucket(5, 0), NewBucket(0, 5)} {
		if b != (Bucket{}) {
			t.Errorf("%+v limits", b)
		}
	}
	if b := NewBucket(50, 16); b.Burst != 50 || b.Each != time.Second/16 {
		t.Errorf("%+v", b)
	}
}
