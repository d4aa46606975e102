"""No sequence of segments, however malformed or well aimed, raises out of the stack, makes it loop, or takes more memory than it should."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from conformance.stack.sysctl import MS, SECOND, Sysctl
from conformance.stack.uapi import MSG_DONTWAIT, MSG_MORE, MSG_OOB, MSG_PEEK
from conformance.wire.segment import ACK, FIN, PSH, RST, SYN, URG
from tests.stack.budget import budget
from tests.stack.stage import Act, Aimed, Bent, Call, Error, Raw, Stage, Wait


def play(version: int, sysctl: Sysctl, options: Sequence[tuple[str, int]], acts: Sequence[Act]) -> None:
    """Two connections, and what happens to them."""
    stage = Stage(version, sysctl, options=options)
    stage.accepted(options=b"\x02\x04\x05\xb4\x04\x02\x08\x0a\x00\x00\x00\x64\x00\x00\x00\x00\x01\x03\x03\x02" if len(options) % 2 else b"")
    stage.connected()
    for act in acts:
        stage.act(act)
        stage.bounds.check()
    stage.end()


# What happens ---------------------------------------------------------------------------------------------------------------

NEAR = st.one_of(st.integers(-3, 3), st.integers(-3000, 3000), st.sampled_from([-(2**31), 2**31 - 1, 2**31, 70000, -70000]))
FLAGS = st.one_of(st.sampled_from([ACK, ACK, ACK | PSH, ACK | FIN, SYN, SYN | ACK, RST, RST | ACK, ACK | URG]), st.integers(0, 255))
BLOCK = st.tuples(st.integers(-2, 4000), st.integers(-2, 4000))
OPTION = st.one_of(
    st.tuples(st.just("stamp"), st.sampled_from([0, 1, 5000, -1, -5000, 2**31]), st.sampled_from([0, 1, 200, -1, 2**31])),
    st.lists(BLOCK, min_size=1, max_size=4).map(lambda blocks: ("sack", *blocks)),
    st.sampled_from(
        [b"\x02\x04\x00\x01", b"\x02\x04\xff\xff", b"\x03\x03\xff", b"\x05\x02", b"\x08\x02", b"\x22\x02", b"\x22\x0a" + bytes(8), b"\0"]
    ),
    st.binary(max_size=12),
)
aimed = st.builds(
    Aimed,
    which=st.integers(0, 9),
    seq_from=st.sampled_from(["rcv_nxt", "rcv_nxt", "rcv_nxt", "edge", "irs", "0"]),
    seq=st.one_of(st.just(0), NEAR),
    ack_from=st.sampled_from(["snd_nxt", "snd_nxt", "snd_una", "edge", "0"]),
    ack=st.one_of(st.just(0), NEAR),
    flags=FLAGS,
    window=st.one_of(st.just(0xFFFF), st.integers(0, 3), st.integers(0, 0xFFFF)),
    urgent=st.one_of(st.just(0), st.integers(0, 40), st.integers(0, 0xFFFF)),
    stamped=st.integers(0, 3).map(bool),
    options=st.lists(OPTION, max_size=3).map(tuple),
    size=st.one_of(st.just(0), st.integers(1, 3), st.integers(0, 1460)),
    tos=st.integers(0, 3),
)
answering = st.builds(
    Aimed,
    which=st.integers(0, 3),
    size=st.integers(0, 100),
    window=st.sampled_from([0xFFFF, 100]),
)
errors = st.builds(
    Error,
    which=st.integers(0, 3),
    kind=st.sampled_from([3, 3, 1, 2, 4, 5, 11, 12]),
    code=st.integers(0, 15),
    word=st.one_of(st.sampled_from([0, 68, 296, 552, 1280, 1400, 2**32 - 1]), st.integers(0, 2000)),
    seq=st.one_of(st.just(0), NEAR),
    cut=st.one_of(st.none(), st.integers(0, 60)),
)
bent = st.builds(
    Bent,
    number=st.integers(0, 200),
    changes=st.lists(st.tuples(st.integers(0, 80), st.integers(0, 255)), max_size=4).map(tuple),
    size=st.one_of(st.none(), st.integers(0, 90)),
)
raw = st.builds(Raw, ethertype=st.sampled_from([b"\x08\x00", b"\x86\xdd", b"\x08\x06", b"\0\0"]), octets=st.binary(max_size=120))
sizes = st.sampled_from([0, 1, 10, 1000, 5000, 100_000])
SET = [
    ("SO_RCVBUF", 1), ("SO_RCVBUF", 200_000), ("SO_SNDBUF", 1), ("TCP_NODELAY", 1), ("TCP_CORK", 1), ("TCP_CORK", 0), ("SO_KEEPALIVE", 1),
    ("SO_LINGER", 1 << 32), ("SO_OOBINLINE", 1), ("TCP_USER_TIMEOUT", 3000), ("TCP_MAXSEG", 100), ("TCP_LINGER2", -1), ("TCP_QUICKACK", 1),
]  # fmt: skip
DONE = {
    "sendto": st.tuples(sizes.map(bytes), st.sampled_from([0, 0, MSG_OOB, MSG_MORE])),
    "recvfrom": st.tuples(sizes, st.sampled_from([MSG_DONTWAIT, MSG_PEEK, MSG_OOB])),
    "shutdown": st.tuples(st.integers(0, 2)),
    "setsockopt": st.sampled_from(SET),
    **dict.fromkeys(("close", "accept", "connect"), st.just(())),
}
ours = st.sampled_from(sorted(DONE)).flatmap(lambda name: st.builds(Call, st.just(name), st.integers(0, 5), DONE[name]))
waits = st.builds(Wait, st.sampled_from([MS, 50 * MS, SECOND, 10 * SECOND, 300 * SECOND, 10_000 * SECOND]))
happening = st.one_of(aimed, aimed, aimed, answering, answering, ours, ours, errors, bent, raw, waits)
acts = st.one_of(st.lists(happening, max_size=10), st.lists(happening, min_size=15, max_size=60))
sysctls = st.builds(
    lambda profile, **config: Sysctl.from_config({"profile": profile, **config}),
    profile=st.sampled_from(["rfc", "linux"]),
    timestamps=st.booleans(),
    sack=st.booleans(),
    ecn=st.sampled_from(["passive", "on"]),
    syn_cookies=st.sampled_from(["on", "on", "off"]),
    fast_open=st.sampled_from(["client", "both"]),
    receive_buffer=st.sampled_from([131072, 4096]),
    rfc1337=st.booleans(),
    tw_reuse=st.booleans(),
    abort_on_overflow=st.booleans(),
    max_tw_buckets=st.sampled_from([4096, 1]),
)
listening = st.lists(
    st.sampled_from([("TCP_FASTOPEN", 3), ("SO_RCVBUF", 1), ("SO_KEEPALIVE", 1), ("TCP_MAXSEG", 100), ("SO_OOBINLINE", 1)]), max_size=3
)


@budget(250)
@given(st.sampled_from([4, 6]), sysctls, listening, acts)
def test_nothing_that_is_sent_raises_loops_or_stays(
    version: int, sysctl: Sysctl, options: list[tuple[str, int]], script: list[Act]
) -> None:
    play(version, sysctl, options, script)
