package main

import (
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
)

// endOf is one end of a connection for the tester; where it has no address, it has the wildcard of the other end's family.
func endOf(address tcpip.Address, port uint16, other tcpip.Address) end {
	a, ok := netip.AddrFromSlice(address.AsSlice())
	if !ok {
		a = netip.IPv6Unspecified()
		if other.Len() == 4 {
			a = netip.IPv4Unspecified()
		}
	}
	return end{a.String(), port}
}
