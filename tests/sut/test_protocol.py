"""The SUT protocol's messages: what is right is read, and whatever else an adapter says is a ProtocolFault that shows it, in few words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.case.vocabulary import CALLS
from conformance.sut.base import Host, Outcome
from conformance.sut.protocol import (
    STATES,
    Message,
    Moved,
    ProtocolFault,
    connection_params,
    describe,
    encode,
    figures,
    moved,
    outcome,
    parameters,
    parse,
    state_name,
)
from conformance.trace import Endpoints
from conformance.wire.segment import Family

LONGEST = 700
"""Characters of an error: a list of all states, and what was said."""
quick = settings(max_examples=300, deadline=None)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
PEER = Host(bytes([198, 18, 0, 1]), 40000)
PEER6 = Host(bytes.fromhex("20010db8000100000000000000000001"), 40000)


def fault_of(function: Any, *arguments: Any) -> str:
    """What is said of something wrong; empty if it is not wrong."""
    try:
        function(*arguments)
    except ProtocolFault as fault:
        assert len(str(fault)) <= LONGEST and "\n" not in str(fault)
        return str(fault)
    return ""


# Messages -------------------------------------------------------------------------------------------------------------


def test_a_request_is_a_line() -> None:
    line = encode(7, "send", {"data": "00", "text": "a\nb"})
    assert line.count(b"\n") == 1 and line.endswith(b"\n")
    assert json.loads(line) == {"jsonrpc": "2.0", "id": 7, "method": "send", "params": {"data": "00", "text": "a\nb"}}


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"id": 3, "result": {"value": 1}}, Message(3, result={"value": 1})),
        ({"id": 3, "result": {}, "more": 1}, Message(3)),
        ({"method": "log", "params": {"text": "ü"}}, Message(None, "log", {"text": "ü"})),
        ({"method": "log"}, Message(None, "log")),
        ({"method": "log", "id": None, "params": {}}, Message(None, "log")),
        ({"id": 3, "error": {"code": -32601, "message": "no such method"}}, Message(3, error="no such method")),
        ({"id": 3, "error": {"code": 1}}, Message(3, error='{"code": 1}')),
        ({"id": 3, "error": "broken"}, Message(3, error="broken")),
    ],
)
def test_what_is_right_is_read(said: dict[str, object], message: Message) -> None:
    assert parse(json.dumps({"jsonrpc": "2.0", **said}).encode()) == message
    assert parse(json.dumps({"jsonrpc": "2.0", **said}, ensure_ascii=False).encode() + b"\r\n") == message


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"", "printed what is no message: "),
        (b"hello", "printed what is no message: hello"),
        (b"{}{}", "printed what is no message: {}{}"),
        (b"\xff\xfe\x80", "printed what is no message: "),
        (b"1" * 10_000, "printed what is no message: 1111"),
        (b"[" * 1_000_000, "printed what is no message: [[[["),
        (b'"\x1b[31mred"', "printed what is no message: "),
        (b"null", "printed what is no JSON-RPC 2.0 message"),
        (b'{"id": 1, "result": {}}', "printed what is no JSON-RPC 2.0 message"),
        (b'{"jsonrpc": 2.0, "id": 1, "result": {}}', "printed what is no JSON-RPC 2.0 message"),
        (b'{"jsonrpc": "2.0"}', "answered without the id of a request"),
        (b'{"jsonrpc": "2.0", "id": null, "error": {"code": -32700, "message": "not JSON"}}', "answered without the id of a request"),
        (b'{"jsonrpc": "2.0", "id": true, "result": {}}', "answered without the id of a request"),
        (b'{"jsonrpc": "2.0", "id": 1.5, "result": {}}', "answered without the id of a request"),
        (b'{"jsonrpc": "2.0", "id": "1", "result": {}}', "answered without the id of a request"),
        (b'{"jsonrpc": "2.0", "id": 1}', "answered with neither result nor error"),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "log", "params": {}}', "answered with neither result nor error"),
        (b'{"jsonrpc": "2.0", "id": 1, "result": null}', "a result must be an object, not null"),
        (b'{"jsonrpc": "2.0", "id": 1, "result": [1]}', "a result must be an object, not [1]"),
        (b'{"jsonrpc": "2.0", "method": "log", "params": "x"}', "the parameters of log must be an object, not x"),
        (b'{"jsonrpc": "2.0", "method": 5, "params": {}}', "answered without the id of a request"),
    ],
)
def test_what_is_no_message_is_shown(line: bytes, says: str) -> None:
    found = fault_of(parse, line)
    assert found.startswith(says)
    assert found.isprintable()


@pytest.mark.parametrize("depth", [*range(950, 1001), 5000])
@pytest.mark.parametrize(
    "around",
    ["%s", '{"jsonrpc": "2.0", "id": %s}', '{"jsonrpc": "2.0", "id": 1, "error": %s}', '{"jsonrpc": "2.0", "id": 1, "result": %s}'],
)
def test_what_is_nested_deeply_breaks_nothing(around: str, depth: int) -> None:
    for opens, closes in (("[", "]"), ('{"a":', "}")):
        fault_of(parse, (around % (opens * depth + "1" + closes * depth)).encode())


@quick
@given(st.binary(max_size=200))
def test_any_octets_are_a_message_or_none(line: bytes) -> None:
    fault_of(parse, line)


@quick
@given(
    st.fixed_dictionaries({"jsonrpc": st.just("2.0") | JSON}, optional=dict.fromkeys(("id", "method", "params", "result", "error"), JSON))
)
def test_any_object_is_a_message_or_none(said: dict[str, object]) -> None:
    fault_of(parse, json.dumps(said).encode())


# initialize -----------------------------------------------------------------------------------------------------------

GOOD: dict[str, Any] = {
    "protocol": 1, "name": "lwip", "version": "2.1.3", "clocks": ["virtual", "real"], "shared": False,
    "capabilities": ["ipv4", "states"], "calls": ["socket", "bind"], "options": ["TCP_NODELAY"], "flags": ["MSG_PEEK"],
    "settings": {"mtu": "any", "timestamps": ["off"], "syn_retries": [6, 3]},
}  # fmt: skip


def test_a_description_is_read() -> None:
    found = describe(GOOD)
    assert (found.name, found.version, found.clocks, found.shared) == ("lwip", "2.1.3", ("virtual", "real"), False)
    assert found.features == {"ipv4", "states", "call socket", "call bind", "option TCP_NODELAY", "flag MSG_PEEK"}
    assert found.settings == {"mtu": None, "timestamps": ("off",), "syn_retries": (6, 3)}


def test_what_a_newer_adapter_names_is_left_out() -> None:
    newer = {name: [*value, "quantum"] if isinstance(value, list) else value for name, value in GOOD.items()}
    newer["settings"] = {**GOOD["settings"], "quantum": ["on"], "nonsense": 5}
    assert describe({**newer, "quantum": 1}) == describe(GOOD)


def test_little_is_enough() -> None:
    found = describe({"protocol": 1, "name": "x", "version": "0", "clocks": ["real"]})
    assert not found.features and not found.settings and not found.shared


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"protocol": 2}, "speaks version 2 of the protocol; this tester speaks 1"),
        ({"protocol": None}, "speaks version null"),
        ({"name": ""}, "initialize must give name, a string that is not empty"),
        ({"name": 5}, "it is 5"),
        ({"version": None}, "initialize must give version"),
        ({"clocks": []}, "clocks must name virtual or real: []"),
        ({"clocks": ["lunar"]}, "clocks must name virtual or real"),
        ({"clocks": "real"}, "clocks must be a list of names, not real"),
        ({"clocks": [["real"]]}, "clocks must be a list of names"),
        ({"shared": "yes"}, "shared must be true or false, not yes"),
        ({"shared": True, "clocks": ["virtual"]}, "shared is for the real clock only"),
        ({"capabilities": {"ipv4": True}}, "capabilities must be a list of names"),
        ({"calls": [1]}, "calls must be a list of names, not [1]"),
        ({"settings": ["mtu"]}, "settings must be an object"),
        ({"settings": {"mtu": 1500}}, 'settings.mtu must be "any" or a list of values, not 1500'),
        ({"settings": {"mtu": []}}, 'settings.mtu must be "any" or a list of values, not []'),
    ],
)
def test_a_description_that_is_wrong_is_told(change: dict[str, object], says: str) -> None:
    assert says in fault_of(describe, {**GOOD, **change})


@quick
@given(st.fixed_dictionaries({}, optional={name: st.just(value) | JSON for name, value in GOOD.items()}))
def test_any_description_is_one_or_not(said: dict[str, Any]) -> None:
    fault_of(describe, said)


@pytest.mark.parametrize(
    ("config", "lacks"),
    [
        ({}, None),
        ({"mtu": 576, "timestamps": False, "syn_retries": 3}, None),
        ({"timestamps": True}, "lwip has timestamps off only"),
        ({"syn_retries": 5}, "lwip has syn_retries 6 or 3 only"),
        ({"sack": False, "mtu": 1500}, "lwip has no setting for sack"),
    ],
)
def test_what_it_cannot_be_configured_to(config: dict[str, object], lacks: str | None) -> None:
    assert describe(GOOD).lacks(config) == lacks


# Calls ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "arguments", "params"),
    [
        ("socket", [], {"domain": "AF_INET", "type": "SOCK_STREAM", "protocol": 0}),
        ("socket", ["SOCK_DGRAM"], {"domain": "AF_INET", "type": "SOCK_DGRAM", "protocol": 0}),
        ("socket", ["AF_INET6", "SOCK_STREAM", "IPPROTO_TCP"], {"domain": "AF_INET6", "type": "SOCK_STREAM", "protocol": "IPPROTO_TCP"}),
        ("bind", [3, Host(bytes(4), 5000)], {"socket": 3, "address": "0.0.0.0", "port": 5000}),
        ("bind", [6, Host(bytes(4), 5000)], {"socket": 6, "address": "::", "port": 5000}),
        ("listen", [3, -1], {"socket": 3, "backlog": -1}),
        ("connect", [3, PEER], {"socket": 3, "address": "198.18.0.1", "port": 40000}),
        ("connect", [6, PEER6], {"socket": 6, "address": "2001:db8:1::1", "port": 40000}),
        ("connect", [3, Host(b"", 0)], {"socket": 3, "address": None, "port": 0}),
        ("accept", [3], {"socket": 3}),
        ("send", [4, b"\0\xff"], {"socket": 4, "data": "00ff", "flags": []}),
        ("send", [4, b"", "MSG_OOB|MSG_MORE"], {"socket": 4, "data": "", "flags": ["MSG_OOB", "MSG_MORE"]}),
        ("recv", [4, 100, "MSG_PEEK"], {"socket": 4, "size": 100, "flags": ["MSG_PEEK"]}),
        ("shutdown", [4, "SHUT_WR"], {"socket": 4, "how": "SHUT_WR"}),
        ("setsockopt", [4, "TCP_NODELAY", 1], {"socket": 4, "name": "TCP_NODELAY", "value": 1}),
        ("setsockopt", [4, "SO_LINGER", 1, 5], {"socket": 4, "name": "SO_LINGER", "value": [1, 5]}),
        ("setsockopt", [4, "IP_OPTIONS", b"\x07\x03"], {"socket": 4, "name": "IP_OPTIONS", "value": "0703"}),
        ("getsockopt", [4, "SO_ERROR"], {"socket": 4, "name": "SO_ERROR"}),
        ("ioctl", [4, "FIONREAD"], {"socket": 4, "request": "FIONREAD"}),
        ("close", [4], {"socket": 4}),
    ],
)
def test_a_call_has_its_arguments_by_name(function: str, arguments: list[Any], params: dict[str, object]) -> None:
    assert parameters(function, arguments, Family.IPV4, {3: "AF_INET", 6: "AF_INET6"}) == params


def test_a_call_that_there_is_not_is_a_mistake_of_the_tester() -> None:
    for function, arguments in (("bind", [3, 5]), ("listen", [3, 1, 2]), ("send", [3, 7])):
        with pytest.raises(TypeError, match=function):
            parameters(function, arguments, Family.IPV4, {})


def test_ends_are_named() -> None:
    ends = Endpoints("default", PEER.address, PEER.port, bytes([192, 0, 2, 1]), 5000, 0, None)
    named = {"local": {"address": "192.0.2.1", "port": 5000}, "remote": {"address": "198.18.0.1", "port": 40000}}
    assert connection_params(3, ends) == {"socket": 3, **named}
    assert connection_params(None, None) == {"socket": None, "local": None, "remote": None}


# Results --------------------------------------------------------------------------------------------------------------

HOST = {"address": "198.18.0.1", "port": 40000}


@pytest.mark.parametrize(
    ("function", "params", "result", "expected"),
    [
        ("socket", {}, {"value": 0}, Outcome(0)),
        ("bind", {}, {}, Outcome(0)),
        ("bind", {}, {"errno": "EADDRINUSE", "next": 5}, Outcome(error="EADDRINUSE")),
        ("recv", {}, {"errno": "EWOULDBLOCK"}, Outcome(error="EAGAIN")),
        ("accept", {}, {"value": 4, **HOST}, Outcome(4, peer=PEER)),
        ("accept", {}, {"value": 4, "address": "2001:db8:1::1", "port": 40000}, Outcome(4, peer=PEER6)),
        ("recv", {"flags": []}, {"value": "00fF"}, Outcome(b"\0\xff")),
        ("recv", {"flags": []}, {"value": ""}, Outcome(b"")),
        ("recv", {"flags": ["MSG_TRUNC"]}, {"value": 7}, Outcome(7)),
        ("recv", {"flags": ["MSG_ERRQUEUE"]}, {"value": "EHOSTUNREACH icmp 3 1 0"}, Outcome("EHOSTUNREACH icmp 3 1 0")),
        ("send", {}, {"value": 9}, Outcome(9)),
        ("poll", {}, {"value": ["POLLOUT", "POLLIN", "POLLNEW"]}, Outcome("POLLIN|POLLOUT")),
        ("poll", {}, {"value": []}, Outcome(0)),
        ("getsockname", {}, HOST, Outcome(PEER)),
        ("getsockopt", {"name": "SO_ERROR"}, {"value": 0}, Outcome(0)),
        ("getsockopt", {"name": "SO_ERROR"}, {"value": "ECONNRESET"}, Outcome("ECONNRESET")),
        ("getsockopt", {"name": "TCP_MAXSEG"}, {"value": 536}, Outcome(536)),
        ("getsockopt", {"name": "TCP_CONGESTION"}, {"value": b"reno".hex()}, Outcome(b"reno")),
        ("getsockopt", {"name": "SO_LINGER"}, {"value": [1, 5]}, Outcome(1)),
        ("close", {}, {"value": "whatever"}, Outcome(0)),
    ],
)
def test_a_result_is_what_a_case_compares(function: str, params: dict[str, object], result: dict[str, object], expected: Outcome) -> None:
    assert outcome(function, params, result) == expected


@pytest.mark.parametrize(
    ("function", "params", "result"),
    [
        ("socket", {}, {}),
        ("socket", {}, {"value": True}),
        ("socket", {}, {"value": "3"}),
        ("accept", {}, {"value": 4}),
        ("accept", {}, {"value": 4, "address": "198.18.0.1", "port": 65536}),
        ("accept", {}, {"value": 4, "address": "198.18.0.1", "port": None}),
        ("accept", {}, {"value": 4, "address": "198.18.0", "port": 1}),
        ("accept", {}, {"value": 4, "address": "fe80::1%eth0", "port": 1}),
        ("accept", {}, {"value": 4, "address": "::\0", "port": 1}),
        ("accept", {}, {"value": 4, "address": "\ud800", "port": 1}),
        ("recv", {"flags": []}, {"value": 5}),
        ("recv", {"flags": []}, {"value": "abc"}),
        ("recv", {"flags": []}, {"value": "zz"}),
        ("recv", {"flags": ["MSG_TRUNC"]}, {"value": "00"}),
        ("poll", {}, {"value": "POLLIN"}),
        ("getsockopt", {"name": "TCP_MAXSEG"}, {"value": None}),
        ("getsockopt", {"name": "TCP_MAXSEG"}, {"value": 1.5}),
        ("getsockopt", {"name": "SO_LINGER"}, {"value": [1]}),
        ("bind", {}, {"errno": 98}),
        ("bind", {}, {"errno": "EADDRINUSED"}),
        ("bind", {}, {"errno": ["EIO"]}),
        ("bind", {}, {"errno": False}),
    ],
)
def test_a_result_that_is_wrong_is_told(function: str, params: dict[str, object], result: dict[str, object]) -> None:
    assert fault_of(outcome, function, params, result).startswith(function)


@quick
@given(st.sampled_from(sorted(CALLS)), st.lists(st.sampled_from(["MSG_TRUNC", "MSG_PEEK", "MSG_ERRQUEUE"])), st.data())
def test_any_result_is_one_or_not(function: str, flags: list[str], data: st.DataObject) -> None:
    result = data.draw(st.fixed_dictionaries({}, optional=dict.fromkeys(("value", "errno", "address", "port"), JSON)))
    fault_of(outcome, function, {"flags": flags, "name": "SO_LINGER"}, result)


# States and figures ---------------------------------------------------------------------------------------------------


def test_a_change_is_read() -> None:
    local = {"address": "192.0.2.1", "port": 5000}
    move = {"local": local, "remote": HOST, "old": "LISTEN", "new": "SYN-RECEIVED", "time": 12}
    assert moved(move) == Moved(5000, PEER.address, 40000, "LISTEN", "SYN-RECEIVED", 12)
    listens = {"local": local, "remote": None, "old": "CLOSED", "new": "LISTEN"}
    assert moved(listens) == Moved(5000, b"", 0, "CLOSED", "LISTEN", None)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"old": "closed"}, "closed is no state"),
        ({"new": None}, "null is no state"),
        ({"new": ["LISTEN"]}, "is no state"),
        ({"local": "192.0.2.1:5000"}, "stateChanged names no two ends"),
        ({"remote": {"address": "198.18.0.1"}}, "stateChanged names no two ends"),
        ({"remote": {"address": 1, "port": 1}}, "stateChanged names no two ends"),
        ({"time": "now"}, "stateChanged names no two ends"),
    ],
)
def test_a_change_that_is_wrong_is_told(change: dict[str, object], says: str) -> None:
    move = {"local": {"address": "192.0.2.1", "port": 5000}, "remote": HOST, "old": "LISTEN", "new": "SYN-RECEIVED"}
    assert says in fault_of(moved, {**move, **change})


@quick
@given(st.fixed_dictionaries({}, optional=dict.fromkeys(("local", "remote", "old", "new", "time"), JSON)))
def test_any_change_is_one_or_not(move: dict[str, object]) -> None:
    fault_of(moved, move)
    fault_of(moved, {"old": "LISTEN", "new": "CLOSED", **move})


@quick
@given(JSON)
def test_any_state_is_one_or_not(value: object) -> None:
    assert bool(fault_of(state_name, value)) is (value not in STATES)


def test_figures_are_whole_numbers() -> None:
    assert figures({"snd_cwnd": 10, "rto": 200_000_000, "of_its_own": "x", "next": None}) == {"snd_cwnd": 10, "rto": 200_000_000}
    for value in (1.5, "1", None, True, [1]):
        assert fault_of(figures, {"snd_cwnd": value}).startswith("info gives figures that are no whole numbers")
