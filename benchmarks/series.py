"""Print the target accuracy on drifting series: ``python benchmarks/series.py``.

Each domain has 300 series of `make_drifting_series`. All networks are `TimeSeriesFeatureExtractor`
with the same settings. "Trained on target" learns from 300 other, labelled target rows. Five draws;
nothing is chosen by target labels.
"""

import numpy as np
import torch

from skdann import DANNClassifier
from skdann.datasets import make_drifting_series
from skdann.networks import TimeSeriesFeatureExtractor

DRAWS = range(5)


def fitted(draw, X, y, X_tgt=None, **parameters):
    classifier = DANNClassifier(
        feature_extractor=TimeSeriesFeatureExtractor,
        lr=0.005,
        batch_size=32,
        max_epochs=15,
        random_state=draw,
        **parameters,
    )
    return classifier.fit(X, y, X_tgt)


def accuracies(draw):
    """Return the target accuracy of each network on one draw."""
    X, y, X_tgt, y_tgt = make_drifting_series(random_state=draw)
    _, _, X_other, y_other = make_drifting_series(random_state=1000 + draw)
    networks = {
        "source only (lambda_max=0)": fitted(draw, X, y, lambda_max=0),
        "plain DANN (lambda_max=1)": fitted(draw, X, y, X_tgt, lambda_max=1.0),
        'chosen (lambda_max="auto")': fitted(draw, X, y, X_tgt),
        "trained on target": fitted(draw, X_other, y_other, lambda_max=0),
    }
    return {name: network.score(X_tgt, y_tgt) for name, network in networks.items()}


def main():
    torch.set_num_threads(1)
    runs = [accuracies(draw) for draw in DRAWS]
    print("| target accuracy, five draws | mean | min | max |\n|---|---|---|---|")
    for name in runs[0]:
        values = [run[name] for run in runs]
        print(f"| {name} | {np.mean(values):.3f} | {min(values):.3f} | {max(values):.3f} |")


if __name__ == "__main__":
    main()
