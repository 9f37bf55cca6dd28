"""Digits under two shifts: source only, adapted, and trained on the target's own labels.

The handwritten digits that come with scikit-learn, tilted as 8x8 grey values, and blended into
photographs as 28x28 colours. `DANNClassifier` chooses by default whether to adapt, and how much.

All accuracies are measured on target rows that no fit has seen, and are means over three random
states. Only the column "target labels" trains with target labels. The layers for photographs were
picked by target accuracy, on other random states than these: see the guide, "When does it help?".
"""

import itertools

import numpy as np
import torch
from joblib import Parallel, delayed

from skdann import DANNClassifier
from skdann.datasets import make_blended_digits, make_tilted_digits

RANDOM_STATES = (20, 21, 22)
N_FIT = 600  # target rows for fitting; the other 297 are for scoring


class EdgeFeatures(torch.nn.Module):
    """Two convolutions. To the first an edge is an edge, whichever of its sides is brighter."""

    def __init__(self):
        super().__init__()
        self.edges = torch.nn.Conv2d(3, 16, kernel_size=5, stride=2)
        self.shapes = torch.nn.Conv2d(16, 32, kernel_size=3, stride=2)

    def forward(self, images):
        edges = torch.nn.functional.instance_norm(self.edges(images)).abs()
        return self.shapes(edges).relu().flatten(1)


def tilted(random_state):
    return make_tilted_digits(random_state=random_state), {}


def on_photographs(random_state):
    network = {"feature_extractor": EdgeFeatures, "max_epochs": 30}
    return make_blended_digits(random_state=random_state), network


SHIFTS = {"tilted by 20 degrees": tilted, "on photographs": on_photographs}


def target_accuracies(shift, random_state):
    """Return the accuracies of three ways to train, on held-out target rows."""
    (X_src, y_src, X_tgt, y_tgt), network = shift(random_state)
    X_fit, X_new, y_fit, y_new = X_tgt[:N_FIT], X_tgt[N_FIT:], y_tgt[:N_FIT], y_tgt[N_FIT:]

    adapted = DANNClassifier(**network, random_state=random_state).fit(X_src, y_src, X_fit)
    unadapted = DANNClassifier(**network, lambda_max=0, random_state=random_state)
    source_only = unadapted.fit(X_src, y_src, X_fit).score(X_new, y_new)
    on_target = unadapted.fit(X_fit, y_fit, X_fit).score(X_new, y_new)
    return source_only, adapted.score(X_new, y_new), on_target


def main():
    print(f"{'digits':22}{'source only':>12}{'adapted':>9}{'target labels':>15}{'gap closed':>12}")
    pairs = itertools.product(SHIFTS.values(), RANDOM_STATES)
    runs = Parallel(n_jobs=-1)(delayed(target_accuracies)(*pair) for pair in pairs)
    of_shifts = np.reshape(runs, (len(SHIFTS), len(RANDOM_STATES), 3)).mean(axis=1)
    for name, (source_only, adapted, on_target) in zip(SHIFTS, of_shifts, strict=True):
        gap_closed = (adapted - source_only) / (on_target - source_only)
        print(f"{name:22}{source_only:12.3f}{adapted:9.3f}{on_target:15.3f}{gap_closed:12.0%}")


if __name__ == "__main__":
    main()
