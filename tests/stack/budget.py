"""How much a property is tried: a modest and fixed amount in every run, more in ``make fuzz``, and what was tried in numbers."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

__all__ = ["FUZZING", "budget"]

FUZZING = os.environ.get("HYPOTHESIS_PROFILE") == "fuzz"
_TIMES = 4


def budget(examples: int) -> settings:
    """So many in ``make test``, the same on every machine; four times as many, by another seed each time, in a round of ``make fuzz``."""
    return settings(
        max_examples=examples * _TIMES if FUZZING else examples,
        derandomize=not FUZZING,
        database=None,
        deadline=None,
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
