"""Inputs, kind by kind: what is accepted and read as what, and each sentence about bad input."""

import copy
import os
import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from scipy import sparse
from sklearn.exceptions import DataConversionWarning
from torch import nn

from skdann import DANNClassifier, DANNClassifierCV, SourceOnlyWarning, TargetScaleWarning
from skdann._data.inputs import read_training_data
from skdann.metrics import maximum_mean_discrepancy

RNG = np.random.default_rng(0)
# Small integers, which every type of number holds exactly; no column is constant.
X = RNG.permuted(np.arange(24) % 7 - 3.0).reshape(12, 2)
X_TGT = RNG.permuted(np.arange(18) % 7 - 2.0).reshape(9, 2)
Y = np.arange(12) % 2
NAMES = ["age", "income"]


def classifier(**parameters):
    return DANNClassifier(**{"lambda_max": 1.0, "max_epochs": 1, "random_state": 0, **parameters})


def read(X=X, y=Y, X_tgt=X_TGT, sample_weight=None, class_weight=None, **options):
    return read_training_data(
        X, y, X_tgt, sample_weight, class_weight=class_weight, estimator=classifier(), **options
    )


def fit(X=X, y=Y, X_tgt=X_TGT, sample_weight=None, class_weight=None):
    return classifier(class_weight=class_weight).fit(X, y, X_tgt, sample_weight=sample_weight)


def dense(rows):
    return rows.toarray() if sparse.issparse(rows) else rows


def with_value(array, position, value):
    """A float64 copy of `array` that has `value` at `position`."""
    changed = np.array(array, dtype=float)
    changed[position] = value
    return changed


def framed(array, columns=NAMES):
    return pd.DataFrame(array, columns=columns)


def in_polars(array, columns=NAMES):
    return pl.DataFrame(np.asarray(array), schema=list(columns))


KINDS = {
    "float64": np.asarray,
    "float32": lambda a: a.astype(np.float32),
    "float16": lambda a: a.astype(np.float16),
    "int64": lambda a: a.astype(np.int64),
    "int8": lambda a: a.astype(np.int8),
    "big-endian": lambda a: a.astype(">f8"),
    "fortran": lambda a: np.asfortranarray(a.astype(np.float32)),
    "object": lambda a: a.astype(object),
    "list": lambda a: a.tolist(),
    "pandas": framed,
    "pandas-nullable": lambda a: framed(a.astype(int)).astype("Int64"),
    "polars": in_polars,
    "polars-int": lambda a: in_polars(a.astype(int)),
    "tensor": lambda a: torch.from_numpy(a.copy()),
    "csr_matrix": sparse.csr_matrix,
    "csr_array": sparse.csr_array,
    "csc_matrix": sparse.csc_matrix,
    "csc_array": sparse.csc_array,
    "coo_matrix": sparse.coo_matrix,
    "coo_array": sparse.coo_array,
    "csr-int": lambda a: sparse.csr_array(a.astype(int)),
    "csr-float32": lambda a: sparse.csr_array(a.astype(np.float32)),
}
SPARSE = ["csr_matrix", "csr_array", "csc_matrix", "csc_array", "coo_matrix", "coo_array"]


# -- rows that are accepted ------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_any_kind_are_read_as_the_same_float32_numbers(kind):
    data = read(KINDS[kind](X), X_tgt=KINDS[kind](X_TGT))
    for rows, expected in ((data.X_source, X), (data.X_target, X_TGT)):
        assert rows.dtype == np.float32 and np.array_equal(dense(rows), expected)
        assert not sparse.issparse(rows) or rows.format == "csr"
        assert sparse.issparse(rows) == kind.startswith("c")
    assert data.target_domain.tolist() == [1] * 9 and data.n_domains == 2


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_any_kind_give_the_same_classifier(kind):
    convert = KINDS[kind]
    fitted = classifier().fit(convert(X), Y, convert(X_TGT))
    expected = fit().predict_proba(X)
    assert np.array_equal(fitted.predict_proba(convert(X)), expected)


def test_truth_values_are_zeros_and_ones():
    data = read(X > 0, X_tgt=sparse.csr_array(X_TGT > 0))
    assert np.array_equal(data.X_source, (X > 0).astype(np.float32))
    assert np.array_equal(data.X_target, (X_TGT > 0).astype(np.float32))
    fitted = fit(X > 0, X_tgt=X_TGT > 0)
    assert np.array_equal(
        fitted.predict_proba(X > 0), fit((X > 0) * 1, X_tgt=(X_TGT > 0) * 1).predict_proba(X > 0)
    )


@pytest.mark.parametrize("kind", SPARSE)
def test_dense_source_rows_go_with_sparse_target_rows(kind):
    data = read(X_tgt=KINDS[kind](X_TGT))
    assert type(data.X_source) is type(data.X_target) is np.ndarray
    assert np.array_equal(data.X_target, X_TGT) and data.X_target.dtype == np.float32
    fitted = fit(X_tgt=KINDS[kind](X_TGT))
    assert np.array_equal(fitted.predict_proba(X), fit().predict_proba(X))


@pytest.mark.parametrize("kind", SPARSE)
def test_sparse_source_rows_go_with_dense_target_rows(kind):
    data = read(KINDS[kind](X))
    assert sparse.issparse(data.X_source) and data.X_source.format == "csr"
    assert sparse.issparse(data.X_target) and data.X_target.format == "csr"
    assert np.array_equal(data.X_target.toarray(), X_TGT) and data.X_target.dtype == np.float32
    fitted = fit(KINDS[kind](X))
    assert np.array_equal(fitted.predict_proba(X), fit().predict_proba(X))


def test_float32_rows_are_not_copied():
    source, target = X.astype(np.float32), X_TGT.astype(np.float32)
    data = read(source, X_tgt=target)
    assert np.shares_memory(data.X_source, source) and np.shares_memory(data.X_target, target)
    assert np.shares_memory(read(source, X_tgt=(target,)).X_target, target)
    stored = sparse.csr_array(source)
    assert np.shares_memory(read(stored).X_source.data, stored.data)


def test_float32_rows_are_left_as_they_are():
    source, target = X.astype(np.float32), X_TGT.astype(np.float32)
    fit(source, X_tgt=target).predict(source)
    assert np.array_equal(source, X) and np.array_equal(target, X_TGT)


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_a_memory_map_stays_a_view_of_the_file(tmp_path, mode):
    path = tmp_path / "rows.npy"
    np.save(path, X.astype(np.float32))
    mapped = np.load(path, mmap_mode=mode)
    data = read(mapped, X_tgt=mapped)
    for rows in (data.X_source, data.X_target):
        assert np.shares_memory(rows, mapped)
        assert isinstance(rows, np.memmap) or isinstance(rows.base, np.memmap)
    fitted = fit(mapped, X_tgt=mapped)
    assert np.array_equal(fitted.predict(mapped), fit(X, X_tgt=X).predict(X))


def test_a_tuple_has_one_element_per_target_domain():
    data = read(X_tgt=(X_TGT, X_TGT[:2] + 1, X_TGT[:1].tolist()))
    assert np.array_equal(data.X_target, np.r_[X_TGT, X_TGT[:2] + 1, X_TGT[:1]])
    assert data.target_domain.tolist() == [1] * 9 + [2, 2, 3] and data.n_domains == 4
    assert data.target_domain.dtype == np.int64


def test_sparse_targets_of_a_tuple_are_stacked():
    data = read(sparse.csr_array(X), X_tgt=(sparse.csc_array(X_TGT), sparse.coo_matrix(X_TGT[:2])))
    assert data.X_target.format == "csr"
    assert np.array_equal(data.X_target.toarray(), np.r_[X_TGT, X_TGT[:2]])
    assert data.target_domain.tolist() == [1] * 9 + [2] * 2


@pytest.mark.parametrize("source", [np.asarray, sparse.csr_array])
def test_targets_of_a_tuple_take_the_sources_kind_each(source):
    # A single target of the other kind is converted, so targets of a tuple are, too.
    data = read(source(X), X_tgt=(X_TGT, sparse.csr_array(X_TGT[:2])))
    assert sparse.issparse(data.X_target) == sparse.issparse(data.X_source)
    assert np.array_equal(dense(data.X_target), np.r_[X_TGT, X_TGT[:2]])


def test_no_target_is_two_domains_none_of_them_with_rows():
    data = read(X_tgt=None)
    assert data.X_target is None and data.target_domain is None and data.n_domains == 2


# -- column names ----------------------------------------------------------------------------


@pytest.mark.parametrize("frame", [framed, in_polars])
def test_column_names_are_kept(frame):
    data = read(frame(X), X_tgt=frame(X_TGT))
    assert list(data.feature_names) == NAMES
    fitted = fit(frame(X), X_tgt=frame(X_TGT))
    assert list(fitted.feature_names_in_) == NAMES and fitted.n_features_in_ == 2


@pytest.mark.parametrize("source", [np.asarray, lambda a: framed(a, [0, 1])])
def test_without_names_of_text_there_are_no_names(source):
    assert read(source(X)).feature_names is None
    fitted = fit(source(X))
    assert not hasattr(fitted, "feature_names_in_") and fitted.n_features_in_ == 2


def test_names_on_one_side_only_can_not_be_compared():
    assert list(read(framed(X), X_tgt=X_TGT).feature_names) == NAMES
    assert read(X, X_tgt=framed(X_TGT)).feature_names is None


def test_names_of_pandas_and_polars_are_compared():
    assert list(read(framed(X), X_tgt=in_polars(X_TGT)).feature_names) == NAMES
    with pytest.raises(ValueError, match=r"of X in another order\. Pass X_tgt\[X\.columns\]"):
        read(framed(X), X_tgt=in_polars(X_TGT, NAMES[::-1]))


def test_a_fit_without_names_forgets_those_of_the_fit_before():
    fitted = fit(framed(X)).fit(X, Y, X_TGT)
    assert not hasattr(fitted, "feature_names_in_")


# -- labels that are accepted ----------------------------------------------------------------

LABELS = {
    "int": ([3, 7], lambda labels: labels),
    "negative": ([-1, 1], lambda labels: labels),
    "uint8": ([3, 7], lambda labels: labels.astype(np.uint8)),
    "bool": ([False, True], lambda labels: labels),
    "float": ([1.0, 2.0], lambda labels: labels),
    "text": (["no", "yes"], lambda labels: labels),
    "object": (["no", "yes"], lambda labels: labels.astype(object)),
    "list": (["no", "yes"], lambda labels: labels.tolist()),
    "list of int": ([3, 7], lambda labels: labels.tolist()),
    "pandas": (["no", "yes"], pd.Series),
    "pandas object": (["no", "yes"], lambda labels: pd.Series(labels, dtype=object)),
    "pandas odd index": ([3, 7], lambda labels: pd.Series(labels, index=np.arange(12)[::-1])),
    "Categorical": (["no", "yes"], pd.Categorical),
    "Categorical series": (["no", "yes"], lambda labels: pd.Series(pd.Categorical(labels))),
    "Categorical of int": ([3, 7], lambda labels: pd.Series(labels, dtype="category")),
    "Categorical unsorted": (
        ["no", "yes"],
        lambda labels: pd.Categorical(labels, categories=["yes", "maybe", "no"]),
    ),
    "polars": (["no", "yes"], lambda labels: pl.Series(labels.tolist())),
    "polars Categorical": (
        ["no", "yes"],
        lambda labels: pl.Series(labels.tolist(), dtype=pl.Categorical),
    ),
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_of_any_kind_are_sorted_and_come_back_from_predict(kind):
    classes, convert = LABELS[kind]
    labels = np.array(classes)[Y]
    data = read(y=convert(labels))
    assert data.classes.tolist() == classes
    assert data.y_source.dtype == np.int64 and np.array_equal(data.y_source, Y)
    fitted = fit(y=convert(labels))
    assert fitted.classes_.tolist() == classes
    assert np.array_equal(fitted.predict(X), np.array(classes)[fit().predict(X)])


def test_bool_labels_come_back_as_bool():
    assert fit(y=Y == 1).predict(X).dtype == bool


def test_codes_are_positions_among_the_sorted_classes():
    data = read(y=["b", "c", "a"] * 4)
    assert data.classes.tolist() == ["a", "b", "c"]
    assert data.y_source.tolist() == [1, 2, 0] * 4


def test_classes_may_name_more_than_the_labels_at_hand():
    data = read(y=np.array([5, 9])[Y], classes=[9, 1, 5])
    assert data.classes.tolist() == [1, 5, 9]
    assert np.array_equal(data.y_source, 1 + Y)


@pytest.mark.parametrize("classes", [[3, 7], [False, True]])
def test_sortable_objects_are_labels(classes):
    labels = np.array(classes, dtype=object)[Y]
    assert fit(y=labels).classes_.tolist() == classes


def test_a_column_of_labels_is_flattened_with_a_warning():
    with pytest.warns(DataConversionWarning, match="A column-vector y was passed"):
        fitted = fit(y=Y[:, None])
    assert np.array_equal(fitted.predict_proba(X), fit().predict_proba(X))


# -- weights ---------------------------------------------------------------------------------


def test_no_weights_are_none():
    data = read()
    assert data.label_weight is None and data.domain_weight is None


@pytest.mark.parametrize("convert", [np.asarray, list, pd.Series, lambda w: w.astype(int)])
def test_sample_weights_have_mean_one_in_both_losses(convert):
    data = read(sample_weight=convert(np.array([1.0, 3.0] * 6)))
    for weight in (data.label_weight, data.domain_weight):
        assert weight.dtype == np.float32 and weight.tolist() == [0.5, 1.5] * 6


@pytest.mark.parametrize("scalar", [2, 2.5, np.float32(7)])
def test_a_scalar_weight_weighs_all_rows_alike(scalar):
    data = read(sample_weight=scalar)
    assert data.label_weight.tolist() == data.domain_weight.tolist() == [1.0] * 12
    assert np.array_equal(fit(sample_weight=scalar).predict_proba(X), fit().predict_proba(X))


def test_class_weights_concern_the_label_loss_alone():
    data = read(class_weight={0: 1, 1: 3})
    assert data.label_weight.tolist() == [0.5, 1.5] * 6
    assert data.domain_weight is None


def test_class_weights_and_sample_weights_are_multiplied():
    data = read(sample_weight=[1, 1, 1, 3] * 3, class_weight={0: 5, 1: 10})
    expected = np.array([5, 10, 5, 30]) / 12.5
    assert data.label_weight == pytest.approx(np.tile(expected, 3))
    assert data.domain_weight == pytest.approx(np.array([1, 1, 1, 3] * 3) / 1.5)


def test_balanced_weights_give_each_class_the_same_sum():
    y = np.array(["rare"] * 3 + ["often"] * 9)
    weight = read(y=y, class_weight="balanced").label_weight
    assert weight == pytest.approx(np.array([2.0] * 3 + [2 / 3] * 9))
    assert weight.mean() == pytest.approx(1)


def test_classes_missing_from_the_dict_weigh_one():
    weight = read(y=np.arange(12) % 3, class_weight={1: 4}).label_weight
    assert weight == pytest.approx(np.tile([0.5, 2.0, 0.5], 4))


def test_a_class_of_weight_zero_is_allowed():
    assert read(class_weight={0: 0, 1: 1}).label_weight.tolist() == [0.0, 2.0] * 6


def test_classes_that_a_chunk_lacks_have_no_weight_to_give():
    data = read(class_weight={0: 1, 1: 3, 2: 100}, classes=[0, 1, 2])
    assert data.label_weight.tolist() == [0.5, 1.5] * 6


def test_a_chunk_may_lack_a_class_that_class_weight_names():
    weights = {1: 3.0, 2: 100.0}
    whole = read(y=np.arange(12) % 3, class_weight=weights).label_weight
    assert whole == pytest.approx(np.tile([1, 3, 100], 4) * 3 / 104)
    chunk = read(class_weight=weights, classes=[0, 1, 2])
    assert chunk.label_weight.tolist() == [0.5, 1.5] * 6


# -- what is refused, and how ----------------------------------------------------------------

NAN, INF = np.nan, np.inf
TWO_BAD = with_value(with_value(X, (3, 1), NAN), (5, 0), INF)
TWO_BAD_FOUND = "1 NaN and 1 values that are infinity or too large for float32"
BAD_TGT = with_value(with_value(X_TGT, (4, 0), -INF), (4, 1), INF)
HUGE = with_value(X, (7, 1), 1e39)
TEXT = {"age": X[:, 0], "town": ["Bonn", "Ulm"] * 6, "job": ["a", "b"] * 6}
TEXT_FOUND = (
    "has columns that are not numbers: ['town', 'job']. Encode text, for example with "
    "skdann.pipeline.make_dann_pipeline(make_column_transformer((OneHotEncoder("
    "handle_unknown='ignore'), ['town', 'job']), remainder=StandardScaler()))."
)


def labels(*parts):
    """Twelve labels of dtype object: the parts over and over."""
    array = np.empty(12, dtype=object)
    array[:] = [parts[i % len(parts)] for i in range(12)]
    return array


# What is passed instead of good input, and what the message must contain.
REJECTED = {
    # NaN, infinity and what becomes infinity: which argument, how many, where the first.
    "X array": ({"X": TWO_BAD}, f"X contains {TWO_BAD_FOUND}; the first is in row 3, column 1."),
    "X list": ({"X": TWO_BAD.tolist()}, f"X contains {TWO_BAD_FOUND}; the first is in row 3, "),
    "X pandas": (
        {"X": framed(TWO_BAD)},
        f"X contains {TWO_BAD_FOUND}; the first is in row 3, column 'income'. Impute or drop",
    ),
    "X polars": (
        {"X": in_polars(TWO_BAD)},
        f"X contains {TWO_BAD_FOUND}; the first is in row 3, column 'income'. Impute or drop",
    ),
    "X pandas nullable": (
        {"X": framed(X).astype({"age": "Int64"}).assign(income=pd.array([1, pd.NA] * 6))},
        "X contains 6 NaN and 0 values that are infinity or too large for float32; the first is "
        "in row 1, column 'income'.",
    ),
    "X polars null": (
        {"X": pl.DataFrame({"age": [1, 2] * 6, "income": [1, None, 3] * 4})},
        "X contains 4 NaN and 0 values that are infinity or too large for float32; the first is "
        "in row 1, column 'income'.",
    ),
    **{
        f"X {kind}": (
            {"X": KINDS[kind](TWO_BAD)},
            f"X contains {TWO_BAD_FOUND}; the first is in row 3, column 1. Impute or drop them",
        )
        for kind in SPARSE
    },
    "X_tgt array": (
        {"X_tgt": BAD_TGT},
        "X_tgt contains 0 NaN and 2 values that are infinity or too large for float32; the first "
        "is in row 4, column 0. X has none: impute or drop them as in X. Steps of a Pipeline "
        "transform X_tgt only in skdann.pipeline.make_dann_pipeline(step, ...), or after "
        "sklearn.set_config(enable_metadata_routing=True) in make_pipeline(step, ..., "
        "transform_input=['X_tgt']).",
    ),
    "X_tgt pandas": ({"X_tgt": framed(BAD_TGT)}, "the first is in row 4, column 'age'."),
    "X_tgt sparse": (
        {"X_tgt": sparse.csr_array(BAD_TGT)},
        "X_tgt contains 0 NaN and 2 values that are infinity or too large for float32; the first "
        "is in row 4, column 0.",
    ),
    "X_tgt in a tuple": (
        {"X_tgt": (X_TGT, with_value(X_TGT, 2, NAN))},
        "X_tgt[1] contains 2 NaN and 0 values that are infinity or too large for float32; the "
        "first is in row 2, column 0.",
    ),
    **{
        f"X too large, {kind}": (
            {"X": KINDS[kind](HUGE)},
            "X contains 0 NaN and 1 values that are infinity or too large for float32; the first "
            "is in row 7, column ",
        )
        for kind in ("float64", "list", "pandas", "polars", "csr_array", "csc_matrix")
    },
    "X_tgt too large": (
        {"X_tgt": with_value(X_TGT, (0, 1), -1e300)},
        "X_tgt contains 0 NaN and 1 values that are infinity or too large for float32; the first "
        "is in row 0, column 1.",
    ),
    # Columns of both domains.
    "X_tgt narrower": (
        {"X_tgt": X_TGT[:, :1]},
        "X_tgt has rows of shape (1,), but X has rows of shape (2,). Both domains need the same "
        "columns, and both must pass the same preprocessing. Steps of a Pipeline transform X_tgt",
    ),
    "X_tgt wider, sparse": (
        {"X_tgt": sparse.csr_array(np.c_[X_TGT, X_TGT])},
        "X_tgt has rows of shape (4,), but X has rows of shape (2,).",
    ),
    "X_tgt other names": (
        {"X": framed(X), "X_tgt": framed(X_TGT, ["age", "height"])},
        "X_tgt lacks columns of X: ['income']. It has columns that X lacks: ['height']. Both "
        "domains need the same columns in the same order.",
    ),
    "X_tgt one name more": (
        {"X": framed(X), "X_tgt": framed(X_TGT).assign(more=0.0)},
        "X_tgt has columns that X lacks: ['more']. Pass X_tgt[X.columns], which leaves them out.",
    ),
    "X_tgt other order": (
        {"X": framed(X), "X_tgt": framed(X_TGT, NAMES[::-1])},
        "X_tgt has the columns of X in another order. Pass X_tgt[X.columns].",
    ),
    "X_tgt other order, polars": (
        {"X": in_polars(X), "X_tgt": in_polars(X_TGT, NAMES[::-1])},
        "X_tgt has the columns of X in another order. Pass X_tgt[X.columns].",
    ),
    "X_tgt other order, in a tuple": (
        {"X": framed(X), "X_tgt": (framed(X_TGT), framed(X_TGT, NAMES[::-1]))},
        "X_tgt[1] has the columns of X in another order. Pass X_tgt[1][X.columns].",
    ),
    # The shape of the target argument.
    **{
        f"X_tgt empty {kind}": (
            {"X_tgt": empty},
            f"X_tgt is empty (shape {shape}): adaptation needs at least one target row. Pass "
            "X_tgt=None to train on the source alone.",
        )
        for kind, empty, shape in [
            ("array", X_TGT[:0], "(0, 2)"),
            ("list", [], "(0,)"),
            ("csr", sparse.csr_array((0, 2)), "(0, 2)"),
            ("pandas", framed(X_TGT)[:0], "(0, 2)"),
            ("polars", in_polars(X_TGT)[:0], "(0, 2)"),
        ]
    },
    "X_tgt empty in a tuple": ({"X_tgt": (X_TGT, X_TGT[:0])}, "X_tgt[1] is empty (shape (0, 2))"),
    "X_tgt empty tuple": (
        {"X_tgt": ()},
        "X_tgt is an empty tuple. A tuple means one array per target domain: pass (X_tgt,) for "
        "one target, or None to train on the source alone.",
    ),
    "X_tgt tuple of other widths": (
        {"X_tgt": (X_TGT, X_TGT[:, :1])},
        "X_tgt[1] has rows of shape (1,), but X has rows of shape (2,).",
    ),
    **{
        f"X_tgt tuple of rows, {kind}": (
            {"X_tgt": rows},
            "X_tgt[0] is one-dimensional. A tuple means one two-dimensional array per target "
            "domain; pass the rows of a single target as an array or a list.",
        )
        for kind, rows in [("array", tuple(X_TGT)), ("list", tuple(X_TGT.tolist()))]
    },
    **{
        f"X_tgt list of {kind}": (
            {"X_tgt": [convert(X_TGT), convert(X_TGT)]},
            "X_tgt is a list of arrays. Several target domains are passed as a tuple: "
            "tuple(X_tgt). (Cross-validation turns a tuple with as many targets as X has rows "
            "into a list.)",
        )
        for kind, convert in [
            ("arrays", np.asarray),
            ("lists", np.ndarray.tolist),
            ("frames", framed),
            ("csr", sparse.csr_array),
        ]
    },
    "X_tgt 1-d": ({"X_tgt": X_TGT[:, 0]}, "got 1D array instead: X_tgt has shape (9,)"),
    "X_tgt 1-d, as weights": (
        {"X_tgt": np.ones(12)},
        "X_tgt is one-dimensional; pass weights as sample_weight=... The third argument of fit is",
    ),
    "X_tgt 3-d": (
        {"X_tgt": X_TGT[None]},
        "Found array with dim 3: X_tgt has shape (1, 9, 2), but X has two dimensions: both "
        "domains need rows of the same shape.",
    ),
    # Rows that are not rows of numbers.
    "X 1-d": ({"X": X[:, 0]}, "Expected 2D array, got 1D array instead: X has shape (12,)"),
    "X 3-d": (
        {"X": X[:, :, None]},
        "Found array with dim 3: X has shape (12, 2, 1), but without a feature_extractor "
        "DANNClassifier takes rows of one dimension.",
        "or flatten them: np.reshape(X, (len(X), -1)).",
    ),
    "X without rows": ({"X": X[:0], "y": Y[:0]}, "Found array with 0 sample(s) (shape=(0, 2))"),
    "X complex": (
        {"X": X + 1j},
        "Complex data not supported: X has dtype complex128. Pass the real and the imaginary part "
        "as columns of their own.",
    ),
    "X complex sparse": (
        {"X": sparse.csr_array(X.astype(np.complex64))},
        "Complex data not supported: X has dtype complex64.",
    ),
    "X_tgt complex": ({"X_tgt": X_TGT + 1j}, "Complex data not supported: X_tgt has dtype"),
    **{
        f"X of text, {kind}": (
            {"X": text},
            "X holds values that are not numbers: could not convert string to float",
            "'Bonn'",
            "Encode text first, for example with OneHotEncoder(handle_unknown='ignore') in skdann",
        )
        for kind, text in [
            ("object", np.array([["Bonn", 1.0]] * 12, dtype=object)),
            ("list", [[1.0, "Bonn"]] * 12),
            ("array", np.array([["Bonn", "1"]] * 12)),
        ]
    },
    "X_tgt of text": (
        {"X_tgt": [["Bonn", 1.0]]},
        "X_tgt holds values that are not numbers: could not convert string to float: 'Bonn'.",
    ),
    "X pandas with text": ({"X": pd.DataFrame(TEXT)}, f"X {TEXT_FOUND}"),
    "X polars with text": ({"X": pl.DataFrame(TEXT)}, f"X {TEXT_FOUND}"),
    "X_tgt pandas with text": (
        {"X": X[:, [0, 1, 1]], "X_tgt": pd.DataFrame(TEXT)},
        "X_tgt has columns that are not numbers: ['town', 'job']; X has none. Encode them as in X.",
    ),
    "X pandas with categories": (
        {"X": pd.DataFrame({"age": X[:, 0], "town": pd.Categorical(TEXT["town"])})},
        "X has columns that are not numbers: ['town'].",
    ),
    # Labels.
    "y None": (
        {"y": None},
        "DANNClassifier requires y to be passed, but the target y is None. y holds the labels of "
        "the source rows X.",
    ),
    "y NaN": (
        {"y": with_value(with_value(Y, 3, NAN), 8, NAN)},
        "Input y contains NaN: 2 of 12 labels, first in row 3. Drop source rows without a label, "
        "or pass them in X_tgt.",
    ),
    "y inf": (
        {"y": with_value(Y, 3, -INF)},
        "Input y contains infinity or a value too large for dtype('float64'): 1 of 12 labels, "
        "first in row 3.",
    ),
    **{
        f"y with a missing {kind}": (
            {"y": y},
            "Input y contains NaN: 4 of 12 labels, first in row 2. Drop source rows without",
        )
        for kind, y in [
            ("None", labels("a", "b", None)),
            ("None among numbers", labels(1, 2, None)),
            ("NaN", labels("a", "b", NAN)),
            ("NA", labels("a", "b", pd.NA)),
            ("NaT", labels("a", "b", pd.NaT)),
            ("NA in Int64", pd.Series(labels(1, 2, pd.NA), dtype="Int64")),
            ("NA in string", pd.Series(labels("a", "b", pd.NA), dtype="string")),
            ("NaN in str", pd.Series(["a", "b", None] * 4)),
            ("NaN in a Categorical", pd.Categorical(["a", "b", None] * 4)),
            ("null in polars", pl.Series(["a", "b", None] * 4)),
            ("None in a list", ["a", "b", None] * 4),
            ("NA in boolean", pd.Series(labels(True, False, pd.NA), dtype="boolean")),
        ]
    },
    "y too short": (
        {"y": Y[:-1]},
        "y has 11 labels, but X has 12 rows. y labels the source rows only; rows without labels "
        "go to X_tgt.",
    ),
    "y with labels of target rows": ({"y": np.r_[Y, Y]}, "y has 24 labels, but X has 12 rows."),
    "y of two columns": (
        {"y": np.c_[Y, Y]},
        "y should be a 1d array, got an array of shape (12, 2)",
    ),
    "y continuous": ({"y": X[:, 0] + 0.5}, "Unknown label type: continuous"),
    "y of one class": (
        {"y": ["spam"] * 12},
        "y has only one class, 'spam': a classifier needs at least two classes among the source "
        "rows.",
    ),
    "y of one number": (
        {"y": 9 + 0 * Y},
        "y has only one class, 9: a classifier needs at least two",
    ),
    # Weights.
    "weights negative": (
        {"sample_weight": with_value(with_value(np.ones(12), 4, -1), 9, -0.5)},
        "sample_weight has 2 negative values, the first in row 4; weights must be >= 0.",
    ),
    "weight negative scalar": ({"sample_weight": -1.0}, "sample_weight has 12 negative values"),
    "weights all zero": (
        {"sample_weight": np.zeros(12)},
        "sample_weight is zero for every row; at least one must be positive.",
    ),
    "weight zero scalar": ({"sample_weight": 0}, "sample_weight is zero for every row"),
    "weights too few": (
        {"sample_weight": np.ones(11)},
        "sample_weight.shape == (11,), expected (12,): one weight for each row of X. Target rows "
        "have no weights.",
    ),
    "weights for target rows": (
        {"sample_weight": np.ones(21)},
        "sample_weight.shape == (21,), expected (12,)",
    ),
    "weights of two dimensions": (
        {"sample_weight": np.ones((12, 1))},
        "Sample weights must be 1D array or scalar",
    ),
    "weights NaN": ({"sample_weight": np.full(12, NAN)}, "Input sample_weight contains NaN."),
    "weights inf": ({"sample_weight": np.full(12, INF)}, "Input sample_weight contains infinity"),
    "class weights all zero": (
        {"class_weight": {0: 0, 1: 0}},
        "class_weight={0: 0, 1: 0} gives negative weights, or zero to every row of positive "
        "sample_weight; weights must be >= 0 and not all zero.",
    ),
    "class weight negative": (
        {"class_weight": {0: 1, 1: -2}},
        "class_weight={0: 1, 1: -2} gives negative weights",
    ),
    "class weight zero where the weights are not": (
        {"class_weight": {0: 0, 1: 1}, "sample_weight": (Y == 0) * 1.0},
        "class_weight={0: 0, 1: 1} gives negative weights, or zero to every row of positive",
    ),
    "class weight of an unknown class": (
        {"class_weight": {0: 1, 7: 1}},
        "The classes, [1], are not in class_weight",
    ),
}


@pytest.fixture(scope="module")
def fitted_once():
    return fit(framed(X), X_tgt=framed(X_TGT))


@pytest.fixture
def fitted(fitted_once):
    """Fitted with names."""
    return copy.deepcopy(fitted_once)


@pytest.fixture(scope="module")
def nameless():
    """Fitted without names."""
    return fit()


@contextmanager
def unchanged(fitted):
    """Check that the block leaves the estimator's attributes and predictions as they were."""
    attributes = dict(vars(fitted))
    state = copy.deepcopy(fitted.module_.state_dict())
    embedding, history = fitted.transform(framed(X)), copy.deepcopy(fitted.history_)
    yield
    assert vars(fitted).keys() == attributes.keys()
    for name, value in attributes.items():
        assert vars(fitted)[name] is value, name
    for name, value in fitted.module_.state_dict().items():
        assert torch.equal(value, state[name]), name
    assert np.array_equal(fitted.transform(framed(X)), embedding)
    assert fitted.history_ == history


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("case", REJECTED)
def test_bad_input_is_named_and_leaves_the_estimator_as_it_was(case, method, fitted):
    change, *said = REJECTED[case]
    arguments = {"X": X, "y": Y, "X_tgt": X_TGT, **change}
    class_weight = arguments.pop("class_weight", None)

    fresh = classifier(class_weight=class_weight)
    at_first = dict(vars(fresh))
    with pytest.raises(ValueError) as caught:
        getattr(fresh, method)(**arguments)
    assert vars(fresh) == at_first
    assert [part for part in said if part not in str(caught.value)] == [], str(caught.value)

    fitted.set_params(class_weight=class_weight)
    with unchanged(fitted), pytest.raises(ValueError):
        getattr(fitted, method)(**arguments)


def test_a_random_state_is_not_drawn_from_by_a_rejected_call():
    generator = np.random.RandomState(0)
    with pytest.raises(ValueError):
        classifier(random_state=generator).fit(TWO_BAD, Y, X_TGT)
    assert generator.randint(1000) == np.random.RandomState(0).randint(1000)


def test_labels_outside_the_given_classes_are_named():
    with pytest.raises(ValueError, match=r"y contains labels \[1\] that are not in classes \[0, 2"):
        read(classes=[0, 2])


# What should be refused by a sentence of its own, and isn't yet.
REJECTED_WITH_CARE = {
    "labels that can't be sorted, text first": (
        {"y": labels("a", 1)},
        "y mixes labels that can't be sorted (int, str). Make them one type",
    ),
    "labels that can't be sorted, number first": (
        {"y": labels(1, "a")},
        "y mixes labels that can't be sorted (int, str). Make them one type",
    ),
    "a list of text with NaN becomes a class 'nan'": (
        {"y": ["a", "b", NAN] * 4},
        "Input y contains NaN: 4 of 12 labels, first in row 2.",
    ),
    "NaT among dates": (
        {"y": np.array(["2020-01-01", "2021-01-01", "NaT"] * 4, dtype="datetime64[D]")},
        "Input y contains NaN: 4 of 12 labels, first in row 2.",
    ),
    "weight NaN as a scalar": ({"sample_weight": NAN}, "sample_weight"),
    "weight inf as a scalar": ({"sample_weight": INF}, "sample_weight"),
    "class weight NaN": ({"class_weight": {0: 1, 1: NAN}}, "class_weight={0: 1, 1: nan}"),
    "class weight inf": ({"class_weight": {0: 1, 1: INF}}, "class_weight={0: 1, 1: inf}"),
    "complex columns of a DataFrame": ({"X": framed(X + 1j)}, "Complex data not supported"),
    "a column of dates": (
        {"X": pd.DataFrame({"age": X[:, 0], "day": pd.date_range("2020", periods=12)})},
        "X has columns of dates: ['day']",
    ),
    "pd.NA in a column of objects": (
        {"X": pd.DataFrame({"age": X[:, 0], "income": labels(1.0, pd.NA)})},
        "X contains 6 NaN",
    ),
}


@pytest.mark.parametrize("case", REJECTED_WITH_CARE)
def test_bad_input_gets_a_sentence_of_its_own(case):
    change, said = REJECTED_WITH_CARE[case]
    with pytest.raises(ValueError) as caught:
        read(**change)
    assert said in str(caught.value)


# -- warnings --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("category", "X_tgt"),
    [
        (SourceOnlyWarning, None),
        (TargetScaleWarning, X_TGT * 1000),
    ],
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_warnings_point_at_the_users_line(category, X_tgt, method):
    with pytest.warns(category) as caught:
        getattr(classifier(), method)(X, Y, X_tgt)
    assert [warning.filename for warning in caught] == [__file__]


# -- rows for a fitted classifier ------------------------------------------------------------

METHODS = [
    "predict", "predict_proba", "predict_log_proba", "decision_function", "transform",
    "predict_domain_proba",
]  # fmt: skip

REJECTED_LATER = {
    "narrower": (X[:, :1], "X has 1 features, but DANNClassifier is expecting 2 features as input"),
    "wider, sparse": (
        sparse.csr_array(np.c_[X, X]),
        "X has 4 features, but DANNClassifier is expecting 2 features as input",
    ),
    "other names": (
        framed(X, ["age", "height"]),
        "The feature names should match those that were passed during fit.\nFeature names unseen "
        "at fit time:\n- height\nFeature names seen at fit time, yet now missing:\n- income",
    ),
    "other order": (
        framed(X, NAMES[::-1]),
        "Feature names must be in the same order as they were in fit.",
    ),
    "other order, polars": (
        in_polars(X, NAMES[::-1]),
        "Feature names must be in the same order as they were in fit.",
    ),
    "NaN": (
        framed(with_value(X, (2, 0), NAN)),
        "X contains 1 NaN and 0 values that are infinity or too large for float32; the first is "
        "in row 2, column 'age'.",
    ),
    "inf, sparse": (
        sparse.csr_array(with_value(X, (2, 0), INF)),
        "X contains 0 NaN and 1 values that are infinity or too large for float32; the first is "
        "in row 2, column 0.",
    ),
    "too large": (HUGE, "the first is in row 7, column 1."),
    "one row": (X[0], "Expected 2D array, got 1D array instead"),
    "images": (X[None], "Found array with dim 3"),
    "no rows": (X[:0], "Found array with 0 sample(s) (shape=(0, 2)) while a minimum of 1"),
    "complex": (X + 1j, "Complex data not supported: X has dtype complex128"),
    "text": (
        framed(X).assign(income=["Bonn", "Ulm"] * 6),
        "X has columns that are not numbers: ['income'].",
    ),
}


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("case", REJECTED_LATER)
def test_bad_rows_are_named_by_every_method_of_a_fitted_classifier(case, method, fitted):
    rows, said = REJECTED_LATER[case]
    with unchanged(fitted), pytest.raises(ValueError) as caught:
        getattr(fitted, method)(rows)
    assert said in str(caught.value)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore:X has feature names, but")
def test_every_method_takes_rows_of_any_kind(kind, method, nameless):
    expected = getattr(nameless, method)(X)
    assert np.array_equal(getattr(nameless, method)(KINDS[kind](X)), expected)


def test_names_that_are_missing_or_new_are_warned_about(fitted):
    with pytest.warns(UserWarning, match="X does not have valid feature names, but DANNClassif"):
        fitted.predict(X)
    with pytest.warns(UserWarning, match="X has feature names, but DANNClassifier was fitted wi"):
        fit().predict(framed(X))


@pytest.mark.parametrize("columns", [NAMES[::-1], ["age", "height"]], ids=["order", "names"])
def test_partial_fit_goes_on_with_the_same_columns_only(columns):
    streamed = classifier().partial_fit(framed(X), Y, framed(X_TGT))
    with pytest.raises(ValueError, match="The feature names should match"):
        streamed.partial_fit(framed(X, columns), Y, framed(X_TGT, columns))
    assert list(streamed.feature_names_in_) == NAMES


# -- images ----------------------------------------------------------------------------------

IMAGES = RNG.normal(size=(12, 3, 4, 5))


def flat_features(row_shape):
    return nn.Sequential(nn.Flatten(), nn.Linear(int(np.prod(row_shape)), 6))


def fit_images(X=IMAGES, y=Y, X_tgt=IMAGES + 0.1, **parameters):
    return classifier(feature_extractor=flat_features, **parameters).fit(X, y, X_tgt)


def test_images_keep_their_shape():
    data = read(IMAGES, X_tgt=(IMAGES[:2], IMAGES), allow_nd=True)
    assert data.row_shape == (3, 4, 5) and data.X_target.shape == (14, 3, 4, 5)
    fitted = fit_images()
    assert fitted.n_features_in_ == 3 and fitted.predict(IMAGES).shape == (12,)
    as_float32 = IMAGES.astype(np.float32)
    assert np.shares_memory(read(as_float32, X_tgt=None, allow_nd=True).X_source, as_float32)


def test_the_scale_of_images_is_not_compared_column_by_column():
    fit_images(X_tgt=IMAGES * 1000)  # warnings are errors here


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"X": with_value(IMAGES, (1, 2, 0, 3), NAN)},
            "X contains 1 NaN and 0 values that are infinity or too large for float32; the first "
            "is in row 1, column (2, 0, 3).",
        ),
        (
            {"X_tgt": with_value(IMAGES, (11, 0, 3, 4), INF)},
            "X_tgt contains 0 NaN and 1 values that are infinity or too large for float32; the "
            "first is in row 11, column (0, 3, 4).",
        ),
        (
            {"X_tgt": IMAGES[:, :, :, :4]},
            "X_tgt has rows of shape (3, 4, 4), but X has rows of shape (3, 4, 5).",
        ),
        (
            {"X_tgt": IMAGES.reshape(12, -1)},
            "X_tgt has rows of shape (60,), but X has rows of shape (3, 4, 5).",
        ),
        (
            {"X_tgt": [IMAGES, IMAGES]},
            "X_tgt is a list of arrays.",
        ),
    ],
    ids=["NaN", "inf in X_tgt", "other shape", "flat", "list of arrays"],
)
def test_bad_images_are_named(change, said):
    with pytest.raises(ValueError) as caught:
        fit_images(**change)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (
            IMAGES[:, :, :3],
            "X has rows of shape (3, 3, 5), but DANNClassifier was fitted on rows of shape "
            "(3, 4, 5).",
        ),
        (
            IMAGES.reshape(12, 3, 20),
            "X has rows of shape (3, 20), but DANNClassifier was fitted on rows of shape (3, 4, 5)",
        ),
        (IMAGES[:, :1], "X has 1 features, but DANNClassifier is expecting 3 features as input"),
        (with_value(IMAGES, (5, 1, 2, 3), NAN), "the first is in row 5, column (1, 2, 3)."),
    ],
    ids=["height", "dimensions", "channels", "NaN"],
)
def test_images_of_another_shape_are_named_by_a_fitted_classifier(rows, said):
    fitted = fit_images()
    with pytest.raises(ValueError) as caught:
        fitted.predict(rows)
    assert said in str(caught.value)


# -- found by tests/test_fuzzing.py ---------------------------------------------------------------

FOUND = {
    "a class": ({"X": np.ndarray}, "X is the class ndarray. Pass rows"),
    "a class as target": ({"X_tgt": np.ndarray}, "X_tgt is the class ndarray."),
    "lazy": ({"X": pl.LazyFrame({"a": [1.0]})}, "X is a LazyFrame.*pass X.collect"),
    "meta": ({"X": torch.zeros(12, 2, device="meta")}, "X is a tensor on the device 'meta'"),
    "names of two kinds": (
        {"X_tgt": pd.DataFrame(X_TGT, columns=["a", 1])},
        "^X_tgt: Feature names",
    ),
    "bytes": ({"y": np.array([b"a", b"b"])[Y]}, "^y: Support for labels represented as bytes"),
    "lists": ({"y": labels([1], [2])}, "y holds several values in the place of one"),
    "tuples": ({"y": labels((1, 2), (3, 4))}, "y holds several values in the place of one"),
    "ragged labels": ({"y": [[1], [1, 2]] * 6}, "y can't be read as labels: .*one label for each"),
    "words as weights": ({"sample_weight": ["a"] * 12}, "sample_weight must hold a number >= 0"),
    "dates as weights": (
        {"sample_weight": np.arange(12).astype("datetime64[D]")},
        "sample_weight must hold a number >= 0 for each row of X: dates",
    ),
    "a complex weight": ({"sample_weight": 1j}, "sample_weight must hold a number >= 0"),
}


@pytest.mark.parametrize("case", FOUND)
def test_input_made_of_nothing_usable_is_refused_by_name(case):
    given, said = FOUND[case]
    with pytest.raises((ValueError, TypeError), match=said):
        classifier().fit(**{"X": X, "y": Y, "X_tgt": X_TGT, **given})


@pytest.mark.parametrize("groups", [[[1], [1, 2]] * 6, labels({}, {}), labels(object(), object())])
def test_groups_that_can_not_be_sorted_are_refused_by_name(groups):
    with pytest.raises(ValueError, match=r"^groups "):
        classifier().fit(X, Y, X_TGT, groups=groups)


@pytest.mark.parametrize("classes", [[0, None], [[0], [0, 1]], [0, np.nan], 3])
def test_classes_that_are_none_are_refused_by_name(classes):
    with pytest.raises(ValueError, match=r"^classes must hold all labels"):
        classifier().partial_fit(X, Y, X_TGT, classes=classes)


@pytest.mark.parametrize("weight", [1.7e308, 1e300, 5e-324])
def test_weights_near_the_limits_of_float64_count_equally(weight):
    data = read(sample_weight=np.full(12, weight))
    assert data.label_weight.tolist() == [1.0] * 12


def test_a_tensor_with_a_gradient_is_rows():
    rows = torch.tensor(X, dtype=torch.float32, requires_grad=True)
    assert np.array_equal(read(rows).X_source, X)


def test_score_takes_the_labels_that_fit_takes():
    fitted = fit(y=labels(1, 2))
    assert fitted.score(X, labels(1, 2)) == fitted.score(X, [1, 2] * 6)
    with pytest.raises(ValueError, match="y can't be compared with predictions, which are"):
        fitted.score(X, ["a", "b"] * 6)
    with pytest.raises(ValueError, match="y has 11 labels, but X has 12 rows"):
        fitted.score(X, [1] * 11)


@pytest.mark.slow  # starts a program; `make fuzz` has such tensors too
def test_tensors_are_rows_and_labels_with_array_api_dispatch_too():
    program = (
        "import sklearn, torch; from skdann import DANNClassifier\n"
        "X, y = torch.arange(24.0).reshape(12, 2) % 7, torch.arange(12) % 2\n"
        "with sklearn.config_context(array_api_dispatch=True):\n"
        "    clf = DANNClassifier(max_epochs=1, lambda_max=1.0).fit(X, y, X + 1)\n"
        "    print(0 <= clf.score(X, y) <= 1, clf.predict_proba(X).shape)"
    )
    environment = {**os.environ, "SCIPY_ARRAY_API": "1"}  # scipy reads it when it is imported
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["True", "(12,", "2)"], done.stderr


# -- found by the thousand, see docs/results/bad_input.md ------------------------------------


def test_rows_that_are_all_recognised_leave_nothing_to_warn_about():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)), np.arange(60) % 2
    clf = DANNClassifier(lambda_max=1.0, input_scaling="domain", max_epochs=1, random_state=0)
    clf.fit(1e9 * X, y, X)
    assert clf.predict(1e9 * X[:12]).shape == (12,)  # a warning would be an error


@pytest.mark.parametrize("returned", [np.ones(2), np.ones(1), [1.0]])
def test_a_schedule_returns_a_number(returned):
    with pytest.raises(ValueError, match="lambda_schedule must be a function of the progress p"):
        DANNClassifier(lambda_max=1.0, lambda_schedule=lambda p: returned).fit(
            X, np.arange(12) % 2, X
        )


def test_a_batch_of_one_row_is_too_small_for_batch_norm():
    part = torch.nn.Sequential(torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 2))
    clf = DANNClassifier((4,), label_predictor=part, lambda_max=1.0, batch_size=1, max_epochs=1)
    with pytest.raises(ValueError, match=r"one row is too few. Raise batch_size"):
        clf.fit(X, np.arange(12) % 2, X)


def test_a_search_needs_folds():
    with pytest.raises(ValueError, match=r"makes no fold. Pass a number of folds"):
        DANNClassifierCV([0, 1], cv=[]).fit(X, np.arange(12) % 2, X)


@pytest.mark.parametrize(
    "cv", [[(np.arange(6), np.array([6, 50]))], [(np.ones(5, dtype=bool), np.arange(3))]]
)
def test_a_search_needs_row_numbers_of_x(cv):
    with pytest.raises(ValueError, match="has row numbers that X does not have"):
        DANNClassifierCV([0, 1], cv=cv).fit(X, np.arange(12) % 2, X)


def test_folds_may_be_lists_and_masks():
    mask = np.arange(12) < 8
    found = [
        DANNClassifierCV([0, 1], ["source"], cv=[fold], random_state=0)
        .set_params(estimator=DANNClassifier(max_epochs=2))
        .fit(X, np.arange(12) % 2, X + 1)
        .cv_results_["mean_test_info_max"]
        for fold in [
            (np.arange(8), np.arange(8, 12)),
            ([*range(8)], [*range(8, 12)]),
            (mask, ~mask),
        ]
    ]
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_distances_refuse_dates():
    dates = np.arange(12).reshape(6, 2).astype("datetime64[D]")
    for rows in (dates, pd.DataFrame(dates)):
        with pytest.raises(ValueError, match="X_source must hold numbers: dates"):
            maximum_mean_discrepancy(rows, X)


def test_distances_name_ragged_rows():
    with pytest.raises(ValueError, match="X_source has rows of different lengths"):
        maximum_mean_discrepancy([[1.0], [1.0, 2.0]], X)


def test_distances_take_tensors_with_a_gradient():
    rows = torch.arange(24.0).reshape(12, 2)
    expected = maximum_mean_discrepancy(rows.numpy(), X)
    assert maximum_mean_discrepancy(rows.requires_grad_(), X) == expected
