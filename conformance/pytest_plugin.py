"""A YAML case is a pytest item: ``pytest cases/`` with ``-k``, ``-n 4``, ``-x``, ``--junitxml``, ``--lf`` and ``file.yaml::id``.

Files are cases if they are below a case folder: one that has ``preambles/`` or ``requirements/``, with a preamble or a register in
it. No other YAML is touched. Each case run is an item of its own, ``cases/handshake/passive-open.yaml::passive-open[ipv4]``.

=====================================  ===============================================================================
verdict                                pytest's outcome
=====================================  ===============================================================================
pass, skipped                          PASSED, SKIPPED
fail                                   FAILED; what is shown is the exchange
as ``expectations/SUT.yaml`` says      XFAIL, with the reason that stands there
pass where a failure was expected      XPASS (or FAILED with pytest's own setting ``strict_xfail``)
inconclusive, error                    ERROR: the case could not be judged. That is neither the stack's failure nor a
                                       green run, just as ``conformance run`` has an exit status of its own for it
=====================================  ===============================================================================

Cases are played by a child process (:mod:`conformance.engine.worker`), because without root the tester enters a user namespace,
which a process with threads cannot. The child gets all selected cases at once and plays them side by side, so a run takes as long as
``conformance run``. With xdist each pytest process has a child, which gets what xdist has given that process so far: that helps tests
in Python, not cases, which mostly wait. The time that is reported for an item is the case's own; pytest-timeout does not count the
wait for it, which :data:`_PATIENCE` bounds.

Every pytest run on the machine imports this module, so nothing is imported here that takes time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conformance.case.case import Case
    from conformance.case.errors import CaseError
    from conformance.case.loader import Suite

_DEFAULT = "linux where this machine can test it, else reference"
_PATIENCE = {False: 300, True: 3 * 3600}
"""Seconds in which some case must end, without and with those that are slow."""
_FAREWELL = 15
"""Seconds for a worker to give its namespaces back."""
_LAST_WORDS = 200
"""Lines of what a worker that crashed wrote."""
_SIGN = re.compile(r"^(rfc|steps):", re.MULTILINE)
"""What a register or a preamble has in it, and the ``requirements/`` of other people has not."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("conformance", "conformance tests of TCP/IP stacks")
    group.addoption("--conformance-sut", metavar="NAME", help=f"The stack under test that YAML cases are played on (default: {_DEFAULT}).")
    group.addoption("--conformance-slow", action="store_true", help="Also play the cases that take minutes, if the stack has real time.")
    parser.addini("conformance_sut", "The stack under test, if --conformance-sut does not name one.", default="")


def pytest_configure(config: pytest.Config) -> None:
    if name := _sut(config):
        from conformance.sut.registry import unknown

        if reason := unknown(name):
            raise pytest.UsageError(f"--conformance-sut: {reason}")


def _sut(config: pytest.Config) -> str:
    """The name of the stack under test; empty: what this machine can test."""
    return str(config.getoption("conformance_sut") or config.getini("conformance_sut"))


def _virtual(config: pytest.Config) -> bool:
    """Is the stack under test one on a virtual clock, as far as the command line says?"""
    from conformance.sut.registry import is_virtual

    name = _sut(config)
    return bool(name) and is_virtual(name)


# Collecting -----------------------------------------------------------------------------------------------------------


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if file_path.suffix not in (".yaml", ".yml"):
        return None
    folder = _case_folder(file_path)
    return None if folder is None else CaseFile.from_parent(parent, path=file_path, folder=folder)


def _case_folder(file: Path) -> Path | None:
    """The case folder that a file is a case of, or belongs to as what stands beside a capture; None if it is none."""
    from conformance.case.discovery import root_of
    from conformance.engine.replay_files import suite_of

    folder = root_of(suite_of(file) or file)
    beside = [folder / "preambles", folder / "requirements"]
    if file.is_relative_to(folder) and file.relative_to(folder).parts[0] in ("preambles", "requirements", "expectations"):
        return None
    return folder if any(_SIGN.search(_text(path)) for side in beside for path in side.glob("*.y*ml")) else None


def _text(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_text(encoding="utf-8", errors="replace")
    return ""


class CaseFile(pytest.File):
    """A YAML file with a case, of which there may be many runs."""

    _suites = pytest.StashKey[dict[Path, "Suite"]]()

    def __init__(self, *, folder: Path, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.folder = folder

    def collect(self) -> Iterator[CaseItem]:
        suite = self._suite()
        relative = Path(os.path.relpath(self.path, self.folder)).as_posix()
        cases = [case for case in suite.cases if case.file == relative]
        if not cases and suite.errors:
            raise self.CollectError("\n".join(self._mistakes(suite.errors)))
        for case in cases:
            yield CaseItem.from_parent(self, name=case.id.removeprefix(f"{self._prefix(relative)}/"), case=case)

    @staticmethod
    def _prefix(relative: str) -> str:
        """What the ids of its cases begin with."""
        parent = Path(relative).parent
        return parent.name if ".." in parent.parts else parent.as_posix()

    def _mistakes(self, errors: Iterable[CaseError]) -> Iterator[str]:
        """What is wrong in this file, or else in what it shares with others: preambles and registers."""
        own = [error for error in errors if error.file == str(self.path)]
        for error in own or (error for error in errors if Path(error.file).parent != self.path.parent):
            yield str(error.at(os.path.relpath(error.file, self.config.invocation_params.dir), error.line, error.column))

    def _suite(self) -> Suite:
        """The cases of all files beside this one, which are loaded together so that what they share is read once."""
        suites = self.config.stash.setdefault(self._suites, {})
        if self.path.parent not in suites:
            from conformance.engine.replay_suite import load_all

            suites[self.path.parent] = load_all(self.folder, sorted(self.path.parent.glob("*.y*ml")))
        return suites[self.path.parent]


# Items ----------------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Answer:
    """What is known of a case run once it is over; see :mod:`conformance.engine.worker`."""

    id: str
    judgement: str
    reason: str
    ladder: str = ""
    record: dict[str, Any] | None = None


class CaseItem(pytest.Item):
    """A case run."""

    def __init__(self, *, case: Case, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        assert isinstance(self.parent, CaseFile)
        self.case_id, self.folder = case.id, self.parent.folder
        self.extra_keyword_matches.add(case.id)
        self.answer: Answer | None = None
        if "slow" in case.tags and not self.config.getoption("conformance_slow") and not _virtual(self.config):
            self.add_marker(pytest.mark.skip(reason="takes minutes in real time; --conformance-slow plays it"))

    @property
    def wanted(self) -> bool:
        """Will it be played?"""
        return self.get_closest_marker("skip") is None

    def take(self, answer: Answer) -> None:
        """The case is over. Marks say what its outcome is, so that pytest's own options for them hold."""
        self.answer = answer
        record = answer.record or {}
        if answer.judgement == "skipped":
            self.add_marker(pytest.mark.skip(reason=answer.reason))
        elif answer.judgement in ("as expected", "unexpected pass"):
            self.add_marker(pytest.mark.xfail(reason=record["explanation"], strict=answer.judgement == "unexpected pass"))
        self.user_properties += [(name, record[name]) for name in ("sut", "verdict", "level") if name in record]
        self.user_properties += [("requirement", requirement) for requirement in record.get("requirements", ())]

    def setup(self) -> None:
        if self.answer is not None and self.answer.judgement in ("inconclusive", "error"):
            pytest.fail(f"not judged: {self.answer.reason}\n\n{self.answer.ladder}".rstrip(), pytrace=False)

    def runtest(self) -> None:
        if self.answer is not None and self.answer.judgement not in ("pass", "unexpected pass"):
            pytest.fail(self.answer.ladder or self.answer.reason, pytrace=False)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The ladder alone; where pytest has a line only, it is the case's line and the reason."""
        if not isinstance(excinfo.value, pytest.fail.Exception) or self.answer is None:
            return super().repr_failure(excinfo, style)
        shown = excinfo.getrepr(style="value")
        if shown.reprcrash is not None:
            failure = (self.answer.record or {}).get("failure") or {}
            shown.reprcrash.path, shown.reprcrash.lineno = str(self.path), failure.get("line", 1)
            shown.reprcrash.message = self.answer.reason
        if self.config.getoption("tbstyle") == "line":
            shown.reprtraceback.reprentries = []
        return shown

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, self.case_id


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, object, object]:
    """Have the case played before pytest begins with the item, and its timeout with it."""
    if isinstance(item, CaseItem) and item.wanted:
        item.take(_worker(item, nextitem).answer(item.case_id))
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if isinstance(item, CaseItem) and call.when == "call" and item.answer is not None and item.answer.record is not None:
        report.duration = item.answer.record["seconds"]
    return report


# The child process ----------------------------------------------------------------------------------------------------


_WORKERS = pytest.StashKey[dict[Path, "Worker"]]()


def _worker(item: CaseItem, nextitem: pytest.Item | None) -> Worker:
    """The worker for an item's case folder, which has been asked for the item and for those that it may play beside it."""
    workers = item.config.stash.setdefault(_WORKERS, {})
    folder, items = item.folder, item.session.items
    if folder not in workers:
        files = {other.path: None for other in items if isinstance(other, CaseItem) and other.folder == folder}
        patience = _PATIENCE[bool(item.config.getoption("conformance_slow"))]
        workers[folder] = Worker(_sut(item.config), folder, files, patience)
        item.config.add_cleanup(workers[folder].close)
    distributed = hasattr(item.config, "workerinput")
    if distributed or not workers[folder].asked:
        soon = [item, nextitem, *_queued(item.session)] if distributed else items
        workers[folder].ask(other.case_id for other in soon if isinstance(other, CaseItem) and other.folder == folder and other.wanted)
    return workers[folder]


def _queued(session: pytest.Session) -> list[pytest.Item]:
    """The items that xdist has given this process to run after the next one. It has no interface for that: if its queue is not found
    where it is today, cases are played two at a time."""
    for plugin in session.config.pluginmanager.get_plugins():
        with contextlib.suppress(AttributeError), plugin.torun.lock() as queue:
            return [session.items[index] for index in queue if isinstance(index, int)]
    return []


class Worker:
    """The child process that plays the cases of one case folder. Every wait for it is bounded, and it ends with this process."""

    def __init__(self, sut: str, folder: Path, files: Iterable[Path], patience: float) -> None:
        self._folder, self._patience = folder, patience
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed in close()
        python = [sys.executable, "-P", "-X", "faulthandler"]
        chosen = ["--sut", sut] if sut else []
        command = [*python, "-m", "conformance.engine.worker", *chosen, "--cases", str(folder), "--", *map(str, files)]
        self._process = subprocess.Popen(command, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._stderr)
        assert self._process.stdin is not None and self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        self._read = b""
        self._answers: dict[str, Answer] = {}
        self._lost = ""
        """Why there will be no more answers."""
        self._last_words = ""
        self.asked: set[str] = set()

    def ask(self, ids: Iterable[str]) -> None:
        """Have cases played that it has not been asked for yet."""
        if new := [id for id in ids if id not in self.asked]:
            self.asked.update(new)
            data = json.dumps(new).encode() + b"\n"
            with contextlib.suppress(BrokenPipeError):  # what is the matter shows when an answer is read
                while data and self._ready(self._stdin, select.POLLOUT):
                    data = data[os.write(self._stdin.fileno(), data[: select.PIPE_BUF]) :]

    def answer(self, id: str) -> Answer:
        """The answer for a case that it was asked for, as soon as it is there."""
        while id not in self._answers and not self._lost:
            self._receive()
        if id not in self._answers:
            self._answers[id] = Answer(id, "error", self._lost, self._last_words)
            self._last_words = ""  # once is enough
        return self._answers[id]

    def close(self) -> None:
        """End it, whatever it does."""
        with contextlib.suppress(BrokenPipeError):
            self._stdin.close()
        try:
            self._process.wait(_FAREWELL)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._stdout.close()
        self._stderr.close()

    def _receive(self) -> None:
        """Take what it says next."""
        if not self._ready(self._stdout, select.POLLIN):
            return
        chunk = os.read(self._stdout.fileno(), 1 << 16)
        if not chunk:
            self._lose("ended before it had judged this case")
        *lines, self._read = (self._read + chunk).split(b"\n")
        for line in map(json.loads, lines):
            if "fault" in line:
                self._lost = line["fault"]
            else:
                self._answers[line["id"]] = Answer(**line)

    def _ready(self, stream: Any, event: int) -> bool:
        """Wait until it can be written to or read from."""
        poll = select.poll()
        poll.register(stream, event)
        if not self._lost and not poll.poll(self._patience * 1000):
            self._lose(f"has said nothing for {self._patience:g} s")
        return not self._lost

    def _lose(self, what: str) -> None:
        """Give it up, and keep what it wrote about it."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1)
        self._process.kill()
        status = self._process.wait()
        ended = f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
        self._lost = f"the process that plays the cases of {self._folder} {what} ({ended})"
        self._stderr.seek(0)
        self._last_words = "\n".join(self._stderr.read().decode(errors="replace").splitlines()[-_LAST_WORDS:])
