"""Two other packages with DANN, skada and adapt, for speed.py and target_accuracy.py.

Each runs in a process of its own, with an interpreter in which it is installed. `Peer` starts
such a process,

    python benchmarks/peers.py {skada,adapt}

which fits once and then prints "ready". From then on it reads requests, one line of JSON each, and
answers each with one line of JSON:

- ``{"n_rows": ..., "n_features": ..., "batch_size": ..., "epochs": ..., "dropout": ...}``: the
  seconds of one fit on made rows;
- ``{"fit": FILE, "seed": ...}``: the seconds of a fit on the file's `X_src`, `y_src` (0..k-1) and
  `X_tgt`, as `numpy.savez` writes them;
- ``{"predict": FILE}``: the classes that the last fit predicts for the file's `X`.

Both packages train the network of `hand_written_loop.HandWrittenDANN` with Adam, on batches of half
source, half target rows. Their lambda is 1 from the first step on, and their domain loss is the sum
of the means of the two domains, twice the loss of `DANNClassifier`.
"""

from __future__ import annotations

import functools
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

N_HIDDEN, LR = 100, 0.001


class Rows(NamedTuple):
    """What a peer is fitted on; `y_src` is coded 0..k-1."""

    X_src: np.ndarray
    y_src: np.ndarray
    X_tgt: np.ndarray

    @property
    def n_classes(self) -> int:
        return int(self.y_src.max()) + 1


def made_data(n_rows: int, n_features: int) -> Rows:
    rng = np.random.default_rng(0)
    X_src = rng.normal(size=(n_rows, n_features)).astype(np.float32)
    X_tgt = rng.normal(loc=0.5, size=(n_rows, n_features)).astype(np.float32)
    return Rows(X_src, (X_src[:, 0] > 0).astype(np.int64), X_tgt)


Predict = Callable[[np.ndarray], np.ndarray]


def fit_skada(rows: Rows, batch_size: int, steps: int, seed: int, dropout: float) -> Predict:
    """Fit skada's DANN with a domain classifier of our own.

    Its default domain classifier ends in a softmax over one logit, which is constant and has no
    gradient; ours ends in a sigmoid. skada leaves the gradient reversal to the domain classifier,
    so ours begins with skada's reversal layer.
    """
    import torch
    from skada.deep import DANN
    from skada.deep.modules import GradientReversalLayer
    from torch import nn

    torch.set_num_threads(1)
    torch.manual_seed(seed)

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(
                nn.Linear(rows.X_src.shape[1], N_HIDDEN), nn.ReLU(), nn.Dropout(dropout)
            )
            self.label = nn.Linear(N_HIDDEN, rows.n_classes)

        def forward(self, X: Any, sample_weight: Any = None) -> Any:
            return self.label(self.features(X))

    class Reversal(nn.Module):
        def forward(self, X: Any) -> Any:
            return GradientReversalLayer.apply(X, 1.0)

    domain_classifier = nn.Sequential(
        Reversal(), nn.Linear(N_HIDDEN, N_HIDDEN), nn.ReLU(), nn.Dropout(dropout),
        nn.Linear(N_HIDDEN, 1), nn.Sigmoid(), nn.Flatten(start_dim=0),
    )  # fmt: skip
    # A batch has `batch_size` rows of each domain. With max_samples="source" an epoch is a pass
    # over the source, as ours, but without the last, incomplete batch. More epochs make up for
    # that, so the number of steps is the same to within half an epoch.
    batch_size = min(batch_size, len(rows.X_src))
    net = DANN(
        Network(), layer_name="features", domain_classifier=domain_classifier, reg=1.0,
        batch_size=batch_size, max_epochs=round(steps / (len(rows.X_src) // batch_size)), lr=LR,
        iterator_train__max_samples="source", optimizer=torch.optim.Adam, train_split=None,
        verbose=0,
    )  # fmt: skip
    X = np.concatenate([rows.X_src, rows.X_tgt])
    y = np.concatenate([rows.y_src, np.full(len(rows.X_tgt), -1)])
    net.fit(X, y, sample_domain=np.repeat([1, -2], [len(rows.X_src), len(rows.X_tgt)]))
    return lambda X: net.predict(X, allow_source=True)


def fit_adapt(rows: Rows, batch_size: int, steps: int, seed: int, dropout: float) -> Predict:
    """Fit adapt's DANN."""
    import tensorflow as tf
    from adapt.feature_based import DANN
    from tensorflow import keras

    keras.backend.clear_session()  # Or the graphs of all earlier fits stay.
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    hidden = lambda: [layers.Dense(N_HIDDEN, activation="relu"), layers.Dropout(dropout)]  # noqa: E731
    model = DANN(
        encoder=keras.Sequential(hidden()),
        task=keras.Sequential([layers.Dense(rows.n_classes, activation="softmax")]),
        discriminator=keras.Sequential([*hidden(), layers.Dense(1, activation="sigmoid")]),
        lambda_=1.0, Xt=rows.X_tgt, loss="categorical_crossentropy", copy=False,
        optimizer=keras.optimizers.Adam(LR), verbose=0,
    )  # fmt: skip
    # A batch has `batch_size` rows of each domain, also at the end of an epoch. An epoch is a pass
    # over the larger domain, so only the number of steps can be the same, to within half an epoch.
    steps_per_epoch = math.ceil(max(len(rows.X_src), len(rows.X_tgt)) / batch_size)
    one_hot = tf.one_hot(rows.y_src, rows.n_classes).numpy()
    model.fit(
        rows.X_src, one_hot, epochs=max(1, round(steps / steps_per_epoch)), batch_size=batch_size
    )
    return lambda X: model.predict(X).argmax(axis=1)


PEERS: dict[str, Callable[..., Predict]] = {"skada": fit_skada, "adapt": fit_adapt}


# -- in the peer's process -------------------------------------------------------------------


class Answers:
    """The answers of a peer's process to the requests above."""

    def __init__(self, name: str) -> None:
        self._fit, self._predict = PEERS[name], None

    def to(self, request: dict[str, Any]) -> Any:
        if "predict" in request:
            with np.load(request["predict"]) as file:
                return self._predict(file["X"]).tolist()
        if "fit" in request:
            with np.load(request["fit"]) as file:
                rows = Rows(*(file[name] for name in Rows._fields))
            return self._seconds(rows, 64, default_steps(len(rows.X_src), 64), request["seed"], 0.5)
        rows, size = made_data(request["n_rows"], request["n_features"]), request["batch_size"]
        steps = request["epochs"] * math.ceil(len(rows.X_src) / size)
        return self._seconds(rows, size, steps, 0, request["dropout"])

    def _seconds(self, rows: Rows, *settings: float) -> float:
        start = time.perf_counter()
        self._predict = self._fit(rows, *settings)
        return time.perf_counter() - start


def default_steps(n_source: int, batch_size: int) -> int:
    """Return the steps of `DANNClassifier(batch_size=...)`: 30 epochs, at least 1,000 steps."""
    steps_per_epoch = math.ceil(n_source / batch_size)
    return steps_per_epoch * max(30, math.ceil(1000 / steps_per_epoch))


@contextmanager
def answers_only() -> Iterator[Any]:
    """Yield a stream for answers; what libraries print goes to stderr meanwhile."""
    with os.fdopen(os.dup(1), "w") as out:
        os.dup2(2, 1)
        yield out


def main() -> None:
    if sys.argv[1:] not in [[name] for name in PEERS]:
        sys.exit(__doc__)
    answers = Answers(sys.argv[1])
    with answers_only() as out:
        first = {"n_rows": 200, "n_features": 5, "batch_size": 50, "epochs": 1, "dropout": 0.5}
        answers.to(first)
        print("ready", file=out, flush=True)
        for line in sys.stdin:
            print(json.dumps(answers.to(json.loads(line))), file=out, flush=True)


# -- in the benchmark's process --------------------------------------------------------------


class Peer:
    """A process that runs a peer; it ends together with this process."""

    def __init__(self, name: str, python: str) -> None:
        self._name = name
        self._process = subprocess.Popen(
            [python, __file__, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        self.ready = self._process.stdout.readline() == "ready\n"  # type: ignore[union-attr]

    def ask(self, **request: Any) -> Any:
        self._process.stdin.write(json.dumps(request) + "\n")  # type: ignore[union-attr]
        self._process.stdin.flush()  # type: ignore[union-attr]
        answer = self._process.stdout.readline()  # type: ignore[union-attr]
        if not answer:
            raise RuntimeError(f"{self._name} gave no answer to {request}")
        return json.loads(answer)


@functools.cache
def started(name: str, python: str) -> Peer:
    """Return the process of a peer, started once; not `ready` if the peer is not installed."""
    return Peer(name, python)


if __name__ == "__main__":
    main()
