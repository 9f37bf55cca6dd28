"""Who called: tools of scikit-learn that do something which only their frames show.

Nothing here is needed for a right result. If scikit-learn renames a function, a message is missing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import FrameType

# What scikit-learn calls the rows of a fold, or of a pair of classes, where it selects them.
_NAMES_OF_SELECTED_ROWS = ("train", "train_idx", "train_subset", "indcond")


def called_by(module: str, function: str) -> bool:
    """Tell whether a function of a module is among the callers."""
    return any(
        frame.f_code.co_name == function and frame.f_globals.get("__name__") == module
        for frame in _callers()
    )


def selected_by_scikit_learn(n_rows: int) -> bool:
    """Tell whether scikit-learn selects rows of `X` for this call, as for a fold, and how many.

    It then selects from each parameter of `fit` that has as many rows as `X`.

    Parameters
    ----------
    n_rows : int
        How many rows it must have selected.
    """
    for frame in _callers():
        code = frame.f_code
        if "_check_method_params" not in code.co_names:
            continue
        if not str(frame.f_globals.get("__name__")).startswith("sklearn."):
            continue
        for name in _NAMES_OF_SELECTED_ROWS:
            rows = frame.f_locals.get(name) if name in code.co_varnames else None
            if _n_selected(rows) == n_rows:
                return True
    return False


def _n_selected(rows):
    """Return how many rows an array of row numbers, or a mask, selects; None for anything else."""
    if getattr(rows, "ndim", None) != 1:
        return None
    return int(rows.sum()) if rows.dtype.kind == "b" else len(rows)


def _callers() -> Iterator[FrameType]:
    frame = sys._getframe(1)
    while frame is not None:
        yield frame
        frame = frame.f_back
