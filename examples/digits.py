"""Digits under two shifts: source only, adapted, and trained on the target's own labels.

The handwritten digits that come with scikit-learn, tilted and blended into photographs, with
`DANNClassifier` by default. On tilted digits adaptation gains much. On photographs, with images
as small and as few as these, it gains little.

All accuracies are measured on target rows that no fit has seen, and are means over three random
states. Only the column "target labels" trains with target labels.
"""

import itertools

import numpy as np
from joblib import Parallel, delayed

from skdann import DANNClassifier
from skdann.datasets import make_blended_digits, make_tilted_digits

SHIFTS = {"tilted by 20 degrees": make_tilted_digits, "on photographs": make_blended_digits}
RANDOM_STATES = (10, 11, 12)
N_FIT = 600  # target rows for fitting; the other 297 are for scoring


def target_accuracies(make_digits, random_state):
    """Return the accuracies of three ways to train, on held-out target rows."""
    X_src, y_src, X_tgt, y_tgt = make_digits(random_state=random_state)
    X_src, X_tgt = X_src.reshape(len(X_src), -1), X_tgt.reshape(len(X_tgt), -1)
    X_fit, X_new, y_fit, y_new = X_tgt[:N_FIT], X_tgt[N_FIT:], y_tgt[:N_FIT], y_tgt[N_FIT:]

    adapted = DANNClassifier(random_state=random_state).fit(X_src, y_src, X_fit)
    unadapted = DANNClassifier(lambda_max=0, random_state=random_state)
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
