"""Warnings of this package, to be filtered by class."""


class SourceOnlyWarning(UserWarning):
    """`fit` got no `X_tgt`: the network is trained on the source alone, without adaptation."""


class TargetScaleWarning(UserWarning):
    """The target's columns are on another scale than the source's, as if not preprocessed."""
