"""Digits whose look changes: MNIST to MNIST-M as in the paper, and two made shifts beside it.

    python benchmarks/digits.py --cache FILE.jsonl [--shifts "MNIST -> MNIST-M" ...]
        [--contestants ...] [--rows 12000] [--epochs 20] [--seeds 0 1 2] [--device cpu]
        [--output FILE.md]

prints target accuracies; `digit_shifts.py` makes the images. The network is the paper's for MNIST,
with the estimator's dropout in its fully connected layers. All contestants take the same steps: SGD
with the paper's annealing from three times its rate, batches of 64 source and 64 target rows, the
paper's lambda. "Default" chooses lambda. "On target" is the source-only network with the target's
labels, the best that adaptation could reach. "Loop" is the same written by hand: the same network,
recipe, steps and seeds, but other random numbers.

Every fit is a line of the cache, and a later call fits only what is missing: a killed run goes on.
Delete the file after a change to the recipe.
"""

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from choice_cases import write
from digit_shifts import SHIFTS, DigitShift, digit_shift
from hand_written_loop import DigitsDANN
from target_accuracy import markdown, points

from skdann import DANNClassifier
from skdann.networks import MNISTFeatureExtractor

# What a contestant returns: predictions, and what else is to be kept of the fit.
Fitted = tuple[np.ndarray, dict[str, Any]]
Contestant = Callable[[DigitShift, argparse.Namespace, int], Fitted]
TEST_CHUNK = 1_000

# -- contestants -----------------------------------------------------------------------------


def classifier(options: argparse.Namespace, seed: int) -> DANNClassifier:
    return DANNClassifier(
        feature_extractor=partial(MNISTFeatureExtractor, max_value=255, mean=0.5),
        label_predictor=(100, 100),
        domain_classifier=(100,),
        dropout=0.5,
        optimizer="sgd",
        lr=0.03,
        lr_schedule="annealed",
        batch_size=64,
        max_epochs=options.epochs,
        device=options.device,
        random_state=seed,
    )


def estimator(lambda_max: Any, trained_on: str = "source", **changes: Any) -> Contestant:
    def fit(shift: DigitShift, options: argparse.Namespace, seed: int) -> Fitted:
        clf = classifier(options, seed).set_params(lambda_max=lambda_max, **changes)
        clf.fit(*rows_to_learn(shift, trained_on), shift.X_tgt)
        found: dict[str, Any] = {"domain_accuracy": clf.history_[-1]["domain_accuracy"]}
        if lambda_max == "auto":
            found |= {"chosen": clf.lambda_max_, "verdict": clf.verdict_}
        return clf.predict(shift.X_test), found

    return fit


def loop(lambda_max: float, trained_on: str = "source") -> Contestant:
    def fit(shift: DigitShift, options: argparse.Namespace, seed: int) -> Fitted:
        X, y = rows_to_learn(shift, trained_on)
        arrays = X, y, shift.X_tgt, shift.X_test
        *rows, X_test = (torch.from_numpy(one).to(options.device) for one in arrays)
        dann = DigitsDANN(options.epochs, lambda_max, seed=seed).fit(*rows)
        predicted = torch.cat([dann.predict(one) for one in X_test.split(TEST_CHUNK)])
        return predicted.numpy(force=True), {}

    return fit


def rows_to_learn(shift: DigitShift, trained_on: str) -> tuple[np.ndarray, np.ndarray]:
    return (shift.X_src, shift.y_src) if trained_on == "source" else (shift.X_tgt, shift.y_tgt)


CONTESTANTS: dict[str, Contestant] = {
    "source only, no dropout": estimator(0.0, dropout=0.0),
    "source only": estimator(0.0),
    "DANN, no dropout": estimator(1.0, dropout=0.0),
    "DANN, lambda 0.1": estimator(0.1),
    "DANN": estimator(1.0),
    "DANN, Adam": estimator(1.0, optimizer="adam", lr=0.001, lr_schedule="constant"),
    "default": estimator("auto"),
    "on target": estimator(0.0, "target"),
    "loop: source only": loop(0.0),
    "loop: DANN": loop(1.0),
    "loop: on target": loop(0.0, "target"),
}

# -- fits ------------------------------------------------------------------------------------


def run(options: argparse.Namespace) -> None:
    """Fit what the cache lacks."""
    for name in options.shifts:
        shift = digit_shift(name, options.rows)
        for seed in options.seeds:
            for contestant in options.contestants:
                key = {"shift": name, "contestant": contestant, "seed": seed} | asked(options)
                if any(key.items() <= one.items() for one in read(options.cache)):
                    continue
                start = time.perf_counter(), time.process_time()
                predicted, found = CONTESTANTS[contestant](shift, options, seed)
                line = key | {
                    "accuracy": float(np.mean(predicted == shift.y_test)),
                    "seconds": time.perf_counter() - start[0],
                    "cpu_seconds": time.process_time() - start[1],
                    **found,
                }
                print(line, flush=True)
                with options.cache.open("a") as file:
                    file.write(json.dumps(line) + "\n")


def asked(options: argparse.Namespace) -> dict[str, int]:
    """Return the options that fits hang on."""
    return {"rows": options.rows, "epochs": options.epochs}


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


# -- tables ----------------------------------------------------------------------------------


def report(options: argparse.Namespace) -> str:
    lines = pd.DataFrame(
        [one for one in read(options.cache) if asked(options).items() <= one.items()]
    )
    lines = lines[lines["seed"].isin(options.seeds) & lines["shift"].isin(options.shifts)]
    return "\n\n".join(
        f"### {shift}\n\n{table(of_shift)}" for shift, of_shift in lines.groupby("shift")
    )


def table(lines: pd.DataFrame) -> str:
    """Return the accuracy of each contestant and seed, the mean, and the share of the gap closed.

    The gap is from the mean of "source only" to the mean of "on target".
    """
    accuracy = lines.pivot_table("accuracy", "contestant", "seed")
    minutes = lines.groupby("contestant")["cpu_seconds"].mean() / 60
    mean = accuracy.mean(axis=1)
    start, end = mean.get("source only", np.nan), mean.get("on target", np.nan)
    rows = []
    for contestant in [one for one in CONTESTANTS if one in accuracy.index]:
        share = (mean[contestant] - start) / (end - start)
        seeds = ["" if np.isnan(one) else points(one) for one in accuracy.loc[contestant]]
        closed = "" if np.isnan(share) else f"{share:.0%}"
        rows.append(
            [contestant, *seeds, points(mean[contestant]), closed, f"{minutes[contestant]:.1f}"]
        )
    seeds = [f"seed {seed}" for seed in accuracy.columns]
    return markdown(["", *seeds, "mean", "gap closed", "minutes a fit"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Compare source only, DANN and the default on digits."
    )
    parser.add_argument("--cache", type=Path, required=True, help="file of the fits, JSON lines")
    parser.add_argument("--shifts", nargs="+", choices=SHIFTS, default=[*SHIFTS][:1])
    parser.add_argument("--contestants", nargs="+", choices=CONTESTANTS, default=[*CONTESTANTS])
    parser.add_argument("--rows", type=int, default=12_000, help="rows of each domain, to 60,000")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--device", default="cpu", help='such as "cuda"')
    parser.add_argument("--output", type=Path, help="file the table is also written to")
    options = parser.parse_args()
    run(options)
    write(report(options), options)


if __name__ == "__main__":
    main()
