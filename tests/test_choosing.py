"""`lambda_max="auto"`: what is chosen without target labels, and that nothing else changes."""

import pickle
import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from torch import nn

from skdann import DANNClassifier, SourceOnlyWarning
from skdann._choosing import choice as _choosing
from skdann._data.inputs import read_training_data
from skdann._data.splits import stratified_folds
from skdann._training import net as _training
from skdann._training.settings import usual_scalings
from skdann.datasets import make_tilted_digits

FAST = {"max_epochs": 5, "hidden_layer_sizes": (10,), "random_state": 0}


@pytest.fixture(scope="module")
def digits():
    return make_tilted_digits(n_source=300, random_state=0)


@pytest.fixture(scope="module")
def adapted(digits):
    return DANNClassifier(random_state=0).fit(*digits[:3])


def record(X, y, X_tgt=None, **options):
    options = {"class_weight": None, "estimator": DANNClassifier(), **options}
    return read_training_data(X, y, X_tgt, None, **options)


def counted(monkeypatch):
    """Count the pools that are trained."""
    pools = []

    def cross_fit(candidates, *rest):
        pools.append(candidates)
        return kept(candidates, *rest)

    kept = _choosing.cross_fit
    monkeypatch.setattr(_choosing, "cross_fit", cross_fit)
    return pools


# -- what is chosen --------------------------------------------------------------------------


def test_it_adapts_where_that_helps(adapted, digits):
    X, y, X_tgt, y_tgt = digits
    alone = DANNClassifier(lambda_max=0, random_state=0).fit(X, y, X_tgt)
    assert adapted.adapted_ and "replaces" in adapted.verdict_
    assert adapted.score(X_tgt, y_tgt) > alone.score(X_tgt, y_tgt) + 0.1


def test_it_is_the_source_only_network_where_there_is_no_shift(blobs):
    X, y, _ = blobs
    auto = DANNClassifier(**FAST).fit(X[::2], y[::2], X[1::2])
    assert not auto.adapted_ and "without adaptation" in auto.verdict_
    assert auto.lambda_max_ == 0
    alone = DANNClassifier(lambda_max=0, **FAST).fit(X[::2], y[::2], X[1::2])
    np.testing.assert_array_equal(auto.predict_proba(X), alone.predict_proba(X))


def test_what_is_chosen_is_fitted_as_it_would_be_by_itself(adapted, digits):
    X, y, X_tgt, _ = digits
    settings = {name: getattr(adapted, f"{name}_") for name in ("lambda_max", "input_scaling")}
    given = DANNClassifier(random_state=0, **settings).fit(X, y, X_tgt)
    np.testing.assert_array_equal(adapted.predict_proba(X_tgt), given.predict_proba(X_tgt))
    assert settings.items() <= given.get_params().items()


def test_only_what_says_auto_is_chosen(digits, monkeypatch):
    pools = counted(monkeypatch)
    X, y, X_tgt, _ = digits
    fitted = DANNClassifier(input_scaling="both", **FAST).fit(X, y, X_tgt)
    assert fitted.input_scaling_ == "both"
    assert [one.lambda_max for one in pools[0]] == [0.0, 0.1, 1.0]
    DANNClassifier(lambda_max=0.5, **FAST).fit(X, y, X_tgt)
    assert len(pools) == 1  # a given lambda leaves nothing to choose


def test_parameters_stay_as_they_were(adapted):
    assert adapted.get_params()["lambda_max"] == adapted.get_params()["input_scaling"] == "auto"
    assert clone(adapted).get_params() == DANNClassifier(random_state=0).get_params()


def test_candidates_are_single_networks_and_callbacks_hear_of_the_last_fit_only(blobs, monkeypatch):
    pools = counted(monkeypatch)
    fitted = DANNClassifier(n_members=2, verbose=0, callbacks=[], **FAST).fit(*blobs)
    assert {one.n_members for one in pools[0]} == {1}
    assert {one.callbacks for one in pools[0]} == {None}
    assert len(fitted.net_.members_) == 2


# -- the same again --------------------------------------------------------------------------


def test_equal_seeds_choose_the_same(adapted, digits):
    again = clone(adapted).fit(*digits[:3])
    assert again.verdict_ == adapted.verdict_
    np.testing.assert_array_equal(again.predict_proba(digits[2]), adapted.predict_proba(digits[2]))


def test_a_random_state_is_drawn_from_once(blobs):
    state, other = np.random.RandomState(3), np.random.RandomState(3)
    DANNClassifier(**{**FAST, "random_state": state}).fit(*blobs)
    other.randint(2**31 - 1)
    assert state.randint(100) == other.randint(100)


def test_target_rows_in_another_order_give_the_same_choice(adapted, digits):
    X, y, X_tgt, _ = digits
    turned = clone(adapted).fit(X, y, X_tgt[::-1])
    assert (turned.lambda_max_ > 0) == (adapted.lambda_max_ > 0)


def test_a_warm_start_goes_on_with_what_was_chosen(digits, monkeypatch):
    X, y, X_tgt, _ = digits
    pools = counted(monkeypatch)
    fitted = DANNClassifier(warm_start=True, random_state=0, max_epochs=20).fit(X, y, X_tgt)
    before = fitted.lambda_max_, fitted.input_scaling_, fitted.verdict_
    fitted.fit(X, y, X_tgt)
    assert len(pools) == 1
    assert (fitted.lambda_max_, fitted.input_scaling_, fitted.verdict_) == before


def test_a_pickle_keeps_what_was_chosen(adapted, digits):
    copied = pickle.loads(pickle.dumps(adapted))
    assert copied.verdict_ == adapted.verdict_
    np.testing.assert_array_equal(copied.predict(digits[2]), adapted.predict(digits[2]))


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
    assert DANNClassifier(**FAST).fit(X, y, X_tgt[:n_target]).predict(X).shape == y.shape


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


@pytest.mark.parametrize("label_shift", ["estimate", [0.2, 0.3, 0.5]])
def test_other_options_are_in_every_candidate(blobs, label_shift, monkeypatch):
    pools = counted(monkeypatch)
    options = {"label_shift": label_shift, "conditioning": "multilinear", "target_information": 0.1}
    DANNClassifier(**FAST, **options).fit(*blobs)
    for candidate in pools[0]:
        assert options.items() <= candidate.get_params().items()


def test_ctrl_c_while_choosing_leaves_it_unfitted(blobs, monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(_training.AdversarialNet, "_run_epoch", interrupted)
    auto = DANNClassifier(**FAST)
    with pytest.raises(KeyboardInterrupt):
        auto.fit(*blobs)
    assert not hasattr(auto, "classes_")


# -- scalings --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("factor", "first"), [(1.0, None), (0.3, None), (100.0, "source"), (0.001, "source")]
)
def test_columns_of_unit_scale_stay_as_they_are(blobs, factor, first):
    X, y, X_tgt = blobs
    X = (X - X.mean(axis=0)) * factor
    assert usual_scalings(record(X, y, X_tgt)) == (first, "both", "domain")
    alone = DANNClassifier(lambda_max=0.5, **FAST).fit(X, y, X)
    assert alone.input_scaling_ == first


def test_one_column_in_dollars_asks_for_scaling(blobs):
    X, y, _ = blobs
    X = np.column_stack([X, np.linspace(0, 90_000, 90)])
    assert usual_scalings(record(X, y))[0] == "source"


def test_sparse_rows_and_those_for_a_module_of_the_users_stay_as_they_are(blobs):
    X, y, _ = blobs
    data = record(sparse.csr_array(1000 * X), y)
    assert usual_scalings(data) == (None, "source", "domain")
    assert usual_scalings(record(1000 * X, y), feature_extractor=nn.Linear) == (None,)


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
