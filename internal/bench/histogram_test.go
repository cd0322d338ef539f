package bench

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// Quantiles agree with those of the sorted list within the width of a bucket.
func TestHistogramAgreesWithSorting(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, 2, 10, 999, 20_000} {
		var h, other Histogram
		list := make([]time.Duration, n)
		for i := range list {
			list[i] = time.Duration(1000 + r.ExpFloat64()*5e6)
			if i%2 == 0 {
				h.Add(list[i])
			} else {
				other.Add(list[i])
			}
		}
		h.Merge(&other)
		slices.Sort(list)
		if h.Count() != uint64(n) || h.Max() != list[n-1] {
			t.Errorf("n=%d: count %d, max %v, want %v", n, h.Count(), h.Max(), list[n-1])
		}
		for _, q := range []float64{0, 0.5, 0.95, 0.99, 1} {
			want := list[min(max(int(float64(n)*q+0.999999)-1, 0), n-1)]
			got := h.Quantile(q)
			if got < want-want/100-time.Microsecond || got > want+want/50+time.Microsecond {
				t.Errorf("n=%d, q=%v: %v, want about %v", n, q, got, want)
			}
		}
	}
}

func TestHistogramEnds(t *testing.T) {
	var h Histogram
	if h.Quantile(0.5) != 0 || h.Max() != 0 {
		t.Error("an empty histogram knows durations")
	}
	h.Add(0)
	h.Add(-time.Second)
	h.Add(100 * time.Hour)
	if h.Count() != 3 || h.Max() != 100*time.Hour || h.Quantile(0.1) > time.Microsecond {
		t.Errorf("count %d, max %v, q10 %v", h.Count(), h.Max(), h.Quantile(0.1))
	}
}
