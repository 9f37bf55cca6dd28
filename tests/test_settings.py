"""Settings: from parameters to a value, and what "auto" comes to."""

import pickle
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from torch import nn

from skdann import DANNClassifier
from skdann._data.inputs import read_training_data
from skdann._network.network import Architecture
from skdann._training.settings import Settings, resolved, usual_scalings
from skdann.schedules import Constant, Ramp


@pytest.fixture
def record(blobs):
    return read_training_data(*blobs, None, class_weight=None, estimator=DANNClassifier())


def settings_of(record, **parameters):
    return Settings.of(DANNClassifier(**{"random_state": 0, **parameters}), record)


# -- from parameters to fields ---------------------------------------------------------------


def test_every_field_but_two_has_the_name_of_a_parameter():
    parameters = DANNClassifier().get_params()
    names = {one.name for one in fields(Settings)}
    assert names - parameters.keys() == {"seed", "effort"}
    elsewhere = {"class_weight", "random_state", "warm_start", "n_jobs", "verbose"}
    elsewhere |= {"checkpoint_dir"}
    assert parameters.keys() - names == elsewhere


def test_what_a_network_is_built_of_are_the_fields_of_the_architecture():
    built = {one.name for one in fields(Settings) if "builds" in one.metadata}
    assert {one.name for one in fields(Architecture)} == built - {"n_members"}


def test_sizes_become_tuples_and_parts_stay_as_they_are(record):
    part = nn.Linear(100, 3)
    settings = settings_of(
        record, hidden_layer_sizes=7, label_predictor=part, domain_classifier=[5, 4]
    )
    assert settings.hidden_layer_sizes == (7,)
    assert settings.label_predictor is part
    assert settings.domain_classifier == (5, 4)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("hidden_layer_sizes", ()),
        ("hidden_layer_sizes", (5, 0)),
        ("label_predictor", (1.5,)),
        ("domain_classifier", (-1,)),
    ],
)
def test_sizes_that_are_none_are_named(record, parameter, value):
    with pytest.raises(ValueError, match=parameter):
        settings_of(record, **{parameter: value})


def test_schedules_are_functions(record):
    settings = settings_of(record, lr_schedule="constant")
    assert settings.lambda_schedule == Ramp(10.0) and settings.lr_schedule == Constant()
    assert settings_of(record, lambda_schedule=Ramp(3.0)).lambda_schedule == Ramp(3.0)


SHARES = [[0.2, 0.5, 0.3], np.array([0.2, 0.5, 0.3]), {2: 0.3, 0: 0.2, 1: 0.5}]


@pytest.mark.parametrize("given", SHARES, ids=["list", "array", "dict"])
def test_shares_are_given_in_the_order_of_the_classes_or_by_label(record, given):
    assert settings_of(record, label_shift=given).label_shift == pytest.approx((0.2, 0.5, 0.3))


def test_zero_is_always_a_candidate_and_candidates_ascend(record):
    settings = settings_of(record, lambda_max=[1, 0.1])
    assert settings.lambda_max == (0.0, 0.1, 1.0) and settings.leaves_a_choice
    assert not settings_of(record, lambda_max=0.1).leaves_a_choice
    assert settings_of(record).leaves_a_choice


def test_candidates_of_the_scaling_need_candidates_of_lambda(record):
    with pytest.raises(ValueError, match=r"input_scaling=.*lambda_max=\(0, 1.0\)"):
        settings_of(record, input_scaling=("source", "both"), lambda_max=1.0)


@pytest.mark.parametrize("candidates", [(), ("sourc",), ["source", 3], (None, "auto")])
def test_candidates_of_the_scaling_are_checked(record, candidates):
    with pytest.raises(ValueError, match=r"input_scaling=.*must hold at least one candidate"):
        settings_of(record, input_scaling=candidates)


@pytest.mark.parametrize("candidates", [(), (0, -1), (0, np.nan), (np.inf,), ("a",), [[0, 1]]])
def test_candidates_of_lambda_are_checked(record, candidates):
    with pytest.raises(ValueError, match=r"lambda_max=.*must hold at least one candidate"):
        settings_of(record, lambda_max=candidates)


def test_a_random_state_is_drawn_from_once(record):
    state = np.random.RandomState(0)
    assert settings_of(record, random_state=state).seed == np.random.RandomState(0).randint(
        np.iinfo(np.int32).max
    )


# -- what "auto" comes to --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "n_rows", "epochs", "batch_size"),
    [
        ({}, None, 300, 64),  # 90 rows: two steps a pass
        ({}, 300, 200, 64),  # five steps a pass, 1,000 in all
        ({"batch_size": 18}, None, 200, 18),
        ({"max_epochs": 7}, None, 7, 64),
        ({}, 64_000, 30, 1024),
        ({}, 6_400, 30, 128),
        ({}, 6_399, 30, 64),
    ],
)
def test_epochs_and_batch_size_follow_from_the_number_of_rows(
    record, parameters, n_rows, epochs, batch_size
):
    settings = resolved(settings_of(record, **parameters), record, n_rows=n_rows)
    assert (settings.max_epochs, settings.batch_size) == (epochs, batch_size)


@pytest.mark.parametrize(("n_columns", "epochs"), [(1000, 300), (4000, 150), (2_000_000, 10)])
def test_wide_rows_take_fewer_passes_but_not_a_network_of_the_users(record, n_columns, epochs):
    wide = replace(record, X_source=np.broadcast_to(np.float32(0), (90, n_columns)))
    assert resolved(settings_of(wide, input_scaling=None), wide).max_epochs == epochs
    own = settings_of(wide, feature_extractor=nn.Identity())
    assert resolved(own, wide).max_epochs == 300
    given = settings_of(wide, input_scaling=None, max_epochs=7)
    assert resolved(given, wide).max_epochs == 7


def test_the_rows_of_all_chunks_decide_on_the_batch_size(record):
    assert resolved(settings_of(record), record, total_rows=1500 * 256).batch_size == 256


def test_without_a_choice_lambda_is_one_or_the_largest_candidate(record):
    assert resolved(settings_of(record), record).lambda_max == 1.0
    assert resolved(settings_of(record, lambda_max=(0, 0.3)), record).lambda_max == 0.3


def test_nothing_is_left_open(record):
    values = vars(resolved(settings_of(record), record)).values()
    assert not any(isinstance(one, str) and one == "auto" for one in values)


def test_the_first_usual_scaling_is_taken(blobs, record):
    X, y, X_tgt = blobs
    large = read_training_data(
        100 * X, y, X_tgt, None, class_weight=None, estimator=DANNClassifier()
    )
    for data, expected in [(record, None), (large, "source")]:
        assert resolved(settings_of(data, lambda_max=1.0), data).input_scaling == expected
        assert usual_scalings(data)[0] == expected
    assert (
        resolved(settings_of(large, feature_extractor=nn.Identity()), large).input_scaling is None
    )


# -- what follows from settings --------------------------------------------------------------


def test_without_adaptation_nothing_is_learned_from_the_target(record):
    settings = settings_of(record, lambda_max=1.0, target_information=0.5)
    assert settings.learns_from_target
    assert not settings.without_adaptation().learns_from_target
    assert replace(settings, lambda_max=0.0).learns_from_target  # by information alone


def test_the_way_back_is_short_and_weighs_by_the_shares_of_the_source(record):
    settings = settings_of(
        record, lambda_max=1.0, label_shift=[0.1, 0.1, 0.8], max_epochs=30, early_stopping=True
    )
    back = settings.reversed(90, 64, [0.5, 0.25, 0.25])
    assert back.label_shift == (0.5, 0.25, 0.25)
    assert back.max_epochs == 10 and not back.early_stopping
    assert (
        replace(settings, label_shift=None).reversed(90, 64, [0.5, 0.25, 0.25]).label_shift is None
    )


@pytest.mark.parametrize(
    "own",
    [
        {"lambda_max": 0.3},
        {"target_information": 0.1},
        {"lr": 0.01},
        {"weight_decay": 0.1},
        {"input_scaling": "both"},
        {"label_shift": [0.2, 0.3, 0.5]},
        {"random_state": 3},
        {"n_members": 2},
    ],
    ids=lambda one: next(iter(one)),
)
def test_networks_with_a_value_of_their_own_train_together(record, own):
    one, other = (
        settings_of(record, lambda_max=1.0),
        settings_of(record, **{"lambda_max": 1.0, **own}),
    )
    assert one != other and one.can_train_with(other)


@pytest.mark.parametrize(
    "shared",
    [
        {"hidden_layer_sizes": (7,)},
        {"dropout": 0.2},
        {"optimizer": "sgd"},
        {"lr_schedule": "annealed"},
        {"lambda_schedule": "constant"},
        {"domain_label_smoothing": 0.1},
        {"early_stopping": True},
        {"max_epochs": 3},
        {"conditioning": "multilinear"},
    ],
    ids=lambda one: next(iter(one)),
)
def test_networks_that_differ_otherwise_do_not(record, shared):
    assert not settings_of(record).can_train_with(settings_of(record, **shared))


class Halved:
    """A schedule without a readable repr: two of them are equal only if they are the same."""

    def __call__(self, progress):
        return progress / 2


def test_a_schedule_object_is_shared_by_candidates(record):
    settings = settings_of(record, lambda_schedule=Halved())
    assert settings.can_train_with(replace(settings, lambda_max=0.5))
    assert not settings.can_train_with(settings_of(record, lambda_schedule=Halved()))


def test_what_a_network_was_built_of_is_compared_by_name(record):
    one = settings_of(record, feature_extractor=nn.Linear(5, 4))
    assert one.differs_in_network(settings_of(record, feature_extractor=nn.Linear(5, 4))) == []
    other = settings_of(record, feature_extractor=nn.Linear(5, 3), dropout=0.1, n_members=2)
    assert one.differs_in_network(other) == ["dropout", "feature_extractor", "n_members"]
    again = pickle.loads(pickle.dumps(one))
    assert one.differs_in_network(again) == []


def test_settings_cannot_be_changed(record):
    with pytest.raises(AttributeError):
        settings_of(record).lr = 0.1
    assert settings_of(record, optimizer=torch.optim.SGD).optimizer is torch.optim.SGD
