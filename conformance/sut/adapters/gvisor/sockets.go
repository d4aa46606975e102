package main

import (
	"net/netip"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
	"gvisor.dev/gvisor/pkg/waiter"
)

// kind is what socket() says of a socket.
type kind struct {
	v6     bool
	stream bool
	made   bool // by socket(), not by accept()
}

// socket is an endpoint of netstack under a handle.
type socket struct {
	kind
	stack    *stack.Stack
	endpoint tcpip.Endpoint
	queue    *waiter.Queue
	entry    waiter.Entry
	woken    atomic.Uint64 // waiter.EventMask: what the endpoint has told since somebody looked
}

var anyEvent = waiter.ReadableEvents | waiter.WritableEvents | waiter.EventErr | waiter.EventHUp | waiter.EventRdHUp | waiter.EventPri

// keep gives an endpoint a handle. What it tells its waiters is noted, and wake says that there is something new.
func (a *adapter) keep(e tcpip.Endpoint, q *waiter.Queue, k kind) int {
	s := &socket{kind: k, stack: a.host.stack, endpoint: e, queue: q}
	if k.stream {
		e.SocketOptions().SetDelayOption(true) // Nagle's algorithm, which gVisor's kernel turns on where netstack leaves it off
	}
	s.entry = waiter.NewFunctionEntry(anyEvent, func(events waiter.EventMask) {
		s.woken.Or(uint64(events))
		a.wake()
	})
	q.EventRegister(&s.entry)
	a.host.handles++
	a.host.sockets[a.host.handles] = s
	return a.host.handles
}

func (k kind) network() tcpip.NetworkProtocolNumber {
	if k.v6 {
		return header.IPv6ProtocolNumber
	}
	return header.IPv4ProtocolNumber
}

var transports = map[string]tcpip.TransportProtocolNumber{"SOCK_STREAM": tcp.ProtocolNumber, "SOCK_DGRAM": udp.ProtocolNumber}

// protocols has the third argument of socket(), in JSON; 0 is the type's own.
var protocols = map[string]tcpip.TransportProtocolNumber{
	"": 0, "0": 0, `"IPPROTO_TCP"`: tcp.ProtocolNumber, "6": tcp.ProtocolNumber, `"IPPROTO_UDP"`: udp.ProtocolNumber, "17": udp.ProtocolNumber,
}

func (a *adapter) socket(p params) (reply, error) {
	k := kind{v6: p.Domain == "AF_INET6", made: true}
	if !k.v6 && p.Domain != "AF_INET" {
		return failed("EAFNOSUPPORT"), nil
	}
	transport, known := transports[p.Type]
	if !known {
		return failed("ESOCKTNOSUPPORT"), nil
	}
	k.stream = transport == tcp.ProtocolNumber
	wanted, known := protocols[string(p.Protocol)]
	if !known {
		return failed("EPROTONOSUPPORT"), nil
	}
	if wanted != 0 && wanted != transport {
		return failed("EPROTOTYPE"), nil
	}
	queue := &waiter.Queue{}
	endpoint, err := a.host.stack.NewEndpoint(transport, k.network(), queue)
	if err != nil {
		return outcome(err), nil
	}
	return reply{"value": a.keep(endpoint, queue, k)}, nil
}

// address is where a call points to; it must be of the socket's family.
func (s *socket) address(p params) (tcpip.FullAddress, bool) {
	full := tcpip.FullAddress{Port: p.Port}
	a, err := netip.ParseAddr(*p.Address)
	if err != nil || a.Is6() != s.v6 {
		return full, false
	}
	switch plain := a.Unmap(); {
	case !plain.IsUnspecified():
		full.Addr = netstackAddress(plain)
	case a.Is4In6():
		full.Addr = netstackAddress(a) // ::ffff:0.0.0.0 is not ::, which has no octets
	}
	return full, true
}

// name is an address as the tester reads it, again in the socket's family.
func (s *socket) name(full tcpip.FullAddress) reply {
	a, ok := netip.AddrFromSlice(full.Addr.AsSlice())
	switch {
	case !ok && s.v6:
		a = netip.IPv6Unspecified()
	case !ok:
		a = netip.IPv4Unspecified()
	case s.v6 && a.Is4():
		a = netip.AddrFrom16(a.As16())
	}
	return reply{"address": a.String(), "port": full.Port}
}
