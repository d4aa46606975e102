"""HTTP/1.0 (RFC 1945), as much as it takes to serve files and to fetch one: a connection for each request, a length before each content."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import formatdate
from ipaddress import ip_address
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from conformance.host.calls import close, connect, now, open_socket, recv, sendall
from conformance.host.process import ProgramError
from conformance.host.programs import CHUNK, Say, Transfer, generated, serve, set_patience, text
from conformance.stack.errors import SocketError
from conformance.stack.sock import Address
from conformance.stack.uapi import SOCK_STREAM

__all__ = ["get", "http_server"]

_LONGEST_HEAD = 1 << 14
_REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 501: "Not Implemented"}
_MOST_GENERATED = 1 << 40


# The server -----------------------------------------------------------------------------------------------------------


async def http_server(port: int, folder: Path | None, say: Say) -> None:
    """Serve the files of a folder, and ``/octets/N``: so many generated octets."""

    async def answer(connection: int, peer: Address) -> None:
        try:
            await set_patience(connection)
            request = (await _head(connection))[0].partition("\r\n")[0]
            response = _respond(request, folder)
            say(f'{text(peer)} "{_printable(request)}" {response.status} {response.length}')
            try:
                await sendall(connection, response.head)
                for data in response.content:
                    await sendall(connection, data)
            finally:
                response.close()
        except ProgramError:
            say(f"{text(peer)} sent no request")
        except SocketError as error:
            say(f"{text(peer)} {error.name}")
        finally:
            await close(connection)

    await serve(port, answer, say, "http")


@dataclass(frozen=True, slots=True)
class _Response:
    status: int
    length: int
    content: Iterator[bytes]
    file: BinaryIO | None = None

    @property
    def head(self) -> bytes:
        """What stands before the content."""
        lines = (
            f"HTTP/1.0 {self.status} {_REASONS[self.status]}",
            f"Date: {formatdate(usegmt=True)}",
            "Content-Type: application/octet-stream",
            f"Content-Length: {self.length}",
        )
        return "".join(f"{line}\r\n" for line in (*lines, "")).encode("ascii")

    def close(self) -> None:
        """Give the file back."""
        if self.file is not None:
            self.file.close()


def _respond(request: str, folder: Path | None) -> _Response:
    """The answer to a request line."""
    words = request.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/") or not words[1].startswith("/"):
        return _refusal(400)
    method, path = words[0], unquote(words[1].partition("?")[0])
    if method not in ("GET", "HEAD"):
        return _refusal(501)
    response = _generated(path) if path.startswith("/octets/") else _file(path, folder)
    if method == "GET":
        return response
    response.close()
    return _Response(response.status, response.length, iter(()))


def _refusal(status: int) -> _Response:
    return _Response(status, len(_REASONS[status]), iter((_REASONS[status].encode(),)))


def _generated(path: str) -> _Response:
    number = path.removeprefix("/octets/")
    if not (number.isascii() and number.isdecimal() and len(number) < 20 and int(number) <= _MOST_GENERATED):
        return _refusal(404)
    return _Response(200, int(number), generated(int(number)))


def _file(path: str, folder: Path | None) -> _Response:
    """A file inside of the folder, wherever links and ``..`` lead."""
    if folder is None:
        return _refusal(404)
    try:
        found = (folder / path.lstrip("/")).resolve(strict=True)
        if not (found.is_file() and found.is_relative_to(folder.resolve())):
            return _refusal(404)
        file = found.open("rb")
    except (OSError, ValueError):
        return _refusal(404)
    length = file.seek(0, io.SEEK_END)
    file.seek(0)
    return _Response(200, length, _chunks(file, length), file)


def _chunks(file: BinaryIO, length: int) -> Iterator[bytes]:
    """As much as was promised, also of a file that grows."""
    while length > 0 and (data := file.read(min(CHUNK, length))):
        length -= len(data)
        yield data


def _printable(line: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in line)


# The client -----------------------------------------------------------------------------------------------------------


async def get(url: str, path: Path, say: Say) -> Transfer:
    """Fetch a URL whose host is an address into a file.

    Raises:
        ProgramError: that is no such URL; the answer is not 200, is no HTTP, or ends too early.
    """
    peer, target, host = _parsed(url)
    transfer = Transfer()
    async with open_socket(peer.family, SOCK_STREAM) as fd:
        await connect(fd, peer)
        began = await now()
        await sendall(fd, f"GET {target} HTTP/1.0\r\nHost: {host}\r\nAccept: */*\r\n\r\n".encode("ascii"))
        head, data = await _head(fd)
        length = _checked(head, url)
        with path.open("wb") as file:
            while data or (data := await recv(fd, CHUNK)):
                file.write(data)
                transfer.add(data)
                data = b""
        transfer.duration = await now() - began
    if length is not None and transfer.octets != length:
        raise ProgramError(f"{url}: {transfer.octets} octets came of {length}")
    say(f"fetched {transfer} from {text(peer)}")
    return transfer


def _parsed(url: str) -> tuple[Address, str, str]:
    """Peer, request target, and what to call the host."""
    try:
        parts = urlsplit(url)
        address = ip_address(parts.hostname or "")
        port = parts.port or 80
    except ValueError as error:
        raise ProgramError(f"{url}: {error}; the host must be an address, there is no DNS here") from error
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if parts.scheme != "http" or not target.isascii() or any(letter.isspace() for letter in target):
        raise ProgramError(f"{url} is no URL of http:")
    return Address(address.packed, port), target, parts.netloc.rpartition("@")[2]


def _checked(head: str, url: str) -> int | None:
    """The length of the content, if the head of the answer says it."""
    first, *lines = head.split("\r\n")
    words = first.split(" ", 2)
    if not words[0].startswith("HTTP/1.") or len(words) < 2:
        raise ProgramError(f"{url}: no HTTP: {_printable(first)[:80]!r}")
    if words[1] != "200":
        raise ProgramError(f"{url}: {_printable(first)[:80]}")
    for line in lines:
        name, _, value = line.partition(":")
        if name.lower() == "content-length" and value.strip().isdecimal():
            return int(value)
        if name.lower() == "transfer-encoding":
            raise ProgramError(f"{url}: the server sends {_printable(value.strip())}, which HTTP/1.0 has not")
    return None


# Both -----------------------------------------------------------------------------------------------------------------


async def _head(fd: int) -> tuple[str, bytes]:
    """The lines before the empty one, and what came of the content already.

    Raises:
        ProgramError: it is too long, or the peer said too little.
    """
    data = b""
    while (end := data.find(b"\r\n\r\n")) < 0:
        if len(data) > _LONGEST_HEAD:
            raise ProgramError("what the peer says has no end")
        more = await recv(fd, CHUNK)
        if not more:
            raise ProgramError("the peer ended before it had said what it wanted to")
        data += more
    return data[:end].decode("latin-1"), data[end + 4 :]
