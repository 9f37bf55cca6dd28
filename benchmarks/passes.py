"""Passes that max_epochs="auto" needs: target accuracy by the number of passes over the source.

    python benchmarks/passes.py [--seeds 2] [--every 3] [--output FILE.md]

trains lambda 0 and 1 on every n-th pair of a data set for shares of the usual passes: 30, or as
many as make 1,000 steps. First on rows of many columns, then on tables cut to some rows of each
domain. What "auto" takes since is set in skdann/_training/settings.py.
"""

import argparse
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from shifted_data import ShiftedPair, pairs
from target_accuracy import markdown

from skdann import DANNClassifier

SHARES = 0.05, 0.1, 0.2, 0.4, 1.0
WIDE = [
    ("amazon_reviews", None),
    ("amazon_reviews", "denoised"),
    ("email_spam", None),
    ("office_caltech_surf", "source"),
]
FEW = "heart_sites", "gas_drift", "acs_states"
FEW_ROWS = 30, 60, 120


def usual_passes(n_rows: int) -> int:
    steps = math.ceil(n_rows / 64)
    return max(30, math.ceil(1000 / steps))


def cut(pair: ShiftedPair, n_rows: int | None, seed: int) -> tuple[Any, np.ndarray, Any]:
    X, y, X_tgt = pair.X_src, np.asarray(pair.y_src), pair.X_tgt
    if n_rows is None:
        return X, y, X_tgt
    generator = np.random.default_rng(seed)
    source, target = (generator.permutation(rows.shape[0])[:n_rows] for rows in (X, X_tgt))
    return X[source], y[source], X_tgt[target]


def accuracies(pair: ShiftedPair, scaling: str | None, n_rows: int | None, seed: int) -> np.ndarray:
    """Return the accuracy by lambda (0 and 1) and share, of shape (2, n_shares)."""
    X, y, X_tgt = cut(pair, n_rows, seed)
    table = np.empty((2, len(SHARES)))
    for (lambda_max, share), _ in np.ndenumerate(table):
        passes = math.ceil(SHARES[share] * usual_passes(X.shape[0]))
        classifier = DANNClassifier(
            lambda_max=lambda_max, input_scaling=scaling, max_epochs=passes, random_state=seed
        )
        table[lambda_max, share] = classifier.fit(X, y, X_tgt).score(pair.X_test, pair.y_test)
    return table


def row(title: str, several: list[np.ndarray]) -> list[str]:
    mean = np.mean(several, axis=0)
    cells = [f"{without:.3f} / {adapted:.3f}" for without, adapted in mean.T]
    return [title, str(len(several)), *cells]


def main() -> None:
    parser = argparse.ArgumentParser(description="Print target accuracy by passes.")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--every", type=int, default=3, help="take every n-th pair of a set")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    cases = [(name, scaling, None) for name, scaling in WIDE]
    cases += [(name, "source", n_rows) for n_rows in FEW_ROWS for name in FEW]
    rows = []
    for dataset, scaling, n_rows in cases:
        several = []
        for pair in list(pairs([dataset]))[:: options.every]:
            several += [accuracies(pair, scaling, n_rows, s) for s in range(options.seeds)]
        size = f"{pair.X_src.shape[1]:,} columns" if n_rows is None else f"{n_rows} rows"
        rows.append(row(f"{dataset}, {scaling}, {size}", several))
        print(rows[-1], flush=True)
    shares = [f"x {share}" for share in SHARES]
    text = markdown(["lambda 0 / lambda 1", "fits", *shares], rows)
    print(text)
    if options.output:
        options.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
