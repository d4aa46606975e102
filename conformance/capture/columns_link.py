"""Link headers in bulk: where IP begins in each of many frames; the same as :func:`conformance.capture.link_types.network`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from conformance.capture.link_types import LINK_TYPES, MAX_TAGS, OUTGOING, PPP, TAGS, LinkType
from conformance.capture.records import Counts, Records

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["UNKNOWN", "UNREAD", "directions", "locate"]

UNKNOWN, UNREAD = 0, 1
"""No version of IP: the slow reader must look; there is none, and that is counted."""

_TAG = 4


def directions(run: Records) -> NDArray[np.int8]:
    """Which frames the machine that took the capture sent, as far as their link headers say so, else as the file says."""
    outbound = run.outbound
    for number, link in LINK_TYPES.items():
        if link.direction is not None and len(rows := np.flatnonzero((run.links == number) & (run.captured >= link.size))):
            at, width = link.direction
            outbound = outbound.copy()
            outbound[rows] = _numbers(run.buffer, run.starts[rows] + at, width) == OUTGOING
    return outbound


def locate(run: Records, counts: Counts) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    """For each frame where IP begins in the buffer, and its version, UNKNOWN or UNREAD."""
    begins, versions = run.starts.copy(), np.zeros(len(run), np.int8)
    for number, rows in _by_link(run):
        link = LINK_TYPES.get(number)
        if link is None:
            counts.unread[f"link type {number}"] += len(rows)
            versions[rows] = UNREAD
        elif link is not PPP:
            begins[rows], versions[rows] = _network(run, link, rows, counts)
    return begins, versions


def _by_link(run: Records) -> list[tuple[int, NDArray[np.int64]]]:
    """The frames of each link type that nothing is wrong with."""
    if not len(run):
        return []
    sound = np.flatnonzero(run.flaws == 0)
    links = run.links[sound]
    if (links == links[:1]).all():
        return [(int(links[0]), sound)] if len(sound) else []
    return [(number, sound[links == number]) for number in np.unique(links).tolist()]


def _network(run: Records, link: LinkType, rows: NDArray[np.int64], counts: Counts) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    """Where IP begins in these frames, and its version."""
    starts, captured = run.starts[rows], run.captured[rows]
    sizes, versions = np.full(len(rows), link.size), np.zeros(len(rows), np.int8)
    if not link.width:
        first = np.frombuffer(run.buffer, np.uint8)[starts] >> 4
        versions[(captured > 0) & ((first == 4) | (first == 6))] = UNREAD + 1  # which, its first octet says
        versions[versions > 0] = first[versions > 0]
        return starts, versions
    follows = _numbers(run.buffer, starts + link.at, link.width)
    tagged = np.flatnonzero(np.isin(follows, TAGS)) if link.tags and (follows >= min(TAGS)).any() else np.array([], np.int64)
    for _ in range(MAX_TAGS):
        if not len(tagged):
            break
        sizes[tagged] += _TAG
        follows[tagged] = _numbers(run.buffer, starts[tagged] + sizes[tagged] - 2, 2)
        tagged = tagged[np.isin(follows[tagged], TAGS)]
    short = captured <= link.size
    if short.any():
        counts.unread[f"{link.name}: header cut off"] += int(short.sum())
        versions[short] = UNREAD
    whole = captured > sizes
    for number, version in link.versions.items():
        versions[(follows == number) & whole] = version
    others = np.flatnonzero(whole & (versions == UNKNOWN))
    if len(others):
        versions[others] = UNREAD
        for number, times in zip(*np.unique(follows[others], return_counts=True), strict=True):
            counts.unread[f"{link.name}: protocol 0x{number:04x}"] += int(times)
    return starts + sizes, versions


def _numbers(buffer: bytes, at: NDArray[np.int64], width: int) -> NDArray[np.int64]:
    """The numbers of so many octets at these places."""
    words = np.ndarray((len(buffer) - width + 1,), f">u{width}", buffer, strides=(1,))
    return words[at].astype(np.int64)
