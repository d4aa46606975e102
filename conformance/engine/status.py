"""How a command ends: the exit status, and the error for what was asked for and makes no sense."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["Exit", "UsageError"]


class Exit(IntEnum):
    """The exit status, for scripts. What a signal ends exits with 128 and the signal's number."""

    AS_REQUIRED = 0
    VIOLATIONS = 1
    """A MUST is broken that the expectations do not list."""
    USAGE = 2
    """The command line, a case, what is expected of one, or a capture is wrong."""
    ENVIRONMENT = 3
    """This machine cannot do it, or some case could not be judged here."""


class UsageError(ValueError):
    """What was asked for makes no sense; the message says what would."""
