"""What goes wrong below the cases."""

from __future__ import annotations


class EnvironmentFault(Exception):
    """This machine cannot do, or stopped doing, what the tester needs. The message says what and how to get it."""
