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
_MOSTLY_ONE_CLASS = 0.98

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


def only_class(codes, source_shares):
    """Return the class that nearly all target rows are predicted to have, or None.

    None too where the class is nearly as frequent in the source, or rows are few.

    Parameters
    ----------
    codes : int ndarray of shape (n_target,)
        Predicted classes, as positions in `source_shares`.
    source_shares : ndarray of shape (n_classes,)
    """
    counts = np.bincount(codes, minlength=len(source_shares))
    code = int(counts.argmax())
    nearly_all = len(codes) >= _FEWEST_ROWS and counts[code] >= _NEARLY_ALL * len(codes)
    return code if nearly_all and source_shares[code] <= _MOSTLY_ONE_CLASS else None


def one_class_sentence(label, source_share):
    """Return what to say of predictions that are this class for nearly all target rows."""
    return (
        f"The predicted class is {label!r} for nearly all target rows, while {source_share:.0%} of "
        "the source rows have it. The network probably knows nothing of such rows. Look for "
        "columns in another unit or with another meaning, and label some target rows before you "
        "trust a prediction."
    )


def _on_one_class(predicted, of_baseline, index, data):
    shares = np.bincount(data.y_source, minlength=len(data.classes)) / len(data.y_source)
    code = only_class(predicted.argmax(axis=1), shares)
    if code is not None:
        (label,) = data.classes[[code]].tolist()
        said = one_class_sentence(label, shares[code])
        warn_caller(said, OneClassWarning)
        return [said]
    if index != 0 and only_class(of_baseline.argmax(axis=1), shares) is not None:
        return ["Without adaptation it would predict one class for all target rows."]
    return []


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
    if more > _MUCH_BETTER and data.y_target is None:  # it has not seen the labels
        said += f", and by the same evidence it is {100 * more:.0f} points better: try it"
    return [f"{said}."]
