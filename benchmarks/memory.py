"""Print by how much fits and predictions raise the memory of a process, at its peak.

    python benchmarks/memory.py [--cases CASE ...] [--rounds 5] [--output FILE.md]

Each run is a process of its own. It makes its rows, reads its resident memory, makes the call, and
reads from the kernel (Linux) the peak of resident memory during the call. Figures are medians over
the rounds, with their range. Images are arrays of uint8, of shape (n, 3, 28, 28): 60,000 of them
take 135 MB, and their final fit ends after 20 steps.
"""

from __future__ import annotations

import argparse
import functools
import statistics
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse
from skorch.callbacks import Callback
from target_accuracy import markdown

from skdann import DANNClassifier
from skdann.networks import MNISTFeatureExtractor

MEGABYTE = 2**20


def dense(n_rows: int, n_features: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n_rows, n_features), dtype=np.float32)


def on_disk(n_rows: int, n_features: int, seed: int) -> np.ndarray:
    return mapped(dense(n_rows, n_features, seed))


def mapped(array: np.ndarray) -> np.ndarray:
    """Return an array as a memory map."""
    path = Path(tempfile.mkdtemp(prefix="skdann")) / "rows.npy"
    np.save(path, array)
    rows = np.load(path, mmap_mode="r")
    path.unlink()  # the rows stay readable through the map until the process ends
    path.parent.rmdir()
    return rows


def csr(n_rows: int, n_features: int, seed: int) -> sparse.csr_array:
    """Return rows of 0.1 % density; a row may have an entry twice."""
    rng = np.random.default_rng(seed)
    per_row = n_features // 1000
    columns = rng.integers(n_features, size=n_rows * per_row, dtype=np.int32)
    start = np.arange(n_rows + 1, dtype=np.int32) * per_row
    rows = sparse.csr_array((np.ones(len(columns), np.float32), columns, start))
    rows.resize(n_rows, n_features)
    return rows


def images(n_rows: int, side: int, seed: int) -> np.ndarray:
    """Return colour images of bytes."""
    rng = np.random.default_rng(seed)
    return rng.integers(256, size=(n_rows, 3, side, side), dtype=np.uint8)


def images_on_disk(n_rows: int, side: int, seed: int) -> np.ndarray:
    return mapped(images(n_rows, side, seed))


def labels(n_rows: int) -> np.ndarray:
    return np.random.default_rng(9).integers(2, size=n_rows)


def fit(make: Callable[..., Any], n_rows: int, n_features: int, **settings: Any) -> Callable:
    def prepared() -> Callable[[], Any]:
        data = make(n_rows, n_features, 0), labels(n_rows), make(n_rows, n_features, 1)
        classifier = DANNClassifier(**{"lambda_max": 1.0, "max_epochs": 1} | settings)
        return lambda: classifier.fit(*data)

    return prepared


def predict(make: Callable[..., Any], n_rows: int, n_features: int, **settings: Any) -> Callable:
    def prepared() -> Callable[[], Any]:
        X = make(n_rows, n_features, 0)
        classifier = DANNClassifier(lambda_max=1.0, max_epochs=1, **settings)
        classifier.fit(X[:500], labels(500), X[500:1000])
        return lambda: classifier.predict_proba(X)

    return prepared


class StopsEarly(Callback):
    """Stops as a user does, after 20 steps: a later one needs no more memory than these."""

    def on_batch_end(self, net: Any, **kwargs: Any) -> None:
        if len(net.history[-1, "batches"]) == 20:
            raise KeyboardInterrupt


# The paper's network for digits, with its batch: 64 rows of each domain.
DIGITS = {
    "callbacks": [StopsEarly()],
    "feature_extractor": functools.partial(MNISTFeatureExtractor, max_value=255.0),
    "label_predictor": (100, 100),
    "dropout": 0.0,
    "batch_size": 64,
}
CASES: dict[str, Callable[[], Callable[[], Any]]] = {
    "fit 100,000 + 100,000 x 50": fit(dense, 100_000, 50),
    "fit 1,000,000 + 1,000,000 x 50": fit(dense, 1_000_000, 50),
    "the same, by default": fit(dense, 1_000_000, 50, lambda_max="auto"),
    "the same, early stopping": fit(dense, 1_000_000, 50, early_stopping=True),
    "the same, five members": fit(dense, 1_000_000, 50, n_members=5),
    "the same rows in memory maps": fit(on_disk, 1_000_000, 50),
    "fit 40,000 + 40,000 x 100,000 CSR of 0.1 %": fit(csr, 40_000, 100_000),
    "predict_proba 1,000,000 x 50": predict(dense, 1_000_000, 50),
    "predict_proba 40,000 x 100,000 CSR of 0.1 %": predict(csr, 40_000, 100_000),
    "fit 60,000 + 60,000 images": fit(images, 60_000, 28, **DIGITS),
    "the same, lambda chosen": fit(images, 60_000, 28, **DIGITS, lambda_max="auto"),
    "the same images in memory maps": fit(images_on_disk, 60_000, 28, **DIGITS),
    "predict_proba 60,000 images": predict(images, 60_000, 28, **DIGITS),
}


def resident(field: str) -> float:
    """Return a figure of this process's memory in MB: "VmRSS" now, "VmHWM" at its peak."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024 / MEGABYTE
    raise OSError(f"no {field} in /proc/self/status")


def measure(case: str) -> None:
    """Print by how much one case raises the memory of this process, at its peak."""
    fit(dense, 300, 5)()()  # so that imports and thread pools are not counted
    run = CASES[case]()
    warnings.filterwarnings("ignore", message="Training was interrupted")
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    before, mapped = resident("VmRSS"), resident("RssFile")
    kept = run()
    # Pages of a memory map count as resident, but the kernel drops them when it needs room.
    print(resident("VmHWM") - before - (resident("RssFile") - mapped))
    del kept


def main() -> None:
    options = parse_arguments()
    if options.measure:
        measure(options.measure)
        return
    rows = []
    for case in options.cases:
        command = [sys.executable, __file__, "--measure", case]
        peaks = sorted(
            float(subprocess.check_output(command, text=True)) for _ in range(options.rounds)
        )
        rows.append([case, f"{statistics.median(peaks):.0f} ({peaks[0]:.0f}-{peaks[-1]:.0f})"])
        print(*rows[-1], file=sys.stderr)
    text = markdown(["one epoch, default batch", "peak above what was held, MB"], rows)
    print(text)
    if options.output:
        options.output.write_text(text + "\n")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Print peak memory as a Markdown table.")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=[*CASES])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, help="file the table is also written to")
    parser.add_argument("--measure", choices=CASES, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
