"""The data that flows where a case does not write it out; what it is belongs to the language: :mod:`conformance.case.stream`."""

from __future__ import annotations

from conformance.case.stream import stream

__all__ = ["stream"]
