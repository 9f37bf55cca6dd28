"""Ready-made feature extractors, for rows that are not plain columns of numbers.

============================  ==================================  =================================
class                         one row of X                        how it is read
============================  ==================================  =================================
`MNISTFeatureExtractor`       (channels, height, width)           two convolutions
`SVHNFeatureExtractor`        (channels, height, width)           three wide convolutions
`TimeSeriesFeatureExtractor`  (channels, steps)                   three convolutions, and the mean
`TabularFeatureExtractor`     numbers and codes of categories     a vector for each category
`TokenFeatureExtractor`       ids of tokens, padded               the mean of the tokens' vectors
============================  ==================================  =================================

Each is a plain torch module. Pass it as ``feature_extractor`` of :class:`~skdann.DANNClassifier`:
the class itself, ``functools.partial`` of it to set options, or an instance, whose weights are the
start. The class is called with the shape of a row, so it needs no sizes from you.
"""

from skdann.networks._codes import TabularFeatureExtractor, TokenFeatureExtractor
from skdann.networks._images import MNISTFeatureExtractor, SVHNFeatureExtractor
from skdann.networks._series import TimeSeriesFeatureExtractor

__all__ = [
    "MNISTFeatureExtractor",
    "SVHNFeatureExtractor",
    "TabularFeatureExtractor",
    "TimeSeriesFeatureExtractor",
    "TokenFeatureExtractor",
]
