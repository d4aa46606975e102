"""YAML text is read as data with positions, and nothing in it can make that slow, large or more than data."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from conformance.case.errors import CaseError
from conformance.case.yaml_reader import MAX_BYTES, MAX_DEPTH, MAX_NODES, read_file, read_yaml

from .folder import place


def error_of(text: str | bytes) -> CaseError:
    with pytest.raises(CaseError) as caught:
        read_yaml(text, "cases/x.yaml")
    assert caught.value.file == "cases/x.yaml"
    return caught.value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"), ("off", "off"), ("yes", "yes"), ("no", "no"), ("y", "y"),
        ("true", True), ("False", False), ("null", None), ("~", None), ("", None),
        ("1:1", "1:1"), ("12:30:45", "12:30:45"), ("010", 10), ("0x1f", 31), ("0o17", 15), ("0b11", "0b11"), ("1_000", "1_000"),
        ("+5", 5), ("-7", -7), ("1.5", 1.5), (".5", 0.5), ("1e3", 1000.0),
        (".inf", float("inf")), ("-.INF", float("-inf")), (".", "."), ("-", [None]),
        ("2001-01-01", "2001-01-01"), ("'5'", "5"), ('"true"', "true"),
        ("<<", "<<"), ("=", "="), ("1..5", "1..5"), ("S. 0:0(0)", "S. 0:0(0)"),
    ],
)  # fmt: skip
def test_scalars_resolve_as_in_yaml_1_2(text: str, value: object) -> None:
    assert read_yaml(text).data == value
    assert type(read_yaml(text).data) is type(value) or isinstance(read_yaml(text).data, type(value))


@pytest.mark.parametrize("text", ["00", "0x1f", "+5", "1e3", "1.50", "7"])
def test_numbers_remember_how_they_were_written(text: str) -> None:
    assert str(read_yaml(text).data) == text


def test_nan_is_a_number() -> None:
    assert str(read_yaml(".nan").data) == ".nan"


def test_positions_of_keys_and_values_count_from_one() -> None:
    document = read_yaml('a: 1\nlist:\n  - x\n  - key: "text"\n')
    assert document.data == {"a": 1, "list": ["x", {"key": "text"}]}
    assert document.key_positions[("a",)] == (1, 1)
    assert document.positions[("a",)] == (1, 4)
    assert document.positions[("list", 0)] == (3, 5)
    assert document.key_positions[("list", 1, "key")] == (4, 5)
    assert document.positions[("list", 1, "key")] == (4, 10)
    assert document.place(("list", 1, "nothing", "there")) == (4, 5)


def test_an_error_inside_a_text_has_the_column_of_the_file() -> None:
    document = read_yaml("plain: abc\nquoted: 'abc'\nfolded: a\n  b\n", "x.yaml")
    inner = CaseError("wrong", column=3)
    assert place(document.error(("plain",), inner)) == (1, 10)
    assert place(document.error(("quoted",), inner)) == (2, 12)
    assert place(document.error(("folded",), inner)) == (3, 9)


def test_aliases_repeat_data_with_the_positions_of_what_they_repeat() -> None:
    document = read_yaml("a: &x {k: 1}\nb: *x\n")
    assert document.data == {"a": {"k": 1}, "b": {"k": 1}}
    assert document.positions[("b", "k")] == (1, 11)


@pytest.mark.parametrize(
    ("text", "where", "found", "expected"),
    [
        ("a: !!python/object/apply:os.system [x]", (1, 4), "tag:yaml.org,2002:python/object/apply:os.system", "data without tags"),
        ("a: !custom 1", (1, 4), "!custom", "data without tags"),
        ("a: !!str 1", (1, 4), "tag:yaml.org,2002:str", "data without tags"),
        ("a: 1\nb: 2\na: 3", (3, 1), "a", "each key once"),
        ("? [1]\n: 2", (1, 3), "a list", "text or a whole number"),
        ("true: 2", (1, 1), "true", "text or a whole number"),
        ("a: 1\n---\nb: 2", (2, 1), "---", "one document a file"),
        ("a: &x [*x]", (1, 8), "*x", "data that ends"),
        ("a: *y", (1, 4), "*y", "an anchor before it, or quotes around a text that begins with *"),
        ("a: " + "9" * 50, (1, 4), "9" * 50, "at most 40 digits"),
    ],
)
def test_what_is_no_plain_data_is_an_error(text: str, where: tuple[int, int], found: str, expected: str) -> None:
    error = error_of(text)
    assert (place(error), error.found, error.expected) == (where, found, expected)


@pytest.mark.parametrize(
    ("text", "where", "hint"),
    [
        ("- expect: * 0:0(0)", (1, 11), "begins with *"),
        ("- inject: - 0:0(0)", (1, 11), "begins with -"),
        ("why: a: b", (1, 7), "colon and a space"),
        ("\ta: 1", (1, 1), "not tabs"),
        ("a: 'x", (1, 6), "closing quote"),
        ("a: [1 b", (2, 1), "closing bracket"),
    ],
)
def test_syntax_errors_say_what_is_usually_the_matter(text: str, where: tuple[int, int], hint: str) -> None:
    error = error_of(text)
    assert abs(error.line - where[0]) <= 1
    assert error.column >= 1
    assert error.message.startswith("this is not YAML: ")
    assert hint in error.expected


def test_text_that_is_not_utf_8_is_an_error() -> None:
    error = error_of(b"a: 1\nb: \xff")
    assert (place(error), error.found, error.expected) == ((2, 4), "byte 0xff", "UTF-8")


def test_control_characters_are_an_error() -> None:
    error = error_of("a: 1\nbc\x07")
    assert (place(error), error.found) == ((2, 3), "U+0007")


def test_a_byte_order_mark_is_ignored() -> None:
    assert read_yaml(b"\xef\xbb\xbfa: 1").data == {"a": 1}


def test_an_alias_bomb_is_an_error_at_once() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    before = time.perf_counter()
    error = error_of("\n".join(lines))
    assert time.perf_counter() - before < 3
    assert error.found == f"more than {MAX_NODES} nodes"


def test_many_nodes_are_an_error() -> None:
    error = error_of("[" + "1," * (MAX_NODES + 1) + "]")
    assert error.found == f"more than {MAX_NODES} nodes"
    assert error.expected == f"at most {MAX_NODES} nodes"


@pytest.mark.parametrize("text", ["[" * 100_000, "- " * 100_000, "{a: " * 50_000, "- " * (MAX_DEPTH + 1) + "1"])
def test_deep_nesting_is_an_error_at_once(text: str) -> None:
    before = time.perf_counter()
    error = error_of(text)
    assert time.perf_counter() - before < 3
    assert (error.message, error.expected) == ("nested too deeply", f"at most {MAX_DEPTH} levels")


def test_aliases_cannot_go_deeper_than_the_text() -> None:
    chain = "\n".join(["a0: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 60))])
    assert error_of(chain).message == "nested too deeply"


def test_the_deepest_that_is_allowed() -> None:
    assert read_yaml("[" * MAX_DEPTH + "]" * MAX_DEPTH).data


def test_without_libyaml_the_same_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a: &x [1, '2', !!str 3]"
    with pytest.raises(CaseError) as fast:
        read_yaml(text)
    data = read_yaml("- &x {a: 'b: c', 0x1f: on}\n- *x\n- |\n  d\n").data
    monkeypatch.setattr("conformance.case.yaml_reader._LOADER", yaml.SafeLoader)
    with pytest.raises(CaseError) as slow:
        read_yaml(text)
    assert str(slow.value) == str(fast.value)
    assert (
        read_yaml("- &x {a: 'b: c', 0x1f: on}\n- *x\n- |\n  d\n").data == data == [{"a": "b: c", 31: "on"}, {"a": "b: c", 31: "on"}, "d\n"]
    )
    assert error_of("[" * 10_000).message == "nested too deeply"


def test_large_files_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(CaseError, match=f"at most {MAX_BYTES} bytes"):
        read_file(path)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="no such file"):
        read_file(tmp_path / "x.yaml")
    with pytest.raises(CaseError, match="no such file"):
        read_file(tmp_path)


@given(st.one_of(st.text(), st.binary(), st.text(alphabet="[]{}&*a:,-?|>'\"#! \n\t%@`0")))
def test_any_text_is_data_or_a_case_error(text: str | bytes) -> None:
    try:
        document = read_yaml(text, "x.yaml")
    except CaseError as error:
        assert str(error).startswith("x.yaml")
        return
    assert () in document.positions
    assert all(line >= 1 and column >= 1 for line, column in document.positions.values())
