"""Ids and titles of a suite with its captures, without checking what the files say; see :mod:`conformance.case.listing`."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path

from conformance.case.errors import CaseError
from conformance.case.listing import ListedCase, Listing, list_suite
from conformance.case.yaml_reader import read_head
from conformance.engine.replay_files import sort_paths
from conformance.wire.segment import Family

__all__ = ["list_all"]


def list_all(root: Path, paths: Sequence[Path] = (), *, families: Collection[Family] | None = None) -> Listing:
    """The cases of a folder, and the captures that belong to it or are among ``paths``. Of a capture nobody knows yet which family it
    has, unless its file says so."""
    asked = sort_paths(root, list(paths))
    listing = list_suite(root, asked.cases, families=families) if asked.cases or not paths else Listing()
    for file in asked.regressions:
        try:
            data = read_head(file, str(file), file.name).data
        except CaseError as error:
            listing.errors.append(error)
            continue
        said = data if isinstance(data, dict) else {}
        of_families = [Family(name) for name in said.get("families") or () if name in list(Family)]
        chosen: list[Family | None] = [*of_families] or [None]
        for family in chosen:
            if families is None or family is None or family in families:
                listing.cases.append(_listed(root, file, said, family if len(of_families) > 1 else None))
    return listing


def _listed(root: Path, file: Path, said: dict[str, object], family: Family | None) -> ListedCase:
    requirements = said.get("requirements")
    return ListedCase(
        id=f"regressions/{file.stem}" + (f"[{family}]" if family else ""),
        title=str(said.get("title", "")),
        file=os.path.relpath(file, root).replace(os.sep, "/"),
        path=file,
        family=family or Family.IPV4,
        requirements=tuple(map(str, requirements)) if isinstance(requirements, list) else (),
        tags=(),
    )
