"""An adapter's process: standard input and the link in, standard output out, until standard input ends."""

from __future__ import annotations

import os
import select
import sys

from conformance.sut.sdk.adapter import Adapter
from conformance.sut.sdk.link import open_link
from conformance.sut.sdk.session import Session

__all__ = ["own_output", "serve"]

_READ = 1 << 16


def own_output() -> int:
    """Keep standard output for the protocol: a descriptor of it. What is printed from now on goes to standard error."""
    sys.stdout.flush()
    out = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return out


def write_all(descriptor: int, data: bytes) -> None:
    """All of it, however much the pipe takes at a time."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def serve(adapter: Adapter) -> None:
    """Carry out what the tester asks for, until it ends standard input."""
    out, asks = own_output(), sys.stdin.fileno()
    session = Session(adapter, lambda data: write_all(out, data), lambda: open_link(os.environ.get("CONFORMANCE_LINK")))
    try:
        while True:
            watched = [asks] if session.link is None or not session.real else [asks, session.link.fileno()]
            readable, _, _ = select.select(watched, [], [], session.wait())
            session.turn()
            if asks in readable:
                data = os.read(asks, _READ)
                if not data:
                    return
                session.feed(data)
    except (BrokenPipeError, KeyboardInterrupt):
        return  # nobody listens any more
