"""Warnings of this package, to be filtered by class."""

import sys
import warnings

__all__ = ["DomainWarning", "OneClassWarning", "SourceOnlyWarning", "TargetScaleWarning"]


class SourceOnlyWarning(UserWarning):
    """`fit` got no `X_tgt`: the network is trained on the source alone, without adaptation."""


class TargetScaleWarning(UserWarning):
    """The target's columns are on another scale than the source's, as if not preprocessed."""


class DomainWarning(UserWarning):
    """Rows of a call without `domain` were taken for target rows, and look like source rows."""


class OneClassWarning(UserWarning):
    """What was chosen predicts one class for all target rows: it probably knows nothing of them."""


# Packages whose frames stand between the user's line and a warning of ours.
_BETWEEN = {"skdann", "sklearn", "joblib", "contextlib"}


def warn_caller(message: str, category: type[Warning]) -> None:
    """Warn at the line of the user's program that called this package or scikit-learn."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None:
        level, frame = level + 1, frame.f_back
        if frame.f_globals.get("__name__", "").partition(".")[0] not in _BETWEEN:
            break
    warnings.warn(message, category, stacklevel=level)
