"""The safe choice: by arrays, by a search, and the same whoever passes the target."""

import numpy as np
import pytest
import sklearn
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, RandomizedSearchCV
from sklearn.preprocessing import StandardScaler

from skdann import DANNClassifier, DANNClassifierCV
from skdann._selection import MARGINS, choose_candidate
from skdann.datasets import make_tilted_digits
from skdann.metrics import InfoMaxScorer
from skdann.model_selection import DomainKFold, adaptation_scoring, choose_adaptation
from skdann.pipeline import make_dann_pipeline

GRID = {
    "dannclassifier__lambda_max": [0, 0.3, 1],
    "dannclassifier__input_scaling": ["source", "both", "domain"],
}


def chosen(reverse, information, baseline=0):
    means = {"reverse_validation": np.array(reverse), "info_max": np.array(information)}
    return choose_candidate(means, list("abcdef"), baseline)


def test_a_candidate_must_beat_the_baseline_on_both_scores():
    assert chosen([0.8, 0.9, 0.7, 0.9], [0.3, 0.2, 0.6, 0.3]).ranking == [0]
    assert chosen([0.8, 0.9, 0.7, 0.9], [0.3, 0.2, 0.6, 0.5]).ranking == [3]


def test_the_most_information_among_those_that_beat_it():
    choice = chosen([0.8, 0.9, 0.85, 0.95], [0.3, 0.5, 0.6, 0.4])
    assert choice.ranking == [2, 1, 3]
    assert choice.beats.tolist() == [False, True, True, True]
    assert "c replaces a: reverse validation +0.050, mutual information +0.300" in choice.reason


@pytest.mark.parametrize("name", MARGINS)
def test_a_gain_within_the_margin_counts_for_nothing(name):
    clear = {"reverse_validation": [0.5, 0.9], "info_max": [0.5, 0.9]}
    small = {**clear, name: [0.5, 0.5 + 0.9 * MARGINS[name]]}
    large = {**clear, name: [0.5, 0.5 + 1.1 * MARGINS[name]]}
    assert [chosen(*one.values()).index for one in (clear, small, large)] == [1, 0, 1]


def test_candidates_without_a_score_are_never_chosen():
    assert chosen([0.5, np.nan], [0.5, 0.9]).index == 0
    assert chosen([np.nan, 0.9], [np.nan, 0.9]).index == 0


def test_the_baseline_may_stand_anywhere():
    assert chosen([0.9, 0.8], [0.5, 0.4], baseline=1).index == 0
    assert chosen([0.8, 0.8], [0.5, 0.4], baseline=1).index == 1


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
    for name in MARGINS:
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
            },
            "lambda_max=0",
        ),
    ],
)
def test_a_search_that_cannot_choose_says_what_is_missing(results, message):
    with pytest.raises(ValueError, match=message):
        choose_adaptation(results)
