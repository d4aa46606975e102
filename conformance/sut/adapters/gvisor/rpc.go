package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
)

// request is one line from the tester.
type request struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params params          `json:"params"`
}

// end is one end of a connection; its address is left out where it is the wildcard.
type end struct {
	Address string `json:"address"`
	Port    uint16 `json:"port"`
}

// params has what any method takes.
type params struct {
	// initialize, configure, reset, advance
	Protocol  json.RawMessage            `json:"protocol"` // and socket's
	Clock     string                     `json:"clock"`
	Interface wiring                     `json:"interface"`
	Settings  map[string]json.RawMessage `json:"settings"`
	Seed      uint64                     `json:"seed"`
	To        int64                      `json:"to"`

	// socket calls
	Blocking bool            `json:"blocking"`
	Socket   *int            `json:"socket"`
	Domain   string          `json:"domain"`
	Type     string          `json:"type"`
	Address  *string         `json:"address"`
	Port     uint16          `json:"port"`
	Backlog  int             `json:"backlog"`
	Data     string          `json:"data"`
	Flags    []string        `json:"flags"`
	Size     int             `json:"size"`
	How      json.RawMessage `json:"how"`
	Name     string          `json:"name"`
	Value    json.RawMessage `json:"value"`
	Request  string          `json:"request"`

	// state
	Local  *end `json:"local"`
	Remote *end `json:"remote"`
}

// wiring is the interface as the tester wants it.
type wiring struct {
	MAC       string `json:"mac"`
	MTU       uint32 `json:"mtu"`
	Addresses []struct {
		Address string `json:"address"`
		Prefix  int    `json:"prefix"`
	} `json:"addresses"`
	Gateways []struct {
		Address string `json:"address"`
		MAC     string `json:"mac"`
		To      string `json:"to"`
	} `json:"gateways"`
}

// reply is a result; the adapter adds what every result has.
type reply map[string]any

// invalid is a request that cannot be carried out: a JSON-RPC error.
type invalid struct {
	code int
	text string
}

func (i invalid) Error() string { return i.text }

const (
	methodNotFound = -32601
	invalidParams  = -32602
)

func refuse(format string, arguments ...any) error {
	return invalid{invalidParams, fmt.Sprintf(format, arguments...)}
}

// speaker writes messages, a line each, and lets none wait.
type speaker struct {
	out *bufio.Writer
}

func newSpeaker(w io.Writer) *speaker {
	return &speaker{bufio.NewWriterSize(w, 1<<16)}
}

func (s *speaker) say(message map[string]any) {
	message["jsonrpc"] = "2.0"
	line, err := json.Marshal(message)
	if err != nil {
		panic(err) // only what this program made goes in
	}
	_, _ = s.out.Write(append(line, '\n'))
	_ = s.out.Flush()
}

func (s *speaker) result(id json.RawMessage, result reply) {
	s.say(map[string]any{"id": id, "result": result})
}

func (s *speaker) fail(id json.RawMessage, err error) {
	code := invalidParams
	if i, known := err.(invalid); known {
		code = i.code
	}
	s.say(map[string]any{"id": id, "error": map[string]any{"code": code, "message": err.Error()}})
}

func (s *speaker) notify(method string, parameters map[string]any) {
	s.say(map[string]any{"method": method, "params": parameters})
}
