"""What is raised when a file is no capture."""

from __future__ import annotations

__all__ = ["CaptureError"]


class CaptureError(Exception):
    """A file cannot be opened, or is no capture at all.

    Args:
        file: its name.
        offset: the octet at which that was noticed.
        found: what is there.
        right: what would be right.
    """

    def __init__(self, file: str, offset: int, found: str, right: str) -> None:
        super().__init__(f"{file}: octet {offset}: {found}; {right}")
        self.file, self.offset, self.found, self.right = file, offset, found, right
