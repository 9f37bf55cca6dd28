"""The safe choice: by arrays, by a search, and the same whoever passes the target."""

import types

import numpy as np
import pytest
import sklearn
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, RandomizedSearchCV
from sklearn.preprocessing import StandardScaler

from skdann import DANNClassifier, DANNClassifierCV
from skdann._choosing.calibration import calibrated
from skdann._choosing.cross_fit import FoldResult
from skdann._choosing.gain_model import (
    LEARNED,
    LEAST_BOUND,
    LEAST_GAIN,
    SEARCH_GAIN,
    SEARCH_LEAST_GAIN,
    GainModel,
    evidence,
)
from skdann._choosing.rule import choose_from_pool, choose_from_search
from skdann._choosing.signals import SIGNALS, Signals, pool_signals
from skdann.metrics import EntropyScorer, InfoMaxScorer, ReverseValidation
from skdann.model_selection import DomainKFold, adaptation_scoring, choose_adaptation
from skdann.pipeline import make_dann_pipeline

GRID = {
    "dannclassifier__lambda_max": [0, 1],
    "dannclassifier__input_scaling": ["source", "domain"],
}


def chosen(accuracy, information, confidence=None, baseline=0):
    means = {"reverse_validation": np.array(accuracy), "info_max": np.array(information)}
    means["confidence"] = np.zeros(len(accuracy)) if confidence is None else np.array(confidence)
    return choose_from_search(means, baseline)


def test_the_candidate_of_a_search_with_the_most_expected_gain_is_chosen():
    assert chosen([0.8, 0.8, 0.8], [0.3, 0.3, 0.3]).ranking == [0]
    choice = chosen([0.6, 0.9, 0.95, 0.85], [0.3, 0.5, 0.6, 0.45])
    assert choice.ranking == [2, 1, 3]
    assert choice.passes.tolist() == [False, True, True, True]


@pytest.mark.parametrize("name", SEARCH_GAIN)
def test_every_signal_of_a_search_counts(name):
    for less, index in ((1e-6, 0), (-1e-6, 1)):
        means = {other: np.array([0.5, 0.5]) for other in SEARCH_GAIN}
        means[name] = np.array([0.5, 0.5 + SEARCH_LEAST_GAIN / SEARCH_GAIN[name] - less])
        assert choose_from_search(means, 0).index == index


def test_candidates_without_a_score_are_never_chosen():
    assert chosen([0.5, np.nan], [0.5, 0.9]).index == 0
    assert chosen([np.nan, 0.9], [np.nan, 0.9]).index == 0


def test_the_baseline_may_stand_anywhere():
    assert chosen([0.9, 0.3], [0.9, 0.4], baseline=1).index == 0
    assert chosen([0.8, 0.8], [0.4, 0.4], baseline=1).index == 1


# -- in a pool -------------------------------------------------------------------------------

SURE, UNSURE = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[0.5, 0.5], [0.5, 0.5]])
RIGHT, WRONG = np.array([[0.9, 0.1]]), np.array([[0.2, 0.8]])


def signals_of(results, n_folds, weight=None):
    data = types.SimpleNamespace(
        y_target=None,
        y_source=np.zeros(n_folds, dtype=int),
        domain_weight=weight,
        classes=np.array([0, 1]),
    )
    return pool_signals(results, data, [(None, np.array([i])) for i in range(n_folds)])


def test_the_signals_of_a_pool_by_hand():
    """Two candidates, two target rows, one held-out row in each of two folds."""
    signals = signals_of(
        [
            [FoldResult(WRONG, UNSURE, WRONG), FoldResult(RIGHT, UNSURE, WRONG)],
            [FoldResult(RIGHT, SURE, WRONG), FoldResult(RIGHT, SURE, RIGHT)],
        ],
        n_folds=2,
    )
    scores = signals.of_fold
    assert scores["reverse_validation"].tolist() == [[0, 0], [0, 1]]
    assert scores["source_accuracy"].tolist() == [[0, 1], [1, 1]]
    np.testing.assert_allclose(scores["info_max"], np.log([[1, 1], [2, 2]]), atol=1e-9)
    np.testing.assert_allclose(scores["confidence"], np.log([[0.5, 0.5], [1, 1]]), atol=1e-9)
    # The pool's mean is (.75, .25) and (.25, .75).
    np.testing.assert_allclose(scores["agreement"], [[0.5, 0.5], [0.75, 0.75]])
    # Row by row 0 and 1 more: mean 1/2, deviation 1/2, over the root of two rows.
    assert signals.gains["reverse_validation"][1] == 0.5
    assert signals.errors["reverse_validation"][1] == pytest.approx(0.5 / np.sqrt(2))
    np.testing.assert_allclose(signals.gains["info_max"], [0, np.log(2)], atol=1e-9)
    np.testing.assert_allclose(signals.errors["info_max"], 0, atol=1e-9)
    # The reverse network of the first candidate gives .2 to the true label in both folds.
    np.testing.assert_allclose(scores["reverse_probability"], [[0.2, 0.2], [0.2, 0.9]])
    np.testing.assert_allclose(signals.gains["reverse_probability"], [0, 0.35])


def test_weights_of_held_out_rows_count():
    one = FoldResult(RIGHT, SURE, RIGHT)
    two = types.SimpleNamespace(
        y_target=None,
        y_source=np.array([0, 1]),
        domain_weight=np.array([3.0, 1.0]),
        classes=np.array([0, 1]),
    )
    both = FoldResult(np.repeat(RIGHT, 2, axis=0), SURE, np.repeat(RIGHT, 2, axis=0))
    signals = pool_signals([[both], [both]], two, [(None, np.array([0, 1]))])
    assert signals.of_fold["source_accuracy"].tolist() == [[0.75], [0.75]]
    assert signals_of([[one]], 1).of_fold["source_accuracy"].tolist() == [[1.0]]


def some_signals(**gains):
    """Return signals of two candidates, the second with these gains, each of error .01."""
    gains = {name: np.array([0.0, gains.get(name, 0.0)]) for name in SIGNALS}
    return Signals({}, gains, {name: np.array([0.0, 0.01]) for name in SIGNALS})


def test_who_does_as_well_by_all_evidence_is_expected_to_gain_nothing():
    pieces = evidence(some_signals())
    np.testing.assert_array_equal(LEARNED.expected_gain(pieces), 0)
    assert choose_from_pool(some_signals()).ranking == [0]


@pytest.mark.parametrize("name", ["reverse_probability", "reverse_validation", "agreement"])
def test_no_evidence_counts_against_a_candidate_that_has_more_of_it(name):
    worse, better = (LEARNED.expected_gain(evidence(some_signals(**{name: g}))) for g in (-1, 1))
    assert worse[1] <= 0 <= better[1] and worse[1] < better[1]


def test_all_weights_are_at_least_zero_and_the_constant_at_most():
    assert min([*LEARNED.expected.values(), *LEARNED.bound.values()]) >= 0 >= LEARNED.constant


def test_the_pieces_of_evidence_by_hand():
    pieces = evidence(
        some_signals(reverse_probability=0.03, reverse_validation=0.1, info_max=0.08, agreement=0.2)
    )
    # A gain of .03 with a standard error of .01 counts .02.
    for name, counts in (("probability", 0.02), ("validation", 0.09)):
        assert pieces[f"reverse_{name}"][1] == pytest.approx(counts)
    assert pieces["agreement"][1] == pytest.approx(0.19)
    assert pieces["sure_information"][1] == pytest.approx(np.tanh(8 / 8))
    assert pieces["sure_of_all"][1] == pytest.approx(np.tanh(3 / 3))
    assert all(values[0] == 0 for values in pieces.values())


@pytest.mark.parametrize("gain", [0.009, -0.009])
def test_a_gain_within_its_standard_error_counts_for_nothing(gain):
    names = "reverse_probability", "reverse_validation", "agreement"
    pieces = evidence(some_signals(**dict.fromkeys(names, gain)))
    assert [pieces[name][1] for name in names] == [0, 0, 0]
    pieces = evidence(some_signals(**dict.fromkeys(names, 3 * gain)))
    assert [np.sign(pieces[name][1]) for name in names] == [np.sign(gain)] * 3


@pytest.mark.parametrize("which", ["expected", "bound"])
def test_both_thresholds_must_be_passed(which):
    signals = some_signals(agreement=0.5)
    for less, index in ((1e-6, 0), (-1e-6, 1)):
        weights = {name: dict.fromkeys(LEARNED.expected, 0.0) for name in ("expected", "bound")}
        enough = {"expected": LEAST_GAIN, "bound": LEAST_BOUND + 1}
        for name, of in weights.items():
            of["agreement"] = (enough[name] - (less if name == which else -0.1)) / 0.49
        model = GainModel(**weights, constant=-1.0)
        assert choose_from_pool(signals, model).index == index


def test_the_pool_ranks_by_expected_gain():
    gains = {name: np.array([0, 0.3, 0.5, 0.4]) for name in SIGNALS}
    signals = Signals({}, gains, {name: np.full(4, 0.01) for name in SIGNALS})
    choice = choose_from_pool(signals)
    assert choice.ranking == [2, 3, 1] and not choice.passes[0]


def test_calibration_makes_the_overconfident_comparable():
    """Two candidates that know the same, one of which is always nearly certain."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 400)
    right = rng.random(400) < 0.8
    said = np.where(right, y, 1 - y)
    results = []
    for sure in (0.8, 0.999):
        proba = np.where(np.arange(2) == said[:, None], sure, 1 - sure)
        results.append([FoldResult(proba, proba, proba)])
    data = types.SimpleNamespace(
        y_source=y, y_target=None, domain_weight=None, classes=np.array([0, 1])
    )
    folds = [(None, np.arange(400))]
    before = pool_signals(results, data, folds)
    after = pool_signals(calibrated(results, data, folds), data, folds)
    assert before.gains["info_max"][1] > 0.4
    for name in SIGNALS:
        assert abs(after.gains[name][1]) < 0.01
        if name != "agreement":  # which is with the mean of both
            assert after.of_fold[name][0, 0] == pytest.approx(before.of_fold[name][0, 0], abs=0.02)
    assert after.of_fold["source_accuracy"][1] == before.of_fold["source_accuracy"][1]


# -- in searches -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def other_units():
    """Target rows in a larger unit, from another zero: every fold is for "domain"."""
    rng = np.random.default_rng(0)
    y, y_tgt = np.arange(120) % 3, np.arange(180) % 3
    X, X_tgt = (rng.normal(size=(len(of), 5)) + 3 * np.eye(5)[of] for of in (y, y_tgt))
    return X, y, 0.3 * X_tgt - 1


SHORT = {"max_epochs": 8, "lr": 0.03, "hidden_layer_sizes": (16,), "random_state": 0}


def searching(X_tgt=None, kind=GridSearchCV, **settings):
    pipe = make_dann_pipeline(StandardScaler(), **SHORT)
    settings = {"scoring": adaptation_scoring(X_tgt), "refit": choose_adaptation, **settings}
    return kind(pipe, GRID, **{"cv": 2, "error_score": "raise", **settings})


@pytest.mark.parametrize("n_target", [90, 120, 180])
def test_the_choice_is_the_same_with_and_without_routing(other_units, n_target):
    X, y, X_tgt = other_units
    target = X_tgt[:n_target]
    without = searching((target,)).fit(X, y, X_tgt=(target,))
    with sklearn.config_context(enable_metadata_routing=True):
        routed = searching().fit(X, y, X_tgt=(target,))
    for name in SEARCH_GAIN:
        ours, theirs = (one.cv_results_[f"mean_test_{name}"] for one in (without, routed))
        np.testing.assert_allclose(ours, theirs)
    assert without.best_params_ == routed.best_params_
    assert without.best_params_["dannclassifier__input_scaling"] == "domain"


@pytest.mark.parametrize(
    ("scoring", "scorer"),
    [
        ("reverse_validation", ReverseValidation),
        ("info_max", InfoMaxScorer),
        ("confidence", EntropyScorer),
    ],
)
def test_the_cross_validated_classifier_chooses_as_a_search_by_the_same_score(
    other_units, scoring, scorer
):
    X, y, X_tgt = other_units
    estimator = DANNClassifier(lambda_max=1.0, **SHORT)
    scalings = GRID["dannclassifier__input_scaling"]
    settings = {"estimator": estimator, "cv": 2, "scoring": scoring}
    pool = DANNClassifierCV([0, 1], scalings, **settings).fit(X, y, X_tgt)
    grid = {name.split("__")[1]: values for name, values in GRID.items()}
    search = GridSearchCV(estimator, grid, cv=2, scoring=scorer(X_tgt=X_tgt), refit=False)
    search.fit(X, y, X_tgt=(X_tgt,))
    assert pool.best_params_ == search.best_params_
    np.testing.assert_allclose(
        pool.cv_results_[f"mean_test_{scoring}"], search.cv_results_["mean_test_score"], atol=0.02
    )


def test_a_random_search_over_the_whole_grid_chooses_as_the_grid_search(other_units):
    X, y, X_tgt = other_units
    settings = {"kind": RandomizedSearchCV, "n_iter": 4, "random_state": 0}
    drawn = searching((X_tgt,), **settings).fit(X, y, X_tgt=(X_tgt,))
    assert drawn.best_params_ == searching((X_tgt,)).fit(X, y, X_tgt=(X_tgt,)).best_params_


def test_a_halving_search_scores_its_last_round_on_all_rows(other_units):
    X, y, X_tgt = other_units
    scoring = InfoMaxScorer(X_tgt=X_tgt)
    search = searching((X_tgt,), HalvingGridSearchCV, scoring=scoring, refit=True, min_resources=40)
    search.fit(X, y, X_tgt=(X_tgt,))
    assert search.n_resources_ == [40, 120]
    assert search.best_params_["dannclassifier__input_scaling"] == "domain"
    assert search.best_score_ == max(search.cv_results_["mean_test_score"][-2:])


def test_folds_of_both_domains_lead_to_the_same_choice(other_units):
    X, y, X_tgt = other_units
    folds = DomainKFold(2, random_state=0)
    with sklearn.config_context(enable_metadata_routing=True):
        search = searching(cv=folds).fit(X, y, X_tgt=folds.align_target(X, y, X_tgt))
    assert search.best_params_["dannclassifier__input_scaling"] == "domain"


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
