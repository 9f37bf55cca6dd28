"""The safe choice: by arrays, by a search, and the same whoever passes the target."""

import types

import numpy as np
import pytest
import sklearn
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, RandomizedSearchCV
from sklearn.preprocessing import StandardScaler

from skdann import DANNClassifier, DANNClassifierCV
from skdann._pool import FoldResult
from skdann._selection import POOL_RULE, SEARCH_RULE, Rule, choose_candidate, score_candidates
from skdann.datasets import make_tilted_digits
from skdann.metrics import InfoMaxScorer
from skdann.model_selection import DomainKFold, adaptation_scoring, choose_adaptation
from skdann.pipeline import make_dann_pipeline

GRID = {
    "dannclassifier__lambda_max": [0, 0.3, 1],
    "dannclassifier__input_scaling": ["source", "both", "domain"],
}


RULE = Rule({"one": 0.0, "other": 0.1}, rank_by="one")


def chosen(one, other, baseline=0):
    means = {"one": np.array(one), "other": np.array(other)}
    return choose_candidate(RULE, means, list("abcdef"), baseline)


def test_a_candidate_must_beat_the_baseline_by_all_signals():
    assert chosen([0.8, 0.9, 0.7, 0.9], [0.3, 0.2, 0.6, 0.3]).ranking == [0]
    assert chosen([0.8, 0.9, 0.7, 0.9], [0.3, 0.2, 0.6, 0.5]).ranking == [3]


def test_the_best_comes_first_among_those_that_beat_it():
    choice = chosen([0.8, 0.9, 0.95, 0.85], [0.3, 0.5, 0.6, 0.45])
    assert choice.ranking == [2, 1, 3]
    assert choice.beats.tolist() == [False, True, True, True]
    assert choice.reason.startswith("c replaces a: one +0.150, other +0.300; 3 of 6")


@pytest.mark.parametrize("rule", [POOL_RULE, SEARCH_RULE], ids=["pool", "search"])
def test_a_gain_within_the_margin_counts_for_nothing(rule):
    clear = {name: np.array([0.5, 0.9]) for name in rule.margins}
    assert choose_candidate(rule, clear, ["a", "b"]).index == 1
    for name, margin in rule.margins.items():
        for gain, index in ((margin - 1e-6, 0), (margin + 1e-6, 1)):
            means = {**clear, name: np.array([0.5, 0.5 + gain])}
            assert choose_candidate(rule, means, ["a", "b"]).index == index


def test_candidates_without_a_score_are_never_chosen():
    assert chosen([0.5, np.nan], [0.5, 0.9]).index == 0
    assert chosen([np.nan, 0.9], [np.nan, 0.9]).index == 0


def test_the_baseline_may_stand_anywhere():
    assert chosen([0.9, 0.8], [0.9, 0.4], baseline=1).index == 0
    assert chosen([0.8, 0.8], [0.9, 0.4], baseline=1).index == 1


def test_the_signals_of_a_pool_by_hand():
    """Two candidates, two target rows, one held-out row in each of two folds."""
    sure, unsure = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[0.5, 0.5], [0.5, 0.5]])
    right, wrong = np.array([[0.9, 0.1]]), np.array([[0.2, 0.8]])
    results = [
        [FoldResult(right, sure, wrong), FoldResult(right, sure, right)],
        [FoldResult(wrong, unsure, wrong), FoldResult(right, unsure, wrong)],
    ]
    data = types.SimpleNamespace(y_source=np.array([0, 0]), domain_weight=None)
    scores = score_candidates(results, data, [(None, np.array([0])), (None, np.array([1]))])
    assert scores["reverse_validation"].tolist() == [[0, 1], [0, 0]]
    assert scores["source_accuracy"].tolist() == [[1, 1], [0, 1]]
    np.testing.assert_allclose(scores["info_max"], np.log([[2, 2], [1, 1]]), atol=1e-9)
    np.testing.assert_allclose(scores["confidence"], np.log([[1, 1], [0.5, 0.5]]), atol=1e-9)
    # The pool's mean is (.75, .25) and (.25, .75).
    np.testing.assert_allclose(scores["agreement"], [[0.75, 0.75], [0.5, 0.5]])


# -- in searches -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits():
    return make_tilted_digits(n_source=200, random_state=0)[:3]


def searching(X_tgt=None, kind=GridSearchCV, **settings):
    pipe = make_dann_pipeline(StandardScaler(), max_epochs=40, random_state=0)
    settings = {"scoring": adaptation_scoring(X_tgt), "refit": choose_adaptation, **settings}
    return kind(pipe, GRID, **{"cv": 2, "error_score": "raise", **settings})


@pytest.mark.parametrize("n_target", [120, 200, 300])
def test_the_choice_is_the_same_with_and_without_routing(digits, n_target):
    X, y, X_tgt = digits
    target = X_tgt[:n_target]
    without = searching((target,)).fit(X, y, X_tgt=(target,))
    with sklearn.config_context(enable_metadata_routing=True):
        routed = searching().fit(X, y, X_tgt=(target,))
    for name in SEARCH_RULE.margins:
        ours, theirs = (one.cv_results_[f"mean_test_{name}"] for one in (without, routed))
        np.testing.assert_allclose(ours, theirs)
    assert without.best_params_ == routed.best_params_
    assert without.best_params_["dannclassifier__input_scaling"] == "domain"


def test_the_cross_validated_classifier_chooses_the_same(digits):
    X, y, X_tgt = digits
    estimator = DANNClassifier(max_epochs=40)
    pool = DANNClassifierCV([0, 0.3, 1], estimator=estimator, cv=2, random_state=0)
    scaled = StandardScaler().fit(X)
    pool.fit(scaled.transform(X), y, scaled.transform(X_tgt))
    by_search = searching((X_tgt,)).fit(X, y, X_tgt=(X_tgt,))
    for name, value in pool.best_params_.items():
        assert by_search.best_params_[f"dannclassifier__{name}"] == value


def test_other_searches_and_folds_of_both_domains(digits):
    X, y, X_tgt = digits
    settings = {"kind": RandomizedSearchCV, "n_iter": 9, "random_state": 0}
    assert searching((X_tgt,), **settings).fit(X, y, X_tgt=(X_tgt,)).best_index_ >= 0
    folds = DomainKFold(2, random_state=0)
    with sklearn.config_context(enable_metadata_routing=True):
        search = searching(cv=folds).fit(X, y, X_tgt=folds.align_target(X, y, X_tgt))
    assert search.best_params_["dannclassifier__input_scaling"] == "domain"
    search = searching(
        (X_tgt,), HalvingGridSearchCV, scoring=InfoMaxScorer(X_tgt=X_tgt), refit=True
    )
    search.fit(X, y, X_tgt=(X_tgt,)).predict(X_tgt)


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ({"params": [{}]}, "adaptation_scoring"),
        (
            {
                "params": [{"lambda_max": 1}],
                "mean_test_reverse_validation": [0.5],
                "mean_test_info_max": [0.5],
                "mean_test_confidence": [0.5],
            },
            "lambda_max=0",
        ),
    ],
)
def test_a_search_that_cannot_choose_says_what_is_missing(results, message):
    with pytest.raises(ValueError, match=message):
        choose_adaptation(results)
