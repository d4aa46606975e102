"""The tester's end of the SUT protocol for tests: plain lines over pipes and frames over a socket, without the tester's own code."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

__all__ = ["INTERFACE", "Speaker"]

INTERFACE = {
    "mac": "02:00:00:00:00:01",
    "mtu": 1500,
    "addresses": [{"address": "192.0.2.1", "prefix": 24}, {"address": "2001:db8:0:1::1", "prefix": 64}],
    "gateways": [
        {"address": "192.0.2.2", "mac": "02:00:00:00:00:02", "to": "198.18.0.0/15"},
        {"address": "2001:db8:0:1::2", "mac": "02:00:00:00:00:02", "to": "2001:db8:1::/48"},
    ],
}


class Speaker:
    """An adapter that was started, and what it said."""

    def __init__(self, program: Path, *, link: str | None = None) -> None:
        self.link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.link.settimeout(10)
        self.process = subprocess.Popen(
            [sys.executable, program.name],
            cwd=program.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[theirs.fileno()],
            env={**os.environ, "CONFORMANCE_LINK": f"fd:{theirs.fileno()}" if link is None else link},
        )
        theirs.close()
        self._id = 0

    def __enter__(self) -> Speaker:
        return self

    def __exit__(self, *_: object) -> None:
        self.link.close()
        self.process.kill()
        self.process.communicate()

    def write(self, line: bytes) -> None:
        """Anything."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def read(self) -> dict[str, Any]:
        """The next message; the test's own timeout bounds the wait."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the adapter has ended: {self.process.communicate()[1].decode()}"
        message: dict[str, Any] = json.loads(line)
        assert message["jsonrpc"] == "2.0"
        return message

    def send(self, method: str, **params: object) -> int:
        """A request; its id."""
        self._id += 1
        self.write(json.dumps({"jsonrpc": "2.0", "id": self._id, "method": method, "params": params}).encode())
        return self._id

    def until(self, id: int) -> list[dict[str, Any]]:
        """All messages up to the answer to this request, or its ``blocked``."""
        messages = []
        while True:
            messages.append(message := self.read())
            if message.get("id") == id or (message.get("method") == "blocked" and message["params"]["id"] == id):
                return messages

    def ask(self, method: str, **params: object) -> dict[str, Any]:
        """A request's answer, or its ``blocked``."""
        return self.until(self.send(method, **params))[-1]

    def result(self, method: str, **params: object) -> dict[str, Any]:
        """A request's result."""
        answer = self.ask(method, **params)
        result: dict[str, Any] = answer.get("result", answer)
        assert "result" in answer, answer
        return result

    def begin(self, clock: str = "virtual", **settings: object) -> dict[str, Any]:
        """Initialize, configure and reset; what the first said."""
        description = self.result("initialize", protocol=1)
        self.result("configure", clock=clock, interface=INTERFACE, settings=settings)
        self.result("reset", seed=1)
        return description

    def end(self) -> tuple[int, str]:
        """End standard input; the exit status and what was written to standard error."""
        errors = self.process.communicate(timeout=20)[1].decode()
        return self.process.returncode, errors
