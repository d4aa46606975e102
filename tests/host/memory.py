"""Programs on one stack that talk to each other over its loopback, in virtual time."""

from __future__ import annotations

from random import Random

from conformance.host.process import Process, Processes, Program
from conformance.stack.net import Net
from conformance.stack.sock import Address

__all__ = ["LOCAL", "LOCAL6", "Memory"]

LOCAL, LOCAL6 = bytes((127, 0, 0, 1)), bytes(15) + b"\1"


class Memory:
    """A stack with nothing but its loopback."""

    def __init__(self) -> None:
        self.net = Net(rng=Random(1))
        self.processes = Processes(self.net)

    def start(self, program: Program) -> Process:
        """A program that runs until it waits."""
        process = self.processes.start(program)
        self.processes.run()
        return process

    def until(self, *ended: Process) -> None:
        """Let time pass until these programs have ended."""
        for _ in range(1_000_000):
            self.processes.run()
            if all(process.done for process in ended):
                return
            at = self.net.next_timer()
            assert at is not None, f"{[process.name for process in ended if not process.done]} would wait for ever"
            self.net.advance(at)
        raise AssertionError("there is no end to it")

    def run(self, program: Program) -> object:
        """What a program returns, or the error that it ends with."""
        process = self.start(program)
        self.until(process)
        if process.error is not None:
            raise process.error
        return process.value


def local(port: int, version: int = 4) -> Address:
    """An address of the stack's own."""
    return Address(LOCAL if version == 4 else LOCAL6, port)
