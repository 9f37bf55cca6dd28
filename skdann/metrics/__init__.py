"""Distances between domains, and scores of models that need no target labels.

=================================  ======  =======================================================
function                           better  what it measures
=================================  ======  =======================================================
`proxy_a_distance`                 lower   how well a classifier can predict the domain of a row
`maximum_mean_discrepancy`         lower   any difference between the domains, without a classifier
`coral_distance`                   lower   a difference of variances and correlations; fast
`density_ratio_weights`                    weights that make source rows resemble target rows
`effective_sample_size`            higher  how reliable such weights are
`importance_weighted_accuracy`     higher  target accuracy, estimated from weighted source rows
`deep_embedded_validation`         lower   target risk, the same with less variance
`prediction_entropy`               lower   how unsure predictions are; a collapsed model has 0
`info_max`                         higher  whether predictions are sure, and of all classes
`batch_nuclear_norm`               higher  the same, for classes of equal size
`corr_c`                           higher  the same, for classes of equal size
`soft_neighborhood_density`        higher  how close target rows with similar predictions are
`estimate_class_shares`                    class shares of the target, under label shift
`feature_shift`                    lower   how much each column differs, of numbers, text and gaps
=================================  ======  =======================================================

For ``scoring=`` of searches and cross-validation, each score has a scorer of the same name, such as
`InfoMaxScorer`. `ReverseValidation` exists as a scorer only, because it fits a model.

Do not choose a model by one of these scores alone. A model that is confident and wrong on the
target scores well by its predictions. Accuracy on held-out source rows, importance-weighted or not,
says next to nothing about the target. `skdann.DANNClassifierCV`, and
`skdann.model_selection.choose_adaptation` in any search, require several scores to agree. The user
guide compares all of them on 64 pairs of domains, in "Choosing without target labels".
"""

from skdann.metrics._class_shares import estimate_class_shares
from skdann.metrics._distances import coral_distance, maximum_mean_discrepancy, proxy_a_distance
from skdann.metrics._feature_shift import feature_shift
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
    "feature_shift",
    "importance_weighted_accuracy",
    "info_max",
    "maximum_mean_discrepancy",
    "prediction_entropy",
    "proxy_a_distance",
    "soft_neighborhood_density",
]
