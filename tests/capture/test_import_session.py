"""``conformance import``: files in, a case file and an exit status out, whatever is in them."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from conformance.capture.import_packets import MOST_PACKETS
from conformance.capture.pcapng import write_pcapng
from conformance.case.loader import load_suite
from conformance.engine.import_session import ImportRequest, import_capture, run
from conformance.engine.status import Exit, UsageError
from conformance.sut import registry
from tests.capture.build import EPOCH, Record, ethernet, ip4, pcap, tcp
from tests.capture.fuzz import made
from tests.capture.round_trip import CASES, play

CLIENT, SERVER = bytes((192, 0, 2, 1)), bytes((192, 0, 2, 2))
MSS = struct.pack(">BBH", 2, 4, 1460)


def capture(folder: Path, *, connections: int = 1, options: bytes = b"") -> Path:
    """A capture of connections in which the client sends a hundred octets, and the server's acknowledgment has these options."""
    frames = []
    for number in range(connections):
        ports = {"sport": 40000 + number, "dport": 80}
        back = {"sport": 80, "dport": 40000 + number, "hosts": (SERVER, CLIENT)}
        there = {**ports, "hosts": (CLIENT, SERVER)}
        frames += [
            (there, tcp(seq=999, ack=0, flags=0x02, options=MSS, **there)),  # type: ignore[arg-type]
            (back, tcp(seq=4999, ack=1000, flags=0x12, options=MSS, **back)),  # type: ignore[arg-type]
            (there, tcp(seq=1000, ack=5000, **there)),  # type: ignore[arg-type]
            (there, tcp(bytes(100), seq=1000, ack=5000, flags=0x18, **there)),  # type: ignore[arg-type]
            (back, tcp(seq=5000, ack=1100, options=options, **back)),  # type: ignore[arg-type]
        ]
    records = [
        Record(ethernet(ip4(segment, hosts=way["hosts"])), EPOCH + at * 1_000_000)  # type: ignore[arg-type]
        for at, (way, segment) in enumerate(frames)
    ]
    path = folder / "field.pcap"
    path.write_bytes(pcap(records))
    return path


def request(file: Path, **wishes: object) -> ImportRequest:
    return ImportRequest(file, CASES, **wishes)  # type: ignore[arg-type]


def test_the_file_says_where_it_comes_from_and_can_be_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "new.yaml"
    assert run(request(capture(tmp_path), output=str(target), check="reference", title="All is acknowledged")) is Exit.AS_REQUIRED
    assert capsys.readouterr().err == "pass on reference\n"
    lines = target.read_text().splitlines()
    assert lines[0] == "# Imported from field.pcap, connection 1: the SUT is 192.0.2.2:80, the peer 192.0.2.1:40000."
    assert "title: All is acknowledged" in lines
    assert "requirements: [RFC9293/3.5, RFC9293/3.10.7.4]" in lines
    assert "  - inject: P. 1:101(100) ack 1 win 512  # 4" in lines
    suite = load_suite(tmp_path, [target], fallback=CASES)
    assert not suite.errors and len(suite.cases) == 1


def test_the_other_side(tmp_path: Path) -> None:
    text = import_capture(request(capture(tmp_path), sut_side="client")).text
    assert "  - call:   connect(c) = EINPROGRESS" in text
    assert "  - call:   send(c, 100) = 100" in text


def test_part_of_it(tmp_path: Path) -> None:
    text = import_capture(request(capture(tmp_path), last=3)).text
    assert "# 3" in text and "# 4" not in text.replace("40000", "")
    with pytest.raises(UsageError, match="begins in the middle"):
        import_capture(request(capture(tmp_path), first=4))


def test_several_connections_of_one_host(tmp_path: Path) -> None:
    both = import_capture(request(capture(tmp_path, connections=2)))
    assert {connection.name for connection in both.case.connections} == {"default", "c2"}
    second = import_capture(request(capture(tmp_path, connections=2), connection=2))
    assert "# 6" in second.text and "# 1\n" not in second.text
    with pytest.raises(UsageError, match="choose one with --connection"):
        import_capture(request(capture(tmp_path, connections=30)))
    with pytest.raises(UsageError, match="no connection 9"):
        import_capture(request(capture(tmp_path), connection=9))


def test_what_the_oracle_finds_is_marked(tmp_path: Path) -> None:
    text = import_capture(request(capture(tmp_path, options=MSS))).text
    assert "  # 5 breaks RFC9293/MUST-65: " in text
    assert "which is wrong where a remark says so" in text


def test_a_verdict_that_is_not_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(request(capture(tmp_path, options=MSS), output=str(tmp_path / "new.yaml"), check="reference")) is Exit.VIOLATIONS
    assert "expect: . 1:1(0) ack 101 <mss 1460>" in capsys.readouterr().err


def test_a_recording_has_its_calls(tmp_path: Path) -> None:
    suite = load_suite(CASES, [CASES / "close/passive-close.yaml"])
    sut = registry.make("reference")
    path = tmp_path / "recorded.pcapng"
    (result,) = play(sut, suite.cases[:1], 1)
    write_pcapng(path, result.trace, result.case.id, sut=sut.facts(), config=result.case.config)
    imported = import_capture(request(path))
    assert f"case {result.case.id} of reference" in imported.text
    assert "with the calls as they were made" in imported.text
    assert "inferred" not in imported.text and "suggest" in import_capture(request(path, packets=True)).text
    with pytest.raises(UsageError, match="no case run other"):
        import_capture(request(path, case="other"))


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"sut_side": "middle"}, "client or server"),
        ({"check": "nobody"}, "there is no SUT 'nobody'"),
        ({"first": 3, "last": 2}, "the last packet is before the first"),
        ({"output": "/nowhere/at/all.yaml"}, "cannot be written"),
    ],
)
def test_wishes_that_make_no_sense(tmp_path: Path, wishes: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        run(request(capture(tmp_path), **wishes))


def test_files_that_are_no_captures(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no file"):
        run(request(tmp_path / "nothing.pcap"))
    text = tmp_path / "text.pcap"
    text.write_text("not a capture at all")
    with pytest.raises(UsageError, match=r"text\.pcap: octet 0"):
        import_capture(request(text))


def test_more_packets_than_a_case_holds(tmp_path: Path) -> None:
    ways = {"sport": 40000, "dport": 80, "hosts": (CLIENT, SERVER)}
    segment = ethernet(ip4(tcp(flags=0x02, **ways), hosts=(CLIENT, SERVER)))  # type: ignore[arg-type]
    path = tmp_path / "long.pcap"
    path.write_bytes(pcap([Record(segment, EPOCH)] * (MOST_PACKETS + 1)))
    with pytest.raises(UsageError, match=f"more than {MOST_PACKETS} packets"):
        import_capture(request(path))


@pytest.mark.parametrize("seed", range(25))
def test_captures_made_wrong_are_refused_and_no_more(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "wrong.pcap"
    path.write_bytes(made(seed))
    for packets in (False, True):
        try:
            import_capture(request(path, packets=packets))
        except UsageError as error:
            assert str(path) in str(error)
