"""A capture on one interface: tcpdump where it is installed, else :mod:`tests.traffic.sniffer`, and whether it has all that passed."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from conformance.link.netns import Namespace

__all__ = ["ROOT", "Taken", "Tap"]

ROOT = Path(__file__).resolve().parents[2]
_RING = 1 << 16
"""KiB: more packets than a machine makes while it does something else for a second."""
_QUIET, _PATIENCE = 0.15, 10
"""Seconds without news after which a capture has what there was; seconds that it is waited for."""
_FIGURE = re.compile(r"(\d+) packets? (captured|received by filter|dropped by kernel)")


@dataclass(frozen=True, slots=True)
class Taken:
    """What a capture says of itself, in packets."""

    captured: int
    missed: int
    """Dropped by the kernel for want of room, or not read yet at the end."""


class Tap:
    """Takes what passes ``interface`` of a namespace, in one socket and so in one order, until :meth:`stop`.

    Args:
        snap: octets to keep of each packet.
    """

    def __init__(self, namespace: Namespace, interface: str, path: Path, snap: int) -> None:
        self._path = path
        with path.open("wb") as out, namespace.entered():
            self._process = subprocess.Popen(
                _command(interface, snap), stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE, text=True, cwd=ROOT
            )
        assert self._process.stderr is not None
        self._said = self._process.stderr
        line = self._said.readline()
        if "listening" not in line:
            self._process.kill()
            raise OSError(f"no capture on {interface}: {line}{self._said.read()}")

    def stop(self) -> Taken:
        """Wait until what has passed is written, and end."""
        end, size, since = time.monotonic() + _PATIENCE, -1, time.monotonic()
        while (now := time.monotonic()) < end and now - since < _QUIET:
            if (latest := self._path.stat().st_size) != size:
                size, since = latest, now
            time.sleep(_QUIET / 5)
        self._process.send_signal(signal.SIGINT)
        _, said = self._process.communicate(timeout=60)
        figures = {name: int(count) for count, name in _FIGURE.findall(said)}
        captured = figures["captured"]
        return Taken(captured, max(figures["received by filter"] - captured, figures["dropped by kernel"]))

    def kill(self) -> None:
        """End without a result."""
        self._process.kill()
        self._process.communicate()


def _command(interface: str, snap: int) -> list[str]:
    if not (tcpdump := shutil.which("tcpdump")):
        return [sys.executable, "-m", "tests.traffic.sniffer", interface, str(snap)]
    options = ["--immediate-mode", "--time-stamp-precision=nano", "-U", "-B", str(_RING), "-s", str(snap)]
    user = ["-Z", "root"] if os.geteuid() == 0 else []
    return [tcpdump, *options, *user, "-i", interface, "-w", "-"]
