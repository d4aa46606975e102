"""A trace survives being written and read: any trace, and those of case runs; and what is no trace is said."""

from __future__ import annotations

import gzip
import io
import struct
from pathlib import Path
from random import Random

import dpkt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.capture.errors import CaptureError
from conformance.capture.pcapng import pcapng_bytes, write_pcapng
from conformance.capture.trace_file import TraceFileError, read_trace, read_traces
from conformance.result import SutFacts
from conformance.trace import Called, Endpoints, Event, Note, Received, Returned, Sent, StateChanged, Trace
from conformance.wire.read import read_frame

CASE = "handshake/passive-open[ipv4]"
START = 946_684_800_000_000_000
HOUR = 3_600_000_000_000

TEXTS = st.one_of(
    st.text(alphabet=st.characters(), max_size=12),
    st.sampled_from(
        ['"', "", " ", "no connection", "·", "…", "… and more", "a b", "1.000000000", "FAILED: x", "step 3 matched · y", "\\", "c: d"]
    ),
)
"""Among them such as could be taken for something else."""
TIMES = st.integers(START - HOUR, START + HOUR)
FRAMES = st.one_of(st.binary(max_size=80), st.just(bytes(12) + b"\x08\x00\x45" + bytes(60)))
COMMON = {"t": TIMES, "step": st.none() | st.integers(0, 500), "failed": st.booleans()}


def _received(**values: object) -> Received:
    return Received(packet=read_frame(values["frame"]), **values)  # type: ignore[arg-type]


EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(Sent, **COMMON, frame=FRAMES, connection=st.just("default") | TEXTS, due=st.just(0) | TIMES, packet=st.none()),
    st.builds(_received, **COMMON, frame=FRAMES, connection=st.sampled_from([None, "default"]) | TEXTS),
    st.builds(Called, **COMMON, text=TEXTS, blocking=st.booleans()),
    st.builds(Returned, **COMMON, text=TEXTS),
    st.builds(StateChanged, **COMMON, who=TEXTS, old=TEXTS, new=TEXTS),
    st.builds(Note, **COMMON, text=TEXTS),
)
ADDRESSES = st.binary(min_size=4, max_size=4) | st.binary(min_size=16, max_size=16)
PORTS, NUMBERS = st.integers(0, 65535), st.integers(0, 0xFFFF_FFFF)
ENDS = st.builds(Endpoints, TEXTS, ADDRESSES, PORTS, ADDRESSES, PORTS, NUMBERS, st.none() | NUMBERS)
TRACES = st.builds(
    Trace,
    events=st.lists(EVENTS, max_size=50),
    connections=st.lists(ENDS, max_size=40).map(lambda ends: {one.name: one for one in ends}),
    states_from=TEXTS,
    start=TIMES,
)
SETTINGS = st.dictionaries(TEXTS, TEXTS, max_size=4)
CONFIGS = st.dictionaries(TEXTS, st.booleans() | st.integers() | TEXTS, max_size=4)


@settings(deadline=None, max_examples=100)
@given(TRACES, TEXTS, TEXTS, st.none() | st.tuples(TEXTS, TEXTS, SETTINGS), CONFIGS, st.none() | st.integers(), st.integers(0, HOUR))
def test_any_trace_is_the_same_once_it_is_read(
    tmp_path_factory: pytest.TempPathFactory,
    trace: Trace,
    case: str,
    reason: str,
    about: tuple[str, str, dict[str, str]] | None,
    config: dict[str, object],
    seed: int | None,
    offset: int,
) -> None:
    path = tmp_path_factory.mktemp("trace") / "trace.pcapng"
    sut = SutFacts(about[0], about[1], trace.states_from, about[2]) if about else None
    write_pcapng(path, trace, case, verdict="fail", reason=reason, sut=sut, config=config, seed=seed, epoch_offset_ns=offset)
    read = read_trace(path)
    assert read.trace.events == list(trace.sorted())
    assert (read.trace.connections, read.trace.states_from, read.trace.start) == (trace.connections, trace.states_from, trace.start)
    assert (read.case, read.verdict, read.reason, read.sut, read.config, read.seed) == (case, "fail", reason, sut, config, seed)


def test_events_of_the_same_moment_keep_their_order(tmp_path: Path) -> None:
    events: list[Event] = [
        Called(t=5, text=str(number)) if number % 3 else _received(t=5, frame=b"%d" % number, connection="default") for number in range(100)
    ]
    write_pcapng(tmp_path / "x.pcapng", Trace(events=list(events)), CASE)
    assert read_trace(tmp_path / "x.pcapng").trace.events == events


def test_a_text_that_no_option_holds_is_whole_all_the_same(tmp_path: Path) -> None:
    long = "→" * 60_000
    write_pcapng(tmp_path / "x.pcapng", Trace(events=[Note(t=1, text=long)]), CASE, reason=long)
    read = read_trace(tmp_path / "x.pcapng")
    assert read.trace.events == [Note(t=1, text=long)] and read.reason == long


def test_it_says_what_the_steps_are(tmp_path: Path) -> None:
    write_pcapng(tmp_path / "x.pcapng", _trace(), CASE, labels={4: "line 5: inject: S 0:0(0) win 1", 9: "never played"})
    assert read_trace(tmp_path / "x.pcapng").labels == {4: "line 5: inject: S 0:0(0) win 1"}


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_several_traces_in_one_file(tmp_path: Path, pack: type[bytes]) -> None:
    path = tmp_path / "x.pcapng"
    traces = [_trace(), Trace(events=[Note(t=7, text="no frame")], start=7), Trace(), _trace()]
    path.write_bytes(pack(b"".join(pcapng_bytes(trace, f"case{number}") for number, trace in enumerate(traces))))
    assert [one.trace.events for one in read_traces(path)] == [list(trace.sorted()) for trace in traces]
    assert read_trace(path, "case1").trace.start == 7
    with pytest.raises(TraceFileError, match="it holds case0, case1, case2, case3; one trace was asked for"):
        read_trace(path)
    with pytest.raises(TraceFileError, match=r"it holds case0.*the trace of case9 was asked for"):
        read_trace(path, "case9")


def test_a_comment_of_somebody_else_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "x.pcapng"
    data = pcapng_bytes(_trace(), CASE, labels={4: "line 5: inject: S"})
    ours = "step 4 sent 0.000000001 late · line 5: inject: S".encode()
    path.write_bytes(data.replace(ours, b"call me: why is this one so late?".ljust(len(ours))))
    first, *others = read_trace(path).trace.events
    assert first == Sent(t=5, frame=bytes(60), connection="default") and others == _trace().events[1:]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"case: ", b"cash: ", "no comments that begin with `case:` and `start:`"),
        (b"start: 0.0", b"start: 0:0", "'start: 0:000000000' cannot be read"),
        (b"seed: 7", b"seed: x", "'seed: x' cannot be read"),
        (b'config: {"', b'config: ["', "'config: .* cannot be read"),
        (b"peer 192.0.2.1", b"peer 192.0.2.x", "'192.0.2.x' is no address"),
        (b"peer 192.0.2.1 port", b"peer 192.0.2.1 pork", "is no connection, such as"),
        (struct.pack("<HHI", 2, 4, 2), struct.pack("<HHI", 2, 4, 0), "packet 1: it does not say who sent it"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_place(tmp_path: Path, old: bytes, new: bytes, said: str) -> None:
    path = tmp_path / "x.pcapng"
    data = pcapng_bytes(_trace(), CASE, seed=7, config={"sack": True})
    assert data.count(old) >= 1
    path.write_bytes(data.replace(old, new, 1))
    with pytest.raises(TraceFileError, match=said) as error:
        read_trace(path)
    assert str(error.value).startswith(f"{path}: ")


def test_a_capture_of_another_program_is_no_trace(tmp_path: Path) -> None:
    path, file = tmp_path / "x.pcap", io.BytesIO()
    dpkt.pcap.Writer(file).writepkt(bytes(60), 1.0)
    path.write_bytes(file.getvalue())
    with pytest.raises(TraceFileError, match=r"section 1: the section's header has no comments"):
        read_trace(path)
    path.write_bytes(b"no capture")
    with pytest.raises(CaptureError):
        read_trace(path)


def test_a_file_that_is_cut_anywhere_is_an_error_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "x.pcapng"
    data = pcapng_bytes(_trace(), CASE, seed=7)
    whole = 0
    for end in range(len(data)):
        path.write_bytes(data[:end])
        try:
            whole += len(read_trace(path).trace.events) >= 0
        except CaptureError:
            continue
    assert whole <= 8, "between two blocks it may have ended"


def _trace() -> Trace:
    ends = Endpoints("default", bytes([192, 0, 2, 1]), 40_000, bytes([192, 0, 2, 2]), 80, 17)
    events: list[Event] = [
        Sent(t=5, step=4, frame=bytes(60), connection="default", due=4),
        _received(t=6, step=5, frame=bytes(61), connection="default"),
        StateChanged(t=7, who="s", old="LISTEN", new="SYN-RECEIVED"),
        Called(t=8, step=6, text="accept(s)"),
        Returned(t=9, step=6, text="accept(s) = c"),
        _received(t=10, frame=bytes(62), connection=None),
        Note(t=11, step=7, failed=True, text="nothing came"),
    ]
    return Trace(events=events, connections={"default": ends}, states_from="stack")


def test_whatever_is_in_a_file_nothing_but_an_error_comes_of_it(tmp_path: Path) -> None:
    """Octets changed at random, and the header of the section taken away."""
    path, chance = tmp_path / "x.pcapng", Random(1)
    data = pcapng_bytes(_trace(), CASE, seed=7, config={"sack": True}, sut=SutFacts("toy", "1", "stack", {"a": "b"})) * 2
    path.write_bytes(b"\n\r\r\n" + data)
    with pytest.raises(CaptureError):
        read_trace(path)
    read = 0
    for _ in range(150):
        changed = bytearray(data)
        for _ in range(chance.choice((1, 3, 10))):
            changed[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(changed)
        try:
            read += len(list(read_traces(path)))
        except CaptureError:
            continue
    assert read > 20
