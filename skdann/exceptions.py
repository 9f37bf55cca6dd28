"""Warnings of this package, to be filtered by class."""

import sys
import warnings

__all__ = [
    "CheckpointWarning",
    "DomainWarning",
    "OneClassWarning",
    "SavedVersionWarning",
    "SourceOnlyWarning",
    "TargetScaleWarning",
]


class SourceOnlyWarning(UserWarning):
    """`fit` got no `X_tgt`: the network is trained on the source alone, without adaptation.

    See Also
    --------
    skdann.DANNClassifier : Warns in `fit`.

    Examples
    --------
    A network without adaptation, on purpose and in silence:

    >>> import warnings
    >>> from skdann import DANNClassifier, SourceOnlyWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", SourceOnlyWarning)
    ...     clf = DANNClassifier(max_epochs=2, random_state=0).fit([[0.0], [1.0]], [0, 1])
    >>> clf.n_domains_
    1
    """


class TargetScaleWarning(UserWarning):
    """The target's columns are on another scale than the source's, as if not preprocessed.

    See Also
    --------
    skdann.pipeline.make_dann_pipeline : Steps that transform both domains alike.

    Examples
    --------
    A scaler was forgotten, and the program stops instead of going on:

    >>> import warnings
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skdann import DANNClassifier, TargetScaleWarning
    >>> from skdann.datasets import make_tilted_digits
    >>> X_src, y_src, X_tgt, _ = make_tilted_digits(n_source=100, random_state=0)
    >>> X_src = StandardScaler().fit_transform(X_src)
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", TargetScaleWarning)
    ...     DANNClassifier(lambda_max=1.0).fit(X_src, y_src, X_tgt)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    skdann.exceptions.TargetScaleWarning: ...
    """


class DomainWarning(UserWarning):
class CheckpointWarning(UserWarning):
    """A checkpoint could not be written, or could not be used: that part of a fit starts anew.

    See Also
    --------
    skdann.DANNClassifier : Its `checkpoint_dir` says where checkpoints are.
    """


    """Rows of a call without `domain` were taken for target rows, and look like source rows.

    See Also
    --------
    skdann.DANNClassifier : Its `predict` takes `domain`, which says where rows are from.
    """


class OneClassWarning(UserWarning):
    """What was chosen predicts one class for all target rows: it probably knows nothing of them.

    See Also
    --------
    skdann.adaptation_report : Says more about what was chosen.
    """


class SavedVersionWarning(UserWarning):
    """A file was written by another version of skdann than the one that loads it.

    A file that can't be used raises a ValueError instead. For files of scikit-learn's estimators
    there is :class:`sklearn.exceptions.InconsistentVersionWarning`.

    See Also
    --------
    skdann.DANNClassifier : Warns when it is loaded.

    Examples
    --------
    Take no file of another version:

    >>> import pickle, warnings
    >>> from skdann import DANNClassifier
    >>> from skdann.exceptions import SavedVersionWarning
    >>> file = pickle.dumps(DANNClassifier())
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", SavedVersionWarning)
    ...     _ = pickle.loads(file)
    """


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
