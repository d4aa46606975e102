"""Text from others, made safe."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.report.safe_text import printable, sentence, xml_text

HOSTILE = st.text(alphabet=st.characters())
"""With halves of surrogate pairs, which JSON and file names can bring."""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("S. 0:0(0) ack 1 → ±10%", "S. 0:0(0) ack 1 → ±10%"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("two\nlines\r", "two\\nlines\\r"),
        ("\x9b31m", "\\x9b31m"),
        ("user\u202egpj.exe", "user\\u202egpj.exe"),
        ("\ud800", "\\ud800"),
    ],
)
def test_what_is_not_seen_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(HOSTILE)
def test_printable_text_is_printable_and_one_line(text: str) -> None:
    assert printable(text).isprintable()
    assert sentence(text).isprintable()


def test_a_sentence_is_joined() -> None:
    assert sentence("  The SYN takes\n  one number.\n") == "The SYN takes one number."


@given(HOSTILE)
def test_xml_holds_any_text(text: str) -> None:
    element = ElementTree.Element("e", a=xml_text(text))
    element.text = xml_text(text)
    read = ElementTree.fromstring(ElementTree.tostring(element, encoding="unicode"))
    assert (read.text or "", read.get("a")) == (xml_text(text), xml_text(text))


def test_xml_text_escapes_what_xml_forbids() -> None:
    assert xml_text("a\x00b\x1b\ufffe\r\n") == "a\\x00b\\x1b\\ufffe\\r\n"
