"""What a network device does in the kernel's place, off: the kernel fills in every checksum and cuts every segment itself."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import socket
import struct

__all__ = ["offloads_off"]

_SIOCETHTOOL = 0x8946
_OFF = (0x15, 0x17, 0x19, 0x1F, 0x25, 0x2C)
"""linux/ethtool.h: the commands that set rx checksums, tx checksums, scatter-gather, TSO, GSO, GRO."""


def offloads_off(interface: str) -> None:
    """So that what is captured is what was meant. What a device cannot do anyway is fine.

    OSError: there is no such device, or it may not be changed.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for command in _OFF:
            value = (ctypes.c_uint32 * 2)(command, 0)  # struct ethtool_value
            try:
                fcntl.ioctl(control, _SIOCETHTOOL, struct.pack("=16sQ16x", interface.encode(), ctypes.addressof(value)))
            except OSError as error:
                if error.errno != errno.EOPNOTSUPP:
                    raise
