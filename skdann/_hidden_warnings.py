"""Warnings that are no news for the user, hidden while some lines run, in threads too."""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_LOCK = threading.Lock()


class _Hiding:
    """How many blocks run that hide warnings, in all threads, and what puts the filters back."""

    n_blocks = 0
    outside = warnings.catch_warnings()


@contextmanager
def hidden_warnings(*categories: type[Warning], message: str = "") -> Iterator[None]:
    """Hide warnings of some classes until the block ends.

    The filters of warnings belong to the process. ``catch_warnings`` puts back those that it found:
    where blocks of two threads overlap, the second finds the first one's, and leaves them there for
    good. Here the filters from before the first block come back when the last block ends.

    Parameters
    ----------
    *categories : classes of warnings
    message : str, default=""
        A regular expression for how the messages start.
    """
    if getattr(sys.flags, "context_aware_warnings", False):  # filters of each thread, Python 3.14
        with warnings.catch_warnings():
            _ignore(categories, message)
            yield
        return
    with _LOCK:
        if _Hiding.n_blocks == 0:
            _Hiding.outside = warnings.catch_warnings()
            _Hiding.outside.__enter__()
        _Hiding.n_blocks += 1
        _ignore(categories, message)
    try:
        yield
    finally:
        with _LOCK:
            _Hiding.n_blocks -= 1
            if _Hiding.n_blocks == 0:
                _Hiding.outside.__exit__(None, None, None)


def _ignore(categories: tuple[type[Warning], ...], message: str) -> None:
    for category in categories:
        warnings.filterwarnings("ignore", message=message, category=category)
