"""How long after the step before a step comes, where that matters.

Everything that happens within milliseconds is left to the speed of the machine. What the peer and the application waited for is kept, as
it decides what a stack's timers do; from :data:`QUIET` on it is a silence, which the SUT must keep. What the SUT took long for is a timer
of its own, and has to take as long again.
"""

from __future__ import annotations

from conformance.capture.import_story import Moment

__all__ = ["QUIET", "Times", "duration"]

_MS, _SECOND = 1_000_000, 1_000_000_000
_WAIT = 2 * _MS
"""The shortest wait that somebody may have meant."""
QUIET = 200 * _MS
"""So long a silence is worth checking, and so long after the event before comes what a timer brings: Linux's least RTO."""
_DELAY = 20 * _MS
"""From here on something was put off, as acknowledgements are, for at most half a second (RFC 9293, section 3.8.6.3)."""
_MARGIN = 25
"""In percent. A timer runs from an event that may lie before the step before, so that what others took more or less is missing here."""
_MOST_DELAY = 500 * _MS


class Times:
    """Goes along with the steps."""

    def __init__(self) -> None:
        self._base: int | None = None

    def wait(self, moment: Moment) -> int:
        """ns that the tester waits before this; 0 if it does not wait."""
        gap = 0 if self._base is None else moment.begun - self._base
        return gap if gap >= _WAIT else 0

    def arrival(self, moment: Moment) -> dict[str, object]:
        """``after:`` or ``within:`` of something that is awaited."""
        gap = 0 if self._base is None else moment.t - self._base
        if gap >= QUIET:
            return {"after": f"{duration(_about(gap))} ± {_MARGIN}%"}
        return {"within": duration(_MOST_DELAY)} if gap >= _DELAY else {}

    def passed(self, moment: Moment) -> None:
        """The step is done."""
        if moment.done is not None:
            self._base = moment.done


def _about(ns: int) -> int:
    """Two figures of it: more would only say what this machine was doing."""
    size = int("1" + "0" * max(len(str(ns)) - 2, 0))
    return round(ns / size) * size


def duration(ns: int) -> str:
    """``20ms``, ``1.25s``: to the millisecond, and to the hundredth part from ten seconds on."""
    ms = round(ns / _MS)
    if ms >= 10_000:
        return f"{ms / 1000:.2f}".rstrip("0").rstrip(".") + "s"
    return f"{ms // 1000}s" if ms % 1000 == 0 and ms else f"{ms / 1000:g}s" if ms >= 1000 and ms % 10 == 0 else f"{ms}ms"
