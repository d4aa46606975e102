"""Cases that are right, each with one wrong expectation to plant in it; by what is planted."""

from . import calls, checks, groups, icmp, segments, states, times
from .case import Planted

__all__ = ["PLANTED", "Planted"]

PLANTED = (*segments.PLANTED, *times.PLANTED, *states.PLANTED, *calls.PLANTED, *icmp.PLANTED, *groups.PLANTED, *checks.PLANTED)
