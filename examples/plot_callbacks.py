"""
Callbacks and early stopping
============================

The network is trained by a skorch net, so skorch's callbacks work, and so do your own. This page
shows the curves of a training, early stopping, and a callback that watches the target.
"""

# %%
# The curves of a training
# ------------------------
# `history_` has one dict per epoch, and :class:`~skdann.displays.TrainingCurveDisplay` draws it.
# Lambda grows from 0 to 1. The domain classifier's accuracy swings at first, while features and
# domain classifier react to each other, and settles not far above one half, which is what a guess
# gets.

# sphinx_gallery_thumbnail_number = 3

import matplotlib.pyplot as plt
import numpy as np
from skorch.callbacks import Callback, EpochScoring

from skdann import DANNClassifier
from skdann.datasets import make_tilted_digits
from skdann.displays import TrainingCurveDisplay

X_src, y_src, X_tgt, y_tgt = make_tilted_digits(n_source=450, random_state=0)
plain = DANNClassifier(lambda_max=1.0, max_epochs=60, random_state=0).fit(X_src, y_src, X_tgt)
display = TrainingCurveDisplay.from_estimator(plain)

# %%
# Early stopping
# --------------
# With `early_stopping` a tenth of the rows of both domains is held out. The training stops when
# ``label loss - lambda * domain loss`` on these rows has not improved for some epochs, and the
# weights of the best epoch are restored. No target label is needed for it. The figure is noisy with
# few rows, so do not stop too soon: here training goes on for twenty epochs without improvement.

stopped = DANNClassifier(
    lambda_max=1.0, max_epochs=200, early_stopping=True, n_iter_no_change=20, random_state=0
).fit(X_src, y_src, X_tgt)
print(f"stopped after {stopped.n_iter_} of 200 epochs")
display = TrainingCurveDisplay.from_estimator(stopped)

# %%
# Callbacks of your own
# ---------------------
# What a callback records in `net.history` becomes a part of `history_`. This one measures after
# each epoch how certain the network is of the target rows, which needs no labels. skorch's
# `EpochScoring` adds the accuracy on the source rows of the training.


class TargetCertainty(Callback):
    """Records the mean probability of the predicted class on target rows."""

    def __init__(self, X_tgt):
        self.X_tgt = X_tgt

    def on_epoch_end(self, net, **kwargs):
        certainty = net.predict_proba(self.X_tgt).max(axis=1).mean()
        net.history.record("certainty", float(certainty))


accuracy = EpochScoring("accuracy", on_train=True, lower_is_better=False)
watched = DANNClassifier(
    lambda_max=1.0,
    max_epochs=60,
    callbacks=[TargetCertainty(X_tgt), accuracy],
    random_state=0,
).fit(X_src, y_src, X_tgt)

figure, ax = plt.subplots(figsize=(5.6, 3.4), layout="constrained")
curves = {
    "accuracy": ("accuracy on source rows", "#0072B2", "-"),
    "certainty": ("certainty on target rows", "#D55E00", "--"),
}
for name, (label, color, dashes) in curves.items():
    values = [epoch[name] for epoch in watched.history_]
    ax.plot(np.arange(1, len(values) + 1), values, dashes, color=color, label=label)
ax.set(xlabel="epoch", ylim=(0, 1.02))
ax.legend(loc="lower right")

# %%
# The callbacks watched only: the network is the same as without them.

print("equal predictions:", np.array_equal(watched.predict(X_tgt), plain.predict(X_tgt)))
print(f"target accuracy: plain {plain.score(X_tgt, y_tgt):.3f}, ", end="")
print(f"stopped early {stopped.score(X_tgt, y_tgt):.3f}")
