"""Names for what is a number in a capture: the addresses and ports of a case run."""

from __future__ import annotations

from collections.abc import Mapping

from conformance.link.addressing import HOSTS
from conformance.wire.segment import Family

__all__ = ["FOREIGN", "host_name", "hosts_of", "octets_text"]

FOREIGN = "foreign"


def hosts_of(family: Family, sut: bytes, peer: bytes, peer2: bytes | None) -> Mapping[bytes, str]:
    """The addresses of a test bed, and those of an exchange that play their parts."""
    known = {address: name for name, address in HOSTS[family].items() if name != "sut"}
    return {**known, **({} if peer2 is None else {peer2: "peer2"}), sut: "sut", peer: "peer"}


def host_name(hosts: Mapping[bytes, str], address: bytes) -> str:
    """What a case calls this address, or one like it."""
    if address in hosts:
        return hosts[address]
    multicast = address[0] == 0xFF if len(address) == 16 else address[0] >> 4 == 0xE
    loopback = address[0] == 127 if len(address) == 4 else address == bytes(15) + b"\1"
    return "multicast" if multicast else "loopback" if loopback else FOREIGN


def octets_text(hosts: Mapping[bytes, str], data: bytes) -> str:
    """``830704 peer2``: octets, with the names of the addresses that are among them."""
    parts: list[str] = []
    plain = bytearray()
    at = 0
    while at < len(data):
        found = next((host for host in hosts if any(host) and data.startswith(host, at)), None)
        if found is None:
            plain.append(data[at])
            at += 1
            continue
        parts += [plain.hex()] if plain else []
        parts.append(hosts[found])
        plain.clear()
        at += len(found)
    return " ".join([*parts, *([plain.hex()] if plain else [])])
