"""Tests of conformance/wire."""
