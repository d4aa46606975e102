package main

import (
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

const closed = "CLOSED"

// rfcStates has RFC 9293's names for netstack's states. The others are those of a socket without a connection.
var rfcStates = map[tcp.EndpointState]string{
	tcp.StateListen:      "LISTEN",
	tcp.StateSynSent:     "SYN-SENT",
	tcp.StateSynRecv:     "SYN-RECEIVED",
	tcp.StateEstablished: "ESTABLISHED",
	tcp.StateFinWait1:    "FIN-WAIT-1",
	tcp.StateFinWait2:    "FIN-WAIT-2",
	tcp.StateCloseWait:   "CLOSE-WAIT",
	tcp.StateClosing:     "CLOSING",
	tcp.StateLastAck:     "LAST-ACK",
	tcp.StateTimeWait:    "TIME-WAIT",
}

func stateOf(e tcpip.Endpoint) string {
	if name, known := rfcStates[tcp.EndpointState(e.State())]; known {
		return name
	}
	return closed
}

// passed has the state that is left within one step: the segment that completes the handshake and has a FIN is processed twice.
var passed = map[[2]string]string{
	{"SYN-SENT", "CLOSE-WAIT"}:     "ESTABLISHED",
	{"SYN-RECEIVED", "CLOSE-WAIT"}: "ESTABLISHED",
	{"LISTEN", "CLOSE-WAIT"}:       "ESTABLISHED",
}

// states knows the state that each endpoint had when it was looked at last. netstack tells nobody of a change, so they are compared
// after each step: a call, a frame, a timer.
type states struct {
	last map[tcpip.Endpoint]seen
}

type seen struct {
	state string
	id    stack.TransportEndpointID
}

func newStates() *states {
	return &states{last: map[tcpip.Endpoint]seen{}}
}

// changed is a change of a state, and whose.
type changed struct {
	id       stack.TransportEndpointID
	old, new string
}

// observe tells what has changed since the last time.
func (s *states) observe(h *host) []changed {
	var changes []changed
	now := map[tcpip.Endpoint]seen{}
	for e, fromSocket := range h.endpoints() {
		is := seen{stateOf(e), identity(e)}
		was, known := s.last[e]
		if !known {
			was.state = closed
			if !fromSocket && is.state != closed {
				was.state = "LISTEN" // a connection that a listener made
			}
		}
		if is.id.LocalPort == 0 || is.id.RemotePort == 0 && was.id.RemotePort != 0 {
			is.id = was.id
		}
		now[e] = is
		changes = append(changes, steps(is.id, was.state, is.state)...)
	}
	for e, was := range s.last {
		if _, there := now[e]; !there {
			changes = append(changes, steps(was.id, was.state, closed)...)
		}
	}
	s.last = now
	return changes
}

func steps(id stack.TransportEndpointID, old, new string) []changed {
	if old == new {
		return nil
	}
	if middle, known := passed[[2]string{old, new}]; known {
		return []changed{{id, old, middle}, {id, middle, new}}
	}
	return []changed{{id, old, new}}
}

// endpoints has all of TCP's: those that a socket holds, and those that only the stack knows, because no accept has taken them yet or
// because close has left them to end by themselves. The value says whether a call made it.
func (h *host) endpoints() map[tcpip.Endpoint]bool {
	all := map[tcpip.Endpoint]bool{}
	for _, e := range h.stack.RegisteredEndpoints() {
		h.note(all, e)
	}
	for _, e := range h.stack.CleanupEndpoints() {
		h.note(all, e)
	}
	for _, s := range h.sockets {
		if s.stream {
			all[s.endpoint] = s.made
		}
	}
	return all
}

func (h *host) note(all map[tcpip.Endpoint]bool, e stack.TransportEndpoint) {
	endpoint, whole := e.(tcpip.Endpoint)
	if !whole {
		return
	}
	if info, known := endpoint.Info().(*stack.TransportEndpointInfo); known && info.TransProto == tcp.ProtocolNumber {
		all[endpoint] = false
	}
}

func identity(e tcpip.Endpoint) stack.TransportEndpointID {
	if info, known := e.Info().(*stack.TransportEndpointInfo); known {
		return info.ID
	}
	return stack.TransportEndpointID{}
}

// state answers the request of that name.
func (h *host) state(p params) string {
	if p.Socket != nil {
		if s := h.sockets[*p.Socket]; s != nil {
			if found := stateOf(s.endpoint); found != closed {
				return found
			}
		}
	}
	listening := false
	for e := range h.endpoints() {
		id := identity(e)
		if !sameEnd(p.Local, id.LocalAddress, id.LocalPort) {
			continue
		}
		found := stateOf(e)
		if found == "LISTEN" {
			listening = true
		} else if p.Remote != nil && found != closed && sameEnd(p.Remote, id.RemoteAddress, id.RemotePort) {
			return found
		}
	}
	if listening && p.Socket == nil {
		return "LISTEN"
	}
	return closed
}

// sameEnd says whether an endpoint's address and port are these. An address that it has not got is the wildcard.
func sameEnd(e *end, address tcpip.Address, port uint16) bool {
	if e == nil || e.Port != port {
		return false
	}
	wanted, err := netip.ParseAddr(e.Address)
	if err != nil {
		return false
	}
	found, ok := netip.AddrFromSlice(address.AsSlice())
	return !ok || found.IsUnspecified() || found.Unmap() == wanted.Unmap()
}
