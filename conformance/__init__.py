"""Packet-capture-driven conformance tests for TCP/IP stacks."""

__version__ = "0.1.0"
