"""`DANNClassifier` as its users meet it, and the paper's results in small."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import skops.io
import torch
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from skorch.callbacks import Callback
from torch import nn

from skdann import DANNClassifier, SourceOnlyWarning
from skdann._data.tensors import RowTables
from skdann.datasets import make_rotated_moons


def classifier(**parameters):
    return DANNClassifier(**{"lambda_max": 1.0, "max_epochs": 3, "random_state": 0, **parameters})


# -- the method ------------------------------------------------------------------------------


def test_the_papers_moons_reach_91_percent_in_the_median():
    scores = []
    for seed in range(5):
        X, y, X_tgt, y_tgt = make_rotated_moons(random_state=seed)
        dann = DANNClassifier(lambda_max=1.0, lr=0.005, max_epochs=50, random_state=seed)
        scores.append(dann.fit(X, y, X_tgt).score(X_tgt, y_tgt))
    assert np.median(scores) >= 0.91


def test_no_target_warns_and_is_the_network_of_lambda_zero(moons):
    X, y, X_tgt = moons
    with pytest.warns(SourceOnlyWarning, match="no X_tgt"):
        alone = classifier().fit(X, y)
    watched = classifier(lambda_max=0).fit(X, y, X_tgt)
    assert np.array_equal(alone.predict_proba(X_tgt), watched.predict_proba(X_tgt))
    assert "domain_loss" in watched.history_[0] and "domain_loss" not in alone.history_[0]


@pytest.mark.parametrize(
    "parameters",
    [
        {"early_stopping": True, "n_iter_no_change": 2, "lr": 0.1, "max_epochs": 20},
        {"hidden_layer_sizes": (20, 10), "domain_classifier": (30, 30)},
        {"class_weight": "balanced", "batch_size": 7},
        {"optimizer": "sgd", "lr_schedule": "annealed"},
    ],
)
def test_lambda_zero_is_source_only_whatever_else_is_set(moons, parameters):
    X, y, X_tgt = moons
    fits = [
        classifier(lambda_max=0, **parameters).fit(X, y, target)
        for target in (X_tgt, X_tgt[:5] + 3, (X_tgt, X_tgt[:3]), None)
    ]
    expected = fits[0].predict_proba(X_tgt)
    assert all(np.array_equal(fitted.predict_proba(X_tgt), expected) for fitted in fits)


# -- what a fitted classifier offers ---------------------------------------------------------


def test_outputs_agree_with_each_other(blobs):
    X, y, X_tgt = blobs
    labels = np.array(["low", "middle", "high"])[y]
    fitted = classifier(max_epochs=10, lr=0.03).fit(X, labels, X_tgt)
    proba = fitted.predict_proba(X)
    assert proba.dtype == np.float32 and proba.shape == (90, 3)
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(np.exp(fitted.predict_log_proba(X)), proba, rtol=1e-5)
    assert list(fitted.classes_) == ["high", "low", "middle"]
    assert (fitted.predict(X) == fitted.classes_[fitted.decision_function(X).argmax(1)]).all()
    assert fitted.score(X, labels) > 0.8


def test_two_classes_have_one_decision_value_the_log_odds(moons):
    X, y, X_tgt = moons
    fitted = classifier().fit(X, y, X_tgt)
    proba = fitted.predict_proba(X)
    odds = np.log(proba[:, 1] / proba[:, 0])
    np.testing.assert_allclose(fitted.decision_function(X), odds, rtol=1e-3, atol=1e-5)


def test_log_probabilities_do_not_underflow():
    X = np.array([[-1.0], [1.0]] * 20)
    fitted = classifier(lambda_max=0).fit(X, X[:, 0] > 0, X)
    assert np.isfinite(fitted.predict_log_proba(np.array([[1e6]]))).all()


def test_history_is_a_table_with_one_row_per_epoch(moons):
    table = pd.DataFrame(classifier(max_epochs=4).fit(*moons).history_)
    assert set(table.columns) == {
        *("epoch", "label_loss", "domain_loss", "domain_accuracy", "lambda", "lr", "seconds")
    }
    assert list(table["epoch"]) == [1, 2, 3, 4]
    assert table["domain_accuracy"].between(0, 1).all() and table["lambda"].is_monotonic_increasing


def test_the_embedding_has_names_and_the_width_of_the_last_layer(moons):
    X, y, X_tgt = moons
    fitted = classifier(hidden_layer_sizes=(9, 4)).fit(X, y, X_tgt)
    assert fitted.transform(X).shape == (120, 4)
    assert list(fitted.get_feature_names_out())[:2] == ["dannclassifier0", "dannclassifier1"]
    framed = fitted.set_output(transform="pandas").transform(X)
    assert list(framed.columns) == list(fitted.get_feature_names_out())


def test_fit_transform_takes_the_target(moons):
    X, y, X_tgt = moons
    embedding = classifier().fit_transform(X, y, X_tgt=X_tgt)
    assert np.array_equal(embedding, classifier().fit(X, y, X_tgt).transform(X))


def test_domain_probability_needs_a_target(moons):
    X, y, X_tgt = moons
    with pytest.warns(SourceOnlyWarning):
        alone = classifier().fit(X, y)
    assert not hasattr(alone, "predict_domain_proba")
    proba = classifier().fit(X, y, X_tgt).predict_domain_proba(X)
    assert proba.shape == (120,) and ((proba >= 0) & (proba <= 1)).all()


def test_an_unfitted_classifier_says_so(moons):
    for method in ("predict", "predict_proba", "transform", "decision_function"):
        with pytest.raises(NotFittedError):
            getattr(DANNClassifier(), method)(moons[0])


def test_copies_and_pickles_predict_the_same_and_train_on(moons):
    X, y, X_tgt = moons
    fitted = classifier().fit(X, y, X_tgt)
    expected = fitted.predict_proba(X)
    for other in (copy.deepcopy(fitted), pickle.loads(pickle.dumps(fitted))):
        assert np.array_equal(other.predict_proba(X), expected)
        other.partial_fit(X, y, X_tgt)
        assert not np.array_equal(other.predict_proba(X), expected)
    assert np.array_equal(fitted.predict_proba(X), expected)


def test_a_file_holds_each_weight_once_and_two_moments(moons):
    """A hundred hidden units on fifty columns take no more than 200 kB."""
    X, y, X_tgt = (np.tile(one, (1, 25)) if np.ndim(one) > 1 else one for one in moons)
    fitted = DANNClassifier((100,), lambda_max=1.0, max_epochs=2, random_state=0).fit(X, y, X_tgt)
    n_weights = sum(one.numel() for one in fitted.module_.parameters())
    assert len(pickle.dumps(fitted)) < min(3.5 * 4 * n_weights, 200_000)


@pytest.mark.parametrize("further", [False, True])
def test_skops_loads_what_it_dumped(moons, further):
    X, y, X_tgt = moons
    fitted = classifier().fit(X, y, X_tgt)
    if further:
        fitted.partial_fit(X, y, X_tgt)
    file = skops.io.dumps(fitted)
    loaded = skops.io.loads(file, trusted=skops.io.get_untrusted_types(data=file))
    for one in (fitted, loaded):
        one.partial_fit(X, y, X_tgt)
    assert np.array_equal(loaded.predict_proba(X), fitted.predict_proba(X))


# -- budget ----------------------------------------------------------------------------------


class StopAfterOneEpoch(Callback):
    def on_epoch_end(self, net, **kwargs):
        raise KeyboardInterrupt  # skorch's way to ask for it


@pytest.mark.parametrize(
    ("max_epochs", "batch_size", "n_epochs"),
    # Of 400 rows: 5 steps an epoch, and 200.
    [("auto", 80, 200), ("auto", 2, 30), (7, 80, 7)],
)
def test_auto_epochs_have_a_floor_in_steps(max_epochs, batch_size, n_epochs):
    X = np.linspace(0, 1, 400)[:, None]
    settings = {"lambda_schedule": lambda p: p, "callbacks": [StopAfterOneEpoch()]}
    budget = {"max_epochs": max_epochs, "batch_size": batch_size}
    fitted = classifier(hidden_layer_sizes=2, **budget, **settings).fit(X, X[:, 0] > 0.5, X)
    steps = 400 // batch_size
    assert fitted.n_iter_ == 1
    # The record has the lambda of an epoch's last step, here the progress itself.
    assert fitted.history_[0]["lambda"] == pytest.approx((steps - 1) / (steps * n_epochs))


# -- continuing ------------------------------------------------------------------------------


def test_warm_start_goes_on_from_the_last_weights(moons):
    X, y, X_tgt = moons
    cold = classifier(max_epochs=30).fit(X, y, X_tgt)
    start = cold.history_[0]["label_loss"]
    assert cold.fit(X, y, X_tgt).history_[0]["label_loss"] == start
    warm = cold.set_params(warm_start=True).fit(X, y, X_tgt)
    assert warm.history_[0]["label_loss"] < 0.8 * start
    assert warm.n_iter_ == 30


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda X, y, X_tgt: (X, y + 1, X_tgt), "y has the classes"),
        (lambda X, y, X_tgt: (np.c_[X, X], y, np.c_[X_tgt, X_tgt]), "X has 4 features"),
        (lambda X, y, X_tgt: (X, y, (X_tgt, X_tgt)), "X_tgt has 2 target domains"),
    ],
)
def test_going_on_needs_the_same_classes_width_and_domains(moons, change, said):
    for go_on in ("fit", "partial_fit"):
        fitted = classifier(warm_start=True).fit(*moons)
        before = fitted.predict_proba(moons[0])
        with pytest.raises(ValueError, match=said.replace("y has the classes", "y (has|contains)")):
            getattr(fitted, go_on)(*change(*moons))
        assert np.array_equal(fitted.predict_proba(moons[0]), before)


def test_partial_fit_learns_from_chunks_with_targets_of_their_own(moons):
    X, y, X_tgt = moons
    streamed = classifier(max_epochs=20, lr=0.03)
    for call in range(20):
        rows = slice(60, None) if call % 2 else slice(60)
        streamed.partial_fit(X[rows], y[rows], X_tgt[rows], classes=[0, 1])
    assert streamed.n_iter_ == len(streamed.history_) == 20
    assert streamed.score(X, y) > 0.8
    assert streamed.history_[-1]["lambda"] > 0.99


def test_partial_fit_names_all_classes_in_the_first_call(moons):
    X, y, X_tgt = moons
    zeros = y == 0
    streamed = classifier().partial_fit(X[zeros], y[zeros], X_tgt, classes=[1, 0])
    assert list(streamed.classes_) == [0, 1]
    with pytest.warns(SourceOnlyWarning):
        streamed.partial_fit(X, y)
    assert streamed.n_domains_ == 2
    with pytest.raises(ValueError, match=r"y contains labels \[2\]"):
        streamed.partial_fit(X, y + 1)


def test_total_rows_say_where_on_the_schedule_a_chunk_is(moons):
    streamed = classifier(batch_size=30)
    for _ in range(3):
        streamed.partial_fit(*moons, total_rows=240)
    # 4 steps a call of 8 in all; the record shows lambda of the call's last step.
    expected = np.tanh(5 * np.array([3, 7, 8]) / 8)
    np.testing.assert_allclose([row["lambda"] for row in streamed.history_], expected)


def test_a_stream_that_is_declared_trains_as_fit_does(moons):
    X, y, X_tgt = moons
    streamed = classifier(max_epochs=1)
    for _ in range(5):
        streamed.partial_fit(X, y, X_tgt, total_rows=5 * len(X))
    whole = classifier(max_epochs=5).fit(X, y, X_tgt)
    of_both = [[row["lambda"] for row in one.history_] for one in (streamed, whole)]
    assert of_both[0] == of_both[1]


@pytest.mark.parametrize("total_rows", [0, -5, 2.5, "many"])
def test_total_rows_that_are_no_number_of_rows_are_refused(moons, total_rows):
    fresh = classifier()
    with pytest.raises(ValueError, match="total_rows must be an integer >= 1"):
        fresh.partial_fit(*moons, total_rows=total_rows)
    assert not hasattr(fresh, "net_")


@pytest.mark.parametrize(
    ("total_rows", "batch_size"),
    [(1, 64), (50_000, 64), (191_999, 64), (192_000, 128), (450_000, 256), (10**8, 1024)],
)
def test_batch_size_auto_grows_with_the_rows_that_are_promised(moons, total_rows, batch_size):
    streamed = classifier(batch_size="auto").partial_fit(*moons, total_rows=total_rows)
    assert streamed.batch_size_ == batch_size
    assert streamed.partial_fit(*moons).batch_size_ == batch_size


def test_batch_size_auto_counts_the_passes_of_a_fit():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(6_500, 1)), rng.integers(2, size=6_500)
    settings = {"hidden_layer_sizes": 2, "lambda_max": 0, "callbacks": [StopAfterOneEpoch()]}
    fitted = classifier(batch_size="auto", **settings)
    assert fitted.set_params(max_epochs=1).fit(X, y).batch_size_ == 64
    assert fitted.set_params(max_epochs=30).fit(X, y).batch_size_ == 128
    assert fitted.set_params(max_epochs=1, batch_size=50).fit(X, y).batch_size_ == 50


def test_partial_fit_draws_anew_in_each_call(moons):
    X, y, X_tgt = moons
    one = classifier(dropout=0.5).partial_fit(X, y, X_tgt)
    after_one = one.history_[0]["label_loss"]
    assert one.partial_fit(X, y, X_tgt).history_[1]["label_loss"] != after_one


# -- early stopping --------------------------------------------------------------------------

LOSSES = "label_loss", "domain_loss", "valid_label_loss", "valid_domain_loss"


def test_rows_of_weight_zero_count_in_no_loss_of_rows_trained_on_or_held_out(moons):
    X, y, X_tgt = moons
    weight = np.where(np.arange(len(y)) % 3, 1.0, 0.0)
    moved = X + 5 * (weight == 0)[:, None]
    settings = {"early_stopping": True, "input_scaling": None, "validation_fraction": 0.4}
    histories = [
        classifier(**settings).fit(rows, y, X_tgt, sample_weight=weight).history_
        for rows in (X, moved)
    ]
    for name in LOSSES:
        of_both = [[row[name] for row in history] for history in histories]
        np.testing.assert_allclose(*of_both, rtol=1e-5, err_msg=name)


@pytest.mark.parametrize(("lr", "n_epochs"), [(1e-4, 20), (1e-7, 3)])
def test_early_stopping_waits_for_gains_above_a_ten_thousandth(moons, lr, n_epochs):
    settings = {"early_stopping": True, "n_iter_no_change": 2, "max_epochs": 20}
    fitted = classifier(lambda_max=0, lr=lr, **settings).fit(*moons)
    gains = -np.diff([row["valid_label_loss"] for row in fitted.history_])
    assert (gains < 0.01).all() and (gains[:2] > 1e-4).all() == (n_epochs > 3)
    assert fitted.n_iter_ == n_epochs


# -- memory ----------------------------------------------------------------------------------


def test_float32_rows_and_read_only_maps_are_used_where_they_are(moons, tmp_path, monkeypatch):
    seen = []
    table = RowTables.block

    def watched(self, X, rows):
        seen.append(X)
        return table(self, X, rows)

    monkeypatch.setattr(RowTables, "block", watched)
    np.save(tmp_path / "source.npy", moons[0].astype(np.float32))
    np.save(tmp_path / "target.npy", moons[2].astype(np.float32))
    maps = [np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in ("source", "target")]
    fitted = classifier(early_stopping=True, max_epochs=2).fit(maps[0], moons[1], maps[1])
    assert len(seen) == 2  # source and target, once for all epochs
    assert all(np.shares_memory(X, maps[i % 2]) for i, X in enumerate(seen))
    assert np.array_equal(fitted.predict(maps[0]), fitted.predict(np.array(maps[0])))


def test_a_module_that_works_in_place_leaves_the_rows_of_predict_alone(moons):
    X = moons[0].astype(np.float32)
    kept = X.copy()

    def features(n_features):
        return nn.Sequential(nn.ReLU(inplace=True), nn.Linear(n_features, 4))

    classifier(feature_extractor=features, max_epochs=1).fit(X, *moons[1:]).predict(X)
    assert np.array_equal(X, kept)


# -- randomness ------------------------------------------------------------------------------


def test_equal_seeds_are_bit_identical_and_others_differ(moons):
    fits = [classifier(random_state=seed).fit(*moons).predict_proba(moons[0]) for seed in (1, 1, 2)]
    assert np.array_equal(fits[0], fits[1]) and not np.array_equal(fits[0], fits[2])


def test_none_takes_fresh_entropy_and_leaves_the_global_state_alone(moons):
    states = np.random.get_state()[1].copy(), torch.get_rng_state()
    fits = [classifier(random_state=None).fit(*moons).predict_proba(moons[0]) for _ in range(2)]
    assert not np.array_equal(*fits)
    assert (np.random.get_state()[1] == states[0]).all()
    assert torch.equal(torch.get_rng_state(), states[1])


def test_a_random_state_instance_moves_on_between_fits(moons):
    generator = np.random.RandomState(0)
    fitted = classifier(random_state=generator)
    assert not np.array_equal(
        fitted.fit(*moons).predict_proba(moons[0]), fitted.fit(*moons).predict_proba(moons[0])
    )


# -- kinds of input --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.csr_matrix, sparse.coo_array])
def test_sparse_rows_give_what_dense_rows_give(blobs, kind):
    X, y, X_tgt = (np.where(a > 0.5, a, 0) if a.ndim == 2 else a for a in blobs)
    dense = classifier().fit(X, y, X_tgt).predict_proba(X)
    fitted = classifier().fit(kind(X), y, kind(X_tgt))
    assert np.array_equal(fitted.predict_proba(kind(X)), dense)
    assert np.array_equal(fitted.predict_proba(X), dense)


class Pool(nn.Module):
    def __init__(self, row_shape):
        super().__init__()
        self.convolve = nn.Conv2d(row_shape[0], 6, kernel_size=3)

    def forward(self, images):
        return torch.relu(self.convolve(images)).mean(dim=(2, 3))


def test_images_pass_to_a_custom_feature_extractor():
    rng = np.random.default_rng(0)
    y = np.arange(40) % 2
    X = rng.normal(size=(40, 3, 8, 8)) + y[:, None, None, None]
    fitted = classifier(feature_extractor=Pool, max_epochs=60, lr=0.01).fit(X, y, X + 0.2)
    assert fitted.score(X, y) > 0.9
    assert fitted.transform(X).shape == (40, 6)
    with pytest.raises(ValueError, match=r"rows of shape \(3, 9, 8\)"):
        fitted.predict(np.zeros((2, 3, 9, 8)))


def test_images_without_a_custom_feature_extractor_are_refused():
    with pytest.raises(ValueError, match="dim 4"):
        classifier().fit(np.zeros((4, 3, 8, 8)), [0, 1, 0, 1], np.zeros((4, 3, 8, 8)))


def test_sparse_rows_for_a_module_that_wants_images_are_explained(blobs):
    X, y, X_tgt = blobs
    with pytest.raises(ValueError, match="Sparse X reaches it as flat rows"):
        classifier(feature_extractor=lambda n: Pool((3,))).fit(sparse.csr_array(X), y, X_tgt)


# -- parameters ------------------------------------------------------------------------------


def test_sizes_may_be_a_single_number(moons):
    fitted = classifier(hidden_layer_sizes=7, label_predictor=3).fit(*moons)
    assert fitted.transform(moons[0]).shape == (120, 7)


@pytest.mark.parametrize(
    "parameters",
    [
        {"hidden_layer_sizes": ()},
        {"hidden_layer_sizes": (5, 0)},
        {"domain_classifier": (1.5,)},
        {"activation": "softplus"},
        {"dropout": 1.0},
        {"lambda_max": -0.1},
        {"lambda_schedule": "linear"},
        {"lambda_schedule": lambda p: -p},
        {"optimizer": "lbfgs"},
        {"lr": 0.0},
        {"lr_schedule": "cosine"},
        {"lr_schedule": lambda p: None},
        {"weight_decay": -1},
        {"batch_size": 0},
        {"max_epochs": 0},
        {"max_epochs": "many"},
        {"class_weight": "even"},
        {"validation_fraction": 1.0},
        {"n_iter_no_change": 0},
        {"callbacks": 5},
        {"device": 3},
        {"random_state": "seed"},
        {"feature_extractor": 3},
    ],
    ids=lambda parameters: "-".join(f"{k}={v}" for k, v in parameters.items() if not callable(v)),
)
def test_a_parameter_out_of_range_is_named(moons, parameters):
    (name,) = parameters
    fitted = clone(classifier()).set_params(**parameters)
    with pytest.raises(ValueError, match=name):
        fitted.fit(*moons)
    assert not hasattr(fitted, "classes_")
