package main

import (
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
)

// With the real clock the stack also does things by itself, each of which takes a turn: frames that come, and timers.

// watchLink takes a turn when there are frames.
func (a *adapter) watchLink() {
	conn, err := a.link.file.SyscallConn()
	if err != nil {
		return
	}
	_ = conn.Read(func(uintptr) bool {
		a.turn.Lock()
		defer a.turn.Unlock()
		if a.host != nil {
			a.takeFrames()
		}
		return false // and waits for more
	})
}

// watchStack takes a turn when the stack has done something.
func (a *adapter) watchStack() {
	for range a.news {
		a.turn.Lock()
		a.settle()
		a.turn.Unlock()
	}
}

// wake says that the stack has done something.
func (a *adapter) wake() {
	select {
	case a.news <- struct{}{}:
	default:
	}
}

// watchedClock is a clock whose timers say that they have fired.
type watchedClock struct {
	tcpip.Clock
	fired func()
}

func (c *watchedClock) AfterFunc(d time.Duration, f func()) tcpip.Timer {
	return c.Clock.AfterFunc(d, func() {
		f()
		c.fired()
	})
}
