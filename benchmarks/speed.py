"""Print how long fits and predictions take, as ratios to torch code written by hand.

    python benchmarks/speed.py [--rounds 5] [--tables fits many ...] [--output FILE.md]
        [--skada-python PYTHON] [--adapt-python PYTHON] [--before CHECKOUT]

All contestants of a row take turns in one run. A figure is the median, over the rounds, of the
ratio of their times, with its range. A peer (skada, adapt) needs an interpreter in which it is
installed, by default this one; without it its cells stay empty, and a line on stderr says so. The
table "wide" compares with another checkout of this package. All tables but "predictions", "search"
and "jobs" use one thread.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hand_written_loop import HandWrittenDANN
from peers import N_HIDDEN, PEERS, made_data, started
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from skorch.callbacks import Callback
from target_accuracy import markdown
from threadpoolctl import threadpool_limits
from torch import nn

from skdann import DANNClassifier, DANNClassifierCV
from skdann._data.inputs import read_training_data
from skdann._training.fit_together import fit_together
from skdann._training.settings import Settings

LOOP = "hand-written loop"
# Rows of each domain, features, batch size (of each domain), epochs.
SHAPES = [(10_000, 50, 64, 5), (10_000, 50, 256, 10), (10_000, 500, 64, 5), (200, 20, 64, 150)]
WITH_PEERS = SHAPES[0]
# Torch's dropout is slow: without it the loop is a better contestant.
DROPOUTS = 0.0, 0.5
# Rows of each domain, features; batch size and epochs are those of the default.
DEFAULT_SHAPES = [(500, 20), (10_000, 50), (100_000, 50)]
MOST_ROWS_OF_PEERS = 10_000
ROOT = Path(__file__).resolve().parent.parent
# Rows and labels, made by these lines.
WIDE = {
    "50 x 10,000": "X, X_tgt = rng.normal(size=(2, 50, 10_000)); X = X + y[:50, None] / 5",
    "1,000 x 30,000 CSR of 100 words a row": (
        "X, X_tgt = (sparse.random_array((1000, 30_000), density=1 / 300, format='csr', rng=i)"
        " for i in (0, 1))"
    ),
}
WIDE_FIT = """
import time
import numpy as np
from scipy import sparse
from skdann import DANNClassifier
rng = np.random.default_rng(0)
y = np.arange(1000) % 2
{made}
DANNClassifier(max_epochs=1).fit(X[:20], y[:20], X_tgt[:20])  # so that imports are not counted
start = time.process_time()
DANNClassifier(random_state=0).fit(X, y[: X.shape[0]], X_tgt)
print(time.process_time() - start)
"""


def main() -> None:
    options = parse_arguments()
    warnings.filterwarnings("ignore", message=".*reached and the optimization hasn't converged")
    print_tables(TABLES, options)


def print_tables(
    tables: dict[str, Callable[[argparse.Namespace], str]], options: argparse.Namespace
) -> None:
    """Print the tables that the options ask for, each when it is done, and write them to a file."""
    texts = []
    for name in options.tables:
        texts.append(f"### {tables[name].__doc__}\n\n{tables[name](options)}")
        print(texts[-1], end="\n\n", flush=True)
    if options.output:
        options.output.write_text("\n\n".join(texts) + "\n")


# -- the tables ------------------------------------------------------------------------------


def fits(options: argparse.Namespace) -> str:
    """Time of a fit / time of the hand-written loop, same network, batches and steps"""
    torch.set_num_threads(1)
    rows, names = [], ["skdann", "skdann, general path", "MLPClassifier (source only)", *PEERS]
    for shape, dropout in itertools.product(SHAPES, DROPOUTS):
        contestants = own_contestants(shape, dropout)
        if shape == WITH_PEERS:
            contestants |= peers(options, shape, dropout)
        times = interleaved(contestants, options.rounds)
        steps = shape[3] * -(-shape[0] // shape[2])
        milliseconds = f"{1000 * statistics.median(times[LOOP]) / steps:.2f}"
        ratios = [ratio(times, name, LOOP) if name in times else "" for name in names]
        rows.append([described(shape), str(dropout), milliseconds, *ratios])
    header = ["rows a domain x features, batch", "dropout", "loop, ms a step", *names]
    return markdown(header, rows)


def default(options: argparse.Namespace) -> str:
    """Time of the default, which chooses / time of one hand-written loop of as many steps"""
    torch.set_num_threads(1)
    names = ["default", "one fit", "HistGradientBoosting", "MLPClassifier", *PEERS]
    rows = []
    shapes = [shape for shape in DEFAULT_SHAPES if shape[0] in options.rows]
    for (n_rows, n_features), dropout in itertools.product(shapes, DROPOUTS):
        data = made_data(n_rows, n_features)
        plain = DANNClassifier(lambda_max=1.0, dropout=dropout, random_state=0).fit(*data)
        shape = n_rows, n_features, plain.batch_size_, plain.n_iter_
        contestants = own_contestants(shape, dropout)
        contestants = {
            LOOP: contestants[LOOP],
            "one fit": contestants["skdann"],
            "MLPClassifier": contestants["MLPClassifier (source only)"],
            "default": fit_of(DANNClassifier(dropout=dropout, random_state=0), *data),
            "HistGradientBoosting": fit_of(HistGradientBoostingClassifier(), *data[:2]),
        }
        if n_rows <= MOST_ROWS_OF_PEERS:
            contestants |= peers(options, shape, dropout)
        with threadpool_limits(1):
            times = interleaved(contestants, options.rounds)
        seconds = f"{statistics.median(times[LOOP]):.1f}"
        ratios = [ratio(times, name, LOOP) if name in times else "" for name in names]
        rows.append([f"{n_rows:,} x {n_features}", str(dropout), seconds, *ratios])
        print(rows[-1], file=sys.stderr)
    return markdown(["rows a domain x features", "dropout", "loop, s", *names], rows)


def jobs(options: argparse.Namespace) -> str:
    """Time with two jobs / with one; the workers have been started"""
    rows = []
    for estimator, n_rows in ((DANNClassifier(), 10_000), (DANNClassifierCV([0, 1]), 1000)):
        estimator.set_params(random_state=0)
        data = made_data(n_rows, 50)
        contestants = {
            n_jobs: fit_of(clone(estimator).set_params(n_jobs=n_jobs), *data) for n_jobs in (1, 2)
        }
        times = interleaved(contestants, options.rounds)
        name = f"{type(estimator).__name__}, {n_rows:,} x 50"
        rows.append([name, f"{statistics.median(times[1]):.1f}", ratio(times, 2, 1)])
        print(rows[-1], file=sys.stderr)
    return markdown(["", "one job, s", "two / one"], rows)


def wide(options: argparse.Namespace) -> str:
    """Time of the default on wide rows / of the default of another checkout"""
    rows = []
    for case in WIDE:
        contestants = {
            name: functools.partial(fit_elsewhere, case, folder)
            for name, folder in (("now", ROOT), ("before", options.before))
            if folder is not None
        }
        times = interleaved(contestants, options.rounds, warm_up=False)
        seconds = f"{statistics.median(times['now']):.1f}"
        compared = ratio(times, "now", "before") if "before" in times else ""
        rows.append([case, seconds, compared])
        print(rows[-1], file=sys.stderr)
    return markdown(["rows a domain x columns", "seconds", "now / before"], rows)


def many(options: argparse.Namespace) -> str:
    """Time of k networks with different lambdas at once / k times the hand-written loop"""
    torch.set_num_threads(1)
    data, rows = made_data(2000, 50), []
    tensors = [torch.from_numpy(array) for array in data]
    for k in (1, 4, 16, 32, 64):
        cells = []
        for dropout in DROPOUTS:
            loop = HandWrittenDANN(epochs=3, dropout=dropout)
            contestants = {
                "grid": functools.partial(fit_grid, k, data, dropout),
                LOOP: functools.partial(loop.fit, *tensors),
            }
            times = interleaved(contestants, options.rounds)
            times[LOOP] = [k * one for one in times[LOOP]]
            cells.append(ratio(times, "grid", LOOP))
        rows.append([str(k), *cells])
    return markdown(["k", *(f"dropout {one}" for one in DROPOUTS)], rows)


def predictions(options: argparse.Namespace) -> str:
    """Time of predictions of 1,000,000 x 50 / a bare forward pass in chunks of 8,192 rows"""
    torch.set_num_threads(options.threads)
    classifier = DANNClassifier(lambda_max=1.0, max_epochs=1).fit(*made_data(2000, 50))
    X = np.random.default_rng(0).normal(size=(1_000_000, 50)).astype(np.float32)
    network, rows = classifier.module_, []
    of_labels = lambda x: network.label_logits(network.embed(x)).softmax(dim=1)  # noqa: E731
    for name, bare in [
        ("predict", lambda x: network.label_logits(network.embed(x)).argmax(dim=1)),
        ("predict_proba", of_labels),
        ("transform", network.embed),
    ]:
        ours = functools.partial(getattr(classifier, name), X)
        contestants = {"ours": ours, "bare": functools.partial(in_chunks, bare, X)}
        rows.append([name, ratio(interleaved(contestants, options.rounds), "ours", "bare")])
    return markdown(["method", "ratio"], rows)


def search(options: argparse.Namespace) -> str:
    """Speed-up of GridSearchCV with two jobs over one, 12 candidates, two folds"""
    X, y, X_tgt = made_data(4000, 50)
    grid = {"lambda_max": np.geomspace(0.01, 1, 12)}

    def searching(n_jobs: int) -> Callable[[], Any]:
        estimator = DANNClassifier(max_epochs=15, random_state=0)
        search = GridSearchCV(estimator, grid, cv=2, refit=False, n_jobs=n_jobs)
        return lambda: search.fit(X, y, X_tgt=(X_tgt,))

    times = interleaved({"one": searching(1), "two": searching(2)}, options.rounds)
    return markdown(["", "ratio"], [["one job / two jobs", ratio(times, "one", "two")]])


def growth(options: argparse.Namespace) -> str:
    """Seconds of a fit of one epoch, batch of 64 + 64"""
    torch.set_num_threads(1)
    rows = []
    for n_features in (50, 500):
        sizes = {f"{n:,}": made_data(n, n_features) for n in (2_000, 20_000, 200_000)}
        classifier = DANNClassifier(lambda_max=1.0, batch_size=64, max_epochs=1)
        contestants = {
            name: functools.partial(classifier.fit, *data) for name, data in sizes.items()
        }
        times = interleaved(contestants, options.rounds)
        cells = [f"{statistics.median(times[name]):.3f}" for name in sizes]
        rows.append([str(n_features), *cells])
    return markdown(["features", *(f"{name} rows" for name in sizes)], rows)


TABLES = {
    table.__name__: table
    for table in (fits, default, many, jobs, wide, predictions, search, growth)
}


# -- contestants -----------------------------------------------------------------------------


class RecordsEpochs(Callback):
    """A callback that adds an entry to the history of each epoch."""

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        net.history.record("seen", True)


def fit_of(estimator: Any, *data: Any) -> Callable[[], Any]:
    return functools.partial(estimator.fit, *data)


def fit_elsewhere(case: str, checkout: Path) -> float:
    """Return the seconds of CPU that a default fit takes in a process with that checkout."""
    code = WIDE_FIT.format(made=WIDE[case])
    environment = os.environ | {"PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", "-c", code]
    output = subprocess.check_output(command, env=environment, cwd=checkout, text=True)
    return float(output.split()[-1])


def fit_grid(k: int, data: tuple[np.ndarray, ...], dropout: float) -> None:
    """Fit k classifiers with different lambdas together."""
    common = {"max_epochs": 3, "dropout": dropout, "random_state": 0}
    grid = [DANNClassifier(lambda_max=one, **common) for one in np.geomspace(0.01, 3, k)]
    record = read_training_data(*data, None, class_weight=None, estimator=grid[0])
    fit_together([Settings.of(one, record) for one in grid], [record] * k)


def custom_features(dropout: float, n_features: int) -> nn.Module:
    return nn.Sequential(nn.Linear(n_features, N_HIDDEN), nn.ReLU(), nn.Dropout(dropout))


def own_contestants(shape: tuple[int, ...], dropout: float) -> dict[str, Callable[[], Any]]:
    n_rows, n_features, batch_size, epochs = shape
    data = made_data(n_rows, n_features)
    tensors = [torch.from_numpy(array) for array in data]
    settings = {"batch_size": batch_size, "max_epochs": epochs, "random_state": 0}
    settings |= {"lambda_max": 1.0, "dropout": dropout}
    # The loop leaves out the last, incomplete batch: on few rows it needs more epochs.
    loop_epochs = round(epochs * -(-n_rows // batch_size) / (n_rows // batch_size))
    loop = HandWrittenDANN(batch_size=batch_size, epochs=loop_epochs, dropout=dropout)
    plain = DANNClassifier(**settings)
    features = functools.partial(custom_features, dropout)
    general = DANNClassifier(feature_extractor=features, callbacks=[RecordsEpochs()], **settings)
    perceptron = MLPClassifier(
        (N_HIDDEN,), batch_size=batch_size, max_iter=epochs, n_iter_no_change=epochs
    )
    return {
        LOOP: lambda: loop.fit(*tensors),
        "skdann": lambda: plain.fit(*data),
        "skdann, general path": lambda: general.fit(*data),
        "MLPClassifier (source only)": lambda: perceptron.fit(*data[:2]),
    }


def peers(
    options: argparse.Namespace, shape: tuple[int, ...], dropout: float
) -> dict[str, Callable[[], float]]:
    """Return a function for each installed peer that fits once and returns the seconds."""
    request = dict(zip(("n_rows", "n_features", "batch_size", "epochs"), shape, strict=True))
    request["dropout"] = dropout
    pythons = {"skada": options.skada_python, "adapt": options.adapt_python}
    at_hand = {}
    for name, python in pythons.items():
        peer = started(name, python)
        if peer.ready:
            at_hand[name] = functools.partial(peer.ask, **request)
        else:
            print(f"{name} is skipped: it is not installed for {python}", file=sys.stderr)
    return at_hand


# -- timing ----------------------------------------------------------------------------------


def interleaved(
    contestants: dict[Any, Callable[[], Any]], rounds: int, warm_up: bool = True
) -> dict[Any, list[float]]:
    """Return the seconds of each contestant in each round, after a first one to warm up."""
    times: dict[Any, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds + warm_up):
        for name, run in contestants.items():
            started = time.perf_counter()
            result = run()
            own = time.perf_counter() - started
            # A peer measures its own time, without the communication with its process.
            times[name].append(result if isinstance(result, float) else own)
    return {name: seconds[int(warm_up) :] for name, seconds in times.items()}


def ratio(times: dict[Any, list[float]], name: Any, to: Any) -> str:
    ratios = sorted(one / other for one, other in zip(times[name], times[to], strict=True))
    return f"{statistics.median(ratios):.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})"


def described(shape: tuple[int, ...]) -> str:
    n_rows, n_features, batch_size, _ = shape
    return f"{n_rows:,} x {n_features}, {batch_size}+{batch_size}"


def chunks(X: np.ndarray) -> Iterator[tuple[slice, torch.Tensor]]:
    for start in range(0, len(X), 8192):
        rows = slice(start, start + 8192)
        yield rows, torch.from_numpy(X[rows])


def in_chunks(forward: Callable[[torch.Tensor], torch.Tensor], X: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        first = forward(torch.from_numpy(X[:1]))
        result = torch.empty((len(X), *first.shape[1:]), dtype=first.dtype)
        for rows, chunk in chunks(X):
            result[rows] = forward(chunk)
    return result.numpy()


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Print ratios of times as Markdown tables.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=[*TABLES])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--skada-python", default=sys.executable, help="interpreter with skada")
    parser.add_argument("--adapt-python", default=sys.executable, help="interpreter with adapt")
    rows = [shape[0] for shape in DEFAULT_SHAPES]
    parser.add_argument("--rows", type=int, nargs="+", default=rows, help="for the table default")
    parser.add_argument("--before", type=Path, help="another checkout, for the table wide")
    parser.add_argument("--output", type=Path, help="file the tables are also written to")
    return parser.parse_args()


if __name__ == "__main__":
    main()
