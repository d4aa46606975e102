"""Trace instances: each its own, gone with its owner, and what is others' is left alone."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.link.errors import EnvironmentFault
from conformance.link.tracefs import TraceInstance

from .needs import namespaces

pytestmark = namespaces


class Instances:
    """The instances on this machine, seen through one that the test has."""

    def __init__(self, own: TraceInstance) -> None:
        self._root = os.open("instances", os.O_RDONLY | os.O_DIRECTORY, dir_fd=own._root)

    def names(self) -> set[str]:
        return set(os.listdir(self._root))

    def own(self) -> set[str]:
        """Those of this process; others come and go as they like."""
        return {name for name in self.names() if name.startswith(f"conformance-{os.getpid()}-")}

    def make(self, name: str) -> None:
        os.mkdir(name, dir_fd=self._root)

    def close(self) -> None:
        os.close(self._root)

    def remove(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.rmdir(name, dir_fd=self._root)


@pytest.fixture
def instances() -> Iterator[Instances]:
    try:
        own = TraceInstance()
    except EnvironmentFault as fault:
        pytest.skip(str(fault))
    there = Instances(own)
    yield there
    there.close()
    own.close()


def started(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    """A process that lives."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def test_an_instance_goes_when_it_is_closed(instances: Instances) -> None:
    before = instances.own()
    instance = TraceInstance()
    assert len(instances.own() - before) == 1
    instance.close()
    instance.close()
    assert instances.own() == before


def test_what_a_dead_process_left_is_removed(instances: Instances, other: subprocess.Popen[bytes]) -> None:
    name = f"conformance-{other.pid}-{started(other.pid)}"
    other.kill()
    other.communicate()
    instances.make(name)
    TraceInstance().close()
    assert name not in instances.names()


def test_what_a_process_left_whose_number_another_has_now_is_removed(instances: Instances, other: subprocess.Popen[bytes]) -> None:
    name = f"conformance-{other.pid}-{int(started(other.pid)) - 1}"
    instances.make(name)
    TraceInstance().close()
    assert name not in instances.names()


@pytest.mark.parametrize("more", ["", "-2"])
def test_what_a_living_process_has_is_kept(instances: Instances, other: subprocess.Popen[bytes], more: str) -> None:
    name = f"conformance-{other.pid}-{started(other.pid)}{more}"
    instances.make(name)
    try:
        TraceInstance().close()
        assert name in instances.names()
    finally:
        instances.remove(name)


def test_what_others_have_is_left_alone(instances: Instances) -> None:
    name = f"somebody-else-{os.getpid()}"
    instances.make(name)
    try:
        TraceInstance().close()
        assert name in instances.names()
    finally:
        instances.remove(name)


def test_two_in_one_process_are_two(instances: Instances) -> None:
    before = instances.own()
    first, second = TraceInstance(), TraceInstance()
    assert len(instances.own() - before) == 2
    first.close()
    second.write("trace_clock", "mono")
    second.close()
    assert instances.own() == before


@pytest.mark.usefixtures("instances")
def test_files_can_be_written_and_read() -> None:
    instance = TraceInstance(clock="boot")
    descriptor = instance.open("trace_clock")
    assert b"[boot]" in os.read(descriptor, 4096)
    os.close(descriptor)
    instance.close()
