"""Case runs written out as documents of their own, and as YAML: the cases of the suite stay the same cases."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.case.case import Case
from conformance.case.discovery import discover
from conformance.case.document import Document
from conformance.case.errors import CaseError
from conformance.case.loader import load_document, load_suite
from conformance.case.steps import flatten
from conformance.case.written_out import written_out
from conformance.case.yaml_reader import read_yaml
from conformance.case.yaml_writer import write_case
from conformance.wire.segment import Family

CASES = Path(__file__).parents[2] / "cases"
FOLDERS = ("fast-open", "isn", "ip", "states")


def said(case: Case) -> tuple[object, ...]:
    """All of a case but where its parts stand, and that some of them are a preamble's."""
    steps = [
        (type(step), step.source.text, step.on, step.after, step.within, getattr(step, "fields", None)) for step in flatten(case.steps)
    ]
    return steps, replace(case, id="", file="", given=None, steps=())


def test_written_out_it_is_the_same_case() -> None:
    suite = load_suite(CASES, [CASES / folder for folder in FOLDERS])
    assert not suite.errors
    files = {file.relative: file for file in discover(CASES)[0]}
    chosen = suite.cases[::13]
    assert len(chosen) > 50
    for case in chosen:
        tree = written_out(files[case.file], case.id, case.family)
        text = write_case(tree, "what it is\n\nand why")
        assert read_yaml(text).data == tree, case.id
        cases, errors = load_document(Document("x", "x.yaml", tree, {}, {}), suite.register)
        assert not errors, errors
        assert [said(one) for one in cases] == [said(case)], case.id


def test_a_case_that_the_file_does_not_have() -> None:
    file = discover(CASES, [CASES / "handshake/passive-open.yaml"])[0][0]
    with pytest.raises(CaseError, match="the file has changed"):
        written_out(file, "handshake/passive-open[none,ipv4]", Family.IPV4)


def test_it_is_laid_out_as_by_hand() -> None:
    tree = {
        "steps": [
            {"call": "s = socket()"},
            {"why": "it is so", "with": {"ttl": 3, "ip_options": "none"}, "inject": "* 0:0(0)", "after": "0.9s..1.1s"},
            {"either": [[{"silence": "1s"}, {"state": "LISTEN"}], [{"expect": "R 1:1(0)"}]], "why": "both are right"},
            {"repeat": {"times": 3, "steps": [{"optional": [{"expect": ". 1:1(0) ack 1"}]}]}},
        ],
        "config": {"sack": "off", "ephemeral_ports": "1..5"},
        "title": "Yes: it works # or not",
        "requirements": ["TEST/1"],
        "connections": {"c2": {"isn": "+5"}},
    }
    assert (
        write_case(tree, "One\n\nTwo")
        == """\
# One
#
# Two
title: "Yes: it works # or not"
requirements: [TEST/1]
config: {sack: off, ephemeral_ports: "1..5"}
connections:
  c2: {isn: "+5"}
steps:
  - call:   s = socket()
  - inject: "* 0:0(0)"
    with:   {ttl: 3, ip_options: none}
    after:  0.9s..1.1s
    why:    it is so
  - either:
      - - silence: 1s
        - state:  LISTEN
      - - expect: R 1:1(0)
    why:    both are right
  - repeat:
      times: 3
      steps:
        - optional:
            - expect: . 1:1(0) ack 1
"""
    )


LIKE_OTHERS = (
    "on", "null", "~", "1e5", "0x1f", "-", "- a", "a: b", "a #b", ":", "a:", "---", "...", "'", '"', "1_0", "+.5", ".", "? a", "10:30",
)  # fmt: skip
scalars = (
    st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=12)
    | st.sampled_from(LIKE_OTHERS)
    | st.integers()
    | st.booleans()
    | st.none()
)
keys = st.text("abc_0:,#{ ", min_size=1, max_size=4)


@given(st.dictionaries(keys, scalars | st.lists(scalars, max_size=3) | st.dictionaries(keys, scalars, max_size=3), max_size=4))
def test_any_data_are_read_back(data: dict[str, object]) -> None:
    step = {"inject": "S 0:0(0)", "with": data}
    tree = {"title": "t", "config": data, "steps": [step, {"any_order": [step]}], "connections": {"c2": data}}
    assert read_yaml(write_case(tree)).data == tree
