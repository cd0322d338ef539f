package bench

import (
	"math"
	"time"
)

// Histogram counts durations in buckets that are 1 % apart, so that a long run
// takes no more memory than a short one. It answers within 1 % of the truth.
// The zero Histogram is empty. It is not safe for concurrent use.
type Histogram struct {
	buckets [buckets]uint64
	n       uint64
	max     time.Duration
}

const (
	growth  = 1.01
	buckets = 2400 // 1 µs · 1.01^2400 is more than six hours
)

var logGrowth = math.Log(growth)

// Add counts one duration.
func (h *Histogram) Add(d time.Duration) {
	i := 0
	if µs := float64(d) / 1e3; µs > 1 {
		i = min(int(math.Ceil(math.Log(µs)/logGrowth)), buckets-1)
	}
	h.buckets[i]++
	h.n++
	h.max = max(h.max, d)
}

// Merge adds what o counted.
func (h *Histogram) Merge(o *Histogram) {
	for i, n := range o.buckets {
		h.buckets[i] += n
	}
	h.n += o.n
	h.max = max(h.max, o.max)
}

// Count is how many durations were added.
func (h *Histogram) Count() uint64 { return h.n }

// Max is the longest.
func (h *Histogram) Max() time.Duration { return h.max }

// Quantile is the duration that the share q (0 to 1) did not exceed; 0 of nothing.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.n == 0 {
		return 0
	}
	rank := uint64(math.Ceil(q * float64(h.n)))
	rank = min(max(rank, 1), h.n)
	var seen uint64
	for i, n := range h.buckets {
		if seen += n; seen >= rank {
			return min(time.Duration(math.Pow(growth, float64(i))*1e3), h.max)
		}
	}
	return h.max
}
