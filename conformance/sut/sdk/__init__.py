"""For adapters in Python: a class to derive from, whose methods are the stack's calls. The protocol comes for free.

::

    from conformance.sut.sdk import Adapter, Errno, serve

    class Mine(Adapter):
        name, version = "mine", "1.0"
        clocks = ("virtual", "real")
        capabilities = ("ipv4", "states", "blocking")

        def reset(self, seed):
            self.stack = Stack(self.interface, seed, self.transmit)

        def receive(self, frame):
            self.stack.input(frame)

        def advance(self, now):
            self.stack.tick(now)

        def next_timer(self):
            return self.stack.next_timer()

        def accept(self, call, socket):
            while (connection := self.stack.accept(socket)) is None:
                yield                      # wait until something has happened
            return connection.handle, (connection.address, connection.port)

        ...

    serve(Mine())

``adapters/PROTOCOL.md`` says what the calls are to do; :class:`~conformance.sut.sdk.adapter.Adapter` has them with their types.
``adapters/reference/`` is a whole one. Nothing here takes long to import.
"""

from conformance.sut.sdk.adapter import LATER, Adapter, Call, Errno, Gateway, Interface, Unable
from conformance.sut.sdk.serve import serve
from conformance.sut.sdk.session import Session

__all__ = ["LATER", "Adapter", "Call", "Errno", "Gateway", "Interface", "Session", "Unable", "serve"]
