"""``python tap_bed.py SCENARIO ipv4|ipv6 OCTETS [OPTION]...``: the stack behind a TAP and Linux, in a network namespace of its own.

- ``serve``: Linux fetches a file from the stack, with curl if it is there, else with Python's urllib.
- ``fetch``: the stack fetches it from Python's http.server on Linux.
- ``echo``: Linux sends so many octets in a datagram, over TCP and in a ping, and looks at what comes back.
- ``signal``: a client of the stack's that waits for ever is ended by SIGINT.

What comes of it is one line of JSON. Options go to ``python -m conformance.stack``. Everything is gone with this process and those that it
starts. Exit status 3: this machine cannot do it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyroute2 import IPRoute

from conformance.link.errors import EnvironmentFault
from conformance.link.netns import Namespace, acquire
from conformance.link.tap import Tap
from conformance.link.veth import write_sysctl
from conformance.wire.checksum import finish, ones_sum

DEVICE = "stack0"
LINUX = {"ipv4": ("192.0.2.2", 24, socket.AF_INET), "ipv6": ("2001:db8::2", 64, socket.AF_INET6)}
STACK = {"ipv4": "192.0.2.1", "ipv6": "2001:db8::1"}
NO_DAD = 0x02
"""IFA_F_NODAD: the address is there at once."""
PATIENCE = 100
FETCH_WITH_PYTHON = """
import shutil, sys, urllib.request
with urllib.request.urlopen(sys.argv[1], timeout=100) as answer, open(sys.argv[2], "wb") as file:
    shutil.copyfileobj(answer, file)
"""


def main(scenario: str, family: str, octets: int, options: list[str]) -> int:
    try:
        acquire()
        namespace = Namespace()
        with namespace.entered(), tempfile.TemporaryDirectory(prefix="conformance-test-") as folder:
            make_device()
            source, target = Path(folder, "source"), Path(folder, "target")
            source.write_bytes(os.urandom(octets))
            print("ready", flush=True)
            began = time.monotonic()
            said, status = SCENARIOS[scenario](family, source, target, options)
            result = {
                "sent": digest(source),
                "received": digest(target),
                "seconds": time.monotonic() - began,
                "said": said,
                "status": status,
            }
    except (EnvironmentFault, PermissionError) as fault:
        print(fault, file=sys.stderr)
        return 3
    print(json.dumps(result))
    return 0


def make_device() -> None:
    """The TAP device, and what Linux has on it."""
    Tap().close()  # an EnvironmentFault, where none can be had
    write_sysctl("net/ipv4/tcp_orphan_retries", "1")  # the namespace is gone soon after the last process
    with IPRoute() as netlink:
        netlink.link("set", index=netlink.link_lookup(ifname="lo")[0], state="up")
        netlink.link("add", ifname=DEVICE, kind="tuntap", mode="tap", uid=os.geteuid())
        index = netlink.link_lookup(ifname=DEVICE)[0]
        netlink.link("set", index=index, state="up")
        for address, length, family in LINUX.values():
            netlink.addr("add", index=index, address=address, prefixlen=length, family=family, flags=NO_DAD)


def serve(family: str, source: Path, target: Path, options: list[str]) -> tuple[str, int]:
    """Linux fetches from the stack."""
    url = f"http://{bracketed(STACK[family])}:8080/source"
    with started(*stack(options), "http", "--port", "8080", "--folder", str(source.parent)) as server:
        first = until(server, "http on")
        curl = shutil.which("curl")
        command = [curl, "--silent", "--show-error", "--max-time", str(PATIENCE), "--globoff", "--output", str(target), url]
        subprocess.run(command if curl else [sys.executable, "-c", FETCH_WITH_PYTHON, url, str(target)], check=False, timeout=PATIENCE + 10)
        server.send_signal(signal.SIGTERM)
        rest, _ = server.communicate(timeout=PATIENCE)
    return first + rest, server.returncode


def fetch(family: str, source: Path, target: Path, options: list[str]) -> tuple[str, int]:
    """The stack fetches from Linux."""
    address, _, number = LINUX[family]
    with started(sys.executable, "-m", "http.server", "8080", "--bind", address, "--directory", str(source.parent)):
        wait_for(number, address, 8080)
        command = [*stack(options), "fetch", f"http://{bracketed(address)}:8080/source", str(target)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE)
    return done.stdout, done.returncode


def echo(family: str, source: Path, target: Path, options: list[str]) -> tuple[str, int]:
    """Linux sends to the stack's echo server, and pings it; what came back every time is what came back."""
    data, number, came = source.read_bytes(), LINUX[family][2], []
    with started(*stack(options), "echo") as server:
        until(server, "echo on")
        with socket.socket(number, socket.SOCK_DGRAM) as datagrams:
            datagrams.settimeout(PATIENCE)
            datagrams.sendto(data, (STACK[family], 7))
            came.append(datagrams.recv(1 << 16))
        with socket.create_connection((STACK[family], 7), timeout=PATIENCE) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            came.append(b"".join(iter(lambda: connection.recv(1 << 16), b"")))
        came.append(ping(family, data))
        server.send_signal(signal.SIGTERM)
        said, _ = server.communicate(timeout=PATIENCE)
    if len(set(came)) == 1:
        target.write_bytes(came[0])
    return said, server.returncode


def ping(family: str, data: bytes) -> bytes:
    """The data of an echo reply (RFC 792, RFC 4443)."""
    request, protocol, reply = (8, socket.IPPROTO_ICMP, 0) if family == "ipv4" else (128, socket.IPPROTO_ICMPV6, 129)
    with socket.socket(LINUX[family][2], socket.SOCK_RAW, protocol) as raw:
        raw.settimeout(PATIENCE)
        message = struct.pack("!BBHHH", request, 0, 0, 1, 1) + data
        raw.sendto(message[:2] + finish(ones_sum(message)).to_bytes(2, "big") + message[4:], (STACK[family], 0))  # Linux does it for ICMPv6
        while True:
            answer = raw.recv(1 << 16)[20 if family == "ipv4" else 0 :]
            if answer[0] == reply and answer[4:8] == message[4:8]:
                return answer[8:]


def interrupted(family: str, source: Path, target: Path, options: list[str]) -> tuple[str, int]:
    """SIGINT ends a client that waits for an answer which never comes."""
    address, _, number = LINUX[family]
    with socket.create_server((address, 8080), family=number) as listener:
        listener.settimeout(PATIENCE)
        with started(*stack(options), "fetch", f"http://{bracketed(address)}:8080/{source.name}", str(target)) as client:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(PATIENCE)
                request = connection.recv(1 << 16)
                client.send_signal(signal.SIGINT)
                assert connection.recv(1 << 16) == b"", "the stack did not close"
            said, _ = client.communicate(timeout=PATIENCE)
    return request.decode() + said, client.returncode


SCENARIOS = {"serve": serve, "fetch": fetch, "echo": echo, "signal": interrupted}


def stack(options: list[str]) -> list[str]:
    """The command, but for the program."""
    addresses = [f"--address={STACK['ipv4']}/24", f"--address={STACK['ipv6']}/64"]
    return [sys.executable, "-m", "conformance.stack", "--tap", DEVICE, *addresses, *options]


@contextmanager
def started(*command: str) -> Iterator[subprocess.Popen[str]]:
    """A program that is killed at the end, if it is not over by then."""
    program = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield program
    finally:
        program.kill()
        program.communicate()


def until(program: subprocess.Popen[str], line: str) -> str:
    """What a program says, until it says this."""
    assert program.stdout is not None
    said = ""
    while line not in said:
        more = program.stdout.readline()
        assert more, f"it ended: {said}"
        said += more
    return said


def wait_for(family: socket.AddressFamily, address: str, port: int) -> None:
    """Until somebody listens there."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            if probe.connect_ex((address, port)) == 0:
                return
        time.sleep(0.02)
    raise TimeoutError(f"nobody listens at {address}, port {port}")


def bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "nothing"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:]))
