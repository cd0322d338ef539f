package job

import (
	"testing"
	"time"
)

func TestNextSize(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name       string
		size, most int
		took, goal time.Duration
		want       int
	}{
		{"no goal", 1000, 1000, 500 * ms, 0, 1000},
		{"a clock that stands still", 1000, 1000, 0, 40 * ms, 1000},
		{"as it should be", 400, 1000, 40 * ms, 40 * ms, 400},
		{"twice too slow", 1000, 1000, 80 * ms, 40 * ms, 500},
		{"much too slow", 1000, 1000, time.Minute, 40 * ms, 50},
		{"much too quick", 400, 1000, ms, 40 * ms, 501},
		{"never more than the most", 900, 1000, ms, 40 * ms, 1000},
		{"a small most", 10, 10, time.Minute, 40 * ms, 10},
	} {
		if got := nextSize(c.size, c.most, c.took, c.goal); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}
