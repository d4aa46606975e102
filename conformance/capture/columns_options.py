"""TCP options in bulk; the same as :func:`conformance.wire.options.parse_options` for the options that connections ordinarily use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from conformance.capture.columns import NONE
from conformance.wire.options import EOL, MAX_OCTETS, MSS, NOP, SACK, SACK_OK, TIMESTAMP, WSCALE

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["read_options"]

_LENGTHS = {MSS: (4,), WSCALE: (3,), SACK_OK: (2,), SACK: (10, 18, 26, 34), TIMESTAMP: (10,)}
"""Octets of each option, with kind and length."""
_NUMBERS = ((MSS, "mss", 0, 2), (WSCALE, "wscale", 0, 1), (TIMESTAMP, "ts_val", 0, 4), (TIMESTAMP, "ts_ecr", 4, 4))
"""Where in which option the number of a column stands, and in how many octets."""
_ORDINARY = np.zeros(1 << 16, np.bool_)
for _kind, _lengths in _LENGTHS.items():
    _ORDINARY[[_kind << 8 | _length for _length in _lengths]] = True


def read_options(octets: NDArray[np.uint8], sizes: NDArray[np.int64]) -> tuple[dict[str, NDArray[np.generic]], NDArray[np.bool_]]:
    """Columns for option fields of so many octets, a row of MAX_OCTETS each, and which of them are not read: the slow reader must.

    These have an option of another kind or length, twice the same, or what is no list of options.
    """
    count = len(octets)
    found: dict[str, NDArray[np.generic]] = {
        "mss": np.full(count, NONE, np.int32), "wscale": np.full(count, NONE, np.int16), "sack_ok": np.zeros(count, np.bool_),
        "has_sack": np.zeros(count, np.bool_), "has_ts": np.zeros(count, np.bool_),
        "ts_val": np.zeros(count, np.uint32), "ts_ecr": np.zeros(count, np.uint32),
    }  # fmt: skip
    odd, seen = np.zeros(count, np.bool_), np.zeros((count, TIMESTAMP + 1), np.bool_)
    rows, at = np.flatnonzero(sizes > 0), np.zeros(count, np.int64)
    for _ in range(MAX_OCTETS):
        if not len(rows):
            break
        here = at[rows]
        kinds, lengths = octets[rows, here].astype(np.int64), octets[rows, np.minimum(here + 1, MAX_OCTETS - 1)].astype(np.int64)
        ordinary = _ORDINARY[kinds << 8 | lengths] & (here + lengths <= sizes[rows])
        ended = kinds == EOL
        if ended.any():
            odd[rows[ended]] = _not_zero(octets[rows[ended]], here[ended], sizes[rows[ended]])
        ordinary[ordinary] = ~seen[rows[ordinary], kinds[ordinary]]
        one, kind = rows[ordinary], kinds[ordinary]
        seen[one, kind] = True
        _values(found, octets, one, here[ordinary] + 2, kind)
        nop = kinds == NOP
        odd[rows[~(ordinary | nop | ended)]] = True
        at[rows] = here + np.where(nop, 1, lengths)
        rows = rows[ordinary | nop]
        rows = rows[at[rows] < sizes[rows]]
    return found, odd


def _values(
    found: dict[str, NDArray[np.generic]], octets: NDArray[np.uint8], rows: NDArray[np.int64], at: NDArray[np.int64],
    kinds: NDArray[np.int64],
) -> None:  # fmt: skip
    """What options of these kinds say that begin two octets before these places."""
    for kind, name in ((SACK_OK, "sack_ok"), (SACK, "has_sack"), (TIMESTAMP, "has_ts")):
        found[name][rows[kinds == kind]] = True
    for kind, name, offset, width in _NUMBERS:
        which = kinds == kind
        row, begin = rows[which], at[which] + offset
        value = np.zeros(len(row), np.int64)
        for step in range(width):
            value = value << 8 | octets[row, begin + step]
        found[name][row] = value


def _not_zero(octets: NDArray[np.uint8], at: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Is anything between these places and the end not zero? (RFC 9293, section 3.1: MUST-69)."""
    columns = np.arange(MAX_OCTETS)
    inside = (columns >= at[:, None]) & (columns < sizes[:, None])
    found: NDArray[np.bool_] = np.any((octets != 0) & inside, axis=1)
    return found
