"""One connection of a capture explained: who broke which rule, what it asks for, the packets around the first one that shows it."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO

from rich.console import Console, Group, RenderableType
from rich.text import Text

from conformance.oracle.finding import Connection, Finding, Vantage, Verdict
from conformance.report.check.account import Account
from conformance.report.check.excerpt import Excerpt, draw_excerpt
from conformance.report.layout import indented, labelled, one_line
from conformance.report.safe_text import printable, sentence

__all__ = ["MARKS", "VANTAGES", "account_block", "account_line", "account_text", "number"]

MARKS = {
    Verdict.VIOLATION: ("✗", "bold red"),
    Verdict.DEVIATION: ("✗", "bold red"),
    Verdict.AMBIGUOUS: ("?", "yellow"),
    Verdict.CONFORMS: ("✓", "green"),
}
"""The sign and the style of each verdict."""

VANTAGES = {
    Vantage.CLIENT: "at the client",
    Vantage.SERVER: "at the server",
    Vantage.BOTH: "where both ends see the same",
    Vantage.MIDDLE: "somewhere between",
}
"""Where a connection was captured."""

MOST_FINDINGS = 5
_AGAINST = {Verdict.VIOLATION: "violation of", Verdict.DEVIATION: "deviation from", Verdict.AMBIGUOUS: "perhaps against"}


def account_block(
    account: Account, excerpt: Excerpt | None, width: int = 80, *, show: str = "", again: str = "", every: bool = False
) -> RenderableType:
    """``account`` for a rich console, laid out for ``width`` columns. Print it with ``crop=False``, for the sake of the commands.

    ``show`` is the command that opens the capture at the spot, ``again`` the one that says all about this connection;
    ``every``: all that is held against it, not only the worst.
    """
    shown = account.findings if every else account.findings[:MOST_FINDINGS]
    parts: list[RenderableType] = list(_heading(account))
    if excerpt and excerpt.pieces:
        marked = {finding.packet for finding in account.findings}
        parts += ["", *draw_excerpt(excerpt, account.connection, width, marked)]
    for finding in shown:
        parts += ["", *_finding(finding, account.connection)]
    if more := len(account.findings) - len(shown):
        parts += ["", indented(Text(f"… and {more} more", "dim"))]
    commands = [one_line(label, printable(command)) for label, command in (("wireshark", show), ("again", again)) if command]
    if commands:
        parts += ["", *commands]
    return Group(*parts)


def account_text(account: Account, excerpt: Excerpt | None, width: int = 80, **how: str) -> str:
    """The same as plain text."""
    console = Console(file=StringIO(), width=width, force_terminal=False, color_system=None, highlight=False, markup=False, emoji=False)
    with console.capture() as captured:
        console.print(account_block(account, excerpt, width, show=how.get("show", ""), again=how.get("again", "")), crop=False)
    return "\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n"


def account_line(account: Account) -> Text:
    """The same in one line."""
    mark, style = MARKS[account.verdict]
    text = Text.assemble((f"{mark} {account.verdict:<9}", style), f"  {printable(account.file)} connection {account.connection.number}")
    if not account.findings:
        return text
    finding, others = account.findings[0], len(account.findings) - 1
    text.append(f"  packet {finding.packet}: {printable(finding.rule.requirement)}: {sentence(finding.reason)}")
    return text.append(f" (and {others} more)" if others else "")


def number(of: int) -> str:
    """``1,204``."""
    return f"{of:,}"


def _heading(account: Account) -> Iterator[RenderableType]:
    connection = account.connection
    mark, style = MARKS[account.verdict]
    title = f"{mark} {printable(account.file)} connection {connection.number}"
    yield Text.assemble((title, f"bold {style}"), f"   {account.verdict}", overflow="fold")
    yield indented(Text(f"client {printable(connection.client)}   server {printable(connection.server)}"))
    packets = f"{number(connection.packets)} {'packet' if connection.packets == 1 else 'packets'}"
    yield indented(Text(f"{packets}, {connection.first} to {connection.last}, captured {VANTAGES[connection.vantage]}", "dim"))
    if connection.unjudged:
        yield indented(Text(f"not judged in full: {sentence(connection.unjudged)}", "yellow"))


def _finding(finding: Finding, connection: Connection) -> Iterator[RenderableType]:
    rule = finding.rule
    mark, style = MARKS[finding.verdict]
    who = {connection.client: "the client", connection.server: "the server"}.get(finding.endpoint, printable(finding.endpoint))
    headline = f"{_AGAINST[finding.verdict]} {printable(rule.requirement)} by {who}"
    yield indented(Text.assemble((f"{mark} packet {finding.packet}: ", style), (headline, "bold"), (f"   {printable(rule.name)}", "dim")))
    yield indented(Text(sentence(finding.reason)))
    yield labelled(printable(rule.level), sentence(rule.says))
