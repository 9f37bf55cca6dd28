"""Candidates of a choice or of a search as one table, and their accuracy on known target labels."""

import numpy as np
from sklearn.base import clone

from skdann._choosing.gain_model import SEARCH_GAIN
from skdann._choosing.results_table import dropped
from skdann._choosing.rule import choose_from_search
from skdann._hidden_warnings import hidden_warnings
from skdann.displays._rows import as_tuple, labels_of, seen_by
from skdann.exceptions import DomainWarning, OneClassWarning, TargetScaleWarning
from skdann.metrics._scorer_base import ScoredDomains
from skdann.model_selection import first_without_adaptation

# What scores are called, and their units.
SCORES = {
    "reverse_validation": ("reverse validation", "share of rows"),
    "reverse_probability": ("reverse probability", "probability"),
    "source_accuracy": ("source accuracy", "share of rows"),
    "info_max": ("information", "nats"),
    "confidence": ("confidence", "nats"),
    "agreement": ("agreement", "probability"),
}

_PREFIX = "mean_test_"


def names_of(params):
    """Return candidates as a user would write them: the parameters in which they differ."""
    varied = [name for name in params[0] if any(one.get(name) != params[0][name] for one in params)]
    names = []
    for one in params:
        # Of "dannclassifier__lambda_max" the last part counts.
        parts = [f"{name.split('__')[-1]}={_written(one[name])}" for name in varied or one]
        names.append(", ".join(parts))
    return names


def chosen_among(cv_results):
    """Return the position of the chosen candidate of a pool."""
    return int(np.flatnonzero(np.asarray(cv_results["rank_test_score"]) == 1)[0])


def table_of_pool(cv_results):
    """Return the candidates of a DANNClassifier or a DANNClassifierCV; the first is the baseline.

    Parameters
    ----------
    cv_results : dict
        Its ``cv_results_``.

    Returns
    -------
    dict of ndarrays of shape (n_candidates,)
        ``candidate``, their names; ``dropped``, whether they were left out of a fold; ``passes``;
        ``gain_<signal>`` and ``error_<signal>``; and, if they were chosen by it, ``expected_gain``
        and ``gain_lower_bound``.
    """
    kept = ("gain_", "error_", "expected_gain", "passes")
    table = {name: values for name, values in cv_results.items() if name.startswith(kept)}
    return {
        "candidate": np.array(names_of(cv_results["params"]), dtype=object),
        "dropped": dropped(cv_results),
        **table,
    }


def table_of_search(cv_results):
    """Return the candidates of a search as `table_of_pool` does, and which is the baseline.

    Errors are those of the mean over the folds of the difference from the baseline.
    """
    baseline = first_without_adaptation(cv_results["params"])
    scores = [name.removeprefix(_PREFIX) for name in cv_results if name.startswith(_PREFIX)]
    table = {"candidate": np.array(names_of(cv_results["params"]), dtype=object)}
    for name in scores:
        folds = _folds(cv_results, name)
        gains = folds - folds[baseline]
        table[f"gain_{name}"] = gains.mean(axis=1)
        n_folds = gains.shape[1]
        error = gains.std(axis=1, ddof=1) / np.sqrt(n_folds) if n_folds > 1 else np.nan
        table[f"error_{name}"] = np.zeros(len(gains)) + error
    if set(SEARCH_GAIN) <= set(scores):
        means = {name: np.asarray(cv_results[_PREFIX + name]) for name in SEARCH_GAIN}
        choice = choose_from_search(means, baseline)
        table |= {"expected_gain": choice.expected, "passes": choice.passes}
    return table, baseline


def refitted_accuracies(template, params, known, X_src, y_src, X_tgt, y_tgt):
    """Return the accuracy of each candidate on target rows with known labels.

    Parameters
    ----------
    template : estimator
        Unfitted; a clone of it is fitted with the parameters of each candidate.
    params : list of dict
    known : dict of int to fitted estimator
        Candidates that need not be fitted again.
    X_src, y_src : source rows and labels
    X_tgt : target rows, or a tuple of such
    y_tgt : labels, or a tuple of such
    """
    labels, accuracies = labels_of(y_tgt, X_tgt, "y_tgt"), []
    for i, one in enumerate(params):
        fitted = known.get(i)
        if fitted is None:
            fitted = clone(template).set_params(**one)
            # They are about candidates that nobody will use.
            with hidden_warnings(DomainWarning, OneClassWarning, TargetScaleWarning):
                fitted.fit(X_src, y_src, X_tgt=as_tuple(X_tgt))
        rows = ScoredDomains(fitted, X_src, y_src, X_tgt, needed_by="A candidate's accuracy")
        accuracies.append(np.mean(rows.target("predict") == labels))
    return np.array(accuracies)


def rows_at_classifier(estimator, X_src, X_tgt):
    """Return source rows and a tuple of targets, transformed by the steps in front of the last."""
    needed_by = "A candidate's accuracy"
    parts = [seen_by(estimator, X_src, one, needed_by=needed_by).rows() for one in as_tuple(X_tgt)]
    return parts[0][0], tuple(target for _, target in parts)


def _folds(cv_results, name):
    """Return the scores of candidates in all folds, (n_candidates, n_folds)."""
    folds = []
    while f"split{len(folds)}_test_{name}" in cv_results:
        folds.append(cv_results[f"split{len(folds)}_test_{name}"])
    return np.stack(folds, axis=1)


def _written(value):
    return f"{value:g}" if isinstance(value, float) else str(value)
