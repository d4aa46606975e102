"""What a call may return: several results, events that are among others, octets; and calls that ask for them."""

from __future__ import annotations

import pytest

from conformance.case import notation
from conformance.case.calls import octets
from conformance.case.errors import CaseError
from conformance.case.steps import Errno, Exact, Includes, Name, Octets, OneOf, Range, Text, Var

from .folder import HEAD, Folder


def test_one_of_several() -> None:
    assert notation.call("send(c, 1) = EPIPE or 1..2 or $x").result == OneOf((Errno("EPIPE"), Range(1, 2), Var("x")))
    assert notation.finish('r = "or" or 0') == ("r", OneOf((Text(b"or"), Exact(0))))
    assert notation.sockopt("c TCP_MAXSEG = 536 or 1220")[2] == OneOf((Exact(536), Exact(1220)))


def test_events_among_others() -> None:
    assert notation.call("poll(c) includes POLLIN|POLLHUP").result == Includes(("POLLIN", "POLLHUP"))
    assert notation.call("poll(c) excludes POLLOUT").result == Includes(("POLLOUT",), absent=True)


def test_octets_of_an_option() -> None:
    wanted = Octets((bytes.fromhex("830704"), "peer2"))
    assert octets("8307 04 peer2").value({"peer2": b"abcd"}) == b"\x83\x07\x04abcd"
    assert notation.call('setsockopt(s, IP_OPTIONS, "830704 peer2")').args[2] == wanted
    assert notation.call('getsockopt(s, IP_OPTIONS) = "830704 peer2"').result == wanted
    assert notation.sockopt('s IP_OPTIONS = ""')[2] == Octets(())
    assert notation.call('setsockopt(s, TCP_CONGESTION, "0102")').args[2] == Text(b"0102")


def test_calls_of_their_own() -> None:
    assert notation.call("connect(s, AF_UNSPEC)").args == (Name("s"), Name("AF_UNSPEC"))
    assert notation.call("ioctl(c, FIONREAD) = 5").args[1] == Name("FIONREAD")
    assert notation.call("shutdown(c, 99) = EINVAL").args[1] == Exact(99)


@pytest.mark.parametrize(
    ("text", "found", "wanted"),
    [
        ("send(c, 1) = EPIPE or", "the end", "a result such as 1000"),
        ("send(c, 1) = EPIPE or EPIP", "EPIP", "did you mean EPIPE?"),
        ("poll(c) includes", "the end", "events such as POLLIN|POLLOUT"),
        ("poll(c) includes POLLIM", "POLLIM", "did you mean POLLIN?"),
        ("poll(c) includes 3", "3", "events such as POLLIN|POLLOUT"),
        ("bind(s, AF_UNSPEC)", "AF_UNSPEC", "a port or an address"),
        ("ioctl(c, SIOCGIFADDR)", "SIOCGIFADDR", "one of FIONREAD"),
        ("ioctl(c, 3)", "3", "one of FIONREAD"),
        ('setsockopt(s, IP_OPTIONS, "8307 pear")', "pear", "did you mean peer?"),
        ('setsockopt(s, IP_OPTIONS, "830")', "830", "two hexadecimal digits an octet"),
    ],
)
def test_mistakes(text: str, found: str, wanted: str) -> None:
    with pytest.raises(CaseError) as error:
        notation.call(text)
    assert error.value.found == found and wanted in str(error.value)


def test_in_a_file(folder: Folder) -> None:
    steps = "steps:\n  - call: s = socket()\n  - call: send(s, 1) = EPIPE or $n\n  - check: $n < 2\n"
    assert not folder.load(HEAD + steps).errors
    broadcast = folder.error(HEAD + 'steps:\n  - call: s = socket()\n  - call: setsockopt(s, IP_OPTIONS, "830704 broadcast")\n')
    assert broadcast.found == "broadcast" and "families: [ipv4]" in str(broadcast)
