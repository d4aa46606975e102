"""The program as a user runs it, and a small case folder to run it on."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from conformance import cli
from conformance.link.netns import privileged

__all__ = ["CASES", "FAILS", "PASSES", "Done", "Folder", "conformance", "here", "play"]

CASES = Path(__file__).resolve().parents[2] / "cases"
_PATIENCE = 100
"""Seconds after which a program that does not end is a failure; on a busy machine it may well take some."""

_REGISTER = """\
rfc: RFC9293
title: Transmission Control Protocol
requirements:
  - {id: MUST-1, level: MUST, section: "3.10", text: An octet that comes is acknowledged, observe: by its ACK}
  - {id: SHLD-2, level: SHOULD, section: "3.10", text: It is acknowledged soon, observe: by the time of its ACK}
"""

_LISTEN = """\
title: A listener
steps:
  - call: s = socket()
  - call: bind(s, port)
  - call: listen(s, 8)
"""

_ESTABLISHED = """\
title: A connection that the SUT accepted
given: LISTEN
steps:
  - inject: S 0:0(0) win 65535 <mss 1460>
  - expect: S. 0:0(0) ack 1
  - inject: . 1:1(0) ack 1
  - call: c = accept(s)
  - state: c ESTABLISHED
"""

PASSES = """\
title: Ten octets are acknowledged
requirements: [RFC9293/MUST-1]
given: ESTABLISHED
steps:
  - inject: P. 1:11(10) ack 1
  - expect: . 1:1(0) ack 11
  - call: recv(c, 100) = 10
"""

FAILS = PASSES.replace("ack 11", "ack 12").replace("Ten octets are", "Eleven octets are")
"""No stack does this."""


class Folder:
    """A case folder with a register and two preambles."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.write("requirements/rfc9293.yaml", _REGISTER)
        self.write("preambles/LISTEN.yaml", _LISTEN)
        self.write("preambles/ESTABLISHED.yaml", _ESTABLISHED)

    def __fspath__(self) -> str:
        return str(self.path)

    def write(self, name: str, text: str | bytes) -> Path:
        """Write a file below the folder."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it printed."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Standard output as JSON Lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def cases(self) -> dict[str, dict[str, Any]]:
        """Of standard output as JSON Lines: the case runs by their ids."""
        return {line["id"]: line for line in self.lines if line["type"] == "case"}

    @property
    def summary(self) -> dict[str, Any]:
        """Of standard output as JSON Lines: the last line."""
        assert self.lines[-1]["type"] == "summary"
        return self.lines[-1]


def conformance(
    *arguments: str | os.PathLike[str], before: Sequence[str] = (), env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Done:
    """Run ``conformance`` in a process of its own; ``before`` is a command that runs it."""
    done = subprocess.run(
        [*before, sys.executable, "-m", "conformance", *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=_PATIENCE,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **(env or {})},
        cwd=cwd,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Done(done.returncode, done.stdout, done.stderr)


def play(*arguments: str | os.PathLike[str], cwd: Path | None = None) -> Done:
    """``conformance run`` of cases, in this process if it may, which is quicker; the test is skipped where no test bed can be made."""
    done = here("run", *arguments, cwd=cwd) if privileged() else conformance("run", *arguments, cwd=cwd)
    if done.status == 3 and "namespace" in done.err:
        pytest.skip(f"no test bed can be made here: {done.err.strip()}")
    return done


def here(*arguments: str | os.PathLike[str], cwd: Path | None = None) -> Done:
    """Run ``conformance`` in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.redirect_stdout(out))
        stack.enter_context(contextlib.redirect_stderr(err))
        stack.enter_context(contextlib.chdir(cwd or Path.cwd()))
        stack.enter_context(patch.object(sys, "argv", ["conformance", *map(os.fspath, arguments)]))
        stack.enter_context(patch.dict(os.environ, {"COLUMNS": "200"}))
        end = stack.enter_context(pytest.raises(SystemExit))
        cli.main()
    status = end.value.code or 0
    assert isinstance(status, int)
    return Done(int(status), out.getvalue(), err.getvalue())
