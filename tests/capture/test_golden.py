"""Recordings: what they are called, where a case run is in them, that the same makes the same file, and what damage is."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from conformance.capture.errors import CaptureError
from conformance.capture.golden import Golden, golden_name, packed, recording_of, sections_of
from conformance.capture.pcapng import pcapng_bytes
from conformance.result import SutFacts
from conformance.trace import Note, Trace


def section(case: str) -> bytes:
    return pcapng_bytes(Trace(events=[Note(t=1, text=case)]), case)


SECTIONS = {case: section(case) for case in ("topic/a[2,ipv4]", "topic/a[1,ipv4]", 'topic/a["x" → y,ipv6]')}


@pytest.mark.parametrize(
    ("name", "version", "folder"),
    [
        ("linux", "6.18.44-fc-v657", "linux-6.18"),
        ("linux", "7-rc1", "linux-7"),
        ("reference", "0.1.0, in this process on a virtual clock", "reference-0.1"),
        ("lwip", "STABLE-2_2_0", "lwip-unknown"),
    ],
)
def test_a_folder_is_called_after_the_stack_and_its_version(name: str, version: str, folder: str) -> None:
    assert golden_name(SutFacts(name, version, "none")) == folder


@pytest.mark.parametrize(
    ("case_file", "recording"),
    [
        ("handshake/passive-open.yaml", "handshake/passive-open.pcapng.gz"),
        ("a.b.yaml", "a.b.pcapng.gz"),
        ("/etc/x.yaml", "etc/x.pcapng.gz"),
        ("../../x.yaml", "x.pcapng.gz"),
    ],
)
def test_a_recording_is_below_the_folder(case_file: str, recording: str) -> None:
    assert recording_of(case_file) == recording


def test_the_same_sections_make_the_same_file_in_whichever_order_they_come() -> None:
    assert packed(SECTIONS) == packed(dict(reversed(SECTIONS.items())))


def test_sections_are_found_again(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng.gz"
    path.write_bytes(packed(SECTIONS))
    assert sections_of(path) == SECTIONS
    (tmp_path / "plain.pcapng").write_bytes(b"".join(SECTIONS.values()))
    assert sections_of(tmp_path / "plain.pcapng") == SECTIONS


def test_the_runs_of_a_case_file_and_all_there_are(tmp_path: Path) -> None:
    golden = Golden(tmp_path / "linux-6.18")
    for name, sections in (("topic/a", SECTIONS), ("topic/b", {"topic/b[ipv4]": section("topic/b[ipv4]")})):
        path = golden.folder / f"{name}.pcapng.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(packed(sections))
    assert {case: one.trace.events for case, one in golden.traces("topic/a.yaml", []).items()} == {
        case: [Note(t=1, text=case)] for case in SECTIONS
    }
    assert golden.traces("topic/c.yaml", ["topic/c[ipv4].pcapng"]) == {}
    assert golden.cases() == {*SECTIONS, "topic/b[ipv4]"} and golden.name == "linux-6.18"


def test_captures_of_case_runs_are_a_recording_too(tmp_path: Path) -> None:
    (tmp_path / "topic").mkdir()
    for number, data in enumerate(SECTIONS.values()):
        (tmp_path / f"topic/{number}.pcapng").write_bytes(data)
    golden = Golden(tmp_path)
    assert set(golden.traces("topic/a.yaml", ["topic/0.pcapng", "topic/2.pcapng", "topic/9.pcapng"])) == {*list(SECTIONS)[::2]}
    assert golden.cases() == set(SECTIONS)


@pytest.mark.parametrize(
    "damaged",
    [
        b"".join(SECTIONS.values())[:-3],
        section("x")[:4] + b"\0\0\0\0" + section("x")[8:],
        section("x")[:8] + section("x")[8:12][::-1] + section("x")[12:],
        b"\n\r\r\n",
    ],
)
def test_damage_is_said_with_the_file(tmp_path: Path, damaged: bytes) -> None:
    path = tmp_path / "a.pcapng"
    path.write_bytes(damaged)
    with pytest.raises(CaptureError, match=str(path)):
        sections_of(path)


def test_a_gzip_that_is_cut_is_damage_as_well(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng.gz"
    path.write_bytes(packed(SECTIONS)[:-20])
    with pytest.raises(CaptureError, match=str(path)):
        sections_of(path)


def test_a_bomb_does_not_go_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conformance.capture.golden._MOST", 8 << 20)
    path = tmp_path / "a.pcapng.gz"
    path.write_bytes(gzip.compress(bytes(64 << 20), 9))
    with pytest.raises(CaptureError, match="larger than"):
        sections_of(path)
