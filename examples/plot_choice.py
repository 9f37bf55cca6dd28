"""
How the choice is made
======================

The target has no labels, so nothing can be chosen by accuracy on it. By default `DANNClassifier`
trains nine candidates: three strengths of adaptation (lambda), each with three ways to scale the
columns. It collects evidence that needs no target labels. This page shows the evidence, and then,
as no user could, whether it was right.
"""

# %%
# A default fit
# -------------
# The target's digits are tilted by 20 degrees.

import matplotlib.pyplot as plt

from skdann import DANNClassifier, DANNClassifierCV
from skdann.datasets import make_tilted_digits
from skdann.displays import ChoiceDisplay, LambdaPathDisplay

X_src, y_src, X_tgt, y_tgt = make_tilted_digits(n_source=450, random_state=0)
classifier = DANNClassifier(max_epochs=30, random_state=0).fit(X_src, y_src, X_tgt)
print(classifier.verdict_)

# %%
# All candidates
# --------------
# Each line is a candidate, each panel a piece of evidence for it, compared with the network without
# adaptation. The first panel adds the evidence up: how much target accuracy the candidate is
# expected to gain, with a cautious lower bound. Both must pass the lines. The best three go through
# a second fold, the others are dropped after the first.

figure, axes = plt.subplots(1, 5, figsize=(9.6, 4.2), layout="constrained")
display = ChoiceDisplay.from_estimator(classifier, ax=axes)

# %%
# Was it right?
# -------------
# With target labels the display has one panel more. They were not used for the choice. Each
# candidate is fitted again for this.

figure, axes = plt.subplots(1, 6, figsize=(10.4, 4.2), layout="constrained")
display = ChoiceDisplay.from_estimator(classifier, X_src, y_src, X_tgt, y_tgt, ax=axes)

# %%
# Along lambda
# ------------
# `DANNClassifierCV` takes candidates of your own, compares all of them in all folds, and follows
# the same rule. The scores themselves, without the comparison, are drawn along lambda. No single
# one of them is safe to choose by.

search = DANNClassifierCV(
    [0, 0.03, 0.1, 0.3, 1, 3],
    ["balanced"],
    cv=2,
    estimator=DANNClassifier(max_epochs=30),
    random_state=0,
).fit(X_src, y_src, X_tgt)
display = LambdaPathDisplay.from_estimator(search)

# %%
# The same numbers are in `cv_results_`, as in scikit-learn's searches. The last line is for scoring
# only.

for candidate, gain in zip(
    search.cv_results_["params"], search.cv_results_["expected_gain"], strict=True
):
    print(f"lambda {candidate['lambda_max']:4}: expected gain {gain:+.3f}")
print(f"chosen: {search.best_params_}; target accuracy {search.score(X_tgt, y_tgt):.3f}")
