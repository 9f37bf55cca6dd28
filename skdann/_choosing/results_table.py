"""Tables of what was found about all candidates, by the names of scikit-learn's searches."""

import numpy as np
from scipy.stats import rankdata


def cv_results(params, signals, choice):
    """Return the table of all candidates, by the names of scikit-learn's searches.

    Parameters
    ----------
    params : list of dict
        What differs between the candidates.
    signals : Signals
        NaN in folds that a candidate was not trained in.
    choice : Choice

    Returns
    -------
    dict of ndarrays of shape (n_candidates,)
    """
    results = {"params": np.array(params, dtype=object)}
    for name in params[0]:
        column = np.empty(len(params), dtype=object)
        column[:] = [one[name] for one in params]
        results[f"param_{name}"] = column
    for name, values in signals.of_fold.items():
        means = np.nanmean(values, axis=1)
        results[f"mean_test_{name}"] = means
        results[f"std_test_{name}"] = np.nanstd(values, axis=1)
        results[f"rank_test_{name}"] = rankdata(-means, method="min").astype(np.int32)
        for fold, of_fold in enumerate(values.T):
            results[f"split{fold}_test_{name}"] = of_fold
        results[f"gain_{name}"] = signals.gains[name]
        results[f"error_{name}"] = signals.errors[name]
    if choice.expected is not None:
        results["expected_gain"], results["gain_lower_bound"] = choice.expected, choice.bound
    results["mean_test_score"] = choice.score
    results["rank_test_score"] = _ranks(choice)
    results["passes"] = choice.passes
    return results


def in_words(params):
    """Return parameters as a user would write them."""
    return ", ".join(f"{name}={value!r}" for name, value in params.items())


def dropped(results):
    """Return which candidates of a table were not trained in all folds: those far behind."""
    folds = [values for name, values in results.items() if name.startswith("split")]
    return np.isnan(folds).any(axis=0)


def _ranks(choice):
    """Return ranks: 1 for the chosen candidate, then the others that passed, then the rest."""
    others = [i for i in np.argsort(-choice.score, kind="stable") if i not in choice.ranking]
    ranks = np.empty(len(choice.score), dtype=np.int32)
    ranks[[*choice.ranking, *others]] = np.arange(1, len(choice.score) + 1)
    return ranks


def lambda_path(params, scores, chosen):
    """Return the scores along lambda, all else as in the chosen candidate."""
    others = [{**one, "lambda_max": None} for one in params]
    path = [i for i, other in enumerate(others) if other == others[chosen]]
    lambdas = np.array([params[i]["lambda_max"] for i in path])
    return {"lambda_max": lambdas, **{n: values.mean(axis=1)[path] for n, values in scores.items()}}
