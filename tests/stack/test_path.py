"""The walks through the stack, as the project's documents describe them: what is entered from where, and where states change."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any

import pytest

import conformance.stack
from conformance.stack.errors import SocketError
from conformance.stack.net import Net
from conformance.stack.path import Change, Layer, Recorder, Sleep
from conformance.stack.uapi import AF_INET, SOCK_STREAM
from conformance.stack.walks import WALKS, record

SLEEPS = "sleeps"
played = cache(record)


# What a walk is asked -----------------------------------------------------------------------------------------------------


def name(step: Layer | Change | Sleep) -> str:
    if isinstance(step, Layer):
        return step.name
    return f"{step.old} → {step.new}" if isinstance(step, Change) else SLEEPS


def below(layer: Layer) -> list[Layer | Change | Sleep]:
    return [step for depth, step in layer.walk() if depth]


def find(layer: Layer, wanted: str) -> Layer:
    found = next((step for step in below(layer) if name(step) == wanted), None)
    assert isinstance(found, Layer), f"{wanted} is not below {layer.name}"
    return found


def nested(layer: Layer, *names: str) -> Layer:
    """Each is entered from within the one before, be it by way of others; returns the last."""
    for wanted in names:
        layer = find(layer, wanted)
    return layer


def calls(layer: Layer, *names: str) -> None:
    """The layer itself does these things, in this order; other things may stand between them."""
    in_order([name(step) for step in layer.steps], names)


def passes(layer: Layer, *names: str) -> None:
    """The same, however deep they are below it."""
    in_order([name(step) for step in below(layer)], names)


def in_order(there: list[str], names: tuple[str, ...]) -> None:
    rest: Iterator[str] = iter(there)
    missing = next((wanted for wanted in names if wanted not in rest), None)
    assert missing is None, f"{missing} does not follow; there is: {', '.join(there)}"


def changes(layer: Layer) -> list[str]:
    return [name(step) for step in below(layer) if isinstance(step, Change)]


# The calls ----------------------------------------------------------------------------------------------------------------


def test_socket_goes_from_the_family_to_the_protocol_and_ends_with_a_descriptor() -> None:
    walk = played("socket")
    calls(walk, "sock_create", "sock_map_fd")
    create = nested(walk, "sock_create", "__sock_create")
    calls(create, "sock_alloc", "inet_create")  # the caller's side first, then the family makes the other one
    calls(find(create, "inet_create"), "inetsw", "sk_alloc", "sock_init_data", "tcp_v4_init_sock")
    calls(find(walk, "sock_map_fd"), "get_unused_fd_flags", "fd_install")
    assert not changes(walk)


def test_bind_is_a_layer_of_the_family_and_one_of_the_protocol() -> None:
    walk = played("bind")
    calls(walk, "sockfd_lookup_light", "move_addr_to_kernel", "inet_bind")
    get_port = nested(walk, "inet_bind", "inet_csk_get_port")
    calls(get_port, "inet_csk_bind_conflict", "inet_bind_hash")  # it asks before it takes
    assert not changes(walk)


def test_listen_asks_for_its_port_again_when_it_is_in_listen() -> None:
    walk = played("listen")
    calls(walk, "sockfd_lookup_light", "inet_listen")
    start = nested(walk, "inet_listen", "inet_csk_listen_start")
    calls(start, "reqsk_queue_alloc", "tcp_set_state", "inet_csk_get_port", "inet_hash")
    assert changes(find(start, "tcp_set_state")) == changes(walk) == ["CLOSED → LISTEN"]


def test_accept_has_its_new_socket_before_it_waits_and_joins_the_connection_to_it_after() -> None:
    walk = played("accept")
    calls(walk, "sockfd_lookup_light", "sock_alloc", "get_unused_fd_flags", "inet_accept", "inet_getname", "fd_install")
    accept = find(walk, "inet_accept")
    passes(accept, "inet_csk_accept", "sock_graft", "SS_UNCONNECTED → SS_CONNECTED")
    calls(find(accept, "inet_csk_accept"), "inet_csk_wait_for_connect", "reqsk_queue_remove")
    assert name(below(nested(accept, "inet_csk_accept", "inet_csk_wait_for_connect"))[-1]) == SLEEPS
    assert changes(walk) == ["SS_UNCONNECTED → SS_CONNECTED"]  # TCP's states change where segments come


def test_connect_looks_the_descriptor_up_and_goes_through_the_family_s_layer_to_tcp() -> None:
    walk = played("connect")
    calls(walk, "sockfd_lookup_light", "move_addr_to_kernel", "inet_stream_connect")
    both = nested(walk, "inet_stream_connect", "__inet_stream_connect")
    calls(both, "tcp_v4_connect", "SS_UNCONNECTED → SS_CONNECTING", "inet_wait_for_connect", "SS_CONNECTING → SS_CONNECTED")
    assert name(below(find(both, "inet_wait_for_connect"))[-1]) == SLEEPS


def test_connect_has_a_route_then_is_in_syn_sent_then_has_a_port_then_an_isn_and_only_then_sends() -> None:
    connect = find(played("connect"), "tcp_v4_connect")
    calls(connect, "ip_route_connect", "tcp_set_state", "inet_hash_connect", "secure_tcp_seq", "secure_tcp_ts_off", "tcp_connect")
    calls(nested(connect, "ip_route_connect", "ip_route_output"), "inet_select_addr")  # the route chooses the source address
    assert changes(connect) == changes(find(connect, "tcp_set_state")) == ["CLOSED → SYN-SENT"]
    calls(nested(connect, "inet_hash_connect", "__inet_hash_connect"), "__inet_check_established", "inet_bind_hash", "inet_ehash_insert")


def test_the_syn_is_prepared_then_sent_then_timed() -> None:
    connect = nested(played("connect"), "tcp_v4_connect", "tcp_connect")
    calls(connect, "tcp_connect_init", "tcp_transmit_skb", "tcp_reset_xmit_timer")
    nested(connect, "tcp_transmit_skb", "ip_queue_xmit")


def test_send_reaches_the_queue_first_and_then_the_network() -> None:
    walk = played("send")
    calls(walk, "sockfd_lookup_light", "sock_sendmsg")
    sendmsg = nested(walk, "sock_sendmsg", "inet_sendmsg", "tcp_sendmsg")
    calls(sendmsg, "tcp_current_mss", "sk_stream_memory_free", "skb_entail", "tcp_push")
    xmit = nested(sendmsg, "tcp_push", "__tcp_push_pending_frames", "tcp_write_xmit")
    calls(xmit, "tcp_cwnd_test", "tcp_snd_wnd_test", "tcp_nagle_test", "tcp_transmit_skb", "tcp_event_new_data_sent")
    calls(find(xmit, "tcp_transmit_skb"), "tcp_established_options", "tcp_select_window", "ip_queue_xmit")


def test_recv_sleeps_in_tcp_and_makes_room_when_it_has_read() -> None:
    walk = played("recv")
    calls(walk, "sockfd_lookup_light", "sock_recvmsg")
    recvmsg = nested(walk, "sock_recvmsg", "inet_recvmsg", "tcp_recvmsg")
    calls(recvmsg, "sk_wait_event", "tcp_cleanup_rbuf")
    assert name(below(find(recvmsg, "sk_wait_event"))[-1]) == SLEEPS


# The segments -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("walk", ["syn", "syn-ack", "ack"])
def test_a_segment_comes_up_through_the_device_and_ip_and_tcp_looks_for_its_socket(walk: str) -> None:
    receive = nested(played(walk), "ip_rcv", "ip_local_deliver", "tcp_v4_rcv")
    assert played(walk).name == "netif_receive_skb" and name(receive.steps[0]) == "__inet_lookup_established"


def test_a_syn_finds_the_listener_and_becomes_a_request_that_is_answered() -> None:
    receive = find(played("syn"), "tcp_v4_rcv")
    calls(receive, "__inet_lookup_established", "__inet_lookup_listener", "tcp_v4_do_rcv")
    request = nested(receive, "tcp_v4_do_rcv", "tcp_rcv_state_process", "tcp_v4_conn_request", "tcp_conn_request")
    calls(request, "inet_reqsk_alloc", "secure_tcp_seq", "inet_csk_reqsk_queue_hash_add", "tcp_v4_send_synack")
    nested(request, "tcp_v4_send_synack", "ip_queue_xmit")


def test_a_syn_leaves_the_listener_in_listen_and_its_request_in_syn_received() -> None:
    changed = [step for step in below(played("syn")) if isinstance(step, Change)]
    assert changed == [Change("request sock", "LISTEN", "SYN-RECEIVED")]
    assert changes(find(played("syn"), "inet_csk_reqsk_queue_hash_add")) == ["LISTEN → SYN-RECEIVED"]


def test_a_syn_ack_completes_the_connection_before_it_is_acknowledged() -> None:
    synsent = nested(played("syn-ack"), "tcp_v4_rcv", "tcp_v4_do_rcv", "tcp_rcv_state_process", "tcp_rcv_synsent_state_process")
    calls(synsent, "tcp_finish_connect", "tcp_send_ack")
    assert changes(find(synsent, "tcp_finish_connect")) == changes(played("syn-ack")) == ["SYN-SENT → ESTABLISHED"]
    calls(find(synsent, "tcp_finish_connect"), "tcp_set_state", "tcp_init_transfer")
    nested(synsent, "tcp_send_ack", "tcp_transmit_skb", "ip_queue_xmit")


def test_the_last_ack_makes_a_connection_of_the_request_which_waits_for_accept_and_takes_the_segment() -> None:
    receive = find(played("ack"), "tcp_v4_rcv")
    calls(receive, "__inet_lookup_established", "tcp_check_req", "tcp_child_process")
    calls(find(receive, "tcp_check_req"), "tcp_v4_syn_recv_sock", "inet_csk_reqsk_queue_add")
    made = nested(receive, "tcp_check_req", "tcp_v4_syn_recv_sock", "tcp_create_openreq_child", "inet_csk_clone_lock")
    assert changes(made) == ["CLOSED → SYN-RECEIVED"]
    process = nested(receive, "tcp_child_process", "tcp_rcv_state_process")
    calls(process, "tcp_validate_incoming", "tcp_ack", "tcp_init_transfer", "tcp_set_state", "tcp_data_queue")
    assert changes(find(process, "tcp_set_state")) == ["SYN-RECEIVED → ESTABLISHED"]
    assert changes(receive) == ["CLOSED → SYN-RECEIVED", "SYN-RECEIVED → ESTABLISHED"]


# How it is recorded -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("walk", WALKS)
def test_each_layer_is_a_file_of_the_stack_and_none_is_a_helper_of_its_own(walk: str) -> None:
    folder = Path(conformance.stack.__file__).parents[2]
    for _, step in played(walk).walk():
        if isinstance(step, Layer):
            assert (folder / step.file).is_file() and step.file.startswith("conformance/stack/")
            assert step.name.replace("_", "a").isidentifier() and (step.name[0] != "_" or step.name.startswith("__"))


@pytest.mark.parametrize("walk", WALKS)
def test_a_walk_is_the_same_each_time(walk: str) -> None:
    assert record(walk).as_json() == record(walk).as_json()


def test_a_walk_is_the_same_in_a_process_that_has_done_nothing_before() -> None:
    program = "import json; from conformance.stack.walks import record; print(json.dumps(record('socket').as_json()))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == played("socket").as_json()


def test_a_call_that_sleeps_is_listed_once() -> None:
    names = [name(step) for step in below(played("accept"))]
    assert names.count("inet_accept") == names.count("inet_csk_accept") == names.count(SLEEPS) == 1


def test_nothing_is_recorded_but_while_it_is_on() -> None:
    net, recorder = Net(rng=Random(0)), Recorder()
    net.call("socket", AF_INET, SOCK_STREAM)
    assert sys.getprofile() is None and not recorder.roots
    for _ in range(2):
        with recorder.on():
            net.call("socket", AF_INET, SOCK_STREAM)
        net.call("socket", AF_INET, SOCK_STREAM)
    assert [root.name for root in recorder.roots] == ["sys_socket", "sys_socket"]
    with pytest.raises(KeyError):
        recorder.layer("sys_bind")


def test_what_profiled_before_does_so_afterwards_whatever_happens() -> None:
    def other(_frame: FrameType, _event: str, _value: Any) -> None:
        pass

    recorder = Recorder()
    sys.setprofile(other)
    try:
        with pytest.raises(SocketError), recorder.on():
            raise SocketError("EINTR")
        assert sys.getprofile() is other
    finally:
        sys.setprofile(None)


def test_a_call_that_fails_has_its_path_up_to_there() -> None:
    net, recorder = Net(rng=Random(0)), Recorder()
    with recorder.on():
        tasks = [net.call("listen", 99, 1), net.call("socket", AF_INET, SOCK_STREAM, 999)]
    assert [task.error for task in tasks] == ["EBADF", "EINVAL"]
    assert [name(step) for step in below(recorder.layer("sys_listen"))] == ["sockfd_lookup_light"]
    assert name(below(recorder.layer("sys_socket"))[-1]) == "inetsw"
