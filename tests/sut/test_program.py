"""An adapter's process: lines and frames in order, whatever it does with its descriptors, and nothing left of it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from conformance.sut.base import SutFault
from conformance.sut.program import AdapterProcess, patience
from conformance.sut.protocol import Message

BEGIN = """\
import json, os, socket, sys, time
link = socket.socket(fileno=int(os.environ["CONFORMANCE_LINK"].removeprefix("fd:")))
def say(**message): print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)
def hear(): return json.loads(sys.stdin.readline())
"""


@contextmanager
def started(script: str) -> Iterator[AdapterProcess]:
    """A program that is as short as a test wants."""
    process = AdapterProcess((sys.executable, "-S", "-c", BEGIN + script))
    try:
        yield process
    finally:
        process.close()
        assert not process.alive


class Heard:
    """What a process hands over, in order."""

    def __init__(self, process: AdapterProcess) -> None:
        self.all: list[object] = []
        process.on_frame = lambda _, frame: self.all.append(frame)
        process.on_message = lambda message: self.all.append(message.id if message.method == "" else message.method)


def ask(process: AdapterProcess, method: str, **params: object) -> Message:
    return process.wait(process.ask(method, params), method)


def test_an_answer_is_what_came_for_a_request() -> None:
    with started("for line in sys.stdin:\n r = json.loads(line)\n say(id=r['id'], result={'got': r['params']})") as process:
        assert ask(process, "state", a=1).result == {"got": {"a": 1}}
        assert ask(process, "state", b="ü\n").result == {"got": {"b": "ü\n"}}


def test_frames_come_before_the_messages_that_follow_them() -> None:
    script = """
link.send(b"one"); say(method="stateChanged", params={}); link.send(b"two")
say(id=hear()["id"], result={}); say(id=99, result={})
"""
    with started(script) as process:
        heard = Heard(process)
        assert ask(process, "state").id == 1
        assert heard.all in ([b"one", b"two", "stateChanged"], [b"one", "stateChanged", b"two"])
        while 99 not in heard.all:
            process.read()
            process.deliver()


def test_a_call_that_waits_is_told() -> None:
    with started("id = hear()['id']; say(method='blocked', params={'id': id}); say(id=id, result={'value': 4}); hear()") as process:
        heard = Heard(process)
        id = process.ask("accept", {})
        assert process.wait(id, "accept").method == "blocked"
        assert process.wait(id, "accept").result == {"value": 4}
        assert not heard.all


def test_lines_may_come_in_pieces() -> None:
    script = """
id = hear()["id"]
for piece in '{"jsonrpc": "2.0", "id": %d, "result": {"text": "ü"}}' % id, "\\n":
    for octet in piece.encode(): os.write(1, bytes([octet]))
hear()
"""
    with started(script) as process:
        assert ask(process, "state").result == {"text": "ü"}


def test_long_lines_go_both_ways_at_once() -> None:
    """Neither waits for the other to read."""
    script = """
for _ in range(100): say(method="stateChanged", params={"x": "y" * 10000})
request = hear(); say(id=request["id"], result={"size": len(request["params"]["data"]), "data": request["params"]["data"]})
"""
    with started(script) as process:
        heard = Heard(process)
        data = "5a" * 1_000_000
        assert ask(process, "send", data=data).result == {"size": len(data), "data": data}
        assert heard.all == ["stateChanged"] * 100


def test_nothing_is_handed_over_while_a_request_is_being_written() -> None:
    """Who takes it may want to ask something, too, which would land in the middle of the line."""
    script = """
for _ in range(50): link.send(b"frame")
while True:
    request = hear(); say(id=request["id"], result={})
"""
    with started(script) as process:
        asked: list[int] = []
        process.on_frame = lambda *_: asked.append(process.ask("state", {"data": "5a" * 200_000}))
        process.on_message = lambda message: asked.remove(message.id or 0)
        ask(process, "send", data="5a" * 1_000_000)
        while asked:
            process.read()
            process.deliver()


def test_more_frames_than_the_link_holds() -> None:
    """The adapter reads them when it is asked."""
    script = """
import select
count = 0
while count < 1000:
    select.select([link], [], []); count += len(link.recv(100)) == 60; time.sleep(0 if count % 100 else 0.01)
say(id=hear()["id"], result={"count": count})
"""
    with started(script) as process:
        for _ in range(1000):
            process.send(bytes(60))
        assert ask(process, "state").result == {"count": 1000}


def test_offer_does_not_wait() -> None:
    with started("hear()") as process:
        offered = [process.offer(bytes(60)) for _ in range(100_000)]
        assert offered[0] and not offered[-1]


def test_a_frame_has_the_time_at_which_it_left() -> None:
    with started("hear(); link.send(b'x'); time.sleep(0.2); say(id=1, result={}); hear()") as process:
        times: list[int] = []
        process.on_frame = lambda t, _: times.append(t)
        before = time.monotonic_ns()
        ask(process, "advance")
        after = time.monotonic_ns()
        assert before - 1_000_000 <= times[0] <= after - (190_000_000 if sys.platform == "linux" else 0)


def test_what_it_logs_and_writes_is_shown_when_it_dies() -> None:
    script = """
for n in range(100): print("line", n, file=sys.stderr)
os.write(2, b"\\xff\\x00 and no end" + b"x" * 5000)
say(method="log", params={"text": "stack: out of memory"}); say(method="log", params={"text": 5}); say(method="log")
os.abort()
"""
    with started(script) as process:
        with pytest.raises(SutFault) as fault:
            ask(process, "listen")
        said = str(fault.value)
        assert "died of SIGABRT (listen); it wrote: " in said
        assert "stack: out of memory" in said
        assert len(said) < 1500


def test_an_answer_counts_though_it_ends_after_it() -> None:
    with started("id = hear()['id']; say(id=id, result={'value': 1})") as process:
        assert ask(process, "listen").result == {"value": 1}
        with pytest.raises(SutFault, match=r"ended with status 0 \(close\)"):
            ask(process, "close")


def test_it_gets_the_link_and_no_other_descriptor() -> None:
    keep = os.open("/", os.O_RDONLY)
    os.set_inheritable(keep, False)
    script = """
there = [number for number in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{number}")]
say(id=hear()["id"], result={"there": there, "link": link.fileno()})
"""
    try:
        with started(script) as process:
            result = ask(process, "state").result
            assert set(map(int, result["there"])) == {0, 1, 2, result["link"]}
    finally:
        os.close(keep)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_no_descriptor_is_left() -> None:
    def play() -> None:
        with started("say(id=hear()['id'], result={})") as process:
            ask(process, "state")
            process.kill()
            process.kill()
        with pytest.raises(SutFault), started("os.abort()") as process:
            ask(process, "state")
        with pytest.raises(SutFault):
            AdapterProcess(("/nonexistent",))

    play()
    before = os.listdir("/proc/self/fd")
    for _ in range(5):
        play()
    assert os.listdir("/proc/self/fd") == before


def test_patience() -> None:
    assert (patience("reset"), patience("configure"), patience("initialize"), patience("listen")) == (30, 30, 30, 10)
