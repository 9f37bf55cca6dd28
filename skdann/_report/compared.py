"""The two settings that a report compares: without adaptation, and with it."""

from dataclasses import dataclass

import numpy as np
from sklearn.pipeline import Pipeline

from skdann._choosing.results_table import dropped, in_words
from skdann._prediction_mixin import DomainAdversarialMixin

# What adaptation is compared with where nothing was chosen: the lambda of the paper.
_USUAL_LAMBDA = 1.0


@dataclass(frozen=True)
class Compared:
    """Parameters of two classifiers.

    Attributes
    ----------
    source_only, adapted : dict
        Parameters of `DANNClassifier`; all others are those of the fitted classifier.
    adapts : bool
        Whether the fitted classifier is the adapted one. If not it is the other, and `adapted` is
        what adaptation would have been.
    """

    source_only: dict
    adapted: dict
    adapts: bool

    def named(self):
        """Return both as a user would write them: dict of str by "source_only" and "adapted"."""
        return {name: _shown(getattr(self, name)) for name in ("source_only", "adapted")}


def _shown(params):
    shown = {name: value for name, value in params.items() if name != "target_information"}
    return in_words(shown)


def who_chose(classifier):
    """Return the DANNClassifier or DANNClassifierCV inside a fitted search or Pipeline."""
    while not isinstance(classifier, DomainAdversarialMixin):
        if isinstance(classifier, Pipeline):
            classifier = classifier.steps[-1][1]
        elif hasattr(classifier, "best_estimator_"):
            classifier = classifier.best_estimator_
        else:
            break
    return classifier


def compared(fitted, chooser):
    """Return what a fitted classifier is to be compared with, as `Compared`.

    A classifier that learns from the target is compared with the same without. If only a scaling
    was chosen for the target's sake, it is compared with the baseline of that choice. A classifier
    that does not adapt is compared with the candidate that came closest to being chosen, and where
    there was no choice with lambda 1.

    Parameters
    ----------
    fitted : DANNClassifier
    chooser : DANNClassifier or DANNClassifierCV
        Whose `adapted_` and `cv_results_` count, if there are any.
    """
    used = {"input_scaling": fitted.input_scaling_, "lambda_max": fitted.lambda_max_}
    results = getattr(chooser, "cv_results_", None)
    if fitted.lambda_max_ > 0 or fitted._trained.settings[0].target_information > 0:
        return Compared(_alone(used), used, adapts=True)
    if results is None or len(results["params"]) == 1:
        return Compared(_alone(used), {**used, "lambda_max": _USUAL_LAMBDA}, adapts=False)
    if chooser.adapted_:
        return Compared(_alone(results["params"][0]), _alone(used), adapts=True)
    return Compared(_alone(used), as_trained(results["params"][_closest(results)]), adapts=False)


def as_trained(params):
    """Return the parameters to fit a candidate of a pool with.

    In a pool, unlike in a search, a candidate with lambda 0 learns nothing from the target.
    """
    return _alone(params) if params["lambda_max"] == 0 else params


def _alone(params):
    """Return the parameters with which a network learns nothing from target rows.

    Input scaling and class weights stay as they are, although they may depend on target rows: the
    network does not learn them.
    """
    return {**params, "lambda_max": 0, "target_information": 0}


def _closest(results):
    """Return the candidate that came closest to replacing the baseline, which is the first."""
    promise = np.array(results.get("expected_gain", results["mean_test_score"]))
    # Candidates without a second fold were given up after the first.
    promise[dropped(results)] = -np.inf
    promise[0] = -np.inf
    return int(np.argmax(promise))
