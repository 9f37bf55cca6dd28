"""`feature_shift`: by hand, against scipy, and on columns of every kind."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.stats import ks_2samp

from skdann.metrics import feature_shift


def shift_of(source, target):
    return feature_shift(pd.DataFrame({"a": source}), pd.DataFrame({"a": target}))


def test_numbers_have_the_statistic_of_scipy_ties_included():
    rng = np.random.default_rng(0)
    source, target = rng.integers(9, size=(80, 3)), rng.integers(2, 11, size=(50, 3))
    expected = [ks_2samp(*pair).statistic for pair in zip(source.T, target.T, strict=True)]
    found = feature_shift(source, target)
    assert_allclose(found["shift"], expected)
    assert found["feature"].tolist() == ["x0", "x1", "x2"]
    assert_allclose(feature_shift(target, source)["shift"], expected)


def test_text_has_half_the_sum_of_the_differences_of_shares():
    found = shift_of(["a", "a", "b", "c"], ["a", "d"])
    # a: 1/2 - 1/2, b: 1/4, c: 1/4, d: 1/2.
    assert found["shift"].tolist() == [0.5]
    assert found["kind"].tolist() == ["category"]


def test_missing_values_are_left_out_and_counted():
    found = shift_of([1.0, 2.0, np.nan, np.nan], [2.0, 1.0, 1.0, 2.0])
    assert found["shift"].tolist() == [0.0]
    assert found["missing_source"].tolist() == [0.5]
    assert found["missing_target"].tolist() == [0.0]
    empty = shift_of([None, None], ["a", "b"])
    assert np.isnan(empty["shift"]).all() and empty["missing_source"].tolist() == [1.0]


KINDS = {
    "number": [
        [1, 2, 3],
        np.array([1, 2, 3], dtype=np.float32),
        pd.array([1, None, 3], dtype="Int64"),
        pd.Series([1, None, 2.5], dtype=object),
        pd.to_datetime(["2020-01-01", None, "2021-01-01"]),
    ],
    "category": [
        ["a", "b", None],
        [True, False, True],
        pd.array([True, None, False], dtype="boolean"),
        pd.Categorical([1, 2, 1]),
        pd.Series([1, "x", None], dtype=object),
    ],
}


@pytest.mark.parametrize(("kind", "values"), [(k, v) for k, each in KINDS.items() for v in each])
def test_columns_of_every_type(kind, values):
    found = shift_of(values, values)
    assert found["kind"].tolist() == [kind]
    assert found["shift"].tolist() == [0.0]
    assert_allclose(found["missing_source"], pd.isna(pd.Series(values)).mean())


def test_dates_are_numbers_with_an_order():
    days = pd.date_range("2020-01-01", periods=10)
    assert_allclose(shift_of(days, days + pd.Timedelta(days=5))["shift"], [0.5])


def test_polars_sparse_and_arrays_are_read_alike():
    frame = pd.DataFrame({"n": [0.0, 1.0, 0.0, 4.0], "m": [0.0, 0.0, 2.0, 3.0]})
    other = frame + np.array([0.0, 1.0])
    expected = feature_shift(frame, other)
    for read in (pl.from_pandas, sparse.csr_array, np.asarray):
        found = feature_shift(read(frame), read(other))
        assert_array_equal(found["shift"], expected["shift"])
    assert feature_shift(pl.from_pandas(frame), frame)["feature"].tolist() == ["n", "m"]


def test_columns_of_frames_are_paired_by_name():
    frame = pd.DataFrame({"a": range(10), "b": range(50, 60)})
    assert feature_shift(frame, frame[["b", "a"]])["shift"].tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    "draw", [lambda rng, n: rng.normal(size=n), lambda rng, n: rng.choice(list("abcde"), n)]
)
def test_chance_is_exceeded_once_in_twenty_times(draw):
    rng = np.random.default_rng(0)
    tables = [shift_of(draw(rng, 150), draw(rng, 100)) for _ in range(200)]
    share = np.mean([one["shift"] > one["chance"] for one in tables])
    assert 0.01 < share < 0.11


def test_a_column_of_names_differs_but_not_beyond_chance():
    found = shift_of([f"s{i}" for i in range(50)], [f"t{i}" for i in range(40)])
    assert found["shift"].tolist() == found["chance"].tolist() == [1.0]


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        (np.ones((3, 2)), np.ones((3, 3)), "X_target has 3 columns, but X_source has 2"),
        (np.ones(3), np.ones((3, 1)), "X_source must have rows and columns"),
        (np.ones((3, 1)), np.ones((0, 1)), "X_target has no rows"),
        (pd.DataFrame({"a": [1]}), pd.DataFrame({"b": [1]}), r"lacks the columns \['a'\]"),
    ],
)
def test_bad_input_names_the_argument(source, target, message):
    with pytest.raises(ValueError, match=message):
        feature_shift(source, target)
