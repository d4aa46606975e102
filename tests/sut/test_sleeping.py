"""Does a thread wait in a system call on a socket? Asked of a kernel that tells system calls, and of one that tells functions only."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path

import pytest

from conformance.sut.linux_agent import _sleeps_in_kernel

TASK = Path("/proc/thread-self")


def _readable() -> bool:
    try:
        return bool((TASK / "stack").read_bytes())
    except OSError:
        return False


@pytest.mark.skipif(not _readable(), reason="only root may read /proc/thread-self/stack, where the kernel has it")
def test_one_that_waits_for_a_socket_is_told_from_one_that_waits_for_a_lock() -> None:
    lock = threading.Lock()
    with socket.create_server(("127.0.0.1", 0)) as listener, lock:
        accepts, waits = threading.Thread(target=listener.accept, daemon=True), threading.Thread(target=lambda: lock.acquire(timeout=10))
        for thread in (accepts, waits):
            thread.start()
        tasks = [Path(f"/proc/self/task/{thread.native_id}") for thread in (accepts, waits)]
        end = time.monotonic() + 10
        while not _sleeps_in_kernel(tasks[0]):
            assert time.monotonic() < end
        assert not _sleeps_in_kernel(tasks[1])
        socket.create_connection(listener.getsockname()).close()
        accepts.join()
    waits.join()
