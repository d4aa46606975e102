"""The running kernel as a stack: places of their own, and each frame to whom it belongs."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import itertools
from collections.abc import Iterator
from unittest.mock import patch

import pytest

from conformance.link.addressing import ADDRESSING
from conformance.sut.base import Places
from conformance.sut.linux import Linux, LinuxBed
from conformance.wire.segment import ACK, SYN, Family
from conformance.wire.template import Spec, build

from .needs import namespaces
from .peer import Peer, opened

FAMILIES = pytest.mark.parametrize("family", list(Family))


@pytest.fixture(scope="module")
def linux() -> Iterator[Linux]:
    sut = Linux(trace=False)
    yield sut
    sut.close()


@pytest.fixture(scope="module")
def bed(linux: Linux) -> Iterator[LinuxBed]:
    one = linux.bed({})
    yield one
    one.close()


def own(places: Places) -> set[object]:
    """What a case run has for itself."""
    ports = {("port", places.ports[name]) for name in ("port", "port2", "port3")}
    return {places.hosts["peer"], places.hosts["peer2"], *ports}


@FAMILIES
def test_cases_get_addresses_and_ports_of_their_own(linux: Linux, family: Family) -> None:
    everything: set[object] = set()
    for _ in range(3000):
        mine = own(linux.places.next(family))
        assert len(mine) == 5 and not mine & everything
        everything |= mine


@FAMILIES
def test_no_peer_comes_twice_in_more_case_runs_than_the_suite_has(family: Family) -> None:
    """What the stack remembers of a peer, its path MTU above all, would reach the other case."""
    with contextlib.closing(Linux(trace=False)) as sut:
        _several_parts(sut, family)


@FAMILIES
def test_two_processes_get_other_peers(family: Family) -> None:
    with contextlib.closing(Linux(trace=False)) as first, contextlib.closing(Linux(trace=False)) as second:
        assert not _several_parts(first, family) & _several_parts(second, family)


def _several_parts(sut: Linux, family: Family) -> set[bytes]:
    """All the peers of as many case runs as no process makes at present."""
    runs = 6000
    peers = {sut.places.next(family).hosts[name] for _ in range(runs) for name in ("peer", "peer2")}
    assert len(peers) == 2 * runs
    net = next(ipaddress.ip_network(one.peers) for one in ADDRESSING if one.family is family)
    assert all(ipaddress.ip_address(peer) in net for peer in peers)
    return peers


def test_where_others_hold_all_peers_there_are_some_all_the_same() -> None:
    """They come again in time, and the tracepoint cannot tell whose they are."""
    with patch("conformance.sut.peers._take_part", lambda: None), contextlib.closing(Linux()) as sut:
        assert not sut.traces
        peers = [sut.places.next(Family.IPV4).hosts["peer"] for _ in range(3000)]
        assert len(set(peers[:2000])) == 2000 and set(peers[2000:]) < set(peers)


@namespaces
@FAMILIES
def test_each_frame_goes_to_the_case_whose_peer_it_names(bed: LinuxBed, family: Family) -> None:
    async def play() -> None:
        with opened(bed, family) as one, opened(bed, family) as other:
            one.listener()
            other.listener()
            one.send(SYN, 0)
            await one.segment(SYN | ACK)
            assert [outgoing for _, _, outgoing in one.events.frames] == [True, False]
            assert other.events.frames == []
            other.send(SYN, 0)
            await other.segment(SYN | ACK)
            assert (len(one.events.frames), len(other.events.frames)) == (2, 2)

    asyncio.run(play())


@namespaces
@FAMILIES
def test_two_beds_do_not_mix(linux: Linux, bed: LinuxBed, family: Family) -> None:
    with contextlib.closing(linux.bed({})) as second:

        async def play() -> None:
            with opened(bed, family) as one, opened(second, family) as other:
                one.listener()
                for peer in (one, other):
                    peer.ends.peer_port, peer.ends.sut_port = one.ends.peer_port, one.ends.sut_port
                    peer.send(SYN, 0)
                await one.segment(SYN | ACK)
                await other.segment(0x14)  # nobody listens there

        asyncio.run(play())


def _frame(peer: Peer, **hosts: str) -> bytes:
    places, ends = peer.places, peer.ends
    source, target = (places.hosts[hosts.get(name, default)] for name, default in (("src", "peer"), ("dst", "sut")))
    bound = build(Spec(places.family, flags=SYN))
    return bound.bind(places.peer_mac, places.sut_mac, source, target, ends.peer_port, ends.sut_port).render(5, 0)


@namespaces
@FAMILIES
@pytest.mark.parametrize("source", ["peer", "peer2", "sut", "any", "unrouted", "foreign", "multicast"])
def test_a_frame_from_whatever_source_is_seen_to_leave(bed: LinuxBed, family: Family, source: str) -> None:
    async def play() -> None:
        with opened(bed, family) as peer:
            frame = _frame(peer, src=source)
            peer.site.send(frame)
            await peer.events.until(lambda: any(octets == frame and outgoing for _, octets, outgoing in peer.events.frames))

    asyncio.run(play())


@namespaces
@FAMILIES
def test_a_frame_is_seen_where_it_was_sent_whoever_has_its_address(linux: Linux, bed: LinuxBed, family: Family) -> None:
    with contextlib.closing(linux.bed({})) as second:

        async def play() -> None:
            with opened(bed, family) as one, opened(second, family) as other:
                other.ends.peer = one.ends.peer
                other.send(SYN, 0)
                await other.events.until(lambda: any(outgoing for _, _, outgoing in other.events.frames))
                assert one.events.frames == []

        asyncio.run(play())


@namespaces
@FAMILIES
def test_a_frame_of_another_kind_is_seen_to_leave(bed: LinuxBed, family: Family) -> None:
    async def play() -> None:
        with opened(bed, family) as peer:
            frame = _frame(peer)
            frame = frame[:12] + b"\x88\xb5" + frame[14:]
            peer.site.send(frame)
            await peer.events.until(lambda: any(octets == frame and outgoing for _, octets, outgoing in peer.events.frames))

    asyncio.run(play())


@namespaces
@FAMILIES
def test_a_site_that_is_closed_hears_nothing_more(bed: LinuxBed, family: Family) -> None:
    async def play() -> None:
        with opened(bed, family) as peer:
            peer.listener()
        with opened(bed, family) as other:
            told = len(peer.events.told)
            peer.send(SYN, 0)
            other.send(SYN, 0)
            await other.segment(0x14)
            assert len(peer.events.told) == told

    asyncio.run(play())


@namespaces
@FAMILIES
def test_frames_that_were_lost_disturb_the_sites_that_are_open(bed: LinuxBed, family: Family) -> None:
    async def play() -> None:
        with opened(bed, family) as peer:
            assert peer.site.disturbed() is None
            frame = _frame(peer)
            for _ in itertools.repeat(None, 3000):  # more than the ring holds, and nobody reads it
                peer.site.send(frame)
            assert "the tester lost" in str(peer.site.disturbed())
            assert "the tester lost" in str(peer.site.disturbed()), "what was lost stays lost"
            peer.site.pump()
            with opened(bed, family) as later:
                assert later.site.disturbed() is None

    asyncio.run(play())


@namespaces
def test_the_sut_is_told_from_others_by_its_facts(linux: Linux) -> None:
    facts = linux.facts()
    assert (facts.name, facts.states_from) == ("linux", "inet_diag")
