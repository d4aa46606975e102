"""``python -m tests.oracle.dump``: the packets of case runs that notice a curated bug, a line each, for people to read."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch

from conformance.wire.segment import ACK, SYN, Icmp, Packet, Segment, Unreadable
from conformance.wire.text import icmp_text, segment_text
from tests.mutants import curated

from .films import Suite, hunted, plain, teller
from .judging import endpoint, seen
from .tolerant import Film

__all__ = ["dump", "main"]


def dump(film: Film, short: bool = False) -> Iterator[str]:
    """Number, time, time since the packet before, direction and packet; numbers relative to the ISNs as far as they are known.

    ``short``: of full-sized segments that follow each other at once only the first and the last are shown.
    """
    last: Packet | None = None
    skipped = 0
    start = before = film.frames[0][0] if film.frames else 0
    isns: dict[str, int] = {}
    names: dict[str, int] = {}
    for packet in seen(film.frames):
        mark = ">" if packet.outbound else "<"
        head = f"{packet.number:4d} {(packet.t - start) / 1e9:12.6f} {'+' + _short(packet.t - before):>9} {mark} "
        segment = packet.packet
        alike, last = _goes_on(last, segment, packet.t == before), segment
        before = packet.t
        if alike and short and packet.number != film.ended:
            skipped += 1
            continue
        if skipped:
            yield f"     … {skipped} more segments that go on in the same way"
            skipped = 0
        if isinstance(segment, Segment):
            yield head + _text(segment, isns, names)
        elif isinstance(segment, Icmp):
            yield head + f"icmp {segment.type}/{segment.code} {icmp_text(segment)} {segment.quote or ''}"
        else:
            assert isinstance(segment, Unreadable)
            yield head + f"unreadable: {segment.reason}"
        if packet.number == film.ended and packet.number < len(film.frames):
            yield "     ---- the case is over; what the stack still does:"


def _goes_on(last: Packet | None, now: Packet, at_once: bool) -> bool:
    """Is it the segment before, but for the data that follows?"""
    return (
        at_once
        and isinstance(last, Segment)
        and isinstance(now, Segment)
        and len(now.payload) == len(last.payload) > 0
        and (last.seq + len(last.payload)) & 0xFFFF_FFFF == now.seq
        and (last.src, last.ack, last.flags, last.window, last.options_data, last.tos)
        == (now.src, now.ack, now.flags, now.window, now.options_data, now.tos)
    )


def _text(segment: Segment, isns: dict[str, int], names: dict[str, int]) -> str:
    sender = endpoint(segment)
    pair = f"{sender} {segment.dst.hex()}:{segment.dport}"
    back = f"{endpoint_of(segment)} {segment.src.hex()}:{segment.sport}"
    if segment.flags & SYN or (pair not in isns and not segment.flags & ACK):
        isns[pair] = segment.seq
    if segment.flags & ACK and back not in isns:
        isns[back] = (segment.ack - 1) & 0xFFFF_FFFF
    isns.setdefault(pair, (segment.seq - 1) & 0xFFFF_FFFF)
    number = names.setdefault(min(pair, back), len(names) + 1)
    text = segment_text(segment, isns[pair], isns.get(back))
    extras = [] if number == 1 else [f"conn {number}"]
    extras += [] if segment.checksum_ok else ["BAD CHECKSUM"]
    extras += [] if segment.ip_checksum_ok else ["BAD IP CHECKSUM"]
    extras += [f"reserved {segment.reserved}"] if segment.reserved else []
    extras += [f"ecn {segment.tos & 3}"] if segment.tos & 3 else []
    extras += [f"tos {segment.tos:#x}"] if segment.tos >> 2 else []
    extras += [f"ttl {segment.ttl}"] if segment.ttl != 64 else []
    extras += [f"ipopt {segment.ip_options.hex()}"] if segment.ip_options else []
    return text + (f"   {{{', '.join(extras)}}}" if extras else "")


def endpoint_of(segment: Segment) -> str:
    """The receiver, as findings name endpoints."""
    return endpoint(Segment(segment.family, segment.dst, segment.src, segment.dport, segment.sport, 0, 0, 0, 0, 0, b"", b""))


def _short(ns: int) -> str:
    if ns < 1_000_000:
        return f"{ns / 1e3:g}us"
    return f"{ns / 1e6:.1f}ms" if ns < 1_000_000_000 else f"{ns / 1e9:.3f}s"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.oracle.dump", description=__doc__)
    parser.add_argument("only", nargs="+", metavar="TEXT", help="bugs whose name holds this (* is anything)")
    parser.add_argument("--most", type=int, default=12, metavar="N", help="as for tests.oracle.mutants")
    parser.add_argument("--run", type=int, default=0, metavar="N", help="only this case run of each, from 1")
    parser.add_argument("--lines", type=int, default=60, metavar="N", help="packets of a run")
    parser.add_argument("--runs", type=int, default=99, metavar="N", help="only the first runs of each")
    parser.add_argument("--short", action="store_true", help="of segments that go on in the same way only the first and the last")
    parser.add_argument("--plain", action="store_true", help="also the same run on the stack without the bug")
    options = parser.parse_args(arguments)
    suite = Suite()
    numbers = {(suite.case(number).id, suite.profile(number)): number for number in range(len(suite.runs))}
    bugs = [bug for bug in curated.read() if any(fnmatch(bug.name, f"*{only}*") for only in options.only)]
    for bug, films in hunted(suite, bugs, options.most, 1, teller()):
        print(f"==== {bug.name}: {bug.history}\n     breaks {', '.join(bug.breaks)}")
        for number, film in enumerate(films, 1):
            if options.run in (0, number) and number <= options.runs:
                print(f"-- {number} {film.profile} {film.case}: {film.failed}")
                print("\n".join(list(dump(film, options.short))[: options.lines]))
                if options.plain:
                    print("-- without the bug:")
                    one = plain(suite, [numbers[film.case, film.profile]], 1, teller())
                    print("\n".join([line for other in one.values() for line in dump(other, options.short)][: options.lines]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
