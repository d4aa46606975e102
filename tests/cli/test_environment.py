"""A machine on which no test bed can be made: cases are played on the reference stack, and what is missing for Linux is said."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from .program import Folder, conformance

_FORBIDDEN = (
    # A user namespace whose own limit is none, so that the limit of this machine stays as it is; and no capability in it.
    "unshare", "--user", "--map-root-user", "sh", "-ec",
    'echo 0 > /proc/sys/user/max_user_namespaces; exec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs "$@"', "sh",
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _can_be_forbidden() -> None:
    if not (shutil.which("unshare") and shutil.which("setpriv")):
        pytest.skip("util-linux (unshare, setpriv) is not installed")
    tried = subprocess.run([*_FORBIDDEN, "true"], capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"no user namespace can be made here, in which to forbid them: {tried.stderr.strip()}")


def test_run_says_what_is_missing_and_who_knows_more(suite: Folder) -> None:
    report = suite.path / "report.json"
    done = conformance("run", "--cases", suite, "--sut", "linux", "--json", report, before=_FORBIDDEN)
    assert (done.status, done.out) == (3, "")
    assert len(done.err.splitlines()) == 1 and done.err.startswith("conformance: ")
    assert "/proc/sys/user/max_user_namespaces is 0" in done.err and "`conformance doctor`" in done.err
    assert not report.exists()


def test_without_a_name_the_reference_stack_is_under_test(suite: Folder) -> None:
    done = conformance("run", "--cases", suite, "-k", "topic/passes", "--json", "-", before=_FORBIDDEN)
    assert (done.status, done.summary["verdicts"]["pass"]) == (0, 2), done.err
    assert [sut["name"] for sut in done.lines[0]["suts"]] == ["reference"]
    first = done.err.splitlines()[0]
    assert (
        first.startswith("the stack under test is reference, because linux cannot be tested here: ") and "max_user_namespaces is 0" in first
    )


def test_doctor_says_how_to_get_it() -> None:
    done = conformance("doctor", before=_FORBIDDEN, env={"COLUMNS": "300"})
    assert done.status == 0
    lines = dict(_finding(line) for line in done.out.splitlines() if line[:1] in ("✓", "✗"))
    assert lines["namespaces"].startswith("✗") and "max_user_namespaces is 0" in lines["namespaces"]
    assert lines["python"].startswith("✓")
    assert "user.max_user_namespaces above 0" in done.out
    assert "The SUT linux cannot run here" in done.out.splitlines()[-3]


def test_what_needs_no_test_bed_works(suite: Folder) -> None:
    done = conformance("list", "--cases", suite, before=_FORBIDDEN)
    assert (done.status, done.err) == (0, "") and len(done.out.splitlines()) == 4


def _finding(line: str) -> tuple[str, str]:
    return line.split()[1], line
