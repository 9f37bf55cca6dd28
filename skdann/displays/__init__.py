"""Figures of domains, of training and of choices, in scikit-learn's Display form.

========================  ==========================================================================
display                   what it shows
========================  ==========================================================================
`FeatureShiftDisplay`     which columns differ most between the domains; needs no fit
`EmbeddingDisplay`        rows of both domains in the plane, before and after adaptation
`TrainingCurveDisplay`    losses, domain accuracy, lambda and learning rate of each epoch
`ChoiceDisplay`           all candidates with the evidence for each, and what was chosen
`LambdaPathDisplay`       the scores without target labels along lambda
`DomainConfusionDisplay`  how well the domain of a row can be predicted: inputs and embedding
`ClassShareDisplay`       class shares of both domains: known, estimated and predicted
========================  ==========================================================================

Each is made by a class method, such as `EmbeddingDisplay.from_estimator`. It computes what is
shown, draws it, and returns the display. ``display.plot(ax)`` draws it again, elsewhere, without
computing it. ``display.figure_``, ``display.axes_`` and the artists are there to be changed.

They need matplotlib: ``pip install "skdann[plots]"``.
"""

from skdann.displays._choice import ChoiceDisplay
from skdann.displays._class_share import ClassShareDisplay
from skdann.displays._domain_confusion import DomainConfusionDisplay
from skdann.displays._embedding import EmbeddingDisplay
from skdann.displays._feature_shift import FeatureShiftDisplay
from skdann.displays._lambda_path import LambdaPathDisplay
from skdann.displays._training_curve import TrainingCurveDisplay

__all__ = [
    "ChoiceDisplay",
    "ClassShareDisplay",
    "DomainConfusionDisplay",
    "EmbeddingDisplay",
    "FeatureShiftDisplay",
    "LambdaPathDisplay",
    "TrainingCurveDisplay",
]
