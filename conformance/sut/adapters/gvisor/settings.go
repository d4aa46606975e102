package main

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

// configuration is what the next reset makes.
type configuration struct {
	wiring wiring
	clock  string
	apply  []change
}

// change is what a setting's value does to a new stack.
type change func(*stack.Stack) tcpip.Error

// setting is a neutral setting that the stack has: the values that it can have (nil: any), and what a value does. Without apply all
// its values describe the stack as it is.
type setting struct {
	values []any
	apply  func(json.RawMessage) (change, error)
}

func fixed(values ...any) setting { return setting{values: values} }

const unboundedRate = 1<<31 - 1

// base is what gVisor's kernel sets on every stack that it makes: the library of 2023 has SACK off.
var base = tcpOption(ptr(tcpip.TCPSACKEnabled(true)))

var settings = map[string]setting{
	"sack": {onOff(true), word(func(v string) change {
		return tcpOption(ptr(tcpip.TCPSACKEnabled(v == "on")))
	})},
	// Tail loss probes are a part of RACK here: neither is had without the other.
	"rack":           {onOff(true), word(recovery)},
	"tlp":            {onOff(true), word(recovery)},
	"syn_cookies":    {[]any{"on", "always"}, word(func(v string) change { return tcpOption(ptr(tcpip.TCPAlwaysUseSynCookies(v == "always"))) })},
	"tw_reuse":       {onOff(false), word(timeWaitReuse)},
	"retries2":       {nil, number(func(n int64) change { return tcpOption(ptr(tcpip.TCPMaxRetriesOption(n))) })},
	"syn_retries":    {counts(tcp.DefaultSynRetries, 1, 255), number(func(n int64) change { return tcpOption(ptr(tcpip.TCPSynRetriesOption(n))) })},
	"fin_timeout":    {nil, number(func(n int64) change { return tcpOption(ptr(tcpip.TCPLingerTimeoutOption(n))) })},
	"rto_min":        {nil, number(func(n int64) change { return tcpOption(ptr(tcpip.TCPMinRTOOption(n))) })},
	"ttl":            {nil, number(defaultTTL)},
	"mtu":            {nil, number(func(int64) change { return nil })}, // the interface has it
	"send_buffer":    {nil, number(sendBuffer)},
	"receive_buffer": {nil, number(receiveBuffer)},
	"congestion_control": {[]any{"reno", "cubic"}, word(func(v string) change {
		return tcpOption(ptr(tcpip.CongestionControlOption(v)))
	})},
	"ephemeral_ports":   {nil, word(ephemeralPorts)},
	"invalid_ratelimit": {nil, number(invalidRateLimit)},
	"icmp_ratelimit":    {onOff(true), word(icmpRateLimit)},

	"timestamps":            fixed("on"),
	"window_scaling":        fixed("on"),
	"dsack":                 fixed("off"),
	"ecn":                   fixed("off"),
	"fast_open":             fixed("off"),
	"mtu_probing":           fixed("off"),
	"pmtu_discovery":        fixed(pathMTUDiscovery),
	"syn_linear_timeouts":   fixed(0),
	"keepalive_time":        fixed(int64(tcp.DefaultKeepaliveIdle)),
	"keepalive_interval":    fixed(int64(tcp.DefaultKeepaliveInterval)),
	"keepalive_probes":      fixed(tcp.DefaultKeepaliveCount),
	"abort_on_overflow":     fixed("off"),
	"rfc1337":               fixed("on"),
	"challenge_ack_limit":   fixed(unboundedRate),
	"source_route":          fixed("on"),
	"initial_window":        fixed(tcp.InitialCwnd),
	"slow_start_after_idle": fixed("on"),
	"autocork":              fixed("off"),
}

// describe is what initialize says of the settings.
func describe() map[string]any {
	described := map[string]any{}
	for name, s := range settings {
		if s.values == nil {
			described[name] = "any"
		} else {
			described[name] = s.values
		}
	}
	return described
}

// changes turns the tester's settings into what they do.
func changes(wanted map[string]json.RawMessage) ([]change, error) {
	apply := []change{base}
	for name, value := range wanted {
		s, known := settings[name]
		if !known {
			return nil, refuse("no setting %q", name)
		}
		if s.apply == nil {
			continue
		}
		c, err := s.apply(value)
		if err != nil {
			return nil, refuse("%s: %s", name, err)
		}
		if c != nil {
			apply = append(apply, c)
		}
	}
	return apply, nil
}

func ptr[T any](v T) *T { return &v }

func onOff(on bool) []any {
	if on {
		return []any{"on", "off"}
	}
	return []any{"off", "on"}
}

// counts lists the whole numbers from low to high, the default first.
func counts(first, low, high int) []any {
	values := []any{first}
	for n := low; n <= high; n++ {
		if n != first {
			values = append(values, n)
		}
	}
	return values
}

func word(f func(string) change) func(json.RawMessage) (change, error) {
	return func(raw json.RawMessage) (change, error) {
		var v string
		err := json.Unmarshal(raw, &v)
		return f(v), err
	}
}

func number(f func(int64) change) func(json.RawMessage) (change, error) {
	return func(raw json.RawMessage) (change, error) {
		var v int64
		err := json.Unmarshal(raw, &v)
		return f(v), err
	}
}

func tcpOption(option tcpip.SettableTransportProtocolOption) change {
	return func(s *stack.Stack) tcpip.Error { return s.SetTransportProtocolOption(tcp.ProtocolNumber, option) }
}

func recovery(v string) change {
	if v == "on" {
		return nil
	}
	return tcpOption(ptr(tcpip.TCPRecovery(0)))
}

func timeWaitReuse(v string) change {
	option := tcpip.TCPTimeWaitReuseDisabled
	if v == "on" {
		option = tcpip.TCPTimeWaitReuseGlobal
	}
	return tcpOption(&option)
}

func defaultTTL(n int64) change {
	return func(s *stack.Stack) tcpip.Error {
		option := tcpip.DefaultTTLOption(n)
		if err := s.SetNetworkProtocolOption(ipv4.ProtocolNumber, &option); err != nil {
			return err
		}
		return s.SetNetworkProtocolOption(ipv6.ProtocolNumber, &option)
	}
}

func sendBuffer(n int64) change {
	size := int(n)
	return tcpOption(&tcpip.TCPSendBufferSizeRangeOption{
		Min: min(size, tcp.MinBufferSize), Default: size, Max: max(size, tcp.MaxBufferSize),
	})
}

func receiveBuffer(n int64) change {
	size := int(n)
	return tcpOption(&tcpip.TCPReceiveBufferSizeRangeOption{
		Min: min(size, tcp.MinBufferSize), Default: size, Max: max(size, tcp.MaxBufferSize),
	})
}

func ephemeralPorts(v string) change {
	low, high, _ := strings.Cut(v, "..")
	return func(s *stack.Stack) tcpip.Error {
		first, err := strconv.ParseUint(low, 10, 16)
		if err != nil {
			return &tcpip.ErrInvalidPortRange{}
		}
		last, err := strconv.ParseUint(high, 10, 16)
		if err != nil {
			return &tcpip.ErrInvalidPortRange{}
		}
		return s.SetPortRange(uint16(first), uint16(last))
	}
}

func invalidRateLimit(n int64) change {
	return func(s *stack.Stack) tcpip.Error {
		if err := s.SetOption(stack.TCPInvalidRateLimitOption(time.Duration(n))); err != nil {
			return err
		}
		return nil
	}
}

func icmpRateLimit(v string) change {
	if v == "on" {
		return nil
	}
	return func(s *stack.Stack) tcpip.Error {
		s.SetICMPLimit(unlimited)
		return nil
	}
}
