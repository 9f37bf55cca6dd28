"""Names of arguments: a helpful error for those who write ``fit(X_src=..., y_src=...)``."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

Method = TypeVar("Method", bound=Callable[..., Any])

# What callers write, and what `fit` calls it. Labels of the target have no name in `fit`.
_OWN_NAMES = {
    "X_src": "X",
    "X_source": "X",
    "y_src": "y",
    "y_source": "y",
    "X_target": "X_tgt",
}
_TARGET_LABELS = ("y_tgt", "y_target")


def explains_argument_names(method: Method) -> Method:
    """Make a method name the right argument where it gets one under another name.

    The signature stays the method's own for `inspect`, and so for metadata routing.
    """

    @functools.wraps(method)
    def checked(self, *args, **kwargs):
        check_argument_names(method.__name__, kwargs)
        return method(self, *args, **kwargs)

    return checked  # type: ignore[return-value]


def check_argument_names(method: str, names: Iterable[str], allowed: Iterable[str] = ()) -> None:
    """Raise a TypeError that names the right argument, if one is called by another name.

    Parameters
    ----------
    method : str
        The name of the method that was called.
    names : iterable of str
        The keywords that it got.
    allowed : iterable of str
        Those that may mean something else there.
    """
    renamed = [name for name in names if name in _OWN_NAMES and name not in allowed]
    labels = [name for name in names if name in _TARGET_LABELS and name not in allowed]
    if not renamed and not labels:
        return
    said = [f"{method}() got an unexpected keyword argument '{(renamed + labels)[0]}'."]
    if renamed:
        arguments = ", ".join(f"{_OWN_NAMES[name]}={name}" for name in renamed)
        said.append(
            "The source is called X and y, as everywhere in scikit-learn, and the target X_tgt: "
            f"{method}({arguments}, ...)."
        )
    if labels:
        said.append(
            f"Target labels are not used: leave {labels[0]} out. If you have some, score(X_tgt, "
            f"{labels[0]}) tells the accuracy."
        )
    raise TypeError(" ".join(said))
