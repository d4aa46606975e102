"""What `conformance path` prints: a walk through the reference stack as a tree, or as JSON."""

from __future__ import annotations

import json

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from conformance.stack.path import Change, Layer, Sleep
from conformance.stack.walks import WALKS, record

__all__ = ["path_tree", "show_path"]

_WIDE = 200
"""Columns of a file or a pipe, where no line need be broken."""
_ROOT = "conformance/stack/"


def show_path(name: str, as_json: bool) -> None:
    """Play a walk and print what it passed."""
    layer, title = record(name), WALKS[name].title
    if as_json:
        print(json.dumps({"name": name, "title": title, "path": layer.as_json()}, indent=2, ensure_ascii=False))
        return
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = _WIDE
    console.print(Text(f"{title}; files are in {_ROOT}", "dim"))
    console.print(path_tree(layer))


def path_tree(layer: Layer) -> Tree:
    """A layer with all below it. A layer that does nothing but change a state has that on its own line."""
    only_changes = [step for step in layer.steps if isinstance(step, Change)]
    inline = len(only_changes) == len(layer.steps)
    label = Text(layer.name, "bold")
    for change in only_changes if inline else ():
        label.append("  ").append(_change(change))
    tree = Tree(label.append(f"  {layer.file.removeprefix(_ROOT)}", "not bold dim"), guide_style="dim")
    for step in () if inline else layer.steps:
        tree.children.append(path_tree(step) if isinstance(step, Layer) else Tree(_other(step)))
    return tree


def _other(step: Change | Sleep) -> Text:
    return _change(step) if isinstance(step, Change) else Text("(the caller sleeps here, and is woken)", "not bold yellow")


def _change(change: Change) -> Text:
    of = "" if change.of == "sock" or change.new.startswith("SS_") else f" ({change.of})"
    return Text(f"{change.old} → {change.new}{of}", "not bold green")
