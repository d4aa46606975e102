package main

import (
	"container/heap"
	"time"

	"gvisor.dev/gvisor/pkg/sync"
	"gvisor.dev/gvisor/pkg/tcpip"
)

// epoch is what the stack's clock shows at the tester's time 0. It is not zero: netstack takes a time of zero for "never", and a host
// that has been up for an hour has no rate limits left from its beginning.
const epoch = int64(time.Hour)

// wall is the time of day at the stack's time 0. Nothing in TCP depends on it, and so it is always the same.
var wall = time.Date(2025, time.January, 1, 0, 0, 0, 0, time.UTC)

// virtualClock is a tcpip.Clock on which time stands still until it is moved. Timers fire one at a time, the earliest first, and of
// two for the same moment the one that was set first.
type virtualClock struct {
	mu     sync.Mutex
	now    int64 // ns since epoch
	serial uint64
	timers timerHeap
}

func (c *virtualClock) Now() time.Time {
	return wall.Add(time.Duration(c.elapsed()))
}

func (c *virtualClock) NowMonotonic() tcpip.MonotonicTime {
	var zero tcpip.MonotonicTime
	return zero.Add(time.Duration(c.elapsed()))
}

func (c *virtualClock) elapsed() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return epoch + c.now
}

func (c *virtualClock) AfterFunc(d time.Duration, f func()) tcpip.Timer {
	t := &virtualTimer{clock: c, f: f, index: -1}
	t.Reset(d)
	return t
}

// current is the time that it shows, in ns since the stack began.
func (c *virtualClock) current() int64 {
	return c.elapsed() - epoch
}

// next tells when the earliest timer is due.
func (c *virtualClock) next() (int64, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.timers) == 0 {
		return 0, false
	}
	return max(c.timers[0].due, c.now), true
}

// set moves the clock, which never goes back.
func (c *virtualClock) set(now int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = max(c.now, now)
}

// fire takes the earliest timer if it is due at or before now, moves the clock to it, and starts what it is for in a goroutine of its
// own, as time.AfterFunc does.
func (c *virtualClock) fire(now int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.timers) == 0 || c.timers[0].due > now {
		return false
	}
	t := heap.Pop(&c.timers).(*virtualTimer)
	c.now = max(c.now, t.due)
	go t.f()
	return true
}

type virtualTimer struct {
	clock  *virtualClock
	f      func()
	due    int64
	serial uint64
	index  int // in the heap; -1: not set
}

func (t *virtualTimer) Stop() bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	if t.index < 0 {
		return false
	}
	heap.Remove(&t.clock.timers, t.index)
	return true
}

func (t *virtualTimer) Reset(d time.Duration) {
	c := t.clock
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.index >= 0 {
		heap.Remove(&c.timers, t.index)
	}
	c.serial++
	t.due, t.serial = c.now+max(int64(d), 0), c.serial
	heap.Push(&c.timers, t)
}

type timerHeap []*virtualTimer

func (h timerHeap) Len() int { return len(h) }

func (h timerHeap) Less(i, j int) bool {
	if h[i].due != h[j].due {
		return h[i].due < h[j].due
	}
	return h[i].serial < h[j].serial
}

func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *timerHeap) Push(x any) {
	t := x.(*virtualTimer)
	t.index = len(*h)
	*h = append(*h, t)
}

func (h *timerHeap) Pop() any {
	last := len(*h) - 1
	t := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	t.index = -1
	return t
}
