"""Which cases run: ``-k`` as pytest users know it."""

from __future__ import annotations

import re
from collections.abc import Callable

__all__ = ["SelectionError", "selector"]

_TOKEN = re.compile(r"\s*([()]|[^\s()]+)")


class SelectionError(ValueError):
    """The expression cannot be read; the message says where."""


def selector(expression: str) -> Callable[[str], bool]:
    """A test for case ids: words joined by ``and``, ``or``, ``not`` and parentheses; a word fits an id that contains it, in any case.

    An expression that is a case's whole id fits that case alone.
    """
    if not expression.strip():
        return lambda _: True
    tokens = _TOKEN.findall(expression)
    position = 0

    def peek() -> str | None:
        return tokens[position] if position < len(tokens) else None

    def take() -> str:
        nonlocal position
        token = peek()
        if token is None:
            raise SelectionError(f"-k {expression!r} ends where a word is expected")
        position += 1
        return token

    def any_of() -> Callable[[str], bool]:
        left = all_of()
        while peek() == "or":
            take()
            left = _or(left, all_of())
        return left

    def all_of() -> Callable[[str], bool]:
        left = one()
        while peek() == "and":
            take()
            left = _and(left, one())
        return left

    def one() -> Callable[[str], bool]:
        token = take()
        if token == "not":
            return _not(one())
        if token == "(":
            inner = any_of()
            if peek() != ")":
                raise SelectionError(f"-k {expression!r}: a parenthesis is not closed")
            take()
            return inner
        if token in (")", "and", "or"):
            raise SelectionError(f"-k {expression!r}: {token!r} stands where a word is expected")
        return lambda case_id: token.lower() in case_id.lower()

    whole = any_of()
    if position < len(tokens):
        raise SelectionError(f"-k {expression!r}: 'and' or 'or' is expected before {tokens[position]!r}")
    return lambda case_id: case_id == expression.strip() or (whole(case_id) and not _is_id(expression))


def _is_id(expression: str) -> bool:
    """A whole id ends in its family in brackets: it stands for itself, not for every id that it is a part of."""
    return bool(re.fullmatch(r"\S+\[\S*ipv[46]\]", expression.strip()))


def _or(left: Callable[[str], bool], right: Callable[[str], bool]) -> Callable[[str], bool]:
    return lambda case_id: left(case_id) or right(case_id)


def _and(left: Callable[[str], bool], right: Callable[[str], bool]) -> Callable[[str], bool]:
    return lambda case_id: left(case_id) and right(case_id)


def _not(inner: Callable[[str], bool]) -> Callable[[str], bool]:
    return lambda case_id: not inner(case_id)
