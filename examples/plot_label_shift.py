"""
Class shares that differ, and the cure
======================================

Few patients of a family doctor are sick; most patients of a ward are. Where only the shares of the
classes differ, nothing has to be aligned: the probabilities have to be those for the other shares.
`label_shift` does that.
"""

# %%
# The rows
# --------
# Source and target are patients who were measured in the same way. A fifth of the source is sick,
# and four fifths of the target. The labels of the target serve for scoring only.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from skdann import DANNClassifier
from skdann.datasets import make_hospitals
from skdann.displays import ClassShareDisplay

patients, diagnoses, *_ = make_hospitals(3000, random_state=0)
patients = patients.select_dtypes("number").drop(columns="cholesterol")  # it has missing values
generator = np.random.default_rng(0)


def drawn(rows, n_sick, n_healthy):
    """Return so many sick and healthy patients among some rows."""
    of_rows = diagnoses.iloc[rows]
    sick = generator.choice(of_rows.index[of_rows == "sick"], n_sick, replace=False)
    healthy = generator.choice(of_rows.index[of_rows == "healthy"], n_healthy, replace=False)
    chosen = np.concatenate([sick, healthy])
    return patients.loc[chosen], diagnoses.loc[chosen]


X_src, y_src = drawn(slice(0, 1500), n_sick=120, n_healthy=480)
X_tgt, y_tgt = drawn(slice(1500, 3000), n_sick=480, n_healthy=120)

# %%
# Four networks
# -------------
# With ``label_shift="estimate"`` two small networks first estimate the target's class shares,
# without its labels. Then source rows weigh more, the more frequent their class is in the target.
# Shares that you know, ``label_shift={"healthy": 0.2, "sick": 0.8}``, are better than any estimate.

WAYS = {
    "source only": {"lambda_max": 0},
    "plain DANN": {"lambda_max": 1.0},
    "DANN, shares estimated": {"lambda_max": 1.0, "label_shift": "estimate"},
    "DANN, shares known": {"lambda_max": 1.0, "label_shift": {"healthy": 0.2, "sick": 0.8}},
}
networks = {
    name: DANNClassifier(**parameters, random_state=0).fit(X_src, y_src, X_tgt)
    for name, parameters in WAYS.items()
}
estimated = networks["DANN, shares estimated"].target_shares_
print("estimated shares:", dict(zip(["healthy", "sick"], estimated.round(2).tolist(), strict=True)))

# %%
# What the shares say
# -------------------
# Plain DANN predicts too few sick patients: its predicted shares lie between the source's and the
# estimated ones. That is the sign to look for. It needs no label of the target.

display = ClassShareDisplay.from_estimator(networks["plain DANN"], X_src, y_src, X_tgt)

# %%
# With the estimated shares the predictions agree with the estimate.

display = ClassShareDisplay.from_estimator(networks["DANN, shares estimated"], X_src, y_src, X_tgt)

# %%
# Was it right?
# -------------
# Only here are the target's labels used. Plain DANN gains nothing: rows of one class lie where they
# lay, and only their number differs.

accuracies = pd.Series({name: one.score(X_tgt, y_tgt) for name, one in networks.items()})
print(accuracies.round(3).to_string())

figure, ax = plt.subplots(figsize=(6.2, 2.4), layout="constrained")
ax.barh(accuracies.index, accuracies, color="#0072B2")
ax.invert_yaxis()
ax.axvline(0.8, color="black", linestyle="dotted")
ax.set(xlim=(0, 1), xlabel="target accuracy; dotted: all are called sick")

# %%
# The estimate assumes that rows of a class look alike in both domains. If the inputs have moved as
# well, it can be far off, and nothing in it shows that.
