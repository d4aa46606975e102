"""Tests of the engine: the executor alone, the runner with stacks that misbehave, and both together with the running kernel."""
