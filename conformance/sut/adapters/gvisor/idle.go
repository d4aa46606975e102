package main

import (
	"runtime"
	"runtime/metrics"
)

// netstack works in goroutines of its own: one that processes segments, and one for each timer that fires. What a request makes them
// do is done when none of them can go on: then, and only then, the adapter answers.
//
// The whole process has one processor (GOMAXPROCS(1) in main), which the goroutine that asks has while it asks. So a goroutine that is
// neither runnable nor in a system call waits for something that only a request, a frame or a timer can bring. The runtime counts both
// kinds, under its scheduler's lock, and with a single processor that is busy asking no queue can change meanwhile.
type idleness struct {
	samples []metrics.Sample
}

func newIdleness() *idleness {
	return &idleness{samples: []metrics.Sample{
		{Name: "/sched/goroutines/runnable:goroutines"},
		{Name: "/sched/goroutines/not-in-go:goroutines"},
	}}
}

// wait returns when no other goroutine can go on.
func (i *idleness) wait() {
	for {
		runtime.Gosched() // behind all that are runnable now
		metrics.Read(i.samples)
		if i.samples[0].Value.Uint64() == 0 && i.samples[1].Value.Uint64() == 0 {
			return
		}
	}
}
