"""Names of arguments: a helpful error for those who write ``fit(X_src=..., y_src=...)``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

Method = TypeVar("Method", bound=Callable[..., Any])

# What callers write, and what `fit` calls it.
_OWN_NAMES = {
    "X_src": "X",
    "X_source": "X",
    "y_src": "y",
    "y_source": "y",
    "X_target": "X_tgt",
    "y_target": "y_tgt",
}


def explains_argument_names(*allowed: str) -> Callable[[Method], Method]:
    """Return a decorator: a method that gets an argument under another name says the right one.

    The signature stays the method's own for `inspect`, and so for metadata routing.

    Parameters
    ----------
    *allowed : str
        Names that may mean something else there.
    """

    def decorate(method: Method) -> Method:
        @functools.wraps(method)
        def checked(self, *args, **kwargs):
            _check_names(method.__name__, [name for name in kwargs if name not in allowed])
            return method(self, *args, **kwargs)

        return checked  # type: ignore[return-value]

    return decorate


def _check_names(method: str, names: list[str]) -> None:
    """Raise a TypeError that names the right argument, if one is called by another name."""
    renamed = [name for name in names if name in _OWN_NAMES]
    if not renamed:
        return
    arguments = ", ".join(f"{_OWN_NAMES[name]}={name}" for name in renamed)
    raise TypeError(
        f"{method}() got an unexpected keyword argument '{renamed[0]}'. The source is called X and "
        "y, as everywhere in scikit-learn, and the target X_tgt and y_tgt: "
        f"{method}({arguments}, ...)."
    )
