"""A small case folder for the tests, and short ways to say what is in a file and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.case.errors import CaseError
from conformance.case.loader import Suite, load_suite

REGISTER = """\
rfc: RFC9293
title: Transmission Control Protocol
requirements:
  - {id: MUST-11, level: MUST, section: "3.10.7.4", text: A segment is acknowledged, observe: by its ACK}
  - {id: MUST-12, level: MUST NOT, section: "3.10.7.4", text: Nothing else is}
  - {id: SHLD-2, level: SHOULD NOT, section: "3.9", text: It is not slow}
  - {id: MAY-3, level: MAY, section: "3.9", text: It may be quick, unobservable: no clock}
"""

LISTEN = """\
title: A listener
arguments: {backlog: 1}
steps:
  - call: s = socket()
  - call: bind(s, port)
  - call: listen(s, $backlog)
"""

ESTABLISHED = """\
title: A connection that the SUT accepted
arguments: {options: "mss 1460", backlog: 1}
given: {preamble: LISTEN, backlog: $backlog}
steps:
  - inject: S 0:0(0) win 65535 <$options>
  - expect: S. 0:0(0) ack 1 <mss $mss,...>
  - inject: . 1:1(0) ack 1
  - call: c = accept(s)
"""

HEAD = """\
title: Something is true
requirements: [RFC9293/MUST-11]
"""


class Folder:
    """A case folder with a register and two preambles."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.write("requirements/rfc9293.yaml", REGISTER)
        self.write("preambles/LISTEN.yaml", LISTEN)
        self.write("preambles/ESTABLISHED.yaml", ESTABLISHED)

    def write(self, name: str, text: str | bytes) -> Path:
        """Write a file below the folder."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def load(self, text: str | None = None, name: str = "topic/case.yaml") -> Suite:
        """Load the folder, with one more file if there is a text."""
        if text is not None:
            self.write(name, text)
        return load_suite(self.path)

    def error(self, text: str, name: str = "topic/case.yaml") -> CaseError:
        """The only thing that is wrong with a file."""
        suite = self.load(text, name)
        assert len(suite.errors) == 1, [str(error) for error in suite.errors]
        return suite.errors[0]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "cases")


def place(error: CaseError) -> tuple[int, int]:
    """Line and column."""
    return error.line, error.column
