"""Kill fits at random moments, let them go on from their checkpoints, and compare what comes out.

    make kills        (python benchmarks/kills.py [--kills 10] [--seed 0] [--output FILE.md])

Each fit is a process of its own. It gets SIGKILL after a random time, up to 0.7 times that of an
undisturbed fit and a tenth more after each kill, and is started again with the same call until it
ends. After each kill all files are read. What a fit leaves in the end is compared with the
undisturbed fit: every weight, moment and prediction, to the last bit. Between checkpoints lie 50
milliseconds here, not ten seconds.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import pickle
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import sparse
from skorch.callbacks import LRScheduler
from target_accuracy import markdown
from torch import nn

from skdann import CheckpointWarning, DANNClassifier, DANNClassifierCV
from skdann._training import checkpoints
from skdann.datasets import make_tilted_digits

X, Y, X_TGT, _ = make_tilted_digits(n_source=400, random_state=0)
COUNTS = tuple(sparse.csr_array(np.round(8 * rows)) for rows in (X, X_TGT))


class Normed(nn.Module):
    """Features with running means and torch's own dropout."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(width, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.3)
        )

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return self.layers(rows)


plain = functools.partial(DANNClassifier, lambda_max=1.0, random_state=0)
schedule = functools.partial(LRScheduler, "StepLR", step_size=5)

CASES: dict[str, Callable[..., Any]] = {
    "default": functools.partial(DANNClassifier, max_epochs=20, random_state=0),
    "search, ensemble of what passes": functools.partial(
        DANNClassifierCV, [0, 0.3, 1], ["source", "domain"], cv=2, refit="ensemble",
        estimator=DANNClassifier(max_epochs=10), random_state=0,
    ),
    "early stopping, five members": functools.partial(
        plain, max_epochs=50, n_members=5, early_stopping=True, n_iter_no_change=50
    ),
    "own module, callback": functools.partial(
        plain, max_epochs=60, feature_extractor=Normed, callbacks=[schedule()]
    ),
    "sparse counts, rebuilt": functools.partial(plain, max_epochs=60, input_scaling="denoised"),
    "class shares estimated": functools.partial(plain, max_epochs=50, label_shift="estimate"),
    "sgd, multilinear": functools.partial(
        plain, max_epochs=60, optimizer="sgd", lr=0.01, conditioning="multilinear"
    ),
    "default, two processes": functools.partial(
        DANNClassifier, max_epochs=20, random_state=0, n_jobs=2
    ),
}  # fmt: skip


def fit(case: str, folder: Path | None) -> dict[str, Any]:
    """Return what a fit leaves."""
    classifier = CASES[case](checkpoint_dir=folder)
    rows, target = COUNTS if case.startswith("sparse") else (X, X_TGT)
    classifier.fit(rows, Y, target)
    best = getattr(classifier, "best_estimator_", classifier)
    state = best.net_.optimizer_.state_dict()["state"]
    history = [{k: v for k, v in row.items() if k != "seconds"} for row in best.history_]
    return {
        "weights": [one.numpy().tobytes() for one in best.module_.state_dict().values()],
        "moments": [one.numpy().tobytes() for of in state.values() for one in of.values()],
        "predictions": classifier.predict_proba(target).tobytes(),
        "told": [history, getattr(classifier, "verdict_", None)],
    }


def started(case: str, folder: Path | None, result: Path) -> int:
    """Start a fit in a process of its own, and return the process's number."""
    process = os.fork()
    if process:
        return process
    status = 1
    try:
        os.setsid()  # a group of processes, with those that the fit starts
        warnings.simplefilter("error", CheckpointWarning)
        result.write_bytes(pickle.dumps(fit(case, folder)))
        status = 0
    finally:
        os._exit(status)


def ended(process: int, seconds: float) -> bool:
    """Wait at most so long for the end of a process, and tell whether it has come."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        number, status = os.waitpid(process, os.WNOHANG)
        if number:
            kill_group(process)  # joblib keeps its workers for the next fit
            if status:
                raise RuntimeError(f"a fit has failed with the status {status}")
            return True
        time.sleep(0.002)
    return False


def kill_group(process: int) -> None:
    """Kill what a process has started, which may have outlived it."""
    with contextlib.suppress(ProcessLookupError):  # there is nothing
        os.killpg(process, signal.SIGKILL)


def kill(process: int, whole_group: bool) -> None:
    """Kill a process, and at once or a moment later those that it has started."""
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    if not whole_group:
        time.sleep(0.3)  # workers go on without their fit, and write
    kill_group(process)


def bad_files(folder: Path) -> tuple[int, int]:
    """Return the number of checkpoints in a folder, and how many of them can't be read."""
    paths = list(folder.rglob("*.skdann"))
    bad = 0
    for path in paths:
        saved = checkpoints.Checkpoints(path.parent, path.name.removesuffix(".skdann"))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            saved.read(trusted=True)
        bad += bool(caught)
    return len(paths), bad


def run(case: str, n_kills: int, rng: np.random.Generator) -> list[Any]:
    """Return a row of the table: fits of a case, until so many kills."""
    with tempfile.TemporaryDirectory() as name:
        result = Path(name) / "result"
        start = time.monotonic()
        ended(started(case, None, result), np.inf)
        seconds = time.monotonic() - start
        undisturbed = pickle.loads(result.read_bytes())
        fits = kills = files = torn = different = 0
        while kills < n_kills:
            folder = Path(name) / f"fit{fits}"
            longest = 0.7 * seconds
            while True:
                process = started(case, folder, result)
                if ended(process, rng.uniform(0, longest)):
                    break
                longest *= 1.1  # otherwise a fit whose workers take long to start would never end
                kill(process, whole_group=bool(rng.integers(2)))
                kills += 1
                found, bad = bad_files(folder)
                files, torn = files + found, torn + bad
            fits += 1
            different += pickle.loads(result.read_bytes()) != undisturbed
            if any(folder.iterdir()):
                raise RuntimeError(f"{case}: a fit that has ended leaves files")
    return [case, f"{seconds:.1f}", fits, kills, files, torn, different]


def main() -> None:
    options = parse_arguments()
    checkpoints._SECONDS, checkpoints._TIMES_AS_LONG = 0.05, 0.0
    torch.set_num_threads(1)
    plain(max_epochs=1).fit(X, Y, X_TGT)  # what torch imports late, before processes are started
    rng = np.random.default_rng(options.seed)
    rows = []
    for case in options.cases:
        rows.append(run(case, options.kills, rng))
        print(*rows[-1], file=sys.stderr, flush=True)
    rows.append(["all", "", *(sum(row[i] for row in rows) for i in range(2, len(rows[0])))])
    heads = [
        "fit",
        "seconds undisturbed",
        "fits",
        "kills",
        "files read",
        "torn",
        "other models",
    ]
    text = markdown(heads, [[*map(str, row)] for row in rows])
    print(text)
    if options.output:
        options.output.write_text(text + "\n")
    if rows[-1][-1] or rows[-1][-2]:
        raise SystemExit("A file was torn, or a model is another one.")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Print what killed fits come to, as a table.")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=[*CASES])
    parser.add_argument("--kills", type=int, default=10, help="at least so many for each case")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, help="file the table is also written to")
    return parser.parse_args()


if __name__ == "__main__":
    main()
