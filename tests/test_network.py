import copy
import functools

import numpy as np
import pytest
import torch
from torch import nn

from skdann import DANNClassifier
from skdann._network import network as _network
from skdann._network.layers import ACTIVATIONS, MultilayerPerceptron
from skdann._network.network import Architecture, build_network
from skdann._torch.randomness import random_streams
from skdann._training.losses import cross_entropy

CPU = torch.device("cpu")


def architecture(**changes):
    sizes = {
        "hidden_layer_sizes": (4,),
        "label_predictor": (),
        "domain_classifier": (3,),
        "activation": "tanh",
        "dropout": 0.0,
    }
    return Architecture(**{**sizes, **changes})


def built(row_shape=(5,), n_classes=3, n_domains=2, seed=0, **changes):
    return build_network(
        architecture(**changes), row_shape, n_classes, n_domains, *random_streams(seed, CPU)
    )


def test_sizes_connect_and_logits_come_out():
    network = built(hidden_layer_sizes=(7, 4), label_predictor=(6,), n_domains=4)
    label, domain = network.adversarial_logits(torch.zeros(10, 5), 6, torch.tensor(1.0))
    assert label.shape == (6, 3) and domain.shape == (10, 4)
    assert network.embed(torch.zeros(2, 5)).shape == (2, 4)


def test_the_domain_classifiers_size_does_not_change_the_other_parts():
    small, large = built(domain_classifier=()), built(domain_classifier=(50, 50))
    for one, other in zip(
        [*small.feature_extractor.parameters(), *small.label_predictor.parameters()],
        [*large.feature_extractor.parameters(), *large.label_predictor.parameters()],
        strict=True,
    ):
        assert torch.equal(one, other)


def test_initial_weights_have_the_spread_of_torch_linear():
    weight = built((400,), hidden_layer_sizes=(300,)).feature_extractor.layers[0].weight
    assert weight.abs().max() <= 1 / 20
    assert float(weight.detach().std()) == pytest.approx(1 / 20 / 3**0.5, rel=0.02)


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_activations_are_what_their_names_say(name):
    reference = {
        "identity": lambda x: x,
        "logistic": lambda x: 1 / (1 + np.exp(-x)),
        "tanh": np.tanh,
        "relu": lambda x: np.maximum(x, 0),
        "gelu": lambda x: x * torch.special.ndtr(torch.from_numpy(x)).numpy(),
    }[name]
    perceptron = MultilayerPerceptron(1, (1,), None, name, 0.0, torch.Generator())
    nn.init.ones_(perceptron.layers[0].weight), nn.init.zeros_(perceptron.layers[0].bias)
    x = np.linspace(-2, 2, 5, dtype=np.float32)[:, None]
    actual = perceptron(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(actual, reference(x), rtol=1e-5, atol=1e-6)


def test_dropout_drops_its_share_scales_up_and_draws_from_the_generator_alone():
    perceptron = MultilayerPerceptron(1, (1000,), None, "identity", 0.3, torch.Generator())
    nn.init.zeros_(perceptron.layers[0].weight), nn.init.ones_(perceptron.layers[0].bias)
    before = torch.get_rng_state()
    first, again, other = (
        perceptron(torch.zeros(20, 1), torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)
    )
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert float((first == 0).float().mean()) == pytest.approx(0.3, abs=0.02)
    torch.testing.assert_close(first[first != 0].unique(), torch.tensor([1 / 0.7]))
    perceptron.eval()
    assert (perceptron(torch.zeros(2, 1)) == 1).all()


def objective(network, X, y, domain, coefficient):
    """Label loss plus domain loss, as a training step adds them up."""
    strength = torch.tensor(coefficient, dtype=X.dtype)
    label, domain_logits = network.adversarial_logits(X, len(y), strength)
    return cross_entropy(label, y), cross_entropy(domain_logits, domain)


def numerical(function, parameter, step=1e-5):
    """Return the central difference of a scalar function by each element of a parameter."""
    gradient = torch.zeros_like(parameter)
    with torch.no_grad():
        for i in range(parameter.numel()):
            flat, kept = parameter.view(-1), parameter.view(-1)[i].item()
            flat[i] = kept + step
            above = function()
            flat[i] = kept - step
            below = function()
            flat[i] = kept
            gradient.view(-1)[i] = (above - below) / (2 * step)
    return gradient


def test_the_whole_objectives_gradient_agrees_with_a_numerical_one():
    coefficient = 0.6
    network = built(seed=3).double()
    X = torch.randn(8, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    y, domain = torch.tensor([0, 1, 2, 0]), torch.tensor([0] * 4 + [1] * 4)
    sum(objective(network, X, y, domain, coefficient)).backward()
    label_loss = lambda: objective(network, X, y, domain, coefficient)[0]  # noqa: E731
    domain_loss = lambda: objective(network, X, y, domain, coefficient)[1]  # noqa: E731
    for name, parameter in network.named_parameters():
        label, of_domain = numerical(label_loss, parameter), numerical(domain_loss, parameter)
        # The features climb the domain loss by lambda; the domain classifier descends it fully.
        sign = -coefficient if name.startswith("feature_extractor") else 1.0
        torch.testing.assert_close(parameter.grad, label + sign * of_domain, rtol=1e-4, atol=1e-7)
        assert parameter.grad.abs().max() > 0, f"no gradient reaches {name}"


# -- parts that the user gives ---------------------------------------------------------------


class Convolution(nn.Module):
    def __init__(self, row_shape):
        super().__init__()
        self.convolve = nn.Conv2d(row_shape[0], 4, kernel_size=3)

    def forward(self, images):
        return self.convolve(images).amax(dim=(2, 3))


class FixedHead(nn.Linear):
    def __init__(self):
        super().__init__(4, 2)


def test_a_class_is_called_with_the_sizes_that_it_must_connect():
    network = built((3, 8, 8), n_classes=2, feature_extractor=Convolution)
    assert network.embed(torch.zeros(2, 3, 8, 8)).shape == (2, 4)
    assert network.label_predictor.layers[0].in_features == 4


def test_an_empty_sequential_is_the_identity_and_no_missing_module():
    network = built(feature_extractor=nn.Sequential(), label_predictor=nn.Sequential(), n_classes=5)
    rows = torch.arange(10.0).view(2, 5)
    assert torch.equal(network.embed(rows), rows) and torch.equal(network(rows), rows)
    network = built(domain_classifier=nn.Sequential(), n_domains=4)
    assert torch.equal(network.domain_logits(rows[:, :4]), rows[:, :4])


class Optional(nn.Module):
    """Its first argument has a default, and is no width of rows."""

    def __init__(self, hidden=7):
        super().__init__()
        self.layer = nn.Linear(5, hidden)

    def forward(self, rows):
        return self.layer(rows)


def test_an_optional_argument_never_gets_the_width():
    assert built(feature_extractor=Optional).feature_extractor.layer.out_features == 7
    partial = functools.partial(Optional, 6)
    assert built(feature_extractor=partial).feature_extractor.layer.out_features == 6


def needs_three(a, b, c, d=4):
    return nn.Linear(a, b)


def needs_names(a, *, hidden):
    return nn.Linear(a, hidden)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"feature_extractor": nn.Linear}, "width=5, but Linear requires 2 arguments: in_features"),
        (
            {"label_predictor": needs_three},
            "n_embedding=4, n_classes=3, but needs_three requires 3",
        ),
        ({"domain_classifier": Convolution}, "n_domains=2, but Convolution requires 1"),
        ({"feature_extractor": needs_names}, "requires 2 arguments: a, hidden"),
    ],
    ids=["two-for-one", "three-for-two", "one-for-two", "by-name"],
)
def test_a_callable_that_requires_other_arguments_is_refused_with_a_cure(changes, said):
    with pytest.raises(ValueError, match=said) as refused:
        built(**changes)
    assert len(str(refused.value)) < 600


def test_the_cures_work():
    network = built(feature_extractor=lambda width: nn.Linear(in_features=width, out_features=6))
    assert network.feature_extractor.out_features == 6
    network = built(feature_extractor=functools.partial(nn.Linear, out_features=6))
    assert network.feature_extractor.weight.shape == (6, 5)
    network = built(feature_extractor=functools.partial(needs_names, hidden=6))
    assert network.feature_extractor.out_features == 6


def test_what_takes_any_arguments_gets_the_sizes():
    assert isinstance(built(feature_extractor=nn.Identity).feature_extractor, nn.Identity)


# 32 filters of 3 x 5 x 5 weights, at each of 60 x 60 positions.
CONVOLUTION = 60 * 60 * 32 * 3 * 5 * 5


def test_the_work_of_custom_modules_is_measured_and_not_their_weights():
    layers = nn.Sequential(nn.Conv2d(3, 32, 5), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    network = built((3, 64, 64), feature_extractor=layers)
    n_weights = sum(parameter.numel() for parameter in network.parameters())
    assert CONVOLUTION <= network.multiply_adds <= CONVOLUTION + n_weights
    assert built().multiply_adds == sum(parameter.numel() for parameter in built().parameters())


class Sequences(nn.Module):
    """Takes rows as sequences of 9 steps of 5 numbers."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, rows):
        out = self.layer(rows.view(len(rows), 9, -1))
        return (out[0] if isinstance(out, tuple) else out)[:, -1]


@pytest.mark.parametrize(
    "layer",
    [
        nn.LSTM(6, 7, batch_first=True),
        nn.LSTM(6, 7, num_layers=2, batch_first=True),
        nn.GRU(6, 7, batch_first=True),
        nn.TransformerEncoderLayer(6, 2, 16, batch_first=True),
    ],
    ids=["lstm", "two-layers", "gru", "transformer"],
)
def test_layers_of_sequences_are_counted_for_each_step(layer):
    network = built((54,), feature_extractor=Sequences(layer))
    matrices = sum(weight.numel() for weight in layer.parameters() if weight.ndim == 2)
    rest = sum(weight.numel() for weight in network.parameters())
    attention = 2 * 9 * 9 * 6
    assert 9 * matrices <= network.multiply_adds <= 9 * matrices + rest + attention


def test_a_module_that_cannot_be_measured_counts_by_its_weights(monkeypatch):
    def fails(function):
        raise RuntimeError("not inside a dispatch mode")

    monkeypatch.setattr(_network, "counted_multiply_adds", fails)
    network = built(feature_extractor=nn.Linear(5, 6))
    assert network.multiply_adds == sum(parameter.numel() for parameter in network.parameters())


def test_measuring_draws_nothing_and_calls_no_module_in_training_mode():
    class Looks(nn.Module):
        def forward(self, rows):
            assert not self.training
            return rows

    before = torch.get_rng_state()
    built(feature_extractor=nn.Sequential(Looks(), nn.Dropout(0.5)))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_class_without_arguments_is_called_with_none():
    assert isinstance(built(n_classes=2, label_predictor=FixedHead).label_predictor, FixedHead)


def test_callables_get_embedding_and_outputs():
    calls = []

    def head(n_embedding, n_outputs):
        calls.append((n_embedding, n_outputs))
        return nn.Linear(n_embedding, n_outputs)

    built(n_classes=3, n_domains=4, label_predictor=head, domain_classifier=head)
    assert calls == [(4, 3), (4, 4)]


def test_a_module_is_copied_with_its_weights(moons):
    X, y, X_tgt = moons
    given = nn.Linear(2, 6)
    before = copy.deepcopy(given.state_dict())
    fitted = DANNClassifier(feature_extractor=given, lambda_max=1.0, max_epochs=1, lr=1e-9).fit(
        X, y, X_tgt
    )
    assert fitted.module_.feature_extractor is not given
    torch.testing.assert_close(fitted.module_.feature_extractor.weight, given.weight)
    fitted.set_params(lr=0.1).fit(X, y, X_tgt)
    assert torch.equal(given.weight, before["weight"])


def test_a_fresh_module_depends_on_random_state_alone():
    torch.manual_seed(1)
    one = built((3, 8, 8), feature_extractor=Convolution, seed=5)
    torch.manual_seed(2)
    same = built((3, 8, 8), feature_extractor=Convolution, seed=5)
    other = built((3, 8, 8), feature_extractor=Convolution, seed=6)
    weight = lambda network: network.feature_extractor.convolve.weight  # noqa: E731
    assert torch.equal(weight(one), weight(same)) and not torch.equal(weight(one), weight(other))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"feature_extractor": nn.Linear(9, 3)}, "feature_extractor does not fit"),
        ({"feature_extractor": nn.Unflatten(1, (5, 1))}, "Flatten"),
        ({"feature_extractor": Convolution(row_shape=(3,))}, "images need a dense array"),
        ({"label_predictor": nn.Linear(4, 8)}, r"returned \(2, 8\), but must .* \(2, 3\)"),
        ({"domain_classifier": nn.Linear(5, 2)}, "domain_classifier does not fit"),
        ({"domain_classifier": lambda n, m: "head"}, "returned a str"),
    ],
)
def test_a_part_that_does_not_fit_is_named_before_training(changes, said):
    with pytest.raises(ValueError, match=said):
        built(**changes)
