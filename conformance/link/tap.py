"""A TAP device (kernel documentation ``networking/tuntap``): what Linux sends on it this program reads, and the other way round.

The device is in the network namespace that the thread is in when it opens it. One that is made here goes when it is closed, however the
process ends; one that was made before (``ip tuntap add NAME mode tap``) is used by its name and stays.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct
import sys
from pathlib import Path

from conformance.link.errors import EnvironmentFault

__all__ = ["Tap"]

_DEVICE = Path("/dev/net/tun")
_TUNSETIFF = 0x400454CA
_IFF_TAP, _IFF_NO_PI = 0x0002, 0x1000
_SIOCGIFMTU = 0x8921
_REQUEST = struct.Struct("=16sH22x")  # struct ifreq: ifr_name, ifr_flags
_LONGEST_NAME = 15
_LONGEST_FRAME = 65535 + 18
"""More than any MTU lets through: a device's MTU may change while it is open."""
_LOST = (errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM, errno.EIO, errno.EINVAL)
"""What Linux says of a frame that it does not take: too many at once, a device that is down (EIO), less than a header (EINVAL)."""


class Tap:
    """Frames on a TAP device, without the octets that the device can put before them (IFF_NO_PI).

    Args:
        name: of a device that is there and that no other program has open, else of the one to make; empty: the kernel chooses.

    Raises:
        EnvironmentFault: the device cannot be had; the message says why.
    """

    def __init__(self, name: str = "") -> None:
        if not sys.platform.startswith("linux"):
            raise EnvironmentFault(f"TAP devices are opened here as Linux has them; this is {sys.platform}")
        if len(os.fsencode(name)) > _LONGEST_NAME or not _may_be_a_name(name):
            raise EnvironmentFault(f"{name!r} cannot be the name of a device: at most {_LONGEST_NAME} octets, without spaces, / and :")
        try:
            self._fd = os.open(_DEVICE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise EnvironmentFault(f"no TAP device can be opened: {_DEVICE}: {_why_not_open(error)}") from error
        try:
            answer = fcntl.ioctl(self._fd, _TUNSETIFF, _REQUEST.pack(os.fsencode(name), _IFF_TAP | _IFF_NO_PI))
        except OSError as error:
            os.close(self._fd)
            self._fd = -1
            raise EnvironmentFault(f"the TAP device {name or '(any)'} cannot be had: {_why_not_had(error)}") from error
        self.name = os.fsdecode(_REQUEST.unpack(answer)[0].rstrip(b"\0"))

    def fileno(self) -> int:
        """Becomes readable when a frame is there."""
        return self._fd

    def mtu(self) -> int:
        """The longest packet that Linux sends on it; read in the namespace that the device is in."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            answer = fcntl.ioctl(control, _SIOCGIFMTU, _REQUEST.pack(os.fsencode(self.name), 0))
        return int(struct.unpack_from("=i", answer, 16)[0])

    def read(self) -> bytes | None:
        """The next frame that Linux sent; None: there is none now.

        Raises:
            EnvironmentFault: the device is gone.
        """
        try:
            return os.read(self._fd, _LONGEST_FRAME)
        except BlockingIOError:
            return None
        except OSError as error:
            raise self._gone(error) from error

    def write(self, frame: bytes) -> bool:
        """Send a frame to Linux; False: it does not take it now (the device is down, say), and the frame is lost, as on any wire.

        Raises:
            EnvironmentFault: the device is gone.
        """
        try:
            os.write(self._fd, frame)
        except OSError as error:
            if error.errno in _LOST:
                return False
            raise self._gone(error) from error
        return True

    def close(self) -> None:
        """Give the descriptor back; a device that was made with it goes."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _gone(self, error: OSError) -> EnvironmentFault:
        return EnvironmentFault(f"the TAP device {self.name} was taken away: {error.strerror}")


def _may_be_a_name(name: str) -> bool:
    """dev_valid_name() of net/core/dev.c; a % would make the kernel put a number in."""
    return name not in (".", "..") and not any(letter in "/:%\0" or letter.isspace() for letter in name)


def _why_not_open(error: OSError) -> str:
    if error.errno in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        return f"{error.strerror}: load the kernel's module (modprobe tun), or let the container have the device (--device {_DEVICE})"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"{error.strerror}: run as root, or in a user namespace that may open it"
    return str(error.strerror)


def _why_not_had(error: OSError) -> str:
    reasons = {
        errno.EPERM: "it takes CAP_NET_ADMIN in this network namespace: run as root, or under `unshare --user --map-root-user --net`, "
        "or have root make it for you (ip tuntap add NAME mode tap user YOU)",
        errno.EBUSY: "another program has it open",
        errno.EINVAL: "there is a device of this name that is no TAP device, or one of another kind (multi-queue?)",
    }
    return f"{error.strerror}: {reasons[error.errno]}" if error.errno in reasons else str(error.strerror)
