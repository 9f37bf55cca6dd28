"""The peers of the speed table, each in a process of its own with the interpreter that has it.

    python benchmarks/peers.py {skada,adapt}

reads lines of JSON, ``{"n_rows": ..., "n_features": ..., "batch_size": ..., "epochs": ...}``,
and answers each with the seconds of one fit on made rows; speed.py does the asking. The
process has started up, and fitted once, before it says "ready".

Both train the network of `hand_written_loop.HandWrittenDANN`, on batches of half source, half
target rows, with Adam.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

N_HIDDEN, DROPOUT, LR = 100, 0.5, 0.001


def made_data(n_rows: int, n_features: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Source rows, labels and target rows."""
    rng = np.random.default_rng(0)
    X_src = rng.normal(size=(n_rows, n_features)).astype(np.float32)
    X_tgt = rng.normal(loc=0.5, size=(n_rows, n_features)).astype(np.float32)
    return X_src, (X_src[:, 0] > 0).astype(np.int64), X_tgt


def fit_skada(data: Any, batch_size: int, epochs: int) -> None:
    """Fit skada's DANN with a domain head of our own.

    Its default head is a softmax over one logit: constant, without a gradient. A sigmoid over
    the same logit adapts.
    """
    import torch
    from skada.deep import DANN
    from torch import nn

    torch.set_num_threads(1)
    X_src, y_src, X_tgt = data
    n_features = X_src.shape[1]

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(
                nn.Linear(n_features, N_HIDDEN), nn.ReLU(), nn.Dropout(DROPOUT)
            )
            self.label = nn.Linear(N_HIDDEN, 2)

        def forward(self, X: Any, sample_weight: Any = None) -> Any:
            return self.label(self.features(X))

    head = nn.Sequential(
        nn.Linear(N_HIDDEN, N_HIDDEN), nn.ReLU(), nn.Dropout(DROPOUT), nn.Linear(N_HIDDEN, 1),
        nn.Sigmoid(), nn.Flatten(start_dim=0),
    )  # fmt: skip
    net = DANN(
        Network(), layer_name="features", domain_classifier=head, reg=1.0, max_epochs=epochs,
        batch_size=batch_size, lr=LR, optimizer=torch.optim.Adam, train_split=None, verbose=0,
    )  # fmt: skip
    X = np.concatenate([X_src, X_tgt])
    y = np.concatenate([y_src, np.full(len(X_tgt), -1)])
    domain = np.repeat([1, -2], [len(X_src), len(X_tgt)])
    net.fit(X, y, sample_domain=domain)


def fit_adapt(data: Any, batch_size: int, epochs: int) -> None:
    """Fit adapt's DANN; a step has `batch_size` rows of each domain."""
    import tensorflow as tf
    from adapt.feature_based import DANN
    from tensorflow import keras

    X_src, y_src, X_tgt = data
    layers = keras.layers
    hidden = lambda: [layers.Dense(N_HIDDEN, activation="relu"), layers.Dropout(DROPOUT)]  # noqa: E731
    model = DANN(
        encoder=keras.Sequential(hidden()),
        task=keras.Sequential([layers.Dense(2, activation="softmax")]),
        discriminator=keras.Sequential([*hidden(), layers.Dense(1, activation="sigmoid")]),
        lambda_=1.0, Xt=X_tgt, loss="categorical_crossentropy", copy=False,
        optimizer=keras.optimizers.Adam(LR), verbose=0,
    )  # fmt: skip
    model.fit(X_src, tf.one_hot(y_src, 2).numpy(), epochs=epochs, batch_size=batch_size)


PEERS: dict[str, Callable[..., None]] = {"skada": fit_skada, "adapt": fit_adapt}


def seconds(fit: Callable[..., None], n_rows: int, n_features: int, **settings: int) -> float:
    data = made_data(n_rows, n_features)
    started = time.perf_counter()
    fit(data, **settings)
    return time.perf_counter() - started


@contextmanager
def answers_only() -> Iterator[Any]:
    """Keep what libraries print out of the answers."""
    with os.fdopen(os.dup(1), "w") as out:
        os.dup2(2, 1)
        yield out


def main() -> None:
    fit = PEERS[sys.argv[1]]
    with answers_only() as out:
        seconds(fit, 200, 5, batch_size=50, epochs=1)
        print("ready", file=out, flush=True)
        for line in sys.stdin:
            print(seconds(fit, **json.loads(line)), file=out, flush=True)


if __name__ == "__main__":
    main()
