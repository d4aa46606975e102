"""The executor, the runner and the running kernel together, from wherever states come and with whatever privileges there are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from conformance.link.errors import EnvironmentFault
from conformance.link.netns import privileged
from conformance.report.json_lines import read_results
from conformance.report.records import CaseRecord
from conformance.result import Verdict

from .harness import CASES, case_folder, play_on_linux
from .planted import states

HEAD = "title: It works\nrequirements: [RFC9293/MUST-11]\n"

# Each transition is waited for, so that a source which looks after every step sees each.
LIVES = {
    "passive": """
given: ESTABLISHED
steps:
  - call: close(c)
  - expect: F. 1:1(0) ack 1
  - state: FIN-WAIT-1
  - inject: . 1:1(0) ack 2
  - state: FIN-WAIT-2
  - inject: F. 1:1(0) ack 2
  - expect: . 2:2(0) ack 2
  - state: TIME-WAIT
  - states: LISTEN → SYN-RECEIVED → ESTABLISHED → FIN-WAIT-1 → FIN-WAIT-2 → TIME-WAIT
""",
    "active": """
given: ESTABLISHED-active
steps:
  - inject: F. 1:1(0) ack 1
  - expect: . 1:1(0) ack 2
  - state: c CLOSE-WAIT
  - call: shutdown(c, SHUT_WR)
  - expect: F. 1:1(0) ack 2
  - state: c LAST-ACK
  - inject: . 2:2(0) ack 2
  - state: c CLOSED
  - states: c CLOSED → SYN-SENT → ESTABLISHED → CLOSE-WAIT → LAST-ACK → CLOSED
""",
    "simultaneous": """
config: {window_scaling: off}
given: ESTABLISHED-simultaneous
steps:
  - call: shutdown(c, SHUT_WR)
  - expect: F. 1:1(0) ack 1
  - state: c FIN-WAIT-1
  - inject: F. 1:1(0) ack 1
  - expect: . 2:2(0) ack 2
  - state: c CLOSING
  - inject: . 2:2(0) ack 2
  - state: TIME-WAIT
  - states: c CLOSED → SYN-SENT → SYN-RECEIVED → ESTABLISHED → FIN-WAIT-1 → CLOSING → TIME-WAIT
""",
    "reset": """
given: ESTABLISHED
steps:
  - inject: R 1:1(0)
  - state: c CLOSED
  - states: c LISTEN → SYN-RECEIVED → ESTABLISHED → CLOSED
""",
    "refused": """
given: SYN-SENT
steps:
  - inject: R. 0:0(0) ack 1
  - state: c CLOSED
  - states: c CLOSED → SYN-SENT → CLOSED
""",
}
STRANGE = {
    "any-source": """
parameters: {source: [peer2, sut, foreign, unrouted, multicast, any]}
given: LISTEN
steps:
  - {inject: S 0:0(0), with: {src: $source}}
  - silence: 5ms
""",
    "no-tcp": "steps:\n  - {inject: S 0:0(0), with: {raw: {12: 88b5}}}\n  - silence: 5ms\n",
    "small-mtu": "families: [ipv4]\nconfig: {mtu: 576}\ngiven: ESTABLISHED\nsteps:\n  - {sockopt: c TCP_MAXSEG = 536}\n",
    "echo": "steps:\n  - inject_icmp: echo-request\n  - expect_icmp: echo-reply\n",
    "accept-on-a-closed-listener": "given: LISTEN\nsteps:\n  - start: r = accept(s)\n  - inject: R 0:0(0)\n  - call: close(s)\n",
    "cut-into-segments": """
given: ESTABLISHED
steps:
  - call: send(c, 4000)
  - expect: . 1:*($n) ack 1
  - expect: P?. $n+1:*($n) ack 1
  - expect: "* *:4001(*) ack 1"
""",
}


@pytest.fixture(scope="module", params=["tracepoint", "inet_diag"])
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, CaseRecord]:
    """The results of all cases, states from one source."""
    files = {name: HEAD + text for name, text in (LIVES | STRANGE).items()}
    files |= {f"right/{planted.name}": planted.right for planted in states.PLANTED}
    files |= {f"wrong/{planted.name}": planted.wrong for planted in states.PLANTED}
    folder = case_folder(tmp_path_factory.mktemp("on-linux") / "cases", files)
    try:
        records = play_on_linux(folder, states=request.param)
    except EnvironmentFault as fault:
        pytest.skip(str(fault))
    assert {record.states_from for record in records.values()} == {request.param}
    return records


def of(records: dict[str, CaseRecord], name: str) -> list[CaseRecord]:
    found = [record for case_id, record in records.items() if case_id.startswith(f"{name}[")]
    assert found
    return found


@pytest.mark.parametrize("life", list(LIVES))
def test_both_sources_of_states_tell_the_same_life(played: dict[str, CaseRecord], life: str) -> None:
    for record in of(played, life):
        assert (record.verdict, record.failure) == (Verdict.PASS, None)


@pytest.mark.parametrize("planted", [pytest.param(planted, id=planted.name) for planted in states.PLANTED])
def test_both_sources_of_states_find_what_is_planted(played: dict[str, CaseRecord], planted: states.Planted) -> None:
    for record in of(played, f"right/{planted.name}"):
        assert (record.verdict, record.failure) == (Verdict.PASS, None)
    for record in of(played, f"wrong/{planted.name}"):
        assert record.verdict is Verdict.FAIL and record.failure is not None and record.failure.line == planted.line


@pytest.mark.parametrize("name", list(STRANGE))
def test_what_is_strange_works_too(played: dict[str, CaseRecord], name: str) -> None:
    for record in of(played, name):
        assert (record.verdict, record.failure) == (Verdict.PASS, None)


WITHOUT_PRIVILEGES = """
import ctypes, os, sys
for capability in (12, 13, 21):  # CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_ADMIN
    assert ctypes.CDLL(None).prctl(24, capability, 0, 0, 0) == 0  # PR_CAPBSET_DROP
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


def test_it_works_without_privileges(tmp_path: Path) -> None:
    folder = case_folder(tmp_path / "cases", {name: HEAD + text for name, text in LIVES.items()})
    results = tmp_path / "results.jsonl"
    prelude = ["-c", WITHOUT_PRIVILEGES] if privileged() else []
    command = [sys.executable, *prelude, "-m", "conformance", "run", "--cases", folder, "--json", results]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=CASES.parent)
    if done.returncode == 3 and "user namespace" in done.stderr:
        pytest.skip(done.stderr.strip())
    records = read_results(results).cases
    assert (done.returncode, len(records)) == (0, 2 * len(LIVES)), done.stdout + done.stderr
    assert {(record.verdict, record.states_from) for record in records} == {(Verdict.PASS, "inet_diag")}
