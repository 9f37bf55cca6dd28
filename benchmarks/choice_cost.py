"""What the choice costs: time of the default fit in single fits, on real pairs.

    python benchmarks/choice_cost.py [--datasets ...] [--every 3] [--rounds 3]

fits `DANNClassifier()` and `DANNClassifier(lambda_max=1)` in turn, on every n-th pair of each data
set, on one thread. It prints the ratio of the medians of each set's pairs: mean, least, most.
"""

import argparse
import time
import warnings

import numpy as np
import torch
from shifted_data import DATASETS, pairs
from target_accuracy import markdown
from threadpoolctl import threadpool_limits

from skdann import DANNClassifier


def seconds(pair: object, **settings: object) -> float:
    start = time.perf_counter()
    DANNClassifier(random_state=0, **settings).fit(pair.X_src, pair.y_src, pair.X_tgt)
    return time.perf_counter() - start


def ratio(pair: object, rounds: int) -> float:
    times = [(seconds(pair), seconds(pair, lambda_max=1.0)) for _ in range(rounds)]
    default, single = np.median(times, axis=0)
    return float(default / single)


def main() -> None:
    parser = argparse.ArgumentParser(description="Print the cost of the choice in single fits.")
    parser.add_argument("--datasets", nargs="+", choices=DATASETS, default=DATASETS)
    parser.add_argument("--every", type=int, default=3, help="take every n-th pair of a set")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    rows, counts = [], []
    with threadpool_limits(1):
        for dataset in options.datasets:
            of_set = list(pairs([dataset]))
            found = [ratio(pair, options.rounds) for pair in of_set[:: options.every]]
            cells = [f"{value:.1f}" for value in (np.mean(found), min(found), max(found))]
            rows.append([f"{dataset} ({len(found)} of {len(of_set)})", *cells])
            counts.append((np.mean(found), len(of_set)))
            print(rows[-1], flush=True)
    mean = np.average([one for one, _ in counts], weights=[n for _, n in counts])
    rows.append(["all, by number of pairs", f"{mean:.1f}", "", ""])
    print(markdown(["set (pairs timed)", "single fits, mean", "least", "most"], rows))


if __name__ == "__main__":
    main()
