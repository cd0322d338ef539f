package script

import (
	"container/heap"
	"time"
)

// alarms are the timers of a run, by when they ring, and of equal ones by when
// they were set.
type alarms struct{ list alarmHeap }

type alarm struct {
	at time.Time
	id int
}

func (a *alarms) add(id int, at time.Time) { heap.Push(&a.list, alarm{at, id}) }

func (a *alarms) remove(id int) {
	for i, x := range a.list {
		if x.id == id {
			heap.Remove(&a.list, i)
			return
		}
	}
}

// next is how long to wait for the first; false: there is none.
func (a *alarms) next(now time.Time) (time.Duration, bool) {
	if len(a.list) == 0 {
		return 0, false
	}
	return max(0, a.list[0].at.Sub(now)), true
}

// take removes the first and returns its id. There must be one.
func (a *alarms) take() int { return heap.Pop(&a.list).(alarm).id }

type alarmHeap []alarm

func (h alarmHeap) Len() int { return len(h) }
func (h alarmHeap) Less(i, j int) bool {
	return h[i].at.Before(h[j].at) || h[i].at.Equal(h[j].at) && h[i].id < h[j].id
}
func (h alarmHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *alarmHeap) Push(x any)   { *h = append(*h, x.(alarm)) }
func (h *alarmHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}
