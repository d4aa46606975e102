"""Captures of Linux talking to Linux, made in network namespaces: what the oracle must find nothing in. ``python -m tests.traffic``."""
