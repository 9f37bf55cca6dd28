"""Types of public signatures, and scikit-learn's decorators with types that keep a signature."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np
import sklearn
import sklearn.utils.metaestimators
from numpy.typing import ArrayLike

from skdann._sklearn_compat import fit_context

Method = TypeVar("Method", bound=Callable[..., Any])


class SparseRows(Protocol):
    """A sparse matrix or sparse array of SciPy."""

    def toarray(self) -> Any:
        """Return the rows as an ndarray."""


# For functions that read what a user passes: where array-API dispatch is switched on, the checks
# of scikit-learn leave tensors what they are, but our own work is NumPy's up to the network.
reads_as_numpy: Callable[[Any], Any] = sklearn.config_context(array_api_dispatch=False)

# Data frames are array-like, as they can become an array.
Rows: TypeAlias = ArrayLike | SparseRows
# One target domain, or a tuple of several.
Targets: TypeAlias = Rows | tuple[Rows, ...]
# Labels of the rows of one target domain, or a tuple with those of several.
TargetLabels: TypeAlias = ArrayLike | tuple[ArrayLike | None, ...]
RandomState: TypeAlias = int | np.random.RandomState | None


def checks_parameters(*, skip_nested: bool) -> Callable[[Method], Method]:
    """Return scikit-learn's decorator that checks the parameters of an estimator before a fit.

    Parameters
    ----------
    skip_nested : bool
        Whether estimators that `fit` itself makes and fits are trusted, and not checked.
    """
    decorate: Callable[[Method], Method] = fit_context(prefer_skip_nested_validation=skip_nested)
    return decorate


def available_if(check: Callable[[Any], bool]) -> Callable[[Method], Method]:
    """Return scikit-learn's decorator for a method that exists if an estimator passes a check."""
    decorate: Callable[[Method], Method] = sklearn.utils.metaestimators.available_if(check)
    return decorate
