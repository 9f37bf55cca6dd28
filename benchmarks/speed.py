"""Print the time of `DANNClassifier.fit` as a ratio to a hand-written torch loop.

Both train the same network on the same batches, in turn, in this process; the figure is the
median over the rounds of their ratio. Run: ``python benchmarks/speed.py``.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
import torch
from hand_written_loop import HandWrittenDANN

from skdann import DANNClassifier


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print("| rows a domain | features | batch | ms a step, loop | skdann / loop | min | max |")
    print("|---|---|---|---|---|---|---|")
    for n_rows, n_features, batch_size in [(10_000, 50, 64), (10_000, 50, 256), (10_000, 500, 64)]:
        data = made_data(n_rows, n_features)
        times = interleaved(data, batch_size, arguments.epochs, arguments.rounds)
        steps = arguments.epochs * (n_rows // batch_size)
        print(row(n_rows, n_features, batch_size, times, steps), flush=True)


def made_data(n_rows, n_features):
    rng = np.random.default_rng(0)
    X_src = rng.normal(size=(n_rows, n_features)).astype(np.float32)
    X_tgt = rng.normal(loc=0.5, size=(n_rows, n_features)).astype(np.float32)
    return X_src, (X_src[:, 0] > 0).astype(np.int64), X_tgt


def interleaved(data, batch_size, epochs, rounds):
    """Return pairs of seconds, after one round that does not count."""
    classifier = DANNClassifier(batch_size=batch_size, max_epochs=epochs, random_state=0)
    loop = HandWrittenDANN(batch_size=batch_size, epochs=epochs)
    tensors = [torch.from_numpy(array) for array in data]
    pairs = [(seconds(classifier, data), seconds(loop, tensors)) for _ in range(rounds + 1)]
    return pairs[1:]


def seconds(contestant, data):
    started = time.perf_counter()
    contestant.fit(*data)
    return time.perf_counter() - started


def row(n_rows, n_features, batch_size, times, steps):
    ratios = [ours / loop for ours, loop in times]
    loop_ms = 1000 * statistics.median(loop for _, loop in times) / steps
    return (
        f"| {n_rows} | {n_features} | {batch_size}+{batch_size} | {loop_ms:.2f} | "
        f"{statistics.median(ratios):.2f} | {min(ratios):.2f} | {max(ratios):.2f} |"
    )


if __name__ == "__main__":
    main()
