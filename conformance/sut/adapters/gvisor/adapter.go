package main

import (
	"encoding/json"
	"maps"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/waiter"
)

// adapter stands between the tester and the stack. One turn at a time is its: a request, or, with the real clock, a frame that came or
// something that the stack did by itself.
type adapter struct {
	turn    sync.Mutex
	speaker *speaker
	link    *link
	idle    *idleness
	next    *configuration // what the next reset makes
	host    *host
	news    chan struct{} // with the real clock: the stack did something by itself
}

// waiting is a call that has not returned.
type waiting struct {
	id      json.RawMessage
	socket  *socket
	again   *again
	expired bool
}

// due says whether it is worth another try.
func (w *waiting) due() bool {
	return w.again.events == 0 || waiter.EventMask(w.socket.woken.Load())&w.again.events != 0
}

func newAdapter(s *speaker, l *link) *adapter {
	return &adapter{speaker: s, link: l, idle: newIdleness(), news: make(chan struct{}, 1)}
}

func (a *adapter) virtual() bool { return a.next != nil && a.next.clock == "virtual" }

func (a *adapter) clock() tcpip.Clock { return a.host.stack.Clock() }

// handle carries out one request, to its end.
func (a *adapter) handle(r request) {
	a.turn.Lock()
	defer a.turn.Unlock()
	result, wait, err := a.carryOut(r)
	if err != nil {
		a.speaker.fail(r.ID, err)
		return
	}
	if wait != nil {
		wait.id = r.ID
		a.host.waiting = append(a.host.waiting, wait)
	}
	a.settle()
	if wait == nil {
		a.answer(r.ID, result)
	} else if slices.Contains(a.host.waiting, wait) {
		a.speaker.notify("blocked", map[string]any{"id": r.ID})
	}
}

func (a *adapter) carryOut(r request) (reply, *waiting, error) {
	switch r.Method {
	case "initialize":
		return a.describe(), nil, nil
	case "configure":
		return reply{}, nil, a.configure(r.Params)
	case "reset":
		return reply{}, nil, a.reset(r.Params)
	}
	if a.host == nil {
		return nil, nil, refuse("%s before the first reset", r.Method)
	}
	if r.Method == "advance" {
		a.advance(r.Params.To)
		return reply{}, nil, nil
	}
	a.takeFrames()
	switch r.Method {
	case "socket":
		result, err := a.socket(r.Params)
		return result, nil, err
	case "state":
		return reply{"state": a.host.state(r.Params)}, nil, nil
	}
	return a.socketCall(r.Method, r.Params)
}

func (a *adapter) socketCall(method string, p params) (reply, *waiting, error) {
	call, known := operations[method]
	if method == "info" {
		call, known = info, true
	}
	if !known {
		return nil, nil, invalid{methodNotFound, "no method " + method}
	}
	if p.Socket == nil {
		return nil, nil, refuse("%s without a socket", method)
	}
	s := a.host.sockets[*p.Socket]
	if s == nil {
		return failed("EBADF"), nil, nil
	}
	s.woken.Store(0)
	result, again := call(a, s, p)
	if again == nil {
		return result, nil, nil
	}
	w := &waiting{socket: s, again: again}
	if again.within != nil {
		again.within(func() {
			w.expired = true
			a.wake()
		})
	}
	return nil, w, nil
}

// answer sends a result, with when the stack does something next if time is the tester's.
func (a *adapter) answer(id json.RawMessage, result reply) {
	if a.virtual() {
		result["next"] = nil
		if a.host != nil {
			if due, set := a.host.clock.next(); set {
				result["next"] = due
			}
		}
	}
	a.speaker.result(id, result)
}

func (a *adapter) configure(p params) error {
	apply, err := changes(p.Settings)
	if err != nil {
		return err
	}
	if p.Clock != "virtual" && p.Clock != "real" {
		return refuse("no clock %q", p.Clock)
	}
	if a.next != nil && a.next.clock != p.Clock {
		return refuse("the clock cannot be changed")
	}
	begun := a.next != nil
	a.next = &configuration{p.Interface, p.Clock, apply}
	if !begun {
		a.begin()
	}
	return nil
}

// mostHeap is the memory that stacks may have filled before what earlier ones left is collected.
const mostHeap = 64 << 20

// begin sets the process up for its clock. With the virtual one nothing is collected but between cases: a goroutine that helps the
// collector waits for it, and would look idle.
func (a *adapter) begin() {
	if a.virtual() {
		debug.SetGCPercent(-1)
		debug.SetMemoryLimit(2 << 30)
		return
	}
	go a.watchLink()
	go a.watchStack()
}

func (a *adapter) reset(p params) error {
	if a.next == nil {
		return refuse("reset before configure")
	}
	if a.host != nil {
		a.host.close(a.idle)
		a.host = nil
	}
	for a.link.receive() != nil {
		// was for the stack that is gone
	}
	a.collect()
	var err error
	if a.virtual() {
		a.host, err = newHost(a.link, a.next, &virtualClock{}, &p.Seed, nil)
	} else {
		a.host, err = newHost(a.link, a.next, nil, nil, &watchedClock{tcpip.NewStdClock(), a.wake})
	}
	return err
}

func (a *adapter) collect() {
	var m runtime.MemStats
	if a.virtual() {
		if runtime.ReadMemStats(&m); m.HeapAlloc > mostHeap {
			runtime.GC()
		}
	}
}

// advance moves the virtual clock: what was due happens first, each at its own time, then come the frames.
func (a *adapter) advance(to int64) {
	if a.host.clock != nil {
		for a.host.clock.fire(to) {
			a.settle()
		}
		a.host.clock.set(to)
	}
	a.takeFrames()
}

// takeFrames hands the frames that are on the link to the stack, one at a time.
func (a *adapter) takeFrames() {
	for frame := a.link.receive(); frame != nil; frame = a.link.receive() {
		a.host.port.inject(frame)
		a.settle()
	}
}

// settle lets the stack finish what it can do at this time, and tells what became of it.
func (a *adapter) settle() {
	for {
		a.idle.wait()
		if a.host == nil {
			return
		}
		a.tellStates()
		if a.retry() {
			continue
		}
		if a.host.clock == nil || !a.host.clock.fire(a.host.clock.current()) {
			return
		}
	}
}

// retry tries the calls again whose sockets have told something. True: one has returned.
func (a *adapter) retry() bool {
	returned := false
	for _, w := range slices.Clone(a.host.waiting) {
		result, done := w.again.late, w.expired
		if !done && w.due() {
			w.socket.woken.Store(0)
			result, done = w.again.try()
			a.idle.wait()
			a.tellStates()
		}
		if done {
			a.host.waiting = slices.DeleteFunc(a.host.waiting, func(other *waiting) bool { return other == w })
			a.answer(w.id, maps.Clone(result))
			returned = true
		}
	}
	return returned
}

func (a *adapter) tellStates() {
	for _, c := range a.host.states.observe(a.host) {
		what := map[string]any{
			"local":  endOf(c.id.LocalAddress, c.id.LocalPort, c.id.RemoteAddress),
			"remote": nil,
			"old":    c.old,
			"new":    c.new,
		}
		if c.id.RemotePort != 0 {
			what["remote"] = endOf(c.id.RemoteAddress, c.id.RemotePort, c.id.LocalAddress)
		}
		if a.host.clock == nil {
			what["time"] = monotonic()
		}
		a.speaker.notify("stateChanged", what)
	}
}

func monotonic() int64 {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t)
	return t.Nano()
}
