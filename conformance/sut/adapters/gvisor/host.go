package main

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"

	"golang.org/x/time/rate"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/loopback"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
)

const (
	nic  tcpip.NICID = 1
	loop tcpip.NICID = 2
)

// host is one stack, from a reset to the next, with its sockets.
type host struct {
	stack   *stack.Stack
	port    *port
	clock   *virtualClock // nil: the real one
	sockets map[int]*socket
	handles int
	waiting []*waiting
	states  *states
}

// newStack makes a stack without an interface. Its random numbers follow from the seed if there is one.
func newStack(clock tcpip.Clock, seed *uint64) *stack.Stack {
	options := stack.Options{
		NetworkProtocols: []stack.NetworkProtocolFactory{arp.NewProtocol, ipv4.NewProtocol, ipv6.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{
			tcp.NewProtocol, udp.NewProtocol, icmp.NewProtocol4, icmp.NewProtocol6,
		},
		Clock: clock,
	}
	if seed != nil {
		numbers := newSource(*seed)
		options.RandSource, options.SecureRNG = numbers, numbers
	}
	return stack.New(options)
}

// newHost makes a stack on the link.
func newHost(l *link, c *configuration, clock *virtualClock, seed *uint64, std tcpip.Clock) (*host, error) {
	if clock != nil {
		std = clock
	}
	h := &host{stack: newStack(std, seed), clock: clock, sockets: map[int]*socket{}, handles: 2, states: newStates()}
	if err := h.wire(l, c.wiring); err != nil {
		return nil, err
	}
	for _, apply := range c.apply {
		if err := apply(h.stack); err != nil {
			return nil, fmt.Errorf("the stack refuses a setting: %s", err)
		}
	}
	return h, nil
}

// wire makes the interface, with addresses that are usable at once, permanent neighbours and a route to each gateway's net.
func (h *host) wire(l *link, w wiring) error {
	mac, err := linkAddress(w.MAC)
	if err != nil {
		return err
	}
	h.port = newPort(l, mac, w.MTU)
	if err := h.stack.CreateNIC(nic, h.port.endpoint()); err != nil {
		return fmt.Errorf("the interface cannot be made: %s", err)
	}
	var routes []tcpip.Route
	for _, a := range w.Addresses {
		address, err := netip.ParseAddr(a.Address)
		if err != nil {
			return err
		}
		with := tcpip.ProtocolAddress{
			Protocol:          network(address),
			AddressWithPrefix: tcpip.AddressWithPrefix{Address: netstackAddress(address), PrefixLen: a.Prefix},
		}
		if err := h.stack.AddProtocolAddress(nic, with, stack.AddressProperties{}); err != nil {
			return fmt.Errorf("address %s: %s", a.Address, err)
		}
		routes = append(routes, tcpip.Route{Destination: with.AddressWithPrefix.Subnet(), NIC: nic})
	}
	for _, g := range w.Gateways {
		route, err := h.gateway(g.Address, g.MAC, g.To)
		if err != nil {
			return err
		}
		routes = append(routes, route)
	}
	own, err := h.loopback()
	if err != nil {
		return err
	}
	h.stack.SetRouteTable(append(routes, own...))
	return nil
}

// loopback makes the interface that is not the tester's.
func (h *host) loopback() ([]tcpip.Route, error) {
	if err := h.stack.CreateNIC(loop, loopback.New()); err != nil {
		return nil, fmt.Errorf("the loopback interface cannot be made: %s", err)
	}
	var routes []tcpip.Route
	for _, prefix := range []netip.Prefix{netip.MustParsePrefix("127.0.0.1/8"), netip.MustParsePrefix("::1/128")} {
		with := tcpip.ProtocolAddress{
			Protocol:          network(prefix.Addr()),
			AddressWithPrefix: tcpip.AddressWithPrefix{Address: netstackAddress(prefix.Addr()), PrefixLen: prefix.Bits()},
		}
		if err := h.stack.AddProtocolAddress(loop, with, stack.AddressProperties{}); err != nil {
			return nil, fmt.Errorf("address %s: %s", prefix, err)
		}
		routes = append(routes, tcpip.Route{Destination: with.AddressWithPrefix.Subnet(), NIC: loop})
	}
	return routes, nil
}

func (h *host) gateway(name, mac, to string) (tcpip.Route, error) {
	address, err := netip.ParseAddr(name)
	if err != nil {
		return tcpip.Route{}, err
	}
	peer, err := linkAddress(mac)
	if err != nil {
		return tcpip.Route{}, err
	}
	prefix, err := netip.ParsePrefix(to)
	if err != nil {
		return tcpip.Route{}, err
	}
	if err := h.stack.AddStaticNeighbor(nic, network(address), netstackAddress(address), peer); err != nil {
		return tcpip.Route{}, fmt.Errorf("neighbour %s: %s", name, err)
	}
	net := tcpip.AddressWithPrefix{Address: netstackAddress(prefix.Addr()), PrefixLen: prefix.Bits()}
	return tcpip.Route{Destination: net.Subnet(), Gateway: netstackAddress(address), NIC: nic}, nil
}

// close ends the stack. What it says on the way does not reach the link.
func (h *host) close(idle *idleness) {
	h.port.pull()
	for _, s := range h.sockets {
		s.endpoint.Abort()
	}
	h.stack.Close()
	idle.wait()
	_ = h.stack.RemoveNIC(nic)
	_ = h.stack.RemoveNIC(loop)
	tcpip.ReleaseDanglingEndpoints()
	idle.wait()
}

func linkAddress(mac string) (tcpip.LinkAddress, error) {
	octets, err := net.ParseMAC(mac)
	return tcpip.LinkAddress(octets), err
}

func network(a netip.Addr) tcpip.NetworkProtocolNumber {
	if a.Is4() {
		return header.IPv4ProtocolNumber
	}
	return header.IPv6ProtocolNumber
}

func netstackAddress(a netip.Addr) tcpip.Address {
	return tcpip.AddrFromSlice(a.AsSlice())
}

// unlimited is the rate of ICMP messages that are not limited.
const unlimited = rate.Inf

// source gives a stack all its random numbers, cryptographic and other.
type source struct {
	*rand.ChaCha8
}

func newSource(seed uint64) source {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	return source{rand.NewChaCha8(key)}
}

func (s source) Int63() int64 { return int64(s.Uint64() >> 1) }

func (source) Seed(int64) {}
