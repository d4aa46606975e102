package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/channel"
	"gvisor.dev/gvisor/pkg/tcpip/link/ethernet"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

const maxFrame = 1 << 16

// link is the datagram socket that carries Ethernet frames to and from the tester. It outlives the stacks that are put on it.
type link struct {
	file *os.File
	fd   int
	buf  [maxFrame]byte
}

// openLink takes the socket that CONFORMANCE_LINK names.
func openLink(name string) (*link, error) {
	number, found := strings.CutPrefix(name, "fd:")
	if !found {
		return nil, fmt.Errorf("CONFORMANCE_LINK is %q: this adapter takes fd:N, a socket, only", name)
	}
	fd, err := strconv.Atoi(number)
	if err != nil {
		return nil, fmt.Errorf("CONFORMANCE_LINK: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, fmt.Errorf("CONFORMANCE_LINK: descriptor %d: %w", fd, err)
	}
	return &link{file: os.NewFile(uintptr(fd), "link"), fd: fd}, nil
}

// receive returns the next frame that waits; nil if there is none. It is good until the next call.
func (l *link) receive() []byte {
	for {
		n, err := unix.Read(l.fd, l.buf[:])
		if err == unix.EINTR {
			continue
		}
		if err != nil || n <= 0 {
			return nil
		}
		return l.buf[:n]
	}
}

// send puts a frame on the link. A tester that does not read makes the stack wait, as a slow wire would.
func (l *link) send(frame []byte) {
	for {
		switch _, err := unix.Write(l.fd, frame); err {
		case unix.EAGAIN, unix.ENOBUFS:
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(l.fd), Events: unix.POLLOUT}}, 100)
		case unix.EINTR:
		default:
			return
		}
	}
}

// port is where one stack is plugged into the link: netstack's channel endpoint behind its Ethernet header.
type port struct {
	link    *link
	channel *channel.Endpoint
	mac     tcpip.LinkAddress
	pulled  atomic.Bool
}

func newPort(l *link, mac tcpip.LinkAddress, mtu uint32) *port {
	// ethernet.Endpoint subtracts its header from the MTU of what is below it.
	p := &port{link: l, channel: channel.New(maxQueued, mtu+header.EthernetMinimumSize, mac), mac: mac}
	p.channel.AddNotify(p)
	return p
}

// maxQueued is how many frames the channel holds. Each is taken out again at once, so that two never meet in it.
const maxQueued = 64

func (p *port) endpoint() stack.LinkEndpoint {
	return ethernet.New(p.channel)
}

// WriteNotify is called by the channel for each packet that the stack sends.
func (p *port) WriteNotify() {
	for pkt := p.channel.Read(); pkt != nil; pkt = p.channel.Read() {
		view := pkt.ToView()
		if !p.pulled.Load() {
			p.link.send(view.AsSlice())
		}
		view.Release()
		pkt.DecRef()
	}
}

// pull unplugs the stack: nothing that it sends from now on leaves.
func (p *port) pull() {
	p.pulled.Store(true)
}

// inject hands a frame to the stack, unless it is for another host: that is what a network card leaves out.
func (p *port) inject(frame []byte) {
	if len(frame) < header.EthernetMinimumSize {
		return
	}
	dst := header.Ethernet(frame).DestinationAddress()
	if dst != p.mac && dst != header.EthernetBroadcastAddress && !header.IsMulticastEthernetAddress(dst) {
		return
	}
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(frame)})
	defer pkt.DecRef()
	p.channel.InjectInbound(0, pkt)
}
