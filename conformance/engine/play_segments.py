"""The steps that are on the wire: inject, expect, silence, for TCP and ICMP."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from conformance.case.steps import ExpectIcmpStep, ExpectStep, InjectIcmpStep, InjectStep, Octets, SilenceStep, Step
from conformance.engine.connections import Connection
from conformance.engine.durations import duration_text
from conformance.engine.events import Send
from conformance.engine.matcher import compare_icmp, compare_segment
from conformance.engine.packets import icmp_fields, target_mac
from conformance.engine.reflex import Reflex
from conformance.engine.stop import Stop
from conformance.engine.stream import stream
from conformance.engine.variables import Unbound
from conformance.result import Difference, Verdict
from conformance.trace import Received, Sent
from conformance.wire.icmp import build_icmp, quoted, quotes, type_and_code
from conformance.wire.ip_extra import fragments
from conformance.wire.segment import URG, Icmp, Segment
from conformance.wire.spec import ETHERNET
from conformance.wire.text import icmp_text, segment_text

if TYPE_CHECKING:
    from conformance.engine.executor import Executor, Playing, Wish

__all__ = ["actual_text", "expect", "expect_icmp", "fits", "inject", "inject_icmp", "silence", "take", "timing_difference"]


# Inject ---------------------------------------------------------------------------------------------------------------


def inject(play: Executor, step: InjectStep) -> Playing:
    """Send a segment."""
    connection = play.connections.use(step.on)
    if step.after is not None:
        yield from play.wait_due(step)
    pattern = step.segment
    if pattern.data is not None or pattern.flags.value & URG:
        connection.plain = False
    if not connection.ends.sut_port:
        connection.ends.sut_port = play.places.ports[connection.spec.port]
    try:
        frame = play.prepared[id(step)].frame(connection, play.variables)
    except Unbound as error:
        raise _unbound(play, step, error) from None
    yield from _send_all(play, step, connection, frame)


def _send_all(play: Executor, step: InjectStep | InjectIcmpStep, connection: Connection, frame: bytes) -> Playing:
    """Send a packet, in fragments if the step says so."""
    connection.sent = frame
    cuts = step.fields.get("fragments")
    if not isinstance(cuts, tuple):
        yield _send(play, step, connection, frame, play.reflex(step, connection))
        return
    identification = step.fields.get("fragment_id", play.number())
    assert isinstance(identification, int)
    try:
        pieces = fragments(frame, cuts, identification)
    except ValueError as error:
        raise play.stop(step, f"the packet cannot be cut so: {error}", verdict=Verdict.ERROR) from None
    for piece in pieces:
        yield _send(play, step, connection, piece)


def _send(play: Executor, step: Step, connection: Connection, frame: bytes, reflex: Reflex | None = None) -> Send:
    """Hand a frame over, and go on: the link says later when it left."""
    if len(frame) > ETHERNET + play.mtu:
        size = len(frame) - ETHERNET
        raise play.stop(step, f"an IP packet of {size} octets does not fit the link, whose MTU is {play.mtu}", verdict=Verdict.ERROR)
    play.sends(Sent(t=play.now, step=play.index(step), frame=frame, connection=connection.name, due=max(play.due(step), play.ready)))
    return Send(frame, reflex)


def _unbound(play: Executor, step: Step, error: Unbound) -> Stop:
    return play.stop(step, f"${error} has no value: nothing that came before bound it", verdict=Verdict.ERROR)


def inject_icmp(play: Executor, step: InjectIcmpStep) -> Playing:
    """Send an ICMP message that quotes a segment of the SUT's: the one that is written, or its last."""
    connection = play.connections.use(step.on)
    yield from play.wait_due(step)
    try:
        message = _icmp_message(play, step, connection)
    except Unbound as error:
        raise _unbound(play, step, error) from None
    yield from _send_all(play, step, connection, message)


def _icmp_message(play: Executor, step: InjectIcmpStep, connection: Connection) -> bytes:
    pattern, places, ends = step.icmp, play.places, connection.ends
    kind, code = (pattern.type, pattern.code) if pattern.type is not None else type_and_code(places.family, pattern.name)
    fields = step.fields
    data, length, rest = fields.get("data"), fields.get("length"), fields.get("rest")
    if isinstance(data, Octets):
        body = data.value(places.hosts)
    elif isinstance(length, int):
        body = stream(0, length)
    elif not quotes(places.family, kind):
        body = b"conformance"
    elif pattern.quoted is not None:
        body = quoted(play.prepared[id(step)].frame(connection, play.variables))
    elif connection.last is not None:
        body = quoted(connection.last.frame)
    else:
        raise play.stop(step, "the SUT has sent nothing yet that the message could quote", verdict=Verdict.ERROR)
    if not isinstance(rest, int):
        rest = 0 if pattern.mtu is None else play.variables.value(pattern.mtu)
    source, target = fields.get("src"), fields.get("dst")
    destination = places.hosts[target] if isinstance(target, str) else ends.sut
    return build_icmp(
        places.family,
        places.peer_mac,
        target_mac(fields.get("dst_mac"), places.sut_mac, destination),
        places.hosts[source] if isinstance(source, str) else ends.peer,
        destination,
        kind,
        code or 0,
        rest,
        body,
        **icmp_fields(places.family, fields, places.hosts),
    )


# Expect ---------------------------------------------------------------------------------------------------------------


def expect(play: Executor, step: ExpectStep) -> Playing:
    """Wait for the next segment on the connection, and compare it."""
    connection = play.connections.use(step.on)
    event = yield from next_segment(play, step, connection)
    quick = play.quick.get(id(step))
    if quick is not None and quick.fits(event.packet, connection, play.variables):
        differences = []
    else:
        differences = compare_segment(step, event.packet, connection, play.variables)
    differences += timing_difference(play, step, event.t)
    play.variables.stamp(event.t)
    take(play, step, event)
    connection.optional.clear()
    if differences:
        raise mismatch(play, step, connection, event, differences)


def next_segment(play: Executor, step: ExpectStep, connection: Connection) -> Generator[Wish, None, Received]:
    """The next segment that no optional step takes, removed from the queue."""
    while True:
        while connection.segments:
            head = connection.segments[0]
            if not connection.optional or fits(play, step, head, connection):
                return connection.segments.popleft()
            if not (yield from take_optional(play, connection)):
                return connection.segments.popleft()
        deadline = deadline_of(play, step)
        if play.now >= deadline:
            raise nothing_came(play, step, connection, deadline)
        yield deadline


def take_optional(play: Executor, connection: Connection) -> Generator[Wish, None, bool]:
    """Play the optional step that the head of the queue fits, if there is one."""
    head = connection.segments[0]
    for optional in connection.optional:
        first = connection.accepts(optional)
        if fits(play, first, head, connection):
            connection.optional.remove(optional)
            connection.segments.popleft()
            play.variables.keep()
            compare_segment(first, head.packet, connection, play.variables)
            play.variables.stamp(head.t)
            head.step = play.index(first)
            for step in optional.steps[1:]:
                yield from play.play(step)
            return True
    return False


def fits(play: Executor, step: ExpectStep, event: Received, connection: Connection) -> bool:
    """Would this event fit this step? Binds nothing."""
    differences = compare_segment(step, event.packet, connection, play.variables.copy()) + timing_difference(play, step, event.t)
    return not differences


def deadline_of(play: Executor, step: Step) -> int:
    """When a step gives up."""
    if step.within is not None:
        return play.base + step.within
    if step.after is not None:
        return play.base + step.after.high
    return play.base + play.case.timeout


def timing_difference(play: Executor, step: Step, t: int) -> list[Difference]:
    """The difference in time, if ``t`` is not when ``after`` or ``within`` say."""
    took = t - play.base
    if step.after is not None and not step.after.low <= took <= step.after.high:
        return [
            Difference(
                "time", f"{duration_text(step.after.low)}..{duration_text(step.after.high)} after the event before", duration_text(took)
            )
        ]
    if step.within is not None and took > step.within:
        return [Difference("time", f"within {duration_text(step.within)}", duration_text(took))]
    return []


def missed_by(play: Executor, step: Step, t: int) -> int:
    """ns between ``t`` and the nearest time that ``after`` and ``within`` allow; 0 if it is one."""
    took = t - play.base
    low = step.after.low if step.after else 0
    high = min(step.after.high if step.after else took, step.within if step.within is not None else took)
    return max(low - took, took - high, 0)


def take(play: Executor, step: Step, event: Received) -> None:
    """The event is what this step asked for."""
    event.step = play.index(step)
    play.happened(event.t)


def mismatch(play: Executor, step: ExpectStep, connection: Connection, event: Received, differences: list[Difference]) -> Stop:
    """The exception for a segment that came but is not what was expected."""
    event.failed = True
    names = ", ".join(difference.field for difference in differences)
    reason = f"the segment differs in {names}" if names != "time" else "the segment came at another time"
    stop = play.stop(step, reason, expected=step.segment.text, actual=actual_text(connection, event), differences=tuple(differences))
    stop.margin = missed_by(play, step, event.t) if names == "time" else 0
    return stop


def nothing_came(play: Executor, step: Step, connection: Connection, deadline: int) -> Stop:
    """The exception for a segment that did not come."""
    reason = f"nothing came within {duration_text(deadline - play.base)}"
    if connection.messages:
        reason += f", but for an ICMP message: {actual_text(connection, connection.messages[-1])}"
    return play.stop(step, reason, expected=expected_text(step), actual="nothing")


def expected_text(step: Step) -> str:
    """What the step asks for, as the case writes it."""
    match step:
        case ExpectStep():
            return step.segment.text
        case ExpectIcmpStep():
            return step.icmp.text
        case SilenceStep():
            return f"silence for {duration_text(step.duration)}"
    return step.source.text


def actual_text(connection: Connection, event: Received) -> str:
    """A packet of the SUT in the notation of cases."""
    packet, ends = event.packet, connection.ends
    if isinstance(packet, Icmp):
        return icmp_text(packet)
    if isinstance(packet, Segment):
        return segment_text(packet, ends.sut_isn, ends.peer_isn)
    return f"unreadable frame: {packet.reason}"


def expect_icmp(play: Executor, step: ExpectIcmpStep) -> Playing:
    """Wait for the next ICMP message, and compare it."""
    connection = play.connections.use(step.on)
    while not connection.messages:
        deadline = deadline_of(play, step)
        if play.now >= deadline:
            reason = f"nothing came within {duration_text(deadline - play.base)}"
            if connection.segments:
                reason += f", but for a segment: {actual_text(connection, connection.segments[-1])}"
            raise play.stop(step, reason, expected=step.icmp.text, actual="nothing")
        yield deadline
    event = connection.messages.popleft()
    differences = compare_icmp(step, event.packet, connection, play.variables) + timing_difference(play, step, event.t)
    play.variables.stamp(event.t)
    take(play, step, event)
    if differences:
        event.failed = True
        raise play.stop(
            step, "the message differs", expected=step.icmp.text, actual=actual_text(connection, event), differences=tuple(differences)
        )


def silence(play: Executor, step: SilenceStep) -> Playing:
    """Nothing comes from the SUT on this connection for the length of the step; what came before and nobody asked for counts too."""
    connection = play.connections.use(step.on)
    while True:
        end = play.base + step.duration
        if (yield from broken_by(play, connection, end)) is not None:
            event = connection.segments[0] if connection.segments else connection.messages[0]
            event.failed, event.step = True, play.index(step)
            since = event.t - play.base
            when = (
                f"{duration_text(since)} after the event before"
                if since >= 0
                else f"{duration_text(-since)} before, and no step asked for it"
            )
            reason = f"the SUT was not silent: a segment came {when}"
            raise play.stop(step, reason, expected=expected_text(step), actual=actual_text(connection, event))
        if play.now >= end:
            break
        yield end
    play.happened(end)


def broken_by(play: Executor, connection: Connection, end: int) -> Generator[Wish, None, Received | None]:
    """What breaks a silence that lasts until ``end``: the first packet that no optional step takes."""
    while connection.segments and connection.segments[0].t <= end:
        if not (yield from take_optional(play, connection)):
            return connection.segments[0]
    if connection.messages and connection.messages[0].t <= end:
        return connection.messages[0]
    return None
