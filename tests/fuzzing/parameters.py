"""Values of every parameter of the classifier: inside of the range, outside of it, and junk."""

from __future__ import annotations

import functools

import numpy as np
import torch
from hypothesis import strategies as st
from sklearn.base import BaseEstimator

from fuzzing.outcomes import PlantedError
from fuzzing.rows import Given


def planted(*_arguments):
    raise PlantedError("a callable of the user")


def _zero_division(p):
    return 1 / 0


# Anything, for any parameter.
JUNK = {
    "None": None,
    "True": True,
    "False": False,
    "0": 0,
    "-1": -1,
    "1": 1,
    "2**70": 2**70,
    "1.5": 1.5,
    "-0.5": -0.5,
    "NaN": float("nan"),
    "inf": float("inf"),
    "-inf": -float("inf"),
    "1e-320": 1e-320,
    "complex": 1j,
    "text": "nonsense",
    "no text": "",
    "auto": "auto",
    "bytes": b"auto",
    "np.int64": np.int64(2),
    "np.float32": np.float32(0.5),
    "np.bool": np.bool_(True),
    "np.str": np.str_("auto"),
    "array": np.array([1, 2]),
    "0-d array": np.array(1),
    "no array": np.array([]),
    "array of text": np.array(["a", "b"]),
    "2-d array": np.ones((2, 2)),
    "tensor": torch.tensor(1.0),
    "()": (),
    "[]": [],
    "(1,)": (1,),
    "(None,)": (None,),
    "('a',)": ("a",),
    "((1,), 2)": ((1,), 2),
    "ragged": [[1], [1, 2]],
    "{}": {},
    "dict": {"a": 1},
    "set": {1, 2},
    "range": range(3),
    "object": object(),
    "class": int,
    "class of the user": BaseEstimator,
    "function": len,
    "lambda": lambda p: p,
    "function of nothing": lambda: 1.0,
    "raises": planted,
    "generator": (i for i in range(3)),
    "module": torch.nn.Identity(),
    "type": torch.nn.Linear,
    "slice": slice(None),
    "Ellipsis": ...,
}

GOOD = {
    "hidden_layer_sizes": [1, 4, (4,), (4, 3), [4], (np.int64(3),), (1, 1, 1)],
    "activation": ["identity", "logistic", "tanh", "relu", "gelu"],
    "dropout": [0, 0.0, 0.5, 0.99, np.float32(0.3)],
    "feature_extractor": [None, lambda width: torch.nn.Linear(width, 4)],
    "label_predictor": [(), 3, (3,), [3, 2], torch.nn.Linear],
    "domain_classifier": [(), 3, (3,), [3, 2], torch.nn.Linear],
    "input_scaling": ["auto", "source", "both", "domain", "balanced", None],
    "lambda_max": ["auto", 0, 0.0, 1, 0.3, 100.0, (0, 1), [0.1], np.array([0.1, 1.0])],
    "lambda_schedule": ["ramp", "constant", lambda p: p],
    "conditioning": [None, "multilinear"],
    "domain_label_smoothing": [0, 0.1, 0.99],
    "target_information": [0, 0.1, 3.0],
    "target_label_weight": ["auto", 0, 0.5, 1],
    "label_shift": [None, "estimate", [0.2, 0.8], {0: 0.3, 1: 0.7}, np.array([0.5, 0.5])],
    "optimizer": [
        *("adam", "sgd", torch.optim.AdamW, torch.optim.Rprop, torch.optim.Adagrad),
        functools.partial(torch.optim.SGD, momentum=0.5),
    ],
    "lr": [0.001, 1e-300, 1e-8, 0.1, np.float32(0.01)],
    "lr_schedule": ["constant", "annealed", lambda p: 1 - p],
    "weight_decay": [0, 0.0001, 0.1],
    "batch_size": ["auto", 1, 2, 3, 64, 10_000, np.int32(4)],
    "max_epochs": [1, 2, np.int64(1)],
    "n_members": [1, 2, 3],
    "class_weight": [None, "balanced", {0: 1, 1: 2.5}, {0: 0, 1: 1}, {1: 3}],
    "early_stopping": [False, True],
    "validation_fraction": [0.1, 0.5, 0.001],
    "n_iter_no_change": [1, 2, 10],
    "warm_start": [False, True],
    "callbacks": [None, [], ()],
    "device": ["cpu", torch.device("cpu"), "auto"],
    "random_state": [None, 0, 2**32 - 1, np.random.RandomState(0), np.int64(3)],
    "n_jobs": [None, 1],
    "verbose": [0, False],
}

# Parameters that other tests try: they write files.
UNTRIED = {"checkpoint_dir"}

# Values that are close to right. Whether they are taken is up to the classifier.
NEAR = {
    "hidden_layer_sizes": [0, (0,), (-1,), (4, 0), (1.5,), ("4",), (True,), (2**70,), (), 10**15],
    "activation": ["ReLU", "relu6", torch.nn.ReLU, torch.relu],
    "dropout": [1, 1.0, -0.1, 0.999999999, "0.5"],
    "feature_extractor": ["resnet", (4,), torch.nn.Linear, torch.nn.ReLU, lambda a, b: a],
    "label_predictor": [0, (0,), None, lambda n: n, torch.nn.ReLU, planted],
    "domain_classifier": [0, (0,), None, lambda n: n, torch.nn.ReLU, planted],
    "input_scaling": [
        *(("source", "balanced"), ["both"], (None, "source")),  # with candidates of lambda_max too
        *("none", "target", "denoised", (), ("auto",), ("source", "source"), [["a"]]),
    ],
    "lambda_max": [
        *(-1, -1e-9, float("inf"), float("nan"), 1e300, 1e38, "1", "Auto", [], (-1,)),
        *(
            [float("nan")],
            (0,),
            [0, 0],
            [[0, 1]],
            ["a"],
            (1, None),
            [True, 2],
            [1e308, float("inf")],
        ),
    ],
    "lambda_schedule": [
        *("linear", lambda p: -1, lambda p: float("nan"), lambda p: "1", lambda p: None, planted),
        *(lambda: 1, lambda p, q: 1, _zero_division, lambda p: torch.tensor(1.0), lambda p: 1e300),
        *(lambda p: np.ones(2), lambda p: 1j, lambda p: float("inf"), lambda p: True),
    ],
    "conditioning": ["none", "linear", False],
    "domain_label_smoothing": [1, 1.0, -0.1],
    "target_label_weight": [-0.1, 1.5, float("nan"), "Auto", None],
    "target_information": [-1, float("inf"), 1e300, float("nan")],
    "label_shift": [
        *([0.5, 0.6], [1.0], [0.0, 1.0], [-0.5, 1.5], [0, 0], {0: 1.0}, {0: 0.5, 2: 0.5}, {}, []),
        *({0: "a", 1: "b"}, [float("nan"), 1], ["a", "b"], [[0.5, 0.5]], {0: None, 1: 1}, "bbse"),
        *([1e308, 1e308], [1e-320, 1], {0: float("inf"), 1: 1}, {"0": 0.5, "1": 0.5}, [3, 7]),
    ],
    "optimizer": [
        *("Adam", "lbfgs", torch.optim.LBFGS, torch.optim.SparseAdam, torch.optim.Optimizer, int),
        *(functools.partial(torch.optim.SGD, nonsense=1), lambda params: None, planted, dict),
        functools.partial(torch.optim.SGD, momentum=-1),
    ],
    "lr": [0, -1, 1e300, 1e38, 10.0, float("inf"), "0.001", (0.1,), [0.1]],
    "lr_schedule": [
        *("cosine", lambda p: -1, lambda p: float("nan"), lambda p: "1", lambda p: None, planted),
        *(lambda: 1, _zero_division, lambda p: 1e300, lambda p: float("inf")),
    ],
    "weight_decay": [-1, 1e300, 1e38, float("inf"), float("nan")],
    "batch_size": [0, -1, 1.5, 2**70, "64", 64.0],
    "max_epochs": [0, -1, 1.5, 1.0, "2", True],
    "n_members": [0, -1, 1.5, True],
    "class_weight": [
        *({}, {0: -1, 1: 1}, {0: 0, 1: 0}, {0: float("nan"), 1: 1}, {0: "a", 1: 1}, {5: 1.0}),
        *({0: None, 1: 1}, {"a": 1}, "Balanced", [1, 2], {0: 1e308, 1: 1e308}, {0: float("inf")}),
        {0: [1], 1: 2},
    ],
    "early_stopping": [0, 1, "yes"],
    "validation_fraction": [0, 1, 1.0, 0.999999, 1e-300, -0.1],
    "n_iter_no_change": [0, -1, 1.5],
    "warm_start": ["yes", 2],
    "callbacks": [
        *([None], [1], ["a"], [object()], [int], ["name", "other"], [("a", None)], {"a": None}),
        [("a", object())],
    ],
    "device": [
        "gpu",
        "cuda",
        "cuda:99",
        "mps",
        "meta",
        "nonsense:1",
        "cpu:7",
        0,
        torch.device("meta"),
    ],
    "random_state": [-1, 2**70, 1.5, "0", np.random.default_rng(0), np.random],
    "n_jobs": [0, 1.5, "2"],
    "verbose": [-1, "yes", 1.5, 0.0],
}


def any_value(name):
    """Return a strategy for values of one parameter."""
    junk = dict(JUNK)
    if name in ("max_epochs", "n_members"):
        junk.pop(
            "2**70"
        )  # as many passes or networks as the user asks for take as long as they take
        junk.pop("auto")  # 300 passes
    table = [Given(value, True, f"{name}={value!r}") for value in GOOD[name]]
    near = [Given(value, None, f"{name}={value!r}") for value in NEAR[name]]
    odd = [Given(value, None, f"{name} is {what}") for what, value in junk.items()]
    return st.one_of(st.sampled_from(table), st.sampled_from(near), st.sampled_from(odd))


def good_value(name):
    return st.sampled_from([Given(value, True, f"{name}={value!r}") for value in GOOD[name]])


@st.composite
def any_parameters(draw):
    """Draw one to three parameters with any values."""
    names = draw(st.lists(st.sampled_from(sorted(GOOD)), min_size=1, max_size=3, unique=True))
    return {name: draw(any_value(name)) for name in names}


@st.composite
def good_parameters(draw, *, without=()):
    """Draw up to four parameters with values inside of their ranges."""
    choice = sorted(set(GOOD) - set(without))
    names = draw(st.lists(st.sampled_from(choice), max_size=4, unique=True))
    return {name: draw(good_value(name)).value for name in names}
