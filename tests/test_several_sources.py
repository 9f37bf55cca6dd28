"""Several sources: codes of their domains, a scaling for each, and folds that lack one."""

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from skdann import DANNClassifier, DANNClassifierCV, adaptation_report
from skdann._data.inputs import read_training_data
from skdann._network.scaling import fit_scaling

QUICK = {"max_epochs": 8, "random_state": 0}
OFFSETS = {"a": 0.0, "b": 3.0, "c": -4.0}


@pytest.fixture(scope="module")
def hospitals():
    """Three hospitals of 100 rows whose columns are moved, and a fourth as the target."""
    rng = np.random.default_rng(0)
    y, where = np.tile([0, 1], 150), np.repeat(["a", "b", "c"], 100)
    X = rng.normal(size=(300, 4)) + 1.5 * y[:, None] * [1, 1, 0, 0]
    X += np.array([OFFSETS[name] for name in where])[:, None]
    y_tgt = np.tile([0, 1], 100)
    X_tgt = rng.normal(size=(200, 4)) + 1.5 * y_tgt[:, None] * [1, 1, 0, 0] + 6
    return X, y, where, X_tgt, y_tgt


def record(hospitals, X_tgt=None, **options):
    X, y, where, X_one, _ = hospitals
    return read_training_data(
        X, y, X_one if X_tgt is None else X_tgt, None, class_weight=None,
        estimator=DANNClassifier(), **{"source_domain": where, **options},
    )  # fmt: skip


def test_codes_of_further_sources_are_behind_those_of_the_targets(hospitals):
    X_tgt = hospitals[3]
    data = record(hospitals, (X_tgt[:50], X_tgt[50:]))
    assert np.unique(data.source_codes).tolist() == [0, 3, 4] and data.n_domains == 5
    assert data.n_targets == 2 and data.further_sources.tolist() == [3, 4]
    one = record(hospitals, source_domain=["only"] * 300)
    assert one.source_domain is None and one.n_domains == 2 and len(one.further_sources) == 0


@pytest.mark.parametrize("how", ["domain", "balanced"])
def test_each_source_is_scaled_by_itself(hospitals, how):
    data = record(hospitals)
    scaled = fit_scaling(data, how)(
        torch.from_numpy(data.X_source), torch.from_numpy(data.source_codes)
    )
    for code in (0, 2, 3):
        assert_allclose(scaled[data.source_codes == code].mean(dim=0), np.zeros(4), atol=1e-5)


def test_a_balanced_scaling_keeps_a_difference_in_class_shares(hospitals):
    X, y, where, X_tgt, _ = hospitals
    kept = (where != "b") | (y == 1) | (np.arange(300) % 10 == 0)  # b has few rows of class 0
    data = record((X[kept], y[kept], where[kept], X_tgt, None))
    codes = torch.from_numpy(data.source_codes)
    own, balanced = (
        fit_scaling(data, how)(torch.from_numpy(data.X_source), codes).numpy()
        for how in ("domain", "balanced")
    )
    of_b = (data.source_codes == 2) & (data.y_source == 1)
    of_a = (data.source_codes == 0) & (data.y_source == 1)

    def gap(rows):  # of one class, in its first column
        return abs(rows[of_a, 0].mean() - rows[of_b, 0].mean())

    assert gap(balanced) < 0.15 < 0.3 < gap(own)


@pytest.mark.parametrize("lambda_max", [0.0, 1.0])
@pytest.mark.parametrize("scaling", ["domain", "balanced"])
def test_naming_the_sources_helps_where_each_has_moved(hospitals, scaling, lambda_max):
    X, y, where, X_tgt, y_tgt = hospitals
    clf = DANNClassifier(
        lambda_max=lambda_max, input_scaling=scaling, max_epochs=30, random_state=0
    )
    pooled = clf.fit(X, y, X_tgt).score(X_tgt, y_tgt)
    assert clf.fit(X, y, X_tgt, source_domain=where).score(X_tgt, y_tgt) > pooled + 0.05
    assert clf.n_domains_ == 4


def test_the_domain_classifier_tells_the_sources_apart(hospitals):
    X, y, where, X_tgt, _ = hospitals
    clf = DANNClassifier(lambda_max=0.0, input_scaling="source", max_epochs=30, random_state=0)
    clf.fit(X, y, X_tgt, source_domain=where)
    assert clf.history_[-1]["domain_accuracy"] > 0.8  # of four domains, a guess has at most 1/2


def test_rows_of_every_source_are_no_target_rows(hospitals):
    X, y, where, X_tgt, _ = hospitals
    clf = DANNClassifier(lambda_max=0.0, input_scaling="source", max_epochs=30, random_state=0)
    clf.fit(X, y, X_tgt, source_domain=where)
    of_sources = clf.predict_domain_proba(X, domain="source")
    for name in OFFSETS:
        assert of_sources[where == name].mean() < 0.4
    assert clf.predict_domain_proba(X_tgt).mean() > 0.6


def test_one_source_is_as_none_named(hospitals):
    X, y, _, X_tgt, _ = hospitals
    clf = DANNClassifier(lambda_max=1.0, input_scaling="domain", **QUICK)
    expected = clf.fit(X, y, X_tgt).predict_proba(X_tgt)
    one = clf.fit(X, y, X_tgt, source_domain=["a"] * 300)
    assert_array_equal(one.predict_proba(X_tgt), expected)


def test_names_may_be_anything_that_can_be_sorted(hospitals):
    X, y, where, X_tgt, _ = hospitals
    clf = DANNClassifier(lambda_max=1.0, input_scaling="domain", **QUICK)
    expected = clf.fit(X, y, X_tgt, source_domain=where).predict_proba(X_tgt)
    codes = np.searchsorted(["a", "b", "c"], where)
    for names in (codes, codes + 2020.0, pd.Series(where, dtype="category"), where.tolist()):
        found = clf.fit(X, y, X_tgt, source_domain=names).predict_proba(X_tgt)
        assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("source_domain", "said"),
    [
        (["a"] * 4, "source_domain has 4 values, but X has 300 rows"),
        ([None, *["a"] * 299], "source_domain has 1 missing values, the first in row 0"),
        ([1, *["a"] * 299], "source_domain mixes values that can't be sorted"),
        (np.zeros((300, 2)), "source_domain must be one-dimensional"),
    ],
)
def test_names_that_cannot_be_used_are_refused(hospitals, source_domain, said):
    X, y, _, X_tgt, _ = hospitals
    with pytest.raises(ValueError, match=said):
        DANNClassifier(lambda_max=1.0).fit(X, y, X_tgt, source_domain=source_domain)


def test_the_default_chooses_with_several_sources_whatever_the_number_of_processes(hospitals):
    X, y, where, X_tgt, y_tgt = hospitals
    found = [
        DANNClassifier(
            lambda_max=(0, 1), input_scaling=("source", "balanced"), n_jobs=n, **QUICK
        ).fit(X, y, X_tgt, source_domain=where, y_tgt=np.where(np.arange(200) < 30, y_tgt, -1))
        for n in (1, 2)
    ]
    assert_array_equal(*(one.predict_proba(X_tgt) for one in found))
    assert found[0].verdict_ == found[1].verdict_


def test_a_fold_may_have_no_row_of_a_source(hospitals):
    X, y, where, X_tgt, _ = hospitals  # sources lie one behind the other, as the folds do
    clf = DANNClassifierCV([0, 1.0], ["source", "domain", "balanced"], cv=3, random_state=0)
    clf.set_params(estimator=DANNClassifier(max_epochs=3))
    clf.fit(X, y, X_tgt, source_domain=where)
    assert np.isfinite(clf.cv_results_["mean_test_reverse_validation"]).all()


def test_options_work_with_several_sources(hospitals):
    X, y, where, X_tgt, _ = hospitals
    for options in (
        {"early_stopping": True, "n_iter_no_change": 2},
        {"label_shift": "estimate"},
        {"conditioning": "multilinear", "target_information": 0.1, "n_members": 2},
        {"feature_extractor": torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.ReLU())},
    ):
        clf = DANNClassifier(lambda_max=1.0, input_scaling="domain", **QUICK, **options)
        assert np.isfinite(clf.fit(X, y, X_tgt, source_domain=where).predict_proba(X_tgt)).all()


def test_a_report_needs_the_targets_only(hospitals):
    X, y, where, X_tgt, _ = hospitals
    clf = DANNClassifier(lambda_max=1.0, input_scaling="source", **QUICK)
    clf.fit(X, y, X_tgt, source_domain=where)
    assert adaptation_report(clf, X, y, X_tgt).n_rows["source"] == 300
