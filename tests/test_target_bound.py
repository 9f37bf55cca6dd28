"""A target that is bound to an estimator, in every meta-estimator that takes a classifier."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy import sparse
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_selection import RFE, RFECV, SelectFromModel, SequentialFeatureSelector
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    TunedThresholdClassifierCV,
)
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.utils import estimator_checks

from skdann import DANNClassifier, DANNClassifierCV, TargetBound
from skdann._target_bound.matched_columns import matched_columns
from skdann.metrics import InfoMaxScorer, ReverseValidation
from skdann.model_selection import without_target
from skdann.pipeline import make_dann_pipeline

RNG = np.random.default_rng(0)
Y = np.arange(90) % 3
OFFSET = np.array([0, 3, 6, 9])
X = RNG.normal(size=(90, 4)) + Y[:, np.newaxis] + OFFSET
X_TGT = RNG.normal(size=(70, 4)) + OFFSET
NAMED, NAMED_TGT = (pd.DataFrame(rows, columns=list("abcd")) for rows in (X, X_TGT))


class Seen(DANNClassifier):
    """Notes the targets of its fits."""

    targets = []  # noqa: RUF012 - one list for all clones

    def fit(self, X, y, X_tgt=None, *, sample_weight=None, groups=None):
        Seen.targets.append((X, X_tgt))
        return super().fit(X, y, X_tgt, sample_weight=sample_weight, groups=groups)


@pytest.fixture(params=[False, True], ids=["routing off", "routing on"])
def routing(request):
    with sklearn.config_context(enable_metadata_routing=request.param):
        yield request.param


@pytest.fixture
def seen():
    Seen.targets.clear()
    yield Seen.targets
    Seen.targets.clear()


DANN = Seen(lambda_max=0.1, max_epochs=3, random_state=0)
BOUND, BOTH = DANN.with_target(X_TGT), DANN.with_target(X_TGT, X)
SEVERAL = np.c_[Y == 1, Y == 2].astype(int)
PARTLY = np.where(np.arange(90) % 4 == 0, -1, Y)


def equal(estimator):
    return np.arange(estimator.n_features_in_)


WORK = {
    "stacking": (StackingClassifier([("dann", BOUND)], cv=2), Y),
    "voting": (VotingClassifier([("dann", BOUND)], voting="soft"), Y),
    "bagging": (BaggingClassifier(BOUND, n_estimators=2), Y),
    "bagging of columns": (BaggingClassifier(BOTH, n_estimators=2, max_features=0.5), Y),
    "bagging, columns drawn": (BaggingClassifier(BOTH, n_estimators=2, bootstrap_features=True), Y),
    "boosting": (AdaBoostClassifier(BOUND, n_estimators=2, random_state=0), Y),
    "several outputs": (MultiOutputClassifier(BOUND), SEVERAL),
    "one vs rest": (OneVsRestClassifier(BOUND), Y),
    "one vs one": (OneVsOneClassifier(BOUND), Y),
    "output code": (OutputCodeClassifier(BOUND, random_state=0), Y),
    "selection": (SequentialFeatureSelector(BOTH, n_features_to_select=1, cv=2), Y),
    "elimination": (RFE(BOTH, importance_getter=equal), Y),
    "elimination in folds": (RFECV(BOTH, importance_getter=equal, cv=2), Y),
    "selection by importance": (SelectFromModel(BOUND, importance_getter=equal), Y),
    "self-training": (SelfTrainingClassifier(BOUND), PARTLY),
    "calibration": (CalibratedClassifierCV(BOUND, cv=2), Y),
    "tuned threshold": (TunedThresholdClassifierCV(BOUND, cv=2), Y > 0),
    "fixed threshold": (FixedThresholdClassifier(BOUND), Y > 0),
    "search": (GridSearchCV(BOUND, {"estimator__lr": [0.01, 0.1]}, cv=2), Y),
}


@pytest.mark.parametrize("name", WORK)
def test_every_fit_of_a_meta_estimator_adapts_to_the_columns_that_it_sees(routing, seen, name):
    meta, y = WORK[name]
    meta = clone(meta).fit(X, y)
    assert seen
    for rows, (target,) in seen:
        # Columns of X_TGT are told apart by their size: 0, 3, 6, 9.
        at = (np.median(target, axis=0) / 3).round().astype(int)
        assert len(target) == 70
        assert np.isin(rows[0], X).all() and rows.shape[1] == len(at)
        assert all(np.isin(rows[:, i], X[:, j]).all() for i, j in enumerate(at))
    if hasattr(meta, "predict"):
        assert len(meta.predict(X_TGT)) == 70
    # Its file: the rows are in the template, and can be left out.
    assert X_TGT.tobytes() in pickle.dumps(meta)
    lighter = pickle.loads(pickle.dumps(without_target(meta)))
    assert X_TGT.tobytes() not in pickle.dumps(lighter)
    if hasattr(meta, "predict"):
        np.testing.assert_array_equal(lighter.predict(X_TGT), meta.predict(X_TGT))


@pytest.mark.parametrize(
    ("meta", "y", "message"),
    [
        (ClassifierChain(BOUND), SEVERAL, "If columns were added"),
        (ClassifierChain(BOTH), SEVERAL, r"Columns \[4\] of X hold values that no column"),
        (BaggingClassifier(BOUND, max_features=0.5), Y, r"with_target\(X_tgt, X\)\. If columns"),
    ],
)
def test_what_can_not_work_says_why(meta, y, message):
    with pytest.raises(ValueError, match=message):
        meta.fit(X, y)


def test_a_bound_estimator_fits_as_with_the_target_in_fit():
    plain = DANN.fit(X, Y, X_TGT).predict_proba(X_TGT)
    bound = clone(BOUND).fit(X, Y)
    np.testing.assert_array_equal(bound.predict_proba(X_TGT), plain)
    np.testing.assert_array_equal(bound.classes_, DANN.classes_)
    assert bound.n_features_in_ == 4 and not hasattr(bound, "feature_names_in_")
    source = bound.decision_function(X, domain="source")
    np.testing.assert_array_equal(source, DANN.decision_function(X, domain="source"))
    weight = np.arange(90.0)
    DANN.fit(X, Y, X_TGT, sample_weight=weight)
    weighted = clone(BOUND).fit(X, Y, weight)
    np.testing.assert_array_equal(weighted.predict_log_proba(X), DANN.predict_log_proba(X))


@pytest.mark.parametrize("y", [Y > 0, Y])
def test_scores_that_need_no_labels_see_the_classifier_inside(y):
    bound, plain = clone(BOUND).fit(X, y), clone(DANN).fit(X, y, X_TGT)
    for scorer in InfoMaxScorer(), ReverseValidation():
        assert scorer(bound, X, y, X_TGT) == scorer(plain, X, y, X_TGT)


@pytest.mark.parametrize(
    "estimator",
    [
        DANNClassifierCV(lambdas=(0, 0.1), estimator=DANNClassifier(max_epochs=1), cv=2),
        make_dann_pipeline(StandardScaler(), lambda_max=(0, 0.1), max_epochs=1),
    ],
    ids=["DANNClassifierCV", "DANNPipeline"],
)
def test_what_else_has_a_target(estimator):
    bound = estimator.with_target(X_TGT).fit(X, Y)
    assert bound.adapted_ in (True, False) and isinstance(bound.verdict_, str)
    assert bound.predict(X_TGT).shape == (70,)


def test_clones_share_the_rows_and_nothing_prints_them():
    for other in clone(BOUND), copy.copy(BOUND), copy.deepcopy(BOUND):
        assert other.X_tgt is BOUND.X_tgt
    fitted = clone(BOUND).fit(X, Y)
    for other in clone(fitted), copy.copy(fitted), copy.deepcopy(fitted):
        assert other.X_tgt is BOUND.X_tgt
    assert "<70 rows>" in repr(BOUND) and len(repr(BOUND)) < 250
    assert len(BOUND._repr_html_()) - len(DANN._repr_html_()) < 20_000
    assert repr(DANN.with_target((X_TGT, X)).X_tgt) == "<70 + 90 rows>"


def test_a_file_of_a_fitted_one_has_no_rows():
    fitted = clone(BOTH).fit(X, Y)
    file = pickle.dumps(fitted)
    assert X_TGT.tobytes() not in file and X.tobytes() not in file
    loaded = pickle.loads(file)
    np.testing.assert_array_equal(loaded.predict_proba(X), fitted.predict_proba(X))
    assert "<70 rows, not kept>" in repr(loaded)
    with pytest.raises(ValueError, match="bind it anew"):
        clone(loaded).fit(X, Y)
    loaded.set_params(X_tgt=X_TGT).fit(X, Y)
    # For another process it has them.
    assert pickle.loads(pickle.dumps(BOTH)).fit(X, Y).n_features_in_ == 4


def test_columns_are_found_by_name(seen):
    bound = DANN.with_target((NAMED_TGT, NAMED_TGT[:9]))
    bound.fit(NAMED[["d", "b"]], Y)
    (_, (first, second)) = seen[0]
    pd.testing.assert_frame_equal(first, NAMED_TGT[["d", "b"]])
    assert second.shape == (9, 2)
    with pytest.raises(ValueError, match=r"lacks columns of X: \['e'\]"):
        bound.fit(NAMED.rename(columns={"a": "e"}), Y)


def test_columns_of_an_array_are_found_in_a_table(seen):
    meta = BaggingClassifier(DANN.with_target(NAMED_TGT, NAMED), max_features=2, n_estimators=1)
    meta.fit(NAMED, Y)
    (rows, (target,)) = seen[0]
    names = target.columns
    assert [np.isin(rows[:, i], NAMED[name]).all() for i, name in enumerate(names)] == [True, True]


def test_columns_with_few_values_are_found_row_by_row():
    source = np.c_[RNG.normal(size=60), RNG.integers(0, 2, size=(60, 3))]
    rows = RNG.integers(0, 60, size=50)
    assert matched_columns(source[rows][:, [0, 3, 1]], source) == [[0], [3], [1]]
    assert matched_columns(source[:, [2, 1]], source) == [[2], [1]]
    both = matched_columns(source[rows][:, [3, 1]], source)  # nothing to tell rows apart
    assert all({1, 2, 3} <= set(found) for found in both)
    with_gaps = np.where(source == source[7, 0], np.nan, source)
    assert matched_columns(with_gaps[:50][:, [2, 0]], with_gaps) == [[2], [0]]
    assert matched_columns(np.full((5, 1), 0.5), source) == [[]]


def test_columns_that_are_equal_in_the_source_only_are_refused():
    twice = np.c_[X, X[:, 0]]
    target = np.c_[X_TGT, X_TGT[:, 1]]
    bound = DANN.with_target(target, twice)
    with pytest.raises(ValueError, match="columns 0 and 4 of the bound source, which differ"):
        bound.fit(twice[:, [0, 1]], Y)
    DANN.with_target(np.c_[X_TGT, X_TGT[:, 0]], twice).fit(twice[:, [4, 1]], Y)


def test_what_can_not_be_bound_is_refused():
    with pytest.raises(ValueError, match="X_tgt=None"):
        DANN.with_target(None)
    with pytest.raises(ValueError, match="bind the target alone"):
        DANN.with_target(X_TGT, sparse.csr_array(X))
    with pytest.raises(ValueError, match="with the columns of X_tgt"):
        DANN.with_target(X_TGT, X[:, :2])
    rows = DANN.with_target(X_TGT.tolist()).fit(X.tolist(), Y).predict(X.tolist())
    assert rows.shape == (90,)
    DANN.with_target(sparse.csr_array(X_TGT)).fit(sparse.csr_array(X), Y)


@pytest.mark.parametrize(
    "check",
    [
        estimator_checks.check_estimator_cloneable,
        estimator_checks.check_estimator_repr,
        estimator_checks.check_valid_tag_types,
        estimator_checks.check_get_params_invariance,
        estimator_checks.check_set_params,
        estimator_checks.check_parameters_default_constructible,
        estimator_checks.check_no_attributes_set_in_init,
    ],
)
def test_checks_that_fit_nothing(check):
    """The others fit rows of any width, and a target has one."""
    check("TargetBound", clone(BOUND))


def test_an_estimator_that_is_not_fitted_says_so():
    with pytest.raises(sklearn.exceptions.NotFittedError):
        clone(BOUND).predict(X)
    assert not hasattr(TargetBound(LogisticRegression(), X_TGT), "transform")
    assert not hasattr(BOUND, "classes_")
