"""conformance path: the walks through the reference stack, for readers and for programs."""

from __future__ import annotations

from json import loads
from typing import Any

import pytest

from conformance.stack.walks import WALKS

from .program import conformance, here


@pytest.mark.parametrize("name", WALKS)
def test_each_walk_is_printed_as_a_plain_tree_with_a_place_for_each_layer(name: str) -> None:
    done = here("path", name)
    assert (done.status, done.err) == (0, "") and "\x1b" not in done.out
    title, root, *lines = done.out.splitlines()
    assert title.startswith(WALKS[name].title) and root.split()[0] == WALKS[name].root and root.endswith(".py")
    assert all(line.lstrip()[0] in "│├└" for line in lines)
    assert all(line.endswith(".py") or "SS_" in line or "sleeps" in line for line in lines)


def test_states_stand_where_they_change() -> None:
    lines = [line.lstrip("│├└─\xa0 ") for line in here("path", "connect").out.splitlines()]
    syn_sent = lines.index("tcp_set_state  CLOSED → SYN-SENT  tcp_states.py")
    connecting = lines.index("SS_UNCONNECTED → SS_CONNECTING")
    assert lines.index("tcp_v4_connect  tcp_ipv4.py") < syn_sent < lines.index("tcp_connect  tcp_write_queue.py") < connecting
    assert lines[-1] == "SS_CONNECTING → SS_CONNECTED"
    assert any("LISTEN → SYN-RECEIVED (request sock)" in line for line in here("path", "syn").out.splitlines())


def test_a_narrow_pipe_breaks_no_line() -> None:
    narrow = conformance("path", "ack", env={"COLUMNS": "30", "PYTHONIOENCODING": "utf-8"})
    assert narrow.out == here("path", "ack").out


def test_json_is_nested_objects_of_the_same_layers() -> None:
    shown = loads(here("path", "listen", "--json").out)
    assert (shown["name"], shown["title"]) == ("listen", WALKS["listen"].title)
    assert shown["path"]["layer"] == "sys_listen" and shown["path"]["file"] == "conformance/stack/socket.py"
    names = [found["layer"] for found in _layers(shown["path"])]
    assert names == [line.lstrip("│├└─\xa0 ").split()[0] for line in here("path", "listen").out.splitlines()[1:]]
    (state,) = (step["state"] for found in _layers(shown["path"]) for step in found.get("steps", []) if "state" in step)
    assert state == {"of": "sock", "from": "CLOSED", "to": "LISTEN"}


def _layers(layer: dict[str, Any]) -> list[dict[str, Any]]:
    return [layer, *(found for step in layer.get("steps", []) if "layer" in step for found in _layers(step))]


@pytest.mark.parametrize(("arguments", "words"), [((), "missing"), (("conect",), "'conect'"), (("SYN",), "'SYN'"), (("",), "missing")])
def test_without_a_name_that_it_knows_it_says_which_there_are(arguments: tuple[str, ...], words: str) -> None:
    done = here("path", *arguments)
    said = done.err.splitlines()[-1]
    assert (done.status, done.out) == (2, "") and words in said and said.endswith(", ".join(WALKS))


def test_help_names_them_too() -> None:
    said = " ".join(here("path", "--help").out.split())
    assert all(f" {name}" in said for name in WALKS)
