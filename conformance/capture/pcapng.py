"""Traces as pcapng files: the frames, and beside each the step that it matched or failed.

Layout (draft-ietf-opsawg-pcapng): a section header that names the tester, the case and the verdict; one Ethernet
interface, the tester's end of the link, that counts nanoseconds; an enhanced packet block for each frame. Every passing
case run may leave such a file, so writing one is a matter of microseconds: packed by hand, joined once, written once.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from struct import Struct
from typing import BinaryIO

from conformance import __version__
from conformance.trace import Received, Sent, Trace

__all__ = ["pcapng_bytes", "write_pcapng"]

SECTION_HEADER, INTERFACE, ENHANCED_PACKET = 0x0A0D0D0A, 1, 6
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

LONGEST_COMMENT = 0xFFFC
PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")
"""By length modulo four."""

_block_head = Struct("<II").pack
_block_tail = Struct("<I").pack
_option_head = Struct("<HH").pack
_section = Struct("<IHHQ").pack
_interface = Struct("<HHI").pack
_packet_head = Struct("<IIIIIII").pack


def write_pcapng(
    target: str | os.PathLike[str] | BinaryIO,
    trace: Trace,
    case_id: str,
    *,
    verdict: str = "",
    reason: str = "",
    labels: Mapping[int, str] | None = None,
    epoch_offset_ns: int = 0,
) -> None:
    """Write the frames of ``trace``.

    ``labels`` says for each step index what its step is (``line 12: expect: S. 0:0(0) ack 1``), ``reason`` why the
    failed one failed. ``epoch_offset_ns`` is what makes wall-clock time of the trace's monotonic times.
    """
    content = pcapng_bytes(trace, case_id, verdict=verdict, reason=reason, labels=labels, epoch_offset_ns=epoch_offset_ns)
    if not isinstance(target, (str, os.PathLike)):
        target.write(content)
        return
    path = Path(target)
    if path.is_file():  # cutting short a file that has just been written makes ext4 wait for the disk; a new one does not
        path.unlink()
    path.write_bytes(content)


def pcapng_bytes(
    trace: Trace,
    case_id: str,
    *,
    verdict: str = "",
    reason: str = "",
    labels: Mapping[int, str] | None = None,
    epoch_offset_ns: int = 0,
) -> bytes:
    """The whole file; see :func:`write_pcapng`."""
    about = " · ".join(part for part in (f"case {case_id}", verdict, reason) if part)
    parts = [_section_header(about), _INTERFACE_BLOCK]
    parts += _packets(trace, case_id, reason, labels or {}, epoch_offset_ns)
    return b"".join(parts)


def _packets(trace: Trace, case_id: str, reason: str, labels: Mapping[int, str], offset: int) -> Iterator[bytes]:
    """The pieces of an enhanced packet block for each frame, in the order of their times."""
    for event in trace.sorted():
        if isinstance(event, Received):
            flags, done = _FROM_SUT, "matched"
        elif isinstance(event, Sent):
            flags, done = _FROM_TESTER, "sent"
        else:
            continue
        options = flags
        if event.step is not None:
            label = labels.get(event.step) or f"{event.step}"
            ending = f"FAILED: {reason}" if event.failed else done
            options = _comment(f"case {case_id} · step {label} · {ending}") + flags
        frame, time = event.frame, event.t + offset
        size = len(frame)
        padding = PADDING[size & 3]
        length = 32 + size + len(padding) + len(options)
        yield _packet_head(ENHANCED_PACKET, length, 0, time >> 32, time & 0xFFFFFFFF, size, size)
        yield frame
        yield padding
        yield options
        yield _block_tail(length)


def _section_header(about: str) -> bytes:
    body = _section(BYTE_ORDER_MAGIC, 1, 0, UNKNOWN_LENGTH) + _comment(about) + _machine() + END_OF_OPTIONS
    return _block(SECTION_HEADER, body)


@cache
def _machine() -> bytes:
    """The options that say where the capture was taken, and by what."""
    return (
        _option(SHB_HARDWARE, platform.machine().encode())
        + _option(SHB_OS, f"{platform.system()} {platform.release()}".encode())
        + _option(SHB_USERAPPL, f"conformance {__version__}".encode())
    )


def _block(kind: int, body: bytes) -> bytes:
    length = len(body) + 12
    return _block_head(kind, length) + body + _block_tail(length)


def _option(code: int, value: bytes) -> bytes:
    return _option_head(code, len(value)) + value + PADDING[len(value) & 3]


def _comment(text: str) -> bytes:
    """A comment; programs print them, so what would steer a terminal is replaced, and what an option cannot hold is cut off."""
    if not text.isprintable():
        text = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
    value = text.encode()
    if len(value) > LONGEST_COMMENT:
        value = value[:LONGEST_COMMENT].decode(errors="ignore").encode()
    return _option(COMMENT, value)


_FROM_SUT = _option(EPB_FLAGS, INBOUND.to_bytes(4, "little")) + END_OF_OPTIONS
_FROM_TESTER = _option(EPB_FLAGS, OUTBOUND.to_bytes(4, "little")) + END_OF_OPTIONS
_INTERFACE_BLOCK = _block(
    INTERFACE,
    _interface(LINKTYPE_ETHERNET, 0, 0) + _option(IF_NAME, b"tester") + _option(IF_TSRESOL, bytes([NANOSECONDS])) + END_OF_OPTIONS,
)
