"""For each rule of the oracle a dialogue that breaks it, as :func:`tests.oracle.talk.talk` reads them, by the rule's name."""

from __future__ import annotations

from collections.abc import Mapping

from . import closing, congestion, opening, options, receiving, refusing, sending

__all__ = ["DIALOGUES"]

_PARTS: tuple[Mapping[str, str], ...] = (
    opening.DIALOGUES, sending.DIALOGUES, receiving.DIALOGUES, refusing.DIALOGUES, congestion.DIALOGUES, options.DIALOGUES,
    closing.DIALOGUES,
)  # fmt: skip
DIALOGUES = {rule: text for part in _PARTS for rule, text in part.items()}
