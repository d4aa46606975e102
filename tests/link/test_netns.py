"""Network namespaces: they belong to a descriptor, so nothing is left of them however the process ends, and the host is not touched."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from conformance.link.netns import Namespace, acquire
from conformance.link.veth import VethPair

from .needs import namespaces

pytestmark = namespaces

ROOT = Path(__file__).parents[2]
LIMIT = 60
WITHOUT_PRIVILEGES = """
import ctypes, os, sys
for capability in (12, 13, 21):  # CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_ADMIN
    assert ctypes.CDLL(None).prctl(24, capability, 0, 0, 0) == 0  # PR_CAPBSET_DROP
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


def devices(namespace: Namespace | None = None) -> list[str]:
    """The names of the devices in a namespace, else in this thread's own."""
    if namespace is not None:
        with namespace.entered():
            return devices()
    lines = Path("/proc/thread-self/net/dev").read_text().splitlines()[2:]
    return sorted(line.partition(":")[0].strip() for line in lines)


def here() -> int:
    """Which network namespace this thread is in."""
    return Path("/proc/thread-self/ns/net").stat().st_ino


def wait_until_gone(device: str, namespace: Namespace) -> None:
    """The kernel takes namespaces down on its own time."""
    deadline = time.monotonic() + LIMIT
    while device in devices(namespace):
        assert time.monotonic() < deadline, f"{device} is still there"
        time.sleep(0.01)


def join(namespace: Namespace, other: Namespace) -> None:
    """A veth pair from one namespace to the other."""
    with namespace.entered(), IPRoute() as netlink:
        netlink.link("add", ifname="near", kind="veth", peer={"ifname": "far", "net_ns_fd": other.fd})


def run(code: str, *prelude: str, descriptors: Sequence[int] = ()) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process of its own."""
    command = [sys.executable, *prelude, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, pass_fds=descriptors, timeout=LIMIT)


def test_a_namespace_is_empty_and_the_thread_comes_home() -> None:
    home, own = here(), devices()
    namespace = Namespace()
    assert (here(), devices(namespace), devices()) == (home, ["lo"], own)
    with namespace.entered():
        assert here() != home
    assert here() == home
    namespace.close()


def test_the_thread_comes_home_from_a_mistake() -> None:
    home, namespace = here(), Namespace()
    with pytest.raises(ZeroDivisionError), namespace.entered():
        _ = 1 / 0
    assert here() == home
    namespace.close()


def test_only_the_thread_that_enters_is_inside() -> None:
    home, namespace, seen, inside = here(), Namespace(), [], threading.Event()
    other = threading.Thread(target=lambda: (inside.wait(LIMIT), seen.append(here())))
    other.start()
    with namespace.entered():
        own = here()
        inside.set()
        other.join()
    assert seen == [home] and own != home
    namespace.close()


def test_nothing_is_left_after_close() -> None:
    namespace, witness = Namespace(), Namespace()
    join(namespace, witness)
    assert "far" in devices(witness)
    namespace.close()
    namespace.close()
    wait_until_gone("far", witness)
    witness.close()


def test_nothing_is_left_of_a_process_that_is_killed() -> None:
    witness = Namespace()
    code = f"""
import sys, time
from pyroute2 import IPRoute
from conformance.link.netns import Namespace
from conformance.link.veth import VethPair
namespace, pair = Namespace(), VethPair()
with namespace.entered(), IPRoute() as netlink:
    netlink.link("add", ifname="near", kind="veth", peer={{"ifname": "far", "net_ns_fd": {witness.fd}}})
print("ready", flush=True)
time.sleep(600)
"""
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=ROOT, pass_fds=[witness.fd])
    assert child.stdout is not None and child.stdout.readline() == "ready\n"
    assert "far" in devices(witness)
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    wait_until_gone("far", witness)
    witness.close()


def test_descriptors_are_given_back() -> None:
    VethPair().close()
    before = sorted(os.listdir("/proc/self/fd"))
    for _ in range(3):
        VethPair().close()
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_a_pair_that_cannot_be_made_leaves_nothing() -> None:
    VethPair().close()
    before, home, own = sorted(os.listdir("/proc/self/fd")), here(), devices()
    with pytest.raises(NetlinkError):
        VethPair(mtu=1 << 20)
    assert (sorted(os.listdir("/proc/self/fd")), here(), devices()) == (before, home, own)


def test_the_host_keeps_its_devices() -> None:
    own = devices()
    pair = VethPair()
    assert (devices(), devices(pair.sut), devices(pair.tester)) == (own, ["lo", "sut"], ["lo", "tester"])
    pair.close()


@pytest.mark.parametrize(("mtu", "addresses"), [(68, ["192.0.2.1"]), (1279, ["192.0.2.1"]), (1280, ["192.0.2.1", "2001:db8:0:1::1"])])
def test_a_pair_has_the_mtu_and_the_families_that_go_with_it(mtu: int, addresses: list[str]) -> None:
    pair = VethPair(mtu)
    with pair.sut.entered(), IPRoute() as netlink:
        index = netlink.link_lookup(ifname="sut")[0]
        assert netlink.get_links(index)[0].get("mtu") == mtu
        found = [message.get("address") for message in netlink.get_addr(index=index)]
        assert [address for address in found if not address.startswith("fe80")] == addresses
    with pair.tester.entered(), IPRoute() as netlink:
        index = netlink.link_lookup(ifname="tester")[0]
        assert netlink.get_links(index)[0].get("mtu") == mtu
        assert list(netlink.get_addr(index=index)) == [], "the tester's kernel would answer"
    pair.close()


# Privileges -----------------------------------------------------------------------------------------------------------


def test_root_needs_nothing_more() -> None:
    home = here()
    assert acquire() == "root"
    assert here() == home


def test_without_privileges_a_user_namespace_has_them() -> None:
    code = """
from conformance.link.netns import acquire, privileged
assert not privileged()
print(acquire())
from conformance.link.veth import VethPair
VethPair().close()
"""
    done = run(code, "-c", WITHOUT_PRIVILEGES)
    if "no user namespace can be made" in done.stderr or "user namespaces are switched off" in done.stderr:
        pytest.skip(done.stderr.splitlines()[-1])
    assert (done.stdout, done.stderr, done.returncode) == ("user namespace\n", "", 0)


def test_a_process_with_threads_is_told_why_it_gets_none() -> None:
    code = """
import threading
threading.Thread(target=threading.Event().wait, daemon=True).start()
from conformance.link.errors import EnvironmentFault
from conformance.link.netns import acquire
try:
    acquire()
except EnvironmentFault as error:
    print(error)
"""
    done = run(code, "-c", WITHOUT_PRIVILEGES)
    assert "user namespace" in done.stdout and done.stderr == ""
