package main

import (
	"syscall"

	"golang.org/x/sys/unix"

	"gvisor.dev/gvisor/pkg/syserr"
	"gvisor.dev/gvisor/pkg/tcpip"
)

// errno names what the stack returned as gVisor's own kernel tells it to the programs that run in it. Nil is the empty name.
func errno(err tcpip.Error) string {
	if err == nil {
		return ""
	}
	return unix.ErrnoName(syscall.Errno(syserr.TranslateNetstackError(err).ToLinux()))
}

// outcome is the result of a call that returns nothing but an error.
func outcome(err tcpip.Error) reply {
	if name := errno(err); name != "" {
		return reply{"errno": name}
	}
	return reply{}
}

func failed(name string) reply {
	return reply{"errno": name}
}
