"""
Moons before and after
======================

Two half circles are to be told apart. The target is the same two half circles, turned by 35
degrees. This is the toy problem of the paper that introduced the method (Ganin et al., "Domain-
Adversarial Training of Neural Networks", JMLR 2016, figure 2), and this page draws the paper's
figure again: the same network, trained on the source alone and adapted to the target.
"""

# %%
# Two networks
# ------------
# Both networks have the same layers and the same random start. The first has a lambda of 0: it
# learns from the source alone. The second is plain DANN, with a lambda of 1. It sees the target
# rows too, but no label of theirs. The target's labels serve for scoring, and for nothing else.

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap, ListedColormap
from sklearn.decomposition import PCA
from sklearn.inspection import DecisionBoundaryDisplay

from skdann import DANNClassifier
from skdann.datasets import make_rotated_moons


def fit_both(data):
    """Return the source-only network and the adapted one, by name."""
    X_src, y_src, X_tgt, _ = data
    return {
        name: DANNClassifier(300, lambda_max=lambda_max, random_state=0).fit(X_src, y_src, X_tgt)
        for name, lambda_max in {"source only": 0, "DANN": 1.0}.items()
    }


data = make_rotated_moons(random_state=0)
X_src, y_src, X_tgt, y_tgt = data
networks = fit_both(data)
for name, network in networks.items():
    print(f"{name:12} target accuracy {network.score(X_tgt, y_tgt):.3f}")

# %%
# The label predictor's boundary
# ------------------------------
# The background is what each network predicts; a cross is a target row that it gets wrong. The
# source-only boundary fits the source and cuts off the ends of the turned moons. The adapted one
# passes between the moons of both domains.

BLUE, ORANGE = "#0072B2", "#E69F00"  # colours that the colour-blind can tell apart
LIGHT = ListedColormap(["#CFE3F0", "#FBE8C0"])
source = [
    {"c": BLUE, "marker": "o", "s": 14, "label": "source, class 0"},
    {"c": ORANGE, "marker": "s", "s": 14, "label": "source, class 1"},
]
target = {"c": "black", "marker": ".", "s": 12, "label": "target, no labels"}
wrong = {"c": "#B40000", "marker": "x", "s": 30, "linewidths": 1.3, "label": "target, wrong"}


def scatter_domains(ax, rows_src, rows_tgt):
    """Draw source rows by class, and target rows without their labels."""
    for label, style in enumerate(source):
        ax.scatter(*rows_src[y_src == label].T, **style)
    ax.scatter(*rows_tgt.T, **target)
    ax.set(xticks=[], yticks=[])


def legend_below(figure, ax, ncols):
    """Put the legend of one panel under all of them."""
    figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=ncols)


boundaries, axes = plt.subplots(1, 2, figsize=(6.4, 3.8), layout="constrained")
for ax, (name, network) in zip(axes, networks.items(), strict=True):
    DecisionBoundaryDisplay.from_estimator(
        network, X_src, response_method="predict", plot_method="pcolormesh", cmap=LIGHT, ax=ax
    )
    scatter_domains(ax, X_src, X_tgt)
    missed = X_tgt[network.predict(X_tgt) != y_tgt]
    ax.scatter(*missed.T, **wrong)
    ax.set_title(f"{name}: {network.score(X_tgt, y_tgt):.1%} of target right")
legend_below(boundaries, axes[0], ncols=2)

# %%
# The embedding
# -------------
# These are the outputs of the feature extractor, 300 numbers a row, projected to the two directions
# in which they vary most. Where target rows lie outside the source, the label predictor has learned
# nothing about them. Adapted, they lie on the source rows.

figure, axes = plt.subplots(1, 2, figsize=(6.4, 3.7), layout="constrained")
for ax, (name, network) in zip(axes, networks.items(), strict=True):
    embedded = [network.transform(rows) for rows in (X_src, X_tgt)]
    pca = PCA(n_components=2).fit(np.vstack(embedded))
    scatter_domains(ax, *(pca.transform(rows) for rows in embedded))
    ax.set(title=name, xlabel="first component", ylabel="second component")
legend_below(figure, axes[0], ncols=3)

# %%
# The domain classifier
# ---------------------
# The third part of the network answers "how likely is this a target row?". The dashed line is where
# it says one half. In the source-only network nothing works against it, and it draws a sharp line
# around the target rows. In the adapted network the features have learned to mislead it: where the
# domains lie side by side it is unsure. What remains it tells from the ends of the moons, where
# there are rows of one domain only.


def domain_accuracy(network):
    """Return the domain classifier's accuracy, each domain with half the weight."""
    right_src = np.mean(network.predict_domain_proba(X_src) < 0.5)
    right_tgt = np.mean(network.predict_domain_proba(X_tgt) > 0.5)
    return (right_src + right_tgt) / 2


WHITE_TO_PURPLE = LinearSegmentedColormap.from_list("white to purple", ["white", "#CC79A7"])
edges = X_src.min(axis=0) - 0.8, X_src.max(axis=0) + 0.8
xx0, xx1 = np.meshgrid(*np.linspace(*edges, 150).T)
grid = np.column_stack([xx0.ravel(), xx1.ravel()])
figure, axes = plt.subplots(1, 2, figsize=(6.4, 4.1), layout="constrained")
for ax, (name, network) in zip(axes, networks.items(), strict=True):
    proba = network.predict_domain_proba(grid).reshape(xx0.shape)
    mesh = ax.pcolormesh(xx0, xx1, proba, cmap=WHITE_TO_PURPLE, vmin=0, vmax=1)
    scatter_domains(ax, X_src, X_tgt)
    ax.contour(xx0, xx1, proba, levels=[0.5], colors="black", linewidths=1, linestyles="dashed")
    ax.set_title(f"{name}\ndomain accuracy {domain_accuracy(network):.2f}")
colours = figure.colorbar(mesh, ax=axes, shrink=0.8)
colours.set_label("probability of target")
legend_below(figure, axes[0], ncols=3)

# %%
# Is it luck?
# -----------
# One draw of the rows proves little. Here are three more, with the same settings.

for draw in range(1, 4):
    rows = make_rotated_moons(random_state=draw)
    scores = [network.score(*rows[2:]) for network in fit_both(rows).values()]
    print("draw {}: source only {:.3f}, DANN {:.3f}".format(draw, *scores))
