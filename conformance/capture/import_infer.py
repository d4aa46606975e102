"""The socket calls that an application must have made, as far as packets tell: what opened a connection, wrote, read and closed it.

Nobody knows when an application wrote what left in one burst, or whether it read at all, as long as neither shows. So there are as few
calls as explain what the SUT sent, each as late as it can have been made: a write right before the first segment that carries it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from conformance.capture.import_ending import Ending, Way, ending_of
from conformance.capture.import_opening import Opening, opening_of, settings_of
from conformance.capture.import_reads import reads_of
from conformance.capture.import_story import CallMade, Link, Moment, Story
from conformance.capture.import_talk import Said, talk
from conformance.capture.import_writes import Writes, writes_of
from conformance.wire.segment import RST, SYN

__all__ = ["infer_calls"]

_LARGE = 65536
"""What an application asks for that reads whatever there is."""
_BUFFER = 16384
"""Octets of a usual send buffer."""
_BACKLOG = 8


def infer_calls(story: Story) -> None:
    """Add the calls, and the settings of the stack that its SYNs tell."""
    script = _Script(story)
    for number, link in enumerate(story.links):
        _Application(script, link, f"{number + 1}" if number else "").play(list(talk(story.moments, link)))
    for name, value in (settings_of(story) | script.settings).items():
        story.config.setdefault(name, value)
    story.moments = script.moments()


@dataclass(slots=True)
class _Script:
    """The story's moments with calls between them."""

    story: Story
    calls: dict[int, list[CallMade]] = field(default_factory=dict)
    """By the index of the moment before which they are made."""
    listeners: dict[int, str] = field(default_factory=dict)
    """Names of the sockets that listen, by port."""
    settings: dict[str, object] = field(default_factory=dict)

    def add(self, at: int, call: CallMade, *, early: bool = False) -> None:
        """Make a call before the moment with this index: right before it, or ``early``, right after the one before that."""
        moments = self.story.moments
        near = at - 1 if (early and at) or at == len(moments) else at
        call.t = call.returned = moments[near].t
        self.calls.setdefault(at, []).append(call)

    def moments(self) -> list[Moment]:
        """All of them, in order."""
        result: list[Moment] = []
        for at in range(len(self.story.moments) + 1):
            result += sorted(self.calls.get(at, []), key=lambda call: call.t)
            result += self.story.moments[at : at + 1]
        return result

    def needs_buffer(self, size: int) -> None:
        """So many octets are written at once."""
        known = self.settings.get("send_buffer", 0)
        assert isinstance(known, int)
        if size > _BUFFER // 2:
            self.settings["send_buffer"] = max(known, 1 << (4 * size).bit_length())


@dataclass(slots=True)
class _Application:
    """Who has one connection. The socket is called c, those of further connections have a number behind it."""

    script: _Script
    link: Link
    suffix: str

    def play(self, said: list[Said]) -> None:
        """Make its calls."""
        opening = opening_of(said, self.script.story.family, _refused(said))
        if opening is None:
            return
        writes = writes_of(said)
        if opening.active:
            self._connect(opening, writes)
        else:
            self._listen(opening)
        ending = ending_of(said, opening.established)
        if opening.established is not None:
            self._use(said, writes, ending, opening.established + 1)
        elif ending is not None and ending.way is Way.ABORT and opening.active:
            self._end(ending, ending.at)

    @property
    def _socket(self) -> str:
        return f"c{self.suffix}"

    def _call(self, at: int, function: str, *arguments: object, name: str = "", result: str = "", early: bool = False) -> CallMade:
        call = CallMade(t=0, function=function, arguments=", ".join(map(str, arguments)), name=name, result=result)
        self.script.add(at, call, early=early)
        return call

    def _set(self, at: int, socket: str, options: Sequence[tuple[str, int]], *, early: bool = False) -> None:
        for option, value in options:
            self._call(at, "setsockopt", socket, option, value, early=early)

    # Opening ------------------------------------------------------------------------------------------------------------

    def _connect(self, opening: Opening, writes: Writes) -> None:
        at = opening.at
        self._call(at, "socket", name=self._socket)
        self._set(at, self._socket, opening.options)
        port = self.script.story.ports.get(self.link.sut_port)
        if port is not None:
            self._set(at, self._socket, (("SO_REUSEADDR", 1),))
            self._call(at, "bind", self._socket, port)
        self._call(at, "connect", self._socket, result="" if opening.with_data else "EINPROGRESS").link = self.link
        if opening.with_data:
            self._call(at, "send", self._socket, opening.with_data, result=str(opening.with_data))
            del writes.writes[:1]

    def _listen(self, opening: Opening) -> None:
        script, at = self.script, opening.at
        listener = script.listeners.get(self.link.sut_port)
        if listener is None:
            listener = script.listeners[self.link.sut_port] = f"s{self.suffix if script.listeners else ''}"
            self._call(at, "socket", name=listener)
            self._set(at, listener, opening.options)
            self._call(at, "bind", listener, script.story.ports.get(self.link.sut_port, "port"))
            self._call(at, "listen", listener, max(_BACKLOG, len(script.story.links)))
        if opening.established is not None:
            self._call(opening.established + 1, "accept", listener, name=self._socket, early=True)

    # Using --------------------------------------------------------------------------------------------------------------

    def _use(self, said: Sequence[Said], writes: Writes, ending: Ending | None, ready: int) -> None:
        """Everything from the moment on at which the connection is ``ready``."""
        self._set(ready, self._socket, (("TCP_NODELAY", 1),) if writes.no_delay else (), early=True)
        self._set(ready, self._socket, writes.keepalive, early=True)
        for write in writes.writes:
            flags = ["MSG_OOB"] if write.urgent else ["MSG_MORE"] if write.more else []
            self._call(max(write.at, ready), "send", self._socket, write.size, *flags, result=str(write.size), early=write.early)
            self.script.needs_buffer(write.size)
        for read in reads_of(said):
            asked = max(read.size, _LARGE)
            self._call(max(read.at, ready), "recv", self._socket, asked, result=str(read.size), early=not read.late)
        if ending is not None and writes.fin_waits:
            self._end(ending, max(writes.writes[-1].at, ready), early=writes.writes[-1].early)
        elif ending is not None:
            self._end(ending, max(ending.at, ready))

    def _end(self, ending: Ending, at: int, *, early: bool = False) -> None:
        if ending.way is Way.SHUTDOWN:
            self._call(at, "shutdown", self._socket, "SHUT_WR", early=early)
            return
        if ending.way is Way.ABORT:
            self._call(at, "setsockopt", self._socket, "SO_LINGER", 1, 0, early=early)
        self._call(at, "close", self._socket, early=early)


def _refused(said: Sequence[Said]) -> int:
    """The index of the last moment at which a RST showed that there was no socket yet; -1 if none did."""
    first = next((one.at for one in said if one.sut and one.has(SYN)), None)
    return max((one.at for one in said if one.sut and one.has(RST) and (first is None or one.at < first)), default=-1)
