"""Text that comes from a SUT, from a payload or from a case file, made safe to show where it could do harm."""

from __future__ import annotations

import re

__all__ = ["printable", "sentence", "xml_text"]

_FORBIDDEN_IN_XML = re.compile("[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, even as a reference; with it what it can, but discourages, and carriage returns, which parsers change."""


def printable(text: str) -> str:
    """``text`` on one line, with escapes (``\\x1b``) for what is not seen: control characters, bidirectional overrides, halves of pairs."""
    return text if text.isprintable() else "".join(map(_escape, text))


def sentence(text: str) -> str:
    """Prose that somebody wrote over several lines, on one."""
    return printable(" ".join(text.split()))


def xml_text(text: str) -> str:
    """``text`` as XML 1.0 can hold it, with escapes (``\\x1b``) for what it cannot."""
    return _FORBIDDEN_IN_XML.sub(lambda found: _escape(found.group()), text)


def _escape(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()
