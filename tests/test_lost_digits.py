"""Columns of a large offset and a small spread: the network sees them, or a warning says so."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.preprocessing import StandardScaler

from skdann import DANNClassifier, PrecisionWarning
from skdann._data.moments import column_moments, inverse_deviation
from skdann.pipeline import make_dann_pipeline

RNG = np.random.default_rng(0)
Y = np.arange(400) % 2
SECONDS = 1.7e9 + np.where(Y, 2700, 900) + RNG.normal(0, 200, size=400)  # within an hour
X = np.c_[SECONDS, RNG.normal(size=400)]
DANN = DANNClassifier(lambda_max=0.1, input_scaling="source", max_epochs=20, random_state=0)


def warned(X, X_tgt=None, classifier=DANN):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        classifier.fit(X, Y, X if X_tgt is None else X_tgt)
    found = [str(one.message) for one in caught if one.category is PrecisionWarning]
    return [text.partition(" has")[0] for text in found], found


@pytest.mark.parametrize("scaling", ["source", "both", "domain", "balanced", "auto"])
def test_times_within_an_hour_are_no_constant_column(scaling):
    classifier = DANN.set_params(input_scaling=scaling)
    arguments, _ = warned(X, classifier=classifier)
    assert arguments == ["X", "X_tgt"]
    assert classifier.score(X, Y) > 0.95
    DANN.set_params(input_scaling="source")


@pytest.mark.parametrize("convert", [np.asarray, lambda X: pd.DataFrame(X, columns=["t", "x"])])
def test_the_cures_of_the_message_work(convert):
    X_own = convert(X)
    _, (message, _) = warned(X_own)
    assert ("['t']" if hasattr(X_own, "columns") else "[0]") in message
    assert "StandardScaler" in message
    assert (
        warned(X_own, classifier=make_dann_pipeline(StandardScaler(), lambda_max=0, max_epochs=1))[
            0
        ]
        == []
    )
    assert warned(convert(X - [1.7e9, 0]))[0] == []


def test_whole_numbers_and_the_target_alone():
    nanoseconds = (X * [1e9, 1000]).astype(np.int64)
    assert warned(nanoseconds)[0] == ["X", "X_tgt"]
    there = X.copy()
    there[:, 0] = 1.7e9 + Y
    day = X.copy()
    day[:, 0] = 1.7e9 + RNG.uniform(0, 86400 * 30, size=400)  # a month is no trouble
    assert warned(day)[0] == []
    assert warned(day, there)[0] == ["X_tgt"]


@pytest.mark.parametrize(
    "column",
    [
        np.full(400, 1.7e9),
        0.1 + np.where(Y, 1e-17, 2e-17),
        np.where(Y, 0.1 + 0.2, 0.3),  # rounding of float64
        np.where(Y, 1e6, 1e6 + 1),
        (1.7e9 + Y).astype(np.float32),  # as it came
        SECONDS - 1.7e9,
    ],
    ids=["constant", "equal", "rounding", "two values", "float32", "small"],
)
def test_no_false_alarm(column):
    rows = np.c_[column, X[:, 1]]
    if column.dtype == np.float32:
        rows = rows.astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error", PrecisionWarning)
        DANN.fit(rows, Y, rows)


def test_rounding_of_float32_is_no_spread():
    ulp = np.spacing(np.float32(0.1))
    column = np.where(Y, np.float32(0.1), np.float32(0.1) + ulp).astype(np.float32)
    for rows in column[:, None], sparse.csr_array(column[:, None]):
        assert inverse_deviation(*column_moments(rows)) == 0
    many = sparse.csr_array(np.full((300_000, 1), 0.1, dtype=np.float32))
    assert inverse_deviation(*column_moments(many)) == 0
    few_steps = (np.float32(0.1) + ulp * (np.arange(400) % 16)).astype(np.float32)
    assert inverse_deviation(*column_moments(few_steps[:, None])) > 0
