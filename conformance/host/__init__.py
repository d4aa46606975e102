"""The reference stack as a host on a network: programs above its sockets, and below it a TAP device and the machine's clock.

:mod:`~conformance.host.process` runs programs on a stack, :mod:`~conformance.host.calls` is what they call; neither does I/O, so that they
run in memory too. :mod:`~conformance.host.realtime` joins a stack to a TAP device. :mod:`~conformance.host.programs` and
:mod:`~conformance.host.http` are programs, and examples of how to write one; ``python -m conformance.stack`` starts them.
Imports stack and link; nothing imports it but ``conformance.stack.__main__``.
"""
