package main

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

// option is a socket option: how it is set (nil: it cannot be), how it is read, and which of the two the sockets have.
type option struct {
	set func(s *socket, value json.RawMessage) tcpip.Error
	get func(s *socket) (any, tcpip.Error)
}

var options = map[string]option{
	"SO_ERROR":     {nil, lastError},
	"SO_REUSEADDR": flag((*tcpip.SocketOptions).SetReuseAddress, (*tcpip.SocketOptions).GetReuseAddress),
	"SO_REUSEPORT": flag((*tcpip.SocketOptions).SetReusePort, (*tcpip.SocketOptions).GetReusePort),
	"SO_KEEPALIVE": flag((*tcpip.SocketOptions).SetKeepAlive, (*tcpip.SocketOptions).GetKeepAlive),
	"SO_BROADCAST": flag((*tcpip.SocketOptions).SetBroadcast, (*tcpip.SocketOptions).GetBroadcast),
	"IPV6_V6ONLY":  {setV6Only, getV6Only},
	"TCP_QUICKACK": flag((*tcpip.SocketOptions).SetQuickAck, (*tcpip.SocketOptions).GetQuickAck),
	"TCP_CORK":     flag((*tcpip.SocketOptions).SetCorkOption, (*tcpip.SocketOptions).GetCorkOption),
	"TCP_NODELAY": flag(
		func(o *tcpip.SocketOptions, on bool) { o.SetDelayOption(!on) },
		func(o *tcpip.SocketOptions) bool { return !o.GetDelayOption() },
	),
	"SO_RCVBUF": bufferSize((*tcpip.SocketOptions).SetReceiveBufferSize, (*tcpip.SocketOptions).GetReceiveBufferSize, (*tcpip.SocketOptions).ReceiveBufferLimits),
	"SO_SNDBUF": bufferSize((*tcpip.SocketOptions).SetSendBufferSize, (*tcpip.SocketOptions).GetSendBufferSize, (*tcpip.SocketOptions).SendBufferLimits),
	"SO_LINGER": {setLinger, getLinger},

	"TCP_MAXSEG":        whole(tcpip.MaxSegOption, anyInt),
	"TCP_KEEPCNT":       whole(tcpip.KeepaliveCountOption, between(1, 127)),
	"TCP_SYNCNT":        whole(tcpip.TCPSynCountOption, anyInt),
	"TCP_WINDOW_CLAMP":  whole(tcpip.TCPWindowClampOption, anyInt),
	"IP_TOS":            whole(tcpip.IPv4TOSOption, anyInt),
	"IPV6_TCLASS":       whole(tcpip.IPv6TrafficClassOption, orDefault(0, 255, 0)),
	"IP_TTL":            whole(tcpip.IPv4TTLOption, orDefault(1, 255, 0)).or(0, ipv4.ProtocolNumber),
	"IPV6_UNICAST_HOPS": whole(tcpip.IPv6HopLimitOption, between(-1, 255)).or(-1, ipv6.ProtocolNumber),

	"TCP_KEEPIDLE":     duration[tcpip.KeepaliveIdleOption](time.Second, between(1, 32767)),
	"TCP_KEEPINTVL":    duration[tcpip.KeepaliveIntervalOption](time.Second, between(1, 32767)),
	"TCP_USER_TIMEOUT": duration[tcpip.TCPUserTimeoutOption](time.Millisecond, between(0, math.MaxInt32)),
	"TCP_DEFER_ACCEPT": duration[tcpip.TCPDeferAcceptOption](time.Second, func(v int) (int, bool) { return max(v, 0), true }),
	"TCP_LINGER2":      duration[tcpip.TCPLingerTimeoutOption](time.Second, anyInt),
	"IP_MTU_DISCOVER":  {setMTUDiscover, getMTUDiscover},
	"TCP_CONGESTION":   {setCongestionControl, getCongestionControl},
}

// What a value may be, and what it means to netstack, which leaves both to the socket layer above it: these are those of gVisor's kernel.
type check func(v int) (int, bool)

func anyInt(v int) (int, bool) { return v, true }

func between(low, high int) check {
	return func(v int) (int, bool) { return v, low <= v && v <= high }
}

// orDefault is a range in which -1 stands for the default, which netstack has as another number.
func orDefault(low, high, standsFor int) check {
	return func(v int) (int, bool) {
		if v == -1 {
			return standsFor, true
		}
		return v, low <= v && v <= high
	}
}

func setOption(_ *adapter, s *socket, p params) (reply, *again) {
	o, known := options[p.Name]
	if !known || o.set == nil {
		return failed("ENOPROTOOPT"), nil
	}
	return outcome(o.set(s, p.Value)), nil
}

func getOption(_ *adapter, s *socket, p params) (reply, *again) {
	o, known := options[p.Name]
	if !known {
		return failed("ENOPROTOOPT"), nil
	}
	value, err := o.get(s)
	if err != nil {
		return outcome(err), nil
	}
	return reply{"value": value}, nil
}

// read takes a value, of which netstack would say the same if it were of another kind.
func read[T any](raw json.RawMessage) (T, tcpip.Error) {
	var value T
	if json.Unmarshal(raw, &value) != nil {
		return value, &tcpip.ErrInvalidOptionValue{}
	}
	return value, nil
}

// readInt takes a number, or the octets of one.
func readInt(raw json.RawMessage) (int, tcpip.Error) {
	if value, err := read[int](raw); err == nil {
		return value, nil
	}
	digits, err := read[string](raw)
	if err != nil {
		return 0, err
	}
	octets, bad := hex.DecodeString(digits)
	if bad != nil || len(octets) < 4 {
		return 0, &tcpip.ErrInvalidOptionValue{}
	}
	return int(int32(binary.NativeEndian.Uint32(octets))), nil
}

func flag(set func(*tcpip.SocketOptions, bool), get func(*tcpip.SocketOptions) bool) option {
	return option{
		func(s *socket, raw json.RawMessage) tcpip.Error {
			value, err := readInt(raw)
			if err == nil {
				set(s.endpoint.SocketOptions(), value != 0)
			}
			return err
		},
		func(s *socket) (any, tcpip.Error) { return toInt(get(s.endpoint.SocketOptions())), nil },
	}
}

// readFitting reads a number that fits, as the option takes it.
func readFitting(raw json.RawMessage, fits check) (int, tcpip.Error) {
	value, err := readInt(raw)
	if err != nil {
		return 0, err
	}
	value, ok := fits(value)
	if !ok {
		return 0, &tcpip.ErrInvalidOptionValue{}
	}
	return value, nil
}

func whole(name tcpip.SockOptInt, fits check) option {
	return option{
		func(s *socket, raw json.RawMessage) tcpip.Error {
			value, err := readFitting(raw, fits)
			if err != nil {
				return err
			}
			return s.endpoint.SetSockOptInt(name, value)
		},
		func(s *socket) (any, tcpip.Error) { return s.endpoint.GetSockOptInt(name) },
	}
}

// or reads the network protocol's default where the socket has the number that stands for it.
func (o option) or(standsFor int, protocol tcpip.NetworkProtocolNumber) option {
	get := o.get
	o.get = func(s *socket) (any, tcpip.Error) {
		value, err := get(s)
		if err != nil || value != standsFor {
			return value, err
		}
		var ttl tcpip.DefaultTTLOption
		err = s.stack.NetworkProtocolOption(protocol, &ttl)
		return int(ttl), err
	}
	return o
}

// duration is an option that a program gives in units and netstack has as a time.
func duration[T ~int64, P interface {
	*T
	tcpip.GettableSocketOption
	tcpip.SettableSocketOption
}](unit time.Duration, fits check) option {
	return option{
		func(s *socket, raw json.RawMessage) tcpip.Error {
			value, err := readFitting(raw, fits)
			if err != nil {
				return err
			}
			wanted := T(int64(value) * int64(unit))
			return s.endpoint.SetSockOpt(P(&wanted))
		},
		func(s *socket) (any, tcpip.Error) {
			var value T
			err := s.endpoint.GetSockOpt(P(&value))
			return int64(value) / int64(unit), err
		},
	}
}

// bufferSize is the size of a socket's buffer, within the stack's limits. (gVisor's kernel doubles it, as Linux does.)
func bufferSize(
	set func(*tcpip.SocketOptions, int64, bool), get func(*tcpip.SocketOptions) int64, limits func(*tcpip.SocketOptions) (int64, int64),
) option {
	return option{
		func(s *socket, raw json.RawMessage) tcpip.Error {
			value, err := readInt(raw)
			if err == nil {
				least, most := limits(s.endpoint.SocketOptions())
				set(s.endpoint.SocketOptions(), max(min(int64(value), most), least), true)
			}
			return err
		},
		func(s *socket) (any, tcpip.Error) { return get(s.endpoint.SocketOptions()), nil },
	}
}

// setV6Only is refused once the socket has been used.
func setV6Only(s *socket, raw json.RawMessage) tcpip.Error {
	value, err := readInt(raw)
	if err != nil {
		return err
	}
	if s.stream && tcp.EndpointState(s.endpoint.State()) != tcp.StateInitial {
		return &tcpip.ErrInvalidEndpointState{}
	}
	s.endpoint.SocketOptions().SetV6Only(value != 0)
	return nil
}

func getV6Only(s *socket) (any, tcpip.Error) {
	return toInt(s.endpoint.SocketOptions().GetV6Only()), nil
}

func toInt(on bool) int {
	if on {
		return 1
	}
	return 0
}

func lastError(s *socket) (any, tcpip.Error) {
	if name := errno(s.endpoint.LastError()); name != "" {
		return name, nil
	}
	return 0, nil
}

func setLinger(s *socket, raw json.RawMessage) tcpip.Error {
	value, err := read[[2]int](raw)
	if err == nil {
		s.endpoint.SocketOptions().SetLinger(tcpip.LingerOption{
			Enabled: value[0] != 0, Timeout: time.Duration(value[1]) * time.Second,
		})
	}
	return err
}

func getLinger(s *socket) (any, tcpip.Error) {
	linger := s.endpoint.SocketOptions().GetLinger()
	return []int{toInt(linger.Enabled), int(linger.Timeout / time.Second)}, nil
}

func setCongestionControl(s *socket, raw json.RawMessage) tcpip.Error {
	digits, err := read[string](raw)
	if err != nil {
		return err
	}
	name, bad := hex.DecodeString(digits)
	if bad != nil {
		return &tcpip.ErrInvalidOptionValue{}
	}
	return s.endpoint.SetSockOpt(ptr(tcpip.CongestionControlOption(name)))
}

func getCongestionControl(s *socket) (any, tcpip.Error) {
	var name tcpip.CongestionControlOption
	err := s.endpoint.GetSockOpt(&name)
	return hex.EncodeToString([]byte(name)), err
}
