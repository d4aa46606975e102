"""The oracle over a capture file: packets in, judged connections out, one file at a time and none of it kept."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from conformance.capture.errors import CaptureError
from conformance.capture.reader import CaptureReader
from conformance.oracle.finding import Connection, Vantage
from conformance.oracle.screen import Screen
from conformance.report.check.summary import FileSummary

if TYPE_CHECKING:
    from conformance.capture.columns import Columns

__all__ = ["Going", "judge_file"]

Going = Callable[[int], bool]
"""Is told how many octets of the file are read, after each run of packets, and says whether to go on."""


def judge_file(
    path: Path,
    vantage: Vantage | None,
    done: Callable[[Connection], None],
    *,
    only: Collection[int] = (),
    each: bool = True,
    going: Going | None = None,
) -> FileSummary:
    """Judge the capture ``path``: each connection is given to ``done`` as soon as it is over.

    Nothing that is wrong with the file raises: what could be read of it has been judged, and the summary says what could not.

    Args:
        vantage: where it was captured; None: as the packets suggest, connection by connection.
        only: the numbers of the connections that are asked for; none: all.
        each: also connections of which nothing was found are given to ``done``, not only counted.
    """
    summary = FileSummary()

    def take(connection: Connection) -> None:
        if not only or connection.number in only:
            summary.take(connection)
            done(connection)

    try:
        with path.open("rb") as file, CaptureReader(file) as reader:
            screen = Screen(take, vantage, count=None if each or only else summary.take)
            for packets in reader.columns():
                screen.see(packets)
                if going and not going(_place(file)):
                    break
            counts = reader.counts
            summary.packets, summary.offloaded, summary.wrong = counts.frames, counts.offloaded, counts.wrong_checksums
            summary.unread.update(counts.unread)
            summary.truncated = counts.truncated
            screen.end(lambda: _again(reader, counts.frames, going and (lambda: going(_place(file)))))
    except CaptureError as error:
        summary.error = f"octet {error.offset}: {error.found}; {error.right}"
    except OSError as error:
        summary.error = f"it cannot be read ({error.strerror or error})"
    return summary


def _again(reader: CaptureReader, frames: int, going: Callable[[], bool] | None) -> Iterator[Columns]:
    """The packets once more, those that have been seen and no others, unless somebody says that it is enough."""
    for packets in reader.columns():
        yield packets
        if (going and not going()) or reader.counts.frames >= frames:
            return


def _place(file: BinaryIO) -> int:
    with suppress(OSError):
        return file.tell()
    return 0
