// Program adapter puts gVisor's network stack behind the tester's SUT protocol.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"gvisor.dev/gvisor/pkg/log"
)

func main() {
	runtime.GOMAXPROCS(1) // see idle.go
	log.SetTarget(&log.GoogleEmitter{Writer: &log.Writer{Next: os.Stderr}})
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	l, err := openLink(os.Getenv("CONFORMANCE_LINK"))
	if err != nil {
		return err
	}
	// A descriptor that does not block is waited for by the runtime, and not in a system call, which would look busy.
	if err := unix.SetNonblock(0, true); err != nil {
		return err
	}
	a := newAdapter(newSpeaker(os.Stdout), l)
	lines := bufio.NewReaderSize(os.NewFile(0, "stdin"), 1<<16)
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		var r request
		if err := json.Unmarshal(line, &r); err != nil {
			a.speaker.fail(r.ID, refuse("no request: %s", err))
			continue
		}
		a.handle(r)
	}
}
