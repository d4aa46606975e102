"""What must hold of any file: it is read without an exception, and every way of reading it says the same."""

from __future__ import annotations

import io
from typing import Any

from conformance.capture.columns import Columns
from conformance.capture.reader import CaptureError, CaptureReader, Counts
from conformance.trace import Seen
from conformance.wire import options
from conformance.wire.segment import Family, Icmp, Segment

__all__ = ["agree"]


def agree(data: bytes) -> tuple[list[Seen], Counts] | None:
    """Reads ``data`` in all ways, and asserts that they agree. None: it is no capture."""
    try:
        reader = CaptureReader(io.BytesIO(data))
    except CaptureError:
        return None
    with reader:
        frames = list(reader.frames())
        numbers = [frame.number for frame in frames]
        assert numbers == (sorted(set(numbers)) if reader.format == "pcapng" else list(range(1, len(frames) + 1)))
        assert (reader.counts.frames, reader.counts.bytes) == (len(frames), sum(len(frame.data) for frame in frames))
        assert all(frame.size >= len(frame.data) for frame in frames)
        packets = list(reader.packets())
        counts = reader.counts
        assert counts.packets == len(packets)
        assert counts.frames == len(frames)
        assert counts.frames - counts.packets == sum(times for why, times in counts.unread.items() if "damaged" not in why), counts
        times = {frame.number: frame.t for frame in frames}
        assert [seen.t for seen in packets] == [times[seen.number] for seen in packets]
        row = 0
        for columns in reader.columns():
            _compare(columns, packets[row : row + len(columns)])
            row += len(columns)
        assert row == len(packets)
        assert reader.counts == counts
    return packets, counts


def _compare(columns: Columns, packets: list[Seen]) -> None:
    """Is each row what the slow reader says?"""
    names = Columns.names()
    lists = {name: getattr(columns, name).tolist() for name in names}
    assert {name: getattr(columns, name).dtype for name in names} == names
    assert set(columns.seen) == {row for row, odd in enumerate(lists["odd"]) if odd}
    for row, seen in enumerate(packets):
        found = {name: values[row] for name, values in lists.items() if name not in ("odd", "key", "forward")}
        expected = _expected(seen)
        assert not (others := [(name, value, expected[name]) for name, value in found.items() if value != expected[name]]), others
        if not lists["odd"][row]:
            assert _plain(seen), seen
    assert columns.packets() == packets
    _compare_groups(columns, lists)


def _plain(seen: Seen) -> bool:
    """Is it a packet that the fast reader may say everything about?"""
    packet = seen.packet
    if not isinstance(packet, Segment) or packet.ip_options or packet.urgent or packet.flags & 0x20 or packet.reserved:
        return False
    kinds = [option.kind for option in packet.options if option.kind != options.NOP]
    return len(set(kinds)) == len(kinds) and set(kinds) <= {0, 2, 3, 4, 5, 8} and options.well_formed(packet.options)


def _expected(seen: Seen) -> dict[str, Any]:
    """The columns of a packet."""
    packet = seen.packet
    values: dict[str, Any] = dict.fromkeys(Columns.names(), 0)
    for name in ("odd", "key", "forward"):
        del values[name]
    values |= {"mss": -1, "wscale": -1, "number": seen.number, "t": seen.t, "well_formed": True, "ip_checksum_ok": True}
    values["offloaded"] = seen.offloaded
    values["outbound"] = -1 if seen.outbound is None else int(seen.outbound)
    assert isinstance(packet, (Segment, Icmp))
    ends = packet.src, packet.destination if isinstance(packet, Segment) else packet.dst
    if isinstance(packet, Icmp) and packet.quote:
        ends = packet.quote.dst, packet.quote.src
        values |= {"sport": packet.quote.dport, "dport": packet.quote.sport}
    for name, octets in zip(("src", "dst"), ends, strict=True):
        values[f"{name}_high"], values[f"{name}_low"] = divmod(int.from_bytes(octets, "big"), 1 << 64)
    values |= {"family": 4 if packet.family is Family.IPV4 else 6, "ttl": packet.ttl, "tos": packet.tos, "checksum_ok": packet.checksum_ok}
    if isinstance(packet, Segment):
        for name in ("sport", "dport", "seq", "ack", "flags", "window", "cut", "ip_id", "df", "ip_checksum_ok"):
            values[name] = getattr(packet, name)
        values |= {"tcp": True, "length": len(packet.payload) + packet.cut, "well_formed": options.well_formed(packet.options)}
        values["option_octets"] = len(packet.options_data)
        for option in reversed(packet.options):  # the first one counts
            values |= _option(option)
    return values


def _option(option: options.Option) -> dict[str, Any]:
    if (mss := options.mss(option)) is not None:
        return {"mss": mss}
    if (shift := options.wscale(option)) is not None:
        return {"wscale": shift}
    if (stamps := options.timestamps(option)) is not None:
        return {"has_ts": True, "ts_val": stamps[0], "ts_ecr": stamps[1]}
    if options.sack_blocks(option) is not None:
        return {"has_sack": True}
    if option.kind == options.SACK_OK and not option.malformed and not option.data:
        return {"sack_ok": True}
    return {}


def _compare_groups(columns: Columns, lists: dict[str, list[Any]]) -> None:
    """Are the rows of each connection together, in their order, and nobody else's with them?"""
    groups = columns.groups()
    order, starts = groups.order.tolist(), groups.starts.tolist()
    assert sorted(order) == list(range(len(columns)))
    assert len(set(groups.ids)) == len(groups.ids) == len(starts) - 1
    sides = [
        zip(lists[f"{side}_high"], lists[f"{side}_low"], lists[port], strict=True) for side, port in (("src", "sport"), ("dst", "dport"))
    ]
    ends = list(zip(*sides, strict=True))
    for row, (src, dst) in enumerate(ends):
        assert lists["forward"][row] == (src <= dst)
    found = []
    for index in range(len(groups.ids)):
        rows = order[starts[index] : starts[index + 1]]
        assert rows and rows == sorted(rows)
        (connection,) = {(lists["family"][row], *sorted(ends[row])) for row in rows}
        assert len({lists["key"][row] for row in rows}) == 1
        found.append(connection)
    assert len(set(found)) == len(found)
