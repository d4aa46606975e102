"""Bugs planted in the reference stack, one at a time, and whether some case notices: the proof that the suite bites. See README.md."""
