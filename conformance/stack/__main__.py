"""``python -m conformance.stack``: the stack in real time, on a TAP device (:mod:`conformance.host`)."""

from conformance.host.command import main

main()
