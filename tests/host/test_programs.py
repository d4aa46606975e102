"""The programs of a host, in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from conformance.host.calls import accept, bind, connect, listen, open_socket, recv, recvfrom, sendall, sendto, shutdown, socket
from conformance.host.http import get, http_server
from conformance.host.process import ProgramError
from conformance.host.programs import CHUNK, Transfer, echo_server, generated, receiver, sender, text
from conformance.stack.errors import SocketError
from conformance.stack.sock import Address
from conformance.stack.uapi import AF_INET, AF_INET6, SHUT_WR, SOCK_DGRAM, SOCK_STREAM

from .memory import LOCAL6, Memory, local


@pytest.fixture
def memory() -> Iterator[Memory]:
    memory = Memory()
    yield memory
    memory.processes.abandon()


async def exchange(port: int, request: bytes, version: int = 4) -> bytes:
    """All that a server says to a request."""
    family = AF_INET if version == 4 else AF_INET6
    async with open_socket(family, SOCK_STREAM) as fd:
        await connect(fd, local(port, version))
        await sendall(fd, request)
        await shutdown(fd, SHUT_WR)
        said = b""
        while data := await recv(fd, CHUNK):
            said += data
        return said


# Octets ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_generated_octets_are_those_of_a_seed(count: int) -> None:
    rng = Random(count)
    whole = b"".join(rng.randbytes(min(CHUNK, count - start)) for start in range(0, count, CHUNK))
    assert b"".join(generated(count)) == whole and len(whole) == count


@pytest.mark.parametrize(
    ("address", "written"),
    [
        (Address(bytes((192, 0, 2, 1)), 80), "192.0.2.1:80"),
        (Address(LOCAL6, 80), "[::1]:80"),
        (Address(bytes(10) + b"\xff\xff" + bytes((192, 0, 2, 1)), 80), "192.0.2.1:80"),
    ],
)
def test_addresses_as_text(address: Address, written: str) -> None:
    assert text(address) == written


@pytest.mark.parametrize("version", [4, 6])
def test_the_echo_server_sends_back_what_comes(memory: Memory, version: int) -> None:
    said: list[str] = []
    memory.start(echo_server(7, said.append))
    data = Random(1).randbytes(200_000)
    assert memory.run(exchange(7, data, version)) == data and said == ["echo on [::]:7"]

    async def datagram() -> bytes:
        async with open_socket(AF_INET if version == 4 else AF_INET6, SOCK_DGRAM) as fd:
            await sendto(fd, b"hello", local(7, version))
            return (await recvfrom(fd, 100))[0]

    assert memory.run(datagram()) == b"hello"


@pytest.mark.parametrize("version", [4, 6])
def test_a_sender_and_a_receiver_agree(memory: Memory, version: int) -> None:
    said: list[str] = []
    memory.start(receiver(9, said.append))
    sent = memory.run(sender(local(9, version), 300_000, said.append))
    expected = hashlib.sha256(b"".join(generated(300_000))).hexdigest()
    assert isinstance(sent, Transfer) and sent.octets == 300_000
    memory.processes.run()
    assert said[0] == "receiver on [::]:9" and sorted(line.split()[0] for line in said[1:]) == ["received", "sent"]
    assert all(line.split()[1] == "300000" and expected in line for line in said[1:])


# HTTP -----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    served = tmp_path / "served"
    (served / "below").mkdir(parents=True)
    (served / "file").write_bytes(b"content")
    (served / "below" / "two words").write_bytes(bytes(range(256)) * 1000)
    (served / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "secret").write_bytes(b"secret")
    return served


@pytest.fixture
def ask(memory: Memory, folder: Path) -> Callable[[str], tuple[bytes, bytes]]:
    """Status line and content of the answer to a request line."""
    memory.start(http_server(80, folder, str))

    def asked(line: str) -> tuple[bytes, bytes]:
        answer = memory.run(exchange(80, f"{line}\r\nHost: x\r\n\r\n".encode()))
        assert isinstance(answer, bytes)
        head, _, content = answer.partition(b"\r\n\r\n")
        assert b"\r\nContent-Length: " in head and b"\r\nDate: " in head
        return head.partition(b"\r\n")[0], content

    return asked


@pytest.mark.parametrize(
    ("line", "status", "content"),
    [
        ("GET /file HTTP/1.1", b"200 OK", b"content"),
        ("GET //file?query HTTP/1.0", b"200 OK", b"content"),
        ("GET /below/../file HTTP/1.1", b"200 OK", b"content"),
        ("GET /below/two%20words HTTP/1.1", b"200 OK", bytes(range(256)) * 1000),
        ("HEAD /file HTTP/1.1", b"200 OK", b""),
        ("GET /octets/70000 HTTP/1.1", b"200 OK", b"".join(generated(70000))),
        ("GET /octets/0 HTTP/1.1", b"200 OK", b""),
        ("GET /octets/-1 HTTP/1.1", b"404 Not Found", b"Not Found"),
        ("GET /octets/" + "9" * 30 + " HTTP/1.1", b"404 Not Found", b"Not Found"),
        ("GET / HTTP/1.1", b"404 Not Found", b"Not Found"),
        ("GET /missing HTTP/1.1", b"404 Not Found", b"Not Found"),
        ("GET /../secret HTTP/1.1", b"404 Not Found", b"Not Found"),
        ("GET /%2e%2e/secret HTTP/1.1", b"404 Not Found", b"Not Found"),
        ("GET /link HTTP/1.1", b"404 Not Found", b"Not Found"),
        ("GET /file%00 HTTP/1.1", b"404 Not Found", b"Not Found"),
        ("GET /" + "a" * 5000 + " HTTP/1.1", b"404 Not Found", b"Not Found"),
        ("POST /file HTTP/1.1", b"501 Not Implemented", b"Not Implemented"),
        ("GET http://x/file HTTP/1.1", b"400 Bad Request", b"Bad Request"),
        ("GET /file", b"400 Bad Request", b"Bad Request"),
        ("", b"400 Bad Request", b"Bad Request"),
    ],
)
def test_the_server_answers(ask: Callable[[str], tuple[bytes, bytes]], line: str, status: bytes, content: bytes) -> None:
    assert ask(line) == (b"HTTP/1.0 " + status, content)


def test_a_server_without_a_folder_has_no_files(memory: Memory) -> None:
    memory.start(http_server(80, None, str))
    answer = memory.run(exchange(80, b"GET /etc/passwd HTTP/1.0\r\n\r\n"))
    assert isinstance(answer, bytes) and answer.startswith(b"HTTP/1.0 404 ")


def test_what_is_no_request_ends_one_connection_alone(memory: Memory, folder: Path) -> None:
    said: list[str] = []
    memory.start(http_server(80, folder, said.append))
    assert memory.run(exchange(80, b"")) == b""
    try:
        memory.run(exchange(80, b"x" * 100_000))
    except SocketError as error:
        assert error.name in ("ECONNRESET", "EPIPE")
    assert isinstance(memory.run(exchange(80, b"GET /file HTTP/1.0\r\n\r\n")), bytes)
    assert [line.split(" ", 1)[1] for line in said[1:]] == ["sent no request", "sent no request", '"GET /file HTTP/1.0" 200 7']


def test_a_client_that_says_nothing_is_not_waited_for_for_ever(memory: Memory, folder: Path) -> None:
    said: list[str] = []
    memory.start(http_server(80, folder, said.append))

    async def silent() -> bytes:
        fd = await socket(AF_INET, SOCK_STREAM)
        await connect(fd, local(80))
        return await recv(fd, 1)

    assert memory.run(silent()) == b"" and memory.net.now >= 60 * 10**9 and said[-1].endswith("EAGAIN")


@pytest.mark.parametrize("url", ["http://127.0.0.1/file", "http://127.0.0.1:80/file", "http://[::1]/file"])
def test_a_file_is_fetched(memory: Memory, folder: Path, tmp_path: Path, url: str) -> None:
    memory.start(http_server(80, folder, str))
    memory.run(get(url, tmp_path / "fetched", str))
    assert (tmp_path / "fetched").read_bytes() == b"content"


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("http://example.com/file", "must be an address"),
        ("http://127.0.0.1:x/", "Port could not"),
        ("http:///file", "must be an address"),
        ("https://127.0.0.1/file", "no URL of http:"),
        ("http://127.0.0.1/missing", "404 Not Found"),
    ],
)
def test_a_url_that_cannot_be_fetched(memory: Memory, folder: Path, tmp_path: Path, url: str, complaint: str) -> None:
    memory.start(http_server(80, folder, str))
    with pytest.raises(ProgramError, match=complaint):
        memory.run(get(url, tmp_path / "fetched", str))
    assert not (tmp_path / "fetched").exists()


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (b"", "ended before"),
        (b"HTTP/1.0 200 OK\r\n", "ended before"),
        (b"SSH-2.0-x\r\n\r\n", "no HTTP"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "sends chunked"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", "4 octets came of 5"),
        (b"x" * 100_000, "has no end"),
    ],
)
def test_an_answer_that_is_none(memory: Memory, tmp_path: Path, answer: bytes, complaint: str) -> None:
    async def server() -> None:
        listener = await socket(AF_INET, SOCK_STREAM)
        await bind(listener, local(80))
        await listen(listener, 1)
        connection, _ = await accept(listener)
        await recv(connection, CHUNK)
        await sendall(connection, answer)
        await shutdown(connection, SHUT_WR)

    memory.start(server())
    with pytest.raises(ProgramError, match=complaint):
        memory.run(get("http://127.0.0.1/file", tmp_path / "fetched", str))


def test_an_answer_without_a_length_ends_with_the_connection(memory: Memory, tmp_path: Path) -> None:
    async def server() -> None:
        listener = await socket(AF_INET, SOCK_STREAM)
        await bind(listener, local(80))
        await listen(listener, 1)
        connection, _ = await accept(listener)
        await recv(connection, CHUNK)
        await sendall(connection, b"HTTP/1.0 200 OK\r\n\r\nhello")
        await shutdown(connection, SHUT_WR)

    memory.start(server())
    memory.run(get("http://127.0.0.1/file", tmp_path / "fetched", str))
    assert (tmp_path / "fetched").read_bytes() == b"hello"
