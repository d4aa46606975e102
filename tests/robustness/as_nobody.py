"""Runs a command as an ordinary user: ``python as_nobody.py COMMAND [ARGUMENT]...``, started by root.

The user can read Python and this project even where they are below a folder that is root's alone (``/root/.pyenv``): in a mount
namespace of its own, which goes with the command, such a folder is covered by an empty one that holds them only.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from conformance.link.netns import libc_call

NOBODY = 65534
_CLONE_NEWNS, _MS_BIND, _MS_REC, _MS_PRIVATE = 0x20000, 1 << 12, 1 << 14, 1 << 18


def main() -> None:
    libc_call("unshare", _CLONE_NEWNS)
    libc_call("mount", None, b"/", None, _MS_REC | _MS_PRIVATE, None)
    needed = [Path(path).resolve() for path in (sys.base_prefix, sys.prefix, Path(__file__).parents[2])]
    kept = {path: os.open(path, os.O_PATH) for path in needed if any(_closed(path))}
    for folder in {next(_closed(path)) for path in kept}:
        libc_call("mount", b"none", os.fsencode(folder), b"tmpfs", 0, b"mode=755")
    for path, descriptor in kept.items():
        path.mkdir(parents=True, exist_ok=True)
        libc_call("mount", f"/proc/self/fd/{descriptor}".encode(), os.fsencode(path), None, _MS_BIND | _MS_REC, None)
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    os.execv(sys.argv[1], sys.argv[1:])


def _closed(path: Path) -> Iterator[Path]:
    """The folders on the way to ``path`` that others may not enter, the outermost first."""
    return (folder for folder in (*reversed(path.parents), path) if not folder.stat().st_mode & 0o001)


if __name__ == "__main__":
    main()
