"""Drafts of segments and ICMP messages → patterns, checked for their role: to be injected, or to be compared with.

What only compares (``*``, ranges, ``P?``, ``...``, ``any``) has no place in what is injected; ``raw`` none in what is expected.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from conformance.case.errors import CaseError
from conformance.case.notation_tree import At, DraftIcmp, DraftOption, DraftSegment
from conformance.case.steps import ANY_OPTION, RAW_OPTION, Exact, FlagsPattern, IcmpPattern, Num, OptionPattern, Range, SegmentPattern, Var
from conformance.case.vocabulary import ICMP_NAMES
from conformance.wire import options as wire
from conformance.wire.segment import ACK, CWR, ECE, FIN, PSH, RST, SYN, URG

__all__ = ["Role", "icmp_pattern", "segment_pattern"]

Role = Literal["inject", "expect"]

_FLAGS: Mapping[str, int] = {"S": SYN, "F": FIN, "R": RST, "P": PSH, ".": ACK, "U": URG, "E": ECE, "W": CWR}
_SEQUENCE = (1 - 2**32, 2**32 - 1)
_16_BITS, _32_BITS, _8_BITS = (0, 2**16 - 1), (0, 2**32 - 1), (0, 2**8 - 1)
_LIMITS: Mapping[str, tuple[int, int]] = {
    "seq": _SEQUENCE, "end": _SEQUENCE, "length": _16_BITS, "ack": _SEQUENCE, "win": _16_BITS, "urg": _16_BITS,
    "mss": _16_BITS, "wscale": _8_BITS, "TS": _32_BITS, "sack": _SEQUENCE, "kind": _8_BITS,
    "mtu": _32_BITS, "type": _8_BITS, "code": _8_BITS,
}  # fmt: skip
"""What fits into a field. Sequence numbers are relative, so they may be negative."""
_KINDS: Mapping[str, int] = {
    "eol": wire.EOL, "nop": wire.NOP, "mss": wire.MSS, "wscale": wire.WSCALE, "sackOK": wire.SACK_OK, "sack": wire.SACK,
    "TS": wire.TIMESTAMP, "tfo": wire.FAST_OPEN, "any": ANY_OPTION, "raw": RAW_OPTION,
}  # fmt: skip
_SIZES: Mapping[str, int] = {"eol": 1, "nop": 1, "mss": 4, "wscale": 3, "sackOK": 2, "sack": 2, "TS": 10, "tfo": 2, "kind": 2, "raw": 0}
"""Octets in a header, without those that are written out."""
_WITH_MTU = ("frag-needed", "packet-too-big")


def segment_pattern(draft: DraftSegment, role: Role, text: str) -> SegmentPattern:
    """The segment that ``text`` says. Raises CaseError."""
    numbers = {name: _number(name, getattr(draft, name), role) for name in ("seq", "end", "length")}
    pattern = SegmentPattern(
        flags=_flags(draft.flags, role),
        ack=draft.ack and _number("ack", draft.ack, role),
        win=draft.win and _number("win", draft.win, role),
        urg=draft.urg and _number("urg", draft.urg, role),
        options=None if draft.options is None else _options(draft.options, role),
        more_options=_ends_open(draft.options or ()),
        data=draft.data and draft.data.value,
        text=text,
        **numbers,
    )
    _check_length(draft, pattern)
    return pattern


def icmp_pattern(draft: DraftIcmp, role: Role, text: str) -> IcmpPattern:
    """The ICMP message that ``text`` says. Raises CaseError."""
    if draft.name is not None and draft.name.value not in ICMP_NAMES:
        raise CaseError("an ICMP message", column=draft.name.column, found=draft.name.text, allowed=(*ICMP_NAMES, "type N code N"))
    if draft.mtu and draft.name and draft.name.value not in _WITH_MTU:
        raise CaseError(f"{draft.name.text} has no MTU", column=draft.mtu.column, found=draft.mtu.text, allowed=_WITH_MTU,
                        expected="mtu only with")  # fmt: skip
    quoted = text[text.find("[") + 1 : text.rfind("]")].strip()
    return IcmpPattern(
        name=draft.name.value if draft.name else "type",
        type=_plain("type", draft.type),
        code=_plain("code", draft.code),
        mtu=draft.mtu and _number("mtu", draft.mtu, role),
        quoted=draft.quoted and segment_pattern(draft.quoted, role, quoted),
        text=text,
    )


def _plain(name: str, draft: At | None) -> int | None:
    if draft is None:
        return None
    _number(name, draft, "inject")
    return int(draft.value.value)


def _number(name: str, draft: At, role: Role) -> Num:
    """A number that its field can hold and, to be injected, one that is known."""
    value: Num = draft.value
    if role == "inject" and not isinstance(value, Exact | Var):
        raise CaseError(f"{name} of what is injected", column=draft.column, found=draft.text,
                        expected="a number or $name: * and ranges only compare")  # fmt: skip
    ends = (value.low, value.high) if isinstance(value, Range) else (value.value,) if isinstance(value, Exact) else ()
    low, high = _LIMITS[name]
    for end in ends:
        if not low <= end <= high:
            raise CaseError(f"{name} is out of range", column=draft.column, found=str(end), expected=f"{low}..{high}")
    return value


def _flags(draft: At, role: Role) -> FlagsPattern:
    text: str = draft.value
    if role == "inject" and ("*" in text or "?" in text):
        expected = "flags such as S, S. or -: * and ? only compare"
        raise CaseError("flags of what is injected", column=draft.column, found=text, expected=expected)
    if text == "*":
        return FlagsPattern(0, any=True)
    value = optional = 0
    for index, letter in enumerate(text):
        bit = _FLAGS.get(letter, 0)
        if (value | optional) & bit:
            raise CaseError("a flag that is there twice", column=draft.column + index, found=text, expected="each flag once")
        if text[index + 1 : index + 2] == "?":
            optional |= bit
        else:
            value |= bit
    return FlagsPattern(value, optional)


def _check_length(draft: DraftSegment, pattern: SegmentPattern) -> None:
    """SEQ, END, LENGTH and the data say one thing."""
    span = _span(pattern.seq, pattern.end)
    if not isinstance(pattern.length, Exact):
        return
    length = pattern.length.value
    if span is not None and span != length:
        assert isinstance(draft.seq.value, Exact | Var)
        found = f"{draft.seq.text}:{draft.end.text}({length})"
        raise CaseError("a sequence range", column=draft.seq.column, found=found, expected=f"{draft.seq.text}:{draft.end.text}({span})")
    if pattern.data is not None and len(pattern.data) != length:
        assert draft.data is not None
        raise CaseError("data of another length than the sequence range", column=draft.data.column, found=f"{len(pattern.data)} octets",
                        expected=f"{length} octets, as the sequence range says")  # fmt: skip


def _span(seq: Num, end: Num) -> int | None:
    """END − SEQ modulo 2³², where the two can be compared."""
    if isinstance(seq, Exact) and isinstance(end, Exact):
        return (end.value - seq.value) % 2**32
    if isinstance(seq, Var) and isinstance(end, Var) and seq.name == end.name:
        return (end.offset - seq.offset) % 2**32
    return None


# Options --------------------------------------------------------------------------------------------------------------


def _options(drafts: tuple[DraftOption, ...], role: Role) -> tuple[OptionPattern, ...]:
    more = _ends_open(drafts) and role == "expect"
    patterns = tuple(_option(draft, role) for draft in (drafts[:-1] if more else drafts))
    size = sum(_size(draft) for draft in drafts) if role == "inject" else 0
    if size > wire.MAX_OCTETS:
        raise CaseError("options", column=drafts[0].keyword.column, found=f"{size} octets of options",
                        expected=f"at most {wire.MAX_OCTETS}, which is what a header holds")  # fmt: skip
    return patterns


def _ends_open(drafts: tuple[DraftOption, ...]) -> bool:
    return bool(drafts) and drafts[-1].keyword.value == "..."


def _option(draft: DraftOption, role: Role) -> OptionPattern:
    keyword: str = draft.keyword.value
    wrong = {"inject": ("any", "..."), "expect": ("raw", "...")}[role]
    if keyword in wrong:
        only = {"any": "expected", "raw": "injected", "...": "expected, and at the end"}[keyword]
        expected = f"another option: {keyword} is only for what is {only}"
        raise CaseError("an option", column=draft.keyword.column, found=keyword, expected=expected)
    if keyword == "kind":
        kind = _plain("kind", draft.numbers[0])
        return OptionPattern(kind or 0, data=_octets(draft, role))
    if draft.octets is not None and isinstance(draft.octets.value, Var):
        return OptionPattern(_KINDS[keyword], (draft.octets.value,))
    if keyword in ("tfo", "raw"):
        return OptionPattern(_KINDS[keyword], data=_octets(draft, role))
    return OptionPattern(_KINDS[keyword], tuple(_number(keyword, number, role) for number in draft.numbers))


def _octets(draft: DraftOption, role: Role) -> bytes | None:
    """The octets that are written out, none if there are none; None for ``*``."""
    if draft.octets is None:
        return b""
    if isinstance(draft.octets.value, bytes):
        return draft.octets.value
    if role == "inject":
        raise CaseError("octets of what is injected", column=draft.octets.column, found="*", expected="hexadecimal digits: * only compares")
    return None


def _size(draft: DraftOption) -> int:
    octets = draft.octets.value if draft.octets and isinstance(draft.octets.value, bytes) else b""
    blocks = 4 * len(draft.numbers) if draft.keyword.value == "sack" else 0
    return _SIZES[draft.keyword.value] + blocks + len(octets)
