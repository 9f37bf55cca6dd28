"""Private names of scikit-learn, each used in this file only, with what to do when one goes away.

The names that scikit-learn reads from our classes, such as ``_parameter_constraints``, stand in the
classes. Without them nothing breaks: scikit-learn no longer looks at them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sklearn

try:
    # Checks `_parameter_constraints` before a method. If it goes away: call `check_parameters` in
    # the methods themselves.
    from sklearn.base import _fit_context as fit_context

    # Rows of any container by position. If it goes away: `iloc` of a data frame, else brackets.
    from sklearn.utils import _safe_indexing as safe_indexing

    # The words of `_parameter_constraints`.
    from sklearn.utils._param_validation import Interval, StrOptions

    # The number of rows, with an error for what has none. If it goes away: `shape[0]`, or `len`.
    from sklearn.utils.validation import _num_samples as num_samples
except ImportError as error:
    raise ImportError(
        f"scikit-learn {sklearn.__version__} is newer than this release of skdann, and lacks "
        f"what it needs ({error}). Install the newest skdann, or an older scikit-learn."
    ) from error

__all__ = [
    "Interval",
    "StrOptions",
    "check_parameters",
    "fit_context",
    "num_samples",
    "safe_indexing",
]


def check_parameters(estimator: Any) -> None:
    """Check the parameters of an estimator by its `_parameter_constraints`.

    If scikit-learn's method goes away: its function ``validate_parameter_constraints`` does it.
    """
    check: Callable[[], None] = estimator._validate_params
    check()
