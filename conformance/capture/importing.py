"""A case from a capture: the peer's packets to inject, the SUT's to expect, and the socket calls that the SUT's application makes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from conformance.capture.import_messages import Messages
from conformance.capture.import_names import host_name
from conformance.capture.import_notation import Notation
from conformance.capture.import_story import CallMade, Finished, FromPeer, FromSut, Link, Moment, Quiet, Reached, Story, StoryError, Walked
from conformance.capture.import_timing import QUIET, Times, duration
from conformance.wire.segment import Icmp, Segment

__all__ = ["case_data"]

Step = dict[str, object]


def case_data(story: Story, title: str, requirements: Sequence[str]) -> tuple[dict[str, object], list[str]]:
    """What a case file holds, and a remark for each step: the numbers of its packets."""
    steps, remarks = _Steps(story).write()
    if not steps:
        raise StoryError("there is nothing in it that a case could do")
    data: dict[str, object] = {"title": title, "requirements": list(requirements), "families": [str(story.family)]}
    if story.config:
        data["config"] = dict(story.config)
    if connections := _connections(story):
        data["connections"] = connections
    return data | {"steps": steps}, remarks


class _Steps:
    """Moments → steps."""

    def __init__(self, story: Story) -> None:
        self._story = story
        self._notation = Notation(story)
        self._messages = Messages(story, self._notation)
        self._times = Times()
        self._last = story.links[0]
        """The connection on which something was last."""
        self._steps: list[Step] = []
        self._remarks: list[str] = []

    def write(self) -> tuple[list[Step], list[str]]:
        for moment in self._story.moments:
            for step in self._written(moment):
                self._steps.append(step)
                self._remarks.append(", ".join(map(str, moment.numbers)) if "silence" not in step else "")
            self._times.passed(moment)
            self._messages.see(moment)
        return self._steps, self._remarks

    def _written(self, moment: Moment) -> Iterator[Step]:
        match moment:
            case FromPeer():
                yield from self._active(moment, self._injected(moment), moment.link)
            case CallMade():
                yield from self._active(moment, _call(moment), moment.link)
            case FromSut():
                yield from self._expected(moment)
            case Finished():
                text = f"{moment.name} = {moment.result}" if moment.result else moment.name
                yield {"finish": text} | self._times.arrival(moment)
            case Reached():
                wait = self._times.wait(moment)
                yield {"silence": duration(wait * 3 // 4)} | _on(moment.link)
                yield {"state": moment.state, "within": duration(wait // 2)} | _on(moment.link)
            case Walked():
                yield {"states": " → ".join(moment.states)}
            case Quiet():
                if (gap := self._times.wait(moment)) >= QUIET:
                    yield {"silence": duration(gap)} | _on(self._last)

    def _active(self, moment: Moment, step: Step, link: Link | None) -> Iterator[Step]:
        """What the tester does, and the wait before it."""
        wait = self._times.wait(moment)
        if wait >= QUIET:
            yield {"silence": duration(wait)} | _on(link or self._last)
        elif wait:
            step["after"] = duration(wait)
        self._last = link or self._last
        yield step | ({} if link is None else _on(link))

    def _injected(self, moment: FromPeer) -> Step:
        if isinstance(moment.packet, Icmp):
            text, extra = self._messages.injected(moment)
            return {"inject_icmp": text} | _with(moment.fields | extra)
        return {"inject": self._notation.injected(moment)} | _with(moment.fields)

    def _expected(self, moment: FromSut) -> Iterator[Step]:
        if isinstance(moment.packet, Segment):
            text, fields = self._notation.expected(moment)
            step: Step = {"expect": text}
        elif isinstance(moment.packet, Icmp):
            text, fields = self._messages.expected(moment)
            step = {"expect_icmp": text}
        else:
            return
        self._last = moment.link
        if moment.may:
            yield {"optional": [step | _on(moment.link)]}
        else:
            yield step | _with(fields) | self._times.arrival(moment) | _on(moment.link)


def _call(moment: CallMade) -> Step:
    text = f"{moment.name} = " if moment.name else ""
    text += f"{moment.function}({moment.arguments})"
    if moment.blocking:
        return {"start": text}
    return {"call": f"{text} = {moment.result}" if moment.result else text}


def _with(fields: Mapping[str, object]) -> Step:
    return {"with": dict(fields)} if fields else {}


def _on(link: Link) -> Step:
    return {} if link.name == "default" else {"on": link.name}


def _connections(story: Story) -> dict[str, object]:
    """What differs from the default connection, and the others."""
    declared: dict[str, object] = {}
    default = story.links[0]
    for link in story.links:
        one: dict[str, object] = {}
        if link.reuse:
            base = next(other for other in story.links if other.name == link.reuse)
            one = {"reuse": link.reuse, "isn": f"+{(link.peer_isn - base.peer_isn) % 2**32}"}
        else:
            if link.peer != default.peer:
                one["peer"] = host_name(story.hosts, link.peer)
            if link.sut_port and (name := story.ports.get(link.sut_port, "port")) != "port":
                one["port"] = name
            if link is not default and (port := _peer_port(link, story)) is not None:
                one["peer_port"] = port
            if link.isn_matters:
                one["isn"] = link.peer_isn
        if one or link is not default:
            declared[link.name] = one
    return declared


def _peer_port(link: Link, story: Story) -> str | int | None:
    """Its port, where it must have that one; else it gets one of its own."""
    if link.peer_port in story.peer_ports:
        return story.peer_ports[link.peer_port]
    called = any(isinstance(moment, CallMade) and f":{link.peer_port}" in moment.arguments for moment in story.moments)
    return link.peer_port if called else None
