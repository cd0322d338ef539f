package job

import "time"

// leastBatch is as few rows as a batch gets: below it the commit is most of the work.
const leastBatch = 50

// nextSize is how many rows the next batch should have, when one of size rows
// took that long and should take goal. It grows slowly, since one quick batch says
// little, and shrinks at once, since others wait meanwhile.
func nextSize(size, most int, took, goal time.Duration) int {
	if goal <= 0 || took <= 0 {
		return size
	}
	next := int(float64(size) * float64(goal) / float64(took))
	next = min(next, size+size/4+1, most)
	return max(next, min(leastBatch, most))
}
