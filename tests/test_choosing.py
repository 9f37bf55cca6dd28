"""`lambda_max="auto"`: what is chosen without target labels, and that nothing else changes."""

import copy
import pickle
import warnings
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from sklearn.base import clone
from skorch.callbacks import Callback
from torch import nn

from skdann import DANNClassifier, DANNClassifierCV, SourceOnlyWarning
from skdann._choosing import choice
from skdann._choosing.cross_fit import cross_fit
from skdann._data.splits import stratified_folds

FAST = {"max_epochs": 5, "hidden_layer_sizes": (10,), "random_state": 0}

QUICK = {"max_epochs": 30, "lr": 0.004, "random_state": 0}


@pytest.fixture(scope="module")
def adapted(tilted_digits):
    return DANNClassifier(**QUICK).fit(*tilted_digits[:3])


# -- what is chosen --------------------------------------------------------------------------


def test_it_adapts_where_that_helps(adapted, tilted_digits):
    X, y, X_tgt, y_tgt = tilted_digits
    alone = DANNClassifier(lambda_max=0, **QUICK).fit(X, y, X_tgt)
    assert adapted.adapted_ and "replaces" in adapted.verdict_
    assert adapted.lambda_max_ > 0 and adapted.input_scaling_ == "balanced"
    assert adapted.score(X_tgt, y_tgt) > alone.score(X_tgt, y_tgt) + 0.2


def test_it_is_the_source_only_network_where_there_is_no_shift(blobs):
    X, y, _ = blobs
    auto = DANNClassifier(**FAST).fit(X[::2], y[::2], X[1::2])
    assert not auto.adapted_ and "trained on the source alone" in auto.verdict_
    assert auto.lambda_max_ == 0
    alone = DANNClassifier(lambda_max=0, **FAST).fit(X[::2], y[::2], X[1::2])
    np.testing.assert_array_equal(auto.predict_proba(X), alone.predict_proba(X))


def test_what_is_chosen_is_fitted_as_it_would_be_by_itself(adapted, tilted_digits):
    X, y, X_tgt, _ = tilted_digits
    settings = {name: getattr(adapted, f"{name}_") for name in ("lambda_max", "input_scaling")}
    given = DANNClassifier(**QUICK, **settings).fit(X, y, X_tgt)
    np.testing.assert_array_equal(adapted.predict_proba(X_tgt), given.predict_proba(X_tgt))
    assert settings.items() <= given.get_params().items()


def test_only_what_says_auto_is_chosen(blobs):
    fitted = DANNClassifier(input_scaling="both", **FAST).fit(*blobs)
    assert fitted.input_scaling_ == "both" and "input_scaling='both'" in fitted.verdict_
    given = DANNClassifier(lambda_max=0.5, **FAST).fit(*blobs)
    assert (given.lambda_max_, hasattr(given, "verdict_")) == (0.5, False)


class Trainings(Callback):
    """Counts the trainings that it was part of."""

    count = 0

    def on_train_begin(self, net, **kwargs):
        Trainings.count += 1


def test_callbacks_take_part_in_the_last_fit_only(blobs):
    Trainings.count = 0
    DANNClassifier(callbacks=[Trainings()], **FAST).fit(*blobs)
    assert Trainings.count == 1


def test_parameters_stay_as_they_were(adapted):
    assert adapted.get_params()["lambda_max"] == adapted.get_params()["input_scaling"] == "auto"
    assert clone(adapted).get_params() == DANNClassifier(**QUICK).get_params()


# -- the same again --------------------------------------------------------------------------


def test_equal_seeds_choose_the_same(adapted, tilted_digits):
    again = clone(adapted).fit(*tilted_digits[:3])
    assert again.verdict_ == adapted.verdict_
    np.testing.assert_array_equal(
        again.predict_proba(tilted_digits[2]), adapted.predict_proba(tilted_digits[2])
    )


def test_a_random_state_is_drawn_from_once(blobs):
    state, other = np.random.RandomState(3), np.random.RandomState(3)
    DANNClassifier(**{**FAST, "random_state": state}).fit(*blobs)
    other.randint(2**31 - 1)
    assert state.randint(100) == other.randint(100)


def test_target_rows_in_another_order_give_the_same_choice(adapted, tilted_digits):
    X, y, X_tgt, _ = tilted_digits
    turned = clone(adapted).fit(X, y, X_tgt[::-1])
    assert turned.adapted_ and turned.input_scaling_ == adapted.input_scaling_
    assert np.mean(turned.predict(X_tgt) == adapted.predict(X_tgt)) > 0.8


def test_a_warm_start_goes_on_with_what_was_chosen(adapted, tilted_digits):
    fitted = copy.deepcopy(adapted).set_params(warm_start=True, max_epochs=1)
    start = adapted.history_[0]["label_loss"]
    fitted.fit(*tilted_digits[:3])
    assert fitted.history_[0]["label_loss"] < 0.5 * start
    for name in ("lambda_max_", "input_scaling_", "adapted_", "verdict_"):
        assert getattr(fitted, name) == getattr(adapted, name)


def test_a_pickle_keeps_what_was_chosen(adapted, tilted_digits):
    copied = pickle.loads(pickle.dumps(adapted))
    assert copied.verdict_ == adapted.verdict_
    np.testing.assert_array_equal(
        copied.predict(tilted_digits[2]), adapted.predict(tilted_digits[2])
    )


def test_a_later_fit_with_a_given_lambda_forgets_the_verdict(blobs):
    fitted = DANNClassifier(**FAST).fit(*blobs)
    fitted.set_params(lambda_max=0.5).fit(*blobs)
    assert not hasattr(fitted, "verdict_") and not hasattr(fitted, "adapted_")
    assert fitted.lambda_max_ == 0.5


# -- where nothing can be chosen -------------------------------------------------------------


def test_without_a_target_it_is_the_source_only_network(blobs):
    X, y, X_tgt = blobs
    with pytest.warns(SourceOnlyWarning):
        fitted = DANNClassifier(**FAST).fit(X, y)
    assert not hasattr(fitted, "verdict_")
    alone = DANNClassifier(lambda_max=0, **FAST).fit(X, y, X_tgt)
    np.testing.assert_array_equal(fitted.predict_proba(X), alone.predict_proba(X))


def test_classes_of_one_row_leave_nothing_to_choose_by():
    X = np.random.default_rng(0).normal(size=(4, 3))
    fitted = DANNClassifier(**FAST).fit(X, list("abcd"), X + 0.1)
    assert not fitted.adapted_ and "nothing is adapted" in fitted.verdict_


@pytest.mark.parametrize("n_target", [1, 7])
def test_a_few_target_rows_are_enough(blobs, n_target):
    X, y, X_tgt = blobs
    fitted = DANNClassifier(**FAST, lr=0.03).fit(X, y, X_tgt[:n_target])
    assert fitted.verdict_ and fitted.lambda_max_ in (0, 0.1, 1)
    assert fitted.score(X, y, domain="source") > 0.8


def test_partial_fit_takes_lambda_one(blobs):
    fitted = DANNClassifier(**FAST)
    for _ in range(2):
        fitted.partial_fit(*blobs, total_rows=180)
    assert fitted.lambda_max_ == 1.0
    assert fitted.history_[-1]["lambda"] > 0.9


def test_no_warning_comes_from_choosing(blobs):
    X, y, X_tgt = blobs
    y = np.where(np.arange(90) == 0, 9, y)  # a class of a single row
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        DANNClassifier(**FAST).fit(X, y, X_tgt)


def test_other_options_are_in_every_candidate(blobs):
    asked = []

    def domain_classifier(n_inputs, n_domains):
        asked.append((n_inputs, n_domains))
        return nn.Linear(n_inputs, n_domains)

    options = {"domain_classifier": domain_classifier, "conditioning": "multilinear"}
    DANNClassifier(input_scaling=None, **options, **FAST).fit(*blobs)
    assert asked == 4 * [(10 * 3, 2)]  # ten units times three classes


class Interrupting(nn.Linear):
    """Ctrl-C in the third step of training."""

    steps = 0

    def __init__(self, n_features):
        super().__init__(n_features, 8)

    def forward(self, X):
        Interrupting.steps += torch.is_grad_enabled()
        if Interrupting.steps == 3:
            raise KeyboardInterrupt
        return super().forward(X)


def test_ctrl_c_while_choosing_leaves_it_unfitted(blobs):
    Interrupting.steps = 0
    auto = DANNClassifier(feature_extractor=Interrupting, **FAST)
    with pytest.raises(KeyboardInterrupt):
        auto.fit(*blobs)
    assert Interrupting.steps == 3
    assert not hasattr(auto, "classes_")


# -- scalings --------------------------------------------------------------------------------


def scalings_tried(X, y, X_tgt, **options):
    """Return the scalings that the pool of `DANNClassifierCV` has by default, in its order."""
    estimator = DANNClassifier(**{**FAST, "max_epochs": 1, **options})
    pool = DANNClassifierCV([0], estimator=estimator, cv=2).fit(X, y, X_tgt)
    return tuple(pool.cv_results_["param_input_scaling"])


@pytest.mark.parametrize(
    ("factor", "first"), [(1.0, None), (0.3, None), (100.0, "source"), (0.001, "source")]
)
def test_columns_of_unit_scale_stay_as_they_are(blobs, factor, first):
    X, y, _ = blobs
    X = (X - X.mean(axis=0)) * factor
    assert scalings_tried(X, y, X) == (first, "both", "balanced")
    alone = DANNClassifier(lambda_max=0.5, **FAST).fit(X, y, X)
    assert alone.input_scaling_ == first


def test_one_column_in_dollars_asks_for_scaling(blobs):
    X, y, _ = blobs
    X = np.column_stack([X, np.linspace(0, 90_000, 90)])
    assert scalings_tried(X, y, X)[0] == "source"


def test_sparse_rows_and_those_for_a_module_of_the_users_stay_as_they_are(blobs):
    X, y, _ = blobs
    rows = sparse.csr_array(1000 * X)
    assert scalings_tried(rows, y, rows) == (None, "source", "domain")
    counts = sparse.csr_array(np.maximum(X, 0))
    assert scalings_tried(counts, y, counts) == (None, "denoised")
    assert scalings_tried(1000 * counts, y, counts) == (None, "source", "denoised")
    own = {"feature_extractor": partial(nn.Linear, out_features=8), "lr": 1e-6}
    assert scalings_tried(1000 * X, y, 1000 * X, **own) == (None,)


# -- stages ----------------------------------------------------------------------------------


def stages_of(classifier, monkeypatch, *rows):
    """Return what was trained for the choice: seeds of the candidates of each call."""
    calls = []

    def watched(candidates, data, folds, *rest):
        calls.append(([one.seed for one in candidates], folds))
        return cross_fit(candidates, data, folds, *rest)

    monkeypatch.setattr(choice, "cross_fit", watched)
    classifier.fit(*rows)
    return calls


def test_where_nobody_could_win_one_fold_is_enough(monkeypatch, blobs):
    X, y, _ = blobs
    rows = 3 * X, y, 3 * X  # classes far apart, and no shift
    settings = {**FAST, "max_epochs": 50, "lr": 0.01}
    ((seeds, folds),) = stages_of(DANNClassifier(**settings), monkeypatch, *rows)
    assert len(seeds) == 9 and len(folds) == 1


def test_the_best_are_trained_again_on_other_rows_with_other_seeds(monkeypatch, tilted_digits):
    first, second = stages_of(DANNClassifier(**QUICK), monkeypatch, *tilted_digits[:3])
    assert (len(first[0]), len(second[0])) == (9, 4)
    assert not set(first[0]) & set(second[0])
    (one,), (other,) = first[1], second[1]
    assert not np.isin(one[1], other[1]).any()  # the rows held out


def test_all_candidates_are_in_the_table_of_a_default_fit(tilted_digits):
    X, y, X_tgt = tilted_digits[:3]
    fitted = DANNClassifier(**QUICK).fit(X, y, X_tgt)
    table = pd.DataFrame(fitted.cv_results_)
    assert len(table) == 9
    (chosen,) = np.flatnonzero(table["rank_test_score"] == 1)
    assert table["params"][chosen] == {
        "input_scaling": fitted.input_scaling_,
        "lambda_max": fitted.lambda_max_,
    }
    tried_again = table["split1_test_info_max"].notna()
    assert tried_again.sum() == 4 and tried_again[0] and tried_again[chosen]
    assert not table["passes"][~tried_again].any() and fitted.adapted_ == table["passes"][chosen]
    means = table[["split0_test_info_max", "split1_test_info_max"]].mean(axis=1)
    np.testing.assert_allclose(table["mean_test_info_max"], means)
    assert f"{100 * table['expected_gain'][chosen]:+.1f} points" in fitted.verdict_
    fitted.set_params(lambda_max=1.0, max_epochs=1).fit(X, y, X_tgt)
    assert not hasattr(fitted, "cv_results_")  # of the fit before


def test_the_choice_takes_no_more_rows_than_it_needs(monkeypatch, blobs):
    """And some of every class; the final fit takes all."""
    X, y, X_tgt = blobs
    X, y, X_tgt = (np.concatenate([one] * 4) for one in (X, y, X_tgt))
    y[:4] = 3  # a rare class
    records = []

    def watched(candidates, data, folds, *rest):
        records.append(data)
        return cross_fit(candidates, data, folds, *rest)

    monkeypatch.setattr(choice, "cross_fit", watched)
    monkeypatch.setattr(choice, "_MOST_ROWS", 100)
    fitted = DANNClassifier(**FAST).fit(X, y, X_tgt)
    assert len(records[0].target_domain) == 100
    counts = np.bincount(records[0].y_source)
    assert abs(counts[:3] - 33).max() <= 2 and counts[3] == 3
    monkeypatch.undo()
    settings = {"lambda_max": fitted.lambda_max_, "input_scaling": fitted.input_scaling_}
    alone = DANNClassifier(**FAST, **settings).fit(X, y, X_tgt)
    np.testing.assert_array_equal(fitted.predict_proba(X_tgt), alone.predict_proba(X_tgt))


# -- folds -----------------------------------------------------------------------------------


def test_folds_hold_out_each_row_once_and_as_many_of_each_class():
    codes = np.repeat([0, 1, 2], [30, 9, 1])
    folds = stratified_folds(codes, 3, np.random.default_rng(0))
    held_out = np.concatenate([test for _, test in folds])
    assert sorted(held_out) == list(range(39))  # never the only row of a class
    for train, test in folds:
        assert not set(train) & set(test) and len(train) + len(test) == 40
        np.testing.assert_array_equal(np.bincount(codes[test], minlength=3), [10, 3, 0])


def test_folds_of_few_rows():
    folds = stratified_folds(np.array([0, 0, 1, 1]), 3, np.random.default_rng(0))
    assert sum(len(test) for _, test in folds) == 4
    assert stratified_folds(np.array([0, 1, 2]), 3, np.random.default_rng(0)) == []
