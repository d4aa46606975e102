package main

import (
	"encoding/json"

	"golang.org/x/sys/unix"

	"gvisor.dev/gvisor/pkg/tcpip"
)

// mtuDiscover has netstack's number for each value of IP_MTU_DISCOVER.
var mtuDiscover = map[int]int{
	unix.IP_PMTUDISC_DONT:  int(tcpip.PMTUDiscoveryDont),
	unix.IP_PMTUDISC_WANT:  int(tcpip.PMTUDiscoveryWant),
	unix.IP_PMTUDISC_DO:    int(tcpip.PMTUDiscoveryDo),
	unix.IP_PMTUDISC_PROBE: int(tcpip.PMTUDiscoveryProbe),
}

func setMTUDiscover(s *socket, raw json.RawMessage) tcpip.Error {
	value, err := readInt(raw)
	if err != nil {
		return err
	}
	strategy, known := mtuDiscover[value]
	if !known {
		return &tcpip.ErrInvalidOptionValue{}
	}
	return s.endpoint.SetSockOptInt(tcpip.MTUDiscoverOption, strategy)
}

func getMTUDiscover(s *socket) (any, tcpip.Error) {
	strategy, err := s.endpoint.GetSockOptInt(tcpip.MTUDiscoverOption)
	for value, same := range mtuDiscover {
		if same == strategy {
			return value, err
		}
	}
	return strategy, err
}
