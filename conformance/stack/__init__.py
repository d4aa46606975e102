"""The reference stack: from ``socket()`` to segment as Linux walks it, without I/O and without a clock of its own.

Functions have the kernel's names and stand in modules named after the kernel's files, so that a reader who has Linux open beside this finds
each step. Frames, times and socket calls go in through :class:`~conformance.stack.net.Net`; frames, returns and state changes come out.
"""
