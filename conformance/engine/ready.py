"""Everything that the cases of a run will send, built before the first of them begins."""

from __future__ import annotations

from collections.abc import Iterable

from conformance.case.case import Case, mtu_of
from conformance.case.errors import CaseError
from conformance.case.steps import InjectIcmpStep, InjectStep, Step, flatten
from conformance.engine.outgoing import template_of
from conformance.engine.packets import ip_extra
from conformance.wire.spec import ETHERNET

__all__ = ["build_packets"]


def build_packets(cases: Iterable[Case]) -> tuple[list[Case], list[CaseError]]:
    """Build the packets of these cases (scapy takes half a millisecond for each, once).

    Returns the cases that can be played, and what is wrong with the others: a packet that cannot be built, such as one
    with more octets of options than a header holds.
    """
    good: list[Case] = []
    errors: dict[tuple[str, int], CaseError] = {}
    for case in cases:
        wrong = [error for step in flatten(case.steps) if (error := _try(case, step))]
        errors.update({(error.file, error.line): error for error in wrong})
        if not wrong:
            good.append(case)
    return good, list(errors.values())


def _try(case: Case, step: Step) -> CaseError | None:
    source = step.source
    try:
        if isinstance(step, InjectStep):
            template, _, _ = template_of(case.family, step.segment, step.fields)
            size = len(template.head) + len(template.spec.payload) - ETHERNET
            if size > mtu_of(case) and "fragments" not in step.fields:
                expected = f"at most {mtu_of(case)}, the MTU of the link (config: mtu)"
                return CaseError("an IP packet that is too long", source.file, source.line, source.column, f"{size} octets", expected)
        elif isinstance(step, InjectIcmpStep):
            if step.icmp.quoted is not None:
                template_of(case.family, step.icmp.quoted, {})
            ip_extra(case.family, step.fields, 0)
    except ValueError as error:
        return CaseError(str(error), source.file, source.line, source.column, found=source.text, expected="a packet that can be built")
    return None
