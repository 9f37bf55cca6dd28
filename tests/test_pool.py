"""The pool of a choice: which networks are built for it, and which rows they are trained on."""

from collections import Counter

import numpy as np
import pytest
import torch
from torch import nn

from skdann import DANNClassifier
from skdann.metrics import ReverseValidation

FAST = {"max_epochs": 1, "batch_size": 1000, "random_state": 0}


class Steps(Counter):
    """How many steps had how many rows; copies of a network count on in the same one."""

    def __deepcopy__(self, memo):
        return self


class RowCounter(nn.Linear):
    """Eight units, and the steps that they were trained by."""

    def __init__(self, n_features):
        super().__init__(n_features, 8)
        self.steps = Steps()

    def forward(self, X):
        predicts = torch.is_inference_mode_enabled()
        if not predicts and len(X) > 2:  # a module is tried out with two rows
            self.steps[len(X)] += 1
        return super().forward(X)


class Built:
    """A feature extractor for each network that is built, all of which it remembers."""

    def __init__(self):
        self.extractors = []

    def __deepcopy__(self, memo):  # clones count together
        return self

    def __call__(self, n_features):
        self.extractors.append(RowCounter(n_features))
        return self.extractors[-1]


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
    first, *others = [one.steps for one in built.extractors[:3]]
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
