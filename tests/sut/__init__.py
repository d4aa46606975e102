"""Tests of the stacks under test: the running kernel behind its interface. They need privileges that `needs` names."""
