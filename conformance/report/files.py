"""Report files appear whole or not at all: nobody reads half of one, and a crash leaves the one before."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

__all__ = ["unwritable", "write_report", "written_whole"]


def write_report(path: str | os.PathLike[str], text: str) -> None:
    """Write ``text`` to ``path`` at once; ``-`` is standard output, and devices and pipes are written as they are."""
    if os.fspath(path) == "-":
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    with written_whole(path) as file:
        file.write(text.encode())


@contextmanager
def written_whole(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A file to write that has the name ``path`` once all of it is there; devices and pipes are written as they are."""
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        with target.open("wb") as file:
            yield file
        return
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with draft.open("wb") as file:
            yield file
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def unwritable(path: str | os.PathLike[str], *, in_place: bool = False) -> str | None:
    """Why nothing can be written to ``path``, as far as can be told beforehand; None if nothing speaks against it.

    ``in_place`` is for a file that is written as it grows, and not replaced by :func:`write_report`.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        return "it is a folder"
    if not target.parent.is_dir():
        return f"there is no folder {target.parent}"
    place = target if target.exists() and (in_place or not target.is_file()) else target.parent
    return None if os.access(place, os.W_OK) else f"{place} is not writable"
