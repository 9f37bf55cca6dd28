"""Modules that a user may pass as parts of the network, right and wrong."""

from __future__ import annotations

import functools

import torch
from torch import nn

from fuzzing.outcomes import PlantedError


class Double(nn.Module):
    """A layer of float64."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 4, dtype=torch.float64)

    def forward(self, X):
        return self.layer(X)


class Returns(nn.Module):
    """A layer, and something made of what it returns."""

    def __init__(self, n_in, n_out, change):
        super().__init__()
        self.layer, self.change = nn.Linear(n_in, n_out), change

    def forward(self, X):
        return self.change(self.layer(X))

    def __repr__(self):
        return "Returns"


class Raises(nn.Module):
    """A forward pass that fails, from the first call or while training."""

    def __init__(self, error, only_training=False):
        super().__init__()
        self.layer, self.error = nn.Linear(3, 4), error
        self.only_training = only_training

    def forward(self, X):
        if self.training or not self.only_training:
            raise self.error("planted in forward")
        return self.layer(X)


class TwoArguments(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 4)

    def forward(self, X, more):
        return self.layer(X)


def raising(*_sizes):
    raise PlantedError("a part's constructor")


def parts(n_in, n_out):
    """Return modules and makers that map `n_in` to `n_out` columns, and such that don't."""
    make = functools.partial
    good = {
        "Linear": nn.Linear(n_in, n_out),
        "without bias": nn.Linear(n_in, n_out, bias=False),
        "two layers": nn.Sequential(nn.Linear(n_in, 5), nn.Tanh(), nn.Linear(5, n_out)),
        "batch norm": nn.Sequential(nn.BatchNorm1d(n_in), nn.Linear(n_in, n_out)),
        "layer norm": nn.Sequential(nn.LayerNorm(n_in), nn.Linear(n_in, n_out)),
        "dropout": nn.Sequential(nn.Dropout(0.9), nn.Linear(n_in, n_out)),
        "frozen": nn.Linear(n_in, n_out).requires_grad_(False),
        "partial": make(nn.Linear, n_in, n_out),
        "no sizes": lambda: nn.Linear(n_in, n_out),
        "training off": nn.Linear(n_in, n_out).eval(),
    }
    either = {
        "lazy": nn.LazyLinear(n_out),
        "in place": nn.Sequential(nn.Linear(n_in, n_out), nn.ReLU(inplace=True)),
        "one-row batches": nn.Sequential(nn.Linear(n_in, n_out), nn.BatchNorm1d(n_out)),
        "NaN": Returns(n_in, n_out, lambda out: out * float("nan")),
        "inf": Returns(n_in, n_out, lambda out: out / 0),
        "huge": Returns(n_in, n_out, lambda out: out * 1e30),
        "detached": Returns(n_in, n_out, torch.Tensor.detach),
        "float16 out": Returns(n_in, n_out, torch.Tensor.half),
        "float64 out": Returns(n_in, n_out, torch.Tensor.double),
        "int out": Returns(n_in, n_out, torch.Tensor.long),
        "complex out": Returns(n_in, n_out, lambda out: out + 0j),
        "bool out": Returns(n_in, n_out, lambda out: out > 0),
        "sorted rows": Returns(n_in, n_out, lambda out: out.sort(dim=0).values),
        "numpy out": Returns(n_in, n_out, lambda out: out.detach().numpy()),
        "raises while training": Raises(PlantedError, only_training=True),
        "raises": Raises(PlantedError),
        "raises in the constructor": raising,
        "one column": Returns(n_in, 1, lambda out: out),
        "no parameters": nn.Identity(),
        "meta": nn.Linear(n_in, n_out, device="meta"),
    }
    wrong = {
        "too wide": nn.Linear(n_in + 2, n_out),
        "too narrow": nn.Linear(max(1, n_in - 1), n_out),
        "Double": Double(),
        "tuple": Returns(n_in, n_out, lambda out: (out, out)),
        "dict": Returns(n_in, n_out, lambda out: {"out": out}),
        "list": Returns(n_in, n_out, list),
        "None": Returns(n_in, n_out, lambda out: None),
        "3-d": Returns(n_in, n_out, lambda out: out[:, :, None]),
        "1-d": Returns(n_in, n_out, lambda out: out[:, 0]),
        "0-d": Returns(n_in, n_out, torch.Tensor.sum),
        "fewer rows": Returns(n_in, n_out, lambda out: out[:1]),
        "transposed": Returns(n_in, 7, lambda out: out.T),
        "raises RuntimeError": Raises(RuntimeError),
        "raises KeyError": Raises(KeyError),
        "raises ZeroDivisionError": Raises(ZeroDivisionError),
        "raises AssertionError": Raises(AssertionError),
        "convolution": nn.Conv2d(1, 2, 3),
        "abstract": nn.Module(),
        "two arguments": TwoArguments(),
        "five sizes": lambda a, b, c, d, e: nn.Linear(n_in, n_out),
        "not a module": lambda: 3,
        "a class of another kind": dict,
    }
    return good, either, wrong
