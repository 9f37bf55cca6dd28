"""
Can the domains still be told apart?
====================================

The features are trained to hide the domain from a domain classifier. This page looks at whether
they do, in four ways, from the cheapest to the one that is hardest to mislead.
"""

# %%
# Three networks
# --------------
# The target's digits are tilted. The networks differ in lambda only.

# sphinx_gallery_thumbnail_number = 3

from skdann import DANNClassifier
from skdann.datasets import make_tilted_digits
from skdann.displays import DomainConfusionDisplay, EmbeddingDisplay, TrainingCurveDisplay
from skdann.metrics import coral_distance, proxy_a_distance

X_src, y_src, X_tgt, y_tgt = make_tilted_digits(random_state=0)
networks = {
    lambda_max: DANNClassifier(lambda_max=lambda_max, max_epochs=60, random_state=0).fit(
        X_src, y_src, X_tgt
    )
    for lambda_max in (0, 0.1, 1.0)
}

# %%
# The curves
# ----------
# The domain accuracy of the last epoch is that of the network's own domain classifier, one half for
# a guess. It stays above: the two parts have found a balance, and 900 rows can be learned by heart.

display = TrainingCurveDisplay.from_estimator(networks[1.0])

# %%
# A picture
# ---------
# Two directions of a hundred. Domains that overlap here may differ in other directions.

display = EmbeddingDisplay.from_estimator(
    networks[1.0], X_src, y_src, X_tgt, baseline=networks[0], max_points=300, color_by="domain"
)

# %%
# A new classifier
# ----------------
# A new linear classifier, trained on the embedding from the start and cross-validated, is a
# stricter judge. Where the two histograms of a panel lie apart, it tells the domains. Here it still
# does: the features are trained to mislead their own opponent, and not every other one.

display = DomainConfusionDisplay.from_estimator(networks[1.0], X_src, X_tgt)

# %%
# Distances
# ---------
# The same as numbers, for all three networks. The proxy A-distance goes from 0, a guess, to 2, no
# error. CORAL compares variances and correlations.

print("lambda   own domain classifier   proxy A-distance    CORAL")
for lambda_max, network in networks.items():
    embedded = network.transform(X_src), network.transform(X_tgt)
    own = network.history_[-1]["domain_accuracy"]
    a_distance = proxy_a_distance(*embedded, random_state=0)
    print(f"{lambda_max:6}{own:24.2f}{a_distance:19.2f}{coral_distance(*embedded):9.4f}")

# %%
# None of these numbers says whether the predictions are right. Here these have become better
# although the domains can still be told apart. The other way round happens too: where class shares
# differ, features that hide the domain hide the label. The target's labels are used here only, for
# scoring.

for lambda_max, network in networks.items():
    print(f"lambda {lambda_max:3}: target accuracy {network.score(X_tgt, y_tgt):.3f}")
