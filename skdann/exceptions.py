"""Warnings of this package, to be filtered by class."""


class SourceOnlyWarning(UserWarning):
    """`fit` got no `X_tgt`: the network is trained on the source alone, without adaptation."""


class TargetScaleWarning(UserWarning):
    """The target's columns are on another scale than the source's, as if not preprocessed."""


class DomainWarning(UserWarning):
    """Rows of a call without `domain` were taken for target rows, and look like source rows."""
