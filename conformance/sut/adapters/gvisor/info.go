package main

import (
	"runtime/debug"
	"slices"
	"strings"

	"maps"

	"gvisor.dev/gvisor/pkg/tcpip"
)

// describe is the answer to initialize.
func (a *adapter) describe() reply {
	return reply{
		"protocol": 1,
		"name":     "gvisor",
		"version":  version(),
		"clocks":   []string{"virtual", "real"},
		"shared":   false,
		"capabilities": []string{
			"ipv4", "ipv6", "states", "transitions", "info", "blocking", "sack", "timestamps", "window_scaling", "icmp",
			"simultaneous_open", "half_close", "keepalive", "udp",
		},
		"calls":    append(slices.Sorted(maps.Keys(operations)), "socket"),
		"options":  slices.Sorted(maps.Keys(options)),
		"flags":    []string{"MSG_PEEK", "MSG_TRUNC", "MSG_DONTWAIT", "MSG_WAITALL", "MSG_MORE"},
		"settings": describe(),
	}
}

const module = "gvisor.dev/gvisor"

// version is the day and the commit of the module that this program was built with: 20260905-160fafc42237.
func version() string {
	build, _ := debug.ReadBuildInfo()
	for _, dependency := range build.Deps {
		if dependency.Path == module {
			parts := strings.Split(dependency.Version, "-")
			if len(parts) == 3 {
				return parts[1][:8] + "-" + parts[2]
			}
			return dependency.Version
		}
	}
	return "unknown"
}

// info answers the request of that name with what TCPInfoOption has, under Linux's names.
func info(_ *adapter, s *socket, _ params) (reply, *again) {
	var figures tcpip.TCPInfoOption
	if err := s.endpoint.GetSockOpt(&figures); err != nil {
		return outcome(err), nil
	}
	return reply{
		"state":        uint32(figures.State), // numbered as on Linux
		"rtt":          figures.RTT.Nanoseconds(),
		"rttvar":       figures.RTTVar.Nanoseconds(),
		"rto":          figures.RTO.Nanoseconds(),
		"snd_cwnd":     figures.SndCwnd,
		"snd_ssthresh": figures.SndSsthresh,
	}, nil
}
