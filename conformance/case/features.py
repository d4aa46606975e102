"""What a case asks of a stack without saying so in ``needs:``: the calls and options that it uses, the TCP options that it expects.

A stack behind the SUT protocol says what it has; a case that asks for more is *skipped*.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from conformance.case.case import Case
from conformance.case.steps import (
    RAW_OPTION,
    Call,
    CallStep,
    EitherStep,
    Exact,
    ExpectIcmpStep,
    ExpectStep,
    Flags,
    InfoStep,
    InjectIcmpStep,
    InjectStep,
    Name,
    OptionalStep,
    SockoptStep,
    StartStep,
    StatesStep,
    StateStep,
    Step,
    flatten,
)
from conformance.wire import options

__all__ = ["features", "wanted"]

_OPTIONS: Mapping[int, str] = {
    options.TIMESTAMP: "timestamps",
    options.SACK_OK: "sack",
    options.SACK: "sack",
    options.WSCALE: "window_scaling",
    options.FAST_OPEN: "fast_open",
}
_NEGOTIATED = ("timestamps", "sack", "window_scaling")
"""Settings of what a connection has only if both ends' SYNs offer it."""
_STEPS: Mapping[type[Step], str] = {
    InjectIcmpStep: "icmp",
    ExpectIcmpStep: "icmp",
    StateStep: "states",
    StatesStep: "transitions",
    InfoStep: "info",
    StartStep: "blocking",
}
_ECN_FLAGS = 0xC0
"""ECE and CWR (RFC 3168, section 6.1)."""
_URG = 0x20
_POINTER = "urgent pointer"
_URGENT = ("flag MSG_OOB", "option SO_OOBINLINE", "call sockatmark")


def features(case: Case) -> frozenset[str]:
    """Capabilities by their names, and ``call poll``, ``option SO_LINGER``, ``flag MSG_PEEK`` for what the interface must have."""
    # What is one way of several, or need not come, is not asked for.
    certain = [step for step in case.steps if not isinstance(step, EitherStep | OptionalStep)]
    found = {name for step in flatten(certain) for name in _of(step)}
    # Where the peer's urgent data ends shows to who receives it. (Without that, URG is one more flag.)
    if found.intersection(_URGENT) or found >= {_POINTER, "call recv"}:
        found.add("urgent")
    return frozenset(found - {_POINTER})


def wanted(case: Case) -> dict[str, object]:
    """The settings of ``config:`` that the case cannot do without.

    An option that a case switches off makes no difference where the stack never sends a SYN of its own and no segment of the peer has it.
    """
    steps = flatten(case.steps)
    active = any(isinstance(step, CallStep | StartStep) and step.call.function == "connect" for step in steps)
    sent = [step for step in steps if isinstance(step, InjectStep)]
    injected = [step.segment.options or () for step in sent]
    offered = {_OPTIONS[option.kind] for options in injected for option in options if option.kind in _OPTIONS}
    # Octets that are written out may be any option.
    unclear = active or any("raw" in step.fields for step in sent) or any(one.kind == RAW_OPTION for options in injected for one in options)
    moot = {name for name in _NEGOTIATED if case.config.get(name) is False and name not in offered and not unclear}
    return {name: value for name, value in case.config.items() if name not in moot}


def _of(step: Step) -> Iterator[str]:
    if (name := _STEPS.get(type(step))) is not None:
        yield name
    match step:
        case CallStep() | StartStep():
            yield from _of_call(step.call)
        case SockoptStep():
            yield "call getsockopt"
            yield f"option {step.name}"
        case InjectStep() if step.segment.urg is not None and step.segment.flags.value & _URG:
            yield _POINTER
        case ExpectStep():
            if step.segment.flags.value & _ECN_FLAGS or _marked(step.fields.get("ecn")):
                yield "ecn"
            for option in step.segment.options or ():
                if option.kind in _OPTIONS:
                    yield _OPTIONS[option.kind]


def _marked(ecn: object) -> bool:
    """Is a codepoint of ECN asked for?"""
    return isinstance(ecn, Exact) and ecn.value != 0


def _of_call(call: Call) -> Iterator[str]:
    yield f"call {call.function}"
    for argument in call.args:
        if isinstance(argument, Flags):
            yield from (f"flag {name}" for name in argument.names if name.startswith("MSG_"))
        elif isinstance(argument, Name) and argument.name.startswith("MSG_"):
            yield f"flag {argument.name}"
    if call.function in ("setsockopt", "getsockopt") and isinstance(call.args[1], Name):
        yield f"option {call.args[1].name}"
    if call.function == "socket" and any(isinstance(argument, Name) and argument.name == "SOCK_DGRAM" for argument in call.args):
        yield "udp"
