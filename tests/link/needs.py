"""What the tests of this folder take that not every machine gives."""

from __future__ import annotations

import pytest

from conformance.link.errors import EnvironmentFault
from conformance.link.netns import Namespace, privileged
from conformance.link.tap import Tap

__all__ = ["namespaces", "tap_devices"]


def _why_not() -> str:
    if not privileged():
        return "needs CAP_NET_ADMIN, CAP_NET_RAW and CAP_SYS_ADMIN: run pytest as root or under `unshare --user --map-root-user --net`"
    try:
        Namespace().close()
    except OSError as error:
        return f"no network namespace can be made here: {error}"
    return ""


_REASON = _why_not()
namespaces = pytest.mark.skipif(bool(_REASON), reason=_REASON)
"""Marks what makes network namespaces in this process."""


def _why_no_tap() -> str:
    if _REASON:
        return _REASON
    namespace = Namespace()
    try:
        with namespace.entered():
            Tap().close()
    except EnvironmentFault as fault:
        return str(fault)
    finally:
        namespace.close()
    return ""


_NO_TAP = _why_no_tap()
tap_devices = pytest.mark.skipif(bool(_NO_TAP), reason=_NO_TAP)
"""Marks what makes TAP devices, in such namespaces."""
