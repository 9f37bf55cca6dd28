"""
Adaptation in front of any classifier
=====================================

A fitted `DANNClassifier` is a transformer, too: `transform` returns the embedding, in which the
domains look more alike. Any classifier of scikit-learn can learn from it. Often the network's own
label predictor is as good; another classifier may be easier to explain, or to put into an old
program.
"""

# %%
# The embedding as a step
# -----------------------
# In `make_dann_pipeline` the network may stand before the last step. It is fitted to both domains,
# and the last step to the embedding of the source and its labels.

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from skdann import DANNClassifier
from skdann.datasets import make_tilted_digits
from skdann.pipeline import make_dann_pipeline

X_src, y_src, X_tgt, y_tgt = make_tilted_digits(random_state=0)
network = DANNClassifier(lambda_max=1.0, max_epochs=60, random_state=0)
pipe = make_dann_pipeline(network, LogisticRegression(max_iter=500))
pipe.fit(X_src, y_src, X_tgt)
print(pipe.predict(X_tgt[:10]))

# %%
# Three classifiers, with and without
# -----------------------------------
# With several classifiers it is cheaper to fit the network once. The target's labels are used for
# scoring only.

network.fit(X_src, y_src, X_tgt)
embedded_src, embedded_tgt = network.transform(X_src), network.transform(X_tgt)
classifiers = {
    "logistic regression": LogisticRegression(max_iter=500),
    "nearest neighbours": KNeighborsClassifier(),
    "boosted trees": HistGradientBoostingClassifier(max_iter=30, random_state=0),
}
accuracies = pd.DataFrame(
    {
        name: {
            "on the columns": clone(one).fit(X_src, y_src).score(X_tgt, y_tgt),
            "on the embedding": one.fit(embedded_src, y_src).score(embedded_tgt, y_tgt),
        }
        for name, one in classifiers.items()
    }
).T
print(accuracies.round(3).to_string())
print(f"the network itself: {network.score(X_tgt, y_tgt):.3f}")

# %%
figure, ax = plt.subplots(figsize=(6.2, 3.2), layout="constrained")
accuracies.plot.barh(ax=ax, color=["#E69F00", "#0072B2"], width=0.7)
ax.axvline(network.score(X_tgt, y_tgt), color="black", linestyle="dotted")
ax.set(xlim=(0, 1), xlabel="target accuracy; dotted: the network itself")
ax.invert_yaxis()
figure.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=2)
ax.get_legend().remove()
