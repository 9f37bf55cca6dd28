"""The gradient by hand against autograd, and k networks together against each alone."""

import copy
import dataclasses

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback, Freezer
from torch import nn

from skdann import DANNClassifier
from skdann._data.batches import DomainBatches
from skdann._data.inputs import read_training_data
from skdann._data.tensors import RowTables
from skdann._network.layers import ACTIVATIONS
from skdann._network.network import Architecture, build_network
from skdann._torch.compat import ACTIVATION_BACKWARD
from skdann._torch.randomness import random_streams
from skdann._training import epoch_means as _record
from skdann._training import grouping as _grouping
from skdann._training.class_weights import shares_of_source
from skdann._training.inference import held_out_figures
from skdann._training.net import AdversarialNet, EpochData
from skdann._training.optimizers import optimizer_factory
from skdann._training.plan import TrainingPlan
from skdann._training.stacked_objective import can_be_stacked
from skdann.schedules import Constant, Ramp

CPU = torch.device("cpu")
STEPS = 50


def network(seed=0, target_shares=None, **changes):
    sizes = {
        "hidden_layer_sizes": (12, 8), "label_predictor": (),
        "domain_classifier": (10,), "activation": "relu", "dropout": 0.5,
    }  # fmt: skip
    (streams,) = random_streams(seed, CPU)
    built = build_network(Architecture(**{**sizes, **changes}), (5,), 3, 2, streams)
    if target_shares is not None:
        built.target_shares = torch.tensor(target_shares)
    return built


def made_data(seed=0, n_rows=160, weights=False, target=True):
    rng = np.random.default_rng(seed)
    y = rng.integers(3, size=n_rows)
    X = (rng.normal(size=(n_rows, 5)) + 2 * np.eye(5)[y]).astype(np.float32)
    weight = rng.uniform(0.2, 2, n_rows) if weights else None
    X_tgt = X[::-1] + 0.5 if target else None
    estimator, none = DANNClassifier(), None
    return read_training_data(X, y, X_tgt, weight, class_weight=none, estimator=estimator)


def trained(
    members, seeds, data, *, lambda_max, lr=None, weight_decay=None, epochs=5, step=1.0, **plan
):
    """Train some networks as one module; 10 steps an epoch, of 16 + 16 rows."""
    k = len(members)
    streams = [random_streams(seed, CPU)[0] for seed in seeds]
    tables = RowTables(CPU)
    batches = [
        DomainBatches(one, 16, s.source_order, s.target_order, tables)
        for one, s in zip(data, streams, strict=True)
    ]
    optimizer = optimizer_factory("adam", lr or [0.001] * k, weight_decay or [0.0001] * k)
    settings = {
        "lambda_schedule": Ramp(), "lr_schedule": Constant(), "patience": None,
        "target_information": (0.0,) * k, "domain_label_smoothing": 0.0,
        **plan,
    }  # fmt: skip
    net = AdversarialNet(
        copy.deepcopy(members),
        plan=TrainingPlan(
            lambda_max=tuple(lambda_max), optimizer=optimizer,
            **{"length": tuple(epochs * len(one) for one in batches), **settings},
        ),
        device=CPU,
        callbacks=[],
    )  # fmt: skip
    return net.train(EpochData(batches, [None] * k), streams, epochs, step=step)


def assert_same_weights(one, other, tolerance):
    for (name, value), expected in zip(one.named_parameters(), other.parameters(), strict=True):
        difference = (value - expected).detach().abs().max().item()
        assert difference <= tolerance, f"{name} differs by {difference}"


@pytest.fixture
def by_autograd(monkeypatch):
    """A function that switches to the general path."""
    return lambda: monkeypatch.setattr(_grouping, "can_be_stacked", lambda network: False)


def test_every_activation_has_a_derivative():
    assert set(ACTIVATIONS) == set(ACTIVATION_BACKWARD)


# -- against autograd ------------------------------------------------------------------------


@pytest.mark.parametrize("lambda_max", [0.0, 1.0])
@pytest.mark.parametrize(
    ("architecture", "weights", "target"),
    [
        *[({"activation": name}, False, True) for name in ACTIVATIONS],
        ({"dropout": 0.0}, False, True),
        ({"label_predictor": (6, 7), "domain_classifier": ()}, False, True),
        ({}, True, True),
        ({}, True, False),
    ],
    ids=[*ACTIVATIONS, "no-dropout", "other-depths", "weights", "no-target"],
)
def test_fifty_steps_by_hand_are_fifty_steps_by_autograd(
    by_autograd, architecture, weights, target, lambda_max
):
    start, data = network(**architecture), made_data(weights=weights, target=target)
    fast = trained([start], [1], [data], lambda_max=[lambda_max])
    by_autograd()
    general = trained([start], [1], [data], lambda_max=[lambda_max])
    assert fast.done_ == general.done_ == [STEPS]
    assert_same_weights(fast.module_, general.module_, 1e-5)
    moved = (
        fast.module_.feature_extractor.layers[0].weight - start.feature_extractor.layers[0].weight
    )
    assert moved.detach().abs().max() > 0.01
    for row, expected in zip(fast.history, general.history, strict=True):
        for name in expected.keys() - {"seconds", "batches"}:
            assert row[name] == pytest.approx(expected[name], abs=1e-5), name


MULTILINEAR = {"conditioning": "multilinear"}
# 4,200 products: random mixtures take their place.
WIDE = {**MULTILINEAR, "hidden_layer_sizes": (12, 1400)}
SHARES = {"target_shares": [0.6, 0.1, 0.3]}
TERMS = {"domain_label_smoothing": 0.2, "target_information": (0.5,)}


@pytest.mark.parametrize("lambda_max", [0.0, 1.0])
@pytest.mark.parametrize(
    ("architecture", "terms", "weights"),
    [
        (MULTILINEAR, {}, False),
        ({**MULTILINEAR, "label_predictor": (6,)}, {}, False),
        (WIDE, {}, False),
        *[({}, {name: value}, False) for name, value in TERMS.items()],
        ({}, TERMS, True),
        (SHARES, {}, False),
        (SHARES, {}, True),
        ({**MULTILINEAR, **SHARES}, TERMS, True),
        ({**MULTILINEAR, **SHARES, "activation": "tanh", "dropout": 0.0}, TERMS, True),
        ({**WIDE, **SHARES}, TERMS, True),
    ],
    ids=["multilinear", "multilinear-deeper", "random-products", *TERMS, "terms", "shares",
         "weights-and-shares", "all", "all-tanh", "all-random-products"],
)  # fmt: skip
def test_with_each_option_too(by_autograd, architecture, terms, weights, lambda_max):
    start, data = network(**architecture), made_data(weights=weights)
    fast = trained([start], [1], [data], lambda_max=[lambda_max], **terms)
    by_autograd()
    general = trained([start], [1], [data], lambda_max=[lambda_max], **terms)
    assert_same_weights(fast.module_, general.module_, 2e-5)
    for row, expected in zip(fast.history, general.history, strict=True):
        for name in ("label_loss", "domain_loss", "domain_accuracy"):
            assert row[name] == pytest.approx(expected[name], abs=1e-5), name


@pytest.mark.parametrize(
    ("architecture", "terms"),
    [*(({}, {name: value}) for name, value in TERMS.items()), (SHARES, {})],
)
def test_no_option_is_without_effect(architecture, terms):
    data = made_data()
    with_it = trained([network(**architecture)], [1], [data], lambda_max=[1.0], **terms)
    without = trained([network()], [1], [data], lambda_max=[1.0])
    with pytest.raises(AssertionError):
        assert_same_weights(with_it.module_, without.module_, 2e-4)


def test_at_lambda_0_target_information_moves_the_features_and_the_domain_classifier_does_not():
    start, data = network(), made_data()
    plain = trained([start], [1], [data], lambda_max=[0.0])
    # The domain classifier's own loss is another; the features get none of it.
    smooth = trained([start], [1], [data], lambda_max=[0.0], domain_label_smoothing=0.2)
    informed = trained([start], [1], [data], lambda_max=[0.0], target_information=(0.5,))
    for part in ("feature_extractor", "label_predictor"):
        own, other, moved = (getattr(n.module_, part) for n in (plain, smooth, informed))
        assert_same_weights(own, other, 0.0)
        with pytest.raises(AssertionError):
            assert_same_weights(own, moved, 1e-3)


def test_the_domain_classifier_stays_as_it_was_without_target_rows():
    start, data = network(), made_data(target=False)
    net = trained([start], [1], [data], lambda_max=[1.0], weight_decay=[0.5])
    assert_same_weights(net.module_.domain_classifier, start.domain_classifier, 0.0)


class Look(Callback):
    """Remembers which path was taken: by hand, gradients are views of a stacked tensor."""

    def __init__(self):
        self.by_hand = None

    def on_grad_computed(self, net, named_parameters, **kwargs):
        self.by_hand = dict(named_parameters)["label_predictor.layers.0.bias"].grad._is_view()


class Watched(Callback):
    def __init__(self):
        self.calls = 0

    def on_train_begin(self, net, **kwargs):
        net.module_.feature_extractor.layers[0].register_forward_hook(self.count)

    def count(self, *args):
        self.calls += 1


def path_of(moons, **parameters):
    callbacks = [Look(), *parameters.pop("callbacks", ())]
    settings = {"lambda_max": 1.0, "max_epochs": 2, "random_state": 0, **parameters}
    fitted = DANNClassifier(callbacks=callbacks, **settings)
    fitted.fit(*moons)
    (look,) = (one for _, one in fitted.net_.callbacks_ if isinstance(one, Look))
    return fitted, look.by_hand


def test_our_own_layers_take_the_short_way(moons):
    assert path_of(moons)[1]
    assert path_of(moons, optimizer=torch.optim.AdamW, early_stopping=True)[1]


def test_custom_modules_frozen_parameters_and_hooks_take_the_general_way(moons):
    assert not path_of(moons, feature_extractor=lambda n: nn.Linear(n, 4))[1]
    fitted, by_hand = path_of(moons, callbacks=[Freezer("feature_extractor.*")])
    start = DANNClassifier(lambda_max=1.0, max_epochs=1, lr=1e-12, random_state=0).fit(*moons)
    assert not by_hand
    assert_same_weights(fitted.module_.feature_extractor, start.module_.feature_extractor, 1e-8)
    fitted, by_hand = path_of(moons, callbacks=[Watched()])
    (watched,) = (one for _, one in fitted.net_.callbacks_ if isinstance(one, Watched))
    assert not by_hand and watched.calls > 0


def zeros(module_or_gradient, *rest):
    """A hook of parameters that takes all gradients away."""
    return torch.zeros_like(module_or_gradient)


def keep(*args):
    """A hook that changes nothing."""


def clear(parameter):
    parameter.grad.zero_()


HOOKS = {
    "register_forward_hook": keep,
    "register_forward_pre_hook": keep,
    "register_full_backward_hook": keep,
    "register_full_backward_pre_hook": keep,
    "register_hook": zeros,
    "register_post_accumulate_grad_hook": clear,
}


class Hooks(Callback):
    """Registers a hook on all parameters, or on all layers."""

    def __init__(self, name):
        self.name = name
        self.calls = 0

    def on_train_begin(self, net, **kwargs):
        def hook(*args):
            self.calls += 1
            return HOOKS[self.name](*args)

        for module in net.module_.modules():
            if isinstance(module, nn.Linear):
                hooked = [module] if hasattr(module, self.name) else module.parameters()
                for one in hooked:
                    getattr(one, self.name)(hook)


@pytest.mark.filterwarnings("ignore:Full backward hook is firing")
@pytest.mark.parametrize("name", HOOKS)
def test_every_kind_of_hook_is_called(moons, name):
    assert can_be_stacked(network())
    fitted, by_hand = path_of(moons, callbacks=[Hooks(name)], optimizer="sgd", weight_decay=0.0)
    (hooks,) = (one for _, one in fitted.net_.callbacks_ if isinstance(one, Hooks))
    assert not by_hand and hooks.calls > 0
    start = DANNClassifier(lambda_max=1.0, max_epochs=1, lr=1e-12, random_state=0).fit(*moons)
    if HOOKS[name] is keep:
        with pytest.raises(AssertionError):
            assert_same_weights(fitted.module_, start.module_, 1e-4)
    else:
        assert_same_weights(fitted.module_, start.module_, 1e-8)


def test_a_parametrized_layer_takes_the_general_way():
    changed = network()
    nn.utils.parametrizations.weight_norm(changed.feature_extractor.layers[0])
    assert not can_be_stacked(changed)


def test_a_subclass_of_our_layers_is_not_taken_for_ours():
    changed = network()
    assert can_be_stacked(changed)
    own = type("Own", (type(changed.label_predictor),), {})
    changed.label_predictor.__class__ = own
    assert not can_be_stacked(changed)


class Halve(Callback):
    """Puts other gradients in the place of ours."""

    def on_grad_computed(self, net, named_parameters, **kwargs):
        for _, parameter in named_parameters:
            parameter.grad = parameter.grad / 2


class Clear(Callback):
    """Takes the gradients away when the step is done."""

    def on_batch_end(self, net, **kwargs):
        net.optimizer_.zero_grad()


@pytest.mark.parametrize("callback", [Halve, Clear])
def test_a_callback_may_replace_gradients_step_by_step(moons, by_autograd, callback):
    settings = {"lambda_max": 1.0, "optimizer": "sgd", "lr": 0.1, "weight_decay": 0.0}
    settings["random_state"] = 0
    fast = DANNClassifier(max_epochs=3, callbacks=[callback], **settings).fit(*moons)
    by_autograd()
    general = DANNClassifier(max_epochs=3, callbacks=[callback], **settings).fit(*moons)
    assert_same_weights(fast.module_, general.module_, 1e-5)


# -- together and alone ----------------------------------------------------------------------


@pytest.mark.parametrize("group_bytes", [1, 20_000, 2**30])
def test_each_of_several_networks_is_as_if_trained_alone(monkeypatch, group_bytes):
    monkeypatch.setattr(_grouping, "_GROUP_BYTES", group_bytes)
    k = 6
    members, seeds = [network(seed) for seed in range(k)], range(10, 10 + k)
    data = [made_data(seed, weights=seed % 2 == 0) for seed in range(k)]
    settings = {
        "lambda_max": [0.0, 0.1, 1.0, 2.0, 0.0, 0.5],
        "lr": [0.001, 0.001, 0.002, 0.005, 0.001, 0.01],
        "weight_decay": [0.0, 0.1, 0.0001, 0.0001, 0.0, 0.01],
    }
    together = trained(members, seeds, data, **settings)
    for i in range(k):
        own = {name: [values[i]] for name, values in settings.items()}
        alone = trained([members[i]], [seeds[i]], [data[i]], **own)
        assert_same_weights(together.members_[i], alone.module_, 1e-4)
        for row, expected in zip(together.history, alone.history, strict=True):
            for name in ("label_loss", "domain_loss", "domain_accuracy", "lambda"):
                assert row["members"][i][name] == pytest.approx(expected[name], abs=1e-4)


@pytest.mark.parametrize("architecture", [{}, MULTILINEAR])
def test_each_of_several_networks_has_options_of_its_own(architecture):
    own_shares = [[0.6, 0.1, 0.3], [0.1, 0.1, 0.8], None, None, [0.2, 0.5, 0.3], None]
    members = [network(i, shares, **architecture) for i, shares in enumerate(own_shares)]
    data = [made_data(i, weights=i % 2 == 0) for i in range(6)]
    lambda_max, target_information = [1.0, 0.0, 1.0, 0.5, 0.0, 0.0], [0.5, 0.1, 2.0, 0.0, 0.0, 0.5]
    terms = {"domain_label_smoothing": 0.2}
    together = trained(
        members,
        range(6),
        data,
        lambda_max=lambda_max,
        target_information=target_information,
        **terms,
    )
    for i, member in enumerate(members):
        terms["target_information"] = (target_information[i],)
        alone = trained([member], [i], [data[i]], lambda_max=[lambda_max[i]], **terms)
        assert_same_weights(together.members_[i], alone.module_, 1e-4)
        for row, expected in zip(together.history, alone.history, strict=True):
            for name in ("label_loss", "domain_loss", "domain_accuracy"):
                assert row["members"][i][name] == pytest.approx(expected[name], abs=1e-4)


@pytest.mark.parametrize("lambda_max", [0.0, 1.0])
def test_networks_that_differ_only_in_target_information_come_out_as_alone(lambda_max):
    values, data = [0.5, 0.0, 2.0], made_data()
    together = trained(
        [network() for _ in values], [1] * 3, [data] * 3,
        lambda_max=[lambda_max] * 3, target_information=tuple(values), unobserved=True,
    )  # fmt: skip
    for member, value in zip(together.members_, values, strict=True):
        alone = trained(
            [network()], [1], [data], lambda_max=[lambda_max], target_information=(value,)
        )
        assert_same_weights(member, alone.module_, 1e-4)
    for other in together.members_[1:]:
        with pytest.raises(AssertionError):
            assert_same_weights(together.members_[0], other, 1e-3)


def test_networks_may_have_rows_of_their_own_out_of_one_array():
    data = made_data()
    # Two with as many steps an epoch as each other, and one with fewer.
    parts = []
    for rows in (np.arange(0, 160, 2), np.arange(1, 160, 2), np.arange(40)):
        changes = {"source_rows": rows, "y_source": data.y_source[rows]}
        parts.append(dataclasses.replace(data, **changes))
    together = trained([network() for _ in parts], [1, 1, 1], parts, lambda_max=[1.0] * 3)
    assert together.done_ == [25, 25, 15]
    for part, member in zip(parts, together.members_, strict=True):
        alone = trained([network()], [1], [part], lambda_max=[1.0])
        assert_same_weights(alone.module_, member, 1e-4)
    with pytest.raises(AssertionError):
        assert_same_weights(*together.members_[:2], 1e-3)


# -- progress --------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 3])
def test_progress_counts_in_the_unit_of_the_length(k):
    # 5 epochs of 10 steps, each of 3.2 source rows out of 320: it ends at one half.
    net = trained(
        [network() for _ in range(k)], range(k), [made_data()] * k, lambda_max=[2.0] * k,
        step=3.2, length=(320.0,) * k, lambda_schedule=lambda p: p,
    )  # fmt: skip
    assert net.done_ == pytest.approx([160.0] * k)
    progress = [(10 * epoch - 1) * 3.2 / 320 for epoch in range(1, 6)]
    assert [row["lambda"] for row in net.history] == pytest.approx([2 * p for p in progress])


def test_progress_ends_at_one():
    net = trained(
        [network()], [1], [made_data()], lambda_max=[1.0], step=4.0, length=(100.0,),
        lambda_schedule=lambda p: p,
    )  # fmt: skip
    assert [row["lambda"] for row in net.history] == pytest.approx([0.36, 0.76, 1, 1, 1])


# -- rows held out ---------------------------------------------------------------------------


@pytest.mark.parametrize("weights", [False, True])
def test_rows_held_out_are_weighed_as_those_that_train(weights):
    data, start = made_data(3, weights=weights), network(target_shares=[0.6, 0.1, 0.3]).eval()
    with torch.no_grad():
        start.domain_classifier.layers[-1].weight.mul_(20)  # so that losses differ between rows
    figures, label_logits = held_out_figures(start, data, CPU)
    weight = np.array([0.6, 0.1, 0.3])[data.y_source] / shares_of_source(data)[data.y_source]
    X = torch.from_numpy(np.concatenate([data.X_source, data.X_target]))
    with torch.no_grad():
        embedding = start.embed(X)
        label = start.label_logits(embedding)[: len(weight)]
        domain = start.domain_logits(embedding)
    rows = torch.arange(len(weight))
    torch.testing.assert_close(label_logits, label)
    of_label = -label.log_softmax(dim=1)[rows, torch.from_numpy(data.y_source)].numpy()
    of_source, of_target = -domain.log_softmax(dim=1).numpy().T
    own = weight if data.label_weight is None else weight * data.label_weight
    assert figures["valid_label_loss"] == pytest.approx(np.average(of_label, weights=own))
    own = weight if data.domain_weight is None else weight * data.domain_weight
    weighted = np.average(of_source[: len(weight)], weights=own)
    expected = (weighted + of_target[len(weight) :].mean()) / 2
    assert figures["valid_domain_loss"] == pytest.approx(expected, rel=1e-6)
    unweighted = (of_source[: len(weight)].mean() + of_target[len(weight) :].mean()) / 2
    assert abs(expected - unweighted) > 5e-5


@pytest.mark.parametrize("bytes_per_reading", [1, 3000])
def test_figures_are_the_same_however_often_they_are_read(monkeypatch, bytes_per_reading):
    data = made_data(weights=True)
    rarely = trained([network()], [1], [data], lambda_max=[1.0]).history
    monkeypatch.setattr(_record, "_BYTES_PER_READING", bytes_per_reading)
    often = trained([network()], [1], [data], lambda_max=[1.0]).history
    for row, expected in zip(often, rarely, strict=True):
        for name in ("label_loss", "domain_loss", "domain_accuracy"):
            assert row[name] == pytest.approx(expected[name], rel=1e-5)


def test_the_figures_of_several_networks_are_means():
    net = trained([network(0), network(1)], [0, 1], [made_data()] * 2, lambda_max=[1.0, 3.0])
    for row in net.history:
        for name in ("label_loss", "domain_loss", "domain_accuracy", "lambda"):
            assert row[name] == pytest.approx(np.mean([one[name] for one in row["members"]]))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_cuda_the_gradient_by_hand_is_that_of_autograd_too(by_autograd):
    X, y = (rows.numpy() for rows in (torch.randn(300, 5), torch.arange(300) % 3))
    settings = {
        "lambda_max": 1.0,
        "device": "cuda",
        "max_epochs": 10,
        "dropout": 0.0,
        "random_state": 0,
    }
    fast = DANNClassifier(n_members=3, **settings).fit(X, y, X + 0.5)
    by_autograd()
    general = DANNClassifier(n_members=3, **settings).fit(X, y, X + 0.5)
    np.testing.assert_allclose(fast.predict_proba(X), general.predict_proba(X), atol=1e-4)
