"""An impaired link: what becomes of frames is as often as asked, follows from the seed, and takes no more memory than it may."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.link.impaired import ImpairedLink, Impairment

MS = 1_000_000
MANY = 5000
ETHERNET = b"\2\0\0\0\0\1" + b"\2\0\0\0\0\2"
IPV4, IPV6, ARP = b"\x08\x00", b"\x86\xdd", b"\x08\x06"

probabilities = st.sampled_from((0.0, 0.0, 0.1, 0.5, 1.0))
times = st.sampled_from((0, 0, 1, MS, 50 * MS))
impairments = st.builds(
    Impairment,
    loss=probabilities,
    duplicate=probabilities,
    reorder=probabilities,
    corrupt=probabilities,
    delay=times,
    jitter=times,
    hold_back=times,
)
schedules = st.lists(st.tuples(st.integers(0, 10 * MS), st.binary(max_size=60)), max_size=60)


def frame(number: int, kind: bytes = IPV4) -> bytes:
    return ETHERNET + kind + number.to_bytes(4, "big") + bytes(60)


def number(octets: bytes) -> int:
    return int.from_bytes(octets[14:18], "big")


def passed(impairment: Impairment, *, every: int = MS, seed: int = 1, capacity: int = 1000) -> tuple[ImpairedLink, list[bytes]]:
    """What comes out of MANY frames at equal distances, in the order in which it comes."""
    link, out = ImpairedLink(impairment, Random(seed), capacity), []
    for count in range(MANY):
        link.put(count * every, frame(count))
        out += link.take(count * every)
    return link, out + link.take(10**15)


def test_a_sound_link_gives_each_frame_at_once() -> None:
    link = ImpairedLink(Impairment(), Random(1))
    assert link.put(5, b"a") == [(5, b"a")] and link.next() == 5
    assert link.take(4) == [] and link.take(5) == [b"a"] and link.next() is None


def test_delay_and_jitter_keep_the_order() -> None:
    link = ImpairedLink(Impairment(delay=10 * MS, jitter=5 * MS), Random(1))
    due = [when for count in range(100) for when, _ in link.put(count, frame(count))]
    assert all(10 * MS <= when <= 15 * MS + 100 for when in due) and due == sorted(due) and len(set(due)) > 3
    assert [number(octets) for octets in link.take(10**12)] == list(range(100))


def test_loss_is_as_often_as_asked() -> None:
    link, out = passed(Impairment(loss=0.02))
    assert 60 < link.counts["lost"] < 140 and len(out) == MANY - link.counts["lost"]
    assert passed(Impairment(loss=1.0))[1] == []


def test_duplication_is_as_often_as_asked() -> None:
    link, out = passed(Impairment(duplicate=0.02))
    assert 60 < link.counts["duplicated"] < 140 and sum(count - 1 for count in Counter(out).values()) == link.counts["duplicated"]


def test_reordered_frames_are_overtaken_and_none_is_lost() -> None:
    link, out = passed(Impairment(reorder=0.02, hold_back=10 * MS))
    late = sum(later < earlier for earlier, later in zip(map(number, out), map(number, out[1:]), strict=False))
    assert 60 < link.counts["reordered"] < 140 and 40 < late <= link.counts["reordered"]
    assert sorted(map(number, out)) == list(range(MANY))


def test_a_frame_is_held_back_no_longer_than_asked() -> None:
    link = ImpairedLink(Impairment(reorder=1.0, delay=MS, hold_back=3), Random(1))
    assert {when for _ in range(50) for when, _ in link.put(0, b"a")} == {MS, MS + 1, MS + 2, MS + 3}


@pytest.mark.parametrize("kind", [IPV4, IPV6])
def test_one_bit_of_a_packet_is_turned_over(kind: bytes) -> None:
    link, sound = ImpairedLink(Impairment(corrupt=1.0), Random(1)), frame(0, kind)
    for _ in range(200):
        [(_, octets)] = link.put(0, sound)
        wrong = int.from_bytes(octets, "big") ^ int.from_bytes(sound, "big")
        assert wrong.bit_count() == 1 and octets[:14] == sound[:14] and len(octets) == len(sound)


@pytest.mark.parametrize("sound", [frame(0, ARP), ETHERNET + IPV4, ETHERNET, b""])
def test_what_nothing_protects_stays_as_it_is(sound: bytes) -> None:
    assert ImpairedLink(Impairment(corrupt=1.0), Random(1)).put(0, sound) == [(0, sound)]


def test_a_full_link_loses() -> None:
    link = ImpairedLink(Impairment(delay=MS, duplicate=1.0), Random(1), capacity=3)
    assert [len(link.put(0, b"a")) for _ in range(3)] == [2, 1, 0]
    assert (len(link), link.counts["full"]) == (3, 3) and link.take(MS) == [b"a"] * 3
    assert len(link.put(MS, b"a")) == 2


def test_the_seed_decides() -> None:
    wrong = Impairment(loss=0.1, duplicate=0.1, reorder=0.1, corrupt=0.1, jitter=MS)
    assert passed(wrong, seed=3)[1] == passed(wrong, seed=3)[1] != passed(wrong, seed=4)[1]


@pytest.mark.parametrize("wrong", [{"loss": 1.1}, {"duplicate": -0.1}, {"delay": -1}, {"hold_back": -1}, {"corrupt": float("nan")}])
def test_what_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Impairment(**wrong)  # type: ignore[arg-type]


@settings(deadline=None)
@given(impairments, schedules, st.integers(0, 2**32), st.integers(1, 8))
def test_whatever_happens_every_frame_is_accounted_for(
    wrong: Impairment, schedule: list[tuple[int, bytes]], seed: int, capacity: int
) -> None:
    link, now, promised, out = ImpairedLink(wrong, Random(seed), capacity), 0, [], 0
    for wait, octets in schedule:
        now += wait
        for due, copy in link.put(now, octets):
            assert due >= now + wrong.delay and len(copy) == len(octets)
            promised.append((due, copy))
        assert len(link) <= capacity
        next_due = link.next()
        taken = link.take(now)
        out += len(taken)
        assert bool(taken) == (next_due is not None and next_due <= now)
    rest = link.take(10**18)
    assert out + len(rest) == len(promised) == link.counts["taken"] and link.next() is None
    counts = link.counts
    assert len(promised) == counts["put"] - counts["lost"] + counts["duplicated"] - counts["full"]
