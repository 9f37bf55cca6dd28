"""The pool of a choice: which networks are built for it, and which rows they are trained on."""

import numpy as np
import pytest
from watched_modules import Built

from skdann import DANNClassifier
from skdann.metrics import ReverseValidation

FAST = {"max_epochs": 1, "batch_size": 1000, "random_state": 0}


@pytest.mark.parametrize(("lambda_max", "n_built"), [("auto", 3 + 2), (0.5, 2)])
def test_three_candidates_of_one_network_each_and_then_the_members(blobs, lambda_max, n_built):
    built = Built()
    settings = {**FAST, "lambda_max": lambda_max, "feature_extractor": built, "n_members": 2}
    fitted = DANNClassifier(**settings).fit(*blobs)
    assert len(built.extractors) == n_built
    assert len(fitted.net_.members_) == 2


def test_a_third_of_the_source_rows_is_held_out_and_lambda_zero_sees_no_target_row(blobs):
    built = Built()
    settings = {**FAST, "max_epochs": 30}
    DANNClassifier(**settings, feature_extractor=built).fit(*blobs)
    *others, first = [one.rows_of_steps() for one in built.extractors[:3]]
    # A batch has all rows of the source: 60 of 90 on the way there, all of the target on the way
    # back, which takes a third of the epochs. As many of the other domain join them, but not
    # where nothing is to be learned from it.
    assert first == {60: 30, 90: 10}
    assert others == 2 * [{120: 30, 180: 10}]


def test_a_way_back_leaves_the_fitted_classifier_as_it_was(blobs):
    X, y, X_tgt = blobs
    state = np.random.RandomState(3)
    fitted = DANNClassifier(lambda_max=1.0, max_epochs=3, random_state=state).fit(X, y, X_tgt)
    before, drawn = fitted.predict_proba(X), state.get_state()[1].copy()
    ReverseValidation()(fitted, X, y, X_tgt)
    np.testing.assert_array_equal(fitted.predict_proba(X), before)
    np.testing.assert_array_equal(state.get_state()[1], drawn)
    assert fitted.max_epochs == 3 and not fitted.warm_start
