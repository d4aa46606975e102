"""What a capture and a forwarder take, for the programs that this process starts too."""

from __future__ import annotations

import struct

from conformance.link.netns import acquire, libc_call

__all__ = ["acquire_for_children"]

_CAPABILITIES = (12, 13, 21)
"""CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_ADMIN."""
_VERSION_3 = 0x20080522
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 47, 2


def acquire_for_children() -> None:
    """Get it, in a user namespace if need be: there a user other than root would lose it with the next program (capabilities(7)).

    Raises:
        EnvironmentFault: it cannot be had; the message says why.
    """
    if acquire() == "root":
        return
    mask = sum(1 << capability for capability in _CAPABILITIES)
    data = struct.pack("=6I", mask, mask, mask, 0, 0, 0)  # effective, permitted, inheritable; those from 32 on
    libc_call("capset", struct.pack("=Ii", _VERSION_3, 0), data)
    for capability in _CAPABILITIES:
        libc_call("prctl", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability, 0, 0)
