"""``python -m tests.traffic --out FOLDER``: makes the captures, and says how many packets each has."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from conformance.link.errors import EnvironmentFault

from .making import chosen, made, runs
from .privilege import acquire_for_children
from .scenario import Capture, Scenario

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Exit status 1 if a scenario could not be made, 3 if this machine makes none."""
    options = _parser().parse_args(arguments)
    scenarios = chosen(options.only)
    if options.list:
        print("\n".join(scenario.name for scenario in scenarios))
        return 0
    try:
        acquire_for_children()
    except EnvironmentFault as fault:
        print(fault, file=sys.stderr)
        return 3
    options.out.mkdir(parents=True, exist_ok=True)
    captures, failed = _make(scenarios, options)
    manifest = json.dumps([asdict(capture) for capture in captures], indent=1)
    (options.out / "manifest.json").write_text(manifest + "\n")
    print(f"{sum(capture.packets for capture in captures if capture.vantage == 'client'):,} packets at the clients")
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.traffic", description="Make captures of Linux talking to Linux, in namespaces.")
    parser.add_argument("--out", type=Path, default=Path("build/traffic"), metavar="FOLDER", help="default: build/traffic")
    parser.add_argument("--packets", type=int, default=1_000_000, metavar="N", help="about as many at all clients together")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="this scenario; * is anything")
    parser.add_argument("--seed", type=int, default=1, help="of what the scenarios and the links leave to chance")
    parser.add_argument("--list", action="store_true", help="print the scenarios' names and make none")
    return parser


def _make(scenarios: Sequence[Scenario], options: argparse.Namespace) -> tuple[list[Capture], int]:
    """All captures, and how many scenarios failed."""
    captures: list[Capture] = []
    failed = 0
    for scenario, family, wanted in runs(scenarios, options.packets):
        result = made(scenario, family, options.out, wanted, options.seed)
        captures += result.captures
        failed += bool(result.error)
        figures = ", ".join(f"{capture.vantage} {capture.packets:,}" for capture in result.captures)
        said = result.error or f"{figures} packets in {result.seconds:.1f} s"
        print(f"{scenario.name} {family}: {said}", flush=True)
    return captures, failed


if __name__ == "__main__":
    sys.exit(main())
