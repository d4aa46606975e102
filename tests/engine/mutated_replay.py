"""``python -m tests.engine.mutated_replay NAME…``: the captures of these names, each against the stack with the bug of its name.

A line of JSON for each replay: id, verdict, reason. A process that has loaded a mutated stack is no good for anything else afterwards, so
each bug has one of its own.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

from conformance.case.case import Case
from conformance.engine.replay_suite import load_all
from conformance.engine.runner import Runner, RunnerOptions
from conformance.result import CaseResult
from tests.mutants import curated, loading, subject

CAPTURES = subject.ROOT / "captures" / "regressions"


def main(names: list[str]) -> int:
    modules = subject._modules(subject.ROOT)
    sources = {file: (subject.ROOT / file).read_text("utf-8") for file in modules.values()}
    compiled = loading.Compiled(sources, modules)
    bugs = {bug.name: bug for bug in curated.read()}
    suite = load_all(subject.ROOT / "cases", [CAPTURES / f"{name}.yaml" for name in names])
    assert not suite.errors, suite.errors
    status = 0
    for name in names:
        child = os.fork()
        if not child:
            loading.load(compiled.with_texts(curated.apply(bugs[name], sources).texts), modules)
            play([case for case in suite.cases if case.id.partition("[")[0] == f"regressions/{name}"])
            sys.stdout.flush()
            os._exit(0)
        status |= os.waitpid(child, 0)[1]
    return int(status != 0)


def play(cases: list[Case]) -> None:
    from conformance.sut.reference import Reference

    results: list[CaseResult] = []
    asyncio.run(Runner(Reference(), RunnerOptions(), results.append).run(cases))
    for result in results:
        print(json.dumps([result.case.id, result.verdict, result.failure.reason if result.failure else ""]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
