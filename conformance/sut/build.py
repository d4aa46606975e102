"""`make suts`: builds the adapters whose tools are there, says what the others take, and what of each came out.

``python -m conformance.sut.build [NAME]...`` builds those folders of ``adapters/`` alone.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterable

from conformance.sut.manifest import Manifest, manifests

__all__ = ["main"]


def main() -> int:
    """Exit status 0: all that could be built was; 1: a build failed; 3: one that was named takes what is not here."""
    parser = argparse.ArgumentParser(prog="conformance.sut.build", description="Builds the adapters of stacks under test.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="folders of adapters/, or stacks; all if none is given")
    names = parser.parse_args().names
    folders = {manifest.folder: manifest for manifest in manifests().values() if _wanted(manifest, names)}
    known = {name for manifest in manifests().values() for name in (manifest.name, manifest.folder.name)}
    if unknown := [name for name in names if name not in known]:
        print(f"there is no adapter {unknown[0]}: {', '.join(sorted(known))}", file=sys.stderr)
        return 2
    return _worst(_build(manifest, bool(names)) for manifest in folders.values())


def _wanted(manifest: Manifest, names: list[str]) -> bool:
    return not names or manifest.name in names or manifest.folder.name in names


def _worst(statuses: Iterable[int]) -> int:
    found = set(statuses)
    return next((status for status in (1, 3) if status in found), 0)


def _build(manifest: Manifest, named: bool) -> int:
    name = manifest.folder.name
    if missing := manifest.missing():
        print(f"{name}: not built, it takes {', '.join(missing)}", flush=True)
        return 3 if named else 0
    if manifest.build:
        print(f"{name}: {' '.join(manifest.build)}", flush=True)
        if subprocess.run(manifest.build, cwd=manifest.folder, check=False).returncode:
            print(f"{name}: the build failed", file=sys.stderr, flush=True)
            return 1
    made = [one.name for one in manifests().values() if one.folder == manifest.folder and one.built]
    print(f"{name}: {', '.join(made)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
