"""Case files that are wrong: each says where, what was found and what is allowed, and costs no other file its cases."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from .program import FAILS, PASSES, Done, Folder, play

_HEAD = """\
title: Something is true
requirements: [RFC9293/MUST-1]
"""


class Bad(NamedTuple):
    """A file that is wrong, the place of its first mistake, and what is said of it."""

    text: str | bytes
    place: str
    words: tuple[str, ...]


_BOMB = "".join(f"  k{level}: &k{level} [{', '.join([f'*k{level - 1}'] * 9)}]\n" for level in range(1, 9))
_STEPS = "steps:\n  - silence: 1ms\n"
_STATES = ("CLOSED", "LISTEN", "SYN-SENT", "ESTABLISHED", "TIME-WAIT")

BAD = {
    "unclosed": Bad(_HEAD + "steps:\n  - call: \"s = socket()\n", "5:1", ("not YAML", "quote")),
    "tabs": Bad(_HEAD + "steps:\n\t- call: s = socket()\n", "4:1", ("not YAML", "spaces, not tabs")),
    "field": Bad(_HEAD + "stepz: []\n", "1:1", ("steps is missing",)),
    "sibling": Bad(_HEAD + "steps:\n  - expect: . 1:1(0)\n    wihin: 1s\n", "5:5", ("found 'wihin'", "within", "did you mean within?")),
    "step": Bad(_HEAD + "steps:\n  - cal: s = socket()\n", "4:5", ("found 'cal'", "call", "did you mean call?")),
    "notation": Bad(_HEAD + "given: LISTEN\nsteps:\n  - inject: S 0:0(0) wnd 5\n", "5:22", ("found 'wnd'", "ack or win or urg")),
    "flags": Bad(_HEAD + "given: LISTEN\nsteps:\n  - inject: SX 0:0(0)\n", "5:13", ("found 'SX'", "S SYN", "R RST")),
    "state": Bad(_HEAD + "given: ESTABLISHED\nsteps:\n  - state: c ESTABLISHD\n", "5:14", ("found 'ESTABLISHD'", *_STATES, "did you mean")),
    "call": Bad(_HEAD + "steps:\n  - call: s = sokket()\n", "4:15", ("found 'sokket'", "socket", "did you mean socket?")),
    "preamble": Bad(f"{_HEAD}given: LISTEN-TO-ME\n{_STEPS}", "3:8", ("found 'LISTEN-TO-ME'", "ESTABLISHED, LISTEN")),
    "requirement": Bad(PASSES.replace("MUST-1", "MUST-9"), "2:16", ("found 'RFC9293/MUST-9'", "RFC9293/MUST-1")),
    "setting": Bad(_HEAD + "config: {sacks: on}\nsteps: []\n", "3:10", ("found 'sacks'", "did you mean sack?")),
    "traversal": Bad(f"{_HEAD}given: ../../../../etc/passwd\n{_STEPS}", "3:8", ("found '../../../../etc/passwd'", "ESTABLISHED, LISTEN")),
    "bomb": Bad(f"{_HEAD}parameters:\n  k0: &k0 [{', '.join('aaaaaaaaa')}]\n{_BOMB}steps: []\n", "", ("too large", "aliases", "at most")),
    "circle": Bad(_HEAD + "steps: &s\n  - any_order: *s\n", "4:16", ("an alias inside of what it repeats",)),
    "tag": Bad(_HEAD + "steps: !!python/object/apply:os.system [touch owned]\n", "3:8", ("a tag", "python/object/apply:os.system")),
    "twice": Bad(_HEAD + "title: Something else\n", "3:1", ("a key that is there twice", "found 'title'")),
    "documents": Bad(_HEAD + "steps: []\n---\ntitle: x\n", "4:1", ("a second document",)),
    "list": Bad("- title: x\n", "1:1", ("expected a mapping",)),
    "empty": Bad("", "1:1", ("expected a mapping",)),
    "latin": Bad("title: caf\xe9\n".encode("latin-1"), "1:11", ("not UTF-8",)),
    "control": Bad("title: \x1b[31mred\n", "1:8", ("U+001B",)),
    "huge": Bad(_HEAD + "# " + "x" * (1 << 20), "", ("too large",)),
    "deep": Bad(_HEAD + "steps: " + "[" * 200 + "]" * 200, "3:", ("nested too deeply",)),
}  # fmt: skip


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """One run of all of them, beside a case that passes."""
    folder = Folder(tmp_path_factory.mktemp("bad") / "cases")
    for name, bad in BAD.items():
        folder.write(f"bad/{name}.yaml", bad.text)
    folder.write("topic/passes.yaml", PASSES)
    secret = folder.path.parent / "secret.yaml"
    secret.write_text(PASSES)
    (folder.path / "bad/link.yaml").symlink_to(secret)
    return play("--cases", folder, "--json", "-", cwd=folder.path.parent)


def test_the_status_is_that_of_broken_cases(done: Done) -> None:
    assert done.status == 2


def test_the_other_cases_still_run(done: Done) -> None:
    assert {name: case["verdict"] for name, case in done.cases.items()} == {"topic/passes[ipv4]": "pass", "topic/passes[ipv6]": "pass"}


def test_each_broken_file_is_counted_once(done: Done) -> None:
    assert done.summary["broken_cases"] == len(BAD) + 1
    assert f"{len(BAD) + 1} case files cannot be read" in done.err


@pytest.mark.parametrize("name", BAD)
def test_the_message_names_place_and_mistake(done: Done, name: str) -> None:
    bad = BAD[name]
    broken = [line for line in done.lines if line["type"] == "broken" and line["file"].endswith(f"bad/{name}.yaml")]
    assert broken, f"nothing is said of {name}"
    first = broken[0]
    assert f"{first['line']}:{first['column']}".startswith(bad.place) or not bad.place, first["message"]
    assert first["message"].startswith(f"{first['file']}:{first['line']}" if first["line"] else first["file"])
    assert all(word in first["message"] for word in bad.words), first["message"]
    assert f"✗ broken case file  {first['message']}" in done.err


def test_a_field_that_is_not_known_names_those_that_are(done: Done) -> None:
    said = [line["message"] for line in done.lines if line["type"] == "broken" and "stepz" in line["message"]]
    assert len(said) == 1 and ":3:1: " in said[0] and "did you mean steps?" in said[0] and "requirements, description, families" in said[0]


def test_a_link_out_of_the_case_folder_is_not_followed(done: Done) -> None:
    said = [line["message"] for line in done.lines if line["type"] == "broken" and line["file"].endswith("bad/link.yaml")]
    assert len(said) == 1 and "a link that leads out of the case folder" in said[0]


def test_nothing_of_a_case_reaches_the_terminal_as_it_is(done: Done) -> None:
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", done.err + done.out)


def test_loading_runs_nothing(done: Done) -> None:
    root = Path(next(line["file"] for line in done.lines if line["type"] == "broken")).parents[2]
    assert (root / "secret.yaml").exists() and not [path for path in root.rglob("*") if path.name == "owned"]


def test_a_violation_weighs_more_than_a_broken_file(folder: Folder) -> None:
    folder.write("topic/fails.yaml", FAILS)
    folder.write("topic/broken.yaml", _HEAD)
    done = play("--cases", folder, "--family", "ipv4", "--json", "-")
    assert done.status == 1 and done.summary["violations"] == 1 and done.summary["broken_cases"] == 1


def test_expectations_that_are_wrong_are_a_broken_file(folder: Folder) -> None:
    folder.write("topic/passes.yaml", PASSES)
    file = folder.write("expectations/linux.yaml", "- case: topic/passes[*]\n  verdict: fails\n  reason: none\n")
    done = play("--cases", folder, "--family", "ipv4", "--json", "-")
    broken = [line for line in done.lines if line["type"] == "broken"]
    assert done.status == 2 and [(line["file"], line["line"]) for line in broken] == [(str(file), 2)]
    assert "found 'fails'" in broken[0]["message"] and "inconclusive" in broken[0]["message"]
