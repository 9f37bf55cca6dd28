"""
Digits, tilted and on photographs
=================================

Handwritten digits are the source. In one target they are tilted by 20 degrees; in another they lie
on photographs. Adaptation gains much on the first and little on the second. Neither result is known
before the target has labels, so a section below is about what can be known.
"""

# %%
# Source and targets
# ------------------
# The images come with scikit-learn; they have 8 by 8 grey values. Each target has other digits than
# the source.

import matplotlib.pyplot as plt

from skdann import DANNClassifier
from skdann.datasets import make_blended_digits, make_tilted_digits
from skdann.displays import EmbeddingDisplay

tilted = make_tilted_digits(n_source=450, random_state=0)
blended = make_blended_digits(n_source=450, random_state=0)

figure, axes = plt.subplots(3, 8, figsize=(6.4, 2.9), layout="constrained")
rows = {
    "source": tilted[0].reshape(-1, 8, 8),
    "tilted": tilted[2].reshape(-1, 8, 8),
    "blended": blended[2].transpose(0, 2, 3, 1),  # colours last, as matplotlib wants them
}
for of_kind, (name, images) in zip(axes, rows.items(), strict=True):
    for ax, image in zip(of_kind, images, strict=False):
        ax.imshow(image, cmap="gray", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
    of_kind[0].set_ylabel(name)

# %%
# Accuracy on the target
# ----------------------
# Three ways to train the same network. With a lambda of 0 it learns from the source alone; with a
# lambda of 1 it is plain DANN, which adapts in any case. By default lambda and the scaling of the
# columns are chosen, without target labels. 600 target rows are for fitting, the others for
# scoring. Labels of the target are used for the printed accuracy only. Fewer epochs than usual make
# this page fast.

WAYS = {"source only": {"lambda_max": 0}, "plain DANN": {"lambda_max": 1.0}, "default": {}}


def fit_three(X_src, y_src, X_tgt, y_tgt):
    """Fit in three ways, print the accuracy on target rows that no fit has seen."""
    X_src, X_tgt = X_src.reshape(len(X_src), -1), X_tgt.reshape(len(X_tgt), -1)
    networks = {}
    for name, parameters in WAYS.items():
        network = DANNClassifier(**parameters, max_epochs=40, random_state=0)
        networks[name] = network.fit(X_src, y_src, X_tgt[:600])
        print(f"  {name:12} {network.score(X_tgt[600:], y_tgt[600:]):.3f}")
    return networks


print("tilted")
on_tilted = fit_three(*tilted)
print("blended")
on_blended = fit_three(*blended)

# %%
# The verdict
# -----------
# The default says what it chose and why. On the photographs it has not adapted: it saw no sign of a
# gain that is large enough.

print(on_tilted["default"].verdict_)
print()
print(on_blended["default"].verdict_)

# %%
# The embedding
# -------------
# Source and target rows of the tilted digits, in the network without adaptation and in the adapted
# one. Before, many source rows lie where there are no target rows. After, each lies on the other.
# Two dimensions show only a part of an embedding of 100. Colours by class use the target's labels.

X_src, y_src, X_tgt, y_tgt = tilted
display = EmbeddingDisplay.from_estimator(
    on_tilted["default"],
    X_src,
    y_src,
    X_tgt,
    y_tgt=y_tgt,
    baseline=on_tilted["source only"],
    max_points=300,
)
