"""The pytest plugin as a user meets it: pytest runs of their own on small case folders."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from conformance.doctor import diagnose
from conformance.pytest_plugin import Worker

pytest_plugins = ["pytester"]

REGISTER = """\
rfc: RFC9293
title: Transmission Control Protocol
requirements:
  - {id: MUST-1, level: MUST, section: "3.10.7.1", text: A segment to a closed port is answered with a reset}
  - {id: SHLD-1, level: SHOULD, section: "3.10.7.1", text: It is answered at once}
"""
SYN = """\
title: {title}
requirements: [RFC9293/MUST-1]
{more}
steps:
  - inject: S 0:0(0) win 65535 <mss 1460>
  - expect: {answer}
"""


def case(answer: str = "R. 0:0(0) ack 1", more: str = "", title: str = "A SYN to a closed port is answered with a reset") -> str:
    """A case that passes at once, or with another answer fails at once."""
    return SYN.format(answer=answer, more=more, title=title)


WRONG = "S. 0:0(0) ack 1"
SLOW = """\
title: A stack that nobody talks to says nothing
requirements: [RFC9293/SHLD-1]
parameters: {n: [1, 2, 3, 4, 5, 6]}
steps:
  - silence: DURATION
"""

Folder = Callable[..., Path]
"""Writes case files, named by keyword; ``handshake__reset=`` is ``handshake/reset.yaml``."""


@pytest.fixture
def folder(pytester: pytest.Pytester) -> Folder:
    def write(**files: str) -> Path:
        for name, text in {"requirements__rfc9293": REGISTER, **files}.items():
            path = pytester.path / "cases" / f"{name.replace('__', '/')}.yaml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return pytester.path / "cases"

    return write


@pytest.fixture(scope="session")
def linux() -> None:
    """For tests that play cases."""
    for finding in diagnose():
        if finding.needed_for and not finding.works:
            pytest.skip(f"cases cannot be played here: {finding.subject}: {finding.detail}")


plays = pytest.mark.usefixtures("linux")


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """A pytest run of its own."""
    return pytester.runpytest_subprocess("-p", "no:hypothesispytest", *arguments, timeout=60)


# Collecting -----------------------------------------------------------------------------------------------------------


def test_each_case_run_is_an_item(pytester: pytest.Pytester, folder: Folder) -> None:
    folder(top=case(), handshake__reset=case(more="parameters: {size: [0, 1/2]}\nfamilies: [ipv6]"))
    result = run(pytester, "--collect-only", "-q", "cases")
    assert result.ret == 0
    assert [line for line in result.outlines if "::" in line] == [
        "cases/handshake/reset.yaml::reset[0,ipv6]",
        "cases/handshake/reset.yaml::reset[1_2,ipv6]",
        "cases/top.yaml::top[ipv4]",
        "cases/top.yaml::top[ipv6]",
    ]


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        (["cases/handshake/reset.yaml::reset[ipv6]"], 1),
        (["cases/handshake/reset.yaml::reset"], 2),
        (["-k", "handshake/reset and ipv4"], 1),
    ],
)
def test_selection(pytester: pytest.Pytester, folder: Folder, arguments: list[str], count: int) -> None:
    folder(top=case(), handshake__reset=case())
    result = run(pytester, "--collect-only", "-q", *arguments)
    assert sum("::" in line for line in result.outlines) == count


def test_other_yaml_is_not_touched(pytester: pytest.Pytester) -> None:
    for name, text in {
        "docker-compose.yaml": "services: {}",
        "requirements/base.yaml": "name: env\ndependencies: [python]",
        "requirements/dev.txt": "pytest",
        "tests/data/x.yml": "][",
    }.items():
        path = pytester.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert run(pytester).ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_what_stands_beside_the_cases_is_no_case(pytester: pytest.Pytester, folder: Folder) -> None:
    folder(preambles__NOTHING="title: Nothing\nsteps: []", expectations__linux="[]")
    assert run(pytester).ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_to_be_loaded_costs_nothing() -> None:
    """Every pytest run on the machine imports the plugin."""
    script = "import sys, pytest; before = set(sys.modules); import conformance.pytest_plugin; print(*sorted(set(sys.modules) - before))"
    modules = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert [name for name in modules if name.startswith("conformance")] == ["conformance", "conformance.pytest_plugin"]
    assert not {"asyncio", "lark", "pydantic", "rich", "scapy", "yaml"} & set(modules)


@plays
def test_a_broken_file_is_a_collection_error_and_others_run(pytester: pytest.Pytester, folder: Folder) -> None:
    folder(good=case(), broken=case(answer="Q. 0:0(0)"))
    result = run(pytester, "--continue-on-collection-errors")
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*ERROR collecting cases/broken.yaml*", "cases/broken.yaml:6:13: *found 'Q.'*"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_a_broken_preamble_is_an_error_of_those_who_ask_for_it(pytester: pytest.Pytester, folder: Folder) -> None:
    folder(good=case(), bad=case(more="given: BROKEN"), preambles__BROKEN="title: Nowhere\nsteps: [{expect: Q}]")
    result = run(pytester, "--collect-only")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*<CaseItem good[[]ipv4]>", "*ERROR collecting cases/bad.yaml*", "cases/preambles/BROKEN.yaml:2:*"])


def test_an_unknown_stack_is_a_usage_error(pytester: pytest.Pytester) -> None:
    result = run(pytester, "--conformance-sut", "minix")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*there is no SUT 'minix': linux*"])


# Outcomes -------------------------------------------------------------------------------------------------------------


@plays
def test_a_failure_shows_the_exchange_and_no_traceback(pytester: pytest.Pytester, folder: Folder) -> None:
    folder(handshake__reset=case(), handshake__accepted=case(WRONG, "families: [ipv4]", "A SYN to a closed port is accepted"))
    result = run(pytester)
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*_ handshake/accepted[[]ipv4[]] _*",
            "✗ handshake/accepted[[]ipv4[]]   violation   MUST   on linux",
            "  A SYN to a closed port is accepted",
            "*peer*SUT",
            "*─ S 0:0(0) win 65535*─▶│",
            "✗*│◀─*R. 0:0(0) ack 1*",
            "  ✗ line 6: expect: S. 0:0(0) ack 1",
            "  RFC9293/MUST-1  A segment to a closed port is answered with a reset",
            "  again      conformance run --cases cases -k 'handshake/accepted[[]ipv4[]]'",
            "FAILED cases/handshake/accepted.yaml::accepted[[]ipv4[]] - *",
        ]
    )
    for word in ("Traceback", "pytest_plugin", "runtest", "Failed:"):
        result.stdout.no_fnmatch_line(f"*{word}*")


@plays
def test_a_failure_in_one_line_is_the_line_of_the_case(pytester: pytest.Pytester, folder: Folder) -> None:
    file = folder(accepted=case(WRONG, "families: [ipv4]")) / "accepted.yaml"
    result = run(pytester, "--tb=line")
    assert [line for line in result.outlines if line.startswith(f"{file}:6: ")]
    result.stdout.no_fnmatch_line("*SUT*")


@plays
def test_what_is_expected_to_deviate_is_an_xfail(pytester: pytest.Pytester, folder: Folder) -> None:
    entries = [
        "- {case: 'known[*]', verdict: fail, reason: Linux does as it likes}",
        "- {case: 'mended[ipv4]', verdict: fail, reason: Linux did not}",
    ]
    folder(known=case(WRONG), mended=case(), expectations__linux="\n".join(entries))
    result = run(pytester, "-rxf")
    result.assert_outcomes(passed=1, xfailed=2, failed=1)
    result.stdout.fnmatch_lines(
        [
            "XFAIL cases/known.yaml::known[[]ipv4[]] - Linux does as it likes",
            "FAILED cases/mended.yaml::mended[[]ipv4[]] - [[]XPASS(strict)[]]*",
        ]
    )
    run(pytester, "--runxfail").assert_outcomes(passed=2, failed=2)


@plays
def test_what_cannot_be_judged_is_neither_a_failure_nor_green(pytester: pytest.Pytester, folder: Folder) -> None:
    never = f"title: A state that no stack reaches\nsteps: [inject: S 0:0(0), expect: {WRONG}]"
    folder(unreached=case(more="given: NEVER\nfamilies: [ipv4]"), preambles__NEVER=never)
    result = run(pytester)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*ERROR at setup of unreached[[]ipv4[]]*", "not judged: *", "ERROR cases/unreached.yaml::* not judged: *"])


@plays
def test_what_a_stack_lacks_is_skipped_and_so_is_what_is_slow(pytester: pytest.Pytester, folder: Folder) -> None:
    folder(future=case(more="needs: [time-travel]"), patient=case(more="tags: [slow]"))
    result = run(pytester, "-rs")
    result.assert_outcomes(skipped=4)
    result.stdout.fnmatch_lines(["SKIPPED [[]2] cases/future.yaml* linux lacks time-travel", "SKIPPED [[]2] *--conformance-slow plays it"])
    run(pytester, "--conformance-slow").assert_outcomes(passed=2, skipped=2)


def test_on_a_virtual_clock_nothing_is_slow(pytester: pytest.Pytester, folder: Folder) -> None:
    folder(patient=case(more="tags: [slow]"))
    run(pytester, "--conformance-sut=reference").assert_outcomes(passed=2)


@plays
def test_broken_expectations_are_an_error(pytester: pytest.Pytester, folder: Folder) -> None:
    folder(reset=case(), expectations__linux="- {case: reset, verdict: maybe, reason: who knows}")
    result = run(pytester)
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["not judged: *cases/expectations/linux.yaml:1:*maybe*"])


# Running --------------------------------------------------------------------------------------------------------------


@plays
def test_cases_are_played_side_by_side(pytester: pytest.Pytester, folder: Folder) -> None:
    """12 seconds of silence, in parallel; pytest-timeout does not count what an item waits for."""
    folder(silent=SLOW.replace("DURATION", "1s"))
    result = run(pytester, "--durations=1", "-vv", "-p", "timeout", "--timeout=0.5")
    result.assert_outcomes(passed=12)
    assert result.duration < 8
    result.stdout.re_match_lines([r"1\.\d\ds call +cases/silent.yaml::silent\[\d,ipv.\]"])


@plays
def test_xdist(pytester: pytest.Pytester, folder: Folder) -> None:
    folder(a=case(), b=case(WRONG), c=case(), d=case(WRONG), e=case(), expectations__linux="- {case: 'd[*]', verdict: fail, reason: known}")
    result = run(pytester, "-n", "2")
    result.assert_outcomes(passed=6, failed=2, xfailed=2)
    result.stdout.fnmatch_lines(["✗ b[[]ipv?] *violation*", "FAILED cases/b.yaml::b[[]ipv?]*"])


@plays
def test_beside_python_tests_and_in_two_folders(pytester: pytest.Pytester, folder: Folder) -> None:
    (folder(reset=case())).rename(pytester.path / "others")
    folder(reset=case(), accepted=case(WRONG))
    pytester.makepyfile("def test_python(): pass")
    run(pytester).assert_outcomes(passed=5, failed=2)


@plays
def test_stop_at_the_first_failure_and_begin_with_it(pytester: pytest.Pytester, folder: Folder) -> None:
    folder(a=case(), b=case(WRONG), c=SLOW.replace("DURATION", "60s"))
    assert run(pytester, "-x").parseoutcomes() == {"passed": 2, "failed": 1}
    result = run(pytester, "--lf", "-x", "-v")
    assert result.parseoutcomes()["failed"] == 1
    result.stdout.fnmatch_lines(["cases/b.yaml::b[[]ipv4] FAILED*"])


@plays
def test_junit(pytester: pytest.Pytester, folder: Folder) -> None:
    folder(handshake__reset=case(), handshake__accepted=case(WRONG, "families: [ipv4]"), silent=SLOW.replace("DURATION", "200ms"))
    run(pytester, "--junitxml=report.xml")
    found = {f"{one.get('classname')} {one.get('name')}": one for one in ElementTree.parse(pytester.path / "report.xml").iter("testcase")}
    assert len(found) == 15
    failure = found["cases.handshake.accepted.yaml accepted[ipv4]"].find("failure")
    assert failure is not None and failure.text is not None
    assert "Traceback" not in failure.text and "expect: S. 0:0(0) ack 1" in failure.text
    assert "\n" not in str(failure.get("message"))
    passed = found["cases.handshake.reset.yaml reset[ipv6]"]
    properties = [(one.get("name"), one.get("value")) for one in passed.iter("property")]
    assert properties == [("sut", "linux"), ("verdict", "pass"), ("level", "MUST"), ("requirement", "RFC9293/MUST-1")]
    assert 0.2 <= float(found["cases.silent.yaml silent[3,ipv4]"].get("time", 0)) < 0.4


# The child process ----------------------------------------------------------------------------------------------------


def _child(parent: int) -> int:
    """The process that plays cases for a pytest process; 0 if there is none yet."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            is_child = re.search(rf"^PPid:\t{parent}$", (process / "status").read_text(), re.MULTILINE)
            if is_child and b"conformance.engine.worker" in (process / "cmdline").read_bytes():
                return int(process.name)
    return 0


def _eventually(condition: Callable[[], int], seconds: float = 20) -> int:
    """What ``condition`` gives once it is true."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)
    return value


def _plays(process: int) -> bool:
    """Has it made namespaces, and so begun to play?"""
    with contextlib.suppress(OSError):
        return any(str(file.readlink()).startswith("net:") for file in Path(f"/proc/{process}/fd").iterdir())
    return False


@pytest.fixture
def running(pytester: pytest.Pytester, folder: Folder, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A pytest run of a case that lasts a minute, and the process that plays it."""
    folder(silent=SLOW.replace("DURATION", "60s"))
    # Where CI says that it is, pytest's summary repeats each message in full.
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("BUILD_NUMBER", raising=False)
    # What runs in the background of a shell, as in some CI, ignores SIGINT, and so do its children.
    heed = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731
    with pytester.popen(
        [sys.executable, "-m", "pytest"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=heed
    ) as process:
        worker = _eventually(lambda: _child(process.pid))
        _eventually(lambda: _plays(worker))
        yield process, worker
        process.kill()


@plays
def test_when_the_child_is_killed_its_cases_are_errors(running: tuple[subprocess.Popen[bytes], int]) -> None:
    process, worker = running
    os.kill(worker, signal.SIGKILL)
    output = process.communicate(timeout=20)[0].decode()
    assert "12 errors" in output
    assert re.search(r"not judged: the process that plays the cases of \S+/cases ended .*killed by SIGKILL", output)


@plays
def test_when_the_child_crashes_what_it_wrote_is_shown(running: tuple[subprocess.Popen[bytes], int]) -> None:
    process, worker = running
    os.kill(worker, signal.SIGABRT)
    output = process.communicate(timeout=20)[0].decode()
    assert "killed by SIGABRT" in output
    assert output.count("Fatal Python error: Aborted") == 1


@plays
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_when_pytest_ends_the_child_does(running: tuple[subprocess.Popen[bytes], int], number: signal.Signals) -> None:
    process, worker = running
    process.send_signal(number)
    _eventually(lambda: not Path(f"/proc/{worker}").exists())
    process.wait(20)


def test_a_child_that_says_nothing_is_given_up(folder: Folder) -> None:
    cases = folder(reset=case())
    worker = Worker("linux", cases, [cases / "reset.yaml"], patience=0.01)
    try:
        worker.ask(["reset[ipv4]"])
        answer = worker.answer("reset[ipv4]")
    finally:
        worker.close()
    assert answer.judgement == "error"
    assert "has said nothing for 0.01 s" in answer.reason


@plays
def test_a_case_that_has_gone_since_is_an_error(folder: Folder) -> None:
    cases = folder(reset=case())
    worker = Worker("linux", cases, [cases / "reset.yaml"], patience=30)
    try:
        worker.ask(["reset[ipv4]", "gone[ipv4]"])
        worker.ask(["reset[ipv6]", "reset[ipv4]"])
        answers = {name: worker.answer(f"{name}") for name in ("reset[ipv6]", "gone[ipv4]", "reset[ipv4]")}
    finally:
        worker.close()
    assert [answer.judgement for answer in answers.values()] == ["pass", "error", "pass"]
    assert "not there any more" in answers["gone[ipv4]"].reason
