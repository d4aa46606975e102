"""Registers of requirements."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.case.register import Requirement, load_register, strongest

from .folder import Folder, place


def test_requirements_have_full_ids_and_places(folder: Folder) -> None:
    register = load_register(folder.path)
    assert not register.errors
    assert list(register.requirements) == ["RFC9293/MUST-11", "RFC9293/MUST-12", "RFC9293/SHLD-2", "RFC9293/MAY-3"]
    assert register["RFC9293/MUST-11"] == Requirement(
        id="RFC9293/MUST-11", level="MUST", section="3.10.7.4", text="A segment is acknowledged", observe="by its ACK", unobservable="",
        rfc="RFC9293", title="Transmission Control Protocol", file=str(folder.path / "requirements/rfc9293.yaml"), line=4,
    )  # fmt: skip
    assert "RFC9293/MUST-11" in register
    assert "RFC9293/MUST-13" not in register
    assert len(list(register)) == len(register) == 4


@pytest.mark.parametrize(
    ("levels", "strength"),
    [
        (["MUST"], "MUST"),
        (["MAY", "MUST NOT"], "MUST"),
        (["SHOULD NOT", "MAY"], "SHOULD"),
        (["SHOULD"], "SHOULD"),
        (["MAY"], "MAY"),
        ([], "MAY"),
    ],
)
def test_the_strongest_level_counts(levels: list[str], strength: str) -> None:
    assert strongest(iter(levels)) == strength


@pytest.mark.parametrize(
    ("entry", "where", "found", "wanted"),
    [
        ("{id: M-1, level: MUSTN'T, section: '1', text: x}", (4, 22), "MUSTN'T", "MUST NOT"),
        ("{id: 3.5, level: MUST, section: '1', text: x}", (4, 10), "3.5", "in quotes if it is a number"),
        ("{id: a b, level: MUST, section: '1', text: x}", (4, 10), "a b", "MUST-11"),
        ("{id: M-1, level: MUST, section: 3, text: x}", (4, 37), "3", "a text"),
        ("{id: M-1, level: MUST, section: '1'}", (4, 5), None, "text: …"),
        ("{id: M-1, level: MUST, section: '1', text: x, note: y}", (4, 51), "note", "observe"),
    ],
)
def test_mistakes(folder: Folder, entry: str, where: tuple[int, int], found: str | None, wanted: str) -> None:
    folder.write("requirements/x.yaml", f"rfc: X\ntitle: t\nrequirements:\n  - {entry}\n")
    register = load_register(folder.path)
    (error,) = register.errors
    assert Path(error.file).name == "x.yaml"
    assert (place(error), error.found) == (where, found), str(error)
    assert wanted in str(error)
    assert len(register) == 4


def test_an_id_that_is_there_twice(folder: Folder) -> None:
    folder.write(
        "requirements/sub/again.yaml", "rfc: RFC9293\ntitle: t\nrequirements:\n  - {id: MAY-3, level: MAY, section: '1', text: x}\n"
    )
    (error,) = load_register(folder.path).errors
    assert (place(error), error.found) == ((4, 10), "RFC9293/MAY-3")
    assert error.expected == f"another id than at {folder.path / 'requirements/rfc9293.yaml'}:7"


def test_what_is_wrong_in_a_register_is_an_error_of_the_suite(folder: Folder) -> None:
    folder.write("requirements/x.yaml", "rfc: [")
    assert [Path(error.file).name for error in folder.load().errors] == ["x.yaml"]


def test_a_folder_without_registers(tmp_path: Path) -> None:
    register = load_register(tmp_path)
    assert (len(register), register.errors) == (0, ())


def test_a_fallback_gives_what_the_folder_lacks(folder: Folder, tmp_path: Path) -> None:
    own = tmp_path / "own"
    (own / "requirements").mkdir(parents=True)
    (own / "requirements/r.yaml").write_text("rfc: MINE\ntitle: t\nrequirements:\n  - {id: A, level: MAY, section: '1', text: x}\n")
    assert len(load_register([own, folder.path])) == 5
    (own / "requirements/r.yaml").write_text("rfc: RFC9293\ntitle: t\nrequirements:\n  - {id: A, level: MAY, section: '1', text: x}\n")
    assert list(load_register([own, folder.path]).requirements) == ["RFC9293/A"]
