"""Calls that follow one another, choices, groups: what takes effect and what is refused.

Each test is a fault that once passed without a word between the parameters and the training.
"""

import copy
import math
from collections import Counter

import numpy as np
import pytest
from sklearn.model_selection import GroupKFold
from skorch.callbacks import Callback
from torch import nn
from watched_modules import Built, InterruptingSchedule

from skdann import DANNClassifier, DANNClassifierCV, SourceOnlyWarning, TargetScaleWarning
from skdann.metrics import ReverseValidation

FAST = {"max_epochs": 2, "hidden_layer_sizes": (10,), "random_state": 0}


def dann(**parameters):
    return DANNClassifier(**{**FAST, "lambda_max": 1.0, **parameters})


class Trainings(Callback):
    """Counts the trainings that it was part of."""

    count = 0

    def on_train_begin(self, net, **kwargs):
        Trainings.count += 1


# -- partial_fit -----------------------------------------------------------------------------


def schedule_of(chunks, total_rows, **parameters):
    """Return lambda at the end of each chunk, where it is the progress itself."""
    rng = np.random.default_rng(0)
    streamed = dann(lambda_schedule=lambda p: p, batch_size=64, **parameters)
    for n_rows in chunks:
        X, y = rng.normal(size=(n_rows, 2)), np.arange(n_rows) % 2
        streamed.partial_fit(X, y, X + 1, classes=[0, 1], total_rows=total_rows)
    return [row["lambda"] for row in streamed.history_]


@pytest.mark.parametrize(
    "chunks", [[65] * 40, [10, 640, 640, 640, 640], [640, 640, 640, 640, 10], [1, 3, 500, 2000, 64]]
)
def test_lambda_follows_the_rows_that_have_come_however_they_are_cut(chunks):
    lambdas = schedule_of(chunks, sum(chunks))
    rows = np.cumsum(chunks) / sum(chunks)
    # The record has a chunk's last step, whose rows have not yet come.
    np.testing.assert_allclose(lambdas, rows, atol=0.06)
    assert lambdas == sorted(lambdas)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hidden_layer_sizes", (7,)),
        ("activation", "tanh"),
        ("conditioning", "multilinear"),
        ("input_scaling", "domain"),
        ("optimizer", "sgd"),
        ("n_members", 2),
        ("label_predictor", nn.Linear),
        ("domain_classifier", nn.Linear),
        ("feature_extractor", nn.Identity),
    ],
)
def test_partial_fit_refuses_what_the_network_at_hand_can_not_follow(blobs, name, value):
    streamed = dann().partial_fit(*blobs)
    before = streamed.predict_proba(blobs[0])
    streamed.set_params(**{name: value})
    with pytest.raises(ValueError, match=name):
        streamed.partial_fit(*blobs)
    np.testing.assert_array_equal(streamed.predict_proba(blobs[0]), before)
    assert streamed.n_iter_ == 1


@pytest.mark.parametrize(
    ("changes", "column", "value"),
    [
        ({"lambda_max": 0.25}, "lambda", 0.25),
        ({"lr": 0.03}, "lr", 0.03),
        ({"lambda_schedule": lambda p: 0.5}, "lambda", 0.5),
        ({"lr_schedule": lambda p: 0.5}, "lr", 0.0005),
    ],
    ids=["lambda_max", "lr", "lambda_schedule", "lr_schedule"],
)
def test_partial_fit_follows_what_is_changed_between_calls(blobs, changes, column, value):
    streamed = dann(lambda_schedule="constant").partial_fit(*blobs)
    streamed.set_params(**changes).partial_fit(*blobs)
    assert streamed.history_[0][column] != pytest.approx(value)
    assert streamed.history_[1][column] == pytest.approx(value)
    if "lambda_max" in changes:
        assert streamed.lambda_max_ == value


@pytest.mark.parametrize("changes", [{"weight_decay": 0.5}, {"target_information": 5.0}])
def test_partial_fit_trains_with_what_is_changed_between_calls(blobs, changes):
    same, changed = (dann(lambda_schedule="constant").partial_fit(*blobs) for _ in range(2))
    changed.set_params(**changes)
    predictions = [one.partial_fit(*blobs).predict_proba(blobs[2]) for one in (same, changed)]
    assert not np.allclose(*predictions, atol=1e-5)


def test_partial_fit_calls_the_callbacks_and_shows_the_bar_that_are_set_between_calls(
    blobs, capsys
):
    Trainings.count = 0
    streamed = dann().partial_fit(*blobs)
    streamed.set_params(callbacks=[Trainings()], verbose=1).partial_fit(*blobs)
    assert Trainings.count == 1
    assert "label_loss" in capsys.readouterr().err


def test_partial_fit_refuses_other_classes_than_those_of_the_first_call(blobs):
    streamed = dann().partial_fit(*blobs)
    with pytest.raises(ValueError, match="classes"):
        streamed.partial_fit(*blobs, classes=[0, 1, 2, 3])
    assert streamed.partial_fit(*blobs, classes=[2, 1, 0]).n_iter_ == 2


# -- warm start ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hidden_layer_sizes", (7,)),
        ("activation", "tanh"),
        ("dropout", 0.9),
        ("conditioning", "multilinear"),
        ("label_predictor", (4,)),
        ("domain_classifier", (4,)),
        ("feature_extractor", nn.Identity),
        ("n_members", 2),
    ],
)
def test_a_warm_start_refuses_another_network(blobs, name, value):
    fitted = dann(warm_start=True).fit(*blobs)
    before = fitted.predict_proba(blobs[0])
    fitted.set_params(**{name: value})
    with pytest.raises(ValueError, match=name):
        fitted.fit(*blobs)
    np.testing.assert_array_equal(fitted.predict_proba(blobs[0]), before)


def test_a_warm_start_goes_on_where_equal_sizes_are_written_in_another_way(blobs):
    fitted = dann(warm_start=True, hidden_layer_sizes=10).fit(*blobs)
    for sizes in ((10,), [10]):
        fitted.set_params(hidden_layer_sizes=sizes).fit(*blobs)


@pytest.mark.parametrize("first", ["fit", "partial_fit"])
def test_a_warm_start_chooses_where_the_fit_before_it_had_nothing_to_choose(blobs, first):
    X, y, X_tgt = blobs
    fitted = DANNClassifier(warm_start=True, **FAST)
    with pytest.warns(SourceOnlyWarning):
        getattr(fitted, first)(X, y)
    fitted.fit(X, y, X_tgt)
    assert fitted.verdict_ and isinstance(fitted.adapted_, bool)
    assert fitted.lambda_max_ in (0, 0.1, 1) and (fitted.lambda_max_ > 0) <= fitted.adapted_


def test_a_warm_start_with_fewer_targets_keeps_the_outputs_of_the_others(blobs):
    X, y, X_tgt = blobs
    fitted = dann(warm_start=True).fit(X, y, (X_tgt, X_tgt + 1))
    assert fitted.fit(X, y, X_tgt).n_domains_ == 3
    assert fitted.fit(X, y, (X_tgt, X_tgt + 1)).n_domains_ == 3


# -- choosing --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda settings: DANNClassifier(**settings),
        lambda settings: DANNClassifierCV(
            [1.0],
            ["source"],
            param_grid={"hidden_layer_sizes": [(5,), (6,)]},
            estimator=DANNClassifier(**settings),
            cv=2,
        ),
    ],
    ids=["auto", "one-candidate-a-size"],
)
def test_ctrl_c_while_choosing_ends_the_fit(blobs, make):
    chooser = make({**FAST, "max_epochs": 5, "lambda_schedule": InterruptingSchedule(6)})
    with pytest.raises(KeyboardInterrupt):
        chooser.fit(*blobs)
    assert not hasattr(chooser, "classes_")


def test_candidates_train_a_module_of_the_users_in_training_mode(blobs):
    built = Built()
    DANNClassifier(**FAST, feature_extractor=built).fit(*blobs)
    assert [one.modes for one in built.extractors] == 4 * [{True}]  # three candidates, the last fit


def drifted(seed, n_rows=400):
    """Two classes that overlap, half and half in the source, one to nine in the target."""
    rng = np.random.default_rng(seed)
    y, y_tgt = np.arange(n_rows) % 2, (rng.uniform(size=n_rows) > 0.1).astype(int)
    X, X_tgt = (rng.normal(size=(n_rows, 2)) + 2 * of[:, None] for of in (y, y_tgt))
    return X, y, X_tgt


def test_the_way_back_leads_to_the_shares_of_the_source():
    accuracies = []
    for seed in range(3):
        X, y, X_tgt = drifted(seed)
        fitted = dann(label_shift=[0.1, 0.9], lr=0.01, max_epochs=9).fit(X, y, X_tgt)
        accuracies.append([ReverseValidation()(fitted, X, y, X_tgt)])
        for shares in ([0.5, 0.5], [0.1, 0.9]):  # of the source, and of the target
            back = copy.deepcopy(fitted).set_params(warm_start=True, max_epochs=3)
            back.set_params(label_shift=shares).fit(X_tgt, fitted.predict(X_tgt), X)
            accuracies[-1].append(back.score(X, y))
    got, of_source, of_target = np.mean(accuracies, axis=0)
    assert of_source - of_target > 0.02
    assert got == pytest.approx(of_source, abs=0.02)


def test_candidates_on_the_same_rows_share_an_estimate():
    built = Built()
    X, y, X_tgt = drifted(0, n_rows=90)
    settings = {**FAST, "label_shift": "estimate", "feature_extractor": built}
    DANNClassifier(**settings).fit(X, y, X_tgt)
    n_estimates = (len(built.extractors) - 3 - 1) / 2  # besides three candidates and the last fit
    assert n_estimates <= 1 + 3 + 1  # the way there, three ways back, the last fit


def test_candidates_that_learn_differently_estimate_the_shares_by_themselves():
    X, y, X_tgt = drifted(0)
    estimator = dann(label_shift="estimate", lr=0.01)
    settings = {"cv": [(np.arange(300), np.arange(300, 400))], "random_state": 0}
    grid = {"max_epochs": [1, 30]}
    together = DANNClassifierCV([1], ["source"], param_grid=grid, estimator=estimator, **settings)
    alone = DANNClassifierCV(
        [1], ["source"], param_grid={"max_epochs": [30]}, estimator=estimator, **settings
    )
    together, alone = (one.fit(X, y, X_tgt).cv_results_ for one in (together, alone))
    of_30 = [i for i, params in enumerate(together["params"]) if params["max_epochs"] == 30]
    for name in ("mean_test_source_accuracy", "mean_test_info_max"):
        np.testing.assert_allclose(together[name][of_30], alone[name], atol=2e-3)


def test_without_adaptation_nothing_is_learned_from_the_target(blobs):
    X, y, X_tgt = blobs
    auto = DANNClassifier(target_information=0.5, input_scaling="source", **FAST)
    auto.fit(X, y, X_tgt[:1])  # a single row leads back to a single class: nothing beats that
    assert not auto.adapted_ and auto.lambda_max_ == 0
    alone = dann(lambda_max=0, input_scaling="source").fit(X, y, X_tgt)
    np.testing.assert_array_equal(auto.predict_proba(X), alone.predict_proba(X))


def test_weights_of_zero_for_all_rows_held_out_are_no_division_by_zero(blobs):
    X, y, X_tgt = blobs
    held_out = np.arange(30)
    weight = np.ones(90)
    weight[held_out] = 0
    settings = {"cv": [(np.arange(30, 90), held_out)], "estimator": dann(), "random_state": 0}
    fitted = DANNClassifierCV([0, 1], ["source"], **settings)
    fitted.fit(X, y, X_tgt, sample_weight=weight)
    assert np.isfinite(fitted.cv_results_["mean_test_reverse_validation"]).all()


@pytest.mark.parametrize("scoring", ["info_max", "confidence"])
def test_an_ensemble_has_all_that_beat_the_baseline_whatever_the_scoring(tilted_digits, scoring):
    X, y, X_tgt, _ = tilted_digits
    settings = {"scoring": scoring, "refit": "ensemble", "cv": 2, "random_state": 0}
    quick = DANNClassifier(max_epochs=10, lr=0.01)
    search = DANNClassifierCV([0, 1], ["source", "domain"], estimator=quick, **settings)
    fitted = search.fit(X, y, X_tgt)
    n_better = fitted.cv_results_["passes"].sum()
    assert fitted.best_estimator_.n_members == n_better > 1


def test_an_ensemble_says_why_it_can_not_train_on(tilted_digits):
    X, y, X_tgt, _ = tilted_digits
    quick = DANNClassifier(max_epochs=10, lr=0.01)
    settings = {"refit": "ensemble", "cv": 2, "random_state": 0, "estimator": quick}
    fitted = DANNClassifierCV([0, 1], ["source", "domain"], **settings).fit(X, y, X_tgt)
    assert fitted.best_estimator_.n_members > 1
    with pytest.raises((ValueError, AttributeError, NotImplementedError), match="ensemble"):
        fitted.best_estimator_.partial_fit(X, y, X_tgt)


# -- candidates that are given ---------------------------------------------------------------


def test_lambda_is_chosen_from_the_values_that_are_given(tilted_digits):
    X, y, X_tgt, _ = tilted_digits
    settings = {"input_scaling": "domain", "random_state": 0, "max_epochs": 10, "lr": 0.01}
    built = Built()
    fitted = DANNClassifier(lambda_max=(0, 0.3), **settings).fit(X, y, X_tgt)
    assert fitted.lambda_max_ in (0, 0.3) and fitted.verdict_
    assert fitted.get_params()["lambda_max"] == (0, 0.3)
    settings["input_scaling"] = "auto"
    DANNClassifier(lambda_max=(0, 0.3, 1, 2), feature_extractor=built, **settings).fit(X, y, X_tgt)
    assert len(built.extractors) == 4 + 1


@pytest.mark.parametrize("lambda_max", ["auto", (0, 1)])
def test_the_scaling_is_chosen_from_those_that_are_given(tilted_digits, lambda_max):
    X, y, X_tgt, _ = tilted_digits
    settings = {"random_state": 0, "max_epochs": 10, "lr": 0.01, "lambda_max": lambda_max}
    fitted = DANNClassifier(input_scaling=("source", "both"), **settings).fit(X, y, X_tgt)
    assert fitted.input_scaling_ in ("source", "both")
    assert "domain" not in fitted.verdict_.split(":")[0]


def test_scalings_to_choose_from_need_lambdas_to_choose_from(blobs):
    given = DANNClassifier(input_scaling=("source", "both"), lambda_max=0.5, **FAST)
    with pytest.raises(
        ValueError, match=r"(?s)input_scaling.*lambda_max|lambda_max.*input_scaling"
    ):
        given.fit(*blobs)


# -- DANNClassifierCV ------------------------------------------------------------------------


def test_the_results_have_the_names_of_scikit_learns_searches(blobs):
    search = DANNClassifierCV([0, 1], ["source"], estimator=dann(), cv=2, random_state=0)
    results = search.fit(*blobs).cv_results_
    for name in ("reverse_validation", "source_accuracy", "info_max", "confidence", "agreement"):
        splits = np.stack([results[f"split{i}_test_{name}"] for i in range(2)])
        np.testing.assert_allclose(results[f"mean_test_{name}"], splits.mean(axis=0))
        np.testing.assert_allclose(results[f"std_test_{name}"], splits.std(axis=0))
        ranks = results[f"rank_test_{name}"]
        assert ranks.dtype.kind == "i" and ranks.min() == 1
        assert ranks[np.argmax(results[f"mean_test_{name}"])] == 1
    assert {"params", "param_lambda_max", "param_input_scaling"} <= results.keys()


def test_the_search_warns_of_a_target_on_another_scale_as_the_classifier_does(blobs):
    X, y, X_tgt = blobs
    search = DANNClassifierCV([0, 1], ["source"], estimator=dann(), cv=2)
    for one in (dann(), search):
        with pytest.warns(TargetScaleWarning):
            one.fit(X, y, 1000 * X_tgt)


def test_callbacks_of_the_searchs_estimator_take_part_in_the_last_fit_only(blobs):
    Trainings.count = 0
    estimator = dann(callbacks=[Trainings()])
    DANNClassifierCV([0, 1], ["source"], estimator=estimator, cv=2).fit(*blobs)
    assert Trainings.count == 1


# -- groups ----------------------------------------------------------------------------------


@pytest.fixture
def grouped():
    """Rows of twelve groups of one to thirty rows; the first column is the group's number."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(12), [30, 1, 9, 14, 2, 8, 12, 20, 3, 4, 10, 7])
    X = rng.normal(size=(len(groups), 3))
    X[:, 0] = groups
    y = rng.integers(2, size=len(groups))
    return X, y, np.full((50, 3), -1.0), groups


def groups_trained_on(extractor, groups):
    """Return the groups in a network's first step, each of which must be there in full."""
    sizes = Counter(groups.tolist())
    step = {int(g): n for g, n in extractor.steps[0].items() if g >= 0}
    assert all(n == sizes[group] for group, n in step.items())
    return set(step)


def watched(**parameters):
    built = Built()
    settings = {**FAST, "max_epochs": 1, "batch_size": 1000}
    return built, DANNClassifier(**{**settings, "feature_extractor": built, **parameters})


def test_groups_stay_whole_in_the_rows_held_out_for_the_choice(grouped):
    *rows, groups = grouped
    built, auto = watched()
    auto.fit(*rows, groups=groups)
    for extractor in built.extractors[:3]:
        assert 0 < len(groups_trained_on(extractor, groups)) < 12
    assert groups_trained_on(built.extractors[3], groups) == set(range(12))


def test_groups_stay_whole_in_the_rows_held_out_for_early_stopping(grouped):
    *rows, groups = grouped
    settings = {"early_stopping": True, "validation_fraction": 0.2}
    built, stopping = watched(lambda_max=0, **settings)
    stopping.fit(*rows, groups=groups)
    assert 0 < len(groups_trained_on(built.extractors[0], groups)) < 12


def test_groups_stay_whole_in_the_folds_of_a_search(grouped):
    *rows, groups = grouped
    built, estimator = watched()
    search = DANNClassifierCV([0], estimator=estimator, cv=GroupKFold(3), random_state=0)
    search.fit(*rows, groups=groups)
    assert search.n_splits_ == 3
    folds = [groups_trained_on(one, groups) for one in built.extractors[:3]]
    assert all(0 < len(of_fold) < 12 for of_fold in folds)
    held_out = [set(range(12)) - of_fold for of_fold in folds]
    assert sorted(group for one in held_out for group in one) == list(range(12))


# -- rows ------------------------------------------------------------------------------------


def test_dates_in_an_array_are_named(blobs):
    dates = np.array(["2020-01-01"] * 90, dtype="datetime64[D]")[:, None]
    with pytest.raises(ValueError, match="date"):
        dann().fit(dates, blobs[1], dates)


def test_rows_of_a_class_that_is_not_in_the_target_count_in_no_loss_held_out(blobs):
    X, y, X_tgt = blobs
    moved = X + (y == 2)[:, None]
    settings = {"early_stopping": True, "validation_fraction": 0.4, "label_shift": [0.5, 0.5, 0]}
    histories = [dann(**settings).fit(rows, y, X_tgt).history_ for rows in (X, moved)]
    for name in ("label_loss", "domain_loss", "valid_label_loss", "valid_domain_loss"):
        of_both = [[row[name] for row in history] for history in histories]
        np.testing.assert_allclose(*of_both, rtol=1e-5, err_msg=name)


def stops_after(figures, patience):
    """Return the epoch in which training stops that is to keep the lowest figure."""
    best, waited = math.inf, 0
    for epoch, figure in enumerate(figures, start=1):
        if figure < best - 1e-4:
            best, waited = figure, 0
        else:
            waited += 1
        if waited == patience:
            return epoch
    return len(figures)


def test_early_stopping_with_several_targets_counts_the_domain_loss_up_to_a_guess(blobs):
    X, y, X_tgt = blobs
    targets = (X_tgt, X_tgt + 3, X_tgt - 3)
    settings = {"early_stopping": True, "max_epochs": 30, "lr": 0.01}
    whole = dann(**settings, n_iter_no_change=30).fit(X, y, targets).history_
    losses = [(row["valid_label_loss"], row["valid_domain_loss"]) for row in whole]
    label, domain = np.transpose(losses)
    # A guess is sure by half of the source, and by a sixth of each of three targets.
    right, too_low = (
        stops_after(label - np.minimum(domain, guess), patience=4)
        for guess in ((math.log(2) + math.log(6)) / 2, math.log(2))
    )
    assert dann(**settings, n_iter_no_change=4).fit(X, y, targets).n_iter_ == right != too_low
