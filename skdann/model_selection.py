"""Cross-validation with folds of both domains, and the safe choice of a search."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.utils import check_random_state, indexable

from skdann._choosing.gain_model import SEARCH_GAIN
from skdann._choosing.rule import choose_from_search
from skdann._sklearn_compat import safe_indexing
from skdann._target_bound.estimator import TargetBound
from skdann._target_bound.kept_rows import KeptRows
from skdann._typing import RandomState, Rows, Targets
from skdann.metrics._reverse_validation import ReverseValidation
from skdann.metrics._scorer_base import TargetScorer
from skdann.metrics._scorers import EntropyScorer, InfoMaxScorer

__all__ = [
    "AlignedTarget",
    "DomainKFold",
    "adaptation_scoring",
    "choose_adaptation",
    "without_target",
]

Estimator = TypeVar("Estimator")

# If all rows of one fold are taken and less than this share of another, the rows cannot be a random
# draw from whole folds.
_UNEVEN = 0.6


class AlignedTarget(tuple[Any, ...]):
    """Target domains that scikit-learn splits along with the source rows.

    Made by :meth:`DomainKFold.align_target`. It is the tuple of target domains that `fit` takes.
    When scikit-learn indexes it with the rows of a fold, as it does with all parameters that have a
    row for each row of `X`, it returns a plain tuple of the target rows of the same folds.

    Parameters
    ----------
    targets : tuple of {array-like, sparse matrix, DataFrame} of shape (n_target, n_features)
        One element per target domain.

    source_folds : ndarray of int of shape (n_source,)
        The fold of each source row.

    target_folds : tuple of ndarray of int of shape (n_target,)
        The fold of each target row, per domain.

    Attributes
    ----------
    shape : tuple of one int
        ``(n_source,)``, so that scikit-learn takes it for a parameter with a row for each row of
        `X`.

    See Also
    --------
    DomainKFold : The splitter that makes the folds.

    Examples
    --------
    >>> import numpy as np
    >>> from skdann.model_selection import DomainKFold
    >>> X, y, X_tgt = np.zeros((4, 1)), [0, 0, 1, 1], np.arange(6.0)[:, None]
    >>> aligned = DomainKFold(2, shuffle=False).align_target(X, y, X_tgt)
    >>> len(aligned), aligned.shape
    (1, (4,))

    Source rows 0 and 2 make the first fold:

    >>> aligned[np.array([0, 2])][0].ravel()
    array([0., 1., 2.])
    """

    def __new__(
        cls, targets: tuple[Rows, ...], source_folds: ArrayLike, target_folds: Sequence[ArrayLike]
    ) -> Self:
        """Make the tuple of `targets`, and keep the folds as attributes."""
        self = super().__new__(cls, targets)
        self._source_folds = np.asarray(source_folds)
        self._target_folds = tuple(np.asarray(folds) for folds in target_folds)
        return self

    def __getnewargs__(self) -> tuple[Any, ...]:
        """Return the arguments of `__new__`, for `pickle` and `copy`."""
        return tuple(self), self._source_folds, self._target_folds

    @property
    def shape(self) -> tuple[int, ...]:
        """``(n_source,)``."""
        return self._source_folds.shape

    def __getitem__(self, key: Any) -> Any:
        """Return a domain for an int, and for source rows the target rows of their folds.

        Parameters
        ----------
        key : int, slice or array of source rows
            scikit-learn passes an array of row numbers, or ``(array, Ellipsis)``.

        Returns
        -------
        tuple of {array-like, sparse matrix, DataFrame}
            For an array. For an int or a slice, as of a plain tuple: an element, or a tuple.

        Raises
        ------
        ValueError
            If it is evident that the source rows are no union of these folds: they come from all
            folds but are not all rows, or contain one fold whole and a small part of another.
        """
        if isinstance(key, tuple):
            key = key[0]
        if isinstance(key, (int, np.integer, slice)):
            return super().__getitem__(key)
        return self._targets_for(key)

    def _targets_for(self, rows):
        """Return the target domains for these source rows, which scikit-learn has selected."""
        folds = self._folds_of(rows)
        parts = []
        for target, target_folds in zip(self, self._target_folds, strict=True):
            in_folds = np.isin(target_folds, folds)
            parts.append(safe_indexing(target, np.flatnonzero(in_folds)))
        return tuple(parts)

    def _folds_of(self, rows):
        """Return the folds that source rows come from.

        The rows are whole folds, or a random subset of whole folds as in `HalvingGridSearchCV`.
        """
        # A mask or negative numbers become row numbers here, and repeated rows count once.
        rows = np.unique(np.arange(len(self._source_folds))[np.asarray(rows)])
        sizes = np.bincount(self._source_folds)
        # The share of each fold's rows that is taken.
        taken = np.bincount(self._source_folds[rows], minlength=len(sizes)) / sizes
        shares = taken[taken > 0]  # of the folds that rows come from
        part_of_every_fold = len(shares) == len(taken) and min(taken) < 1
        one_whole_one_hardly = len(shares) > 0 and max(shares) == 1 and min(shares) < _UNEVEN
        if part_of_every_fold or one_whole_one_hardly:
            raise ValueError(
                f"X_tgt was aligned with {len(taken)} folds, but the rows of a split are not a "
                "union of them, so it is unknown which target rows to hold out. Pass the "
                "DomainKFold that aligned X_tgt as cv, with the same X and y in the same order; or "
                "pass the plain tuple (X_tgt,), of which no rows are held out."
            )
        return np.flatnonzero(taken)


class DomainKFold(StratifiedKFold):
    """Stratified folds of the source, with corresponding folds of the target.

    In cross-validation, a score is computed on source rows that the fit has not seen. A target that
    is passed as a tuple is not split: all its rows are in every fit and in every score. Use this
    splitter as ``cv``, and pass the target as its `align_target` returns it, to hold out target
    rows as well.

    Source rows are split as by :class:`~sklearn.model_selection.StratifiedKFold`, which warns
    about classes with fewer rows than folds. Target rows have no labels and are assigned at random.

    Parameters
    ----------
    n_splits : int >= 2, default=5
        Number of folds.

    shuffle : bool, default=True
        Whether rows are shuffled before they are split, in both domains. If not, target folds are
        blocks of successive rows, for rows in an order such as time.

    random_state : int, RandomState instance or None, default=None
        Determines the shuffling. For None or a RandomState, an int is drawn in `__init__` and
        becomes `random_state`, so that `split` and `align_target` make the same folds in every
        call.

    See Also
    --------
    sklearn.model_selection.StratifiedKFold : The same for one domain.

    Notes
    -----
    `GridSearchCV` and other searches select the target rows of the training folds for each fit.
    They select those of the test fold for each score if metadata routing is enabled and the scorer
    requests `X_tgt`, as those of :mod:`skdann.metrics` do. A scorer that was built with a target
    scores that target.

    `HalvingGridSearchCV` draws a subset of the source rows of each fold. The fit then gets *all*
    target rows of these folds, as unlabelled rows are not scarce. If a very small subset has no row
    of one training fold, the target rows of that fold are left out too.

    References
    ----------
    .. [1] Ganin, Y. et al. (2016). Domain-adversarial training of neural networks.
       Journal of Machine Learning Research 17(59), 1-35. Section 5.1.2.

    Examples
    --------
    >>> import sklearn
    >>> from sklearn.model_selection import cross_validate
    >>> from skdann import DANNClassifier
    >>> from skdann.datasets import make_rotated_moons
    >>> from skdann.model_selection import DomainKFold
    >>> X_src, y_src, X_tgt, _ = make_rotated_moons(n_samples=90, random_state=0)
    >>> cv = DomainKFold(3, random_state=0)
    >>> scores = cross_validate(
    ...     DANNClassifier(max_epochs=5, random_state=0), X_src, y_src, cv=cv,
    ...     params={"X_tgt": cv.align_target(X_src, y_src, X_tgt)},
    ... )
    >>> scores["test_score"].shape
    (3,)
    """

    def __init__(
        self, n_splits: int = 5, *, shuffle: bool = True, random_state: RandomState = None
    ) -> None:
        # `split` and `align_target` must make the same folds, so the seed is fixed here.
        if shuffle and not isinstance(random_state, (int, np.integer)):
            random_state = int(_generator(random_state).randint(2**31 - 1))
        super().__init__(n_splits=n_splits, shuffle=shuffle, random_state=random_state)

    def align_target(self, X: Rows, y: ArrayLike, X_tgt: Targets) -> AlignedTarget:
        """Return the target in a form that scikit-learn splits along with the source rows.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_source, n_features)
            The source rows that will be split.

        y : array-like of shape (n_source,)
            Their labels.

        X_tgt : {array-like, sparse matrix, DataFrame} of shape (n_target, n_features)
            Target rows, or a tuple of such with one element per target domain. Every domain
            needs at least `n_splits` rows.

        Returns
        -------
        AlignedTarget
            Pass it as `X_tgt` where this splitter is passed as `cv`, with the same `X` and `y` in
            the same order.

        Raises
        ------
        ValueError
            If a target domain has fewer rows than there are folds.

        Examples
        --------
        >>> import numpy as np
        >>> from skdann.model_selection import DomainKFold
        >>> X, y, X_tgt = np.zeros((6, 1)), [0, 1] * 3, np.arange(9.0)[:, None]
        >>> cv = DomainKFold(3, random_state=0)
        >>> aligned = cv.align_target(X, y, X_tgt)
        >>> for train, test in cv.split(X, y):
        ...     print(aligned[train][0].ravel(), aligned[test][0].ravel())
        [0. 3. 4. 5. 6. 8.] [1. 2. 7.]
        [0. 1. 2. 3. 5. 7.] [4. 6. 8.]
        [1. 2. 4. 6. 7. 8.] [0. 3. 5.]
        """
        targets = _indexable_domains(X_tgt)
        target_folds = [self._target_folds(target) for target in targets]
        return AlignedTarget(targets, _fold_of_each_row(self, X, y), target_folds)

    def _target_folds(self, target):
        """Return the fold of each row of a target domain. They are drawn without any label."""
        n_rows = target.shape[0] if hasattr(target, "shape") else len(target)
        if n_rows < self.n_splits:
            raise ValueError(
                f"X_tgt has a domain of {n_rows} rows, too few for n_splits={self.n_splits} folds. "
                "Use fewer folds, or pass the plain tuple (X_tgt,), which is not split."
            )
        folds = KFold(self.n_splits, shuffle=self.shuffle, random_state=self.random_state)
        return _fold_of_each_row(folds, np.empty(n_rows))


def _generator(random_state):
    """Return a generator; for None one with fresh entropy, not numpy's global one."""
    if random_state is None:
        return np.random.RandomState()
    return check_random_state(random_state)


def _indexable_domains(X_tgt):
    domains = X_tgt if isinstance(X_tgt, tuple) else (X_tgt,)
    return tuple(indexable(one)[0] for one in domains)


def _fold_of_each_row(splitter, X, y=None):
    """Return the number of the fold in which each row is tested."""
    folds = np.empty(X.shape[0] if hasattr(X, "shape") else len(X), dtype=int)
    for number, (_, test) in enumerate(splitter.split(X, y)):
        folds[test] = number
    return folds


def adaptation_scoring(X_tgt: Targets | None = None) -> dict[str, TargetScorer]:
    """Return the scorers whose scores `choose_adaptation` compares, for ``scoring=``.

    Parameters
    ----------
    X_tgt : {array-like, sparse matrix, DataFrame} of shape (n_target, n_features), default=None
        The target, or a tuple of targets. With metadata routing leave it out: the scorers then
        take the target that is passed to `fit`.

    Returns
    -------
    dict of str to scorer
        Scorers for ``reverse_validation``, ``info_max`` and ``confidence``.

    See Also
    --------
    choose_adaptation : Chooses by these scores.
    without_target : Takes the rows out of a search.

    Notes
    -----
    Scorers that are built with `X_tgt` keep its rows, and a search keeps its scorers. A pickle of
    the search then contains the target: it is as large as these rows, and anyone who gets it can
    read them. To avoid that, enable metadata routing and leave `X_tgt` out, as below; the target
    goes to `fit` and is not kept. `without_target` takes the rows out of a search that has them.

    Examples
    --------
    >>> import pickle
    >>> import sklearn
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skdann import DANNClassifier
    >>> from skdann.datasets import make_rotated_moons
    >>> from skdann.model_selection import adaptation_scoring, choose_adaptation
    >>> X_src, y_src, X_tgt, _ = make_rotated_moons(n_samples=100, random_state=0)
    >>> search = GridSearchCV(
    ...     DANNClassifier(max_epochs=2, random_state=0), {"lambda_max": [0, 1]}, cv=2,
    ...     scoring=adaptation_scoring(), refit=choose_adaptation,
    ... )
    >>> with sklearn.config_context(enable_metadata_routing=True):
    ...     search = search.fit(X_src, y_src, X_tgt=(X_tgt,))
    >>> X_tgt.tobytes() in pickle.dumps(search)
    False
    """
    return {
        "reverse_validation": ReverseValidation(X_tgt=X_tgt),
        "info_max": InfoMaxScorer(X_tgt=X_tgt),
        "confidence": EntropyScorer(X_tgt=X_tgt),
    }


def choose_adaptation(cv_results: Mapping[str, Any]) -> int:
    """Choose the candidate of a search that adapts safely, for ``refit=``.

    The baseline is the first candidate without adaptation, with a ``lambda_max`` of 0. Of the
    others, the one with the largest expected gain in target accuracy is chosen, if that is above 3
    points: a weighted sum of what it gains in reverse validation and in mutual information of
    target rows and predicted labels. The weights were learned from pairs of data sets whose target
    labels are known.

    :class:`skdann.DANNClassifierCV` is several times faster and safer. It calibrates the
    probabilities before it compares them, and considers how far each candidate agrees with the
    others on the target, which is not in the results of a search.

    Parameters
    ----------
    cv_results : dict
        ``cv_results_`` of `GridSearchCV` or `RandomizedSearchCV` with ``scoring`` from
        `adaptation_scoring`, or of `DANNClassifierCV`. It needs ``params`` and the mean test scores
        ``mean_test_reverse_validation`` and ``mean_test_info_max``.

    Returns
    -------
    int
        Index of the chosen candidate, for ``best_index_``.

    Raises
    ------
    ValueError
        If a score is missing or is NaN for the baseline, or no candidate is without adaptation.

    See Also
    --------
    adaptation_scoring : The scorers whose scores it compares.
    skdann.DANNClassifierCV : The same choice without a search, with more evidence and faster.

    Examples
    --------
    >>> import sklearn
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skdann.datasets import make_tilted_digits
    >>> from skdann.model_selection import adaptation_scoring, choose_adaptation
    >>> from skdann.pipeline import make_dann_pipeline
    >>> X_src, y_src, X_tgt, y_tgt = make_tilted_digits(n_source=300, random_state=0)
    >>> search = GridSearchCV(
    ...     make_dann_pipeline(max_epochs=20, random_state=0),
    ...     {
    ...         "dannclassifier__lambda_max": [0, 1],
    ...         "dannclassifier__input_scaling": ["source", "domain"],
    ...     },
    ...     scoring=adaptation_scoring(), refit=choose_adaptation, cv=2,
    ... )
    >>> with sklearn.config_context(enable_metadata_routing=True):
    ...     search = search.fit(X_src, y_src, X_tgt=(X_tgt,))
    >>> search.best_params_["dannclassifier__input_scaling"]
    'domain'
    """
    missing = [f"mean_test_{n}" for n in SEARCH_GAIN if f"mean_test_{n}" not in cv_results]
    if missing:
        raise ValueError(
            f"cv_results lacks {missing}. Search with scoring=adaptation_scoring(), with metadata "
            "routing enabled; without it, scoring=adaptation_scoring((X_tgt,))."
        )
    baseline = first_without_adaptation(cv_results["params"])
    # One value for each candidate: the mean over the test folds.
    means = {name: np.asarray(cv_results[f"mean_test_{name}"]) for name in SEARCH_GAIN}
    _check_baseline_scores(means, baseline)
    return choose_from_search(means, baseline).index


def _check_baseline_scores(means, baseline):
    """Raise if the baseline has no score, as nothing can then be compared with it."""
    missing = [name for name, values in means.items() if not np.isfinite(values[baseline])]
    if missing:
        all_missing = not any(np.isfinite(means[name]).any() for name in missing)
        whose = "all candidates" if all_missing else f"the baseline (candidate {baseline})"
        raise ValueError(
            f"{', '.join(missing)}: the scores of {whose} are NaN, so there is nothing to choose "
            "by. A fit or a score failed; error_score='raise' in the search shows why. Scorers "
            "need the target: scoring=adaptation_scoring() with metadata routing enabled, and "
            "search.fit(X, y, X_tgt=(X_tgt,))."
        )


def without_target(estimator: Estimator) -> Estimator:
    """Return a copy of an estimator without the rows of the target that are in it.

    Save this copy. Scorers that were built with a target, and estimators that a target is bound to,
    would bring its rows into the file, one by one. The copy predicts as before. To be fitted again
    it needs the target again: scorers take the `X_tgt` of a call, for which metadata routing must
    be enabled, and estimators are bound anew.

    Parameters
    ----------
    estimator : search, meta-estimator, Pipeline or any other estimator, fitted or not
        It is not changed.

    Returns
    -------
    estimator : object
        Shares everything with the original, except what held rows.

    See Also
    --------
    adaptation_scoring : With metadata routing, scorers need not be built with the target.
    skdann.DANNClassifier.with_target : Binds a target to an estimator.

    Examples
    --------
    >>> import pickle
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skdann import DANNClassifier
    >>> from skdann.datasets import make_rotated_moons
    >>> from skdann.metrics import InfoMaxScorer
    >>> from skdann.model_selection import without_target
    >>> X_src, y_src, X_tgt, _ = make_rotated_moons(n_samples=100, random_state=0)
    >>> search = GridSearchCV(
    ...     DANNClassifier(max_epochs=2, random_state=0), {"lambda_max": [0, 1]}, cv=2,
    ...     scoring=InfoMaxScorer(X_tgt=(X_tgt,)),
    ... ).fit(X_src, y_src, X_tgt=(X_tgt,))
    >>> X_tgt.tobytes() in pickle.dumps(search)
    True
    >>> X_tgt.tobytes() in pickle.dumps(without_target(search))
    False
    """
    return _without_rows(estimator)


def _without_rows(value):
    """Return a value without rows of a target: itself if there are none in it."""
    if isinstance(value, KeptRows):
        return value.without_rows()
    if isinstance(value, dict):
        return _updated(value, _changed(value))
    # Scorers of scikit-learn may hold an estimator and are none.
    of_scikit_learn = type(value).__module__.startswith("sklearn.") and hasattr(value, "__dict__")
    if isinstance(value, BaseEstimator) or of_scikit_learn:
        return _estimator_without_rows(value)
    if type(value) in (list, tuple):
        return type(value)(map(_without_rows, value)) if _changed(dict(enumerate(value))) else value
    return value


def _estimator_without_rows(estimator):
    changed = _changed(vars(estimator))
    rows = vars(estimator).get("X_tgt")
    if isinstance(estimator, TargetScorer) and rows is not None and not isinstance(rows, str):
        changed["X_tgt"] = None
    if isinstance(estimator, TargetBound):
        changed["X_tgt"] = KeptRows.of(rows).without_rows()
    if not changed:
        return estimator
    lighter = copy.copy(estimator)
    vars(lighter).update(changed)
    return lighter


def _changed(values):
    """Return what is another value without rows, by its key."""
    lighter = {key: _without_rows(value) for key, value in values.items()}
    return {key: value for key, value in lighter.items() if value is not values[key]}


def _updated(mapping, changed):
    if not changed:
        return mapping
    mapping = copy.copy(mapping)
    mapping.update(changed)
    return mapping


def first_without_adaptation(candidates):
    """Return the index of the first candidate that learns nothing from target rows.

    Names of parameters may have prefixes of steps, such as ``dannclassifier__lambda_max``.
    """
    for i, params in enumerate(candidates):
        # Of "dannclassifier__lambda_max" the last part counts.
        values = {name.split("__")[-1]: value for name, value in params.items()}
        # lambda_max may be 0, a string or a tuple of candidates.
        without_lambda = "lambda_max" in values and values["lambda_max"] == 0
        if without_lambda and not values.get("target_information"):
            return i
    raise ValueError(
        "No candidate of the search has lambda_max=0. Add 0 to its lambda_max: the network without "
        "adaptation is the baseline that others must beat."
    )
