"""Warnings of this package, to be filtered by class."""

import sys
import warnings

__all__ = [
    "CheckpointWarning",
    "DomainWarning",
    "IgnoredRowsWarning",
    "OneClassWarning",
    "PrecisionWarning",
    "SavedVersionWarning",
    "SourceOnlyWarning",
    "TargetCutWarning",
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


class CheckpointWarning(UserWarning):
    """A checkpoint could not be written, or could not be used: that part of a fit starts anew.

    See Also
    --------
    skdann.DANNClassifier : Its `checkpoint_dir` says where checkpoints are.
    """


class DomainWarning(UserWarning):
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


class IgnoredRowsWarning(UserWarning):
    """A scorer ignored the rows that it was called with: it scores the target it was built with.

    Permutation importances are then all 0.

    See Also
    --------
    skdann.metrics.TargetScorer : With ``X_tgt="X"`` it scores the rows that it is called with.

    Examples
    --------
    The rows to permute are the target, and so are those that the scorer keeps:

    >>> import warnings
    >>> from sklearn.inspection import permutation_importance
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skdann.exceptions import IgnoredRowsWarning
    >>> from skdann.metrics import EntropyScorer
    >>> X_tgt = [[0.0], [3.0]]
    >>> clf = LogisticRegression().fit([[-1.0], [1.0]], [0, 1])
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", IgnoredRowsWarning)
    ...     permutation_importance(clf, X_tgt, None, scoring=EntropyScorer(X_tgt=X_tgt))
    Traceback (most recent call last):
    skdann.exceptions.IgnoredRowsWarning: ...
    """


class TargetCutWarning(UserWarning):
    """Target rows seem to have been selected by the numbers of source rows.

    scikit-learn selects the rows of a fold from every array that has as many rows as `X`. A tuple
    is passed on whole: ``X_tgt=(X_tgt,)``.

    See Also
    --------
    skdann.model_selection.DomainKFold : Folds of the target that are meant.

    Examples
    --------
    >>> import warnings
    >>> from sklearn.model_selection import cross_validate
    >>> from skdann import DANNClassifier
    >>> from skdann.datasets import make_rotated_moons
    >>> from skdann.exceptions import TargetCutWarning
    >>> X_src, y_src, X_tgt, _ = make_rotated_moons(n_samples=60, random_state=0)
    >>> clf = DANNClassifier(lambda_max=1.0, max_epochs=1)
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     _ = cross_validate(clf, X_src, y_src, cv=2, params={"X_tgt": X_tgt})
    >>> {one.category.__name__ for one in caught}
    {'TargetCutWarning'}
    >>> _ = cross_validate(clf, X_src, y_src, cv=2, params={"X_tgt": (X_tgt,)})  # silent
    """


class PrecisionWarning(UserWarning):
    """A column's values are so large, and differ so little, that float32 takes many for equal.

    The network works in float32, with seven digits. Subtract a number from the column, the same in
    both domains, or put a `StandardScaler` in front; both work in float64.

    See Also
    --------
    skdann.pipeline.make_dann_pipeline : Puts steps in front.

    Examples
    --------
    Seconds since 1970, within ten minutes:

    >>> import warnings
    >>> import numpy as np
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skdann import DANNClassifier
    >>> from skdann.exceptions import PrecisionWarning
    >>> from skdann.pipeline import make_dann_pipeline
    >>> X = 1.7e9 + np.arange(600.0)[:, np.newaxis]
    >>> y = X[:, 0] > 1.7e9 + 299
    >>> clf = DANNClassifier(lambda_max=0, max_epochs=5, random_state=0)
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     _ = clf.fit(X, y)
    >>> [one.category.__name__ for one in caught]
    ['PrecisionWarning']
    >>> make_dann_pipeline(StandardScaler(), clf).fit(X, y).score(X, y) > 0.9
    True
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
