"""Without root: the same verdicts, in a user namespace; and files that may not be read or written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .as_nobody import NOBODY
from .cases import CASES, DIVERSE, write_beside, write_failing
from .program import PATIENCE, Run, as_always, verdicts

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become an ordinary user")

_AS_NOBODY = (sys.executable, str(Path(__file__).with_name("as_nobody.py")))


@pytest.fixture(scope="module", autouse=True)
def _can_become_nobody() -> None:
    tried = subprocess.run(
        [*_AS_NOBODY, sys.executable, "-c", "import conformance, os; print(os.getuid())"], capture_output=True, text=True
    )
    if tried.stdout.strip() != str(NOBODY):
        pytest.skip(f"no command can be run as another user here: {tried.stderr.strip()}")


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that everybody may read; pytest's own are for this user alone."""
    with tempfile.TemporaryDirectory(prefix="conformance-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_the_verdicts_are_the_same(play: Callable[..., Run], shared: Path) -> None:
    run = play("--cases", CASES, *DIVERSE, *write_beside(shared / "beside"), before=_AS_NOBODY)
    as_always(run)
    assert {case["states_from"] for case in run.cases.values()} == {"inet_diag"}
    assert not run.lines[0]["machine"]["root"] and run.json.stat().st_uid == NOBODY


def test_a_capture_is_replayed_on_the_kernel(shared: Path) -> None:
    """Reading it takes numpy, and numpy's threads would keep a user namespace from being made after that."""
    capture = shutil.copy(CASES.parent / "captures/regressions/wscale-unasked.pcap", shared)
    command = [*_AS_NOBODY, sys.executable, "-m", "conformance", "replay", str(capture), "--sut", "linux"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert "replayed on linux" in " ".join(done.stdout.split()) and not done.stderr, done.stderr


def test_a_case_that_may_not_be_read_costs_no_other_case(play: Callable[..., Run], shared: Path) -> None:
    folder = write_failing(shared / "cases")
    secret = folder / "topic/secret.yaml"
    shutil.copy(folder / "topic/fails.yaml", secret)
    secret.chmod(0)
    run = play("--cases", folder, "--family", "ipv4", before=_AS_NOBODY)
    assert verdicts(run.cases) == {"topic/fails[ipv4]": "fail"}
    assert [line["message"] for line in run.lines if line["type"] == "broken"] == [f"{secret}: cannot be read: Permission denied"]


def test_a_folder_that_may_not_be_read(shared: Path) -> None:
    folder = write_failing(shared / "cases")
    shared.chmod(0o700)
    assert _refused("run", "--cases", folder) == f"conformance: [Errno 13] Permission denied: '{folder}'"


def test_a_report_that_may_not_be_written(shared: Path) -> None:
    folder = write_failing(shared / "cases")
    said = _refused("run", "--cases", folder, "--junit", shared / "report")
    assert said == f"conformance: --junit {shared / 'report'} cannot be written: {shared} is not writable"


def _refused(*arguments: str | os.PathLike[str]) -> str:
    """The one line on standard error with which a command refuses."""
    command = [*_AS_NOBODY, sys.executable, "-m", "conformance", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, cwd="/")
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1), done.stderr
    return done.stderr.rstrip("\n")
