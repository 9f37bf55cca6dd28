"""
Columns in other units
======================

Often a shift is only a change of units, or a device that has drifted. Look at the columns before
you adapt anything: where they have moved, a strong adaptation is no cure, and `input_scaling` is.
"""

# %%
# One hospital, two ways to note the values
# -----------------------------------------
# Source and target are two halves of the same patients. In the target's table age is in months,
# glucose in mg/dl, haemoglobin in mmol/l, and CRP in mg/l instead of mg/dl.

import warnings

import matplotlib.pyplot as plt
import pandas as pd

from skdann import DANNClassifier
from skdann.datasets import make_hospitals
from skdann.displays import FeatureShiftDisplay
from skdann.exceptions import TargetScaleWarning
from skdann.metrics import feature_shift

patients, diagnoses, *_ = make_hospitals(random_state=0)
patients = patients.select_dtypes("number").drop(columns="cholesterol")  # it has missing values
X_src, y_src = patients[:500], diagnoses[:500]
X_tgt, y_tgt = patients[500:].copy(), diagnoses[500:]
X_tgt["age"] *= 12
X_tgt["glucose"] *= 18
X_tgt["haemoglobin"] /= 1.61
X_tgt["crp"] *= 10

# %%
# Which columns have moved?
# -------------------------
# A shift of 1 says that no value of one domain lies among those of the other. No network is needed
# to see that, and no label.

pd.DataFrame(feature_shift(X_src, X_tgt))[["feature", "shift", "chance"]].round(2)

# %%
display = FeatureShiftDisplay.from_data(X_src, X_tgt)

# %%
# `fit` warns of such columns, too. Here they are no mistake, so the warning is ignored from now on.

with warnings.catch_warnings(record=True, action="always") as caught:
    DANNClassifier(lambda_max=0, random_state=0).fit(X_src, y_src, X_tgt)
print(caught[0].message)
warnings.filterwarnings("ignore", category=TargetScaleWarning)

# %%
# Scalings
# --------
# The network scales its columns itself. "source" takes mean and deviation of the source rows for
# both domains. "domain" takes those of each domain for its own rows, which undoes any change of
# units. "balanced" does so too, and is safer if the classes are not as frequent in both domains;
# the price is that it estimates. By default the scaling is chosen together with lambda, from
# "source", "both" and "balanced".

WAYS = {
    "source only, scaled by source": {"lambda_max": 0, "input_scaling": "source"},
    "plain DANN, scaled by source": {"lambda_max": 1.0, "input_scaling": "source"},
    "plain DANN, scaled by domain": {"lambda_max": 1.0, "input_scaling": "domain"},
    "default, all is chosen": {},
}
networks = {}
for name, parameters in WAYS.items():
    networks[name] = DANNClassifier(**parameters, random_state=0).fit(X_src, y_src, X_tgt)

# %%
# The columns as they reach the default network, and, as discs, after its scaling. Little of the
# large shifts is left. The small ones have grown a little: that is the price of an estimate.

chosen = networks["default, all is chosen"]
print("chosen: ", chosen.input_scaling_)
display = FeatureShiftDisplay.from_estimator(chosen, X_src, X_tgt)

# %%
# Was it right?
# -------------
# Only here are the target's labels used. Where units have changed, adaptation of the features alone
# does not find the way back.

accuracies = pd.Series({name: one.score(X_tgt, y_tgt) for name, one in networks.items()})
print(accuracies.round(3).to_string())

figure, ax = plt.subplots(figsize=(6.2, 2.4), layout="constrained")
ax.barh(accuracies.index, accuracies, color="#0072B2")
ax.invert_yaxis()
ax.axvline(y_tgt.value_counts(normalize=True).max(), color="black", linestyle="dotted")
ax.set(xlim=(0, 1), xlabel="target accuracy; dotted: one class for all rows")
