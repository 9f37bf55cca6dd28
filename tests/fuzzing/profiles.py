"""How many cases a test tries: a sample in the suite, many where FUZZ_CASES says so."""

import os

from hypothesis import HealthCheck, Phase, settings

# The share of all cases that `make fuzz` tries; empty in the suite.
LONG = int(os.environ.get("FUZZ_CASES", "0"))


def cases(sample: int, share: float, **more):
    """Return settings for `sample` cases in the suite, and ``share * FUZZ_CASES`` in a long run.

    The suite tries the same cases each time. A long run tries those of ``--hypothesis-seed``.
    """
    return settings(
        max_examples=max(1, round(share * LONG)) if LONG else sample,
        derandomize=not LONG,
        deadline=None,
        database=None,
        phases=[Phase.generate],  # a failing case is small as it is
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
        **more,
    )
