"""What the tests of this folder take that not every machine gives."""

from __future__ import annotations

import pytest

from conformance.link.netns import Namespace, privileged

__all__ = ["namespaces"]


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
