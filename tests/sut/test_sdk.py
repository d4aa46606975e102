"""The SDK for adapters: a toy in a process of its own, spoken to over pipes and a socket."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sut.needs import namespaces
from tests.sut.speaker import INTERFACE, Speaker

TOY = Path(__file__).with_name("toy_adapter.py")


@pytest.fixture
def toy() -> Iterator[Speaker]:
    with Speaker(TOY) as speaker:
        yield speaker


def messages_of(speaker: Speaker, method: str, **params: object) -> list[dict[str, object]]:
    return speaker.until(speaker.send(method, **params))


def test_it_says_what_the_stack_is(toy: Speaker) -> None:
    description = toy.begin()
    assert (description["name"], description["version"], description["clocks"]) == ("toy", "7", ["virtual", "real"])
    assert description["settings"] == {"timestamps": ["off"]}
    assert "accept" in description["calls"]
    assert "bind" not in description["calls"], "whose method is not overridden"


def test_frames_come_before_requests(toy: Speaker) -> None:
    toy.begin()
    for _ in range(5):
        toy.link.send(b"frame")
    assert toy.result("ioctl", socket=3, request="FIONREAD", blocking=False)["value"] == 5


def test_frames_come_before_answers(toy: Speaker) -> None:
    toy.begin()
    toy.link.setblocking(False)
    assert toy.result("send", socket=3, data=b"hello".hex(), flags=[], blocking=False)["value"] == 5
    assert toy.link.recv(100) == b"hello"


def test_the_timers_come_before_the_frames_of_their_time(toy: Speaker) -> None:
    toy.begin()
    due = toy.result("setsockopt", socket=3, name="TCP_NODELAY", value=1, blocking=False)["next"]
    toy.link.send(b"echo")
    assert toy.result("advance", to=due)["next"] is None
    assert [toy.link.recv(100), toy.link.recv(100)] == [b"timer at 50000000", b"echo"]


def test_a_call_that_blocks_is_answered_before_the_request_that_wakes_it(toy: Speaker) -> None:
    toy.begin()
    accept = toy.send("accept", socket=3, blocking=True)
    assert toy.until(accept)[-1]["method"] == "blocked"
    toy.link.send(b"frame")
    advance = toy.send("advance", to=1000)
    answers = toy.until(advance)
    assert [answer["id"] for answer in answers] == [accept, advance]
    assert answers[0]["result"] == {"value": 4, "address": "198.18.0.1", "port": 40000, "next": None}


def test_one_that_must_not_block_says_so(toy: Speaker) -> None:
    toy.begin()
    assert toy.result("accept", socket=3, blocking=False)["errno"] == "EAGAIN"
    assert toy.result("connect", socket=3, address="198.18.0.1", port=1, blocking=False)["errno"] == "EINPROGRESS"
    toy.link.send(b"frame")
    assert toy.result("accept", socket=3, blocking=False)["value"] == 4


def test_a_call_can_return_later(toy: Speaker) -> None:
    toy.begin()
    recv = toy.send("recv", socket=3, size=10, flags=[], blocking=True)
    assert toy.until(recv)[-1] == {"jsonrpc": "2.0", "method": "blocked", "params": {"id": recv}}
    toy.link.send(b"wake")
    first, second = messages_of(toy, "advance", to=5)
    assert (first["id"], first["result"]) == (recv, {"value": b"wake".hex(), "next": None})
    assert second["result"] == {"next": None}


def test_after_reset_nobody_waits_any_more(toy: Speaker) -> None:
    toy.begin()
    toy.ask("accept", socket=3, blocking=True)
    toy.ask("recv", socket=3, size=10, flags=[], blocking=True)
    toy.link.send(b"frame of the old stack")
    assert [sorted(answer) for answer in messages_of(toy, "reset", seed=2)][-1] == ["id", "jsonrpc", "result"]
    toy.link.send(b"wake")
    assert len(messages_of(toy, "advance", to=5)) == 1
    assert toy.result("ioctl", socket=3, request="FIONREAD", blocking=False)["value"] == 1


def test_a_socket_that_is_forgotten_takes_its_calls_along(toy: Speaker) -> None:
    toy.begin()
    toy.ask("recv", socket=3, size=10, flags=[], blocking=True)
    recv = toy.send("recv", socket=4, size=10, flags=[], blocking=True)
    toy.until(recv)
    toy.result("forget", sockets=[3], connections=[])
    toy.link.send(b"wake")
    assert [answer["id"] for answer in messages_of(toy, "advance", to=5)][:-1] == [recv]


def test_what_there_is_to_tell_comes_before_the_answer(toy: Speaker) -> None:
    toy.begin()
    moved, answer = messages_of(toy, "listen", socket=3, backlog=1, blocking=False)
    ends = {"local": {"address": "192.0.2.1", "port": 5000}, "remote": None}
    assert moved["params"] == {**ends, "old": "CLOSED", "new": "LISTEN"}
    assert answer["result"] == {"next": None}


@pytest.mark.parametrize(
    ("name", "value", "seen"), [("SO_LINGER", [1, 5], "(1, 5)"), ("IP_OPTIONS", "0102", r"b'\x01\x02'"), ("SO_KEEPALIVE", 1, "1")]
)
def test_values_are_what_python_has(toy: Speaker, name: str, value: object, seen: str) -> None:
    toy.begin()
    log, _ = messages_of(toy, "setsockopt", socket=3, name=name, value=value, blocking=False)
    assert log["params"] == {"text": seen}


def test_results_are_what_json_has(toy: Speaker) -> None:
    toy.begin()
    options = {
        name: toy.result("getsockopt", socket=3, name=name, blocking=False)["value"] for name in ("SO_ERROR", "TCP_CONGESTION", "SO_TYPE")
    }
    assert options == {"SO_ERROR": "ECONNRESET", "TCP_CONGESTION": b"reno".hex(), "SO_TYPE": 1}
    assert toy.result("poll", socket=3, blocking=False)["value"] == ["POLLIN", "POLLOUT"]
    assert toy.result("socket", domain="AF_UNIX", type="SOCK_STREAM", protocol=0, blocking=False)["errno"] == "EAFNOSUPPORT"
    assert toy.result("info", socket=9)["errno"] == "EBADF"
    ends = {"local": {"address": "192.0.2.1", "port": 1}, "remote": {"address": "198.18.0.1", "port": 2}}
    assert toy.result("state", socket=None, **ends)["state"] == "None ('192.0.2.1', 1) ('198.18.0.1', 2)"
    log, _ = messages_of(toy, "forget", sockets=[3], connections=[ends])
    assert log["params"] == {"text": "forget [3] [(('192.0.2.1', 1), ('198.18.0.1', 2))]"}


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        (b"{", -32700, "no JSON"),
        (b"\xff\xfe", -32700, "no JSON"),
        (b"[1]", -32600, "no JSON-RPC 2.0 request"),
        (b'{"jsonrpc": "2.0", "id": {}, "method": "state"}', -32600, "an id must be"),
        (b'{"jsonrpc": "2.0", "id": 7, "method": "fly", "params": {}}', -32601, "no method 'fly'"),
        (b'{"jsonrpc": "2.0", "id": 7, "method": "bind", "params": {"socket": 3}}', -32602, "address"),
        (b'{"jsonrpc": "2.0", "id": 7, "method": "send", "params": {"socket": 3, "data": "xy", "flags": []}}', -32602, "send"),
        (b'{"jsonrpc": "2.0", "id": 7, "method": "configure", "params": {"clock": "virtual", "interface": {}}}', -32602, "interface"),
        (b'{"jsonrpc": "2.0", "id": 7, "method": "sockatmark", "params": {"socket": 3}}', -32603, "ValueError: the stack broke"),
        (b'{"jsonrpc": "2.0", "id": 7, "method": "state", "params": {"local": 3}}', -32602, "an end is an address and a port"),
    ],
)
def test_what_cannot_be_carried_out_is_an_error_and_no_end(toy: Speaker, line: bytes, code: int, says: str) -> None:
    toy.begin()
    toy.write(line)
    answer = toy.read()
    assert answer["error"]["code"] == code
    assert says in answer["error"]["message"]
    if "interface" not in says:  # what was configured wrong is not there
        assert toy.result("ioctl", socket=3, request="FIONREAD", blocking=False)["value"] == 0


def test_order_is_kept(toy: Speaker) -> None:
    toy.result("initialize", protocol=1)
    assert "before configure" in toy.ask("reset", seed=1)["error"]["message"]
    assert "has no lunar clock" in toy.ask("configure", clock="lunar", interface=INTERFACE, settings={})["error"]["message"]
    toy.result("configure", clock="real", interface=INTERFACE, settings={})
    assert "before reset" in toy.ask("listen", socket=3, backlog=1, blocking=False)["error"]["message"]
    toy.result("reset", seed=1)
    assert "virtual clock" in toy.ask("advance", to=1)["error"]["message"]


def test_in_real_time_timers_and_frames_need_no_request(toy: Speaker) -> None:
    toy.begin("real")
    assert "next" not in toy.result("setsockopt", socket=3, name="TCP_NODELAY", value=1, blocking=False)
    assert toy.link.recv(100).startswith(b"timer at ")
    recv = toy.send("recv", socket=3, size=10, flags=[], blocking=True)
    assert toy.until(recv)[-1]["method"] == "blocked"
    toy.link.send(b"wake")
    assert toy.until(recv)[-1]["result"] == {"value": b"wake".hex()}


def test_a_line_can_be_long(toy: Speaker) -> None:
    toy.begin()
    assert toy.result("send", socket=3, data="61" * 5_000_000, flags=[], blocking=False)["value"] == 5_000_000


def test_it_ends_with_standard_input_and_prints_elsewhere(toy: Speaker) -> None:
    toy.begin()
    status, errors = toy.end()
    assert status == 0
    assert "this is no message" in errors


@pytest.mark.parametrize("link", ["", "tap:", "fd:x", "fd:999", "carrier pigeon"])
def test_a_link_that_cannot_be_had_is_told(link: str) -> None:
    with Speaker(TOY, link=link) as toy:
        assert "CONFORMANCE_LINK" in toy.ask("initialize", protocol=1)["error"]["message"]


@namespaces
def test_a_tap_device_is_a_link() -> None:
    from conformance.link.tap_pair import TapPair
    from conformance.sut.sdk.link import open_link

    pair = TapPair()
    try:
        with pair.entered():
            link = open_link(f"tap:{pair.name}")
        frame = bytes.fromhex("020000000002020000000001") + b"\x88\xb5" + bytes(50)
        link.write(frame)
        seen = []
        while frame not in seen:
            seen += [frame for _, frame, outgoing in pair.ring.read() if not outgoing]
    finally:
        pair.close()


def test_it_imports_quickly() -> None:
    heavy = "{'pydantic', 'pyroute2', 'scapy', 'numpy', 'dpkt', 'yaml', 'lark', 'asyncio', 'conformance.case'}"
    program = f"import sys, conformance.sut.sdk; assert not {heavy} & set(sys.modules), {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
