"""Captures are traces on disk: what was on the wire, with what the tester made of it."""
