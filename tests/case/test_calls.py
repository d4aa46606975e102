"""The notations of calls, results, and what is asked of sockets."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.case import notation
from conformance.case.errors import CaseError
from conformance.case.steps import (
    STATES,
    Address,
    AnyValue,
    Call,
    Errno,
    Exact,
    Flags,
    Name,
    Range,
    Text,
    Var,
)
from conformance.case.vocabulary import CALLS, ERRNOS


@pytest.mark.parametrize(
    ("text", "call"),
    [
        ("s = socket()", Call("socket", (), "s")),
        ("socket(SOCK_DGRAM)", Call("socket", (Name("SOCK_DGRAM"),))),
        ("s = socket(AF_INET6, SOCK_STREAM, 300) = EPROTONOSUPPORT",
         Call("socket", (Name("AF_INET6"), Name("SOCK_STREAM"), Exact(300)), "s", Errno("EPROTONOSUPPORT"))),
        ("bind(s, port)", Call("bind", (Name("s"), Name("port")))),
        ("bind(s, any:port)", Call("bind", (Name("s"), Address("any", "port")))),
        ("bind(s, sut:0) = 0", Call("bind", (Name("s"), Address("sut", 0)), None, Exact(0))),
        ("bind(s, 80) = EACCES", Call("bind", (Name("s"), Exact(80)), None, Errno("EACCES"))),
        ("connect(s, peer2:peer_port)", Call("connect", (Name("s"), Address("peer2", "peer_port")))),
        ("c=accept(s)", Call("accept", (Name("s"),), "c")),
        ("accept(s) = EWOULDBLOCK", Call("accept", (Name("s"),), None, Errno("EAGAIN"))),
        ("send(c, 1000, MSG_OOB) = 1..1000", Call("send", (Name("c"), Exact(1000), Name("MSG_OOB")), None, Range(1, 1000))),
        ('send(c, "a\\x00")', Call("send", (Name("c"), Text(b"a\0")))),
        ("recv(c, 10, MSG_PEEK|MSG_DONTWAIT) = *", Call("recv", (Name("c"),
             Exact(10), Flags(("MSG_PEEK", "MSG_DONTWAIT"))), None, AnyValue())),
        ('recv(c, 5) = "hello"', Call("recv", (Name("c"), Exact(5)), None, Text(b"hello"))),
        ("shutdown(c, SHUT_WR)", Call("shutdown", (Name("c"), Name("SHUT_WR")))),
        ("setsockopt(s, SO_LINGER, 1, 0)", Call("setsockopt", (Name("s"), Name("SO_LINGER"), Exact(1), Exact(0)))),
        ('setsockopt(s, TCP_CONGESTION, "reno")', Call("setsockopt", (Name("s"), Name("TCP_CONGESTION"), Text(b"reno")))),
        ("getsockopt(s, SO_ERROR) = $error+1", Call("getsockopt", (Name("s"), Name("SO_ERROR")), None, Var("error", 1))),
        ("getsockname(c) = sut:port", Call("getsockname", (Name("c"),), None, Address("sut", "port"))),
        ("poll(c) = POLLIN", Call("poll", (Name("c"),), None, Flags(("POLLIN",)))),
        ("poll(c) = POLLIN|POLLOUT", Call("poll", (Name("c"),), None, Flags(("POLLIN", "POLLOUT")))),
    ],
)  # fmt: skip
def test_calls(text: str, call: Call) -> None:
    parsed = notation.call(text)
    assert parsed.text == text
    assert (parsed.function, parsed.args, parsed.target, parsed.result) == (call.function, call.args, call.target, call.result)


@pytest.mark.parametrize(
    ("text", "column", "found", "expected"),
    [
        ("", 1, "the end", "a call such as s = socket()"),
        ("acept(s)", 1, "acept", "did you mean accept?"),
        ("c = acept(s)", 5, "acept", "did you mean accept?"),
        ("accept()", 1, "0 arguments", "accept(s)"),
        ("accept(s, 1)", 1, "2 arguments", "accept(s)"),
        ("accept s", 8, "s", "a call such as s = socket()"),
        ("send(c 1)", 8, "1", "a comma"),
        ("send(c, 1) =", 13, "the end", "a result such as"),
        ("send(c, foo)", 9, "foo", 'a number of octets or a text such as "hello"'),
        ("send(1, 1)", 6, "1", "a socket's name"),
        ("send(port, 1)", 6, "port", "no port's name"),
        ("r = connect(s)", 1, "r =", "connect(…) = $name"),
        ("S = socket()", 1, "S", "a small letter first"),
        ("port = socket()", 1, "port", "no port's name"),
        ("shutdown(c, SHUT_W)", 13, "SHUT_W", "did you mean SHUT_WR?"),
        ("setsockopt(s, TCP_NODELEY, 1)", 15, "TCP_NODELEY", "did you mean TCP_NODELAY?"),
        ("send(c, 1, MSG_OOB|MSG_PEAK)", 12, "MSG_PEAK", "did you mean MSG_PEEK?"),
        ("bind(s, sot:port)", 9, "sot", "did you mean sut?"),
        ("bind(s, sut:prt)", 13, "prt", "did you mean port?"),
        ("bind(s, sut:70000)", 13, "70000", "0..65535"),
        ("bind(s, prot)", 9, "prot", "did you mean port?"),
        ("send(c, 1) = EAGIAN", 14, "EAGIAN", "did you mean EAGAIN?"),
        ("poll(c) = POLLINN", 11, "POLLINN", "did you mean POLLIN?"),
        ("poll(c) = POLLIN|POLLUOT", 11, "POLLUOT", "did you mean POLLOUT?"),
        ("send(c, 1) = nothing", 14, "nothing", "an errno name"),
        ("send(c, 1) = 5..1", 14, "5..1", "the lower end first"),
        ("socket(AF_APPLETALK)", 8, "AF_APPLETALK", "AF_INET"),
    ],
)  # fmt: skip
def test_mistakes_in_calls(text: str, column: int, found: str, expected: str) -> None:
    with pytest.raises(CaseError) as caught:
        notation.call(text)
    assert (caught.value.column, caught.value.found) == (column, found)
    assert expected in str(caught.value)


def test_each_call_has_a_usage_that_is_right() -> None:
    for function, signature in CALLS.items():
        for usage in signature.usage.split(" or "):
            assert notation.call(usage).function == function


def test_calls_that_block_have_a_name_and_no_result() -> None:
    assert notation.start("r = connect(s)").target == "r"
    with pytest.raises(CaseError, match=r"r = connect\(…\)"):
        notation.start("connect(s)")
    with pytest.raises(CaseError) as caught:
        notation.start("r = connect(s) = 0")
    assert (caught.value.column, caught.value.found, caught.value.expected) == (18, "0", "the result in its finish step")


def test_finish() -> None:
    assert notation.finish("r = 0") == ("r", Exact(0))
    assert notation.finish("r = ETIMEDOUT") == ("r", Errno("ETIMEDOUT"))
    assert notation.finish("c") == ("c", None)


def test_errno_names_are_those_of_the_system() -> None:
    assert ERRNOS["EWOULDBLOCK"] == "EAGAIN"
    assert all(getattr(errno, name) for name in ERRNOS.values())


def test_states() -> None:
    for name in STATES:
        assert notation.state(f"c {name}") == ("c", name)
        assert notation.state(name) == (None, name)
    assert notation.states("c SYN-SENT → ESTABLISHED") == ("c", ("SYN-SENT", "ESTABLISHED"))
    assert notation.states("FIN-WAIT-1->FIN-WAIT-2 -> TIME-WAIT") == (None, ("FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT"))


def test_sockopt_and_info() -> None:
    assert notation.sockopt("c TCP_MAXSEG = 1460") == ("c", "TCP_MAXSEG", Exact(1460))
    assert notation.sockopt("c SO_ERROR = ECONNRESET") == ("c", "SO_ERROR", Errno("ECONNRESET"))
    ms = 1_000_000
    assert notation.info("c mss = 1460, rto = 200ms..300ms, cwnd=1..10, rtt = *, unacked = $n, ato = 40ms") == (
        "c",
        (
            ("snd_mss", Exact(1460)), ("rto", Range(200 * ms, 300 * ms)), ("snd_cwnd", Range(1, 10)), ("rtt", AnyValue()),
            ("unacked", Var("n")), ("ato", Exact(40 * ms)),
        ),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("parse", "text", "column", "found", "expected"),
    [
        (notation.state, "c ESTAB", 3, "ESTAB", "did you mean ESTABLISHED?"),
        (notation.state, "c FIN_WAIT_1", 3, "FIN_WAIT_1", "did you mean FIN-WAIT-1?"),
        (notation.state, "c", 2, "the end", "a state such as ESTABLISHED"),
        (notation.state, "", 1, "the end", "a socket and a state"),
        (notation.states, "c SYN-SENT", 11, "the end", "→ and the next state"),
        (notation.states, "c SYN-SENT → ", 13, "the end", "a state such as ESTABLISHED"),
        (notation.states, "c SYN-SENT → OPEN", 14, "OPEN", "ESTABLISHED"),
        (notation.sockopt, "c TCP_MAXSG = 3", 3, "TCP_MAXSG", "did you mean TCP_MAXSEG?"),
        (notation.sockopt, "c", 2, "the end", "a socket option such as TCP_NODELAY"),
        (notation.info, "c ms = 3", 3, "ms", "did you mean mss?"),
        (notation.info, "c rto = 300", 9, "300", "a duration such as"),
        (notation.info, "c mss = 3ms", 9, "3ms", "a number without a unit"),
        (notation.info, "c mss", 6, "the end", "="),
        (notation.finish, "", 1, "the end", "the name of a call that was started"),
        (notation.finish, "R = 0", 1, "R", "a small letter first"),
    ],
)  # fmt: skip
def test_mistakes(parse: Callable[[str], Any], text: str, column: int, found: str, expected: str) -> None:
    with pytest.raises(CaseError) as caught:
        parse(text)
    assert (caught.value.column, caught.value.found) == (column, found)
    assert expected in str(caught.value)


_PIECES = st.sampled_from(
    ["s", "c", " ", "=", "socket", "send", "(", ")", ",", "1000", "..",
    "*", "$x", '"', "\\x", "port", ":", "|", "MSG_OOB", "EAGAIN", "POLLIN",
     "LISTEN", "→", "->", "TCP_NODELAY", "mss", "rto", "5ms", "99999999999999999999999", "\ud800"]
)  # fmt: skip


@given(st.one_of(st.text(), st.lists(_PIECES, max_size=20).map("".join)))
def test_any_text_is_what_it_should_be_or_a_case_error(text: str) -> None:
    parsers: list[Callable[[str], Any]] = [
        notation.call, notation.start, notation.finish, notation.state, notation.states, notation.sockopt, notation.info,
    ]  # fmt: skip
    for parse in parsers:
        try:
            parse(text)
        except CaseError as error:
            assert 1 <= error.column <= len(text) + 1
            assert error.wanted
