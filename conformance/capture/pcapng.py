"""Traces as pcapng files: the frames, and beside them everything else that a trace knows, as comments.

Layout (draft-ietf-opsawg-pcapng): a section header that names the tester, the case, the verdict and the SUT; one Ethernet interface, the
tester's end of the link, that counts nanoseconds; an enhanced packet block for each frame. What happened between two frames (socket
calls, transitions of states, notes) stands before the comment of the second, and what happened after the last, or is too much for a
packet, in an interface statistics block. Every program that reads captures reads these, and :mod:`conformance.capture.trace_file` gets
the whole trace back; :mod:`conformance.capture.annotations` says what the comments mean.

Every passing case run may leave such a file, so writing one is a matter of microseconds: packed by hand, joined once, written once. The
files of several case runs, one behind the other, are a file with as many sections.
"""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from struct import Struct
from typing import BinaryIO, TypedDict, Unpack

from conformance import __version__
from conformance.capture.annotations import LONGEST, connection_text, event_text, frame_text, quoted, seconds, split
from conformance.result import SutFacts
from conformance.trace import Received, Sent, Trace

__all__ = ["Details", "numbers_of", "pcapng_bytes", "write_pcapng"]

SECTION_HEADER, INTERFACE, INTERFACE_STATISTICS, ENHANCED_PACKET = 0x0A0D0D0A, 1, 5, 6
BYTE_ORDER_MAGIC = 0x1A2B3C4D
LINKTYPE_ETHERNET = 1
UNKNOWN_LENGTH = (1 << 64) - 1
"""A section need not say how long it is."""

END_OF_OPTIONS = b"\0\0\0\0"
COMMENT = 1
SHB_HARDWARE, SHB_OS, SHB_USERAPPL = 2, 3, 4
IF_NAME, IF_TSRESOL = 2, 9
EPB_FLAGS = 2
INBOUND, OUTBOUND = 1, 2
"""As the tester sees it: from the SUT, to the SUT."""
NANOSECONDS = 9

MOST_COMMENTS = 32
"""Of a block: readers look at so many options at least."""
PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")
"""By length modulo four."""
_HALF = 0xFFFF_FFFF

_block_head = Struct("<II").pack
_block_tail = Struct("<I").pack
_option_head = Struct("<HH").pack
_section = Struct("<IHHQ").pack
_interface = Struct("<HHI").pack
_statistics = Struct("<III").pack
_packet_head = Struct("<IIIIIII").pack


class Details(TypedDict, total=False):
    """What a file says of a trace that the trace does not know."""

    verdict: str
    reason: str
    """Why the step that failed did."""
    labels: Mapping[int, str] | None
    """What each step is, by its index: ``line 12: expect: S. 0:0(0) ack 1``."""
    sut: SutFacts | None
    config: Mapping[str, object] | None
    """The settings that the case asked for."""
    fingerprint: str
    """Of the case as it was played (:func:`conformance.case.case.fingerprint`)."""
    seed: int | None
    epoch_offset_ns: int
    """Makes wall-clock time of the trace's monotonic times."""


def write_pcapng(target: str | os.PathLike[str] | BinaryIO, trace: Trace, case_id: str, **details: Unpack[Details]) -> None:
    """Write ``trace`` to a file of its own."""
    content = pcapng_bytes(trace, case_id, **details)
    if not isinstance(target, (str, os.PathLike)):
        target.write(content)
        return
    path = Path(target)
    if path.is_file():  # cutting short a file that has just been written makes ext4 wait for the disk; a new one does not
        path.unlink()
    path.write_bytes(content)


def pcapng_bytes(trace: Trace, case_id: str, **details: Unpack[Details]) -> bytes:
    """The whole file, which is one section."""
    about = b"".join(map(_comment, _about(trace, case_id, details)))
    return b"".join([_section_header(about), _INTERFACE_BLOCK, *_blocks(trace, details)])


def _about(trace: Trace, case_id: str, details: Details) -> Iterator[str]:
    """The comments of the section."""
    sut, config, seed = details.get("sut"), details.get("config"), details.get("seed")
    said: dict[str, str | None] = {
        "case": quoted(case_id),
        "verdict": details.get("verdict") or None,
        "reason": quoted(details.get("reason", "")) or None,
        "sut": None if sut is None else quoted(sut.name),
        "version": None if sut is None else quoted(sut.version),
        "settings": None if sut is None else json.dumps(sut.settings),
        "config": json.dumps(dict(config)) if config else None,
        "fingerprint": details.get("fingerprint") or None,
        "seed": None if seed is None else str(seed),
        "states from": quoted(trace.states_from),
        "start": seconds(trace.start),
        "wall clock": seconds(details.get("epoch_offset_ns", 0)),
    }
    return (f"{name}: {value}" for name, value in said.items() if value is not None)


def _blocks(trace: Trace, details: Details) -> Iterator[bytes]:
    """The pieces of a block for each frame, in the order of their times, and of those for what is said between them."""
    labels, offset, start = details.get("labels") or {}, details.get("epoch_offset_ns", 0), trace.start
    why = _comment(f"reason: {quoted(details['reason'])}") if details.get("reason") else b""
    said = [_comment(f"connection: {connection_text(ends)}") for ends in trace.connections.values()]
    t = start + offset
    for event in trace.sorted():
        t = event.t + offset
        if isinstance(event, Received):
            flags = _FROM_SUT
        elif isinstance(event, Sent):
            flags = _FROM_TESTER
        else:
            said.append(_comment(event_text(event, start)))
            continue
        text = frame_text(event, labels.get(event.step, "") if event.step is not None else "")
        if len(said) > MOST_COMMENTS:
            yield from _statements(said, t)
            said = []
        options = b"".join(said) + (_comment(text) if text else b"") + (why if event.failed else b"") + flags
        said, frame = [], event.frame
        size = len(frame)
        padding = PADDING[size & 3]
        length = 32 + size + len(padding) + len(options)
        yield _packet_head(ENHANCED_PACKET, length, 0, t >> 32 & _HALF, t & _HALF, size, size)
        yield frame
        yield padding
        yield options
        yield _block_tail(length)
    yield from _statements(said, t)


def _statements(said: Sequence[bytes], t: int) -> Iterator[bytes]:
    """Interface statistics blocks that hold these comments."""
    for at in range(0, len(said), MOST_COMMENTS):
        comments = b"".join(said[at : at + MOST_COMMENTS])
        yield _block(INTERFACE_STATISTICS, _statistics(0, t >> 32 & _HALF, t & _HALF) + comments + END_OF_OPTIONS)


def _section_header(about: bytes) -> bytes:
    return _block(SECTION_HEADER, _section(BYTE_ORDER_MAGIC, 1, 0, UNKNOWN_LENGTH) + about + _machine() + END_OF_OPTIONS)


def numbers_of(version: str) -> str:
    """``6.18.44`` of ``6.18.44-1-amd64``: what a build appends says nothing to those who read it elsewhere."""
    found = re.match(r"\d+(\.\d+)*", version)
    return found.group() if found else version


@cache
def _machine() -> bytes:
    """The options that say where the capture was taken, and by what."""
    return (
        _option(SHB_HARDWARE, platform.machine().encode())
        + _option(SHB_OS, f"{platform.system()} {numbers_of(platform.release())}".encode())
        + _option(SHB_USERAPPL, f"conformance {__version__}".encode())
    )


def _block(kind: int, body: bytes) -> bytes:
    length = len(body) + 12
    return _block_head(kind, length) + body + _block_tail(length)


def _option(code: int, value: bytes) -> bytes:
    return _option_head(code, len(value)) + value + PADDING[len(value) & 3]


def _comment(text: str) -> bytes:
    """A comment, in as many options as it takes."""
    data = text.encode()
    return _option(COMMENT, data) if len(data) <= LONGEST else b"".join(_option(COMMENT, piece) for piece in split(data))


_FROM_SUT = _option(EPB_FLAGS, INBOUND.to_bytes(4, "little")) + END_OF_OPTIONS
_FROM_TESTER = _option(EPB_FLAGS, OUTBOUND.to_bytes(4, "little")) + END_OF_OPTIONS
_INTERFACE_BLOCK = _block(
    INTERFACE,
    _interface(LINKTYPE_ETHERNET, 0, 0) + _option(IF_NAME, b"tester") + _option(IF_TSRESOL, bytes([NANOSECONDS])) + END_OF_OPTIONS,
)
