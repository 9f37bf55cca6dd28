"""Distances between domains, and scores of models that need no target labels.

=================================  ======  =======================================================
function                           better  what it is good for
=================================  ======  =======================================================
`proxy_a_distance`                 lower   whether rows or an embedding still give the domain away
`maximum_mean_discrepancy`         lower   any difference between the domains, without a classifier
`coral_distance`                   lower   a difference of spreads and correlations, fast
`density_ratio_weights`                    making source rows stand for target rows
`effective_sample_size`            higher  how far such weights can be trusted
`importance_weighted_accuracy`     higher  target accuracy, where domains overlap
`deep_embedded_validation`         lower   target risk, with less variance
`prediction_entropy`               lower   how sure a model is; a collapsed one is, too
`info_max`                         higher  ranking models: sure, and of as many classes as expected
`batch_nuclear_norm`               higher  the same, for classes of equal size
`corr_c`                           higher  the same, for classes of equal size
`soft_neighborhood_density`        higher  comparison with published results; a weak judge
`estimate_class_shares`                    the class shares of the target, under label shift
=================================  ======  =======================================================

Each score has a scorer for ``scoring=`` of searches and of cross-validation, named after it, such
as `InfoMaxScorer`. `ReverseValidation` is a scorer only: it fits.

A model that fails on the target can be sure of itself, and score well without labels. Let
`importance_weighted_accuracy` or the accuracy on held-out source rows sort out such models first.
"""

from skdann.metrics._class_shares import estimate_class_shares
from skdann.metrics._distances import coral_distance, maximum_mean_discrepancy, proxy_a_distance
from skdann.metrics._importance import (
    WeightedScore,
    deep_embedded_validation,
    density_ratio_weights,
    effective_sample_size,
    importance_weighted_accuracy,
)
from skdann.metrics._prediction_scores import (
    batch_nuclear_norm,
    corr_c,
    info_max,
    prediction_entropy,
    soft_neighborhood_density,
)
from skdann.metrics._reverse_validation import ReverseValidation
from skdann.metrics._scorer_base import ScoredDomains, TargetScorer
from skdann.metrics._scorers import (
    BatchNuclearNormScorer,
    CoralScorer,
    CorrCScorer,
    DeepEmbeddedValidationScorer,
    EntropyScorer,
    ImportanceWeightedAccuracyScorer,
    InfoMaxScorer,
    MMDScorer,
    ProxyADistanceScorer,
    SoftNeighborhoodDensityScorer,
)

__all__ = [
    "BatchNuclearNormScorer",
    "CoralScorer",
    "CorrCScorer",
    "DeepEmbeddedValidationScorer",
    "EntropyScorer",
    "ImportanceWeightedAccuracyScorer",
    "InfoMaxScorer",
    "MMDScorer",
    "ProxyADistanceScorer",
    "ReverseValidation",
    "ScoredDomains",
    "SoftNeighborhoodDensityScorer",
    "TargetScorer",
    "WeightedScore",
    "batch_nuclear_norm",
    "coral_distance",
    "corr_c",
    "deep_embedded_validation",
    "density_ratio_weights",
    "effective_sample_size",
    "estimate_class_shares",
    "importance_weighted_accuracy",
    "info_max",
    "maximum_mean_discrepancy",
    "prediction_entropy",
    "proxy_a_distance",
    "soft_neighborhood_density",
]
