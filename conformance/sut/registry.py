"""The stacks under test that there are. A new one is one entry here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from conformance.link.errors import EnvironmentFault
from conformance.sut.base import AnySut, Sut, SutFault

__all__ = ["STATE_SOURCES", "SUTS", "Entry", "choose", "make"]

STATE_SOURCES = ("auto", "tracepoint", "inet_diag")
"""Where Linux's states may come from; ``auto`` is the tracepoint where tracefs can be read."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A stack under test: what it is, and how to make it."""

    title: str
    make: Callable[[str], AnySut]
    """Takes where states come from, one of STATE_SOURCES. Raises EnvironmentFault, saying what is missing."""
    virtual: bool = False
    """It is a VirtualSut: no case takes long."""


def _linux(states: str) -> Sut:
    from conformance.link.netns import acquire
    from conformance.sut.linux import Linux  # pyroute2 takes a quarter of a second to import

    acquire()
    sut = Linux(trace=states != "inet_diag")
    if states == "tracepoint" and not sut.traces:
        sut.close()
        raise EnvironmentFault("the tracepoint sock:inet_sock_set_state cannot be read; see `conformance doctor`")
    return sut


def _reference(_: str) -> AnySut:
    from conformance.sut.reference import Reference

    return Reference()


SUTS: Mapping[str, Entry] = {
    "linux": Entry("the running Linux kernel, in network namespaces of its own", _linux),
    "reference": Entry(
        "the stack in Python that comes with the tester, on a virtual clock: no privilege, any system", _reference, virtual=True
    ),
}


def make(name: str, states: str = "auto") -> AnySut:
    """The stack under test with this name.

    Raises:
        KeyError: there is none.
        EnvironmentFault: it cannot be had on this machine.
    """
    return SUTS[name].make(states)


def choose() -> tuple[AnySut, str]:
    """The stack under test where none was asked for, and why: Linux if this machine can test it, else the reference stack."""
    try:
        sut = _linux("auto")
        try:
            sut.bed({}).close()
        except BaseException:
            sut.close()
            raise
    except (EnvironmentFault, SutFault, OSError, ImportError) as reason:
        return _reference("auto"), f"the stack under test is reference, because linux cannot be tested here: {reason}"
    return sut, "the stack under test is linux, because this machine can make a test bed for it; --sut reference needs none"
