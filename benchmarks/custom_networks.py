"""Print how long networks with a feature extractor of the user's take to train.

    python benchmarks/custom_networks.py [--rounds 5] [--tables steps choice ...] [--processor-time]
        [--output FILE.md]

All contestants of a row take turns in one run. A figure is the median, over the rounds, of the
ratio of their times, with its range. With ``--processor-time`` a time is that of the processor, in
this process: for tables of one thread, on a machine that others use too. Inputs and labels are
random, of 64 + 64 rows a step, but for the table "choice", which takes the 8x8 images of
`make_tilted_digits`.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hand_written_loop import HandWrittenDANN
from speed import LOOP, interleaved, print_tables, ratio
from target_accuracy import markdown
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from skdann import DANNClassifier, OneClassWarning
from skdann._network import network as network_module
from skdann._torch import devices
from skdann.datasets import make_tilted_digits
from skdann.networks import MNISTFeatureExtractor, TimeSeriesFeatureExtractor

N_CLASSES, BATCH = 10, 64
EVERY_THREAD = torch.get_num_threads()


def convolutions(row_shape: tuple[int, ...], width: int = 8) -> nn.Module:
    """Return two convolutions of 3x3, the second twice as wide as the first."""
    first, second = nn.Conv2d(row_shape[0], width, 3), nn.Conv2d(width, 2 * width, 3)
    halves = nn.MaxPool2d(2)
    return nn.Sequential(first, nn.ReLU(), halves, second, nn.ReLU(), halves, nn.Flatten())


def label_predictor(n_embedding: int, n_classes: int) -> nn.Module:
    return nn.Linear(n_embedding, n_classes)


def domain_classifier(n_embedding: int, n_domains: int) -> nn.Module:
    return nn.Sequential(nn.Linear(n_embedding, 100), nn.ReLU(), nn.Linear(100, n_domains))


# Shape of a row, whether rows are bytes, and what makes the feature extractor.
NETWORKS: dict[str, tuple[tuple[int, ...], bool, Callable[..., nn.Module]]] = {
    "MNIST's, bytes of 3x28x28": (
        (3, 28, 28),
        True,
        functools.partial(MNISTFeatureExtractor, max_value=255.0),
    ),
    "convolutions of 8 and 16, 3x28x28": ((3, 28, 28), False, convolutions),
    "convolutions of 32 and 64, 3x28x28": (
        (3, 28, 28),
        False,
        functools.partial(convolutions, width=32),
    ),
    "series of 3x128": ((3, 128), False, TimeSeriesFeatureExtractor),
}


class Loop(HandWrittenDANN):
    """The loop with a network of the table."""

    def __init__(self, features: Callable[..., nn.Module], epochs: int = 1) -> None:
        super().__init__(batch_size=BATCH, epochs=epochs)
        self.make_features = features

    def fit(self, X_src: Tensor, y_src: Tensor, X_tgt: Tensor) -> Loop:
        self.row_shape = tuple(X_src.shape[1:])
        return super().fit(X_src, y_src, X_tgt)

    def parts(self, n_features: int, n_classes: int) -> tuple[nn.Module, nn.Module, nn.Module]:
        features = self.make_features(self.row_shape)
        width = features(torch.zeros(2, *self.row_shape)).shape[1]
        return features, label_predictor(width, n_classes), domain_classifier(width, 2)


def made(row_shape: tuple[int, ...], as_bytes: bool, n_rows: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(0)
    X, X_tgt = rng.integers(256, size=(2, n_rows, *row_shape), dtype=np.uint8)
    y = np.arange(n_rows) % N_CLASSES
    if as_bytes:
        return X, y, X_tgt
    return X.astype(np.float32) / 255, y, X_tgt.astype(np.float32) / 255


def classifier(features: Callable[..., nn.Module], **parameters: Any) -> DANNClassifier:
    return DANNClassifier(
        **{
            "feature_extractor": features,
            "label_predictor": label_predictor,
            "domain_classifier": domain_classifier,
            "lambda_max": 1.0,
            "batch_size": BATCH,
            "max_epochs": 1,
            "random_state": 0,
        }
        | parameters
    )


# -- the tables ------------------------------------------------------------------------------


def steps(options: argparse.Namespace) -> str:
    """Time of a fit / time of the hand-written loop, same network, batches and steps"""
    rows, numbers = [], sorted({1, EVERY_THREAD})
    for name, (row_shape, as_bytes, features) in NETWORKS.items():
        data = made(row_shape, as_bytes, BATCH * options.steps)
        tensors = [torch.from_numpy(array) for array in data]
        cells = [name]
        for n_threads in numbers:
            torch.set_num_threads(n_threads)
            loop, ours = Loop(features), classifier(features)
            contestants = {
                LOOP: functools.partial(loop.fit, *tensors),
                "ours": functools.partial(ours.fit, *data),
            }
            times = timed(contestants, options)
            milliseconds = 1000 * statistics.median(times[LOOP]) / options.steps
            cells += [f"{milliseconds:.1f}", ratio(times, "ours", LOOP)]
        rows.append(cells)
    of_each = [("loop, ms a step", f"ratio, threads: {n}") for n in numbers]
    return markdown(["feature extractor", *itertools.chain.from_iterable(of_each)], rows)


def layout(options: argparse.Namespace) -> str:
    """Time of a fit with convolutions stored channels last / as torch stores them, one thread"""
    torch.set_num_threads(1)
    return _compared(options, {"last": nullcontext, "first": _channels_first}, "last")


def threads(options: argparse.Namespace) -> str:
    """Time of a fit whose steps take two threads / one"""
    torch.set_num_threads(2)
    switches = {n: functools.partial(_second_thread, n) for n in (0, 10**15)}
    return _compared(options, switches, 0)


def together(options: argparse.Namespace) -> str:
    """Time of a step of k networks by torch.func.vmap / one after another, one thread"""
    torch.set_num_threads(1)
    rows = []
    for name, (row_shape, _, features) in NETWORKS.items():
        cells = [name]
        for k in (2, 3):
            contestants = _one_by_one_and_mapped(row_shape, features, k, 1 + options.steps // 5)
            cells.append(ratio(timed(contestants, options), "vmap", "one by one"))
        rows.append(cells)
    return markdown(["feature extractor", "two networks", "three"], rows)


def choice(options: argparse.Namespace) -> str:
    """Time of the default, which chooses lambda / time of one fit, 400 + 400 images of 8x8"""
    torch.set_num_threads(1)
    X, y, X_tgt, _ = make_tilted_digits(random_state=0)
    X, X_tgt = (one[:400].reshape(-1, 1, 8, 8).astype(np.float32) for one in (X, X_tgt))
    few = {"max_epochs": options.epochs}
    contestants: dict[Any, Callable[[], Any]] = {
        "one fit": functools.partial(classifier(convolutions_of_8x8, **few).fit, X, y[:400], X_tgt)
    }
    numbers = (1,) if options.processor_time else (1, 2)  # of other processes it is not known
    for n_jobs in numbers:
        chosen = classifier(convolutions_of_8x8, lambda_max="auto", n_jobs=n_jobs, **few)
        contestants[n_jobs] = functools.partial(chosen.fit, X, y[:400], X_tgt)
    times = timed(contestants, options)
    cells = [f"{statistics.median(times['one fit']):.1f}"]
    cells += [ratio(times, n_jobs, "one fit") for n_jobs in numbers]
    header = ["one fit, s", *(f"default, jobs: {n_jobs}" for n_jobs in numbers)]
    return markdown(header, [cells])


TABLES = {table.__name__: table for table in (steps, layout, threads, together, choice)}


# -- contestants -----------------------------------------------------------------------------


def convolutions_of_8x8(row_shape: tuple[int, ...]) -> nn.Module:
    layers = nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
    return nn.Sequential(*layers, nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.Flatten())


def timed(
    contestants: dict[Any, Callable[[], Any]], options: argparse.Namespace
) -> dict[Any, list[float]]:
    """Return the seconds of each contestant in each round."""
    if options.processor_time:
        contestants = {
            name: functools.partial(processor_seconds, run) for name, run in contestants.items()
        }
    return interleaved(contestants, options.rounds)


def processor_seconds(run: Callable[[], Any]) -> float:
    started = time.process_time()
    run()
    return time.process_time() - started


def _compared(options: argparse.Namespace, switches: dict[Any, Any], name: Any) -> str:
    """Return a table of the times of fits under two switches, the named one by the other."""
    (other,) = set(switches) - {name}
    rows = []
    for network, (row_shape, as_bytes, features) in NETWORKS.items():
        data = made(row_shape, as_bytes, BATCH * options.steps)
        ours = classifier(features)

        def fit(switch: Any, ours: Any = ours, data: Any = data) -> None:
            with switches[switch]():
                ours.fit(*data)

        contestants = {one: functools.partial(fit, one) for one in switches}
        times = timed(contestants, options)
        millions = 2 * BATCH * ours.net_.members_[0].multiply_adds / 1e6
        milliseconds = 1000 * statistics.median(times[other]) / options.steps
        rows.append([network, f"{millions:.0f}", f"{milliseconds:.1f}", ratio(times, name, other)])
    header = ["feature extractor", "million multiply-adds a batch", "ms a step", "ratio"]
    return markdown(header, rows)


@contextmanager
def _channels_first() -> Iterator[None]:
    usual = network_module.lay_out_channels_last
    network_module.lay_out_channels_last = lambda part, rows: None
    try:
        yield
    finally:
        network_module.lay_out_channels_last = usual


@contextmanager
def _second_thread(worth_from: int) -> Iterator[None]:
    usual = devices._WORTH_A_SECOND_THREAD
    devices._WORTH_A_SECOND_THREAD = worth_from
    try:
        yield
    finally:
        devices._WORTH_A_SECOND_THREAD = usual


def _one_by_one_and_mapped(
    row_shape: tuple[int, ...], features: Callable[..., nn.Module], k: int, n_steps: int
) -> dict[str, Callable[[], None]]:
    """Return functions that take some steps with k networks on the same rows."""
    X = torch.rand(2 * BATCH, *row_shape)
    y = torch.arange(2 * BATCH) % N_CLASSES

    def network() -> nn.Module:
        extractor = features(row_shape)
        return nn.Sequential(extractor, label_predictor(extractor(X[:2]).shape[1], N_CLASSES))

    networks = [network() for _ in range(k)]
    optimizers = [torch.optim.Adam(one.parameters(), fused=True) for one in networks]
    stacked = {
        name: values.detach().requires_grad_()
        for name, values in stack_module_state([network() for _ in range(k)])[0].items()
    }
    optimizer, template = torch.optim.Adam(stacked.values(), fused=True), network()

    def one_by_one() -> None:
        for _ in range(n_steps):
            for one, own in zip(networks, optimizers, strict=True):
                own.zero_grad()
                nn.functional.cross_entropy(one(X), y).backward()
                own.step()

    def mapped() -> None:
        for _ in range(n_steps):
            optimizer.zero_grad()
            logits = vmap(lambda values: functional_call(template, values, (X,)))(stacked)
            nn.functional.cross_entropy(logits.flatten(0, 1), y.repeat(k)).mul(k).backward()
            optimizer.step()

    return {"one by one": one_by_one, "vmap": mapped}


def main() -> None:
    parser = argparse.ArgumentParser(description="Print ratios of times as Markdown tables.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=100, help="of a fit, where nothing is chosen")
    parser.add_argument("--epochs", type=int, default=30, help="of each fit in the table choice")
    parser.add_argument("--processor-time", action="store_true")
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=[*TABLES])
    parser.add_argument("--output", type=Path, help="file the tables are also written to")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", category=OneClassWarning)
    print_tables(TABLES, options)


if __name__ == "__main__":
    main()
