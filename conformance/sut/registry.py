"""The stacks under test that there are. A new one is one entry here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from conformance.link.errors import EnvironmentFault
from conformance.sut.base import AnySut, Sut, SutFault
from conformance.sut.manifest import Manifest, in_folder, manifests

__all__ = ["STATE_SOURCES", "SUTS", "Entry", "choose", "is_virtual", "make", "unknown"]

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
    manifest: Manifest | None = None
    """Of one that stands behind the protocol."""


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


_BUILT_IN: Mapping[str, Entry] = {
    "linux": Entry("the running Linux kernel, in network namespaces of its own", _linux),
    "reference": Entry(
        "the stack in Python that comes with the tester, on a virtual clock: no privilege, any system", _reference, virtual=True
    ),
}


def _behind_protocol(manifest: Manifest) -> Entry:
    def start(_: str) -> AnySut:
        if missing := manifest.missing():
            raise EnvironmentFault(f"{manifest.name} takes what is not here: {', '.join(missing)}")
        if not manifest.built:
            raise EnvironmentFault(f"{manifest.name} is not built: make suts")
        try:
            if manifest.clock == "virtual":
                from conformance.sut.external import External

                return External(manifest)
            from conformance.sut.external_real import ExternalReal

            return ExternalReal(manifest)
        except SutFault as fault:
            raise EnvironmentFault(str(fault)) from None

    return Entry(manifest.title, start, virtual=manifest.clock == "virtual", manifest=manifest)


SUTS: Mapping[str, Entry] = {**_BUILT_IN, **{name: _behind_protocol(manifest) for name, manifest in manifests().items()}}


def unknown(name: str) -> str | None:
    """Why there is no stack under test of this name; None if there is. A name may be the path of an ``adapter.yaml`` elsewhere."""
    try:
        _find(name)
    except KeyError:
        return f"there is no SUT {name!r}: {', '.join(SUTS)}, or the path of an adapter.yaml"
    except SutFault as fault:
        return str(fault)
    return None


def is_virtual(name: str) -> bool:
    """Is it a VirtualSut? KeyError: there is none of this name."""
    return _find(name).virtual


def _find(name: str) -> Entry:
    """The stack of this name: ``lwip``, ``path/adapter.yaml`` (the first of that file), ``path/adapter.yaml:NAME``."""
    if name in SUTS or ".yaml" not in name:
        return SUTS[name]
    file, _, wanted = name.partition(":")
    found = {one.name: one for one in in_folder(Path(file))}
    return _behind_protocol(found[wanted or next(iter(found))])


def make(name: str, states: str = "auto") -> AnySut:
    """The stack under test with this name.

    Raises:
        KeyError: there is none.
        EnvironmentFault: it cannot be had on this machine.
    """
    return _find(name).make(states)


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
