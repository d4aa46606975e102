"""The subcommands that read or make captures; see :mod:`conformance.cli`, which has the others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from conformance.cli_options import Cases, FamilyList, Keyword, Paths, case_folder, families

__all__ = ["check", "import_", "record", "register", "replay", "shrink"]


def check(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", show_default=False, help="Captures: pcap, pcapng, either gzip'd; - is standard input."),
    ],
    vantage: Annotated[
        str,
        typer.Option(
            "--vantage",
            metavar="END",
            show_default=False,
            help="Where they were captured: client, server, both (one machine has both ends), middle. Default: what the packets suggest.",
        ),
    ] = "",
    json: Annotated[
        str | None, typer.Option("--json", metavar="FILE", help="Connections and findings as JSON Lines; - is standard output.")
    ] = None,
    pcapng: Annotated[
        str | None,
        typer.Option(
            "--pcapng", metavar="FILE", help="The capture once more, for Wireshark: with a comment on each packet that shows a finding."
        ),
    ] = None,
    connection: Annotated[
        list[int] | None, typer.Option("--connection", "-k", metavar="N", min=1, help="Only connection N, in full; may be repeated.")
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Show every connection with findings, not only the worst five, and what is ambiguous too.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors: the exit status tells.")] = False,
) -> None:
    """Judge captures: who broke which rule of the RFCs, and where.

    For each connection a verdict, and the first packet that shows what is wrong, with what passed around it.

    No case is needed. Each connection is held against what the RFCs allow, given what each end had seen by then. What may also be the
    capture's fault (packets that it missed, an end too far away) is called ambiguous, and is no violation.

    Exit status: 0 no MUST is broken, 1 violations, 2 usage, or a file that cannot be read (the others are judged all the same).
    """
    from conformance.engine.check_session import CheckRequest
    from conformance.engine.check_session import check as run_check

    request = CheckRequest(
        files=tuple(files),
        vantage=vantage,
        json=json,
        pcapng=pcapng,
        only=frozenset(connection or ()),
        every=every,
        quiet=quiet,
    )
    raise typer.Exit(run_check(request))


def shrink(
    what: Annotated[
        str,
        typer.Argument(
            metavar="CASE|CAPTURE",
            show_default=False,
            help="The id of a case or of one of its runs, or a case file: the first run that fails; or a capture that shows the failure.",
        ),
    ],
    sut: Annotated[
        str,
        typer.Option(
            "--sut",
            metavar="NAME",
            show_default=False,
            help="The stack on which it fails. Default: linux where this machine can test it, else reference.",
        ),
    ] = "",
    control: Annotated[
        str, typer.Option("--control", metavar="NAME", help="A stack that is right, on which what is left has to pass; or none.")
    ] = "reference",
    connection: Annotated[
        int | None,
        typer.Option(
            "--connection", metavar="N", min=1, help="Of a capture, connection N; else the only one, or the first with a violation."
        ),
    ] = None,
    sut_side: Annotated[
        str,
        typer.Option("--sut-side", metavar="SIDE", help="Of a capture, the side of the stack: client or server. Default: as it says."),
    ] = "",
    output: Annotated[str, typer.Option("-o", "--output", metavar="FILE", help="Where the case goes; - is standard output.")] = "-",
    most_runs: Annotated[int, typer.Option("--most-runs", min=1, metavar="N", help="End after so many runs on the stack.")] = 2000,
    minutes: Annotated[float, typer.Option("--minutes", min=0, metavar="N", help="End after so many minutes.")] = 5,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Candidates at once, on a stack that runs in real time.")] = 16,
    seed: Annotated[int, typer.Option("--seed", help="Of the random choices (ISNs); the same seed leads to the same case.")] = 0,
    cases: Cases = None,
) -> None:
    """Make a failing case as small as it gets while it still fails in the same way.

    Steps, settings, options and flags are left out, and numbers made simpler, as long as the case fails at the same kind of step with the
    same kind of difference, every time, and passes on the control: else what is left might blame a stack that is right. Ctrl-C ends the
    search, and what was found until then is written.

    A capture becomes a case first. What the oracle finds (see check) when it is replayed, it has to find in what is left; what is right
    is what the control does. If it finds nothing, the capture is one of a stack that is right, and this one has to do something else.

    Exit status: 0 the smallest case is written; 1 it is, but nothing shows that it would pass on a stack that is right (it fails on the
    control too, or not every time); 2 usage, a broken case, or one that does not fail; 3 this machine cannot judge it.
    """
    from conformance.engine.shrink_session import ShrinkRequest
    from conformance.engine.shrink_session import run as run_shrink

    request = ShrinkRequest(what, case_folder(cases), sut, control, output, most_runs, minutes, jobs, seed, connection, sut_side)
    raise typer.Exit(run_shrink(request))


def record(
    paths: Paths = None,
    cases: Cases = None,
    sut: Annotated[
        str,
        typer.Option(
            "--sut",
            metavar="NAME",
            show_default=False,
            help="The stack to record; `conformance suts` lists them. Default: linux where this machine can test it, else reference.",
        ),
    ] = "",
    keyword: Keyword = "",
    family: FamilyList = "ipv4,ipv6",
    slow: Annotated[bool, typer.Option("--slow", help="Also the cases that take minutes in real time.")] = False,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the stack's folder belongs, such as linux-6.18.")] = Path(
        "captures/golden"
    ),
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Cases at once.")] = 64,
    seed: Annotated[int, typer.Option("--seed", help="Of the random choices (ISNs); the same seed makes the same ones.")] = 1,
) -> None:
    """Record what a stack does in each case, so that others can be compared with it: `conformance run --against`.

    Each case file becomes one gzip'd pcapng with a section for each of its case runs: the packets, and as comments the socket calls, the
    states and the steps, the stack's version and settings, the seed and the verdict. Wireshark opens it. What is skipped or could not be
    judged is not recorded. What is there already stays of cases that are not played this time, and where the stack does the same once more.

    Exit status: as that of run. Whatever it is, what was played is recorded.
    """  # fmt: skip
    from conformance.engine.session import Request
    from conformance.engine.session import run as run_session

    request = Request(
        cases=case_folder(cases),
        paths=tuple(paths or ()),
        sut=sut,
        keyword=keyword,
        families=families(family),
        slow=slow,
        jobs=jobs,
        seed=seed,
        record=out,
    )
    raise typer.Exit(run_session(request))


def replay(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", show_default=False, help="A capture: pcap, pcapng, either gzip'd; or a trace of this program.")
    ],
    sut: Annotated[
        str,
        typer.Option(
            "--sut",
            metavar="NAME",
            show_default=False,
            help="The stack; `conformance suts` lists them. Default: linux where this machine can test it, else reference.",
        ),
    ] = "",
    connection: Annotated[
        int | None,
        typer.Option(
            "--connection",
            metavar="N",
            min=1,
            show_default=False,
            help="Which one, as `check` counts. Default: the only one, or the first with a violation.",
        ),
    ] = None,
    sut_side: Annotated[
        str,
        typer.Option(
            "--sut-side",
            metavar="SIDE",
            show_default=False,
            help="Whose place the stack takes: client or server. Default: that of who breaks a rule, else the server's.",
        ),
    ] = "",
    waits: Annotated[
        str,
        typer.Option("--waits", metavar="HOW", help="keep: the peer and the callers wait as they did; compress: no longer than they must."),
    ] = "keep",
    json: Annotated[
        str | None, typer.Option("--json", metavar="FILE", help="Each difference, and a summary, as JSON Lines; - is standard output.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of a stack on a virtual clock, the random choices (ISNs).")] = 0,
    every: Annotated[bool, typer.Option("--all", help="Show the whole exchange, and harmless differences too.")] = False,
) -> None:
    """Play the peer of a capture against a stack, and say what the stack does differently.

    Numbers, ports, addresses, timestamps and SACK blocks are translated to what this stack chooses. A packet of the peer goes when the
    stack has come as far as the one in the capture had by then; what it never does is not waited for long. The socket calls are those
    that were recorded, else such as the capture shows.

    Each difference is harmless (a choice of the stack's), allowed (something else that the RFCs leave open, or right where the capture is
    wrong), or neither; and the oracle of `check` says what the stack breaks.

    Exit status: 0 at most harmless and allowed differences; 1 violations, or differences that nothing explains; 2 usage, or a capture that
    cannot be replayed; 3 this machine cannot do it.
    """
    from conformance.engine.replay_session import ReplayRequest
    from conformance.engine.replay_session import run as run_replay

    if waits not in ("keep", "compress"):
        raise typer.BadParameter(f"{waits!r}: keep or compress", param_hint="--waits")
    request = ReplayRequest(file, sut, connection, sut_side, waits == "keep", json, every, seed)
    raise typer.Exit(run_replay(request))


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", show_default=False, help="A capture: pcap or pcapng, either gzip'd.")],
    connection: Annotated[
        int | None,
        typer.Option(
            "--connection",
            metavar="N",
            min=1,
            show_default=False,
            help="Only connection N, as check counts. Default: all that the host has which is the SUT of the first.",
        ),
    ] = None,
    sut_side: Annotated[
        str,
        typer.Option(
            "--sut-side",
            metavar="END",
            show_default=False,
            help="Who is the stack under test: client or server. Default: who breaks a rule, else the server.",
        ),
    ] = "",
    first: Annotated[int, typer.Option("--from", metavar="PACKET", min=1, help="The number of the first packet that counts.")] = 1,
    last: Annotated[
        int | None, typer.Option("--to", metavar="PACKET", min=1, show_default=False, help="The number of the last. Default: to the end.")
    ] = None,
    title: Annotated[str, typer.Option("--title", metavar="TEXT", help="One sentence that is true of a stack that passes.")] = "",
    output: Annotated[str, typer.Option("-o", "--output", metavar="FILE", help="Where the case goes; - is standard output.")] = "-",
    verify: Annotated[
        str, typer.Option("--check", metavar="SUT", show_default=False, help="Run the case at once on this stack, and say its verdict.")
    ] = "",
    case: Annotated[
        str, typer.Option("--case", metavar="ID", show_default=False, help="Of a recording that holds several case runs, this one.")
    ] = "",
    packets: Annotated[bool, typer.Option("--packets", help="Infer the socket calls even where they were recorded.")] = False,
    cases: Cases = None,
) -> None:
    """Make a case of a connection in a capture: what the peer sent is injected, what the stack answered is expected.

    The socket calls are inferred from the packets: who opened the connection, what was written and when, what was read, who closed it.
    In what this program wrote itself (run --captures, record) they stand beside the packets, and are taken from there, unless one of the
    options chooses a part of it. Numbers are relative, what the stack chose for itself stays open, waits are kept where they matter.
    What check finds wrong with the stack is marked: there the case wants an expectation that is right; then it fails until the stack is.

    A file belongs below the folder of the cases: that has the register in which a case's requirements stand.

    Exit status: 0 the case is written, and passes if that was asked for; 1 it does not; 2 usage, or nothing of which a case can be made;
    3 this machine cannot play or judge it.
    """
    from conformance.engine.import_session import ImportRequest
    from conformance.engine.import_session import run as run_import

    request = ImportRequest(file, case_folder(cases), connection, sut_side, first, last, title, case, packets, output, verify)
    raise typer.Exit(run_import(request))


def register(app: typer.Typer) -> None:
    """Make them commands of ``app``."""
    app.command()(check)
    app.command(name="import")(import_)
    app.command()(record)
    app.command()(replay)
    app.command()(shrink)
