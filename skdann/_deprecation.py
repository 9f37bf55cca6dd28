"""What keeps old names working for a while, each with a FutureWarning that names the new one.

For a function or a class that goes away, `sklearn.utils.deprecated` does it. Here is what
scikit-learn has not: a renamed parameter, value or attribute.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from typing import Any

from skdann.exceptions import warn_caller

# What a parameter under its old name holds as long as nobody sets it.
UNSET = "deprecated"


def renamed_parameter(
    old: str, new: str, *, since: str, until: str
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator of a method or function that still takes a parameter by its old name.

    Not for `__init__` of an estimator, whose parameters scikit-learn reads off the signature:
    `parameter_under_its_old_name` is for these.

    Parameters
    ----------
    old, new : str
    since, until : str
        The release that renames it, and the one in which the old name is gone.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        at = list(inspect.signature(function).parameters).index(new)

        @functools.wraps(function)
        def either(*args: Any, **kwargs: Any) -> Any:
            if old in kwargs:
                if new in kwargs or len(args) > at:
                    raise TypeError(f"{old} is the old name of {new}: pass {new} alone.")
                _warn(f"The parameter {old} is called {new}", since, until)
                kwargs[new] = kwargs.pop(old)
            return function(*args, **kwargs)

        either.__doc__ = _with_note(function.__doc__, f"`{old}` is called `{new}`", since)
        return either

    return decorate


def parameter_under_its_old_name(
    estimator: Any, old: str, new: str, *, since: str, until: str
) -> Any:
    """Return the value of an estimator's renamed parameter, whichever of its names has one.

    `__init__` keeps the old name at the end, with `UNSET` as its default, and stores both as they
    are, so that `get_params`, `set_params` and `clone` know both. `fit` calls this.

    Parameters
    ----------
    estimator : estimator
    old, new : str
    since, until : str
        The release that renames it, and the one in which the old name is gone.
    """
    value = getattr(estimator, old)
    if isinstance(value, str) and value == UNSET:
        return getattr(estimator, new)
    default = inspect.signature(type(estimator).__init__).parameters[new].default
    if getattr(estimator, new) is not default and getattr(estimator, new) != default:
        raise ValueError(
            f"{old} is the old name of {new}, and both are set: set {new} alone, as in "
            f"set_params({old}={UNSET!r})."
        )
    _warn(f"The parameter {old} is called {new}", since, until)
    return value


def renamed_value(value: Any, old: str, new: str, *, of: str, since: str, until: str) -> Any:
    """Return a parameter's value, the new one in place of the old.

    Parameters
    ----------
    value : object
    old, new : str
    of : str
        The parameter.
    since, until : str
        The release that renames it, and the one in which the old value is gone.
    """
    if not (isinstance(value, str) and value == old):
        return value
    _warn(f"{of}={old!r} is called {of}={new!r}", since, until)
    return new


def renamed_attribute(old: str, new: str, *, since: str, until: str) -> property:
    """Return a property that gives an attribute by its old name.

    Parameters
    ----------
    old, new : str
    since, until : str
        The release that renames it, and the one in which the old name is gone.
    """

    def get(owner: Any) -> Any:
        value = getattr(owner, new)  # without it an AttributeError, as before the fit
        _warn(f"The attribute {old} is called {new}", since, until)
        return value

    return property(get, doc=f"Deprecated since {since}: it is called `{new}`.")


def _warn(what: str, since: str, until: str) -> None:
    warn_caller(f"{what} since skdann {since}. The old one is gone in {until}.", FutureWarning)


def _with_note(docstring: str | None, what: str, since: str) -> str | None:
    """Return a numpydoc docstring with a note of deprecation after its first paragraph."""
    if not docstring:
        return docstring
    summary, gap, rest = docstring.partition("\n\n")
    indent = re.match(r" *", rest.lstrip("\n")).group() if gap else ""
    return f"{summary}\n\n{indent}.. deprecated:: {since}\n{indent}   {what}.{gap or chr(10)}{rest}"
