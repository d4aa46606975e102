"""YAML text → :class:`Document`, from PyYAML's events: data only, bounded in size, depth and time.

Tags, recursive aliases, duplicate keys and several documents in one file are errors. Scalars resolve as YAML 1.2's
core schema says: ``on``, ``off``, ``yes`` and ``no`` are text, ``010`` is ten and ``1:1`` is text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path as FilePath
from typing import Any, ClassVar

import yaml

from conformance.case.document import Data, Document, Path, Position, WrittenFloat, WrittenInt, shown
from conformance.case.errors import CaseError

__all__ = ["MAX_BYTES", "MAX_DEPTH", "MAX_NODES", "read_file", "read_head", "read_yaml"]

MAX_BYTES = 1 << 20
MAX_DEPTH = 40
MAX_NODES = 50_000
"""In a file; an alias counts for the size of what it repeats."""
_MAX_DIGITS = 40

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_WORDS: dict[str, bool | None] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_INTS = ((re.compile(r"[-+]?[0-9]+"), 10), (re.compile(r"0o[0-7]+"), 8), (re.compile(r"0x[0-9a-fA-F]+"), 16))
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_LAST_STEPS = re.compile(rb"^steps:[ \t]*\r?\n(?:[ \t#-].*\n|\r?\n)*(?:[ \t#-].*)?\Z", re.MULTILINE)
"""The key ``steps`` at the margin, if nothing but what is below it follows: further in, or a list at the margin, or remarks."""
_HINTS = (
    ("alias", "quotes around a text that begins with *, such as '* 0:0(0)'"),
    ("block sequence entries", "quotes around a text that begins with -, such as '- 0:0(0)'"),
    ("mapping values", "quotes around a text that holds a colon and a space"),
    ("cannot start any token", "spaces, not tabs, to indent, and quotes around a text that begins with @, ` or %"),
    ("quoted scalar", "a closing quote"),
    ("did not find expected ','", "a comma or the closing bracket; quotes around a text that holds one of them"),
)
"""What libyaml says of a mistake, and what is usually the matter."""


class _Node:
    """A composed node: ``value`` is a scalar, a list of nodes, or a dict of key to (position of the key, node)."""

    __slots__ = ("folded", "kind", "position", "quoted", "value")

    def __init__(self, kind: str, value: Any, position: Position, quoted: bool = False, folded: bool = False) -> None:
        self.kind, self.value, self.position, self.quoted, self.folded = kind, value, position, quoted, folded


def read_file(path: FilePath, file: str | None = None, relative: str | None = None) -> Document:
    """Read a file; ``file`` is the name that errors give, ``relative`` the one below the case folder.

    Raises:
        CaseError: it cannot be read, or :func:`read_yaml` says no.
    """
    name = file or str(path)
    return read_yaml(_octets(path, name), name, relative or path.name)


def read_head(path: FilePath, file: str | None = None, relative: str | None = None) -> Document:
    """Like :func:`read_file`, but with ``steps`` empty where they come last: they are most of a case, and a list needs none of it."""
    name = file or str(path)
    raw = _octets(path, name)
    found = _LAST_STEPS.search(raw)
    return read_yaml(raw[: found.start()] + b"steps:" if found else raw, name, relative or path.name)


def _octets(path: FilePath, name: str) -> bytes:
    try:
        if not path.is_file():
            raise CaseError("no such file", name)
        with path.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise CaseError(f"cannot be read: {error.strerror}", name) from error


def read_yaml(source: str | bytes, file: str = "", relative: str = "") -> Document:
    """Read YAML text.

    Raises:
        CaseError: it is not YAML, is too large, or holds what a case must not hold.
    """
    text = _text(source, file)
    try:
        root = _compose(yaml.parse(text, Loader=_LOADER))
        return _lay_out(root, file, relative)
    except yaml.YAMLError as error:
        raise _syntax_error(error, file) from error
    except CaseError as error:
        raise error.at(file, error.line, error.column) from None


def _text(source: str | bytes, file: str) -> str:
    if len(source) > MAX_BYTES:
        raise CaseError("the file is too large", file, found=f"more than {MAX_BYTES} bytes", expected=f"at most {MAX_BYTES} bytes")
    try:
        text = source if isinstance(source, str) else source.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start]
        place = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        raise CaseError("the file is not UTF-8", file, *place, found=f"byte 0x{error.object[error.start]:02x}", expected="UTF-8") from None
    if bad := _UNPRINTABLE.search(text):
        place = text.count("\n", 0, bad.start()) + 1, bad.start() - text.rfind("\n", 0, bad.start())
        raise CaseError("a character that YAML does not allow", file, *place, found=f"U+{ord(bad[0]):04X}", expected="printable text")
    return text


def _syntax_error(error: yaml.YAMLError, file: str) -> CaseError:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    said = ", ".join(part for part in (getattr(error, "context", None), getattr(error, "problem", None)) if part) or str(error)
    if "nesting depth" in said:  # libyaml has a limit of its own since 0.2.6, and looks ahead
        return CaseError("nested too deeply", file, line, column, f"more than {MAX_DEPTH} levels", f"at most {MAX_DEPTH} levels")
    expected = next((hint for sign, hint in _HINTS if sign in said), "YAML")
    return CaseError(f"this is not YAML: {said}", file, line, column, expected=expected)


# Events → nodes -------------------------------------------------------------------------------------------------------


class _Composer:
    """Builds nodes from events, with a stack of the collections that are still open."""

    def __init__(self) -> None:
        self.root: _Node | None = None
        self.open: list[_Node] = []
        self.keys: list[tuple[Data, Position] | None] = []
        """For each open collection: the key that waits for its value."""
        self.anchors: dict[str, _Node] = {}
        self.documents = self.nodes = 0

    def feed(self, event: Any) -> None:
        """Take one event."""
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(self, event)

    def _document(self, event: Any) -> None:
        self.documents += 1
        if self.documents > 1:
            raise _mistake(event, "a second document in the file", "---", "one document a file")

    def _scalar(self, event: Any) -> None:
        plain = event.implicit[0]
        start, end = event.start_mark.line, event.end_mark.line
        self._new(_Node("scalar", _resolve(event) if plain else event.value, _position(event), not plain, start != end), event)

    def _list(self, event: Any) -> None:
        self._begin(_Node("list", [], _position(event)), event)

    def _dict(self, event: Any) -> None:
        self._begin(_Node("dict", {}, _position(event)), event)

    def _begin(self, node: _Node, event: Any) -> None:
        """A collection, that takes what comes until :meth:`_end`."""
        self._new(node, event)
        if len(self.open) >= MAX_DEPTH:
            raise _mistake(event, "nested too deeply", f"more than {MAX_DEPTH} levels", f"at most {MAX_DEPTH} levels")
        self.open.append(node)
        self.keys.append(None)

    def _end(self, event: Any) -> None:  # noqa: ARG002 (a handler like the others)
        self.open.pop()
        self.keys.pop()

    def _new(self, node: _Node, event: Any) -> None:
        if event.tag is not None:
            raise _mistake(event, "a tag", event.tag, "data without tags")
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise _mistake(event, "the file is too large", f"more than {MAX_NODES} nodes", f"at most {MAX_NODES} nodes")
        if event.anchor:
            self.anchors[event.anchor] = node
        self._add(node, event)

    def _alias(self, event: Any) -> None:
        node = self.anchors.get(event.anchor)
        if node is None:
            raise _mistake(
                event, "an alias without an anchor", f"*{event.anchor}", "an anchor before it, or quotes around a text that begins with *"
            )
        if any(node is outer for outer in self.open):
            raise _mistake(event, "an alias inside of what it repeats", f"*{event.anchor}", "data that ends")
        self._add(node, event)

    def _add(self, node: _Node, event: Any) -> None:
        if not self.open:
            self.root = node
        elif self.open[-1].kind == "list":
            self.open[-1].value.append(node)
        elif (key := self.keys[-1]) is None:
            self.keys[-1] = (self._key(node, event), _position(event))
        else:
            self.open[-1].value[key[0]] = (key[1], node)
            self.keys[-1] = None

    def _key(self, node: _Node, event: Any) -> str | int:
        value = node.value
        if node.kind != "scalar" or isinstance(value, bool) or not isinstance(value, (str, int)):
            found = (
                "a list" if isinstance(value, list) else "a mapping" if isinstance(value, dict) else shown(value)
            )  # it is not filled yet
            raise _mistake(event, "a key", found, "text or a whole number")
        if value in self.open[-1].value:
            raise _mistake(event, "a key that is there twice", str(value), "each key once")
        return value

    _handlers: ClassVar[dict[type, Callable[[_Composer, Any], None]]] = {
        yaml.ScalarEvent: _scalar,
        yaml.SequenceStartEvent: _list,
        yaml.MappingStartEvent: _dict,
        yaml.SequenceEndEvent: _end,
        yaml.MappingEndEvent: _end,
        yaml.AliasEvent: _alias,
        yaml.DocumentStartEvent: _document,
    }


def _compose(events: Iterator[Any]) -> _Node:
    composer = _Composer()
    for event in events:
        composer.feed(event)
    return composer.root or _Node("scalar", None, (1, 1))


def _resolve(event: Any) -> Data:
    """A plain scalar's value in the core schema."""
    text: str = event.value
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    for pattern, base in _INTS:
        if pattern.fullmatch(text):
            if len(text) > _MAX_DIGITS:
                raise _mistake(event, "a number that is too long", shown(text), f"at most {_MAX_DIGITS} digits")
            return _as_written(text, int(text, base))
    if _FLOAT.fullmatch(text):
        # Python writes .inf and .nan without the point.
        return _as_written(text, float(text.replace(".", "") if text[-1] in "fFnN" else text))
    return text


def _as_written(text: str, value: float) -> float:
    """``value``, as one that remembers its text where ``str()`` would give another."""
    if str(value) == text:
        return value
    written = WrittenInt(value) if isinstance(value, int) else WrittenFloat(value)
    written.text = text
    return written


def _position(event: Any) -> Position:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _mistake(event: Any, message: str, found: str, expected: str) -> CaseError:
    return CaseError(message, "", *_position(event), found=found, expected=expected)


# Nodes → data ---------------------------------------------------------------------------------------------------------


def _lay_out(root: _Node, file: str, relative: str) -> Document:
    """Write the tree out, each alias as what it repeats, with the position of every part."""
    positions: dict[Path, Position] = {}
    key_positions: dict[Path, Position] = {}
    quoted: set[Path] = set()
    folded: set[Path] = set()
    holder: list[Data] = [None]
    todo: list[tuple[_Node, Path, Any, str | int]] = [(root, (), holder, 0)]
    while todo:
        node, path, into, key = todo.pop()
        positions[path] = node.position
        if len(positions) > MAX_NODES:
            raise _too_much(node, "the file is too large once its aliases are written out", f"{MAX_NODES} nodes")
        if node.kind == "scalar":
            into[key] = node.value
            if node.quoted:
                quoted.add(path)
            if node.folded:
                folded.add(path)
        elif len(path) >= MAX_DEPTH:
            raise _too_much(node, "nested too deeply", f"{MAX_DEPTH} levels")
        elif node.kind == "list":
            into[key] = [None] * len(node.value)
            todo.extend((child, (*path, index), into[key], index) for index, child in enumerate(node.value))
        else:
            into[key] = dict.fromkeys(node.value)
            for name, (position, child) in node.value.items():
                key_positions[(*path, name)] = position
                todo.append((child, (*path, name), into[key], name))
    return Document(file, relative, holder[0], positions, key_positions, quoted, folded)


def _too_much(node: _Node, message: str, limit: str) -> CaseError:
    return CaseError(message, "", *node.position, found=f"more than {limit}", expected=f"at most {limit}")
