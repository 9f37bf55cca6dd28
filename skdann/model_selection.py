"""Searches that respect both domains: folds of the target, and the safe choice of a search."""

import numpy as np
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.utils import _safe_indexing, check_random_state, indexable

from skdann._choosing.rule import SEARCH_MARGINS, choose_from_search
from skdann.metrics._reverse_validation import ReverseValidation
from skdann.metrics._scorers import EntropyScorer, InfoMaxScorer

__all__ = ["AlignedTarget", "DomainKFold", "adaptation_scoring", "choose_adaptation"]

# No random draw of rows of several folds takes all of one and less than this share of another.
_UNEVEN = 0.6


class AlignedTarget(tuple):
    """Target domains that scikit-learn cuts by the folds of the source.

    Made by :meth:`DomainKFold.align_target`. Whole, it is the tuple of target domains that
    `fit` takes. Where scikit-learn cuts a parameter by source rows, what comes out is a plain
    tuple of the target rows of the folds that these source rows belong to.

    Parameters
    ----------
    targets : tuple of {array-like, sparse matrix, DataFrame}
        One element of shape (n_target, n_features) per target domain.

    source_folds : ndarray of int of shape (n_source,)
        The fold of each source row.

    target_folds : tuple of ndarray of int of shape (n_target,)
        The fold of each target row, per domain.

    Attributes
    ----------
    shape : tuple of one int
        ``(n_source,)``. By it scikit-learn sees a parameter with a row per source row.

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

    def __new__(cls, targets, source_folds, target_folds):
        """Make the tuple of `targets`, with the folds beside it."""
        self = super().__new__(cls, targets)
        self._source_folds = np.asarray(source_folds)
        self._target_folds = tuple(np.asarray(folds) for folds in target_folds)
        return self

    def __getnewargs__(self):
        """Return what `pickle` and `copy` make the tuple of."""
        return tuple(self), self._source_folds, self._target_folds

    @property
    def shape(self):
        """``(n_source,)``."""
        return self._source_folds.shape

    def __getitem__(self, key):
        """Return one domain for an int, and the domains cut to their folds for source rows.

        Parameters
        ----------
        key : int, slice or array of source rows
            scikit-learn asks with an array of row numbers, or with ``(array, Ellipsis)``.

        Returns
        -------
        tuple of {array-like, sparse matrix, DataFrame}
            For an array; the element or the plain tuple of elements for an int or a slice.

        Raises
        ------
        ValueError
            If the source rows are not from a split into these folds, as far as that shows: they
            come from all folds without being all rows, or take one whole and another in part.
        """
        if isinstance(key, tuple):
            key = key[0]
        if isinstance(key, (int, np.integer, slice)):
            return super().__getitem__(key)
        folds = self._folds_of(key)
        return tuple(
            _safe_indexing(target, np.flatnonzero(np.isin(target_folds, folds)))
            for target, target_folds in zip(self, self._target_folds, strict=True)
        )

    def _folds_of(self, rows):
        """Return the folds of some source rows, which may be a draw of the rows of whole folds."""
        rows = np.unique(np.arange(len(self._source_folds))[np.asarray(rows)])
        share = np.bincount(self._source_folds[rows], minlength=self._source_folds.max() + 1)
        share = share / np.bincount(self._source_folds)
        drawn = share[share > 0]
        of_every_fold = len(drawn) == len(share) and min(share) < 1
        if of_every_fold or (len(drawn) and max(drawn) == 1 and min(drawn) < _UNEVEN):
            raise ValueError(
                f"X_tgt was aligned with {len(share)} folds, but a split takes parts of them, so "
                "it can't be told which target rows to leave out. Pass the DomainKFold that "
                "aligned X_tgt as cv, with the same X and y in the same order; or pass the plain "
                "tuple (X_tgt,), which every fit and every score sees whole."
            )
        return np.flatnonzero(share)


class DomainKFold(StratifiedKFold):
    """Stratified folds of the source, and folds of the target beside them.

    A score of cross-validation is computed on source rows that the fit has not seen. For
    target rows that holds only if they are split too: the target that is passed as a tuple is
    in every fit, and in every score, whole. This splitter is used as ``cv``, and its
    `align_target` makes the target that is split along with it.

    Source rows are split as by :class:`~sklearn.model_selection.StratifiedKFold`, which warns
    about classes with fewer rows than folds. Target rows have no labels and are dealt out at
    random.

    Parameters
    ----------
    n_splits : int >= 2, default=5
        Number of folds.

    shuffle : bool, default=True
        Whether rows are shuffled before they are split, in both domains. Without it target
        folds are blocks, for rows in an order such as time.

    random_state : int, RandomState instance or None, default=None
        Determines the shuffling. An int is drawn from None or from a RandomState *once*, here,
        and becomes `random_state`: every call of `split` and `align_target` makes the same
        folds.

    See Also
    --------
    sklearn.model_selection.StratifiedKFold : The same for one domain.

    Notes
    -----
    `GridSearchCV` and its kin cut the aligned target for each fit. For each score they do so
    if metadata routing is enabled and the scorer asks for `X_tgt`, as those of
    :mod:`skdann.metrics` do. A scorer that was built with a target of its own scores that.

    `HalvingGridSearchCV` draws some source rows of each fold. The fit then gets *all* target
    rows of the folds drawn from: unlabelled rows are not what is scarce. If a very small draw
    misses a fold of the training rows, the target rows of that fold are left out too.

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

    def __init__(self, n_splits=5, *, shuffle=True, random_state=None):
        if shuffle and not isinstance(random_state, (int, np.integer)):
            random_state = int(_generator(random_state).randint(2**31 - 1))
        super().__init__(n_splits=n_splits, shuffle=shuffle, random_state=random_state)

    def align_target(self, X, y, X_tgt):
        """Return the target such that scikit-learn cuts it by the folds of the source.

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
            To be passed as `X_tgt` wherever this splitter is passed as `cv`, with the same `X`
            and `y` in the same order.

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
        return AlignedTarget(
            targets, _fold_of_each_row(self, X, y), [self._target_folds(one) for one in targets]
        )

    def _target_folds(self, target):
        n_rows = target.shape[0] if hasattr(target, "shape") else len(target)
        if n_rows < self.n_splits:
            raise ValueError(
                f"X_tgt has a domain of {n_rows} rows, which can't be split into n_splits="
                f"{self.n_splits} folds. Use fewer folds, or pass the plain tuple (X_tgt,), which "
                "is not split."
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


def adaptation_scoring(X_tgt=None):
    """Return the scorers that `choose_adaptation` looks at, for ``scoring=``.

    Parameters
    ----------
    X_tgt : {array-like, sparse matrix, DataFrame} of shape (n_target, n_features), default=None
        The target, or a tuple of targets. Needed where metadata routing is not enabled.

    Returns
    -------
    dict of str to scorer
        ``reverse_validation``, ``info_max`` and ``confidence``.

    See Also
    --------
    choose_adaptation : An example.
    """
    return {
        "reverse_validation": ReverseValidation(X_tgt=X_tgt),
        "info_max": InfoMaxScorer(X_tgt=X_tgt),
        "confidence": EntropyScorer(X_tgt=X_tgt),
    }


def choose_adaptation(cv_results):
    """Choose the candidate of a search that adapts safely, for ``refit=``.

    A candidate replaces the baseline, the first one whose ``lambda_max`` is 0, only if it does
    better by reverse validation, by mutual information of target rows and predicted labels, and
    by confidence. Of those that do, the best by reverse validation is chosen.

    :class:`skdann.DANNClassifierCV` is several times faster, and safer: it also looks at whether a
    candidate agrees with the others on the target, which a search keeps no record of.

    Parameters
    ----------
    cv_results : dict
        ``cv_results_`` of `GridSearchCV` or `RandomizedSearchCV` with ``scoring`` from
        `adaptation_scoring`.

    Returns
    -------
    int
        ``best_index_``.

    Raises
    ------
    ValueError
        If a score is missing, or no candidate has a ``lambda_max`` of 0.

    Examples
    --------
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skdann.datasets import make_tilted_digits
    >>> from skdann.model_selection import adaptation_scoring, choose_adaptation
    >>> from skdann.pipeline import make_dann_pipeline
    >>> X_src, y_src, X_tgt, y_tgt = make_tilted_digits(n_source=300, random_state=0)
    >>> search = GridSearchCV(
    ...     make_dann_pipeline(random_state=0),
    ...     {
    ...         "dannclassifier__lambda_max": [0, 1],
    ...         "dannclassifier__input_scaling": ["source", "domain"],
    ...     },
    ...     scoring=adaptation_scoring((X_tgt,)), refit=choose_adaptation, cv=2,
    ... )
    >>> search.fit(X_src, y_src, X_tgt=(X_tgt,)).best_params_["dannclassifier__input_scaling"]
    'domain'
    """
    missing = [name for name in SEARCH_MARGINS if f"mean_test_{name}" not in cv_results]
    if missing:
        raise ValueError(
            f"cv_results has no scores {missing}: search with scoring=adaptation_scoring()."
        )
    baseline = _first_without_adaptation(cv_results["params"])
    means = {name: np.asarray(cv_results[f"mean_test_{name}"]) for name in SEARCH_MARGINS}
    names = [str(one) for one in cv_results["params"]]
    return choose_from_search(means, names, baseline).index


def _first_without_adaptation(settings):
    for i, one in enumerate(settings):
        if any(name.split("__")[-1] == "lambda_max" and not one[name] for name in one):
            return i
    raise ValueError(
        "No candidate of the search has lambda_max=0: put 0 into its grid, so that there is a "
        "network without adaptation to stay with."
    )
