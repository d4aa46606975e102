"""The socket calls and settings that are inferred from packets alone."""

from __future__ import annotations

import pytest

from conformance.capture.import_infer import infer_calls
from conformance.capture.import_packets import Conversation, story_of_packets
from conformance.capture.import_story import Story, StoryError
from conformance.capture.importing import case_data
from tests.capture.dialogue import CLIENT, SERVER, seen

OPENING = """
    0.000 > S 0:0(0) <mss 1460>
    0.001 < S. 0:0(0) ack 1 <mss 1460>
    0.002 > . 1:1(0) ack 1
"""


def story(dialogue: str, side: str = "server") -> Story:
    packets = seen(dialogue)
    made = story_of_packets([Conversation(1, CLIENT, SERVER, packets)], side)
    infer_calls(made)
    return made


def steps(dialogue: str, side: str = "server") -> list[str]:
    """The steps, each by its first words: ``call: send(c, 10) = 10``, ``expect: P?. 1:11(10) ack 1``."""
    data, _ = case_data(story(dialogue, side), "x", ["RFC9293/3.5"])
    written = data["steps"]
    assert isinstance(written, list)
    return [f"{key}: {value}" for step in written for key, value in list(step.items())[:1]]


def calls(dialogue: str, side: str = "server") -> list[str]:
    return [step.removeprefix("call: ") for step in steps(dialogue, side) if step.startswith("call: ")]


SERVER_OPENS = ["s = socket()", "bind(s, port)", "listen(s, 8)", "c = accept(s)"]


def test_a_server_listens_before_the_first_packet_and_accepts_after_the_handshake() -> None:
    assert steps(OPENING) == [
        "call: s = socket()",
        "call: bind(s, port)",
        "call: listen(s, 8)",
        "inject: S 0:0(0) <mss 1460>",
        "expect: S. 0:0(0) ack 1 <mss 1460>",
        "inject: . 1:1(0) ack 1",
        "call: c = accept(s)",
    ]


def test_a_client_connects() -> None:
    assert steps(OPENING, "client") == [
        "call: c = socket()",
        "call: connect(c) = EINPROGRESS",
        "expect: S 0:0(0) <mss 1460>",
        "inject: S. 0:0(0) ack 1 <mss 1460>",
        "expect: . 1:1(0) ack 1",
    ]


def test_nothing_listens_where_a_syn_is_refused() -> None:
    assert steps("0 > S 0:0(0)\n0.001 < R. -2000000:-2000000(0) ack 1") == ["inject: S 0:0(0)", "expect: R. 0:0(0) ack 1"]


def test_a_listener_comes_after_a_refusal() -> None:
    found = steps("0 > S 0:0(0)\n0.001 < R. 0:0(0) ack 1\n1 > S 0:0(0)\n1.001 < S. 0:0(0) ack 1\n1.002 > . 1:1(0) ack 1")
    assert found.index("call: listen(s, 8)") > found.index("inject: S 0:0(0)")


def test_no_accept_where_the_last_segment_of_the_handshake_acknowledges_something_else() -> None:
    assert "c = accept(s)" not in calls("0 > S 0:0(0)\n0.001 < S. 0:0(0) ack 1\n0.002 > . 1:1(0) ack 7\n0.003 < R 7:7(0)")


@pytest.mark.parametrize(
    ("segments", "writes"),
    [
        ("0.1 < P. 1:101(100) ack 1", ["100"]),
        ("0.1 < . 1:1461(1460) ack 1\n0.1001 < P. 1461:1561(100) ack 1", ["1560"]),
        ("0.1 < P. 1:101(100) ack 1\n0.3 < P. 101:201(100) ack 1", ["100", "100"]),
        ("0.1 < P. 1:101(100) ack 1\n0.3 < P. 1:101(100) ack 1", ["100"]),
        ("0.1 < P. 1:101(100) ack 1\n0.2 > . 1:1(0) ack 101\n0.2001 < P. 101:201(100) ack 1", ["100", "100"]),
    ],
    ids=["one", "burst", "later", "retransmitted", "small-then-acknowledged"],
)
def test_writes(segments: str, writes: list[str]) -> None:
    assert [call.partition(", ")[2].partition(")")[0] for call in calls(OPENING + segments) if call.startswith("send")] == writes


def test_what_waits_for_an_acknowledgment_was_written_before() -> None:
    flight = "\n".join(f"0.1 < . {at * 1460 + 1}:{at * 1460 + 1461}(1460) ack 1" for at in range(10))
    more = "0.2 > . 1:1(0) ack 1461\n0.2001 < . 14601:16061(1460) ack 1\n0.2002 < P. 16061:16161(100) ack 1"
    found = story(f"{OPENING}{flight}\n{more}")
    assert calls(f"{OPENING}{flight}\n{more}")[-1] == "send(c, 16160) = 16160"
    assert isinstance(found.config["send_buffer"], int) and found.config["send_buffer"] > 16160


def test_small_segments_without_a_wait_are_not_nagles() -> None:
    found = calls(OPENING + "0.1 < P. 1:11(10) ack 1\n0.101 < P. 11:21(10) ack 1")
    assert "setsockopt(c, TCP_NODELAY, 1)" in found
    assert "setsockopt(c, TCP_NODELAY, 1)" not in calls(
        OPENING + "0.1 < P. 1:11(10) ack 1\n0.2 > . 1:1(0) ack 11\n0.3 < P. 11:21(10) ack 1"
    )


def test_a_probe_of_a_shut_window_has_data_behind_it() -> None:
    found = steps(OPENING.replace("ack 1\n", "ack 1 win 0\n", 2) + "1.0 < . 0:0(0) ack 1\n1.1 > . 1:1(0) ack 1\n1.1001 < P. 1:51(50) ack 1")
    assert found.index("call: send(c, 50) = 50") < found.index("expect: . 0:0(0) ack 1")


def test_keepalives_have_their_options() -> None:
    found = calls(OPENING + "10.0 < . 0:0(0) ack 1\n10.1 > . 1:1(0) ack 1\n13.1 < . 0:0(0) ack 1")
    assert found[4:] == ["setsockopt(c, TCP_KEEPIDLE, 10)", "setsockopt(c, TCP_KEEPINTVL, 3)", "setsockopt(c, SO_KEEPALIVE, 1)"]


def test_what_was_acknowledged_is_read() -> None:
    assert calls(OPENING + "0.1 > P. 1:101(100) ack 1\n0.101 < . 1:1(0) ack 101")[4:] == ["recv(c, 65536) = 100"]


def test_nobody_reads_while_the_window_stays_shut_and_somebody_did_when_it_opens() -> None:
    shut = OPENING + "0.1 > P. 1:1001(1000) ack 1\n0.101 < . 1:1(0) ack 1001 win 0"
    assert calls(shut)[4:] == []
    found = steps(shut + "\n0.5 < . 1:1(0) ack 1001 win 1000")
    assert found[-3:] == ["silence: 399ms", "call: recv(c, 65536) = 1000", "expect: . 1:1(0) ack 1001 win 1..65535"]


def test_urgent_data_is_left_to_who_knows_how_it_was_read() -> None:
    found = calls(OPENING + "0.1 > PU. 1:6(5) ack 1 urg 5\n0.101 < . 1:1(0) ack 6")
    assert found == SERVER_OPENS


@pytest.mark.parametrize(
    ("segments", "ending"),
    [
        ("0.1 < F. 1:1(0) ack 1", ["shutdown(c, SHUT_WR)"]),
        ("0.1 < F. 1:1(0) ack 1\n0.2 > P. 1:11(10) ack 2\n0.201 < R 2:2(0)", ["close(c)"]),
        ("0.1 < R. 1:1(0) ack 1", ["setsockopt(c, SO_LINGER, 1, 0)", "close(c)"]),
        ("0.1 > S 1:1(0)\n0.1001 < R. 1:1(0) ack 1", []),
        ("0.1 < FP. 1:11(10) ack 1", ["send(c, 10, MSG_MORE) = 10", "shutdown(c, SHUT_WR)"]),
    ],
    ids=["fin", "closed", "aborted", "answered", "fin-with-data"],
)
def test_endings(segments: str, ending: list[str]) -> None:
    assert calls(OPENING + segments)[4:] == ending


def test_settings_from_the_syns() -> None:
    offer = "0 > S 0:0(0) <mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7>"
    taken = f"{offer}\n0.001 < S. 0:0(0) ack 1 <mss 1460,sackOK>"
    assert story(taken).config == {"timestamps": "off", "window_scaling": "off"}
    own = "0 > SEW 0:0(0) <mss 1460,nop,wscale 7>\n0.001 < S. 0:0(0) ack 1 <mss 1460>"
    assert story(own, "client").config == {"timestamps": "off", "sack": "off", "ecn": "on"}
    refused = "0 > SEW 0:0(0) <mss 1460>\n0.001 < S. 0:0(0) ack 1 <mss 1460>"
    assert story(refused).config == {"ecn": "off"}


def test_socket_options_from_the_syn() -> None:
    found = calls("0 > S 0:0(0) <mss 1460>\n0.001 < S. 0:0(0) ack 1 win 4096 <mss 500>\n0.002 > . 1:1(0) ack 1")
    assert found[:3] == ["s = socket()", "setsockopt(s, SO_RCVBUF, 4096)", "setsockopt(s, TCP_MAXSEG, 500)"]


def test_a_larger_link_and_segments_that_hardware_has_joined() -> None:
    jumbo = "0 > S 0:0(0) <mss 8960>\n0.001 < S. 0:0(0) ack 1 <mss 8960>\n0.002 > . 1:1(0) ack 1\n0.1 > P. 1:8961(8960) ack 1"
    assert story(jumbo).config == {"mtu": 9000}
    found = steps(OPENING + "0.1 > P. 1:2001(2000) ack 1\n0.2 < P. 1:3001(3000) ack 2001")
    assert "inject: . 1:1461(1460) ack 1" in found and "inject: P. 1461:2001(540) ack 1" in found
    assert [one for one in found if one.startswith("expect: P?.")] == [
        "expect: P?. 1:1461(1460) ack 2001", "expect: P?. 1461:2921(1460) ack 2001", "expect: P?. 2921:3001(80) ack 2001",
    ]  # fmt: skip


def test_what_begins_in_the_middle_is_no_case() -> None:
    with pytest.raises(StoryError, match="begins in the middle"):
        story("0 > P. 1:11(10) ack 1\n0.001 < . 1:1(0) ack 11")


def test_fast_open_of_a_client() -> None:
    asked = "0 > S 0:0(0) <mss 1460,tfo>\n0.001 < S. 0:0(0) ack 1 <mss 1460,tfo 0102030405060708>\n0.002 > . 1:1(0) ack 1"
    assert calls(asked, "client")[1:] == ["setsockopt(c, TCP_FASTOPEN_CONNECT, 1)", "connect(c) = EINPROGRESS"]
    used = "0 > S 0:10(10) <mss 1460,tfo 0102030405060708>\n0.001 < S. 0:0(0) ack 11\n0.002 > . 11:11(0) ack 1"
    assert calls(used, "client")[2:] == ["connect(c)", "send(c, 10) = 10"]
