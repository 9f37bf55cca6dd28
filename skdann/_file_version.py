"""Which version of the package wrote the file of an estimator, and whether this one reads it."""

from __future__ import annotations

from typing import Any

import skdann
from skdann.exceptions import SavedVersionWarning, warn_caller

# Counts the forms that a fitted estimator has had in files. Whoever changes the form adds one, and
# reads the older forms in `__setstate__`: the files in tests/golden must load for good.
FORMAT = 1

_VERSION, _FORMAT = "_skdann_version", "_skdann_format"


def stamped(state: dict[str, Any]) -> dict[str, Any]:
    """Return the state of an estimator with the version and form that it is written in."""
    return {**state, _VERSION: skdann.__version__, _FORMAT: FORMAT}


def without_stamp(state: dict[str, Any], name: str) -> tuple[dict[str, Any], int]:
    """Return the state of an estimator as it was stamped, and its form.

    Parameters
    ----------
    state : dict
    name : str
        Of the estimator's class, for messages.

    Raises
    ------
    ValueError
        For a form that this version does not know.

    Warns
    -----
    SavedVersionWarning
        If another version wrote it.
    """
    state = dict(state)
    version, form = state.pop(_VERSION, None), state.pop(_FORMAT, None)
    here = skdann.__version__
    if form not in range(1, FORMAT + 1):
        written = f"skdann {version}" if version else "a version of skdann before 0.1.0"
        raise ValueError(
            f"This {name} was saved by {written}, and skdann {here} can't read it. "
            + (f"Install skdann {version}" if version else "Fit it again")
            + (", or fit it again." if version else ".")
        )
    if version != here:
        warn_caller(
            f"This {name} was saved by skdann {version} and is loaded by skdann {here}. Compare "
            "some predictions with those from before, or fit it again.",
            SavedVersionWarning,
        )
    return state, form
