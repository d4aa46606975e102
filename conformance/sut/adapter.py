"""An adapter that was started and asked what it is, and how it is configured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conformance.link.addressing import ADDRESSING, IPV6_MTU, PEER_MAC, SUT_MAC
from conformance.sut.manifest import Manifest
from conformance.sut.program import AdapterProcess
from conformance.sut.protocol import VERSION, ProtocolFault, describe, setting_value
from conformance.wire.segment import Family

__all__ = ["Adapter", "interface"]

_MTU = 1500


class Adapter:
    """A process that speaks the protocol, and what it says of its stack. Raises SutFault where it does not."""

    def __init__(self, manifest: Manifest, link: str | None = None) -> None:
        self.process = AdapterProcess(manifest.command, manifest.folder, link)
        result = self._ask("initialize", {"protocol": VERSION})
        try:
            self.description = describe(result)
        except ProtocolFault as fault:
            raise self.process.fault(str(fault)) from None
        self._configured: tuple[Mapping[str, object], str] | None = None

    def configuration(self, config: Mapping[str, object], clock: str) -> dict[str, Any] | None:
        """What to `configure`, so that the next reset makes the stack so; None if the last one did. To be sent then."""
        if self._configured == (config, clock):
            return None
        self._configured = config, clock
        settings = {name: setting_value(value) for name, value in config.items()}
        mtu = config.get("mtu", _MTU)
        assert isinstance(mtu, int)
        return {"clock": clock, "interface": interface(mtu), "settings": settings}

    def configure(self, config: Mapping[str, object], clock: str) -> None:
        """Send it, and wait for the answer."""
        if (params := self.configuration(config, clock)) is not None:
            self._ask("configure", params)

    def _ask(self, method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        message = self.process.wait(self.process.ask(method, params), method)
        if message.error is not None or message.id is None:
            raise self.process.fault(f"cannot {method}: {message.error or 'it blocks'}")
        return message.result

    def close(self) -> None:
        """End it."""
        self.process.close()


def interface(mtu: int) -> dict[str, Any]:
    """The stack's interface, as ``configure`` has it."""
    nets = [net for net in ADDRESSING if net.family is Family.IPV4 or mtu >= IPV6_MTU]
    return {
        "mac": SUT_MAC.hex(":"),
        "mtu": mtu,
        "addresses": [{"address": net.sut, "prefix": net.prefix} for net in nets],
        "gateways": [{"address": net.gateway, "mac": PEER_MAC.hex(":"), "to": net.peers} for net in nets],
    }
