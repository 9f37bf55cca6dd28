"""Several classifiers in one walk: each comes out as if fitted alone."""

import pickle

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

from skdann import DANNClassifier
from skdann._data import batches as _batches
from skdann._data.batches import StackedBatches
from skdann._data.inputs import read_training_data
from skdann._data.record import selected_rows
from skdann._data.tensors import RowTables
from skdann._network.input_layers import InputLayers
from skdann._torch import randomness as _randomness
from skdann._training import stacked_scaling as _scaling
from skdann._training.autograd_objective import ObjectiveTerms
from skdann._training.fit_together import _prepared, fit_together
from skdann._training.settings import Settings
from skdann._training.share_estimates import with_known_shares
from skdann._training.stacked_objective import StackedObjective

DIFFERENT = [
    {},
    {"lambda_max": 0},
    {"lambda_max": 0.3, "lr": 0.01},
    {"weight_decay": 0.1, "random_state": 3},
    {"input_scaling": "domain"},
    {"input_scaling": "both", "lr": 0.003},
    {"hidden_layer_sizes": (7,), "dropout": 0.2},
    {"n_members": 2},
    {"max_epochs": 3},
    {"early_stopping": True},
]


def classifier(**settings):
    return DANNClassifier(**{"lambda_max": 1.0, "max_epochs": 6, "random_state": 0, **settings})


def fit_all(classifiers, records, starts=None):
    """Fit classifiers together, each to its record."""
    pairs = list(zip(classifiers, records, strict=True))
    settings = with_known_shares([Settings.of(*pair) for pair in pairs], records)
    for (one, data), trained in zip(
        pairs, fit_together(settings, records, starts=starts), strict=True
    ):
        one._set_fitted(trained, data)


@pytest.fixture
def record(blobs):
    return read_training_data(*blobs, None, class_weight=None, estimator=classifier())


@pytest.fixture
def together(record):
    classifiers = [classifier(**settings) for settings in DIFFERENT]
    fit_all(classifiers, [record] * len(classifiers))
    return classifiers


@pytest.mark.parametrize("i", range(len(DIFFERENT)))
def test_each_classifier_comes_out_as_if_fitted_alone(together, blobs, i):
    alone = classifier(**DIFFERENT[i]).fit(*blobs)
    expected = alone.predict_proba(blobs[2])
    np.testing.assert_allclose(together[i].predict_proba(blobs[2]), expected, atol=1e-4)
    assert together[i].n_iter_ == alone.n_iter_
    for ours, theirs in zip(together[i].history_, alone.history_, strict=True):
        assert set(ours) == set(theirs)
        for name in set(ours) - {"seconds", "members"}:
            assert ours[name] == pytest.approx(theirs[name], abs=1e-4), name


def test_a_classifier_that_was_fitted_with_others_goes_on_alone(together, blobs):
    X, y, X_tgt = blobs
    for fitted in together[:3]:
        before = fitted.predict_proba(X_tgt)
        neighbour = together[4].predict_proba(X_tgt)
        fitted.partial_fit(X, y, X_tgt)
        assert not np.array_equal(fitted.predict_proba(X_tgt), before)
        assert np.array_equal(together[4].predict_proba(X_tgt), neighbour)
    fitted.set_params(warm_start=True).fit(X, y, X_tgt)
    assert fitted.n_iter_ == 6


def test_a_pickle_holds_one_network_and_not_all(record):
    alone, many = [classifier()], [classifier(lambda_max=i / 20) for i in range(20)]
    fit_all(alone, [record])
    fit_all(many, [record] * 20)
    assert len(pickle.dumps(many[7])) < 1.2 * len(pickle.dumps(alone[0]))


def test_warm_started_classifiers_go_on_together(together, record, blobs):
    before = [fitted.history_[-1]["label_loss"] for fitted in together]
    starts = [fitted.net_.members_ for fitted in together]
    fit_all(together, [record] * len(together), starts)
    for fitted, loss in zip(together, before, strict=True):
        assert fitted.history_[0]["label_loss"] < loss + 0.1


# -- what candidates share -------------------------------------------------------------------


@pytest.fixture
def halves(record):
    """Two records of other source rows and the same target."""
    every = np.ones(len(record.target_domain), dtype=bool)
    odd = np.arange(len(record.y_source)) % 2 == 1
    return selected_rows(record, odd, every), selected_rows(record, ~odd, every)


def prepared(classifiers, records):
    tables = RowTables(torch.device("cpu"))
    return [
        _prepared(Settings.of(one, data), data, tables, InputLayers(), None, False)
        for one, data in zip(classifiers, records, strict=True)
    ]


def slots_and_masks(fits):
    """Return which networks share rows, and which share dropout masks."""
    streams = [fit.streams[0] for fit in fits]
    objective = StackedObjective(
        [fit.networks[0] for fit in fits], streams, ObjectiveTerms(), shared=True
    )
    batches = StackedBatches([fit.batches[0] for fit in fits], shared=True)
    return batches.slots, objective._mask_slots


def test_equal_seeds_share_masks_and_on_equal_rows_rows_too(record, halves):
    seeds = [0, 0, 0, 1]
    fits = prepared(
        [classifier(random_state=s) for s in seeds], [record, record, halves[0], record]
    )
    assert slots_and_masks(fits) == ([0, 0, 1, 2], [0, 0, 0, 1])


def test_fresh_entropy_is_shared_by_nobody(record):
    for state in (None, np.random.RandomState(0)):
        fits = prepared([classifier(random_state=state) for _ in range(2)], [record] * 2)
        assert slots_and_masks(fits) == ([0, 1], [0, 1])


def test_sharing_changes_no_candidate_in_any_fold(halves):
    settings = [
        {"lambda_max": 0},
        {"lambda_max": 0.3, "input_scaling": "both"},
        {"input_scaling": "domain", "lr": 0.003},
    ]
    together = [classifier(**one) for one in settings * 2]
    records = [half for half in halves for _ in settings]
    fit_all(together, records)
    for one, data in zip(together, records, strict=True):
        alone = classifier(**one.get_params())
        fit_all([alone], [data])
        rows = data.X_target
        np.testing.assert_allclose(one.predict_proba(rows), alone.predict_proba(rows), atol=1e-4)


def assert_each_is_as_if_alone(settings, records):
    together = [classifier(**one) for one in settings]
    fit_all(together, records)
    for fitted, one, data in zip(together, settings, records, strict=True):
        alone = classifier(**one)
        fit_all([alone], [data])
        got, expected = (each.predict_proba(data.X_target) for each in (fitted, alone))
        np.testing.assert_allclose(got, expected, atol=1e-6, err_msg=str(one))


GRID = [
    {"lambda_max": lambda_max, "input_scaling": scaling, "label_predictor": (9,)}
    for lambda_max in (0, 0.3, 1)
    for scaling in (None, "source", "domain")
]


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": "sgd", "lr": 0.01},
        {"optimizer": torch.optim.AdamW},
        {"lr_schedule": "annealed"},
        {"n_members": 2},
        {"activation": "tanh"},
        {"early_stopping": True},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_whatever_the_settings_sharing_changes_nothing(record, changes):
    settings = [{**one, **changes} for one in GRID] + [{"random_state": 7, **changes}]
    assert_each_is_as_if_alone(settings, [record] * len(settings))


def test_rows_of_several_targets_and_weights_are_shared_too(blobs):
    X, y, X_tgt = blobs
    weight = np.random.default_rng(0).uniform(size=len(y))
    record = read_training_data(
        X, y, (X_tgt, X_tgt + 1), weight, class_weight=None, estimator=classifier()
    )
    assert_each_is_as_if_alone(GRID, [record] * len(GRID))


@pytest.mark.parametrize(
    ("room", "name", "fault"),
    [
        (_batches.DomainBatches, "rows_key", 0),
        (_randomness.RandomStreams, "key", 0),
        (_scaling, "_key", lambda scaling: scaling is None),
    ],
    ids=["rows", "streams", "scalings"],
)
def test_sharing_what_is_not_equal_would_be_noticed(halves, monkeypatch, room, name, fault):
    settings = [{}, {"random_state": 5}, {"input_scaling": "source"}, {"input_scaling": "domain"}]
    settings, records = [*settings, {}], [*[halves[0]] * 4, halves[1]]
    assert_each_is_as_if_alone(settings, records)
    monkeypatch.setattr(room, name, fault)
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        assert_each_is_as_if_alone(settings, records)


class Look(Callback):
    """Finds gradients and the optimizer's state where they always are."""

    def on_grad_computed(self, net, named_parameters, **kwargs):
        assert all(value.grad is not None for _, value in named_parameters)

    def on_epoch_end(self, net, **kwargs):
        assert len(net.optimizer_.state) == sum(1 for _ in net.module_.parameters())


def test_callbacks_find_gradients_and_optimizer_as_in_a_fit_alone(record):
    settings = [{"lambda_max": one, "callbacks": [Look()]} for one in (0.1, 1)]
    assert_each_is_as_if_alone(settings, [record] * 2)
