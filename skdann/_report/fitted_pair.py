"""The rows of a report, and the two networks that it compares: adapted and source-only."""

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted, column_or_1d

from skdann._classifier import DANNClassifier
from skdann._data.splits import hold_out
from skdann._report.compared import Compared, compared, who_chose
from skdann._sklearn_compat import num_samples, safe_indexing
from skdann.metrics._scorer_base import ScoredDomains

# Of each domain: a third is held out, which leaves one row for each of five folds.
MIN_ROWS = 15

_HELD_OUT = 1 / 3


@dataclass(frozen=True)
class ReportRows:
    """A fitted classifier, and rows of both domains as the steps in front of it transform them.

    Attributes
    ----------
    fitted : DANNClassifier
    source : {ndarray, sparse array, DataFrame} of shape (n_source, n_features)
    y : ndarray of shape (n_source,)
    targets : tuple of such as `source`, one of shape (n_target, n_features) for each target domain
    chooser : DANNClassifier or DANNClassifierCV
        Who chose what was fitted, if that was chosen.
    """

    fitted: DANNClassifier
    source: object
    y: np.ndarray
    targets: tuple
    chooser: object = None

    def seen_by(self, network):
        """Return a network's outputs for these rows, as `ScoredDomains`."""
        return ScoredDomains(network, self.source, self.y, self.targets, needed_by="The report")


@dataclass(frozen=True)
class FittedPair:
    """Two networks that were fitted on the same rows.

    Attributes
    ----------
    networks : dict of str to DANNClassifier
        "source_only" and "adapted".
    trained, held_out : ReportRows
        The rows that both were fitted on, and the others.
    compared : Compared
        Their settings, and which of the two the fitted classifier is.
    """

    networks: dict
    trained: ReportRows
    held_out: ReportRows
    compared: Compared

    @property
    def own(self):
        """Which of the networks has the settings of the fitted classifier."""
        return "adapted" if self.compared.adapts else "source_only"


def read_rows_of_report(classifier, X, y, X_tgt):
    """Return what the user passed as `ReportRows`, or raise if it is not what was fitted."""
    check_is_fitted(classifier)
    targets = X_tgt if isinstance(X_tgt, tuple) else (X_tgt,)
    if not targets or any(one is None for one in targets):
        raise ValueError("X_tgt is None or empty. Pass the target rows that fit was given.")
    # One ScoredDomains for each target, as its method `rows` concatenates all its targets.
    parts = [ScoredDomains(classifier, X, y, one, needed_by="The report") for one in targets]
    fitted = getattr(parts[0].last, "best_estimator_", parts[0].last)
    if not isinstance(fitted, DANNClassifier):
        raise TypeError(
            "classifier must be a DANNClassifier, a DANNClassifierCV or a Pipeline that ends in "
            f"one, got {type(fitted).__name__}."
        )
    source = _sliceable(parts[0].rows()[0])
    targets = tuple(_sliceable(part.rows()[1]) for part in parts)
    rows = ReportRows(fitted, source, column_or_1d(y), targets, who_chose(classifier))
    _check(rows)
    return rows


def fit_pair(rows, seed):
    """Fit both networks on two thirds of each class and of each target domain.

    Parameters
    ----------
    rows : ReportRows
    seed : int
        Determines the rows held out, and the networks where the classifier has no `random_state`.

    Returns
    -------
    FittedPair
    """
    # One mask for the source, then one for each target domain.
    held_out = [_third_of_each(rows.y, seed)]
    for target in rows.targets:
        held_out.append(_third_of_each(np.zeros(num_samples(target)), seed + 1))
    trained = _selected(rows, [~mask for mask in held_out])
    both, networks = compared(rows.fitted, rows.chooser), {}
    for name in ("source_only", "adapted"):
        network = clone(rows.fitted).set_params(**getattr(both, name), verbose=0)
        if network.random_state is None:
            network.set_params(random_state=seed)
        networks[name] = network.fit(trained.source, trained.y, X_tgt=trained.targets)
    return FittedPair(networks, trained, _selected(rows, held_out), both)


def _third_of_each(groups, seed):
    """Return a mask of the rows to hold out: a third of the rows of each group."""
    codes = np.unique(groups, return_inverse=True)[1]
    return hold_out(codes, _HELD_OUT, np.random.default_rng(seed))


def _selected(rows, masks):
    """Return the rows in a mask for the source and one for each target."""
    of_source, *of_targets = masks
    targets = []
    for target, mask in zip(rows.targets, of_targets, strict=True):
        targets.append(safe_indexing(target, np.flatnonzero(mask)))
    source = safe_indexing(rows.source, np.flatnonzero(of_source))
    return replace(rows, source=source, y=rows.y[of_source], targets=tuple(targets))


def _sliceable(rows):
    """Return rows that can be indexed by row numbers: other sparse formats become CSR."""
    return rows.tocsr() if sparse.issparse(rows) else rows


def _check(rows):
    """Raise if the rows are too few, or not like those that the classifier was fitted on."""
    n_source, n_targets = num_samples(rows.source), [num_samples(one) for one in rows.targets]
    n_fitted = len(rows.fitted._n_rows) - 1  # the first is of the source
    if n_fitted != len(n_targets):
        raise ValueError(
            f"X_tgt has {len(n_targets)} target domains, but the classifier was fitted with "
            f"{n_fitted}. Pass the X_tgt that fit was given; without one there "
            "is no adaptation to report."
        )
    if len(rows.y) != n_source:
        raise ValueError(f"X has {n_source} rows, but y has {len(rows.y)} labels.")
    found, counts = np.unique(rows.y, return_counts=True)
    # One row of each class is held out of every three.
    if not np.array_equal(found, rows.fitted.classes_) or counts.min() < 3:
        raise ValueError(
            f"y must have three rows or more of each class in {rows.fitted.classes_.tolist()}, "
            f"got {dict(zip(found.tolist(), counts.tolist(), strict=True))}."
        )
    for name, n_rows in (("X", n_source), ("X_tgt", min(n_targets))):
        if n_rows < MIN_ROWS:
            raise ValueError(
                f"{name} has {n_rows} rows, but a third is held out and divided into five folds: "
                f"{MIN_ROWS} of each domain are needed."
            )
    for part in (rows.source, *rows.targets):
        rows.fitted.predict(safe_indexing(part, [0]))  # raises for other columns
