"""What the readers of both formats give: packets of a file as they lie in it, a run at a time, and what the file says about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["FLAWS", "MAX_CAPTURED", "MAX_DAMAGE", "MOST", "Counts", "Frame", "Interface", "Records", "Section", "Statistics"]

MOST = 1 << 15
"""Records in a run, at most."""
MAX_CAPTURED = 1 << 20
"""Octets of a packet; what claims more is damaged. Linux gives 512 KiB at once to a device (``GSO_MAX_SIZE``), tcpdump keeps 256 KiB."""
MAX_DAMAGE = 1000
"""Damaged places of a file behind which reading goes on."""

FLAWS = ("", "its interface is not described", "its block is shorter than the packet", "one of too many interfaces")
"""Why a record's packet is not read, by the numbers in :attr:`Records.flaws`."""


@dataclass(slots=True)
class Counts:
    """What was read of a file, and what was not."""

    frames: int = 0
    """Packets as the file holds them."""
    packets: int = 0
    """TCP segments and ICMP messages."""
    bytes: int = 0
    """Octets of frames that the file holds."""
    unread: Counter[str] = field(default_factory=Counter)
    """Frames that are neither, and places of the file that are damaged: why, and how many."""
    offloaded: int = 0
    """Checksums that the sender's hardware had still to work out when the capture was taken."""
    wrong_checksums: int = 0
    """Checksums that are wrong otherwise."""
    duplicates: int = 0
    """Fragments that came more than once."""
    truncated: str = ""
    """Where and why reading ended before the capture did; empty if it did not."""


@dataclass(slots=True)
class Section:
    """A section of a pcapng file; a pcap file is one without anything to say."""

    order: str
    """``little`` or ``big``."""
    comments: tuple[str, ...] = ()
    hardware: str = ""
    os: str = ""
    application: str = ""


@dataclass(slots=True)
class Interface:
    """Where packets were captured."""

    section: int
    """The index of its section."""
    link: int
    """Its link type, a ``LINKTYPE_`` number."""
    snap: int
    """Octets of each packet that are kept at most; 0: all."""
    name: str = ""
    description: str = ""
    resolution: int = 6
    """``if_tsresol``: the unit of its times is 10 to the power of minus this or, if bit 7 is set, 2 to that of the other bits."""
    offset: int = 0
    """``if_tsoffset``: seconds to add to its times."""
    comments: tuple[str, ...] = ()


@dataclass(slots=True)
class Statistics:
    """What a file says of an interface among the packets, as far as it is words."""

    section: int
    """The index of its section."""
    after: int
    """The number of the packet before it."""
    comments: tuple[str, ...]


@dataclass(slots=True)
class Frame:
    """A packet as the file holds it."""

    number: int
    """From 1, as Wireshark counts."""
    t: int
    """ns since 1970; 0 where the file keeps no time (pcapng's simple packet block)."""
    data: bytes
    """What was captured of it."""
    size: int
    """Octets that it had."""
    link: int
    """Its link type; -1 where that is not known."""
    interface: int
    """The index of its interface among the file's; -1 where that is not described."""
    outbound: bool | None = None
    """Did the machine that took the capture send it? None: the capture does not say."""
    comments: tuple[str, ...] = ()


@dataclass(slots=True)
class Records:
    """A run of packets in the order of the file, a column for each thing that is said about them.

    ``buffer`` has a window's octets and behind them ``source.PADDING`` zeros; positions are such in it.
    """

    buffer: bytes
    numbers: NDArray[np.int64]
    """From 1, as Wireshark counts."""
    starts: NDArray[np.int64]
    captured: NDArray[np.int64]
    sizes: NDArray[np.int64]
    times: NDArray[np.int64]
    """ns since 1970."""
    interfaces: NDArray[np.int64]
    links: NDArray[np.int64]
    outbound: NDArray[np.int8]
    """1, 0, or -1 where the file does not say."""
    flaws: NDArray[np.int8]
    comments: Callable[[int], tuple[str, ...]] = lambda _: ()
    """Those of a packet, by its index in this run."""

    def __len__(self) -> int:
        return len(self.starts)

    def frames(self, rows: NDArray[np.int64] | None = None) -> Iterator[Frame]:
        """All of them, or these, each as an object of its own."""
        columns = (self.numbers, self.starts, self.captured, self.sizes, self.times, self.links, self.interfaces, self.outbound)
        indices = range(len(self)) if rows is None else rows.tolist()
        values = zip(*((column if rows is None else column[rows]).tolist() for column in columns), strict=True)
        for index, (number, start, captured, size, t, link, interface, outbound) in zip(indices, values, strict=True):
            yield Frame(
                number, t, self.buffer[start : start + captured], size, link, interface,
                None if outbound < 0 else outbound == 1, self.comments(index),
            )  # fmt: skip
