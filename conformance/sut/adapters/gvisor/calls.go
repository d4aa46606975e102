package main

import (
	"bytes"
	"encoding/hex"
	"io"
	"slices"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/waiter"
)

// operation carries out a socket call. It answers at once, or says how to try again later.
type operation func(a *adapter, s *socket, p params) (reply, *again)

type again struct {
	events waiter.EventMask // when the socket has told one of these; none: after every step
	try    func() (reply, bool)
	within func(expire func()) // sets a timer that ends the wait, if there is one
	late   reply               // what is answered then
}

// notThere is what a call says that netstack has not got at all: the case is skipped.
const notThere = "ENOSYS"

var operations = map[string]operation{
	"bind": bind, "listen": listen, "connect": connect, "accept": accept, "send": send, "recv": receive, "shutdown": shutdown,
	"close": closeSocket, "setsockopt": setOption, "getsockopt": getOption, "getsockname": localName, "getpeername": remoteName,
	"poll": poll, "ioctl": ioctl,
}

func bind(_ *adapter, s *socket, p params) (reply, *again) {
	full, ok := s.address(p)
	if !ok {
		return failed("EAFNOSUPPORT"), nil
	}
	err := s.endpoint.Bind(full)
	if _, none := err.(*tcpip.ErrNoPortAvailable); none {
		return failed("EADDRINUSE"), nil
	}
	return outcome(err), nil
}

// listen asks netstack for one connection more than the program does: netstack compares the length of its queue with that number, and how
// many connections of a listener are in SYN-RECEIVED with one less.
func listen(_ *adapter, s *socket, p params) (reply, *again) {
	return outcome(s.endpoint.Listen(max(p.Backlog, 0) + 1)), nil
}

func connect(_ *adapter, s *socket, p params) (reply, *again) {
	if p.Address == nil {
		err := s.endpoint.Disconnect()
		if _, unknown := err.(*tcpip.ErrNotSupported); unknown {
			return failed(notThere), nil
		}
		return outcome(err), nil
	}
	full, ok := s.address(p)
	if !ok {
		return failed("EINVAL"), nil
	}
	s.woken.Store(0)
	err := s.endpoint.Connect(full)
	switch err.(type) {
	case *tcpip.ErrConnectStarted, *tcpip.ErrAlreadyConnecting:
		if p.Blocking {
			// Asked once more, it tells how the attempt ended.
			return nil, &again{events: waiter.WritableEvents, try: func() (reply, bool) {
				err := s.endpoint.Connect(full)
				_, pending := err.(*tcpip.ErrAlreadyConnecting)
				return outcome(err), !pending
			}}
		}
	case *tcpip.ErrNoPortAvailable:
		return failed("EADDRNOTAVAIL"), nil
	}
	return outcome(err), nil
}

func accept(a *adapter, s *socket, p params) (reply, *again) {
	try := func() (reply, bool) {
		var peer tcpip.FullAddress
		endpoint, queue, err := s.endpoint.Accept(&peer)
		if err != nil {
			_, empty := err.(*tcpip.ErrWouldBlock)
			return outcome(err), !empty
		}
		answer := s.name(peer)
		answer["value"] = a.keep(endpoint, queue, kind{v6: s.v6, stream: true})
		return answer, true
	}
	return orWait(p, waiter.ReadableEvents, try)
}

// orWait tries, and waits for the events if that came to nothing and the call blocks.
func orWait(p params, events waiter.EventMask, try func() (reply, bool)) (reply, *again) {
	answer, done := try()
	if done || !p.Blocking || slices.Contains(p.Flags, "MSG_DONTWAIT") {
		return answer, nil
	}
	return nil, &again{events: events, try: try}
}

func send(_ *adapter, s *socket, p params) (reply, *again) {
	data, err := hex.DecodeString(p.Data)
	if err != nil {
		return failed("EINVAL"), nil
	}
	rest, total := bytes.NewReader(data), int64(0)
	options := tcpip.WriteOptions{More: slices.Contains(p.Flags, "MSG_MORE")}
	try := func() (reply, bool) {
		n, err := s.endpoint.Write(rest, options)
		total += n
		_, full := err.(*tcpip.ErrWouldBlock)
		if total > 0 {
			return reply{"value": total}, err != nil && !full || rest.Len() == 0
		}
		if err == nil {
			return reply{"value": total}, rest.Len() == 0
		}
		return outcome(err), !full
	}
	return orWait(p, waiter.WritableEvents, try)
}

func receive(_ *adapter, s *socket, p params) (reply, *again) {
	var got []byte
	count := 0
	peek, discard := slices.Contains(p.Flags, "MSG_PEEK"), slices.Contains(p.Flags, "MSG_TRUNC")
	all := slices.Contains(p.Flags, "MSG_WAITALL")
	answer := func() reply {
		if discard {
			return reply{"value": count}
		}
		return reply{"value": hex.EncodeToString(got)}
	}
	try := func() (reply, bool) {
		if count > 0 && s.broken() {
			return answer(), true // the error is the next call's
		}
		var into bytes.Buffer
		var w io.Writer = &tcpip.LimitedWriter{W: &into, N: int64(p.Size - count)}
		result, err := s.endpoint.Read(w, tcpip.ReadOptions{Peek: peek})
		switch err.(type) {
		case *tcpip.ErrClosedForReceive:
			return answer(), true
		case *tcpip.ErrBadBuffer: // no room was given
			return answer(), true
		case *tcpip.ErrWouldBlock:
			if count > 0 {
				return answer(), false
			}
			return outcome(err), false
		case nil:
		default:
			return outcome(err), true
		}
		if peek {
			got, count = into.Bytes(), result.Count
		} else {
			got, count = append(got, into.Bytes()...), count+result.Count
			s.endpoint.ModerateRecvBuf(result.Count)
		}
		return answer(), !all || !s.stream || count >= p.Size
	}
	return orWait(p, waiter.ReadableEvents|waiter.EventHUp|waiter.EventErr, try)
}

// broken says that there is nothing left to read, and an error waits.
func (s *socket) broken() bool {
	left, err := s.endpoint.GetSockOptInt(tcpip.ReceiveQueueSizeOption)
	return err == nil && left == 0 && s.endpoint.Readiness(waiter.EventErr) != 0
}

var shutdowns = map[string]tcpip.ShutdownFlags{
	`"SHUT_RD"`:   tcpip.ShutdownRead,
	`"SHUT_WR"`:   tcpip.ShutdownWrite,
	`"SHUT_RDWR"`: tcpip.ShutdownRead | tcpip.ShutdownWrite,
}

func shutdown(_ *adapter, s *socket, p params) (reply, *again) {
	how, known := shutdowns[string(p.How)]
	if !known {
		return failed("EINVAL"), nil
	}
	return outcome(s.endpoint.Shutdown(how)), nil
}

// closeSocket closes; with SO_LINGER it waits until what was sent is acknowledged, which netstack leaves to the socket layer. A linger
// time of zero is netstack's own affair.
func closeSocket(a *adapter, s *socket, p params) (reply, *again) {
	linger := s.endpoint.SocketOptions().GetLinger()
	s.woken.Store(0)
	s.endpoint.Close()
	delete(a.host.sockets, *p.Socket)
	if !s.stream || !linger.Enabled || linger.Timeout == 0 {
		return reply{}, nil
	}
	try := func() (reply, bool) { return reply{}, !slices.Contains(closing, stateOf(s.endpoint)) }
	if answer, done := try(); done {
		return answer, nil
	}
	return nil, &again{try: try, within: func(expire func()) { a.clock().AfterFunc(linger.Timeout, expire) }, late: reply{}}
}

// closing has the states in which the peer has not acknowledged all that was sent.
var closing = []string{"FIN-WAIT-1", "CLOSING", "LAST-ACK"}

func localName(_ *adapter, s *socket, _ params) (reply, *again) {
	full, err := s.endpoint.GetLocalAddress()
	if err != nil {
		return outcome(err), nil
	}
	return s.name(full), nil
}

func remoteName(_ *adapter, s *socket, _ params) (reply, *again) {
	full, err := s.endpoint.GetRemoteAddress()
	if err != nil {
		return outcome(err), nil
	}
	return s.name(full), nil
}

var pollEvents = []struct {
	name   string
	events waiter.EventMask
}{
	{"POLLIN", waiter.EventIn}, {"POLLPRI", waiter.EventPri}, {"POLLOUT", waiter.EventOut}, {"POLLERR", waiter.EventErr},
	{"POLLHUP", waiter.EventHUp}, {"POLLRDHUP", waiter.EventRdHUp},
}

func poll(_ *adapter, s *socket, _ params) (reply, *again) {
	ready := s.endpoint.Readiness(anyEvent)
	names := []string{}
	for _, e := range pollEvents {
		if ready&e.events != 0 {
			names = append(names, e.name)
		}
	}
	return reply{"value": names}, nil
}

var queues = map[string]tcpip.SockOptInt{"FIONREAD": tcpip.ReceiveQueueSizeOption, "SIOCOUTQ": tcpip.SendQueueSizeOption}

func ioctl(_ *adapter, s *socket, p params) (reply, *again) {
	option, known := queues[p.Request]
	if !known {
		return failed(notThere), nil
	}
	value, err := s.endpoint.GetSockOptInt(option)
	if _, unknown := err.(*tcpip.ErrUnknownProtocolOption); unknown {
		return failed(notThere), nil
	}
	if err != nil {
		return outcome(err), nil
	}
	return reply{"value": value}, nil
}
