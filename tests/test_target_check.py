"""Whether a target that skipped the source's scaler is noticed, and a shifted one left alone."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

from skdann import DANNClassifier, TargetScaleWarning
from skdann._data.inputs import read_training_data
from skdann._data.target_check import find_mismatch
from skdann.datasets import make_tilted_digits
from skdann.pipeline import make_dann_pipeline


def classifier(**parameters):
    return DANNClassifier(**{"lambda_max": 1.0, "max_epochs": 1, "random_state": 0, **parameters})


def framed(array):
    return pd.DataFrame(array, columns=[f"column {i}" for i in range(array.shape[1])])


def mismatch(X, X_tgt, sample_weight=None):
    """The rule that finds the target at fault, or None."""
    y = np.arange(X.shape[0]) % 2
    data = read_training_data(X, y, X_tgt, sample_weight, class_weight=None, estimator=classifier())
    found = find_mismatch(data)
    return found and found.rule


def halves(X, seed=0):
    order = np.random.default_rng(seed).permutation(X.shape[0])
    return X[order[: len(order) // 2]], X[order[len(order) // 2 :]]


TABLES = {
    "iris": load_iris().data,
    "wine": load_wine().data,
    "cancer": load_breast_cancer().data,
    "digits": load_digits().data,
}
SCALERS = {
    "standard": StandardScaler(),
    "min-max": MinMaxScaler(),
    "robust": RobustScaler(),
    "max-abs": MaxAbsScaler(),
    "length": Normalizer(),
    "quantiles": QuantileTransformer(n_quantiles=50),
    "normal quantiles": QuantileTransformer(n_quantiles=50, output_distribution="normal"),
    "components": PCA(),
    "standard components": make_pipeline(StandardScaler(), PCA(whiten=True)),
}


# -- scikit-learn's tables, with and without the scaler ----------------------------------------


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("scaler", SCALERS)
def test_a_forgotten_target_is_found_and_a_scaled_one_is_not_blamed(table, scaler):
    raw, raw_tgt = halves(TABLES[table])
    scaled = SCALERS[scaler].fit(raw)
    X = scaled.transform(raw)
    assert mismatch(X, scaled.transform(raw_tgt)) is None
    assert mismatch(X, scaled.transform(raw_tgt)[:3]) is None
    assert mismatch(X, raw_tgt) is not None


@pytest.mark.parametrize("table", ["iris", "wine", "cancer"])
@pytest.mark.parametrize(
    "shift",
    [lambda rows: rows / 2.54, lambda rows: 2 * rows, lambda rows: rows + 1.5 * rows.std(axis=0)],
    ids=["inches", "doubled", "moved"],
)
@pytest.mark.parametrize("scaler", ["standard", "min-max", "robust"])
def test_other_units_are_a_shift_and_no_fault(table, shift, scaler):
    raw, raw_tgt = halves(TABLES[table])
    scaled = SCALERS[scaler].fit(raw)
    X = scaled.transform(raw)
    assert mismatch(X, scaled.transform(shift(raw_tgt))) is None
    if scaler != "min-max":
        assert mismatch(X, shift(raw_tgt)) is not None


def test_without_a_scaler_the_precision_of_a_domain_is_its_own_affair():
    rng = np.random.default_rng(0)
    X, X_tgt = rng.normal(size=(2, 80, 4))
    assert mismatch(X, X_tgt.round(1)) is None
    # Not so behind a scaler.
    assert mismatch(StandardScaler().fit_transform(X), X_tgt.round(1)) == "decimals"


def test_each_rule_finds_its_own():
    rng = np.random.default_rng(0)
    # Many decimals, and columns of scales of their own.
    raw, raw_tgt = np.exp(rng.normal(size=(2, 200, 6))) * [0.3, 1, 3, 0.1, 5, 2]
    found = {}
    for name, scaler in SCALERS.items():
        found[name] = mismatch(scaler.fit_transform(raw), raw_tgt)
        assert mismatch(scaler.transform(raw), scaler.transform(raw_tgt)) is None
    assert found["standard"] == found["robust"] == "one side"
    assert found["min-max"] == found["max-abs"] == "spread"
    assert found["length"] == "row length"
    counts, counts_tgt = rng.poisson([3, 5, 9, 2], size=(2, 90, 4)) + 1.0
    assert mismatch(StandardScaler().fit_transform(counts), counts_tgt) == "decimals"


def test_few_rows_do_not_alarm_by_chance():
    rng = np.random.default_rng(0)
    for seed in range(200):
        X, X_tgt = np.random.default_rng(seed).normal(size=(2, 40, 4))
        X = StandardScaler().fit_transform(X)
        for n_rows in (1, 2, 3, 10):
            assert mismatch(X, X_tgt[:n_rows]) is None
    # One class of the source alone.
    X = StandardScaler().fit_transform(np.r_[rng.normal(size=(50, 4)), rng.normal(4, size=(50, 4))])
    assert mismatch(X, X[X[:, 0] > 0][:8]) is None


def test_float32_is_precise_enough():
    raw, raw_tgt = halves(TABLES["wine"].astype(np.float32))
    scaler = StandardScaler().fit(raw)
    assert mismatch(scaler.transform(raw), scaler.transform(raw_tgt)) is None
    assert mismatch(scaler.transform(raw), raw_tgt) == "decimals"
    far = raw + np.float32(5000), raw_tgt + np.float32(5000)
    scaler = StandardScaler().fit(far[0])
    assert mismatch(scaler.transform(far[0]), scaler.transform(far[1])) is None


def test_columns_of_zeros_and_ones():
    rng = np.random.default_rng(0)
    raw, raw_tgt = (rng.random((2, 80, 12)) < np.linspace(0.1, 0.9, 12)).astype(float)
    assert mismatch(raw, raw_tgt) is None
    scaler = StandardScaler().fit(raw)
    X = scaler.transform(raw)
    for rows in (raw_tgt, raw_tgt[:5]):
        assert mismatch(X, scaler.transform(rows)) is None
        assert mismatch(X, rows) == "decimals"
    # A scaler to [0, 1] leaves them as they are.
    assert mismatch(MinMaxScaler().fit_transform(raw), raw_tgt[:3]) is None
    # Rows of a single one have length 1 without having been normalised.
    one_hot = np.eye(4)[np.arange(80) % 4]
    assert mismatch(one_hot, np.c_[one_hot[:, :2], one_hot[:, :2]]) is None


def test_a_constant_column_says_nothing():
    raw, raw_tgt = halves(TABLES["iris"])
    raw, raw_tgt = (
        np.c_[rows, np.full(len(rows), 7.0), np.zeros(len(rows))] for rows in (raw, raw_tgt)
    )
    scaler = StandardScaler().fit(raw)
    assert mismatch(scaler.transform(raw), scaler.transform(raw_tgt)) is None
    assert mismatch(scaler.transform(raw), raw_tgt) == "decimals"
    assert mismatch(np.ones((10, 3)), raw_tgt[:, :3]) is None


@pytest.mark.parametrize("scaler", [StandardScaler(with_mean=False), TfidfTransformer()])
def test_sparse_counts(scaler):
    rng = np.random.default_rng(0)
    raw, raw_tgt = map(sparse.csr_array, rng.poisson(0.8, size=(2, 120, 400)).astype(float))
    X, X_tgt = scaler.fit_transform(raw), scaler.transform(raw_tgt)
    assert mismatch(X, X_tgt) is None and mismatch(X, X_tgt[:3]) is None
    assert mismatch(X, raw_tgt) is not None


def test_a_scaler_that_was_given_the_weights():
    raw, raw_tgt = halves(TABLES["iris"])
    weights = np.random.default_rng(0).exponential(size=len(raw))
    X = StandardScaler().fit(raw, sample_weight=weights).transform(raw)
    assert mismatch(X, raw_tgt) is None
    assert mismatch(X, raw_tgt, weights) == "decimals"


def test_more_rows_than_are_looked_at(monkeypatch):
    raw, raw_tgt = halves(TABLES["digits"])
    monkeypatch.setattr("skdann._data.target_check._MAX_ROWS", 100)
    monkeypatch.setattr("skdann._data.target_check._MAX_ROWS_OF_VALUES", 50)
    monkeypatch.setattr("skdann._data.target_check._MAX_COLUMNS", 20)
    for scaler in (StandardScaler(), MinMaxScaler()):
        X = scaler.fit_transform(raw)
        assert mismatch(X, scaler.transform(raw_tgt)) is None
        assert mismatch(X, raw_tgt) == "decimals"


def test_the_ends_of_a_range_may_be_among_rows_that_are_not_looked_at(monkeypatch):
    monkeypatch.setattr("skdann._data.target_check._MAX_ROWS", 100)
    raw, raw_tgt = np.random.default_rng(0).integers(0, 1000, size=(2, 1500, 5)).astype(float)
    scaler = MinMaxScaler().fit(raw)
    assert mismatch(scaler.transform(raw), scaler.transform(raw_tgt)) is None
    assert mismatch(scaler.transform(raw), raw_tgt) is not None


def test_round_numbers_that_the_source_has_too_are_scaled_ones():
    rng = np.random.default_rng(0)
    X = MinMaxScaler().fit_transform(rng.integers(0, 17, size=(200, 6)))
    quarters = rng.integers(0, 5, size=(200, 6)) / 4  # fewer decimals than sixteenths
    assert mismatch(X, quarters) is None


def test_sharp_images_are_no_fault_where_the_source_is_blurred():
    X_src, _, X_tgt, _ = make_tilted_digits(n_source=300, random_state=0)
    assert mismatch(X_tgt, X_src) is None  # both in [0, 1], sixteenths in the sharp ones
    assert mismatch(X_tgt, 16 * X_src) == "decimals"


def test_words_that_became_frequent_are_a_shift():
    rng = np.random.default_rng(0)
    X = rng.random((400, 20)) < np.linspace(0.01, 0.05, 20)
    X_tgt = rng.random((400, 20)) < np.linspace(0.6, 0.98, 20)
    assert mismatch(X, X_tgt) is None


def test_the_target_at_fault_among_several_is_named():
    raw, raw_tgt = halves(TABLES["iris"])
    scaler = StandardScaler().fit(raw)
    X, good = scaler.transform(raw), scaler.transform(raw_tgt)
    assert mismatch(X, (good[:30], good[30:])) is None
    (said,) = scale_warnings(X, (good[:30], raw_tgt))
    assert said.startswith("4 of 4 columns of X_tgt[1] hold round numbers, such as ")


@pytest.mark.parametrize("enabled", [False, True])
def test_the_cure_is_as_printed(enabled):
    raw, raw_tgt = halves(TABLES["iris"])
    y = np.arange(len(raw)) % 2
    pipe = make_pipeline(StandardScaler(), classifier())
    with pytest.warns(TargetScaleWarning, match=r"make_dann_pipeline\(step, \.\.\.\)"):
        pipe.fit(raw, y, dannclassifier__X_tgt=raw_tgt)
    make_dann_pipeline(StandardScaler(), classifier()).fit(raw, y, raw_tgt)  # warnings are errors
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=TargetScaleWarning)
        pipe.fit(raw, y, dannclassifier__X_tgt=raw_tgt)


# -- the target's scale ----------------------------------------------------------------------


def unscaled(*factors):
    """Source and target rows, the target's columns multiplied by the factors."""
    rng = np.random.default_rng(1)
    n_columns = len(factors)
    return rng.normal(size=(60, n_columns)), rng.normal(size=(50, n_columns)) * factors


def scale_warnings(X, X_tgt, **parameters):
    y = np.arange(X.shape[0]) % 2
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        classifier(**parameters).fit(X, y, X_tgt)
    assert {warning.category for warning in caught} <= {TargetScaleWarning}
    return [str(warning.message).partition(": ")[2] for warning in caught]


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array, framed, lambda a: (a,)])
def test_a_target_that_skipped_the_scaler_is_noticed(kind):
    rng = np.random.default_rng(0)
    raw, raw_tgt = rng.normal([50, 3000], [2, 400], size=(2, 40, 2)).round(1)
    scaler = StandardScaler().fit(raw)
    X_tgt = kind(raw_tgt)
    with pytest.warns(
        TargetScaleWarning,
        match=r"^It seems that X_tgt did not pass the steps that X passed: 2 of 2 columns of X_tgt "
        r"hold round numbers, .*make_dann_pipeline\(step, \.\.\.\), or after "
        r"sklearn.set_config\(enable_metadata_routing=True\) in "
        r"make_pipeline\(step, \.\.\., transform_input=\['X_tgt'\]\)",
    ):
        classifier().fit(scaler.transform(raw), np.arange(40) % 2, X_tgt)
    assert scale_warnings(scaler.transform(raw), kind(scaler.transform(raw_tgt))) == []


def test_the_cure_for_another_scale_ends_the_warning():
    X, X_tgt = unscaled(100, 100)
    (said,) = scale_warnings(X, X_tgt)
    cure = re.search(r"on another scale, (input_scaling='.*') allows", said).group(1)
    for scaling in (cure, "input_scaling='domain'"):
        assert scale_warnings(X, X_tgt, **eval(f"dict({scaling})")) == []


def test_the_pipeline_that_forgets_the_target_is_noticed(routing):
    rng = np.random.default_rng(0)
    raw, raw_tgt = rng.normal([50, 3000], [2, 400], size=(2, 40, 2))
    y = np.arange(40) % 2
    with pytest.warns(TargetScaleWarning, match="2 of 2 columns"):
        make_pipeline(StandardScaler(), classifier()).fit(raw, y, X_tgt=(raw_tgt,))
    cured = make_pipeline(StandardScaler(), classifier(), transform_input=["X_tgt"])
    cured.fit(raw, y, X_tgt=(raw_tgt,))  # warnings are errors here


@pytest.mark.parametrize(("shift", "n_warnings"), [(0.5, 0), (3, 0), (9.5, 0), (10.5, 1)])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
def test_a_shift_counts_from_ten_standard_deviations(shift, n_warnings, kind):
    column = np.array([[-1.0], [1.0]] * 20)  # mean 0, standard deviation 1
    assert len(scale_warnings(kind(column), kind(column + shift))) == n_warnings
    assert len(scale_warnings(kind(column + 7), kind(column + 7 - shift))) == n_warnings


@pytest.mark.parametrize(("spread", "n_warnings"), [(0.001, 0), (3, 0), (9.5, 0), (10.5, 1)])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
def test_a_spread_counts_from_ten_standard_deviations(spread, n_warnings, kind):
    column = np.array([[-1.0], [1.0]] * 20)
    assert len(scale_warnings(kind(column), kind(column * spread))) == n_warnings


@pytest.mark.parametrize(
    ("factors", "said"),
    [
        ((1, 1, 1, 1), []),
        ((1000, 1, 1, 1), []),  # a quarter of the columns is not yet many
        ((1000, 1000, 1, 1), ["2 of 4"]),
        ((1000, 1, 1), ["1 of 3"]),
        ((1000,), ["1 of 1"]),
    ],
)
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
def test_more_than_a_quarter_of_the_columns_must_be_off(factors, said, kind):
    X, X_tgt = unscaled(*factors)
    assert [text[:6] for text in scale_warnings(kind(X), kind(X_tgt))] == said


@pytest.mark.parametrize("constant", [0.0, 5.0, 1e6])
def test_columns_that_are_constant_in_the_source_do_not_count(constant):
    X, X_tgt = unscaled(1, 1, 1, 1, 1)
    X[:, 1:] = constant
    X_tgt[:, 1:] = [constant + 1000, 3e6, 0, -7]
    assert scale_warnings(X, X_tgt) == []
    # Neither among those that are off, nor among those that are not.
    X_tgt[:, 0] *= 1000
    assert [text[:6] for text in scale_warnings(X, X_tgt)] == ["1 of 5"]


def test_a_constant_target_is_no_reason_to_warn():
    X, X_tgt = unscaled(1, 1)
    assert scale_warnings(X, np.ones_like(X_tgt)) == []
    assert scale_warnings(X, X_tgt[:1]) == []
    assert scale_warnings(np.ones((10, 2)), X_tgt) == []


def test_all_target_domains_are_looked_at_together():
    X, X_tgt = unscaled(1, 1)
    assert [text[:6] for text in scale_warnings(X, (X_tgt, X_tgt * 1000))] == ["2 of 2"]


def test_without_a_target_there_is_no_scale_to_warn_about():
    assert scale_warnings(unscaled(1, 1)[0], None, lambda_max=0) == []


def test_large_sparse_values_are_compared_as_dense_ones_are():
    # That dense rows of this size are fine shows that the values are not at fault.
    X, X_tgt = (rows * 1e20 for rows in unscaled(1, 1))
    assert scale_warnings(X, X_tgt) == []
    assert scale_warnings(sparse.csr_array(X), sparse.csr_array(X_tgt)) == []
