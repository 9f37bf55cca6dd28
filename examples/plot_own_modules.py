"""
Your own torch modules
======================

By default the network is made of plain layers. Each of its three parts can be a torch module of
your own. Here a small convolutional network looks at images, and a domain classifier is given as a
function.
"""

# %%
# Images as rows
# --------------
# The digits of the target are tilted by 20 degrees. A row is an image of shape (1, 8, 8): channels,
# height, width.

import matplotlib.pyplot as plt
import numpy as np
from torch import nn

from skdann import DANNClassifier
from skdann.datasets import make_tilted_digits

X_src, y_src, X_tgt, y_tgt = make_tilted_digits(random_state=0)
X_src, X_tgt = X_src.reshape(-1, 1, 8, 8), X_tgt.reshape(-1, 1, 8, 8)
print("source:", X_src.shape, " target:", X_tgt.shape)

# %%
# The modules
# -----------
# A feature extractor maps images to an embedding, here of 128 numbers. Its class is called with the
# shape of one image. A domain classifier is called with the number of inputs and outputs that it
# needs, and returns logits: no softmax at the end. The gradient reversal is put in front of it for
# you.


class Convolutions(nn.Module):
    def __init__(self, image_shape):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(image_shape[0], 16, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Dropout(0.3),
        )

    def forward(self, images):
        return self.layers(images)


def tell_domains_apart(n_embedding, n_domains):
    return nn.Sequential(nn.Linear(n_embedding, 50), nn.LeakyReLU(), nn.Linear(50, n_domains))


# %%
# Source only and adapted
# -----------------------
# The classifier takes the class and the function, not modules made of them. So a clone of it, in a
# search or in cross-validation, makes its own, with weights that `random_state` determines. The
# target's labels score the two networks and do nothing else.


def fit(lambda_max):
    classifier = DANNClassifier(
        feature_extractor=Convolutions,
        domain_classifier=tell_domains_apart,
        lambda_max=lambda_max,
        max_epochs=25,
        lr=0.003,
        random_state=0,
    )
    return classifier.fit(X_src, y_src, X_tgt)


source_only, adapted = fit(lambda_max=0), fit(lambda_max=1.0)
print(f"source only: target accuracy {source_only.score(X_tgt, y_tgt):.3f}")
print(f"adapted:     target accuracy {adapted.score(X_tgt, y_tgt):.3f}")
print(adapted.module_)

# %%
# What was put right
# ------------------
# Twelve of the target images that the source-only network gets wrong and the adapted one gets
# right. Above each stands what the two networks predict.

before, after = source_only.predict(X_tgt), adapted.predict(X_tgt)
mended = np.flatnonzero((before != y_tgt) & (after == y_tgt))[:12]
figure, axes = plt.subplots(3, 4, figsize=(5.2, 4.8), layout="constrained")
for ax, row in zip(axes.flat, mended, strict=True):
    ax.imshow(X_tgt[row, 0], cmap="gray_r")
    ax.set_title(f"{before[row]} \N{RIGHTWARDS ARROW} {after[row]}")
    ax.axis("off")
figure.suptitle("source only \N{RIGHTWARDS ARROW} adapted", fontsize="medium")
