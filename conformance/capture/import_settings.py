"""``config:`` of an imported case."""

from __future__ import annotations

from collections.abc import Mapping

from conformance.case.settings import SETTINGS, Time

__all__ = ["written_settings"]

_UNITS = (("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1000), ("ns", 1))


def written_settings(config: Mapping[str, object]) -> dict[str, object]:
    """Settings as a case was given them → as a file writes them; what is no setting is left out."""
    return {name: _written(name, value) for name, value in config.items() if name in SETTINGS}


def _written(name: str, value: object) -> object:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, int) and isinstance(SETTINGS[name].kind, Time):
        unit, size = next((unit, size) for unit, size in _UNITS if value % size == 0)
        return f"{value // size}{unit}"
    return value
