"""The path of a call or a segment: which layers of the stack it passes, in which order, one within the other, and which states change.

Nothing is written down beforehand. While a recording is on, the interpreter tells of each function that is called
(:func:`sys.setprofile`), and what is a layer is one rule with a few tables: the functions of the stack's modules, which have the kernel's
names, but for :data:`_HELPERS` and :data:`_OWN`; and of the methods those that stand for a function of the kernel (:data:`_METHODS`).
A state that changed is noticed at the next call or return, so it stands where it happened. Without a recording all this costs nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from inspect import CO_GENERATOR, CO_OPTIMIZED
from types import CodeType, FrameType
from typing import Any

from conformance.stack.request_sock import RequestSock
from conformance.stack.sock import Sock, Socket
from conformance.stack.tasks import Wait

__all__ = ["Change", "Layer", "Recorder", "Sleep"]

_PACKAGE = "conformance.stack."

_METHODS = {
    "InetHashinfo.established": "__inet_lookup_established",
    "InetHashinfo.get_port": "inet_bind_hash",
    "InetHashinfo.insert": "inet_ehash_insert",
    "InetHashinfo.listener": "__inet_lookup_listener",
    "InetHashinfo.put_port": "__inet_put_port",
    "Neighbour.output": "neigh_output",
    "RequestSock.__init__": "inet_reqsk_alloc",
}
"""Methods that are layers, and what the kernel calls them."""
_NAMES = {"sk_wait": "sk_wait_event", "tcp_cwnd_restart_after_idle": "tcp_slow_start_after_idle_check"}
"""Functions that have another name than the kernel's, which may be a macro's."""
_OWN = frozenset({"__create_fn__", "tcp_rtt_sample", "tcp_send_segment"})
"""Functions that Linux has not; ``__create_fn__`` makes a dataclass when a module is first imported. What they call is called by the layer
above them."""
_HELPERS = frozenset({
    "address_of", "after", "before", "between", "checksummed", "compute_score", "dst_advmss", "dst_mtu",
    "fixed_neighbour", "inet_protos", "inet_rcv_saddr_equal", "ipv6_addr_v4mapped", "is_any", "is_link_local", "is_loopback",
    "is_multicast", "on_wire", "oow_rate_limited", "pseudo_of", "reqsk_queue_empty", "sk_of", "solicited_node", "tcp_adopt_state",
    "tcp_build", "tcp_default_mss", "tcp_mtu_to_mss", "tcp_options_bytes", "tcp_space", "tcp_time_stamp", "tcp_win_from_space",
})  # fmt: skip
"""Questions that are answered in a line or two. They and what they ask are no layers."""

_HOLDERS = {RequestSock: "request sock", Socket: "socket"}
"""Whose state it is, where it is not that of a ``struct sock``."""


@dataclass(frozen=True, slots=True)
class Change:
    """A state changed here: TCP's, or that of ``struct socket`` (SS_…)."""

    of: str
    """``sock``, ``request sock`` or ``socket``."""
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Sleep:
    """The caller slept here until something happened to the socket."""


@dataclass(slots=True, eq=False)
class Layer:
    """A function that was called."""

    name: str
    """The kernel's."""
    file: str
    """Where it is in this stack."""
    steps: list[Layer | Change | Sleep] = field(default_factory=list)
    """What it did, in order."""

    def walk(self, depth: int = 0) -> Iterator[tuple[int, Layer | Change | Sleep]]:
        """This and all below it, in order, each with its depth."""
        yield depth, self
        for step in self.steps:
            if isinstance(step, Layer):
                yield from step.walk(depth + 1)
            else:
                yield depth + 1, step

    def as_json(self) -> dict[str, Any]:
        """As nested objects."""
        steps = [_step_json(step) for step in self.steps]
        return {"layer": self.name, "file": self.file, **({"steps": steps} if steps else {})}


def _step_json(step: Layer | Change | Sleep) -> dict[str, Any]:
    if isinstance(step, Layer):
        return step.as_json()
    if isinstance(step, Change):
        return {"state": {"of": step.of, "from": step.old, "to": step.new}}
    return {"sleeps": True}


def _layer_name(code: CodeType, module: str) -> str | None:
    """What the kernel calls this function; "" if it is a helper, None if it is neither: what it calls is called by the layer above it."""
    name = code.co_name
    if not module.startswith(_PACKAGE) or module == __name__ or not code.co_flags & CO_OPTIMIZED:  # class bodies are not
        return None
    if code.co_qualname != name:
        return _METHODS.get(code.co_qualname)
    if name in _HELPERS:
        return ""
    if name in _OWN or (name.startswith("_") and not name.startswith("__")):
        return None
    return _NAMES.get(name, name)


class Recorder:
    """Records what is done while it is :meth:`on`, which may be several times: a call that sleeps goes on under its own name."""

    def __init__(self) -> None:
        self.roots: list[Layer] = []
        """What was called from outside the stack, in order."""
        self._open: list[tuple[FrameType, Layer]] = []
        """The layers that have not returned yet, the innermost last."""
        self._helper: FrameType | None = None
        """What goes on until this one returns is not listed."""
        self._calls: dict[FrameType, Layer] = {}
        """Socket calls: a generator that goes on is no new call. Its frame is kept so that no other one has the same identity."""
        self._names: dict[CodeType, str | None] = {}
        self._states: dict[int, tuple[Any, Enum | None]] = {}
        """Each socket that was seen, and its state then."""
        self._slept: Wait | None = None

    @contextmanager
    def on(self) -> Iterator[None]:
        """Record; whatever profiled before does so again afterwards, whatever happens."""
        before = sys.getprofile()
        sys.setprofile(self._event)
        try:
            yield
        finally:
            sys.setprofile(before)
            self._open.clear()
            self._helper = None

    def layer(self, name: str) -> Layer:
        """The first of the roots with this name; a KeyError if there is none."""
        for root in self.roots:
            if root.name == name:
                return root
        raise KeyError(name)

    # What the interpreter tells -----------------------------------------------------------------------------------------

    def _event(self, frame: FrameType, event: str, value: Any) -> None:
        if event == "call":
            self._look()
            self._call(frame)
        elif event == "return":
            self._look()
            self._return(frame, value)

    def _call(self, frame: FrameType) -> None:
        code = frame.f_code
        if code not in self._names:
            self._names[code] = _layer_name(code, frame.f_globals.get("__name__", ""))
        name = self._names[code]
        if name is None or self._helper is not None:
            return
        if not name:
            self._helper = frame
            self._watch(frame)
            return
        layer = self._calls.get(frame)
        if layer is None:
            layer = Layer(name, frame.f_globals["__name__"].replace(".", "/") + ".py")
            (self._open[-1][1].steps if self._open else self.roots).append(layer)
            if code.co_flags & CO_GENERATOR:
                self._calls[frame] = layer
            self._watch(frame)
        self._open.append((frame, layer))

    def _return(self, frame: FrameType, value: Any) -> None:
        if self._helper is frame:
            self._helper = None
        if not self._open or self._open[-1][0] is not frame:
            return
        _, layer = self._open.pop()
        if isinstance(value, Wait) and value is not self._slept:  # the callers of a caller that sleeps yield the same
            self._slept = value
            layer.steps.append(Sleep())

    def _watch(self, frame: FrameType) -> None:
        """Keep an eye on the sockets that a layer was given."""
        code, given = frame.f_code, frame.f_locals
        for name in code.co_varnames[: code.co_argcount]:
            held = given.get(name)
            if isinstance(held, Socket | Sock | RequestSock) and id(held) not in self._states:
                self._states[id(held)] = held, _state(held)

    def _look(self) -> None:
        """Has a state changed since the last call or return? Then the layer that is innermost did that."""
        for identity, (held, old) in self._states.items():
            new = _state(held)
            if new is not old:
                self._states[identity] = held, new
                if old is not None and new is not None and self._open:
                    self._open[-1][1].steps.append(Change(_HOLDERS.get(type(held), "sock"), _text(old), _text(new)))


def _state(held: Socket | Sock | RequestSock) -> Enum | None:
    """None while the socket is being made."""
    state = getattr(held, "state", None) if isinstance(held, Socket) else getattr(held, "sk_state", None)
    return state if isinstance(state, Enum) else None


def _text(state: Enum) -> str:
    """TCP's states by the RFC's names, which are their values."""
    return state.value if isinstance(state.value, str) else state.name
