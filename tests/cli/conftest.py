"""Fixtures: small case folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from .program import FAILS, PASSES, Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A case folder without cases."""
    return Folder(tmp_path / "cases")


@pytest.fixture
def suite(folder: Folder) -> Folder:
    """A case folder with a case that passes and one that fails."""
    folder.write("topic/passes.yaml", PASSES)
    folder.write("topic/fails.yaml", FAILS)
    return folder
