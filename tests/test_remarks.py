"""What a verdict says: one class for all rows, a yardstick, and what came closest."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
from torch import nn

from skdann import DANNClassifier, DANNClassifierCV, OneClassWarning
from skdann._choosing.remarks import only_class
from skdann._choosing.rule import choose_by_signal
from skdann._choosing.verdict import verdict_by_signal

SETTINGS = {"max_epochs": 30, "lr": 0.01, "random_state": 0}


def clusters(n, seed, factor=1.0, offset=0.0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 3
    return factor * (rng.normal(size=(n, 4)) + 3 * np.eye(4)[y]) + offset, y


@pytest.fixture(scope="module")
def other_units():
    """The target in Fahrenheit, so to speak."""
    X, y = clusters(300, 0)
    X_tgt, y_tgt = clusters(300, 1, 1.8, 320.0)
    return X, y, X_tgt, y_tgt


@pytest.mark.filterwarnings("ignore::skdann.TargetScaleWarning")
def test_other_units_are_adapted_to_and_the_collapse_is_said(other_units):
    X, y, X_tgt, y_tgt = other_units
    clf = DANNClassifier(**SETTINGS).fit(X, y, X_tgt)
    assert clf.adapted_ and clf.score(X_tgt, y_tgt) > 0.9
    assert "Without adaptation it would predict one class" in clf.verdict_
    assert "its gain in target accuracy is +" in clf.verdict_
    alone = DANNClassifier(lambda_max=0, **SETTINGS).fit(X, y, X_tgt)
    assert alone.score(X_tgt, y_tgt) < 0.4


@pytest.mark.filterwarnings("ignore::skdann.TargetScaleWarning")
@pytest.mark.parametrize("kind", [DANNClassifier, DANNClassifierCV])
def test_one_class_for_all_target_rows_is_a_warning_of_its_own(other_units, kind):
    X, y, X_tgt, _ = other_units
    if kind is DANNClassifier:
        clf = DANNClassifier(lambda_max=(0, 1e-6), input_scaling="source", **SETTINGS)
    else:
        settings = {"estimator": DANNClassifier(**SETTINGS), "random_state": 0, "cv": 2}
        clf = DANNClassifierCV([0, 1e-6], ["source"], **settings)
    with pytest.warns(OneClassWarning, match="for nearly all target rows, while 33% of the source"):
        clf.fit(X, y, X_tgt)
    assert not clf.adapted_ and "for nearly all target rows" in clf.verdict_


@pytest.mark.parametrize(
    ("codes", "shares", "found"),
    [
        ([1] * 100, [0.5, 0.5], 1),
        ([1] * 99 + [0], [0.5, 0.5], 1),
        ([1] * 98 + [0] * 2, [0.5, 0.5], None),
        ([1] * 100, [0.01, 0.99], None),  # hardly another class in the source either
        ([1] * 10, [0.5, 0.5], None),  # few rows
    ],
)
def test_what_counts_as_one_class(codes, shares, found):
    assert only_class(np.array(codes), np.array(shares)) == found


def test_where_nothing_is_gained_the_closest_is_named():
    X, y = clusters(300, 0)
    X_tgt, _ = clusters(300, 1)
    clf = DANNClassifier(**SETTINGS).fit(X, y, X_tgt)
    assert not clf.adapted_
    needed = "refused because more than 2.5 points are needed"
    for said in ("Not adapted", "comes closest", needed, "(reverse validation): ", "What next"):
        assert said in clf.verdict_
    cure = re.search(r"all the same, with (DANNClassifier\(.*\))\. See", clf.verdict_).group(1)
    assert eval(cure).fit(X, y, X_tgt).predict(X_tgt).shape == (300,)


def test_a_linear_model_that_does_better_is_recommended():
    """A network of one unit can't tell three classes apart, logistic regression can."""
    X, y = clusters(300, 0)
    X_tgt, _ = clusters(300, 1)
    clf = DANNClassifier(hidden_layer_sizes=(1,), **SETTINGS).fit(X, y, X_tgt)
    assert "points better: try it" in clf.verdict_
    good = DANNClassifier(**SETTINGS).fit(X, y, X_tgt)
    assert "Plain logistic regression predicts the same for" in good.verdict_
    assert "try it" not in good.verdict_


def test_rows_that_are_no_table_have_no_yardstick():
    X, y = clusters(60, 0)
    images, targets = X.reshape(-1, 1, 2, 2), clusters(60, 1)[0].reshape(-1, 1, 2, 2)
    clf = DANNClassifier(
        feature_extractor=nn.Sequential(nn.Flatten(), nn.Linear(4, 8), nn.ReLU()),
        **{**SETTINGS, "max_epochs": 2},
    )
    assert "logistic regression" not in clf.fit(images, y, targets).verdict_


@pytest.mark.parametrize(
    ("means", "said"),
    [
        (
            [0.5, 0.4],
            "Not adapted: your model is lambda_max=0.0, the network trained on the source",
        ),
        ([0.5, 0.7], "Adapted: lambda_max=1.0 has the best agreement, 0.700; lambda_max=0.0, the"),
    ],
)
def test_a_choice_by_one_signal_says_who_stays_or_goes(means, said):
    signals = SimpleNamespace(of_fold={"agreement": np.array(means)[:, np.newaxis]})
    choice = choose_by_signal(signals, "agreement")
    names = ["lambda_max=0.0", "lambda_max=1.0"]
    assert verdict_by_signal(choice, signals, "agreement", names).startswith(said)
