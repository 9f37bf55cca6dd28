"""Remarks on a choice: predictions that are all one class, and what a linear model would do."""

import numpy as np

from skdann._choosing.calibration import calibrated
from skdann._choosing.rule import choose_from_pool
from skdann._choosing.signals import mean_prediction, pool_signals
from skdann._choosing.yardstick import yardstick
from skdann.exceptions import OneClassWarning, warn_caller

# A share of the target rows that is as good as all.
_NEARLY_ALL = 0.99

# Fewer target rows than this may well be of one class.
_FEWEST_ROWS = 20

# A class that is this frequent in the source may well be that frequent in the target.
_MOSTLY_ONE_CLASS = 0.95

# Logistic regression does much better if it is expected to gain this much more than the chosen.
_MUCH_BETTER = 0.03


def remarks_on(results, choice, data, folds):
    """Return sentences on what was chosen, and warn if it predicts one class for all target rows.

    Parameters
    ----------
    results : list of lists of FoldResult
        Of each candidate in each fold.
    choice : Choice
    data : TrainingData
    folds : list of pairs of int64 ndarrays
    """
    predicted = mean_prediction(results[choice.index])
    said = _on_one_class(predicted, mean_prediction(results[0]), choice.index, data)
    if data.X_source.ndim == 2:
        said += _on_yardstick(results, choice, data, folds[:1])
    return said


def _on_one_class(predicted, of_baseline, index, data):
    code = _only_class(predicted, data)
    if code is None:
        if index != 0 and _only_class(of_baseline, data) is not None:
            return ["Without adaptation it would predict one class for all target rows."]
        return []
    shares = np.mean(predicted.argmax(axis=1) == code), np.mean(data.y_source == code)
    (label,) = data.classes[[code]].tolist()
    said = (
        f"The predicted class is {label!r} for {shares[0]:.0%} of the target rows, while "
        f"{shares[1]:.0%} of the source rows have it. The network probably knows nothing of such "
        "rows. Look for columns in another unit or with another meaning "
        "(skdann.adaptation_report names columns that tell the domains apart), and label some "
        "target rows before you trust a prediction."
    )
    warn_caller(said, OneClassWarning)
    return [said]


def _only_class(predicted, data):
    """Return the class that nearly all rows are predicted to have, or None."""
    counts = np.bincount(predicted.argmax(axis=1), minlength=len(data.classes))
    code = counts.argmax()
    if len(predicted) < _FEWEST_ROWS:
        return None
    expected = np.mean(data.y_source == code) > _MOSTLY_ONE_CLASS
    return None if expected or counts[code] < _NEARLY_ALL * len(predicted) else code


def _on_yardstick(results, choice, data, first_fold):
    beside = yardstick(data, first_fold[0])
    if beside is None:
        return []
    first = [of_candidate[0] for of_candidate in results]
    ((beside,),) = calibrated([[beside]], data, first_fold)
    judged = pool_signals([[first[0]], [beside]], data, first_fold, [mean_prediction(first)])
    more = float(choose_from_pool(judged).expected[1])
    if choice.expected is not None:
        more -= float(choice.expected[choice.index])
    agreed = np.mean(
        beside.target_proba.argmax(axis=1) == mean_prediction(results[choice.index]).argmax(axis=1)
    )
    said = f"Plain logistic regression predicts the same for {agreed:.0%} of the target rows"
    if more > _MUCH_BETTER:
        said += f", and by the same evidence it is {100 * more:.0f} points better: try it"
    return [f"{said}."]
