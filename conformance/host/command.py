"""``python -m conformance.stack``: the options, and which program runs. What goes wrong is one line on standard error.

The language of cases, which takes a while to import, is imported where an option speaks it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import partial
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface
from pathlib import Path
from typing import Annotated, Any

import typer

from conformance.case.errors import CaseError
from conformance.host.http import get, http_server
from conformance.host.process import Process, Program
from conformance.host.programs import echo_server, receiver, sender
from conformance.host.realtime import Host, HostOptions
from conformance.host.signals import Signals
from conformance.link.errors import EnvironmentFault
from conformance.link.impaired import Impairment
from conformance.link.tap import Tap
from conformance.stack.errors import SocketError
from conformance.stack.sock import Address
from conformance.stack.sysctl import Sysctl

__all__ = ["app", "main"]

_HELP = """The reference stack in real time: a host of its own on a TAP device, with one program above its sockets.

Linux reaches it like any other host on that network; give Linux's end of the device an address beside the stack's. In a network
namespace of its own, which goes when the shell ends, this needs no root:

\b
  $ unshare --user --map-root-user --net sh
  # ip tuntap add stack0 mode tap; ip link set stack0 up; ip address add 192.0.2.2/24 dev stack0
  # python -m conformance.stack --tap stack0 --address 192.0.2.1/24 http &
  # curl -s http://192.0.2.1/octets/1000000 | sha256sum

The same over a bad link, with an address of IPv6 too:

\b
  # ip address add 2001:db8::2/64 dev stack0 nodad
  # python -m conformance.stack --tap stack0 --address 2001:db8::1/64 --loss 2% --reorder 1% fetch http://[2001:db8::2]:8000/file file
"""
_EPILOG = (
    "SIGINT and SIGTERM end the program; connections get some seconds to close, a second signal ends those too. "
    "Exit status: 0 done, 1 the program failed, 2 usage, 3 this machine cannot do it, 130 and 143 a client was ended by a signal."
)
_PERCENT = re.compile(r"([0-9.]+)(%?)")

app = typer.Typer(
    name="python -m conformance.stack",
    help=_HELP,
    epilog=_EPILOG,
    rich_markup_mode=None,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Port = Annotated[int, typer.Option("--port", min=1, max=65535, help="Where it listens.")]
Mean = partial(typer.Option, metavar="SHARE")


@dataclass(frozen=True, slots=True)
class _Setup:
    """What all programs need."""

    tap: str
    interfaces: tuple[IPv4Interface | IPv6Interface, ...]
    gateways: tuple[bytes, ...]
    options: HostOptions


@app.callback()
def setup(
    context: typer.Context,
    tap: Annotated[str, typer.Option("--tap", metavar="NAME", help="The TAP device, made if there is none of this name.")],
    address: Annotated[list[str], typer.Option("--address", metavar="ADDRESS/LENGTH", help="An address of the stack; as many as needed.")],
    gateway: Annotated[list[str] | None, typer.Option("--gateway", metavar="ADDRESS", help="The next hop to everywhere else.")] = None,
    mac: Annotated[str, typer.Option("--mac", metavar="MAC", help="The stack's Ethernet address. Default: one by chance.")] = "",
    mtu: Annotated[
        int,
        typer.Option(
            "--mtu", metavar="OCTETS", show_default=False, min=0, max=65535, help="The stack's longest packet. Default: the device's."
        ),
    ] = 0,
    loss: Annotated[str, Mean("--loss", help="Frames that the link loses, each way: 2% or 0.02.")] = "0",
    duplicate: Annotated[str, Mean("--duplicate", help="Frames that come twice.")] = "0",
    reorder: Annotated[str, Mean("--reorder", help="Frames that others overtake.")] = "0",
    corrupt: Annotated[str, Mean("--corrupt", help="Packets with a bit turned over.")] = "0",
    delay: Annotated[str, typer.Option("--delay", metavar="TIME", help="How long each frame is on its way, such as 10ms.")] = "0",
    jitter: Annotated[str, typer.Option("--jitter", metavar="TIME", help="At most so much longer.")] = "0",
    seed: Annotated[int | None, typer.Option("--seed", metavar="N", help="Repeats what the link does to frames.")] = None,
    config: Annotated[
        list[str] | None, typer.Option("--config", metavar="NAME=VALUE", help="A setting as in a case: sack=off, profile=linux.")
    ] = None,
) -> None:
    impairment = Impairment(
        loss=_share("--loss", loss),
        duplicate=_share("--duplicate", duplicate),
        reorder=_share("--reorder", reorder),
        corrupt=_share("--corrupt", corrupt),
        delay=_time("--delay", delay),
        jitter=_time("--jitter", jitter),
    )
    options = HostOptions(mac=_mac(mac), mtu=mtu, impairment=impairment, seed=seed, sysctl=_sysctl(config or []))
    interfaces = tuple(_interface(text) for text in address)
    context.obj = _Setup(tap, interfaces, tuple(_address("--gateway", text) for text in gateway or []), options)


@app.command()
def echo(context: typer.Context, port: Port = 7) -> None:
    """Send back what comes, over TCP and UDP."""
    _run(context, lambda: echo_server(port, _say), serves=True)


@app.command()
def http(
    context: typer.Context,
    port: Port = 80,
    folder: Annotated[
        Path | None, typer.Option("--folder", exists=True, file_okay=False, help="Serve its files. Without it: only /octets/N.")
    ] = None,
) -> None:
    """Serve files over HTTP/1.0; /octets/N is so many generated octets, those of Python's random.Random(N)."""
    _run(context, lambda: http_server(port, folder, _say), serves=True)


@app.command()
def fetch(
    context: typer.Context,
    url: Annotated[str, typer.Argument(metavar="URL", help="http://ADDRESS:PORT/PATH; there is no DNS.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where it goes.")],
) -> None:
    """Fetch a URL into a file."""
    _run(context, lambda: get(url, file, _say))


@app.command()
def send(
    context: typer.Context,
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Of the receiver.")],
    port: Annotated[int, typer.Argument(metavar="PORT", min=1, max=65535)],
    octets: Annotated[int, typer.Argument(metavar="OCTETS", min=0, help="How many: generated ones, as http has them.")],
) -> None:
    """Send many octets over TCP, and say how fast that was."""
    peer = Address(_address("ADDRESS", address), port)
    _run(context, lambda: sender(peer, octets, _say))


@app.command()
def receive(context: typer.Context, port: Port = 9) -> None:
    """Receive from whoever connects, and say how much it was, how fast and with which check sum."""
    _run(context, lambda: receiver(port, _say), serves=True)


def main() -> None:
    """The program; leaves with the exit status."""
    try:
        app()
    except EnvironmentFault as fault:
        print(f"conformance.stack: {fault}", file=sys.stderr)
        sys.exit(3)


# Running --------------------------------------------------------------------------------------------------------------


def _run(context: typer.Context, program: Callable[[], Program], *, serves: bool = False) -> None:
    setup: _Setup = context.obj
    with Signals() as signals:
        tap = Tap(setup.tap)
        try:
            host = Host(tap, setup.options)
            for interface in setup.interfaces:
                host.net.add_address(host.device, interface.packed, interface.network.prefixlen)
            for gateway in setup.gateways:
                host.net.fib.add(bytes(len(gateway)), 0, gateway, host.device)
            _say(f"{tap.name}: {', '.join(map(str, setup.interfaces))}, {host.device.mac.hex(':')}, MTU {host.device.mtu}")
            process = host.processes.start(program())
            host.run(signals)
        finally:
            tap.close()
    if host.impaired:
        for way, link in (("in", host.incoming), ("out", host.outgoing)):
            _say(f"link {way}: {', '.join(f'{name} {count}' for name, count in sorted(link.counts.items()))}")
    for failed in host.failed:
        print(f"conformance.stack: {failed.name}: {_why(failed.error)}", file=sys.stderr)
    raise typer.Exit(_status(process, signals, serves))


def _status(process: Process, signals: Signals, serves: bool) -> int:
    if process.error is not None:
        return 1
    return 128 + signals.first if signals.first and not (serves or process.ended_itself) else 0


def _why(error: Exception | None) -> str:
    return error.name if isinstance(error, SocketError) else str(error)


def _say(line: str) -> None:
    print(line, flush=True)


# What options say -----------------------------------------------------------------------------------------------------


def _share(option: str, text: str) -> float:
    match = _PERCENT.fullmatch(text)
    try:
        share = Decimal(match[1]) / (100 if match[2] else 1) if match else Decimal(-1)
    except InvalidOperation:
        share = Decimal(-1)
    if not 0 <= share <= 1:
        raise typer.BadParameter(f"{text!r} is no share of frames, such as 2% or 0.02", param_hint=option)
    return float(share)


def _time(option: str, text: str) -> int:
    if text == "0":
        return 0
    from conformance.case import notation

    try:
        return notation.duration(text)
    except CaseError as error:
        raise typer.BadParameter(f"{text!r} is no duration, such as 10ms", param_hint=option) from error


def _mac(text: str) -> bytes:
    try:
        octets = bytes.fromhex(text.replace(":", ""))
    except ValueError:
        octets = b"?"
    if len(octets) not in (0, 6) or (octets and octets[0] & 1):
        raise typer.BadParameter(f"{text!r} is no Ethernet address of one station, such as 02:00:00:00:00:01", param_hint="--mac")
    return octets


def _interface(text: str) -> IPv4Interface | IPv6Interface:
    try:
        return ip_interface(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--address") from error


def _address(option: str, text: str) -> bytes:
    try:
        return ip_address(text).packed
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


def _sysctl(settings: list[str]) -> Sysctl:
    if not settings:
        return Sysctl()
    from conformance.case.settings import SETTINGS

    config: dict[str, Any] = {}
    for text in settings:
        name, _, value = text.partition("=")
        if name not in SETTINGS or name == "mtu":
            raise typer.BadParameter(f"there is no setting {name!r}", param_hint="--config")
        try:
            config[name] = SETTINGS[name].kind.parse(int(value) if value.isdecimal() else value)
        except CaseError as error:
            raise typer.BadParameter(f"{name}: {error}", param_hint="--config") from error
    return Sysctl.from_config(config)
