"""The packets around a finding, found again."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import dpkt
import pytest

from conformance.engine import excerpts as module
from conformance.engine.excerpts import excerpts
from conformance.oracle.finding import Connection
from conformance.report.check.excerpt import Excerpt
from conformance.wire.segment import Icmp, Segment
from tests.cli.talk import EPOCH, MS, Frames, good, packet, segment, write


def connection(port: int, first: int, last: int, packets: int) -> Connection:
    ends = ("[2001:db8::1]", "[2001:db8::2]") if port >= 50_000 else ("192.0.2.1", "192.0.2.2")
    return Connection(1, f"{ends[0]}:{port}", f"{ends[1]}:80", first=first, last=last, packets=packets)


def shown(excerpt: Excerpt) -> list[int | str]:
    """The numbers of its packets, and how many are left out where."""
    return [f"{piece} more" if isinstance(piece, int) else piece.seen.number for piece in excerpt.pieces]


def bulk(port: int, packets: int, begins: int = 0) -> Frames:
    """A long connection, a packet each millisecond."""
    frames = [segment(port, True, 16, 1 + index, 1, b"x" * 1000) for index in range(packets)]
    return [(EPOCH + (begins + index) * MS, frame) for index, frame in enumerate(frames)]


def made(path: Path, *wanted: tuple[Connection, int | None]) -> list[list[int | str]]:
    return [shown(excerpt) for excerpt in excerpts(path, wanted)]


@pytest.mark.parametrize("port", [40_000, 50_000])
def test_the_beginning_and_what_is_around_the_packet(tmp_path: Path, port: int) -> None:
    path = write(tmp_path / "x.pcap", bulk(port, 100))
    (numbers,) = made(path, (connection(port, 1, 100, 100), 50))
    assert numbers == [1, 2, 3, "38 more", *range(42, 53), "48 more"]


@pytest.mark.parametrize(
    ("focus", "numbers"),
    [
        (1, [1, 2, 3, "97 more"]),
        (3, [1, 2, 3, 4, 5, "95 more"]),
        (12, [*range(1, 15), "86 more"]),
        (13, [1, 2, 3, "1 more", *range(5, 16), "85 more"]),
        (99, [1, 2, 3, "87 more", *range(91, 101)]),
        (100, [1, 2, 3, "88 more", *range(92, 101)]),
    ],
)
def test_at_the_edges(tmp_path: Path, focus: int, numbers: list[int | str]) -> None:
    path = write(tmp_path / "x.pcap", bulk(40_000, 100))
    assert made(path, (connection(40_000, 1, 100, 100), focus)) == [numbers]


def test_without_a_packet_to_look_at_it_is_the_beginning(tmp_path: Path) -> None:
    path = write(tmp_path / "x.pcap", bulk(40_000, 100), bulk(40_001, 10, 1000))
    whole, short = made(path, (connection(40_000, 1, 100, 100), None), (connection(40_001, 101, 110, 10), None))
    assert whole == [*range(1, 61), "40 more"] and short == [*range(101, 111)]


def test_other_connections_and_earlier_ones_with_the_same_ports_are_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "x.pcap", good(40_000), good(40_000, 100), *(good(41_000 + number, 100) for number in range(3)))
    (numbers,) = made(path, (connection(40_000, 11, 47, 10), 23))
    assert numbers == [*range(11, 32, 4), "4 more"], "each fourth packet from the eleventh on, up to two behind the one to look at"


@pytest.mark.parametrize("most", [0, 64])
def test_many_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(module, "_MOST_PORTS", most)
    ports = range(41_000, 41_020)
    path = write(tmp_path / "x.pcap", *(good(port, 10 * index) for index, port in enumerate(ports)))
    wanted = [(connection(port, 10 * index + 1, 10 * index + 10, 10), 10 * index + 5) for index, port in enumerate(ports)]
    found = excerpts(path, wanted)
    assert [shown(excerpt) for excerpt in found] == [[*range(10 * index + 1, 10 * index + 8), "3 more"] for index in range(20)]
    assert {piece.seen.packet.sport for excerpt in found for piece in _packets(excerpt)} - {80} == set(ports)


def test_an_icmp_error_belongs_to_the_connection_that_it_quotes(tmp_path: Path) -> None:
    quoted = segment(40_000, True, 16, 1, 1)[14:42]
    error = packet(False, dpkt.icmp.ICMP(type=3, code=4, data=dpkt.icmp.ICMP.Unreach(mtu=1400, data=quoted)), protocol=1)
    path = write(tmp_path / "x.pcap", good(40_000), [(EPOCH + 1, error)])
    (excerpt,) = excerpts(path, [(connection(40_000, 1, 11, 10), 5)])
    (icmp,) = [piece for piece in _all(excerpt) if isinstance(piece.seen.packet, Icmp)]
    assert icmp.seen.number == 2 and not icmp.from_client


def test_a_packet_in_fragments_is_found_by_its_addresses(tmp_path: Path) -> None:
    whole = segment(40_000, True, 16, 1, 1, b"z" * 1000)[34:]
    parts = packet(True, _raw(whole[:800]), id=9, mf=1), packet(True, _raw(whole[800:]), id=9, offset=100)
    path = write(tmp_path / "x.pcap", good(40_000, 1), good(40_001, 1), [(EPOCH, parts[0]), (EPOCH + 1, parts[1])])
    (excerpt,) = excerpts(path, [(connection(40_000, 2, 20, 11), 2)])
    first = next(_packets(excerpt)).seen
    assert first.number == 2 and first.packet.length == 1000


def test_what_is_kept_has_no_data(tmp_path: Path) -> None:
    path = write(tmp_path / "x.pcap", bulk(40_000, 100))
    (excerpt,) = excerpts(path, [(connection(40_000, 1, 100, 100), 50)])
    assert {(len(piece.seen.packet.payload), piece.seen.packet.length) for piece in _packets(excerpt)} == {(0, 1000)}


def test_a_file_that_has_gone_gives_nothing(tmp_path: Path) -> None:
    assert made(tmp_path / "gone.pcap", (connection(40_000, 1, 10, 10), 5)) == [["10 more"]]


def _raw(data: bytes) -> dpkt.Packet:
    return data  # type: ignore[return-value]


def _all(excerpt: Excerpt) -> Iterable[module.Passed]:
    return (piece for piece in excerpt.pieces if not isinstance(piece, int))


def _packets(excerpt: Excerpt) -> Iterable[module.Passed]:
    return (piece for piece in _all(excerpt) if isinstance(piece.seen.packet, Segment))
