"""The command line: one function a subcommand, no logic. What a command needs is imported when it runs, so that help is quick."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from conformance import __version__
from conformance.cli_captures import register
from conformance.cli_options import Cases, FamilyList, Keyword, Paths, SutName, case_folder, families

__all__ = ["app", "main"]

app = typer.Typer(
    name="conformance",
    help="Conformance tests for TCP/IP stacks: plays the peer from YAML cases, and says what a stack does that the RFCs do not allow.",
    epilog="Exit status: 0 all as required, 1 violations, 2 usage, a broken case, expectation or capture, "
    "3 this machine cannot do it or judge it.",
    rich_markup_mode=None,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

# numpy's library for matrices, which nothing here needs, starts threads, and a process that has some can make no user namespace.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

_CALLS = ("socket", "bind", "listen", "accept", "connect", "send", "recv")
_SEGMENTS = "syn (in LISTEN), syn-ack (in SYN-SENT), ack (in SYN-RECEIVED)"
"""The names of conformance.stack.walks, which is not imported for help."""
_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)
"""What a disk does in the middle of a run."""
_PATH = (errno.EACCES, errno.ENAMETOOLONG)
"""What is the matter with a path that was given."""


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> None:
    if version:
        typer.echo(f"conformance {__version__}")
        raise typer.Exit


@app.command()
def run(
    paths: Paths = None,
    cases: Cases = None,
    sut: SutName = "",
    keyword: Keyword = "",
    family: FamilyList = "ipv4,ipv6",
    slow: Annotated[
        bool, typer.Option("--slow", help="Also the cases that take minutes in real time; on a virtual clock they always run.")
    ] = False,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Cases at once. Most of them wait most of the time.")] = 64,
    seed: Annotated[int | None, typer.Option("--seed", help="Repeats the random choices (ISNs) of a run, which prints its own.")] = None,
    json: Annotated[str | None, typer.Option("--json", metavar="FILE", help="Results as JSON Lines, case by case; - is stdout.")] = None,
    junit: Annotated[str | None, typer.Option("--junit", metavar="FILE", help="Results as JUnit XML.")] = None,
    tap: Annotated[str | None, typer.Option("--tap", metavar="FILE", help="Results as TAP 14.")] = None,
    captures: Annotated[Path | None, typer.Option("--captures", metavar="DIR", help="A commented pcapng of each case run.")] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            "--against",
            metavar="DIR",
            help="Also say how each case run differs from a recording (golden/linux-6.18, here or below captures); "
            "the exit status is about the verdicts alone.",
        ),
    ] = None,
    expectations: Annotated[
        Path | None, typer.Option("--expectations", metavar="FILE", help="Known deviations. Default: CASES/expectations/SUT.yaml.")
    ] = None,
    states: Annotated[str, typer.Option("--states", metavar="SOURCE", help="Of Linux's states: auto, tracepoint, inet_diag.")] = "auto",
    shuffle: Annotated[bool, typer.Option("--shuffle", help="Begin the cases in a random order.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Show every failure in full, not only the first five.")] = False,
) -> None:
    """Run cases against a stack, and say what conforms."""
    from conformance.engine.session import Request
    from conformance.engine.session import run as run_session

    request = Request(
        cases=case_folder(cases),
        paths=tuple(paths or ()),
        sut=sut,
        states=states,
        keyword=keyword,
        families=families(family),
        slow=slow,
        jobs=jobs,
        seed=seed,
        json=json,
        junit=junit,
        tap=tap,
        captures=captures,
        against=against,
        expectations=expectations,
        every_failure=every,
        shuffle=shuffle,
        arguments=tuple(sys.argv[1:]),
    )
    raise typer.Exit(run_session(request))


@app.command(name="list")
def list_cases(paths: Paths = None, cases: Cases = None, keyword: Keyword = "", family: FamilyList = "ipv4,ipv6") -> None:
    """List the case runs: id, and what is true of a stack that passes."""
    import gc

    from conformance.case.selection import selector
    from conformance.engine.replay_listing import list_all

    wanted = selector(keyword)
    gc.disable()  # much is made and nothing thrown away before this process ends
    listing = list_all(case_folder(cases), tuple(paths or ()), families=families(family))
    if lines := [f"{entry.id}  {entry.title}" for entry in listing.cases if wanted(entry.id)]:
        typer.echo("\n".join(lines))
    for error in listing.errors:
        typer.echo(str(error), err=True)
    raise typer.Exit(2 if listing.errors else 0)


@app.command()
def show(case: Annotated[str, typer.Argument(metavar="CASE", help="The id of a case, or words as for -k.")], cases: Cases = None) -> None:
    """Show a case: what it requires, and the steps as they are played, its preamble and parameters filled in."""
    from conformance.engine.replay_suite import load_all
    from conformance.report.case_text import show_cases

    raise typer.Exit(show_cases(load_all(case_folder(cases)), case))


@app.command()
def coverage(
    cases: Cases = None,
    results: Annotated[
        Path | None,
        typer.Option("--results", metavar="FILE", help="Of a run: `run --json FILE`. Default: build/results.jsonl, if it is there."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="As one JSON object, by standards.")] = False,
    against: Annotated[
        Path | None,
        typer.Option("--against", metavar="FILE", help="An earlier --json: exit status 1 if a requirement lost its last case since."),
    ] = None,
    reasons: Annotated[bool, typer.Option("--reasons", help="Also say why some requirements cannot be observed.")] = False,
) -> None:
    """Say which requirements of the RFCs some case covers, and what a run said of them."""
    from conformance.report.coverage_table import show_coverage

    latest = Path("build/results.jsonl")
    chosen = results or (latest if latest.is_file() else None)
    for file in (results, against):
        if file is not None and not file.is_file():
            raise typer.BadParameter(f"there is no file {file}")
    raise typer.Exit(show_coverage(case_folder(cases), chosen, against, as_json=json, reasons=reasons))


@app.command()
def suts() -> None:
    """List the stacks under test, their versions or what they take, and the settings that cases may ask for."""
    from conformance.report.tables import show_suts

    show_suts()


@app.command(name="sut-check", context_settings={"allow_interspersed_args": False, "ignore_unknown_options": True})
def sut_check(
    program: Annotated[
        list[str],
        typer.Argument(
            metavar="PROGRAM [ARGS]...",
            help="The adapter and its arguments; or the path of an adapter.yaml (FILE:NAME if it has several stacks); or a name of `suts`.",
        ),
    ],
    link: Annotated[str, typer.Option("--link", metavar="LINK", help="Over this link only: socket, tap. Default: each in turn.")] = "",
    clock: Annotated[str, typer.Option("--clock", metavar="CLOCK", help="On this clock only: virtual, real. Default: those it has.")] = "",
    cases: Cases = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show what was said and sent where something lacks.")] = False,
) -> None:
    """Check a stack's adapter against the SUT protocol, and say what it lacks.

    The adapter is started as the tester starts it, over each link and on each clock that it offers, and walked through what the protocol's
    document asks of it: requests and their answers, resets, connections that begin and end on either side, data both ways, calls that
    wait, states, timers, bad arguments, its end. A line for each check: ✓ as it should be, ✗ what was expected and what came, – not
    offered. Then what the stack has not got, and how many case runs are skipped for that.

    Exit status: 0 all right, 1 something lacks, 2 usage, 3 the adapter cannot be started.
    """
    from conformance.report.sut_check import check_adapter
    from conformance.sut.check.target import clocks, links, target

    raise typer.Exit(check_adapter(target(program), links(link), clocks(clock), case_folder(cases), verbose=verbose))


@app.command()
def schema(
    preamble: Annotated[bool, typer.Option("--preamble", help="That of a preamble.")] = False,
    results: Annotated[bool, typer.Option("--results", help="That of a line of run --json.")] = False,
    check: Annotated[bool, typer.Option("--check", help="That of a line of check --json.")] = False,
) -> None:
    """Print the JSON Schema of a case file, for editors that complete and check YAML with it."""
    import json

    from conformance.case.schema import case_schema, preamble_schema
    from conformance.report.check.records import check_schema
    from conformance.report.records import results_schema

    chosen = check_schema() if check else results_schema() if results else preamble_schema() if preamble else case_schema()
    typer.echo(json.dumps(chosen, indent=2))


@app.command()
def path(
    name: Annotated[
        str, typer.Argument(metavar="NAME", show_default=False, help=f"A call: {', '.join(_CALLS)}; or a segment that comes: {_SEGMENTS}.")
    ] = "",
    json: Annotated[bool, typer.Option("--json", help="As nested objects.")] = False,
) -> None:
    """Show the path of a call or a segment through the reference stack: its layers, by the kernel's names, and where states change."""
    from conformance.report.path_tree import show_path
    from conformance.stack.walks import WALKS

    if name not in WALKS:
        wrong = f"{name!r} is none of the walks" if name else "the name of a walk is missing"
        raise typer.BadParameter(f"{wrong}: {', '.join(WALKS)}", param_hint="NAME")
    show_path(name, json)


@app.command()
def doctor() -> None:
    """Say what this machine can do, what is missing, and how to get it."""
    from conformance.doctor import diagnose
    from conformance.report.tables import show_findings

    raise typer.Exit(show_findings(diagnose()))


register(app)


def main() -> None:
    """The entry point: mistakes in what was asked for, and in the machine, are a line on standard error and a status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a locale without arrows gets question marks, not a traceback
    try:
        app()
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # whoever read the output has gone; typer's status would say: violations
            sys.exit(128 + signal.SIGPIPE)
        raise
    except Exception as error:
        status = _status(error)
        if status is None:
            raise
        typer.echo(f"conformance: {error}", err=True)
        sys.exit(status)


def _status(error: Exception) -> int | None:
    """The exit status for an error that is not the program's own."""
    from conformance.case.coverage import CoverageError
    from conformance.case.errors import CaseError
    from conformance.case.selection import SelectionError
    from conformance.link.errors import EnvironmentFault

    if isinstance(error, EnvironmentFault) or (isinstance(error, OSError) and error.errno in _MACHINE):
        return 3
    if isinstance(error, OSError) and error.errno in _PATH:
        return 2
    usage = isinstance(error, CaseError | CoverageError | SelectionError) or type(error).__name__ in ("ResultsError", "UsageError")
    return 2 if usage else None
