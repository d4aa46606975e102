"""What can only be checked on a whole case: names that must have been made before they are used, and what a family lacks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from conformance.case import steps
from conformance.case.arithmetic import LEAST_SCATTERED, Relation, Scattered
from conformance.case.document import Document
from conformance.case.errors import CaseError
from conformance.case.steps import Address, Call, IcmpPattern, Name, Octets, OneOf, SegmentPattern, Step, Var
from conformance.case.vocabulary import ADDRESSES, BOTH, CALLS, ICMP_NAMES, ONE_FAMILYS_FIELDS, SOCKET_MAKERS
from conformance.wire.segment import Family

__all__ = ["check_families", "check_names", "count_steps", "walk"]


def walk(sequence: Iterable[Step]) -> Iterator[Step]:
    """All steps in the order in which they stand, each group before what it holds."""
    for step in sequence:
        yield step
        for inner in _inner(step):
            yield from walk(inner)


def _inner(step: Step) -> tuple[tuple[Step, ...], ...]:
    match step:
        case steps.AnyOrderStep() | steps.OptionalStep():
            return (step.steps,)
        case steps.EitherStep():
            return step.branches
        case steps.RepeatStep():
            return step.rounds
    return ()


def count_steps(sequence: Iterable[Step]) -> int:
    """How many steps there are, groups and what they hold."""
    return sum(1 for _ in walk(sequence))


def variables(pattern: object) -> Iterator[str]:
    """The names of the ``$x`` in a pattern, a mapping of fields or a result."""
    match pattern:
        case Var():
            yield pattern.name
        case SegmentPattern():
            parts = [pattern.seq, pattern.end, pattern.length, pattern.ack, pattern.win, pattern.urg]
            parts += [number for option in pattern.options or () for number in option.numbers]
            yield from (part.name for part in parts if isinstance(part, Var))
        case IcmpPattern():
            yield from variables(pattern.mtu)
            yield from variables(pattern.quoted)
        case OneOf():
            for result in pattern.results:
                yield from variables(result)
        case Mapping():
            yield from (value.name for value in pattern.values() if isinstance(value, Var))


# Names ----------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Names:
    """What a case has made so far. Branches count as done: this finds what no run could know."""

    document: Document
    errors: list[CaseError]
    connections: Collection[str]
    sockets: dict[str, None] = field(default_factory=dict)
    started: dict[str, str] = field(default_factory=dict)
    """Names of calls to their functions."""
    bound: dict[str, None] = field(default_factory=dict)

    def check(self, step: Step) -> None:
        """Complain about what the step uses, then remember what it makes."""
        if step.on not in self.connections:
            self._unknown(step, "a connection", step.on, self.connections, "declared in connections")
        handler = _HANDLERS.get(type(step))
        if handler:
            handler(self, step)

    def _unknown(self, step: Step, what: str, found: str, known: Iterable[str], hint: str) -> None:
        allowed = tuple(known)
        expected = f"one that is {hint}:" if allowed else f"one that is {hint}; there is none"
        _complain(self.document, self.errors, step, CaseError(what, found=found, expected=expected, allowed=allowed))

    def _socket(self, step: Step, name: str | None) -> None:
        if name is not None and name not in self.sockets:
            self._unknown(step, "a socket", name, self.sockets, "made by a step before")

    def _arguments(self, step: Step, call: Call) -> None:
        for argument, kind in zip(call.args, CALLS[call.function].parameters, strict=False):
            if kind == "socket" and isinstance(argument, Name):
                self._socket(step, argument.name)

    def called(self, step: steps.CallStep) -> None:
        self._arguments(step, step.call)
        self.bound.update(dict.fromkeys(variables(step.call.result)))
        if step.call.target:
            self.sockets[step.call.target] = None

    def begun(self, step: steps.StartStep) -> None:
        self._arguments(step, step.call)
        if step.call.target:
            self.started[step.call.target] = step.call.function

    def finished(self, step: steps.FinishStep) -> None:
        function = self.started.get(step.name)
        if function is None:
            self._unknown(step, "a call", step.name, self.started, "started by a step before")
        elif function in SOCKET_MAKERS:
            self.sockets[step.name] = None
        self.bound.update(dict.fromkeys(variables(step.result)))

    def injected(self, step: steps.InjectStep | steps.InjectIcmpStep) -> None:
        pattern = step.segment if isinstance(step, steps.InjectStep) else step.icmp
        for name in variables(pattern):
            if name not in self.bound:
                self._unknown(step, "a variable", f"${name}", [f"${known}" for known in self.bound], "bound by a step before")

    def expected(self, step: steps.ExpectStep | steps.ExpectIcmpStep) -> None:
        pattern = step.segment if isinstance(step, steps.ExpectStep) else step.icmp
        self.bound.update(dict.fromkeys((*variables(pattern), *variables(step.fields))))

    def asked(self, step: steps.StateStep | steps.StatesStep | steps.SockoptStep | steps.InfoStep) -> None:
        self._socket(step, step.socket)
        if isinstance(step, steps.SockoptStep):
            self.bound.update(dict.fromkeys(variables(step.value)))
        if isinstance(step, steps.InfoStep):
            self.bound.update(dict.fromkeys(variables(dict(step.values))))

    def computed(self, step: steps.CheckStep) -> None:
        """A check needs its variables, and so many of them as it can say anything about."""
        check = step.check
        names = check.names.among(self.bound)
        for name in names:
            if name not in self.bound:
                self._unknown(step, "a variable", f"${name}", [f"${known}" for known in self.bound], "bound by a step before")
        least = 1 if isinstance(check, Relation) else LEAST_SCATTERED if isinstance(check, Scattered) else 2
        if len(names) < least:
            what = type(check).__name__.lower()
            error = CaseError(f"variables of {what}", found=f"{len(names)} variables", expected=f"at least {least}")
            _complain(self.document, self.errors, step, error)


_HANDLERS: Mapping[type[Step], Callable[[_Names, Any], None]] = {
    steps.CallStep: _Names.called,
    steps.StartStep: _Names.begun,
    steps.FinishStep: _Names.finished,
    steps.InjectStep: _Names.injected,
    steps.InjectIcmpStep: _Names.injected,
    steps.ExpectStep: _Names.expected,
    steps.ExpectIcmpStep: _Names.expected,
    steps.StateStep: _Names.asked,
    steps.StatesStep: _Names.asked,
    steps.SockoptStep: _Names.asked,
    steps.InfoStep: _Names.asked,
    steps.CheckStep: _Names.computed,
}


def check_names(document: Document, sequence: Iterable[Step], connections: Collection[str]) -> list[CaseError]:
    """Connections that are not declared, and sockets, calls and variables that are used before they are made."""
    names = _Names(document, [], connections)
    for step in walk(sequence):
        names.check(step)
    return names.errors


def _complain(document: Document, errors: list[CaseError], step: Step, error: CaseError) -> None:
    """Place an error at the step or, since a preamble is right in itself, at what asks for the preamble."""
    if step.preamble:
        said = f"{error.message} in the preamble's step '{step.source.text}' ({step.source.file}:{step.source.line})"
        errors.append(document.error(("given",), replace(error, message=said), key=True))
    else:
        errors.append(error.at(document.file, step.source.line, step.source.column))


# Families -------------------------------------------------------------------------------------------------------------


def check_families(document: Document, sequence: Iterable[Step], families: Iterable[Family]) -> list[CaseError]:
    """What a step uses that one of the case's families does not have."""
    errors: list[CaseError] = []
    wanted = set(families)
    for step in walk(sequence):
        for name, having in _family_bound(step):
            for family in sorted(wanted - having):
                error = CaseError(f"{family} has none", found=name, expected=f"families: [{', '.join(sorted(having))}]")
                _complain(document, errors, step, error)
    return errors


def _family_bound(step: Step) -> Iterator[tuple[str, frozenset[Family]]]:
    """Words of a step, and the families that have what they stand for."""
    match step:
        case steps.InjectIcmpStep() | steps.ExpectIcmpStep():
            yield step.icmp.name, ICMP_NAMES.get(step.icmp.name, BOTH)
        case steps.CallStep() | steps.StartStep():
            for argument in (*step.call.args, step.call.result):
                hosts = [argument.host] if isinstance(argument, Address) else argument.parts if isinstance(argument, Octets) else ()
                yield from ((host, ADDRESSES[host]) for host in hosts if isinstance(host, str))
    for name, value in getattr(step, "fields", {}).items():
        yield name, ONE_FAMILYS_FIELDS.get(name, BOTH)
        octets = [value] if isinstance(value, Octets) else [header.data for header in value] if name == "ext" else []
        yield from ((part, ADDRESSES[part]) for one in octets for part in one.parts if isinstance(part, str))
        if name in ("src", "dst"):
            host = value.name if isinstance(value, Name) else str(value)
            yield host, ADDRESSES[host]
