"""Print the target accuracy on the paper's moons: ``python benchmarks/moons.py``.

Each domain has 300 rows with noise 0.05, centred and multiplied by two. The target is a new draw,
turned by 35 degrees. Ten draws; nothing is chosen by target labels.
"""

import numpy as np
import torch
from hand_written_loop import HandWrittenDANN

from skdann import DANNClassifier
from skdann.datasets import make_rotated_moons

DRAWS = range(10)


def accuracies(draw):
    """Return the target accuracy of each contestant on one draw."""
    X_src, y_src, X_tgt, y_tgt = make_rotated_moons(random_state=draw)
    adapted = DANNClassifier(lambda_max=1.0, random_state=draw).fit(X_src, y_src, X_tgt)
    chosen = DANNClassifier(random_state=draw).fit(X_src, y_src, X_tgt)
    source_only = DANNClassifier(lambda_max=0, random_state=draw).fit(X_src, y_src, X_tgt)
    loop = HandWrittenDANN(epochs=250, seed=draw)
    source, target = (torch.from_numpy(rows.astype(np.float32)) for rows in (X_src, X_tgt))
    loop.fit(source, torch.from_numpy(y_src), target)
    return {
        "source only (lambda_max=0)": source_only.score(X_tgt, y_tgt),
        "plain DANN (lambda_max=1)": adapted.score(X_tgt, y_tgt),
        "skdann, defaults": chosen.score(X_tgt, y_tgt),
        "hand-written loop, 1,000 steps": float(np.mean(loop.predict(target).numpy() == y_tgt)),
    }


def main():
    torch.set_num_threads(1)
    runs = [accuracies(draw) for draw in DRAWS]
    print("| target accuracy, ten draws | median | min | max |\n|---|---|---|---|")
    for name in runs[0]:
        values = [run[name] for run in runs]
        print(f"| {name} | {np.median(values):.3f} | {min(values):.3f} | {max(values):.3f} |")


if __name__ == "__main__":
    main()
